//! The root shell on a host, and the requests that it runs.
//!
//! The SSH command is a single line, the same for every host except for a random
//! marker; everything else is sent over standard input. A request is a line with the
//! script's size in bytes, the script, and the input that the script reads. Lines that
//! begin with the marker are answers; other lines are a login shell's greeting or the
//! script's output.

use super::lock;
use super::sudo::SudoPassword;
use crate::plan::wire::quote;
use crate::plan::{During, HostError, LostReason, Misfit};
use crate::resource::{HostName, Printable, Redactor, SecretBytes, Untrusted};
use crate::ssh::{Channel, ChannelError, Event, Reader, Session, Writer};
use bytes::{Bytes, BytesMut};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const OPEN: &str = include_str!("open.sh");
const DRIVER: &str = include_str!("driver.sh");

/// How many of the last bytes of unexpected output are kept, to report why there is no
/// shell. The line in which they begin is kept whole.
const NOISE: usize = 4096;

/// How many bytes of unexpected output a host may write during one request, or before the
/// first. No greeting is nearly as long.
const MOST_NOISE: usize = 1 << 20;

/// The maximum length of a line, in bytes. Scripts write far shorter ones.
const LONGEST_LINE: usize = 64 << 10;

/// What sudo says about a wrong password, in the locale that `open.sh` sets.
const WRONG_PASSWORD: &[u8] = b"incorrect password attempt";

/// The script that runs requests.
pub(super) fn driver() -> String {
    bare(DRIVER)
}

/// A script without its comments, to be passed as an argument.
pub(super) fn bare(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// A shell on a host, which may still be starting.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) writer: Writer,
    pub(super) lines: Lines,
    /// The name of the host.
    host: HostName,
    /// The password that sudo may ask for.
    sudo: Option<Arc<SudoPassword>>,
}

/// The output of a shell, line by line.
#[derive(Debug)]
pub(super) struct Lines {
    reader: Reader,
    buffer: BytesMut,
    /// How many bytes of the buffer are known to have no line break.
    searched: usize,
    marker: String,
    ready: bool,
    /// Whether `sudo` was run; if the shell ends before it is ready, `sudo` has failed.
    becoming_root: bool,
    /// Whether `sudo` isn't installed.
    no_sudo: bool,
    /// Whether `sudo` has got the password.
    gave_password: bool,
    /// The last lines of the unexpected output.
    noise: Vec<u8>,
    /// The size of all unexpected output, in bytes.
    noisy: usize,
    /// Masks secrets in what is shown of the output.
    redactor: Redactor,
}

/// A line of output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// An answer, without its marker.
    Answer(Untrusted),
    /// Any other line, including its line break if it has one.
    Other(Bytes),
    /// sudo asks for the password. It does so only before the shell is ready.
    Prompt,
}

/// Why there is no next line.
#[derive(Debug)]
pub(super) enum NoLine {
    /// The shell or the connection has ended.
    Gone(Option<ChannelError>),
    /// The line exceeds [`LONGEST_LINE`].
    TooLong,
    /// The unexpected output exceeds [`MOST_NOISE`].
    TooMuch,
}

