//! What `spore import` says about the hosts.

use super::some_of;
use crate::adopt::Note;
use crate::adopt::keys::Piece;
use crate::resource::{NodeName, Printable};

/// A note on what the folder doesn't express, in one line.
pub fn note(note: &Note) -> String {
    let nodes = |nodes: &[NodeName]| some_of(nodes.iter().map(NodeName::to_string));
    match note {
        Note::Stopped(node) => format!(
            "{node} doesn't run; the plan starts it, unless you remove it from hosts.yaml: then the plan removes it"
        ),
        Note::Inexpressible(node, settings) => format!(
            "the configuration of {node} has settings that a folder can't express, so the plan removes them: {}",
            some_of(settings.iter().map(|setting| Printable::line(setting).to_string()))
        ),
        Note::Stranger { id, address, by } => format!(
            "{} dial{} a node that isn't on any of these hosts, so the plan removes it from their peers: {}, at {}; \
             if it belongs to the network, import its host as well",
            nodes(by),
            if by.len() == 1 { "s" } else { "" },
            Printable::line(id),
            Printable::line(address),
        ),
        Note::Plugins { shape, host, paths } => format!(
            "copy the plugins of shape {shape} from {host} to plugins/ in the folder, or the plan removes them: {}",
            some_of(paths.iter().map(|path| Printable::line(path).to_string()))
        ),
        Note::NoElders => {
            "no node dials another one; name the elders with `spore bootstrap add SHAPE@HOST`".to_owned()
        }
    }
}

/// What a secret of a host is, and why it was read.
pub fn piece(piece: Piece) -> [&'static str; 2] {
    match piece {
        Piece::Swarm => ["the swarm key", "spore configures every node with it"],
        Piece::Public => ["the public validation key", "every node has it; it isn't a secret"],
        Piece::Private => [
            "the private validation key",
            "`auth` needs it, and spore removes it from hosts that don't, so the folder may have the only copy",
        ],
        Piece::AppKey => ["the key of the tenancy's app", "`auth` needs it"],
        Piece::Accounts => ["the configuration of accounts", "`accounts` needs it"],
    }
}
