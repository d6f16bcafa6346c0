//! Completes the handshake with a node, over the SSH connection to its host. The entry point is
//! [`contact`].
//!
//! Nothing that the other side sends is kept or shown, except for a peer id for which it has the
//! private key. What is read, and for how long, is bounded.

use crate::identity::{PeerId, SwarmKey};
use crate::resource::{Contact, Handshake, Unproved};
use crate::ssh::{NotOpened, Session};
use futures_util::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p_core::upgrade::OutboundConnectionUpgrade as _;
use libp2p_identity::Keypair;
use libp2p_pnet::{PnetConfig, PreSharedKey};
use multistream_select::{Version, dialer_select_proto};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

/// How often a handshake is attempted with a node that was started just now.
pub(super) const AFTER_START: usize = 3;
/// How often a handshake is attempted with a node that has been running.
pub(super) const WHILE_RUNNING: usize = 1;

/// The time between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a process may take to close a connection whose input has ended.
const END: Duration = Duration::from_secs(2);

/// How many bytes are read after the nonce. A node sends about 2,000.
const MOST: usize = 64 << 10;

/// The first message of each side, with its length, and the only protocol of a node's first
/// negotiation. tau accepts no other (it rejects Noise).
const HEADER: &[u8] = b"\x13/multistream/1.0.0\n";
const TLS: &str = "/tls/1.0.0";

/// Completes the handshake with a node on the session's host, in up to `attempts` attempts of
/// three steps, each of which takes `patience` at most.
pub(super) async fn contact(
    session: &Session,
    handshake: &Handshake,
    key: &SwarmKey,
    patience: Duration,
    attempts: usize,
) -> Contact {
    let Handshake::Libp2p { port, peer } = handshake;
    let mut contact = Contact::Unknown;
    for attempt in 0..attempts {
        if attempt > 0 {
            sleep(PAUSE).await;
        }
        contact = match session.connect_to(*port, patience).await {
            Err(NotOpened::Prohibited) => Contact::Forbidden,
            Err(NotOpened::Refused) => Contact::Failed(Unproved::Refused),
            Err(NotOpened::TimedOut) => Contact::Failed(Unproved::Silent),
            Err(NotOpened::Other) => Contact::Unknown,
            Ok(stream) => match prove(stream, key, patience).await {
                Ok(id) if id.to_string() == *peer => Contact::Proved,
                Ok(id) => Contact::Failed(Unproved::OtherNode(id.to_string())),
                Err(why) => Contact::Failed(why),
            },
        };
        if session.is_closed() {
            return Contact::Unknown;
        }
        // Another attempt can't change these.
        if matches!(contact, Contact::Proved | Contact::Forbidden | Contact::Failed(Unproved::OtherNode(_))) {
            break;
        }
    }
    contact
}

/// Completes the handshake as a client with a throw-away identity, and returns the peer id of the
/// node. No stream is opened afterwards, so the node doesn't take the client for a peer.
async fn prove(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    key: &SwarmKey,
    patience: Duration,
) -> Result<PeerId, Unproved> {
    let psk = PnetConfig::new(PreSharedKey::new(*key.bytes()));
    let encrypted = match timeout(patience, psk.handshake(stream.compat())).await {
        Ok(Ok(encrypted)) => encrypted,
        Ok(Err(_)) => return Err(Unproved::Closed),
        Err(_) => return Err(Unproved::Silent),
    };
    let mut stream = Checked { inner: encrypted, header: HEADER, left: MOST };
    let agreeing = timeout(patience, dialer_select_proto(&mut stream, [TLS], Version::V1));
    match agreeing.await.map(|agreed| agreed.is_ok()) {
        Ok(true) => {}
        // Whoever sends a header that can be decrypted has the key.
        Ok(false) if stream.header.is_empty() => return Err(Unproved::NoTls),
        Ok(false) => return Err(Unproved::OtherSwarm),
        Err(_) => return Err(hung(stream).await),
    }
    let tls = libp2p_tls::Config::new(&Keypair::generate_ed25519()).map_err(|_| Unproved::NoTls)?;
    match timeout(patience, tls.upgrade_outbound(stream, TLS)).await {
        Ok(Ok((id, _))) => Ok(id),
        Ok(Err(_)) => Err(Unproved::NoTls),
        Err(_) => Err(Unproved::Silent),
    }
}

