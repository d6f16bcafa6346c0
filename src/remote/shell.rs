//! One shell on a host, as root, and what it is asked.
//!
//! The command that is run there is the same for every host but for a random
//! marker, and no longer than a line; all else goes over standard input. A
//! request is a line with a length, so many bytes of script, and whatever input
//! the script takes. Lines that begin with the marker are the host's answers;
//! others come from login shells that greet, or from the script.

use super::error::{During, HostError};
use super::text::tidy;
use crate::plan::wire::quote;
use crate::resource::Secret;
use crate::ssh::{Channel, ChannelError, Event, Reader, Session, Writer};
use bytes::{Bytes, BytesMut};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;
use tokio::time::timeout;

const OPEN: &str = include_str!("open.sh");
const DRIVER: &str = include_str!("driver.sh");

/// How much of what wasn't asked for is kept, to say why there is no shell.
const NOISE: usize = 4096;

/// How long a line of an answer may be. Scripts keep theirs far shorter.
const LONGEST_LINE: usize = 64 << 10;

/// The shell that reads requests.
pub(super) fn driver() -> String {
    bare(DRIVER)
}

/// A script as an argument, where everyone on the host sees it: without what is
/// meant for its readers here.
pub(super) fn bare(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// A shell on a host, or one on its way.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) writer: Writer,
    pub(super) lines: Lines,
}

/// What a shell says, line by line.
#[derive(Debug)]
pub(super) struct Lines {
    reader: Reader,
    buffer: BytesMut,
    marker: String,
    ready: bool,
    /// `sudo` was called, and hasn't yet become root.
    becoming_root: bool,
    /// No `sudo` is there.
    no_sudo: bool,
    /// The end of what was said without being asked.
    noise: Vec<u8>,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Of an answer, without its marker.
    Answer(String),
    /// Any other, with its line break where it has one.
    Other(Bytes),
}

/// What a wait for a line can end with, apart from the line.
#[derive(Debug)]
pub(super) enum NoLine {
    /// The shell has ended, or the connection has.
    Gone(Option<ChannelError>),
    /// This isn't what scripts say.
    TooLong,
}

impl Shell {
    /// Starts a shell. That it is there is seen when it is first asked something.
    pub(super) async fn open(session: &Session) -> Result<Self, HostError> {
        let hash = || RandomState::new().hash_one("spore");
        let marker = format!("spore-{:016x}{:016x}", hash(), hash());
        let script = format!("driver={}\n{OPEN}", quote(&driver()));
        let command = format!("exec sh -c 'eval \"$(head -c {})\"' spore {marker}", script.len());
        let Channel { writer, reader } = session.exec(&command).await.map_err(opening)?;
        let lines = Lines {
            reader,
            buffer: BytesMut::new(),
            marker,
            ready: false,
            becoming_root: false,
            no_sudo: false,
            noise: Vec::new(),
        };
        let mut shell = Self { writer, lines };
        shell.send(script.into()).await.map_err(|error| shell.lines.gone(During::Opening, Some(error)))?;
        Ok(shell)
    }

    /// The marker of this session's answers.
    pub(super) fn marker(&self) -> &str {
        &self.lines.marker
    }

    /// Sends a request's script. Input for it may follow. Where the shell has
    /// ended meanwhile, the answer will say why.
    pub(super) async fn request(
        &mut self,
        script: &[u8],
        during: During,
        patience: Duration,
    ) -> Result<(), HostError> {
        if self.lines.ready {
            self.lines.noise.clear();
        }
        let mut request = format!("{}\n", script.len()).into_bytes();
        request.extend_from_slice(script);
        let request = Bytes::from_owner(Exposed(Secret::new(request)));
        match timeout(patience, self.send(request)).await {
            Ok(Ok(()) | Err(ChannelError::Ended)) => Ok(()),
            Ok(Err(error)) => Err(self.lines.gone(during, Some(error))),
            Err(_) => Err(HostError::TimedOut { during, after: patience }),
        }
    }

