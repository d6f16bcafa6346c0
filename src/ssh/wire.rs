//! The byte stream below a connection. It can be cut from outside, keeps the first bytes
//! that were received, and disables delayed acknowledgements.
//!
//! russh runs a connection in a separate task, which would keep running after the caller has
//! given up; [`Tap::cut`] ends it. The first bytes distinguish a slow server from one
//! that rejects the connection or isn't an SSH server.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ServerAddress;

/// How many of the first bytes are kept: the maximum length of SSH's version line.
const FIRST_WORDS: usize = 255;

/// How long to wait for one address of a host before trying the next one as well.
const HEAD_START: Duration = Duration::from_millis(250);

/// A stream with a [`Tap`].
pub(super) struct Wire<S> {
    stream: S,
    tap: Arc<Tap>,
    /// Called when all data that has arrived has been read.
    drained: fn(&S),
}

/// A handle on a [`Wire`] that is in use elsewhere.
#[derive(Debug, Default)]
pub(super) struct Tap(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    first_words: Vec<u8>,
    cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Tap {
    /// The first bytes that were received so far.
    pub(super) fn first_words(&self) -> Vec<u8> {
        self.lock().first_words.clone()
    }

    /// Ends the stream: reads return end-of-file, and writes fail.
    pub(super) fn cut(&self) {
        let mut seen = self.lock();
        seen.cut = true;
        let wakers = [seen.reader.take(), seen.writer.take()];
        drop(seen);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire<TcpStream> {
    /// Connects to the first of the host's addresses that answers. The connection ends if
    /// sent data isn't acknowledged within `silence`, which keep-alives can't detect while
    /// a write is blocked.
    ///
    /// # Errors
    /// The first attempt's error, if no address can be connected to.
    pub(super) async fn dial(address: &ServerAddress, silence: Duration) -> io::Result<Self> {
        let stream = dial(address).await?;
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        SockRef::from(&stream).set_tcp_user_timeout(Some(silence))?;
        #[cfg(not(target_os = "linux"))]
        let _ = silence;
        acknowledge_promptly(&stream);
        Ok(Self { drained: acknowledge_promptly, ..Self::over(stream) })
    }
}

impl<S> Wire<S> {
    /// The same wire, whose stream is part of another one. `drained` is called when all data that
    /// has arrived has been read.
    pub(super) fn within<T>(self, other: impl FnOnce(S) -> T, drained: fn(&T)) -> Wire<T> {
        Wire { stream: other(self.stream), tap: self.tap, drained }
    }

    /// A wire over any stream.
    pub(super) fn over(stream: S) -> Self {
        Self { stream, tap: Arc::default(), drained: |_| () }
    }

    pub(super) fn tap(&self) -> Arc<Tap> {
        Arc::clone(&self.tap)
    }
}

async fn dial(address: &ServerAddress) -> io::Result<TcpStream> {
    let mut found = lookup_host((address.host.as_str(), address.port)).await?.collect::<Vec<_>>().into_iter();
    let mut attempts = JoinSet::new();
    let mut failure = None;
    loop {
        match found.next() {
            Some(next) => {
                attempts.spawn(TcpStream::connect(next));
            }
            None if attempts.is_empty() => {
                return Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()));
            }
            None => {}
        }
        tokio::select! {
            Some(attempt) = attempts.join_next() => match attempt {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => { failure.get_or_insert(error); }
                Err(error) => { failure.get_or_insert(error.into()); }
            },
            () = sleep(HEAD_START), if found.len() > 0 => {}
        }
    }
}

/// Disables delayed acknowledgements. The kernel delays them by 40 ms once a connection
/// looks interactive, and re-enables the delay after a few packets.
pub(super) fn acknowledge_promptly(stream: &TcpStream) {
    // A failure only costs speed.
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_quickack(true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut wire.stream).poll_read(cx, buf);
        let mut seen = wire.tap.lock();
        if seen.cut {
            buf.set_filled(before);
            return Poll::Ready(Ok(()));
        }
        match polled {
            Poll::Pending => {
                seen.reader = Some(cx.waker().clone());
                (wire.drained)(&wire.stream);
            }
            Poll::Ready(Ok(())) => {
                let read = buf.filled().get(before..).unwrap_or_default();
                let room = FIRST_WORDS.saturating_sub(seen.first_words.len());
                seen.first_words.extend_from_slice(read.get(..room).unwrap_or(read));
            }
            Poll::Ready(Err(_)) => {}
        }
        drop(seen);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let mut seen = wire.tap.lock();
        if seen.cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let polled = Pin::new(&mut wire.stream).poll_write(cx, buf);
        if polled.is_pending() {
            seen.writer = Some(cx.waker().clone());
        }
        drop(seen);
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
