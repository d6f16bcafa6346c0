//! A command that runs on a host: its input, its output and its end.
//!
//! A task for each channel receives what the connection delivers. Therefore a slow reader
//! doesn't block the connection until [`UNREAD`] bytes are waiting, and a [`Writer`] learns
//! that its command has ended. russh's own sender would wait forever in that case, because
//! the host no longer extends the window.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::session::{Ending, Lost};
use crate::resource::{Printable, Redactor};

/// The number of unread bytes of a channel's output beyond which the connection has to
/// wait. It is far more than an answer has, and far less than a runaway command writes.
const UNREAD: usize = 16 << 20;

/// What each event counts in addition to its bytes. Otherwise a host could fill the memory
/// with events that have one byte, or none.
const OVERHEAD: usize = 256;

/// `SSH_EXTENDED_DATA_STDERR` in RFC 4254.
const STDERR: u32 = 1;

/// A running command. Destructure it to send and read at the same time.
///
/// Dropping the [`Reader`] closes the channel without waiting for the command to end: the
/// command's input and output are closed.
#[derive(Debug)]
pub struct Channel {
    /// The command's standard input.
    pub writer: Writer,
    /// The command's output and its end.
    pub reader: Reader,
}

/// The standard input of a command. Clones write to the same input.
#[derive(Clone)]
pub struct Writer {
    half: Arc<ChannelWriteHalf<Msg>>,
    over: watch::Receiver<bool>,
    end: Ending,
}

/// The output of a command, and its end.
///
/// It must be read: output is buffered up to a limit, beyond which the whole connection
/// waits.
#[derive(Debug)]
pub struct Reader {
    events: mpsc::UnboundedReceiver<Delivery>,
    /// Set once the last delivery has been received.
    done: Option<Result<(), ChannelError>>,
    end: Ending,
}

/// An event of a running command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The command wrote to its standard output.
    Stdout(Bytes),
    /// The command wrote to its standard error.
    Stderr(Bytes),
    /// The command ended. Output of processes that it left running may follow.
    Exit(Exit),
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command exited with this status.
    Status(u32),
    /// The command was killed by this signal, named without `SIG`.
    Signal(Printable),
}

/// Why a command couldn't be run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// The host refused to open a channel, for instance because too many are open.
    NotOpened {
        /// The host's reason, in the words of the SSH library.
        reason: Printable,
    },
    /// The host doesn't let this user run commands.
    NotStarted,
    /// The command exited before it had read all its input. Its [`Exit`] says more.
    Ended,
    /// The connection was lost.
    Lost(Lost),
}

enum Delivery {
    /// The permit is the event's share of [`UNREAD`]; it is released when the event has
    /// been read.
    Event(Event, Option<OwnedSemaphorePermit>),
    Done(Result<(), ChannelError>),
}

impl Channel {
    pub(super) async fn start(
        channel: russh::Channel<Msg>,
        command: &str,
        end: Ending,
        redactor: Redactor,
    ) -> Result<Self, ChannelError> {
        let (inbound, outbound) = channel.split();
        let half = Arc::new(outbound);
        let (events, received) = mpsc::unbounded_channel();
        let (over, is_over) = watch::channel(false);
        let pump = Pump {
            inbound,
            outbound: Arc::clone(&half),
            events,
            over,
            unread: Arc::new(Semaphore::new(UNREAD)),
            end: end.clone(),
            redactor,
        };
        // The task is spawned before the first `await`. If this future is dropped there, so
        // is the reader, which makes the task close the channel.
        tokio::spawn(pump.run());
        let channel = Self {
            writer: Writer { half: Arc::clone(&half), over: is_over, end: end.clone() },
            reader: Reader { events: received, done: None, end: end.clone() },
        };
        match half.exec(true, command).await {
            Ok(()) => Ok(channel),
            Err(_) => Err(ChannelError::Lost(end.lost())),
        }
    }
}

