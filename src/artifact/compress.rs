//! Compresses an artifact while it is sent to hosts: [`Compressed`].
//!
//! Blocks are compressed on all cores, each as a separate gzip member or zstd frame. Every
//! `gzip` and `zstd` decompresses a file that has several of them. A member or frame may also
//! *store* its bytes as they are, so that a host can be sent some blocks compressed and others
//! not, for the same command.

use std::io::Write as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::SetOnce;

/// What a file is compressed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// The host's `gzip`.
    Gzip,
    /// The host's `zstd`, which decompresses in a fifth of the time.
    Zstd,
}

/// gzip's compression level, chosen by measurements with tau (99 MB, in seconds of processor
/// time): level 1 takes 0.8 s and leaves 48 MB, level 2 takes 1.3 s and leaves 39 MB, level
/// 3 takes 1.6 s and leaves 38 MB, level 6 takes 2.5 s and leaves 36 MB. This is with
/// zlib-rs; with flate2's own implementation, level 2 takes 1.8 s. The result isn't cached,
/// because reading and verifying it would take as long.
const GZIP_LEVEL: u32 = 2;

/// zstd's compression level, chosen in the same way (102 MB): level 1 takes 0.3 s and leaves 50 MB,
/// level 3 takes 0.4 s and leaves 48 MB, level 6 takes 1.4 s and leaves 46 MB, level 15 takes 18 s and
/// leaves 45 MB.
const ZSTD_LEVEL: i32 = 3;

/// The size of a block, in bytes. Blocks are so large that it hardly matters for the
/// compression that each begins without history.
const BLOCK: usize = 4 << 20;

impl Codec {
    /// The name of the host's program.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A file in blocks, which are compressed in the background, once for all hosts.
#[derive(Debug)]
pub struct Compressed {
    raw: Bytes,
    codec: Codec,
    size: usize,
    blocks: Vec<SetOnce<Bytes>>,
    /// The blocks that some host was sent stored.
    stored: Vec<OnceLock<Bytes>>,
    /// The first block that no thread compresses yet.
    next: AtomicUsize,
}

impl Compressed {
    /// Begins compressing a file, in its order, on all cores.
    #[must_use]
    pub fn begin(raw: Bytes, codec: Codec) -> Arc<Self> {
        Self::in_blocks_of(BLOCK, raw, codec)
    }

    fn in_blocks_of(size: usize, raw: Bytes, codec: Codec) -> Arc<Self> {
        let this = Arc::new(Self::of(size, raw, codec));
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        for _ in 0..cores.min(this.count()) {
            let this = Arc::clone(&this);
            thread::spawn(move || this.work());
        }
        this
    }

    fn of(size: usize, raw: Bytes, codec: Codec) -> Self {
        // An empty file is a block, too, because `gzip -d` rejects empty input.
        let count = raw.len().div_ceil(size).max(1);
        let blocks = (0..count).map(|_| SetOnce::new()).collect();
        let stored = (0..count).map(|_| OnceLock::new()).collect();
        Self { raw, codec, size, blocks, stored, next: AtomicUsize::new(0) }
    }

    /// A file that nobody compresses until [`Self::work`] is called.
    #[cfg(test)]
    pub(crate) fn later(raw: Bytes, codec: Codec) -> Arc<Self> {
        Arc::new(Self::of(BLOCK, raw, codec))
    }

    /// Compresses blocks until each has been claimed.
    pub(crate) fn work(&self) {
        loop {
            let nth = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = self.blocks.get(nth) else { break };
            let raw = self.raw(nth);
            let best = Some(compress(&raw, self.codec)).filter(|packed| packed.len() < raw.len());
            // Nobody else sets this block.
            let _ = slot.set(best.map_or_else(|| self.stored(nth), Bytes::from));
        }
    }

    /// What decompresses the blocks.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// How many blocks there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.blocks.len()
    }