/// The directories in which scripts look for commands first. The scripts rely on coreutils
/// and util-linux, and an administrator may have put other programs with the same names
/// (busybox) at the front of the path. A simulated host keeps its path, because it has its
/// own commands.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Shell {
    /// Starts a shell. Some failures are reported only by the first request.
    pub(super) async fn open(
        session: &Session,
        host: &HostName,
        sudo: Option<&Arc<SudoPassword>>,
    ) -> Result<Self, HostError> {
        let hash = || RandomState::new().hash_one("spore");
        let marker = format!("spore-{:016x}{:016x}", hash(), hash());
        let password = if sudo.is_some() { "yes" } else { "" };
        let script = format!("driver={}\npassword={password}\n{OPEN}", quote(&driver()));
        // `driver.sh` sets the path again, because sudo may replace it.
        let path = format!("[ -n \"${{SPORE_ROOT-}}\" ] || PATH={PATH}:$PATH");
        let command = format!("exec sh -c '{path}; eval \"$(head -c {})\"' spore {marker}", script.len());
        let Channel { writer, reader } = session.exec(&command).await.map_err(opening)?;
        let lines = Lines {
            reader,
            buffer: BytesMut::new(),
            searched: 0,
            marker,
            ready: false,
            becoming_root: false,
            no_sudo: false,
            gave_password: false,
            noise: Vec::new(),
            noisy: 0,
            redactor: session.redactor().clone(),
        };
        let mut shell = Self { writer, lines, host: host.clone(), sudo: sudo.cloned() };
        match shell.send(script.into()).await {
            // If the command has already ended, waiting for its answer gives the reason.
            Ok(()) | Err(ChannelError::Ended) => Ok(shell),
            Err(error) => Err(shell.lines.gone(During::Opening, Some(error))),
        }
    }

    /// The marker with which each answer of this shell begins.
    pub(super) fn marker(&self) -> &str {
        &self.lines.marker
    }

    /// Sends a request's script; its input may follow. If the shell has ended, waiting for
    /// the answer gives the reason.
    pub(super) async fn request(
        &mut self,
        script: &[u8],
        during: During,
        patience: Duration,
    ) -> Result<(), HostError> {
        // Until then, sudo may take what is sent for the password.
        if self.sudo.is_some() {
            self.ready(patience).await?;
        }
        if self.lines.ready {
            self.lines.quiet();
        }
        let mut request = format!("{}\n", script.len()).into_bytes();
        request.extend_from_slice(script);
        let request = Bytes::from_owner(Exposed(SecretBytes::new(request)));
        match timeout(patience, self.send(request)).await {
            Ok(Ok(()) | Err(ChannelError::Ended)) => Ok(()),
            Ok(Err(error)) => Err(self.lines.gone(during, Some(error))),
            Err(_) => Err(HostError::TimedOut { during, after: patience }),
        }
    }

    /// Sends bytes without a size line.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), ChannelError> {
        self.writer.send(bytes).await
    }

    /// Waits until the shell has started.
    pub(super) async fn ready(&mut self, patience: Duration) -> Result<(), HostError> {
        if self.lines.ready {
            return Ok(());
        }
        if self.opened(patience).await? == Opened::Prompt {
            self.give_password(patience).await?;
        }
        self.lines.ready = true;
        self.lines.quiet();
        Ok(())
    }

    /// Waits until the shell has started, or sudo asks for the password.
    async fn opened(&mut self, patience: Duration) -> Result<Opened, HostError> {
        let waiting = async {
            loop {
                match self.lines.next().await {
                    Ok(Line::Answer(answer)) => {
                        let lines = &mut self.lines;
                        let is_ready = answer.parse(|word| {
                            match word {
                                "sudo" => lines.becoming_root = true,
                                "nosudo" => lines.no_sudo = true,
                                "ready" => {}
                                other => lines.note(other.as_bytes()),
                            }
                            word == "ready"
                        });
                        if is_ready {
                            return Ok(Opened::Shell);
                        }
                    }
                    Ok(Line::Prompt) => return Ok(Opened::Prompt),
                    Ok(Line::Other(noise)) => self.lines.note(&noise),
                    Err(NoLine::TooLong) => {}
                    Err(error) => return Err(self.lines.none(During::Opening, error)),
                }
            }
        };
        let timed_out = |_| HostError::TimedOut { during: During::Opening, after: patience };
        timeout(patience, waiting).await.map_err(timed_out)?
    }

    /// Answers sudo's prompt, once.
    async fn give_password(&mut self, patience: Duration) -> Result<(), HostError> {
        let Some(sudo) = self.sudo.clone() else { return Err(self.lines.gone(During::Opening, None)) };
        let turn = sudo.take().await.map_err(|by| HostError::SudoPasswordNotTried { by })?;
        self.lines.gave_password = true;
        match self.send(Bytes::from_owner(Exposed(turn.line()))).await {
            Ok(()) | Err(ChannelError::Ended) => {}
            Err(error) => return Err(self.lines.gone(During::Opening, Some(error))),
        }
        match self.opened(patience).await {
            Ok(Opened::Shell) => {
                turn.accepted();
                Ok(())
            }
            // It isn't sent again: the next failed attempt might lock the account.
            Ok(Opened::Prompt) | Err(HostError::WrongSudoPassword) => {
                turn.rejected(&self.host);
                Err(HostError::WrongSudoPassword)
            }
            Err(error) => {
                // If the shell ends for another reason, or doesn't begin, the attempt may have failed.
                // A lost connection says nothing, and neither does a user whom sudo doesn't trust with
                // this: it says so only after the password was right.
                match &error {
                    HostError::Lost { .. } => {}
                    HostError::SudoRefused { said } if is_about_rights(said) => turn.accepted(),
                    _ => turn.rejected(&self.host),
                }
                Err(error)
            }
        }
    }

    /// Runs a script without input, and returns its output, which may have up to `limit`
    /// bytes.
    pub(super) async fn ask(
        &mut self,
        script: &SecretBytes,
        ready: Duration,
        patience: Duration,
        limit: usize,
    ) -> Result<Untrusted, HostError> {
        let mut request = b"exec </dev/null\n".to_vec();
        request.reserve_exact(script.expose().len());
        request.extend_from_slice(script.expose());
        let request = SecretBytes::new(request);
        self.request(request.expose(), During::Asking, ready).await?;
        self.ready(ready).await?;
        let answer = timeout(patience, self.lines.until_end(During::Asking, limit)).await;
        answer.unwrap_or(Err(HostError::TimedOut { during: During::Asking, after: patience }))
    }
}

