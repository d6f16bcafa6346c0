//! The three kinds of streams to a server: [`Dialled`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::ssh::Stream;
use crate::ssh::proxy::ProxyStream;
use crate::ssh::wire::acknowledge_promptly;

/// A stream to a server.
pub(in crate::ssh) enum Dialled {
    Tcp(TcpStream),
    /// Over the connection to a jump host.
    Forwarded(Stream),
    /// Over a `ProxyCommand`.
    Proxy(ProxyStream),
}

impl Dialled {
    /// See [`acknowledge_promptly`].
    pub(super) fn drained(&self) {
        if let Self::Tcp(stream) = self {
            acknowledge_promptly(stream);
        }
    }
}

/// Calls a method of whatever stream this is.
macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Dialled::Tcp($stream) => $call,
            Dialled::Forwarded($stream) => $call,
            Dialled::Proxy($stream) => $call,
        }
    };
}

impl AsyncRead for Dialled {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
