//! The keys of an SSH agent: [`Agent::keys`]. The agent signs, so the keys never leave it.

use super::{Algorithm, PublicKey};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKey};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long an agent may take to list its keys. It has nothing to ask its user for that.
const PATIENCE: Duration = Duration::from_secs(5);

/// An SSH agent, by its socket.
#[derive(Clone, Debug)]
pub struct Agent {
    socket: Arc<Path>,
}

/// A key of an agent, or a certificate for one.
#[derive(Clone)]
pub struct AgentKey {
    agent: Agent,
    identity: Arc<AgentIdentity>,
}

/// Why an agent can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It isn't running, or doesn't speak the agents' protocol.
    #[error("the SSH agent at {} can't be used", socket.display())]
    Unusable {
        /// Its socket.
        socket: PathBuf,
        /// The reason.
        source: russh::keys::Error,
    },
    /// It took too long.
    #[error("the SSH agent at {} didn't answer within {} s", socket.display(), PATIENCE.as_secs())]
    TimedOut {
        /// Its socket.
        socket: PathBuf,
    },
}

impl Agent {
    /// The agent with this socket.
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.into() }
    }

    /// The keys of the agent, in its order. It may have none, for instance if it is locked.
    ///
    /// # Errors
    /// The agent can't be used.
    pub async fn keys(&self) -> Result<Vec<AgentKey>, AgentError> {
        let socket = self.socket.to_path_buf();
        let listing = async { self.client().await?.request_identities().await };
        let listed = match timeout(PATIENCE, listing).await {
            Ok(Ok(listed)) => listed,
            Ok(Err(source)) => return Err(AgentError::Unusable { socket, source }),
            Err(_) => return Err(AgentError::TimedOut { socket }),
        };
        let key = |identity| AgentKey { agent: self.clone(), identity: Arc::new(identity) };
        Ok(listed.into_iter().map(key).collect())
    }

    async fn client(&self) -> Result<AgentClient<UnixStream>, russh::keys::Error> {
        AgentClient::connect_uds(&*self.socket).await
    }
}

impl AgentKey {
    /// The public half of the key.
    pub fn public(&self) -> PublicKey {
        self.identity.public_key().into_owned()
    }

    /// Whether this is a certificate for a key.
    pub fn is_certificate(&self) -> bool {
        matches!(&*self.identity, AgentIdentity::Certificate { .. })
    }

    /// Whether this is the agent's copy of a key, or a certificate for it.
    pub fn is(&self, key: &PublicKey) -> bool {
        self.public().key_data() == key.key_data()
    }

    /// The certificate, if this is one.
    pub fn certificate(&self) -> Option<&Certificate> {
        match &*self.identity {
            AgentIdentity::Certificate { certificate, .. } => Some(certificate),
            AgentIdentity::PublicKey { .. } => None,
        }
    }

    /// Whether it is on a security key, which usually signs only if someone touches it.
    pub(super) fn is_on_security_key(&self) -> bool {
        matches!(self.public().algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256)
    }

    /// How the agent's protocol names it.
    pub(super) fn blob(&self) -> Result<Vec<u8>, russh::keys::ssh_key::Error> {
        match &*self.identity {
            AgentIdentity::PublicKey { key, .. } => key.to_bytes(),
            AgentIdentity::Certificate { certificate, .. } => certificate.to_bytes(),
        }
    }

    /// Connects to the agent.
    pub(super) async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&*self.agent.socket).await
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentKey({})", self.public().fingerprint(HashAlg::Sha256))
    }
}

/// The public half of a private key in OpenSSH's format, which isn't encrypted even if the key
/// is.
pub fn public_half(text: &str) -> Option<PublicKey> {
    PrivateKey::from_openssh(text.trim()).ok().map(|key| key.public_key().clone())
}
