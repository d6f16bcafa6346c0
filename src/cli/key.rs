//! `spore key`: new keys, on the standard output and nowhere else.

use super::args::KeyKind;
use super::{Exit, terminal};
use crate::identity::{NodeKey, SwarmKey, ValidationKeys};
use crate::resource::Secret;

pub(crate) fn run(kind: KeyKind) -> Exit {
    let key = match kind {
        KeyKind::Node => NodeKey::generate().expose().clone(),
        KeyKind::Swarm => SwarmKey::generate().line().clone(),
        // Its public half is made of it where it is needed.
        KeyKind::Validation => {
            ValidationKeys::generate().private().cloned().unwrap_or_else(|| Secret::new(""))
        }
    };
    terminal::out(&format!("{}\n", String::from_utf8_lossy(key.expose()).trim_end()));
    Exit::Done
}
