//! Binaries that go to hosts: `tau` itself and the plugins, by path or URL.
//!
//! Enter by [`fetch`] (what a network folder pins), [`open`] (`--tau PATH`),
//! [`pin`] (`spore tau pin`) and [`Artifact::from_file`] (a plugin). Each ends
//! in an [`Artifact`]: bytes held once in memory, and compressed once for all
//! hosts.
//!
//! What always holds:
//! - Bytes that have a pin are compared with it before anything looks inside
//!   them, wherever they come from; cached bytes are compared again.
//! - A pin of an archive also has the digest of the binary inside, so that a plan for
//!   hosts that are up to date needs neither the network nor the cache.
//! - No source can fill the memory: files, downloads and what they unpack to
//!   are limited. A download is also limited in time, and leads nowhere that its URL
//!   didn't choose: see `redirect`.
//!
//! Everything here blocks, on sockets, files and the processor, and uses
//! plain threads: asynchronous callers wrap it in `spawn_blocking`. It knows nothing
//! about hosts, and doesn't read `tau.yaml`, which is the job of `network`.

mod build;
mod cache;
mod download;
mod fetch;
mod file;
mod gzip;
mod kind;
mod pin;
mod program;
mod redirect;
mod unpack;

#[cfg(test)]
mod tests;

pub use crate::resource::Sha256;
pub use build::{NotTau, build_info};
pub use cache::Cache;
pub use download::DownloadError;
pub use fetch::{Artifact, FetchError, FetchEvent, fetch, open, pin};
pub use file::{FileError, Regular, leads_out};
pub use kind::Kind;
pub use pin::{Pin, Pins, Source, Url, UrlError};
pub use program::{Architecture, NotAProgram, UnknownArchitecture};
pub use redirect::Reach;
pub use unpack::UnpackError;
