//! Compressing an artifact for the way to the hosts.
//!
//! Blocks are compressed on all cores, each into a gzip member of its own:
//! members one after another are a gzip file, to every `gunzip`.

use std::io::Write as _;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Measured on tau (99 MB, CPU seconds): level 1 takes 0.8 s and leaves
/// 48 MB, 2 takes 1.3 s and leaves 39 MB, 3 takes 1.6 s for 38 MB, 6 takes
/// 2.5 s for 36 MB. (That is with zlib-rs; flate2's own takes 1.8 s for 2.)
/// It isn't kept for the next time: to read and check it costs as much.
const LEVEL: u32 = 2;

/// Large enough that what a new member forgets doesn't show.
const BLOCK: usize = 4 << 20;

/// The same bytes make the same file, on any number of cores.
pub(super) fn compress(bytes: &[u8]) -> Bytes {
    in_blocks_of(BLOCK, bytes)
}

fn in_blocks_of(size: usize, bytes: &[u8]) -> Bytes {
    let blocks: Vec<&[u8]> = match bytes {
        [] => vec![bytes],
        _ => bytes.chunks(size).collect(),
    };
    let members: Vec<OnceLock<Vec<u8>>> = blocks.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let (Some(block), Some(slot)) = (blocks.get(i), members.get(i)) else {
                break;
            };
            slot.get_or_init(|| member(block));
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 1..cores.min(blocks.len()) {
            scope.spawn(work);
        }
        work();
    });
    let members: Vec<Vec<u8>> = members.into_iter().filter_map(OnceLock::into_inner).collect();
    members.concat().into()
}

#[expect(clippy::expect_used, reason = "writing to a Vec has no error to return")]
fn member(block: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(block.len() / 2), Compression::new(LEVEL));
    encoder.write_all(block).expect("a Vec takes every byte");
    encoder.finish().expect("a Vec takes every byte")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn comes_back_as_it_was() {
        let mut noise = 1u32;
        let mixed: Vec<u8> = (0..5017)
            .map(|i| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i % 3 == 0 { (noise >> 24) as u8 } else { 0 }
            })
            .collect();
        for length in [0, 1, 999, 1000, 1001, mixed.len()] {
            let packed = in_blocks_of(1000, &mixed[..length]);
            let mut back = Vec::new();
            flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut back).unwrap();
            assert!(back == mixed[..length], "{length}");
            assert_eq!(packed, in_blocks_of(1000, &mixed[..length]));
        }
    }
}
