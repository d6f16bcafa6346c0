//! Sends the bytes of files to the script of a request. The entry point is [`send`].

use crate::artifact::{Compressed, Encoding};
use crate::plan::wire;
use crate::ssh::{ChannelError, Writer};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// How many bytes are sent between two reports of progress.
const CHUNK: usize = 256 << 10;

/// How many bytes may be on their way, so that a host seems to take them at any speed: the window of
/// sshd's channel (2 MiB), and what sshd and the command's pipe hold.
const BUFFERED: usize = 4 << 20;

/// How much faster a host has to take stored blocks if they are to be preferred.
const WORTH: f64 = 1.2;

/// What is sent of a file.
pub(super) enum Outgoing {
    /// The file as it is.
    Whole(Bytes),
    /// Its blocks.
    Blocks(Arc<Blocks>),
}

/// A program in blocks, for any number of hosts. How they take it decides in which form it is sent:
/// - A block that isn't compressed by the time that a host could have taken it as it is, is sent
///   stored: the link is faster than this machine can compress.
/// - The first host that has taken some compressed blocks tries stored ones. If it takes more of the
///   file per second then, because decompressing is slower than the link, all hosts get them.
pub(super) struct Blocks {
    compressed: Arc<Compressed>,
    is_tried: AtomicBool,
    better: OnceLock<Form>,
}

/// The form in which a block is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Compressed,
    Stored,
}

impl Blocks {
    pub(super) fn new(compressed: Arc<Compressed>) -> Self {
        Self { compressed, is_tried: AtomicBool::new(false), better: OnceLock::new() }
    }

    /// A block as it is sent, and its form.
    ///
    /// If it isn't compressed yet, it is waited for as long as the host would take for it as it is,
    /// or for `most` while that isn't known.
    async fn block(&self, nth: usize, pace: &mut Pace, most: Duration) -> (Bytes, Form) {
        let form = self.form(pace);
        if form == Form::Compressed {
            let patience = pace.time_for(self.compressed.block(nth).len()).unwrap_or(most);
            if let Ok(block) = timeout(patience, self.compressed.compressed(nth)).await {
                return (block, form);
            }
        }
        (self.compressed.stored(nth), Form::Stored)
    }

    /// The form that a host should get next.
    fn form(&self, pace: &mut Pace) -> Form {
        if let Some(better) = self.better.get() {
            return *better;
        }
        let (compressed, stored) = (&pace.compressed, &pace.stored);
        if pace.tries {
            if stored.wire == 0 {
                return Form::Stored;
            }
            let is_better = stored.rate() > WORTH * compressed.rate();
            return *self.better.get_or_init(|| if is_better { Form::Stored } else { Form::Compressed });
        }
        pace.tries = compressed.wire >= BUFFERED && !self.is_tried.swap(true, Ordering::Relaxed);
        if pace.tries { Form::Stored } else { Form::Compressed }
    }
}

impl Outgoing {
    /// How the file is encoded.
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            Self::Whole(_) => Encoding::Raw,
            Self::Blocks(blocks) => blocks.compressed.encoding(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Blocks(blocks) => blocks.compressed.size(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Whole(_) => 1,
            Self::Blocks(blocks) => blocks.compressed.count(),
        }
    }

    /// The number of the file's bytes in a block.
    fn size_of(&self, nth: usize) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Blocks(blocks) => blocks.compressed.block(nth).len(),
        }
    }

    async fn block(&self, nth: usize, pace: &mut Pace, most: Duration) -> (Bytes, Form) {
        match self {
            Self::Whole(bytes) => (bytes.clone(), Form::Stored),
            Self::Blocks(blocks) => blocks.block(nth, pace, most).await,
        }
    }
}

/// How fast a host takes a file, in each form.
#[derive(Debug, Default)]
struct Pace {
    /// The form of the last block, and the bytes that were sent in this form without a change. Of
    /// these, [`BUFFERED`] may still be on their way, behind blocks of another form.
    form: Form,
    in_row: usize,
    compressed: Taken,
    stored: Taken,
    /// Whether this host tries stored blocks for all.
    tries: bool,
}

/// What a host has taken in one form, and in what time.
#[derive(Debug, Default)]
struct Taken {
    /// The bytes that were sent.
    wire: usize,
    /// The bytes of the file in them.
    of: usize,
    time: Duration,
}

