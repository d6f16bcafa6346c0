//! Reaches an SSH server through the standard input and output of a command: OpenSSH's
//! `ProxyCommand`. The entry point is [`ProxyCommand::new`].
//!
//! What always holds: the command's processes don't outlive the connection, or this process.
//! They form a process group, which is killed when the connection's stream is dropped, and by
//! [`end_proxy_commands`].

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::ServerAddress;
use crate::resource::{Printable, Untrusted};

/// How long the command may take to end after a hang-up, before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// The same, if this process is about to end.
const LAST_GRACE: Duration = Duration::from_millis(100);

/// How often a command that was told to end is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// How much of what the command says on its standard error is kept, in bytes: the end of it.
const SAID: usize = 2048;

/// How long to wait for the rest of what a failed command says.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The process groups of all commands that haven't been reaped.
static GROUPS: Mutex<BTreeSet<Group>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<Group>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command that connects to an SSH server.
#[derive(Clone)]
pub struct ProxyCommand {
    /// The command as it was configured. Servers that have it in common are probably reached
    /// through the same machine.
    pub(super) template: String,
    command: String,
}

/// Why a `ProxyCommand` can't be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyCommandError {
    /// A `%` isn't followed by one of the letters that OpenSSH replaces.
    #[error("a ProxyCommand can't contain `{0}`: ssh knows only %%, %h, %n, %p and %r there")]
    UnknownToken(String),
    /// `%r` stands for a user whose name means something to a shell.
    #[error(
        "the user `{0}` can't become the %r of a ProxyCommand, because a `\\` is special to a shell; \
         write the user into the ProxyCommand, quoted"
    )]
    User(Printable),
}

impl ProxyCommand {
    /// A command in which `%h` and `%p` stand for the server's address, `%n` for its name as the
    /// user gave it, and `%r` for the user.
    ///
    /// # Errors
    /// The command contains an unknown token, or the user's name means something to a shell.
    pub fn new(
        template: &str,
        address: &ServerAddress,
        original: &str,
        user: &str,
    ) -> Result<Self, ProxyCommandError> {
        let is_special = Cell::new(false);
        let command = expand_tokens(template, |token| match token {
            'h' => Some(address.host.clone()),
            'p' => Some(address.port.to_string()),
            'n' => Some(original.to_owned()),
            'r' => {
                is_special.set(user.contains('\\'));
                Some(user.to_owned())
            }
            _ => None,
        });
        let command = command.map_err(ProxyCommandError::UnknownToken)?;
        if is_special.get() {
            return Err(ProxyCommandError::User(Printable::line(user)));
        }
        Ok(Self { template: template.to_owned(), command })
    }

    #[cfg(test)]
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// Starts the command. Must be called within a runtime.
    pub(super) fn start(&self) -> io::Result<Proxy> {
        let mut command = Command::new("/bin/sh");
        // As in ssh, the shell is replaced by the command.
        command.args(["-c", &format!("exec {}", self.command)]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that Ctrl-C at the terminal doesn't end it: an apply that is
        // interrupted still needs its connections.
        command.process_group(0);
        // Some are secrets, such as passphrases.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"SPORE_"))
        {
            command.env_remove(name);
        }
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let said = Arc::default();
        let listening = tokio::spawn(listen(errors, Arc::clone(&said)));
        let (alive, dropped) = oneshot::channel();
        if let Some(group) = Group::of(&child) {
            groups().insert(group);
            tokio::spawn(supervise(child, group, dropped));
        }
        let stream = ProxyStream { input, output, first: Vec::new(), _alive: alive };
        Ok(Proxy { stream, errors: Errors { said, listening } })
    }
}

/// A text of an SSH configuration in which `%%` stands for `%`, and each other token for its value.
///
/// # Errors
/// This token has no value.
pub fn expand_tokens(text: &str, value: impl Fn(char) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            expanded.push(next);
            continue;
        }
        match rest.next() {
            Some('%') => expanded.push('%'),
            Some(token) => expanded.push_str(&value(token).ok_or_else(|| format!("%{token}"))?),
            None => return Err("%".to_owned()),
        }
    }
    Ok(expanded)
}