/// Whether sudo says that the user has no right to become root.
fn is_about_rights(said: &str) -> bool {
    said.contains("is not in the sudoers file") || said.contains("is not allowed to")
}

/// How starting the shell goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// The shell has started.
    Shell,
    /// sudo asks for the password.
    Prompt,
}

impl Lines {
    /// Waits for the next line. Dropping this future loses no data.
    pub(super) async fn next(&mut self) -> Result<Line, NoLine> {
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', rest) {
                let end = self.searched + end + 1;
                self.searched = 0;
                return Ok(self.line(end));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LONGEST_LINE {
                self.noisy = self.noisy.saturating_add(self.buffer.len());
                self.buffer.clear();
                self.searched = 0;
                return Err(NoLine::TooLong);
            }
            if self.noisy > MOST_NOISE {
                return Err(NoLine::TooMuch);
            }
            match self.reader.next().await {
                Ok(Some(Event::Stdout(bytes))) => self.buffer.extend_from_slice(&bytes),
                Ok(Some(Event::Stderr(bytes))) => {
                    self.note(&bytes);
                    if !self.ready && self.is_prompted() {
                        return Ok(Line::Prompt);
                    }
                }
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
            Some(answer) => Line::Answer(Untrusted::new(answer)),
            None => Line::Other(bytes),
        }
    }

    /// Returns the script's output once the script has ended.
    pub(super) async fn until_end(&mut self, during: During, limit: usize) -> Result<Untrusted, HostError> {
        let mut said = Vec::new();
        let given_up = format!("end {}", lock::GIVEN_UP);
        let malformed = |what: Misfit| HostError::Malformed { during: during.clone(), what };
        loop {
            match self.next().await {
                // This isn't the end of this request: the first shell reports that
                // `lock.sh`, which it was running, no longer holds the lock.
                Ok(Line::Answer(answer)) if answer.parse(|line| line == given_up) => {
                    return Err(HostError::Lost { during, reason: LostReason::NoBeat });
                }
                Ok(Line::Answer(answer)) if answer.parse(|line| line.starts_with("end ")) => break,
                Ok(Line::Answer(answer)) => return Err(malformed(Misfit::Unexpected(self.shown(&answer)))),
                Ok(Line::Other(bytes)) => said.extend_from_slice(&bytes),
                Ok(Line::Prompt) => {}
                Err(error) => return Err(self.none(during, error)),
            }
            if said.len() > limit {
                return Err(malformed(Misfit::TooLong(limit)));
            }
        }
        // The `end` answer is preceded by a line break, which isn't part of the output.
        said.truncate(said.len().saturating_sub(1));
        String::from_utf8(said).map(Untrusted::new).map_err(|_| malformed(Misfit::NotText))
    }

    /// Whether the unexpected output contains sudo's prompt, which is removed from it.
    fn is_prompted(&mut self) -> bool {
        let prompt = format!("{} password", self.marker);
        let at = memchr::memmem::find(&self.noise, prompt.as_bytes());
        if let Some(at) = at {
            self.noise.drain(at..at + prompt.len());
        }
        at.is_some()
    }

