//! `spore key`: generates a key and writes it to standard output only.

use super::args::KeyCommand;
use super::{Exit, terminal};
use crate::identity::{NodeKey, SwarmKey, ValidationKeys};
use crate::resource::SecretBytes;

pub(crate) fn run(command: &KeyCommand) -> Exit {
    let key = match command {
        KeyCommand::Node => NodeKey::generate().expose().clone(),
        KeyCommand::Swarm => SwarmKey::generate().line().clone(),
        // The public half is derived from the private key where it is needed.
        KeyCommand::Validation => {
            ValidationKeys::generate().private().cloned().unwrap_or_else(|| SecretBytes::new(""))
        }
        // It prints no key.
        KeyCommand::Add(_) => return Exit::Done,
    };
    terminal::out(&format!("{}\n", String::from_utf8_lossy(key.expose()).trim_end()));
    Exit::Done
}
