//! Questions to a name server on this machine.

use super::*;
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS};
use hickory_proto::rr::{Name, RData};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

/// Records, each as `NAME TYPE VALUE`.
type Zone = &'static [&'static str];

/// Answers for a zone, over UDP and TCP, until the runtime ends. If an answer is `long`, it is only
/// given over TCP.
async fn serve(zone: Zone, long: bool) -> SocketAddr {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        loop {
            let (count, from) = udp.recv_from(&mut buffer).await.unwrap();
            let mut answer = reply(zone, &buffer[..count]);
            if long {
                answer.metadata.truncation = true;
                answer.answers.clear();
            }
            // Whoever guesses the port can't guess the id.
            let mut other = reply(&[], &buffer[..count]);
            other.metadata.id = other.metadata.id.wrapping_add(1);
            for message in [other, answer] {
                udp.send_to(&message.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut question = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut question).await.unwrap();
            let bytes = reply(zone, &question).to_vec().unwrap();
            stream.write_u16(bytes.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        }
    });
    address
}

fn reply(zone: Zone, question: &[u8]) -> Message {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let mut reply = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    reply.add_query(query.clone());
    reply.metadata.authoritative = true;
    reply.metadata.response_code = ResponseCode::NXDomain;
    let asked = query.name.to_ascii().trim_end_matches('.').to_owned();
    for line in zone {
        let [name, kind, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let target = || Name::from_ascii(value).unwrap();
        let (kind, data) = match kind {
            "A" => (RecordType::A, RData::A(A(value.parse().unwrap()))),
            "CNAME" => (RecordType::CNAME, RData::CNAME(CNAME(target()))),
            "NS" | "DELEGATED" => (RecordType::NS, RData::NS(NS(target()))),
            "REFUSED" => {
                reply.metadata.response_code = ResponseCode::Refused;
                return reply;
            }
            _ => panic!("{line}"),
        };
        let is_delegation = line.contains(" DELEGATED ");
        let is_asked = match name.strip_prefix("*.") {
            Some(above) => asked.ends_with(&format!(".{above}")),
            None => asked.eq_ignore_ascii_case(name) || is_delegation && asked.ends_with(&format!(".{name}")),
        };
        if is_asked {
            reply.metadata.response_code = ResponseCode::NoError;
        }
        let owner = if name.starts_with("*.") { &asked } else { name };
        let record =
            hickory_proto::rr::Record::from_rdata(Name::from_ascii(format!("{owner}.")).unwrap(), 60, data);
        if is_asked && is_delegation {
            reply.metadata.authoritative = false;
            reply.add_authority(record);
        } else if is_asked && (kind == query.query_type || kind == RecordType::CNAME) {
            reply.add_answer(record);
        }
    }
    reply
}

fn record(name: &str, data: Data) -> Record {
    Record { name: name.to_owned(), data, purpose: crate::daemon::tau::dns::Purpose::Servers }
}

fn records() -> [Record; 3] {
    let addresses = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
    [
        record("seer.example.org", Data::A(addresses.into())),
        record("tau.example.org", Data::Ns("seer.example.org".to_owned())),
        record("*.g.example.org", Data::Cname("substrate.tau.example.org".to_owned())),
    ]
}

/// What a server with this zone says of the records.
async fn said(zone: Zone, long: bool) -> Vec<Said> {
    let server = NameServer { name: None, address: serve(zone, long).await };
    let mut said = Vec::new();
    for record in records() {
        said.extend(check(&record, std::slice::from_ref(&server)).await.said.into_keys());
    }
    said
}

fn differs(missing: &[&str], others: &[&str]) -> Said {
    let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Said::Differs { missing: all(missing), others: all(others) }
}

#[tokio::test]
async fn records_that_are_set_are_right() {
    let zone: Zone = &[
        "Seer.example.org A 192.0.2.2",
        "seer.example.org A 192.0.2.1",
        "tau.example.org DELEGATED SEER.example.org.",
        "*.g.example.org CNAME substrate.tau.example.org.",
    ];
    for long in [false, true] {
        let said = said(zone, long).await;
        assert_eq!(said, [Said::Right, Said::Right, Said::Right]);
    }
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named() {
    let missing = [
        differs(&["192.0.2.1", "192.0.2.2"], &[]),
        differs(&["seer.example.org."], &[]),
        differs(&["substrate.tau.example.org."], &[]),
    ];
    assert_eq!(said(&[], false).await, missing);
    let zone: Zone = &[
        "seer.example.org A 192.0.2.1",
        "seer.example.org A 192.0.2.9",
        "tau.example.org NS ns.elsewhere.test.",
        "g.example.org DELEGATED ns.elsewhere.test.",
    ];
    let wrong = [
        differs(&["192.0.2.2"], &["A 192.0.2.9"]),
        differs(&["seer.example.org."], &["NS ns.elsewhere.test."]),
        differs(&["substrate.tau.example.org."], &["NS ns.elsewhere.test."]),
    ];
    assert_eq!(said(zone, false).await, wrong);
    let alias = said(&["seer.example.org CNAME www.example.org."], false).await;
    assert_eq!(alias[0], differs(&["192.0.2.1", "192.0.2.2"], &["CNAME www.example.org."]));
    let refused = said(&["a REFUSED b"], false).await;
    assert!(
        matches!(&refused[0], Said::Nothing(why) if why.contains("refused") || why.contains("Refused")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_servers_of_the_zone_are_found() {
    let zone: Zone = &[
        "example.org NS ns1.elsewhere.test.",
        "example.org NS ns2.elsewhere.test.",
        "ns1.elsewhere.test A 127.0.0.1",
        "lost.test NS ns.lost.test.",
    ];
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let refusing = serve(&["a REFUSED b"], false).await;
    let resolver = serve(zone, false).await;
    let found = servers_of("seer.sub.example.org", &[refusing, resolver], 5353).await.unwrap();
    let address = "127.0.0.1:5353".parse().unwrap();
    assert_eq!(found, [NameServer { name: Some("ns1.elsewhere.test".to_owned()), address }]);
    let lost = servers_of("lost.test", &[resolver], 53).await;
    assert_eq!(lost, Err(NoServers::NoAddress("lost.test".to_owned())));
    let none = servers_of("nowhere.example", &[resolver], 53).await;
    assert_eq!(none, Err(NoServers::NoZone("nowhere.example".to_owned())));
    let address = silent.local_addr().unwrap();
    drop(silent);
    let nobody = servers_of("a.test", &[address], 53).await;
    assert!(matches!(nobody, Err(NoServers::NoResolver(AskError::Unreachable(_)))), "{nobody:?}");
}

#[test]
fn a_delegation_is_asked_about_above() {
    let zones = records().map(|record| zone_name(&record).to_owned());
    assert_eq!(zones, ["seer.example.org", "example.org", "g.example.org"]);
}
