//! One question to one name server.

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often a datagram is sent, because it may be lost.
const ATTEMPTS: usize = 2;

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// Nothing came.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// What came isn't a reply.
    #[error("its answer isn't one of a name server")]
    Malformed,
    /// The server doesn't answer this question.
    #[error("it answers {0}")]
    Refused(String),
    /// The server can't be reached.
    #[error("{0}")]
    Unreachable(String),
    /// DNS has no such name.
    #[error("it isn't a name in DNS")]
    NotAName,
}

/// The reply of a name server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What it answers, in words.
    pub code: String,
    /// Whether the server is one of the zone's own.
    pub is_authoritative: bool,
    /// The records that answer the question, with their names.
    pub answers: Vec<(String, Value)>,
    /// The records that say who can answer it.
    pub authorities: Vec<(String, Value)>,
    is_answer: bool,
}

/// The value of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// An address.
    Address(IpAddr),
    /// A name, in lower case and with a final dot, in a record of this type.
    Name(&'static str, String),
    /// A record of another type.
    Other(String),
}

impl Value {
    /// The type of its record.
    pub fn kind(&self) -> &str {
        match self {
            Self::Address(IpAddr::V4(_)) => "A",
            Self::Address(IpAddr::V6(_)) => "AAAA",
            Self::Name(kind, _) => kind,
            Self::Other(kind) => kind,
        }
    }

    /// The value, as it is written in a zone file.
    pub fn text(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Name(_, name) => name.clone(),
            Self::Other(_) => "(not shown)".to_owned(),
        }
    }
}

impl Reply {
    /// Whether it answers the question, even if the answer is that there is nothing.
    pub fn is_answer(&self) -> bool {
        self.is_answer
    }

    /// The values of a name. Signatures don't count.
    pub fn of<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Value> {
        let is_of = move |(owner, value): &&(String, Value)| owner == name && value.kind() != "RRSIG";
        self.answers.iter().filter(is_of).map(|(_, value)| value)
    }
}

/// Asks a server for the records of a name. `recursive` is for resolvers.
///
/// # Errors
/// There is no reply.
pub async fn ask(
    server: SocketAddr,
    name: &str,
    kind: RecordType,
    recursive: bool,
) -> Result<Reply, AskError> {
    let name =
        Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|_| AskError::NotAName)?;
    let mut message = Message::query();
    message.add_query(Query::query(name, kind));
    message.metadata.recursion_desired = recursive;
    let bytes = message.to_vec().map_err(|_| AskError::NotAName)?;
    let mut last = AskError::Silent;
    for _ in 0..ATTEMPTS {
        match timeout(PATIENCE, over_udp(server, &message, &bytes)).await {
            Ok(Ok(reply)) if reply.metadata.truncation => {
                let longer = timeout(PATIENCE, over_tcp(server, &message, &bytes)).await;
                return longer.unwrap_or(Err(AskError::Silent)).map(|reply| read(&reply));
            }
            Ok(Ok(reply)) => return Ok(read(&reply)),
            Ok(Err(error)) => last = error,
            Err(_) => last = AskError::Silent,
        }
    }
    Err(last)
}

fn unreachable(error: io::Error) -> AskError {
    AskError::Unreachable(error.to_string())
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, AskError> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await.map_err(unreachable)?;
    // Only datagrams of the server are received.
    socket.connect(server).await.map_err(unreachable)?;
    socket.send(bytes).await.map_err(unreachable)?;
    let mut buffer = vec![0; 4096];
    loop {
        let count = socket.recv(&mut buffer).await.map_err(unreachable)?;
        // A datagram that doesn't fit may be someone else's attempt to answer.
        if let Ok(reply) = Message::from_vec(&buffer[..count])
            && fits(question, &reply)
        {
            return Ok(reply);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, AskError> {
    let mut stream = TcpStream::connect(server).await.map_err(unreachable)?;
    let length = u16::try_from(bytes.len()).map_err(|_| AskError::NotAName)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await.map_err(unreachable)?;
    let length = stream.read_u16().await.map_err(unreachable)?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.map_err(unreachable)?;
    let reply = Message::from_vec(&buffer).map_err(|_| AskError::Malformed)?;
    if fits(question, &reply) { Ok(reply) } else { Err(AskError::Malformed) }
}

fn fits(question: &Message, reply: &Message) -> bool {
    reply.metadata.id == question.metadata.id
        && reply.metadata.message_type == hickory_proto::op::MessageType::Response
        && reply.queries == question.queries
}

fn read(message: &Message) -> Reply {
    let code = message.metadata.response_code;
    Reply {
        code: code.to_string(),
        is_authoritative: message.metadata.authoritative,
        answers: message.answers.iter().map(value).collect(),
        authorities: message.authorities.iter().map(value).collect(),
        is_answer: matches!(code, ResponseCode::NoError | ResponseCode::NXDomain),
    }
}

fn value(record: &Record) -> (String, Value) {
    let with_dot = |name: &Name| format!("{}.", plain(name));
    let value = match &record.data {
        RData::A(address) => Value::Address(address.0.into()),
        RData::AAAA(address) => Value::Address(address.0.into()),
        RData::NS(name) => Value::Name("NS", with_dot(&name.0)),
        RData::CNAME(name) => Value::Name("CNAME", with_dot(&name.0)),
        other => Value::Other(other.record_type().to_string()),
    };
    (plain(&record.name), value)
}

/// A name in lower case and without a final dot.
fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
