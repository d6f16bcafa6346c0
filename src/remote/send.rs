//! Sends the bytes of files to the script of a request. The entry point is [`send`].

use crate::artifact::{Codec, Compressed};
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

/// The bytes that buffers on the way absorb, so that their timing says nothing about the host: the
/// window of sshd's channel (2 MiB), and what sshd and the command's pipe hold.
const BUFFERED: usize = 4 << 20;

/// How much faster a host has to take stored blocks if they are to be preferred.
const WORTHWHILE: f64 = 1.2;

/// How many blocks have to be left if a host is to try stored ones: two that show how it takes them,
/// and some that get there faster if that is well.
const WORTH_TRYING: usize = 4;

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
///   file per second then, because decompressing is slower than the link, all hosts get them that take
///   compressed blocks about as fast. If it is lost before that is known, another host tries.
pub(super) struct Blocks {
    compressed: Arc<Compressed>,
    is_tried: AtomicBool,
    tried: OnceLock<Tried>,
}

/// What one host has found out for all.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tried {
    /// It doesn't take stored blocks much faster.
    CompressedIsBetter,
    /// It takes stored blocks much faster, and took so many compressed bytes per second.
    StoredIsBetterFrom(f64),
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
        Self { compressed, is_tried: AtomicBool::new(false), tried: OnceLock::new() }
    }

    /// A block as it is sent, and its form.
    ///
    /// If it isn't compressed yet, it is waited for as long as the host would take for it as it is,
    /// or for `most` while that isn't known.
    async fn next(self: &Arc<Self>, nth: usize, pace: &mut Pace, most: Duration) -> (Bytes, Form) {
        let form = self.choose(self.compressed.count() - nth, pace);
        if form == Form::Compressed {
            let patience = pace.time_for(self.compressed.raw(nth).len()).unwrap_or(most);
            if let Ok(block) = timeout(patience, self.compressed.compressed(nth)).await {
                return (block, form);
            }
        }
        (self.compressed.stored(nth), Form::Stored)
    }

    /// Chooses the form in which a host gets the next of the blocks that are `left`. The host may
    /// begin to try stored blocks.
    fn choose(self: &Arc<Self>, left: usize, pace: &mut Pace) -> Form {
        let (compressed, stored) = (&pace.compressed, &pace.stored);
        if pace.trial.is_some() && self.tried.get().is_none() {
            if stored.wire == 0 {
                return Form::Stored;
            }
            let is_better = stored.file_rate() > WORTHWHILE * compressed.file_rate();
            let from = compressed.wire_rate() / 2.0;
            let tried = if is_better { Tried::StoredIsBetterFrom(from) } else { Tried::CompressedIsBetter };
            let _ = self.tried.set(tried);
        }
        if let Some(tried) = self.tried.get() {
            let is_fast = |from| compressed.wire > 0 && compressed.wire_rate() >= from;
            return match *tried {
                Tried::StoredIsBetterFrom(from) if is_fast(from) => Form::Stored,
                Tried::StoredIsBetterFrom(_) | Tried::CompressedIsBetter => Form::Compressed,
            };
        }
        let is_known = compressed.wire >= BUFFERED;
        if !is_known || left < WORTH_TRYING || self.is_tried.swap(true, Ordering::Relaxed) {
            return Form::Compressed;
        }
        pace.trial = Some(Trial(Arc::clone(self)));
        Form::Stored
    }
}

/// The right to try stored blocks for all hosts. It is returned when the host needs it no longer.
struct Trial(Arc<Blocks>);

impl Drop for Trial {
    fn drop(&mut self) {
        self.0.is_tried.store(false, Ordering::Relaxed);
    }
}

impl Outgoing {
    /// What the host decompresses the file with; `None` if it is sent as it is.
    pub(super) fn codec(&self) -> Option<Codec> {
        match self {
            Self::Whole(_) => None,
            Self::Blocks(blocks) => Some(blocks.compressed.codec()),
        }
    }
}

