//! Compresses an artifact before it is sent to hosts: [`compress`].
//!
//! Blocks are compressed on all cores, each as a separate gzip member or zstd frame. Every
//! `gzip` and `zstd` decompresses a file that has several of them.

use std::io::Write as _;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// How a file is encoded while it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Raw,
    /// Compressed, for `gzip`.
    Gzip,
    /// Compressed, for `zstd`, which takes a host a fifth of the time.
    Zstd,
}

/// gzip's compression level, chosen by measurements with tau (99 MB, in seconds of processor
/// time): level 1 takes 0.8 s and leaves 48 MB, level 2 takes 1.3 s and leaves 39 MB, level
/// 3 takes 1.6 s and leaves 38 MB, level 6 takes 2.5 s and leaves 36 MB. This is with
/// zlib-rs; with flate2's own implementation, level 2 takes 1.8 s. The result isn't cached,
/// because reading and verifying it would take as long.
const GZIP_LEVEL: u32 = 2;

/// zstd's compression level.
const ZSTD_LEVEL: i32 = 3;

/// The size of a block, in bytes. Blocks are so large that it hardly matters for the
/// compression that each begins without history.
const BLOCK: usize = 4 << 20;

impl Encoding {
    /// The name in requests to hosts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The encoding with this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Raw, Self::Gzip, Self::Zstd].into_iter().find(|encoding| encoding.word() == word)
    }
}

/// Encodes bytes. The result doesn't depend on the number of cores.
#[must_use]
pub fn compress(bytes: &Bytes, encoding: Encoding) -> Bytes {
    match encoding {
        Encoding::Raw => bytes.clone(),
        Encoding::Gzip => in_blocks_of(BLOCK, bytes, gzip),
        Encoding::Zstd => in_blocks_of(BLOCK, bytes, zstd),
    }
}

fn in_blocks_of(size: usize, bytes: &[u8], part: fn(&[u8]) -> Vec<u8>) -> Bytes {
    let blocks: Vec<&[u8]> = match bytes {
        [] => vec![bytes],
        _ => bytes.chunks(size).collect(),
    };
    let parts: Vec<OnceLock<Vec<u8>>> = blocks.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let (Some(block), Some(slot)) = (blocks.get(i), parts.get(i)) else {
                break;
            };
            slot.get_or_init(|| part(block));
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 1..cores.min(blocks.len()) {
            scope.spawn(work);
        }
        work();
    });
    let parts: Vec<Vec<u8>> = parts.into_iter().filter_map(OnceLock::into_inner).collect();
    parts.concat().into()
}

#[expect(clippy::expect_used, reason = "writing to a Vec has no error to return")]
fn gzip(block: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(block.len() / 2), Compression::new(GZIP_LEVEL));
    encoder.write_all(block).expect("a Vec takes every byte");
    encoder.finish().expect("a Vec takes every byte")
}

#[expect(clippy::expect_used, reason = "the buffer is as large as the result can be")]
fn zstd(block: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(block, ZSTD_LEVEL).expect("the buffer is large enough")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn gunzip(packed: &[u8]) -> Vec<u8> {
        let mut back = Vec::new();
        flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut back).unwrap();
        back
    }

    fn unzstd(packed: &[u8]) -> Vec<u8> {
        zstd::decode_all(packed).unwrap()
    }

    #[test]
    fn decompression_restores_the_bytes() {
        let mut noise = 1u32;
        let mixed: Vec<u8> = (0..5017)
            .map(|i| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i % 3 == 0 { (noise >> 24) as u8 } else { 0 }
            })
            .collect();
        type Way = (fn(&[u8]) -> Vec<u8>, fn(&[u8]) -> Vec<u8>);
        let ways: [Way; 2] = [(gzip, gunzip), (zstd, unzstd)];
        for (pack, unpack) in ways {
            for length in [0, 1, 999, 1000, 1001, mixed.len()] {
                let packed = in_blocks_of(1000, &mixed[..length], pack);
                assert!(unpack(&packed) == mixed[..length], "{length}");
                assert_eq!(packed, in_blocks_of(1000, &mixed[..length], pack));
            }
        }
    }
}
