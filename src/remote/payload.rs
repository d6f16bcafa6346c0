//! What an apply brings along: the bytes of files that are sent to hosts, and the swarm key.

use crate::identity::SwarmKey;
use crate::resource::{FileSource, Printable, SecretBytes};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

/// What actions need apart from the plan.
#[derive(Debug, Default)]
pub struct Payloads {
    /// The files that actions can send, by the source of their bytes. The host checks the
    /// digest of each file that it receives.
    pub files: BTreeMap<FileSource, Payload>,
    /// The key with which the controller completes the handshake with nodes. It isn't sent.
    /// Without it, nothing is concluded from handshakes.
    pub swarm_key: Option<SwarmKey>,
}

/// The bytes of a file. Clones share them.
#[derive(Clone)]
pub enum Payload {
    /// A file that isn't secret.
    Bytes(Bytes),
    /// A secret, wiped from memory when the last clone is dropped.
    Secret(SecretBytes),
    /// A program, compressed once for all hosts.
    Artifact(Program),
    /// A program that hosts download themselves, in case that one can't.
    OnDemand(Arc<OnDemand>),
}

/// A program in memory. Clones share the bytes.
#[derive(Clone)]
pub struct Program {
    /// The file's bytes on the host.
    pub raw: Bytes,
    /// The gzip-compressed bytes, which are sent if they are fewer and the host can decompress
    /// them.
    pub gzip: Bytes,
}

/// A program that is fetched when the first host needs it. The other hosts that need it wait
/// for that.
pub struct OnDemand {
    fetch: Box<dyn Fn() -> Result<Program, Printable> + Send + Sync>,
    fetched: OnceCell<Result<Program, Printable>>,
}

impl OnDemand {
    /// A program that `fetch` gets, which may block. Its error says why there is no program.
    pub fn new(fetch: impl Fn() -> Result<Program, Printable> + Send + Sync + 'static) -> Self {
        Self { fetch: Box::new(fetch), fetched: OnceCell::new() }
    }

    /// Returns the program.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Program, Printable> {
        let fetching = async {
            let program = Arc::clone(self);
            // If the task panicked, propagate the panic.
            let fetched = spawn_blocking(move || (program.fetch)()).await;
            fetched.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
        };
        self.fetched.get_or_init(|| fetching).await.clone()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Secret(_) => f.write_str("Secret(***)"),
            Self::Artifact(program) => write!(f, "Artifact({})", program.raw.len()),
            Self::OnDemand(_) => f.write_str("OnDemand"),
        }
    }
}
