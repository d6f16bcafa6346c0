//! A network link in software: [`Link::to`] listens on a port of the world's own address, and
//! forwards connections to a host with a delay and at a limited rate.
//!
//! The connections of a link share its rate, in the order in which their data arrive, as on a
//! home's or an office's uplink. A link also counts what passes over it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The world's own address.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

/// How much is read at once. At 50 Mbit/s, this takes 2.6 ms to pass.
const CHUNK: usize = 16 << 10;

/// What a link does to the data that pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    /// How long data travel in one direction: half a round trip.
    pub(crate) delay: Duration,
    /// The bytes per second in each direction; 0 if unlimited.
    pub(crate) rate: u64,
}

/// A link to any number of hosts.
pub(crate) struct Link {
    shape: Shape,
    up: Arc<Lane>,
    down: Arc<Lane>,
    /// How often a connection's data went to a host after data came from it.
    turns: Arc<AtomicU64>,
    runtime: Runtime,
}

/// What passed over a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    /// The bytes to the hosts.
    pub(crate) sent: u64,
    /// The bytes from the hosts.
    pub(crate) received: u64,
    /// How often a connection's data went to a host after data came from it.
    pub(crate) turns: u64,
}

/// One direction.
#[derive(Default)]
struct Lane {
    bytes: AtomicU64,
    /// When what has arrived will have passed.
    free: Mutex<Option<Instant>>,
}

impl Lane {
    /// When `bytes` that arrive now will have passed.
    fn passes(&self, bytes: usize, rate: u64) -> Instant {
        self.bytes.fetch_add(bytes as u64, Relaxed);
        let now = Instant::now();
        if rate == 0 {
            return now;
        }
        let mut free = self.free.lock().unwrap_or_else(|error| panic!("{error}"));
        let at = free.map_or(now, |free| free.max(now)) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        *free = Some(at);
        at
    }
}

impl Link {
    pub(crate) fn new(shape: Shape) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self {
            shape,
            up: Arc::default(),
            down: Arc::default(),
            turns: Arc::default(),
            runtime: runtime.unwrap_or_else(|error| panic!("{error}")),
        }
    }

    /// Forwards the connections to a new port, which is returned, to this address.
    pub(crate) fn to(&self, address: SocketAddr) -> u16 {
        let listener = self.runtime.block_on(TcpListener::bind((HERE, 0)));
        let listener = listener.unwrap_or_else(|error| panic!("{error}"));
        let port = listener.local_addr().unwrap_or_else(|error| panic!("{error}")).port();
        let (shape, up, down) = (self.shape, Arc::clone(&self.up), Arc::clone(&self.down));
        let turns = Arc::clone(&self.turns);
        self.runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(address).await else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let (near_reader, near_writer) = near.into_split();
                let (far_reader, far_writer) = far.into_split();
                let answered = Arc::new(AtomicU64::new(1));
                let (asks, asked) = (Arc::clone(&answered), Arc::clone(&turns));
                tokio::spawn(forward(near_reader, far_writer, Arc::clone(&up), shape, move || {
                    asked.fetch_add(asks.swap(0, Relaxed), Relaxed);
                }));
                tokio::spawn(forward(far_reader, near_writer, Arc::clone(&down), shape, move || {
                    answered.store(1, Relaxed);
                }));
            }
        });
        port
    }

    /// What has passed since the last call.
    pub(crate) fn passed(&self) -> Passed {
        let take = |count: &AtomicU64| count.swap(0, Relaxed);
        Passed { sent: take(&self.up.bytes), received: take(&self.down.bytes), turns: take(&self.turns) }
    }
}

/// Forwards one direction of a connection until it ends. Calls `passing` before each chunk
/// begins its way.
async fn forward(
    mut reader: OwnedReadHalf,
    mut writer: OwnedWriteHalf,
    lane: Arc<Lane>,
    shape: Shape,
    passing: impl Fn() + Send + 'static,
) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let delivering = tokio::spawn(async move {
        while let Some((at, data)) = receiver.recv().await {
            sleep_until(at).await;
            if writer.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    });
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        passing();
        let at = lane.passes(length, shape.rate);
        if sender.send((at + shape.delay, buffer[..length].to_vec())).is_err() {
            break;
        }
        // Nothing more is read until this has passed, so that what waits stays with its sender.
        sleep_until(at).await;
    }
    drop(sender);
    let _ = delivering.await;
}
