//! `spore key`: generates a key and writes it to standard output only.

use super::args::KeyKind;
use super::{Exit, terminal};
use crate::identity::{NodeKey, SwarmKey, ValidationKeys};
use crate::resource::SecretBytes;

pub(crate) fn run(kind: KeyKind) -> Exit {
    let key = match kind {
        KeyKind::Node => NodeKey::generate().expose().clone(),
        KeyKind::Swarm => SwarmKey::generate().line().clone(),
        // The public half is derived from the private key where it is needed.
        KeyKind::Validation => {
            ValidationKeys::generate().private().cloned().unwrap_or_else(|| SecretBytes::new(""))
        }
    };
    terminal::out(&format!("{}\n", String::from_utf8_lossy(key.expose()).trim_end()));
    Exit::Done
}
