//! Sends the bytes of files to the script of a request. The entry point is [`send`].

use crate::artifact::{Compressed, Encoding};
use crate::plan::wire;
use crate::ssh::{ChannelError, Writer};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// How many bytes are sent between two reports of progress.
const CHUNK: usize = 256 << 10;

/// How many bytes a host may take at any speed, because they fit into the window of sshd's channel
/// (2 MiB) and into the buffers of the sockets.
const BUFFERED: usize = 8 << 20;

/// What is sent of a file.
pub(super) enum Outgoing {
    /// The file as it is.
    Whole(Bytes),
    /// Its blocks, compressed or stored. A link that takes bytes faster than they can be
    /// compressed gets some that are stored.
    Blocks(Arc<Compressed>),
}

impl Outgoing {
    /// How the file is encoded.
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            Self::Whole(_) => Encoding::Raw,
            Self::Blocks(blocks) => blocks.encoding(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Blocks(blocks) => blocks.size(),
        }
    }

    fn blocks(&self) -> usize {
        match self {
            Self::Whole(_) => 1,
            Self::Blocks(blocks) => blocks.count(),
        }
    }

    /// A block as it is sent, and the number of the file's bytes in it.
    ///
    /// A block is waited for as long as the link would take for it as it is, or for `most` as long
    /// as that isn't known.
    async fn block(&self, nth: usize, link: &Link, most: Duration) -> (Bytes, usize) {
        match self {
            Self::Whole(bytes) => (bytes.clone(), bytes.len()),
            Self::Blocks(blocks) => {
                let size = blocks.block(nth).len();
                let patience = link.time_for(size).unwrap_or(most);
                let compressed = timeout(patience, blocks.compressed(nth)).await;
                (compressed.unwrap_or_else(|_| blocks.stored(nth)), size)
            }
        }
    }
}

/// How fast a host takes bytes.
#[derive(Debug, Default)]
struct Link {
    /// The bytes that may be in buffers only.
    buffered: usize,
    /// The bytes after these, and the time for them.
    measured: usize,
    took: Duration,
}

impl Link {
    fn has_taken(&mut self, bytes: usize, took: Duration) {
        if self.buffered < BUFFERED {
            self.buffered += bytes;
        } else {
            self.measured += bytes;
            self.took += took;
        }
    }

    /// The time in which the host takes so many bytes; `None` as long as it isn't known.
    fn time_for(&self, bytes: usize) -> Option<Duration> {
        (self.measured > 0).then(|| self.took.mul_f64(bytes as f64 / self.measured as f64))
    }
}

/// How far files have been sent.
pub(super) enum Sent {
    /// The rest of this file is being sent.
    Last(usize),
    /// The host has accepted so many of the file's bytes.
    Part { index: usize, sent: u64, total: u64 },
}

/// Why not everything was sent.
pub(super) enum Unsent {
    Failed(ChannelError),
    Stalled(Duration),
}

/// Sends files one after another, and tells the progress. Each request with files ends with the
/// line that says that there are no more.
pub(super) async fn send(
    writer: &mut Writer,
    files: Vec<(usize, Outgoing)>,
    stall: Duration,
    progress: mpsc::UnboundedSender<Sent>,
) -> Result<(), Unsent> {
    if files.is_empty() {
        return Ok(());
    }
    let mut link = Link::default();
    let mut write = Write { writer, stall };
    for (index, file) in files {
        // Telling the progress fails only if the receiver was dropped, and then this future is
        // dropped, too.
        let tell = |progress_made| drop(progress.send(progress_made));
        let (total, count) = (file.size() as u64, file.blocks());
        let mut before = 0;
        for nth in 0..count {
            let (mut rest, size) = file.block(nth, &link, stall).await;
            let (length, is_last) = (rest.len(), nth + 1 == count);
            // The host doesn't wait for the bytes of an empty file.
            if is_last && rest.is_empty() {
                tell(Sent::Last(index));
            }
            write.all(wire::part(length, is_last).into()).await?;
            while !rest.is_empty() {
                let chunk = rest.split_to(rest.len().min(CHUNK));
                if is_last && rest.is_empty() {
                    tell(Sent::Last(index));
                }
                let (bytes, began) = (chunk.len(), Instant::now());
                write.all(chunk).await?;
                link.has_taken(bytes, began.elapsed());
                // Of a block, only the share of it that was sent is known.
                let sent = before + (size * (length - rest.len()) / length) as u64;
                tell(Sent::Part { index, sent, total });
            }
            before += size as u64;
        }
    }
    write.all(Bytes::from_static(wire::NO_MORE_FILES.as_bytes())).await
}

/// Writes as fast as the host reads.
struct Write<'a> {
    writer: &'a mut Writer,
    stall: Duration,
}

impl Write<'_> {
    async fn all(&mut self, bytes: Bytes) -> Result<(), Unsent> {
        match timeout(self.stall, self.writer.send(bytes)).await {
            Ok(sent) => sent.map_err(Unsent::Failed),
            Err(_) => Err(Unsent::Stalled(self.stall)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that has taken a block in a millisecond.
    fn fast() -> Link {
        let mut link = Link::default();
        link.has_taken(BUFFERED, Duration::ZERO);
        assert_eq!(link.time_for(1), None);
        link.has_taken(4 << 20, Duration::from_millis(1));
        link
    }

    #[tokio::test]
    async fn a_fast_link_does_not_wait_for_a_block_to_be_compressed() {
        let most = Duration::from_secs(600);
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let file = Compressed::later(vec![0; 5 << 20].into(), encoding);
            let sent = Outgoing::Blocks(Arc::clone(&file));
            let (bytes, size) = sent.block(0, &fast(), most).await;
            assert_eq!((bytes, size), (file.stored(0), 4 << 20));
            // Nothing is known of this link, so the block is waited for.
            let link = Link::default();
            let (waited, ()) = tokio::join!(sent.block(1, &link, most), async { file.work() });
            assert_eq!(waited, (file.compressed(1).await, 1 << 20));
            assert!(waited.0.len() < 1 << 12);
            // What is compressed already is sent so over any link.
            assert_eq!(sent.block(0, &fast(), most).await.0, file.compressed(0).await);
        }
    }
}
