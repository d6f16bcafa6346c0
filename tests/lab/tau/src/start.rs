//! `tau start`: starts a node in the same order as the real tau, so that the same one of
//! several errors is reported, and runs the node until it is stopped.
//!
//! As with the real tau, errors in peers, swarm key or `p2p-listen` end the node before it
//! listens, and errors in `p2p-announce` or a service only [`SETTLING`] after that. The
//! configuration is read only once.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use crate::config::Node;
use crate::fault::Fault;
use crate::refusal::{Refusal, errno_text};
use crate::swarm::Swarm;
use crate::{address, log, service};

/// How long a node listens before its services and its client are started.
const SETTLING: Duration = Duration::from_millis(300);
/// How long a node waits for its peers' first answers.
const FIRST_ANSWERS: Duration = Duration::from_secs(5);

/// Runs the node until it is stopped.
pub(crate) async fn start(node: Node) -> Result<(), Refusal> {
    let fault = Fault::planted(&node.root, &node.shape)?;
    tokio::select! {
        ended = run(&node, &fault) => ended,
        told = told_to_end(fault.ignore_sigterm) => {
            log::info("Exiting... Tau");
            told
        }
    }
}

async fn run(node: &Node, fault: &Fault) -> Result<(), Refusal> {
    let peer_id = node.identity.public().to_peer_id();
    let mut swarm = create_node(node)?;
    if !node.services.is_empty() {
        // If no peer answers, the node starts nevertheless and keeps dialing. Elders don't
        // wait at all.
        timeout(FIRST_ANSWERS, swarm.first_answers()).await.ok();
    }
    sleep(SETTLING).await;
    let mut held: Vec<Socket> = Vec::new();
    if !node.services.is_empty() {
        held.push(client(node).map_err(|e| e.within("creating client node failed with"))?);
        service::start_all(node, fault.enterprise)?;
        let beacon = node.announce.first().map(|first| address::parse(first)).transpose()?;
        if !beacon.is_some_and(|first| address::has_ip4(&first)) {
            return Err(
                Refusal::new("protocol not found in multiaddr").within("starting seer beacon failed with")
            );
        }
    }
    sleep(fault.start_slowly.unwrap_or_default()).await;
    log::info(format_args!("{} started! with id: {peer_id}", node.shape));
    if node.services.iter().any(|service| service == "seer") {
        held.extend(dns().await);
    }
    match fault.die_after {
        Some(after) => {
            sleep(after).await;
            Err(Refusal::new("stand-in: dying, as the fault file says"))
        }
        None => pending().await,
    }
}

/// Creates the node itself: checks the peers and the swarm key, and listens.
fn create_node(node: &Node) -> Result<Swarm, Refusal> {
    let elder = node.services.is_empty();
    let create = |e: Refusal| {
        if elder {
            e.within("creating new full node failed with")
        } else {
            e.within(format_args!("creating new node for shape `{}` failed with", node.shape))
        }
    };
    let peers = node.peers.iter().map(|peer| address::parse_peer(peer)).collect::<Result<Vec<_>, _>>();
    let peers = match peers {
        Err(e) if elder => return Err(e),
        peers => peers.map_err(|e| {
            create(
                e.within("converting peers to libp2p addr info failed with")
                    .within("getting bootstrap params in NewNode failed with"),
            )
        })?,
    };
    let data = Path::new(&node.root).join("storage").join(&node.shape);
    let folders = if elder { vec![data] } else { vec![data.clone(), with_suffix(data, "_client")] };
    for folder in folders {
        std::fs::create_dir_all(&folder)
            .map_err(|e| create(Refusal::new(format!("mkdir {}: {}", folder.display(), errno_text(&e)))))?;
    }
    let swarm_key = node
        .swarm_key
        .as_ref()
        .map(|key| key.decode().map_err(|e| create(e.after("reading swarm key failed with"))))
        .transpose()?;
    // Announced addresses that can't be parsed are ignored here; the client reports an
    // error about the first address.
    let announce = node.announce.iter().filter_map(|text| address::parse(text).ok()).collect();
    Swarm::start(&node.identity, swarm_key, &node.listen, announce, peers)
        .map_err(|e| create(e.within("creating libp2p host failed").within("setting up libp2p failed")))
}

fn with_suffix(path: std::path::PathBuf, suffix: &str) -> std::path::PathBuf {
    let mut name = path.into_os_string();
    name.push(suffix);
    name.into()
}

/// A socket that keeps a port in use.
enum Socket {
    Tcp(#[expect(dead_code, reason = "held, not used")] TcpListener),
    Udp(#[expect(dead_code, reason = "held, not used")] UdpSocket),
}

/// Starts the node's own client, of which only the port is simulated.
fn client(node: &Node) -> Result<Socket, Refusal> {
    let first = node.announce.first().ok_or_else(|| Refusal::new("p2p announce is empty"))?;
    let first = address::parse(first).map_err(|e| e.within("new multiaddr failed with"))?;
    if address::tcp_port(&first).is_none() {
        return Err(
            Refusal::new("protocol not found in multiaddr").within("tcp value from protocol failed with")
        );
    }
    let create = |e: Refusal| {
        e.within("creating libp2p host failed")
            .within("setting up libp2p failed")
            .within(format_args!("creating new client node for shape `{}` failed with", node.shape))
    };
    let listen = address::parse(&format!("/ip4/127.0.0.1/tcp/{}", node.lite)).map_err(create)?;
    let port = address::tcp_port(&listen).unwrap_or_default();
    let bind = || -> io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(([127, 0, 0, 1], port).into())?;
        socket.listen(16)
    };
    bind().map(Socket::Tcp).map_err(|e| {
        let socket = address::socket_name(&listen);
        create(Refusal::new(format!(
            "failed to listen on any addresses: [listen {socket}: bind: {}]",
            errno_text(&e)
        )))
    })
}

/// Starts the DNS of `seer`: listens on port 53 on all addresses, or logs an error. As with
/// the real tau, the node keeps running without DNS.
async fn dns() -> Vec<Socket> {
    let mut held = Vec::new();
    match on_all_addresses(53, UdpSocket::bind).await {
        Ok(socket) => held.push(Socket::Udp(socket)),
        Err(e) => {
            log::error(format_args!("UDP DNS server failed with: listen udp :53: bind: {}", errno_text(&e)))
        }
    }
    match on_all_addresses(53, TcpListener::bind).await {
        Ok(socket) => held.push(Socket::Tcp(socket)),
        Err(e) => {
            log::error(format_args!("TCP DNS server failed with: listen tcp :53: bind: {}", errno_text(&e)))
        }
    }
    held
}

/// Listens like Go on `:port`: with one socket for both address families, or only for IPv4
/// on a host without IPv6.
async fn on_all_addresses<T, F>(port: u16, bind: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    match bind((Ipv6Addr::UNSPECIFIED, port).into()).await {
        Err(e) if e.kind() != io::ErrorKind::AddrInUse => bind((Ipv4Addr::UNSPECIFIED, port).into()).await,
        bound => bound,
    }
}

/// Waits for SIGTERM or an interrupt.
async fn told_to_end(ignore_sigterm: bool) -> Result<(), Refusal> {
    let listen = |kind| signal(kind).map_err(|e| Refusal::new(format!("stand-in: no signals: {e}")));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => {
                if !ignore_sigterm {
                    return Ok(());
                }
                log::info("stand-in: ignoring SIGTERM, as the fault file says");
            }
        }
    }
}
