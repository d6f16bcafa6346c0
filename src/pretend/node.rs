//! The nodes of a simulated host, as far as they speak: a node completes the handshake that
//! proves which node it is, with the keys that are on its host's disk, and then says nothing.

use super::faults::{Faults, Nodes};
use crate::daemon::{Daemon, tau};
use crate::identity::{NodeKey, SwarmKey};
use crate::ssh::server::{Knock, Stream};
use libp2p_core::upgrade::InboundConnectionUpgrade as _;
use libp2p_identity::Keypair;
use libp2p_pnet::{PnetConfig, PreSharedKey};
use multistream_select::listener_select_proto;
use std::fs;
use std::path::Path;
use tokio::io::{copy, sink};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

const TLS: &str = "/tls/1.0.0";

/// Whether a node of the host with this root accepts connections on a port. A simulated node
/// only has a line in the table of its host's sockets.
pub(super) fn knock(root: &Path, faults: &Faults, port: u16) -> Knock {
    if faults.no_forwarding {
        return Knock::Prohibited;
    }
    let table = fs::read_to_string(root.join("proc/net/tcp")).unwrap_or_default();
    match table.contains(&format!(":{port:04X} 00000000:0000 0A")) {
        true => Knock::Accepted,
        false => Knock::Refused,
    }
}

/// Serves a connection to a node until the client closes it.
pub(super) async fn serve(root: &Path, faults: &Faults, port: u16, mut stream: Stream) {
    if faults.nodes == Nodes::Silent {
        // The connection stays open, but nobody answers.
        let _ = copy(&mut stream, &mut sink()).await;
        return;
    }
    let Some((swarm, identity)) = keys(root, port) else { return };
    let swarm = if faults.nodes == Nodes::OfAnotherSwarm { SwarmKey::generate() } else { swarm };
    let identity = if faults.nodes == Nodes::Impostors { Keypair::generate_ed25519() } else { identity };
    // If the handshake fails, the connection is closed, as a node closes it.
    let _ = handshake(stream, &swarm, &identity).await;
}

async fn handshake(stream: Stream, swarm: &SwarmKey, identity: &Keypair) -> Option<()> {
    let psk = PnetConfig::new(PreSharedKey::new(*swarm.bytes()));
    let encrypted = psk.handshake(stream.compat()).await.ok()?;
    let (_, agreed) = listener_select_proto(encrypted, [TLS]).await.ok()?;
    let tls = libp2p_tls::Config::new(identity).ok()?;
    let (_, stream) = tls.upgrade_inbound(agreed, TLS).await.ok()?;
    copy(&mut stream.compat(), &mut sink()).await.ok()?;
    Some(())
}

/// The swarm key of the host, and the private key of its node with this main port.
fn keys(root: &Path, port: u16) -> Option<(SwarmKey, Keypair)> {
    let swarm = fs::read(root.join(tau::SWARM_KEY.trim_start_matches('/'))).ok()?;
    let configs = fs::read_dir(root.join(tau::CONFIG.trim_start_matches('/'))).ok()?;
    let identity = configs.flatten().find_map(|entry| {
        let name = entry.file_name();
        Daemon::of_config(&format!("{}/{}", tau::CONFIG, name.to_str()?))?;
        let config: serde_yaml::Value = serde_yaml::from_slice(&fs::read(entry.path()).ok()?).ok()?;
        let main = config.get("ports")?.get("main")?.as_u64()?;
        let key: NodeKey = config.get("privatekey")?.as_str()?.parse().ok()?;
        (main == u64::from(port)).then(|| key.keypair())?
    });
    Some((SwarmKey::parse(&swarm).ok()?, identity?))
}
