//! What an apply brings along: the bytes of files that are sent to hosts, and the swarm key.

use crate::artifact::{Encoding, compress};
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
    Artifact(Arc<Program>),
    /// A program that hosts download themselves, in case that one can't.
    OnDemand(Arc<OnDemand>),
}

/// A program in memory.
pub struct Program {
    raw: Bytes,
    gzip: OnceCell<Bytes>,
    zstd: OnceCell<Bytes>,
}

impl Program {
    /// The program with these bytes.
    pub fn new(raw: Bytes) -> Self {
        Self { raw, gzip: OnceCell::new(), zstd: OnceCell::new() }
    }

    /// Returns the bytes to send, compressed if they are fewer then, and how. `best` is the best
    /// encoding that the host can decode. The first host that needs an encoding waits about a
    /// second for it, and so do the others.
    pub(super) async fn encoded(&self, best: Encoding) -> (Bytes, Encoding) {
        let cell = match best {
            Encoding::Raw => return (self.raw.clone(), Encoding::Raw),
            Encoding::Gzip => &self.gzip,
            Encoding::Zstd => &self.zstd,
        };
        let raw = self.raw.clone();
        let encoded = cell.get_or_init(|| blocking(move || compress(&raw, best))).await;
        match encoded.len() < self.raw.len() {
            true => (encoded.clone(), best),
            false => (self.raw.clone(), Encoding::Raw),
        }
    }
}

/// Runs `work` on a thread on which it may block or take long. If it panics, so does this.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// A program that is fetched when the first host needs it. The other hosts that need it wait
/// for that.
pub struct OnDemand {
    fetch: Box<dyn Fn() -> Result<Bytes, Printable> + Send + Sync>,
    fetched: OnceCell<Result<Arc<Program>, Printable>>,
}

impl OnDemand {
    /// A program that `fetch` gets, which may block. Its error says why there is no program.
    pub fn new(fetch: impl Fn() -> Result<Bytes, Printable> + Send + Sync + 'static) -> Self {
        Self { fetch: Box::new(fetch), fetched: OnceCell::new() }
    }

    /// Returns the program.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Arc<Program>, Printable> {
        let this = Arc::clone(self);
        let fetching =
            async { blocking(move || (this.fetch)()).await.map(|raw| Arc::new(Program::new(raw))) };
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