impl Taken {
    /// Bytes of the file per second.
    fn rate(&self) -> f64 {
        self.of as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl Pace {
    fn has_taken(&mut self, form: Form, wire: usize, of: usize, time: Duration) {
        if form != self.form {
            (self.form, self.in_row) = (form, 0);
        }
        if self.in_row >= BUFFERED {
            let taken = match form {
                Form::Compressed => &mut self.compressed,
                Form::Stored => &mut self.stored,
            };
            taken.wire += wire;
            taken.of += of;
            taken.time += time;
        }
        self.in_row += wire;
    }

    /// The time in which the host takes so many bytes; `None` while it isn't known.
    fn time_for(&self, bytes: usize) -> Option<Duration> {
        let [compressed, stored] = [&self.compressed, &self.stored];
        let wire = compressed.wire + stored.wire;
        (wire > 0).then(|| (compressed.time + stored.time).mul_f64(bytes as f64 / wire as f64))
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
    let mut write = Write { writer, stall };
    for (index, file) in files {
        // Telling the progress fails only if the receiver was dropped, and then this future is
        // dropped, too.
        let tell = |told| drop(progress.send(told));
        let (total, count) = (file.size() as u64, file.count());
        let (mut before, mut pace) = (0, Pace::default());
        for nth in 0..count {
            let (mut rest, form) = file.block(nth, &mut pace, stall).await;
            let (size, length, is_last) = (file.size_of(nth), rest.len(), nth + 1 == count);
            let began = Instant::now();
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
                write.all(chunk).await?;
                // Of a block, only the share of it that was sent is known.
                let sent = before + (size * (length - rest.len()) / length) as u64;
                tell(Sent::Part { index, sent, total });
            }
            pace.has_taken(form, length, size, began.elapsed());
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

    const BLOCK: usize = 4 << 20;
    const MOST: Duration = Duration::from_secs(600);

    /// The pace of a host that has taken some compressed bytes, as many per second.
    fn pace(rate: f64) -> Pace {
        let mut pace = Pace::default();
        pace.has_taken(Form::Compressed, BUFFERED, 3 * BUFFERED, Duration::ZERO);
        assert_eq!(pace.time_for(1), None);
        pace.has_taken(Form::Compressed, 1 << 20, 3 << 20, Duration::from_secs_f64((1 << 20) as f64 / rate));
        pace
    }

    #[tokio::test]
    async fn a_block_is_not_waited_for_longer_than_the_link_takes_for_it() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let file = Compressed::later(vec![0; 5 << 20].into(), encoding);
            let blocks = Blocks::new(Arc::clone(&file));
            let fast = &mut pace(1e12);
            assert_eq!(blocks.block(0, fast, MOST).await, (file.stored(0), Form::Stored));
            // Nothing is known of this link, so the block is waited for.
            let unknown = &mut Pace::default();
            let (waited, ()) = tokio::join!(blocks.block(1, unknown, MOST), async { file.work() });
            assert_eq!(waited, (file.compressed(1).await, Form::Compressed));
            assert!(waited.0.len() < 1 << 12);
            // What is compressed already is sent so over any link.
            assert_eq!(blocks.block(0, fast, MOST).await.0, file.compressed(0).await);
        }
    }

    /// The forms of 30 blocks that compressing makes a third as long, for a host that takes so many
    /// bytes per second over its link, and decompresses so many.
    fn sent(blocks: &Blocks, link: f64, decoder: f64) -> Vec<Form> {
        let mut pace = Pace::default();
        let mut sent = Vec::new();
        for _ in 0..30 {
            let form = blocks.form(&mut pace);
            let (wire, decoding) = match form {
                Form::Compressed => (BLOCK / 3, BLOCK as f64 / decoder),
                Form::Stored => (BLOCK, 0.0),
            };
            pace.has_taken(form, wire, BLOCK, Duration::from_secs_f64(decoding.max(wire as f64 / link)));
            sent.push(form);
        }
        sent
    }

    #[test]
    fn the_form_is_the_one_that_hosts_take_faster() {
        let blocks = || Blocks::new(Compressed::later(Bytes::new(), Encoding::Gzip));
        let stored = |sent: &[Form]| sent.iter().filter(|form| **form == Form::Stored).count();
        // A slow link: one host has tried two blocks.
        let slow = blocks();
        assert_eq!(stored(&sent(&slow, 6e6, 150e6)), 2);
        assert_eq!(stored(&sent(&slow, 6e6, 150e6)), 0);
        // A link that is faster than decompressing.
        let fast = blocks();
        let first = sent(&fast, 1e9, 150e6);
        assert!(stored(&first) > 20, "{first:?}");
        assert_eq!(stored(&sent(&fast, 1e9, 150e6)), 30);
        // The difference isn't worth it.
        let even = blocks();
        assert_eq!(stored(&sent(&even, 150e6, 140e6)), 2);
    }
}