    /// Discards the unexpected output so far.
    fn quiet(&mut self) {
        self.noise.clear();
        self.noisy = 0;
    }

    /// Returns the error for a missing next line.
    pub(super) fn none(&self, during: During, error: NoLine) -> HostError {
        let what = match error {
            NoLine::Gone(error) => return self.gone(during, error),
            NoLine::TooLong => Misfit::LongLine,
            NoLine::TooMuch => Misfit::Noise(MOST_NOISE),
        };
        HostError::Malformed { during, what }
    }

    /// Keeps the last lines of unexpected output.
    pub(super) fn note(&mut self, noise: &[u8]) {
        self.noisy = self.noisy.saturating_add(noise.len());
        keep_last_lines(&mut self.noise, noise);
    }

    /// Returns the unexpected output in a form that may be shown.
    pub(super) fn noise(&self) -> Printable {
        self.shown(&Untrusted::of_bytes(self.noise.trim_ascii()))
    }

    /// Returns text from the host in a form that may be shown in an error.
    pub(super) fn shown(&self, said: &Untrusted) -> Printable {
        self.redactor.show_in_one_line(said)
    }

    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Returns the error for a shell or connection that has ended.
    pub(super) fn gone(&self, during: During, error: Option<ChannelError>) -> HostError {
        let said = self.noise();
        match error {
            Some(ChannelError::Lost(lost)) => HostError::Lost { during, reason: LostReason::Session(lost) },
            _ if self.ready => HostError::Lost { during, reason: LostReason::Closed(said) },
            _ if self.no_sudo => HostError::SudoMissing,
            // If sudo allows only one attempt, it doesn't ask again.
            _ if self.gave_password && memchr::memmem::find(&self.noise, WRONG_PASSWORD).is_some() => {
                HostError::WrongSudoPassword
            }
            _ if self.gave_password => HostError::SudoRefused { said },
            _ if self.becoming_root => HostError::NoSudo { said },
            Some(error @ (ChannelError::NotOpened { .. } | ChannelError::NotStarted)) if said.is_empty() => {
                opening(error)
            }
            _ => HostError::NoShell { said },
        }
    }
}

/// Appends `noise` to `kept`, and removes the lines before its last [`NOISE`] bytes. Lines
/// aren't cut, because the redactor doesn't recognize a part of a secret.
fn keep_last_lines(kept: &mut Vec<u8>, noise: &[u8]) {
    // If more than `NOISE` bytes are kept already, the excess is the beginning of a long
    // line and has no line break.
    let searched = kept.len().saturating_sub(NOISE);
    kept.extend_from_slice(noise);
    let excess = kept.len().saturating_sub(NOISE);
    if let Some(end) = memchr::memrchr(b'\n', &kept[searched..excess]) {
        kept.drain(..=searched + end);
    }
}

fn opening(error: ChannelError) -> HostError {
    match error {
        ChannelError::Lost(lost) => {
            HostError::Lost { during: During::Opening, reason: LostReason::Session(lost) }
        }
        error => HostError::NoSession(error),
    }
}

/// A secret as bytes to send; wiped from memory once they have been sent.
pub(super) struct Exposed(pub(super) SecretBytes);

impl AsRef<[u8]> for Exposed {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_noise_the_last_lines_are_kept_whole() {
        let line = format!("{}\n", "password ".repeat(20));
        for chunk in [1, 7, line.len(), 3000, 100_000] {
            let mut kept = Vec::new();
            for noise in line.repeat(100).as_bytes().chunks(chunk) {
                keep_last_lines(&mut kept, noise);
            }
            assert_eq!(kept, line.repeat(NOISE.div_ceil(line.len())).as_bytes(), "{chunk}");
            let long = "x".repeat(3 * NOISE);
            for noise in long.as_bytes().chunks(chunk) {
                keep_last_lines(&mut kept, noise);
            }
            assert_eq!(kept, long.as_bytes(), "{chunk}");
            keep_last_lines(&mut kept, b"\n");
            keep_last_lines(&mut kept, line.repeat(50).as_bytes());
            assert!(kept.len() < NOISE + line.len() && kept.starts_with(b"password"), "{chunk}");
        }
    }
}