    /// The size of the file, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.raw.len()
    }

    /// The file's bytes of the block with this number, which counts from 0.
    #[must_use]
    pub fn raw(&self, nth: usize) -> Bytes {
        let at = |nth: usize| nth.saturating_mul(self.size).min(self.raw.len());
        self.raw.slice(at(nth)..at(nth + 1))
    }

    /// Waits until a block is compressed, and returns it. It is stored if compressing doesn't
    /// make it smaller.
    ///
    /// # Panics
    /// There is no block with this number.
    #[expect(clippy::indexing_slicing, reason = "a file without some of its bytes would be sent otherwise")]
    pub async fn compressed(&self, nth: usize) -> Bytes {
        self.blocks[nth].wait().await.clone()
    }

    /// A block that isn't compressed, in a form that the host's decoder takes.
    ///
    /// # Panics
    /// There is no block with this number.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "a file without some of its bytes would be sent otherwise")]
    pub fn stored(&self, nth: usize) -> Bytes {
        self.stored[nth].get_or_init(|| store(&self.raw(nth), self.codec).into()).clone()
    }
}

fn compress(block: &[u8], codec: Codec) -> Vec<u8> {
    match codec {
        Codec::Gzip => gzip(block, GZIP_LEVEL),
        Codec::Zstd => zstd(block),
    }
}

fn store(block: &[u8], codec: Codec) -> Vec<u8> {
    match codec {
        Codec::Gzip => gzip(block, 0),
        Codec::Zstd => stored_zstd(block),
    }
}

#[expect(clippy::expect_used, reason = "writing to a Vec has no error to return")]
fn gzip(block: &[u8], level: u32) -> Vec<u8> {
    // What is stored gets longer by 5 bytes for each 64 KiB.
    let most = if level == 0 { block.len() + block.len() / 4096 + 64 } else { block.len() / 2 };
    let mut encoder = GzEncoder::new(Vec::with_capacity(most), Compression::new(level));
    encoder.write_all(block).expect("a Vec takes every byte");
    encoder.finish().expect("a Vec takes every byte")
}

#[expect(clippy::expect_used, reason = "the buffer is as large as the result can be")]
fn zstd(block: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(block, ZSTD_LEVEL).expect("the buffer is large enough")
}

/// A zstd frame of raw blocks (RFC 8878, 3.1.1), which the `zstd` crate can't write.
fn stored_zstd(block: &[u8]) -> Vec<u8> {
    /// The most that a block of a frame may have.
    const MOST: usize = 128 << 10;
    let mut frame = Vec::with_capacity(block.len() + 16 + 3 * (block.len() / MOST));
    frame.extend_from_slice(&0xfd2f_b528_u32.to_le_bytes());
    // The size of the content in four bytes; a single segment, thus no window; no checksum.
    frame.push(0b1010_0000);
    frame.extend_from_slice(&u32::try_from(block.len()).unwrap_or_default().to_le_bytes());
    let mut rest = block;
    loop {
        let (raw, after) = rest.split_at(rest.len().min(MOST));
        // The lowest bit says whether it is the last block, and the next two are 0: raw.
        let header = u32::try_from(raw.len()).unwrap_or_default() << 3 | u32::from(after.is_empty());
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.extend_from_slice(raw);
        rest = after;
        if rest.is_empty() {
            return frame;
        }
    }
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

    /// Of all blocks, every other one is stored.
    #[tokio::test]
    async fn decompression_restores_the_bytes() {
        let mut noise = 1u32;
        let mixed: Bytes = (0..300_017)
            .map(|i| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i % 3 == 0 { (noise >> 24) as u8 } else { 0 }
            })
            .collect();
        type Decoder = fn(&[u8]) -> Vec<u8>;
        let decoders: [(Codec, Decoder); 2] = [(Codec::Gzip, gunzip), (Codec::Zstd, unzstd)];
        for (codec, decode) in decoders {
            for (length, size) in [(0, 1000), (1, 1000), (1000, 1000), (1001, 1000), (5017, 1000)]
                .into_iter()
                .chain([(300_017, 140_000)])
            {
                let file = Compressed::in_blocks_of(size, mixed.slice(..length), codec);
                for stored in [0, 1] {
                    let mut sent = Vec::new();
                    for nth in 0..file.count() {
                        let compressed = file.compressed(nth).await;
                        assert!(compressed.len() <= file.stored(nth).len());
                        sent.extend(if nth % 2 == stored { file.stored(nth) } else { compressed });
                    }
                    assert!(decode(&sent) == mixed[..length], "{codec:?} {length}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_shrink_is_stored() {
        let file = Compressed::begin(Bytes::from_static(b"tau"), Codec::Zstd);
        assert_eq!(file.compressed(0).await, file.stored(0));
        assert_eq!(unzstd(&file.stored(0)), b"tau");
    }
}
