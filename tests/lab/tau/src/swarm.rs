//! The node on the network: listens, keeps dialing its peers, and logs its connections.
//!
//! The node uses the same protocols as the real tau, so that both can be in one swarm: TCP,
//! the pre-shared key if there is one, TLS (the real tau rejects Noise), yamux, identify
//! and ping.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, TransportError};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::pnet::{PnetConfig, PreSharedKey};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{DialError, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Transport as _, identify, ping, tcp, tls, yamux};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::refusal::{Refusal, errno_text};
use crate::{address, log};

/// The interval at which unconnected peers are dialed.
const REDIAL: Duration = Duration::from_millis(1500);
/// The time-out of a dial. It is short, so that a host that dropped packets is dialed again
/// soon after it is back.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval and the time-out of pings to connected peers.
const PING: Duration = Duration::from_secs(5);

/// A node that listens and dials, in a separate task.
pub(crate) struct Swarm {
    answered: watch::Receiver<bool>,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

impl Swarm {
    /// Listens on all addresses in `listen` that are available, at least one, and begins to
    /// dial `peers`.
    pub(crate) fn start(
        identity: &Keypair,
        swarm_key: Option<[u8; 32]>,
        listen: &[String],
        announce: Vec<Multiaddr>,
        peers: Vec<(PeerId, Multiaddr)>,
    ) -> Result<Self, Refusal> {
        let mut swarm = build(identity, swarm_key)?;
        listen_on(&mut swarm, listen)?;
        announce.into_iter().for_each(|address| swarm.add_external_address(address));
        let own = *swarm.local_peer_id();
        let mut dialed: BTreeMap<PeerId, Vec<Multiaddr>> = BTreeMap::new();
        for (peer, address) in peers.into_iter().filter(|(peer, _)| *peer != own) {
            dialed.entry(peer).or_default().push(address);
        }
        let (tell, answered) = watch::channel(dialed.is_empty());
        tokio::spawn(live(swarm, dialed, tell));
        Ok(Self { answered })
    }

    /// Waits until a peer is connected, or all dials have failed. A dial without an answer
    /// doesn't count as failed.
    pub(crate) async fn first_answers(&mut self) {
        self.answered.wait_for(|answered| *answered).await.ok();
    }
}

fn build(identity: &Keypair, swarm_key: Option<[u8; 32]>) -> Result<libp2p::Swarm<Behaviour>, Refusal> {
    let wrong = |e: &dyn std::fmt::Display| Refusal::new(format!("stand-in: {e}"));
    let builder = libp2p::SwarmBuilder::with_existing_identity(identity.clone())
        .with_tokio()
        .with_other_transport(|key| transport(key, swarm_key))
        .map_err(|e| wrong(&e))?
        .with_behaviour(|key| Behaviour {
            identify: identify::Behaviour::new(identify::Config::new(
                concat!("/tau-stand-in/", env!("CARGO_PKG_VERSION")).into(),
                key.public(),
            )),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING).with_timeout(PING)),
        })
        .map_err(|e| wrong(&e))?;
    // Neither identify nor ping keeps a connection alive, but idle connections should stay
    // open.
    Ok(builder.with_swarm_config(|c| c.with_idle_connection_timeout(Duration::MAX)).build())
}

type Upgraded = Boxed<(PeerId, StreamMuxerBox)>;
type SendSync = Box<dyn Error + Send + Sync>;

fn transport(identity: &Keypair, swarm_key: Option<[u8; 32]>) -> Result<Upgraded, SendSync> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default());
    let tls = tls::Config::new(identity)?;
    let yamux = yamux::Config::default();
    Ok(match swarm_key {
        Some(key) => {
            let psk = PnetConfig::new(PreSharedKey::new(key));
            tcp.and_then(move |socket, _| psk.handshake(socket))
                .upgrade(Version::V1)
                .authenticate(tls)
                .multiplex(yamux)
                .timeout(DIAL_TIMEOUT)
                .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
                .boxed()
        }
        None => tcp
            .upgrade(Version::V1)
            .authenticate(tls)
            .multiplex(yamux)
            .timeout(DIAL_TIMEOUT)
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed(),
    })
}

/// Listens on the addresses. Fails if an address can't be parsed, or if no address is
/// available.
fn listen_on(swarm: &mut libp2p::Swarm<Behaviour>, listen: &[String]) -> Result<(), Refusal> {
    let addresses = listen.iter().map(|text| address::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let mut failed = Vec::new();
    for address in &addresses {
        match swarm.listen_on(address.clone()) {
            Ok(_) => {}
            Err(TransportError::MultiaddrNotSupported(_)) => {
                failed.push("no transport for protocol".to_owned())
            }
            Err(TransportError::Other(e)) => {
                failed.push(format!("listen {}: bind: {}", address::socket_name(address), errno_text(&e)));
            }
        }
    }
    if failed.len() == addresses.len() {
        return Err(Refusal::new(format!("failed to listen on any addresses: [{}]", failed.join(" "))));
    }
    Ok(())
}

/// The node's main loop: dials missing peers, and logs connections.
async fn live(
    mut swarm: libp2p::Swarm<Behaviour>,
    peers: BTreeMap<PeerId, Vec<Multiaddr>>,
    tell: watch::Sender<bool>,
) {
    use libp2p::futures::StreamExt as _;

    let mut connected: BTreeSet<PeerId> = BTreeSet::new();
    let mut unreachable: BTreeMap<PeerId, String> = BTreeMap::new();
    let mut redial = interval(REDIAL);
    redial.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            event = swarm.select_next_some() => event,
            _ = redial.tick() => {
                for (peer, addresses) in &peers {
                    let opts = DialOpts::peer_id(*peer).addresses(addresses.clone()).allocate_new_port().build();
                    // This fails if the peer is connected or being dialed already, which is
                    // fine.
                    swarm.dial(opts).ok();
                }
                continue;
            }
        };
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } if connected.insert(peer_id) => {
                unreachable.remove(&peer_id);
                log::info(format_args!("connected to {peer_id} at {}", endpoint.get_remote_address()));
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. }
                if connected.remove(&peer_id) =>
            {
                log::info(format_args!("disconnected from {peer_id}"));
            }
            // If two nodes dial each other at the same time, one attempt may fail.
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. }
                if !connected.contains(&peer) =>
            {
                // Each reason is logged only once, because dials are frequent.
                let why = why(&error);
                if unreachable.insert(peer, why.clone()).as_ref() != Some(&why) {
                    log::error(format_args!("cannot reach {peer}: {why}"));
                }
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(ping::Failure::Timeout | ping::Failure::Other { .. }),
                ..
            })) => {
                // A host without power doesn't close its connections.
                swarm.close_connection(connection);
            }
            _ => {}
        }
        if !connected.is_empty() || peers.keys().all(|peer| unreachable.contains_key(peer)) {
            tell.send_replace(true);
        }
    }
}

/// Why each address failed, in one line.
fn why(error: &DialError) -> String {
    let DialError::Transport(attempts) = error else { return error.to_string() };
    let causes = attempts.iter().map(|(address, error)| {
        let mut cause: &dyn Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let address = address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect::<Multiaddr>();
        format!("{address}: {cause}")
    });
    causes.collect::<Vec<_>>().join("; ")
}