impl fmt::Debug for ProxyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A command may contain a password for a proxy.
        f.write_str("ProxyCommand")
    }
}

/// Kills the processes of all `ProxyCommand`s, waits until they have ended, and reaps them, because a
/// container may have no init process that does. To be called before spore ends, when connections
/// may still be open.
pub fn end_proxy_commands() {
    let mut groups = groups();
    groups.iter().for_each(|group| group.signal(Signal::HUP));
    await_end(&groups, LAST_GRACE);
    groups.iter().for_each(|group| group.signal(Signal::KILL));
    await_end(&groups, GRACE);
    groups.retain(|group| !group.is_reaped());
}

fn await_end(groups: &BTreeSet<Group>, patience: Duration) {
    let until = Instant::now() + patience;
    while groups.iter().any(|group| !group.has_ended()) && Instant::now() < until {
        std::thread::sleep(GLANCE);
    }
}

/// A running command.
pub(super) struct Proxy {
    pub(super) stream: ProxyStream,
    pub(super) errors: Errors,
}

/// What a command writes to its standard error.
pub(super) struct Errors {
    said: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

impl Errors {
    /// The last lines of a command that has failed.
    pub(super) async fn last_words(self) -> Untrusted {
        let _ = timeout(LAST_WORDS, self.listening).await;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Untrusted::of_bytes(said.trim_ascii())
    }
}

async fn listen(mut errors: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let excess = said.len().saturating_sub(SAID);
        said.drain(..excess);
    }
}

/// The process group of a command, whose leader hasn't been reaped, so that its number can't
/// belong to another group.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Group(Pid);

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Group {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_raw_nonzero().cmp(&other.0.as_raw_nonzero())
    }
}

impl Group {
    fn of(child: &Child) -> Option<Self> {
        Pid::from_raw(i32::try_from(child.id()?).ok()?).map(Self)
    }

    fn signal(self, signal: Signal) {
        // The group may have ended already.
        let _ = kill_process_group(self.0, signal);
    }

    /// Whether the leader has ended. This doesn't reap it.
    fn has_ended(self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.0), options), Ok(None))
    }

    /// Reaps the leader if it has ended.
    fn is_reaped(self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.0), options), Ok(None))
    }
}

/// Waits until the command's stream has been dropped, and then ends and reaps the command. As long as
/// its group is in [`GROUPS`], it isn't reaped, so that the number of the group stays its own.
async fn supervise(mut child: Child, group: Group, dropped: oneshot::Receiver<()>) {
    let signal = |signal| {
        if groups().contains(&group) {
            group.signal(signal);
        }
    };
    let _ = dropped.await;
    signal(Signal::HUP);
    let until = Instant::now() + GRACE;
    while !group.has_ended() && Instant::now() < until {
        sleep(GLANCE).await;
    }
    signal(Signal::KILL);
    while !group.has_ended() {
        sleep(GLANCE).await;
    }
    let mut groups = groups();
    if groups.remove(&group) {
        let _ = child.try_wait();
    }
}

/// The standard input and output of a command. Dropping it ends the command.
pub(super) struct ProxyStream {
    input: ChildStdin,
    output: ChildStdout,
    /// What was read by [`ProxyStream::ready`].
    first: Vec<u8>,
    _alive: oneshot::Sender<()>,
}

impl ProxyStream {
    /// Waits until the command has written something. An SSH server speaks first, so a command
    /// that is silent hasn't connected. Returns early if the command closes its output.
    pub(super) async fn ready(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        let read = self.output.read(&mut buffer).await?;
        self.first.extend_from_slice(buffer.get(..read).unwrap_or_default());
        Ok(())
    }
}

impl AsyncRead for ProxyStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if stream.first.is_empty() {
            return Pin::new(&mut stream.output).poll_read(cx, buf);
        }
        let fitting = stream.first.len().min(buf.remaining());
        buf.put_slice(&stream.first.drain(..fitting).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ProxyStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().input).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().input).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().input).poll_shutdown(cx)
    }
}
