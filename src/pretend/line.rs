//! The byte stream below a connection, which can be made to break.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that breaks after a certain number of bytes has been read from it.
pub(super) struct Line<S> {
    stream: S,
    /// How many bytes can still be read; `None` for no limit.
    left: Option<u64>,
}

impl<S> Line<S> {
    pub(super) fn new(stream: S, left: Option<u64>) -> Self {
        Self { stream, left }
    }

    fn is_broken(&self) -> bool {
        self.left == Some(0)
    }
}

fn broken<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.is_broken() {
            return broken();
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut line.stream).poll_read(cx, buffer);
        if let Some(left) = &mut line.left {
            let came = buffer.filled().len() - before;
            let kept = came.min(usize::try_from(*left).unwrap_or(usize::MAX));
            buffer.set_filled(before + kept);
            *left -= kept as u64;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        if line.is_broken() { broken() } else { Pin::new(&mut line.stream).poll_write(cx, bytes) }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