    /// Sends a line that the shell itself understands.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), ChannelError> {
        self.writer.send(bytes).await
    }

    /// Waits until the shell is there.
    pub(super) async fn ready(&mut self, patience: Duration) -> Result<(), HostError> {
        if self.lines.ready {
            return Ok(());
        }
        let waiting = async {
            loop {
                match self.lines.next().await {
                    Ok(Line::Answer(word)) => match word.as_str() {
                        "ready" => return Ok(()),
                        "sudo" => self.lines.becoming_root = true,
                        "nosudo" => self.lines.no_sudo = true,
                        _ => {}
                    },
                    Ok(Line::Other(noise)) => self.lines.note(&noise),
                    Err(NoLine::TooLong) => {}
                    Err(NoLine::Gone(error)) => return Err(self.lines.gone(During::Opening, error)),
                }
            }
        };
        match timeout(patience, waiting).await {
            Ok(waited) => {
                waited?;
                self.lines.ready = true;
                self.lines.noise.clear();
                Ok(())
            }
            Err(_) => Err(HostError::TimedOut { during: During::Opening, after: patience }),
        }
    }

    /// Runs a script that takes no input, and returns all that it writes, up to
    /// `limit` bytes.
    pub(super) async fn ask(
        &mut self,
        script: &Secret,
        ready: Duration,
        patience: Duration,
        limit: usize,
    ) -> Result<String, HostError> {
        let mut request = b"exec </dev/null\n".to_vec();
        request.reserve_exact(script.expose().len());
        request.extend_from_slice(script.expose());
        let request = Secret::new(request);
        self.request(request.expose(), During::Asking, ready).await?;
        self.ready(ready).await?;
        let answer = timeout(patience, self.lines.until_end(During::Asking, limit)).await;
        answer.unwrap_or(Err(HostError::TimedOut { during: During::Asking, after: patience }))
    }
}

impl Lines {
    /// The next line. Dropping this future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Line, NoLine> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                return Ok(self.line(end + 1));
            }
            if self.buffer.len() > LONGEST_LINE {
                self.buffer.clear();
                return Err(NoLine::TooLong);
            }
            match self.reader.next().await {
                Ok(Some(Event::Stdout(bytes))) => self.buffer.extend_from_slice(&bytes),
                Ok(Some(Event::Stderr(bytes))) => self.note(&bytes),
                Ok(Some(Event::Exit(_))) => {}
                Ok(None) => return Err(NoLine::Gone(None)),
                Err(error) => return Err(NoLine::Gone(Some(error))),
            }
        }
    }

    fn line(&mut self, end: usize) -> Line {
        let bytes = self.buffer.split_to(end).freeze();
        let answer = bytes
            .strip_prefix(self.marker.as_bytes())
            .and_then(|rest| rest.strip_prefix(b" "))
            .and_then(|rest| std::str::from_utf8(rest.strip_suffix(b"\n")?).ok());
        match answer {
            Some(answer) => Line::Answer(answer.to_owned()),
            None => Line::Other(bytes),
        }
    }

    /// All that is said until the script has ended.
    pub(super) async fn until_end(&mut self, during: During, limit: usize) -> Result<String, HostError> {
        let mut said = Vec::new();
        let malformed = |what: String| HostError::Malformed { during: during.clone(), what };
        loop {
            match self.next().await {
                Ok(Line::Answer(answer)) if answer.starts_with("end ") => break,
                Ok(Line::Answer(answer)) => return Err(malformed(tidy(&answer))),
                Ok(Line::Other(bytes)) => said.extend_from_slice(&bytes),
                Err(NoLine::TooLong) => return Err(malformed("a line without end".to_owned())),
                Err(NoLine::Gone(error)) => return Err(self.gone(during, error)),
            }
            if said.len() > limit {
                return Err(malformed(format!("more than {limit} bytes")));
            }
        }
        // The break that the answer's last line began with.
        said.truncate(said.len().saturating_sub(1));
        String::from_utf8(said).map_err(|_| malformed("text that isn't UTF-8".to_owned()))
    }

    /// Keeps the end of what was said without being asked.
    pub(super) fn note(&mut self, noise: &[u8]) {
        self.noise.extend_from_slice(noise);
        self.noise.drain(..self.noise.len().saturating_sub(NOISE));
    }

    /// What was said without being asked, fit to be shown.
    pub(super) fn noise(&self) -> String {
        tidy(String::from_utf8_lossy(&self.noise).trim())
    }

    /// Why there is nothing more to be heard.
    pub(super) fn gone(&self, during: During, error: Option<ChannelError>) -> HostError {
        let said = self.noise();
        match error {
            Some(ChannelError::Lost(lost)) => HostError::Lost { during, reason: lost.reason },
            _ if self.ready => {
                let reason = if said.is_empty() { String::new() } else { format!(": {said}") };
                HostError::Lost { during, reason: format!("the host ended the session{reason}") }
            }
            _ if self.no_sudo => HostError::NoSudo { said: "sudo is not installed".to_owned() },
            _ if self.becoming_root => HostError::NoSudo { said },
            Some(error @ (ChannelError::NotOpened { .. } | ChannelError::NotStarted)) if said.is_empty() => {
                opening(error)
            }
            _ => HostError::NoShell { said },
        }
    }
}

fn opening(error: ChannelError) -> HostError {
    match error {
        ChannelError::Lost(lost) => HostError::Lost { during: During::Opening, reason: lost.reason },
        error => HostError::NoShell { said: error.to_string() },
    }
}

/// A secret on its way to the wire, wiped when it has been sent.
pub(super) struct Exposed(pub(super) Secret);

impl AsRef<[u8]> for Exposed {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}
