//! Signs for logins: [`Signer`]. russh lets only SSH agents sign (and would itself sign for an RSA
//! certificate with SHA-1), so this is an agent, over a stream in memory. It signs with the key of
//! a file, or passes the request on to the user's agent.

use super::authenticate::Attempt;
use super::{AgentKey, PrivateKey, Tried};
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::{Decode as _, Encode as _};
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, ssh_encoding};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

/// How long a security key takes to sign if it needn't be touched.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The maximum size of a message of the agents' protocol, in bytes. OpenSSH's is the same.
const LONGEST: usize = 256 << 10;

/// The numbers of messages in the agents' protocol (draft-miller-ssh-agent).
const FAILURE: u8 = 5;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// The flags of a request that choose the hash of an RSA signature.
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// A private key that can sign.
#[derive(Clone, Copy)]
pub(super) enum SigningKey<'a> {
    InFile(&'a PrivateKey),
    InAgent(&'a AgentKey),
}

/// Signs with one key, for one login.
pub(super) struct Signer<'a> {
    key: SigningKey<'a>,
    attempt: &'a Attempt<'a>,
    is_untouched: AtomicBool,
}

impl<'a> Signer<'a> {
    pub(super) fn new(key: SigningKey<'a>, attempt: &'a Attempt<'a>) -> Self {
        Self { key, attempt, is_untouched: AtomicBool::new(false) }
    }

    /// Does something with this agent.
    pub(super) async fn during<T>(&self, work: impl AsyncFnOnce(&mut AgentClient<DuplexStream>) -> T) -> T {
        let (near, far) = duplex(LONGEST);
        let mut client = AgentClient::connect(near);
        tokio::select! {
            done = work(&mut client) => done,
            never = self.serve(far) => match never {},
        }
    }

    /// What there is to say if there was no signature.
    pub(super) fn unsigned(&self) -> Tried {
        let public = match self.key {
            SigningKey::InFile(key) => key.public_key().clone(),
            SigningKey::InAgent(key) => key.public(),
        };
        let fingerprint = public.fingerprint(HashAlg::Sha256).to_string();
        match self.is_untouched.load(Ordering::Relaxed) {
            true => Tried::Untouched { fingerprint, after: self.attempt.timeouts.touch },
            false => Tried::Unsigned { fingerprint },
        }
    }

    /// Answers requests. Never ends, because the work with the agent does.
    async fn serve(&self, mut stream: DuplexStream) -> std::convert::Infallible {
        while let Ok(request) = read(&mut stream).await {
            let reply = match Request::parse(&request) {
                Ok(request) => self.sign(&request).await.unwrap_or_else(|_| vec![FAILURE]),
                Err(_) => vec![FAILURE],
            };
            if write(&mut stream, &reply).await.is_err() {
                break;
            }
        }
        std::future::pending().await
    }

    async fn sign(&self, request: &Request) -> io::Result<Vec<u8>> {
        match self.key {
            SigningKey::InFile(key) => request.signed(key).map_err(io::Error::other),
            SigningKey::InAgent(key) if key.is_on_security_key() => self.touched(key, request).await,
            SigningKey::InAgent(key) => passed_on(key, request).await,
        }
    }

    /// Signs with a key that someone may have to touch.
    async fn touched(&self, key: &AgentKey, request: &Request) -> io::Result<Vec<u8>> {
        let Attempt { server, timeouts, attendant, deadline, .. } = self.attempt;
        let signed = async {
            let mut signed = pin!(passed_on(key, request));
            // Some security keys sign without being touched.
            if let Ok(signed) = timeout(AT_ONCE, &mut signed).await {
                return Some(signed);
            }
            attendant.touch(server);
            timeout(timeouts.touch, signed).await.ok()
        };
        attendant.needed(deadline, signed).await.unwrap_or_else(|| {
            self.is_untouched.store(true, Ordering::Relaxed);
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

/// A request for a signature.
struct Request {
    data: Vec<u8>,
    flags: u32,
}

impl Request {
    fn parse(mut message: &[u8]) -> Result<Self, ssh_encoding::Error> {
        let message = &mut message;
        if u8::decode(message)? != SIGN_REQUEST {
            return Err(ssh_encoding::Error::Length);
        }
        // The key is known.
        Vec::<u8>::decode(message)?;
        Ok(Self { data: Vec::decode(message)?, flags: u32::decode(message)? })
    }

    /// The reply with a signature.
    fn signed(&self, key: &PrivateKey) -> Result<Vec<u8>, russh::keys::ssh_key::Error> {
        let hash = match self.flags & (RSA_SHA2_256 | RSA_SHA2_512) {
            RSA_SHA2_256 => HashAlg::Sha256,
            _ => HashAlg::Sha512,
        };
        let signature: Signature = match key.key_data() {
            KeypairData::Rsa(key) => (key, Some(hash)).try_sign(&self.data)?,
            key => key.try_sign(&self.data)?,
        };
        let mut reply = vec![SIGN_RESPONSE];
        signature.encode_prefixed(&mut reply)?;
        Ok(reply)
    }
}

/// The reply of the user's agent.
async fn passed_on(key: &AgentKey, Request { data, flags }: &Request) -> io::Result<Vec<u8>> {
    let mut message = vec![SIGN_REQUEST];
    let encoded = key.blob().and_then(|blob| {
        // The certificate may be in a file, and then the agent knows only the key.
        blob.encode(&mut message)?;
        data.encode(&mut message)?;
        Ok(flags.encode(&mut message)?)
    });
    encoded.map_err(io::Error::other)?;
    let mut stream = key.connect().await?;
    write(&mut stream, &message).await?;
    read(&mut stream).await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await
}