/// Why a process that has sent a nonce doesn't answer. If it has another key, it may take the
/// first bytes for the length of a long message, and wait for the rest; it gives up when its
/// input ends. A process that is stuck doesn't notice.
async fn hung(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Unproved {
    let ending = async {
        stream.close().await?;
        stream.read(&mut [0; 64]).await
    };
    match timeout(END, ending).await {
        Ok(Ok(0) | Err(_)) => Unproved::OtherSwarm,
        Ok(Ok(_)) | Err(_) => Unproved::Silent,
    }
}

/// A decrypted stream, of which no more than `left` bytes are read, and which fails at once if
/// it doesn't begin with `header`: decrypted with another key, it is random.
struct Checked<S> {
    inner: S,
    header: &'static [u8],
    left: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Checked<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let (begun, rest) = self.header.split_at(read.min(self.header.len()));
        let Some(left) = self.left.checked_sub(read).filter(|_| buffer.starts_with(begun)) else {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        };
        (self.header, self.left) = (rest, left);
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Checked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const SOON: Duration = Duration::from_millis(200);
    const NONCE: usize = 24;

    /// What is concluded from a process that does this with a connection.
    async fn of<F: Future<Output = ()> + Send + 'static>(
        key: &SwarmKey,
        process: impl FnOnce(DuplexStream) -> F,
    ) -> Result<PeerId, Unproved> {
        let (ours, theirs) = duplex(MOST);
        let process = tokio::spawn(process(theirs));
        let proved = prove(ours, key, SOON).await;
        process.abort();
        proved
    }

    /// Never completes the handshake of anything.
    async fn stuck(stream: DuplexStream) {
        std::future::pending::<()>().await;
        drop(stream);
    }

    #[tokio::test]
    async fn each_way_to_fail_has_its_reason() {
        let key = SwarmKey::generate();
        assert_eq!(of(&key, |stream| async { drop(stream) }).await, Err(Unproved::Closed));
        assert_eq!(of(&key, stuck).await, Err(Unproved::Silent));
        let stuck_later = |mut stream: DuplexStream| async {
            stream.write_all(&[7; NONCE]).await.unwrap();
            stuck(stream).await;
        };
        assert_eq!(of(&key, stuck_later).await, Err(Unproved::Silent));
        // It waits for the rest of what it takes for a long message.
        let misread = |mut stream: DuplexStream| async move {
            stream.write_all(&[7; NONCE]).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        };
        assert_eq!(of(&key, misread).await, Err(Unproved::OtherSwarm));
        // It speaks at once, as tau does, but with another key.
        let foreign = |mut stream: DuplexStream| async {
            stream.write_all(&[7; NONCE + HEADER.len()]).await.unwrap();
            stuck(stream).await;
        };
        assert_eq!(of(&key, foreign).await, Err(Unproved::OtherSwarm));
    }

    /// It has the swarm key, but agrees to no protocol, or speaks another one.
    #[tokio::test]
    async fn a_node_has_to_speak_tls() {
        let key = SwarmKey::generate();
        let answers = [[HEADER, b"\x03na\n"].concat(), [HEADER, b"\x0b/tls/1.0.0\nhello, world\n"].concat()];
        for answer in answers {
            let psk = PnetConfig::new(PreSharedKey::new(*key.bytes()));
            let process = |stream: DuplexStream| async move {
                let mut stream = psk.handshake(stream.compat()).await.unwrap();
                futures_util::io::AsyncWriteExt::write_all(&mut stream, &answer).await.unwrap();
                futures_util::io::AsyncWriteExt::flush(&mut stream).await.unwrap();
                std::future::pending::<()>().await;
            };
            assert_eq!(of(&key, process).await, Err(Unproved::NoTls));
        }
    }

    #[tokio::test]
    async fn what_is_read_is_bounded() {
        let endless = HEADER.iter().copied().chain(std::iter::repeat_n(0, MOST)).collect::<Vec<_>>();
        let mut stream =
            Checked { inner: futures_util::io::Cursor::new(endless), header: HEADER, left: MOST };
        let mut read = Vec::new();
        let ended = futures_util::io::AsyncReadExt::read_to_end(&mut stream, &mut read).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(read.len() <= MOST);
    }
}
