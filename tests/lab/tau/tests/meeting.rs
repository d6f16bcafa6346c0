//! Two nodes on one loopback interface, a member that dials an elder: they connect if and
//! only if both have the same swarm key, or neither has a key. At least one of them is a
//! stand-in, which logs its connections.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::table::{self, PEER_ID as MEMBER_ID};
use crate::world::Outcome;

/// A key that is used only here; all bytes of its seed are 7.
const ELDER_KEY: &str =
    "CAESQAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
const ELDER_ID: &str = "12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7";
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for several dials.
const IN_VAIN: Duration = Duration::from_secs(6);

/// The swarm keys of the two nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    Same,
    Different,
    None,
}

impl Keys {
    pub(crate) const ALL: [Self; 3] = [Self::Same, Self::Different, Self::None];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Same => "same-key",
            Self::Different => "different-keys",
            Self::None => "no-keys",
        }
    }
}

pub(crate) struct Side<'a> {
    pub(crate) stand_in: bool,
    pub(crate) tau: &'a Path,
}

pub(crate) fn run(keys: &str, elder: &Side<'_>, member: &Side<'_>) -> Outcome {
    let keys = Keys::ALL.into_iter().find(|k| k.name() == keys).ok_or("no such keys")?;
    write(keys)?;
    let mut elder_node = Daemon::start(elder.tau, "elder")?;
    elder_node.wait_for("elder started! with id", 1, PATIENCE)?;
    let mut member_node = Daemon::start(member.tau, "all")?;
    let (elder_sees, member_sees) =
        (format!("connected to {MEMBER_ID} at"), format!("connected to {ELDER_ID} at"));
    if keys == Keys::Different {
        member_node.wait_for("all started! with id", 1, PATIENCE)?;
        sleep(IN_VAIN);
        let said = elder_node.said() + &member_node.said();
        let met = said.contains(&elder_sees) || said.contains(&member_sees);
        return if met { Err(format!("they met:\n{said}")) } else { Ok(()) };
    }
    if elder.stand_in {
        elder_node.wait_for(&elder_sees, 1, PATIENCE)?;
    }
    if member.stand_in {
        member_node.wait_for(&member_sees, 1, PATIENCE)?;
        // The member reconnects to an elder that was killed and restarted.
        drop(elder_node);
        member_node.wait_for(&format!("disconnected from {ELDER_ID}"), 1, PATIENCE)?;
        let _elder_node = Daemon::start(elder.tau, "elder")?;
        member_node.wait_for(&member_sees, 2, PATIENCE)?;
    } else {
        member_node.wait_for("all started! with id", 1, PATIENCE)?;
        drop(member_node);
        elder_node.wait_for(&format!("disconnected from {MEMBER_ID}"), 1, PATIENCE)?;
    }
    Ok(())
}

/// Writes two shapes in one `/tb`: `elder`, without services, and `all`, which dials it.
fn write(keys: Keys) -> Outcome {
    table::lay_out("plain")?;
    let key_line = |name: &str| match keys {
        Keys::None => "swarmkey: ''".to_owned(),
        Keys::Same | Keys::Different => format!("swarmkey: keys/{name}"),
    };
    let common = "swarmkey: keys/swarm.key";
    let member = table::configuration("plain")?.replace(common, &key_line("swarm.key"))
        + &format!("peers:\n- /ip4/127.0.0.1/tcp/6242/p2p/{ELDER_ID}\n");
    let elders_key = if keys == Keys::Different { "other.key" } else { "swarm.key" };
    let elder: String = table::configuration("epsilon")?
        .replace(common, &key_line(elders_key))
        .lines()
        .map(|line| {
            if line.starts_with("privatekey:") { format!("privatekey: {ELDER_KEY}") } else { line.to_owned() }
        })
        .map(|line| line.replace("5242", "6242").replace("5247", "6247") + "\n")
        .collect();
    let other = format!("/key/swarm/psk/1.0.0//base16/{}", "ab".repeat(32));
    for (place, text) in [
        ("/tb/config/all.yaml", member),
        ("/tb/config/elder.yaml", elder),
        ("/tb/config/keys/other.key", other),
    ] {
        fs::write(place, text).map_err(|e| format!("{place}: {e}"))?;
    }
    Ok(())
}
