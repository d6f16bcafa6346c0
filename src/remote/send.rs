//! Sends the bytes of files to the script of a request. The entry point is [`send`].

use crate::ssh::{ChannelError, Writer};
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How many bytes are sent between two reports of progress.
const CHUNK: usize = 256 << 10;

/// How far files have been sent.
pub(super) enum Sent {
    /// The rest of this file is being sent.
    Last(usize),
    /// The host has accepted a part.
    Part { index: usize, sent: u64, total: u64 },
}

/// Why not everything was sent.
pub(super) enum Unsent {
    Failed(ChannelError),
    Stalled(Duration),
}

/// Sends files one after another, and tells the progress.
pub(super) async fn send(
    writer: &mut Writer,
    files: Vec<(usize, Bytes)>,
    stall: Duration,
    progress: mpsc::UnboundedSender<Sent>,
) -> Result<(), Unsent> {
    for (index, bytes) in files {
        let total = bytes.len() as u64;
        let mut rest = bytes;
        // Sending progress fails only if the receiver was dropped, and then this future is
        // dropped, too. The host waits for no bytes of an empty file, so it may answer at
        // once.
        if rest.is_empty() {
            let _ = progress.send(Sent::Last(index));
        }
        while !rest.is_empty() {
            let chunk = rest.split_to(rest.len().min(CHUNK));
            if rest.is_empty() {
                let _ = progress.send(Sent::Last(index));
            }
            match timeout(stall, writer.send(chunk)).await {
                Ok(sent) => sent.map_err(Unsent::Failed)?,
                Err(_) => return Err(Unsent::Stalled(stall)),
            }
            let _ = progress.send(Sent::Part { index, sent: total - rest.len() as u64, total });
        }
    }
    Ok(())
}