impl Writer {
    /// Sends bytes without copying them, as fast as the command reads. The output must be
    /// read at the same time, or both sides may wait for each other.
    ///
    /// If this future is dropped, it is unknown how many bytes were sent.
    ///
    /// # Errors
    /// The command exited before it had read everything, or the connection was lost.
    pub async fn send(&mut self, data: Bytes) -> Result<(), ChannelError> {
        tokio::select! {
            biased;
            over = self.over.wait_for(|over| *over) => Err(match over {
                Ok(_) => ChannelError::Ended,
                Err(_) => ChannelError::Lost(self.end.lost()),
            }),
            sent = self.half.data_bytes(data) => sent.map_err(|_| ChannelError::Lost(self.end.lost())),
        }
    }

    /// Closes the command's standard input, which otherwise stays open until the channel is
    /// closed.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn eof(self) -> Result<(), ChannelError> {
        self.half.eof().await.map_err(|_| ChannelError::Lost(self.end.lost()))
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Reader {
    /// The next event, or `None` once the host has closed the channel. Dropping this
    /// future loses no event.
    ///
    /// # Errors
    /// The command wasn't started, or the connection was lost. Later calls return the
    /// same error.
    pub async fn next(&mut self) -> Result<Option<Event>, ChannelError> {
        if let Some(done) = &self.done {
            return done.clone().map(|()| None);
        }
        let done = match self.events.recv().await {
            Some(Delivery::Event(event, _share)) => return Ok(Some(event)),
            Some(Delivery::Done(done)) => done,
            None => Err(ChannelError::Lost(self.end.lost())),
        };
        self.done = Some(done.clone());
        done.map(|()| None)
    }
}

/// The task that receives what russh delivers for a channel, and passes it on.
struct Pump {
    inbound: ChannelReadHalf,
    outbound: Arc<ChannelWriteHalf<Msg>>,
    events: mpsc::UnboundedSender<Delivery>,
    over: watch::Sender<bool>,
    unread: Arc<Semaphore>,
    end: Ending,
    redactor: Redactor,
}

impl Pump {
    async fn run(mut self) {
        let events = self.events.clone();
        tokio::select! {
            done = self.deliver() => {
                if !matches!(done, Err(ChannelError::Lost(_))) {
                    let _ = self.over.send(true);
                }
                if done.is_err() {
                    let _ = self.outbound.close().await;
                }
                let _ = self.events.send(Delivery::Done(done));
            }
            () = events.closed() => {
                let _ = self.over.send(true);
                let _ = self.outbound.close().await;
            }
        }
    }

    async fn deliver(&mut self) -> Result<(), ChannelError> {
        while let Some(message) = self.inbound.wait().await {
            let event = match message {
                ChannelMsg::Data { data } => Event::Stdout(data),
                ChannelMsg::ExtendedData { data, ext: STDERR } => Event::Stderr(data),
                ChannelMsg::ExitStatus { exit_status } => Event::Exit(Exit::Status(exit_status)),
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    Event::Exit(Exit::Signal(signal(&signal_name, &self.redactor)))
                }
                ChannelMsg::Failure => return Err(ChannelError::NotStarted),
                ChannelMsg::Close => return Ok(()),
                _ => continue,
            };
            if matches!(event, Event::Exit(_)) {
                let _ = self.over.send(true);
            }
            let bytes = match &event {
                Event::Stdout(data) | Event::Stderr(data) => data.len(),
                Event::Exit(Exit::Signal(name)) => name.len(),
                Event::Exit(Exit::Status(_)) => 0,
            };
            let share = self.share(bytes + OVERHEAD).await;
            let _ = self.events.send(Delivery::Event(event, share));
        }
        Err(ChannelError::Lost(self.end.lost()))
    }

    async fn share(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes.min(UNREAD)).ok()?;
        // Acquiring can't fail, because the semaphore is never closed.
        Arc::clone(&self.unread).acquire_many_owned(bytes).await.ok()
    }
}

fn signal(signal: &russh::Sig, redactor: &Redactor) -> Printable {
    match signal {
        russh::Sig::Custom(name) => redactor.line(name),
        known => Printable::line(&format!("{known:?}")),
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event, _) => event.fmt(f),
            Self::Done(done) => done.fmt(f),
        }
    }
}
