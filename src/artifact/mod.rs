//! Binaries that go to hosts: `tau` itself and the plugins, by path or URL.
//!
//! The entry points are [`fetch()`] (what a network folder pins), [`open`] (`--tau PATH`) and
//! [`Artifact::from_file`] (a plugin), which return an [`Artifact`]: bytes held in memory
//! once. [`Compressed`] is for sending them. [`pin()`] (`spore tau pin`) returns a [`Pin`].
//!
//! What always holds:
//! - Bytes that have a pin are used only if they match it, wherever they come from. Cached
//!   bytes are compared again.
//! - `spore tau pin` also records the digest of the binary inside an archive, so that a
//!   plan for hosts that are up to date needs neither the network nor the cache.
//! - No source can fill the memory: the sizes of files, of downloads and of what they
//!   unpack to are limited. A download is also limited in time, and in where it can be
//!   redirected: see `redirect`.
//!
//! Everything here blocks, on sockets, files and the processor, and uses plain threads;
//! asynchronous callers wrap it in `spawn_blocking`. This room knows nothing about hosts.
//! It doesn't read `tau.yaml` either, which `network` does.

mod build;
mod cache;
mod compress;
mod download;
mod fetch;
mod file;
mod host_download;
mod kind;
mod pin;
mod program;
mod redirect;
mod unpack;
mod url;

#[cfg(test)]
mod tests;

pub use crate::resource::Sha256;
pub use build::{NotTau, build_info};
pub use cache::Cache;
pub use compress::{Compressed, Encoding};
pub use download::DownloadError;
pub use fetch::{Artifact, FetchError, FetchEvent, fetch, open, pin};
pub use file::{FileError, Regular, leads_out};
pub use host_download::HostDownload;
pub use kind::FileKind;
pub use pin::{Fetch, Pin, Pins, Source, UnknownFetch};
pub use program::{Architecture, NotAProgram, UnknownArchitecture};
pub use redirect::Reach;
pub use unpack::UnpackError;
pub use url::{Url, UrlError};