/// How fast a host takes a file, in each form.
#[derive(Default)]
struct Pace {
    /// The form of the last block, and the bytes that were sent in this form without a change. Of
    /// these, [`BUFFERED`] may still be on their way, behind blocks of another form.
    form: Form,
    run_length: usize,
    compressed: Taken,
    stored: Taken,
    /// There if this host tries stored blocks for all.
    trial: Option<Trial>,
}

/// What a host has taken in one form, and in what time.
#[derive(Debug, Default)]
struct Taken {
    /// The bytes that were sent.
    wire: usize,
    /// The bytes of the file in them.
    file: usize,
    time: Duration,
}

impl Taken {
    /// Bytes of the file per second.
    fn file_rate(&self) -> f64 {
        self.per_second(self.file)
    }

    /// Bytes per second, as they are sent.
    fn wire_rate(&self) -> f64 {
        self.per_second(self.wire)
    }

    fn per_second(&self, bytes: usize) -> f64 {
        bytes as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

impl Pace {
    fn has_taken(&mut self, form: Form, wire: usize, file: usize, time: Duration) {
        if form != self.form {
            (self.form, self.run_length) = (form, 0);
        }
        if self.run_length >= BUFFERED {
            let taken = match form {
                Form::Compressed => &mut self.compressed,
                Form::Stored => &mut self.stored,
            };
            taken.wire += wire;
            taken.file += file;
            taken.time += time;
        }
        self.run_length += wire;
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
/// line that says that there are no more. Once the files are `unwanted`, because the host has failed,
/// only the part is finished that is being sent.
pub(super) async fn send(
    writer: &mut Writer,
    files: Vec<(usize, Outgoing)>,
    stall: Duration,
    progress: mpsc::UnboundedSender<Sent>,
    unwanted: &AtomicBool,
) -> Result<(), Unsent> {
    if files.is_empty() {
        return Ok(());
    }
    let mut write = Write { writer, stall, progress, unwanted };
    for (index, file) in files {
        if write.is_unwanted() {
            break;
        }
        match file {
            Outgoing::Whole(file) => {
                let all = Share { index, before: 0, size: file.len(), total: file.len() };
                write.part(file, all).await?;
            }
            Outgoing::Blocks(blocks) => write.blocks(index, &blocks).await?,
        }
    }
    write.all(Bytes::from_static(wire::NO_MORE_FILES.as_bytes())).await
}

/// Writes as fast as the host reads.
struct Write<'a> {
    writer: &'a mut Writer,
    stall: Duration,
    progress: mpsc::UnboundedSender<Sent>,
    unwanted: &'a AtomicBool,
}

/// The share of a file that a part of it contains, in bytes of the file.
struct Share {
    index: usize,
    before: usize,
    size: usize,
    total: usize,
}

impl Write<'_> {
    async fn blocks(&mut self, index: usize, blocks: &Arc<Blocks>) -> Result<(), Unsent> {
        let file = &blocks.compressed;
        let (mut before, mut pace) = (0, Pace::default());
        for nth in 0..file.count() {
            if nth > 0 && self.is_unwanted() {
                return self.all(wire::part(0, true).into()).await;
            }
            let (block, form) = blocks.next(nth, &mut pace, self.stall).await;
            let (length, size, began) = (block.len(), file.raw(nth).len(), Instant::now());
            self.part(block, Share { index, before, size, total: file.size() }).await?;
            pace.has_taken(form, length, size, began.elapsed());
            before += size;
        }
        Ok(())
    }

    /// Writes a part of a file.
    async fn part(&mut self, mut rest: Bytes, share: Share) -> Result<(), Unsent> {
        let Share { index, before, size, total } = share;
        let (length, is_last) = (rest.len(), before + size == total);
        // The host doesn't wait for the bytes of an empty file.
        if is_last && rest.is_empty() {
            self.tell(Sent::Last(index));
        }
        self.all(wire::part(length, is_last).into()).await?;
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(CHUNK));
            if is_last && rest.is_empty() {
                self.tell(Sent::Last(index));
            }
            self.all(chunk).await?;
            // Of a block, only the share of it that was sent is known.
            let sent = before as u64 + size as u64 * (length - rest.len()) as u64 / length as u64;
            self.tell(Sent::Part { index, sent, total: total as u64 });
        }
        Ok(())
    }

    fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }

    fn tell(&self, sent: Sent) {
        // This fails only if the receiver was dropped, and then this future is dropped, too.
        drop(self.progress.send(sent));
    }

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
    use std::ops::Range;

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
        for codec in [Codec::Gzip, Codec::Zstd] {
            let file = Compressed::later(vec![0; 5 << 20].into(), codec);
            let blocks = Arc::new(Blocks::new(Arc::clone(&file)));
            let fast = &mut pace(1e12);
            assert_eq!(blocks.next(0, fast, MOST).await, (file.stored(0), Form::Stored));
            // Nothing is known of this link, so the block is waited for.
            let unknown = &mut Pace::default();
            let (waited, ()) = tokio::join!(blocks.next(1, unknown, MOST), async { file.work() });
            assert_eq!(waited, (file.compressed(1).await, Form::Compressed));
            assert!(waited.0.len() < 1 << 12);
            // What is compressed already is sent so over any link.
            assert_eq!(blocks.next(0, fast, MOST).await.0, file.compressed(0).await);
        }
    }

    /// The forms of 30 blocks that compressing makes a third as long, for a host that takes so many
    /// bytes per second over its link, and decompresses so many.
    fn sent(blocks: &Arc<Blocks>, link: f64, decoder: f64) -> Vec<Form> {
        send(blocks, &mut Pace::default(), 0..30, link, decoder)
    }

    /// The forms of some of these blocks.
    fn send(blocks: &Arc<Blocks>, pace: &mut Pace, some: Range<usize>, link: f64, decoder: f64) -> Vec<Form> {
        let mut sent = Vec::new();
        for nth in some {
            let form = blocks.choose(30 - nth, pace);
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
        let blocks = || Arc::new(Blocks::new(Compressed::later(Bytes::new(), Codec::Gzip)));
        let stored = |sent: &[Form]| sent.iter().filter(|form| **form == Form::Stored).count();
        // A slow link: one host has tried two blocks.
        let slow = blocks();
        assert_eq!(stored(&sent(&slow, 6e6, 150e6)), 2);
        assert_eq!(stored(&sent(&slow, 6e6, 150e6)), 0);
        // A link that is faster than decompressing.
        let fast = blocks();
        let first = sent(&fast, 1e9, 150e6);
        assert!(stored(&first) > 20, "{first:?}");
        assert!(stored(&sent(&fast, 1e9, 150e6)) > 20);
        // A host behind another link isn't like the one that has tried.
        assert_eq!(stored(&sent(&fast, 6e6, 150e6)), 0);
        // Too few blocks are left.
        let short = blocks();
        assert_eq!(stored(&send(&short, &mut Pace::default(), 20..30, 1e9, 150e6)), 0);
        // A host that is lost while it tries lets another try.
        let lost = blocks();
        let mut pace = Pace::default();
        let tries = |nth: &usize| stored(&send(&lost, &mut pace, *nth..nth + 1, 1e9, 150e6)) == 1;
        assert!((0..30).find(tries).is_some());
        assert_eq!(stored(&sent(&lost, 1e9, 150e6)), 0);
        drop(pace);
        assert!(stored(&sent(&lost, 1e9, 150e6)) > 20);
        // The difference isn't worth it.
        let even = blocks();
        assert_eq!(stored(&sent(&even, 150e6, 140e6)), 2);
    }
}
