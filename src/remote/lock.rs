//! The lock of a host, and the heartbeat that keeps it.
//!
//! `lock.sh` is the host's side. The controller sends the heartbeat on a separate channel,
//! so that neither a long action nor a large file delays it.

use super::limits::RemoteLimits;
use super::shell::{Line, Shell, bare, driver};
use crate::plan::wire::quote;
use crate::plan::{During, Holder, HostError, Misfit, NoLock};
use crate::resource::{HostText, Redactor, Untrusted};
use crate::ssh::{Channel, ChannelError, Session};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

const LOCK: &str = include_str!("lock.sh");

/// The exit status of `lock.sh` if it released the lock because it missed the heartbeat.
pub(super) const GIVEN_UP: u8 = 75;

/// How often the host checks for a heartbeat within [`RemoteLimits::let_go`].
const LOOKS: u32 = 30;

/// The task that sends the heartbeat. Dropping this value stops the task.
#[derive(Debug)]
pub(super) struct Beats(JoinHandle<()>);

impl Drop for Beats {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes the lock. From then on `shell` talks to a second shell, which `lock.sh` has
/// started. The returned value keeps the lock.
pub(super) async fn take(
    shell: &mut Shell,
    session: &Arc<Session>,
    holder: &Holder,
    limits: &RemoteLimits,
) -> Result<Beats, HostError> {
    let step = (limits.let_go / LOOKS).max(Duration::from_millis(50));
    let words =
        [shell.marker(), &driver(), &holder.lines(), &step.as_secs_f64().to_string(), &LOOKS.to_string()];
    let words = words.map(quote).join(" ");
    let request = format!("exec setsid sh -c {} spore {words}\n", quote(&bare(LOCK)));
    shell.request(request.as_bytes(), During::Locking, limits.ready).await?;
    shell.ready(limits.ready).await?;
    let answered = timeout(limits.action, answer(shell)).await;
    let too_long = |_| HostError::TimedOut { during: During::Locking, after: limits.action };
    let directory = answered.map_err(too_long)??;
    let heart = Heart::begin(Arc::clone(session), format!("{directory}/beat"));
    let heart = timeout(limits.action, heart).await.map_err(too_long)??;
    // The interval is much shorter than `let_go`, so that a few late beats don't lose the
    // lock.
    let every = limits.beat.min(limits.let_go / 4).max(Duration::from_millis(20));
    Ok(Beats(tokio::spawn(heart.beat(every))))
}

/// Waits for the lock, and returns the directory for the heartbeat.
async fn answer(shell: &mut Shell) -> Result<String, HostError> {
    let (mut directory, mut held, mut ready) = (None, None, false);
    loop {
        let answer = match shell.lines.next().await {
            Ok(Line::Answer(answer)) => answer,
            Ok(Line::Other(noise)) => {
                shell.lines.note(&noise);
                continue;
            }
            Ok(Line::Prompt) => continue,
            Err(error) => return Err(shell.lines.none(During::Locking, error)),
        };
        match answer.parse(Said::parse) {
            // The host sends each of these answers at most once; a repeated one is
            // malformed.
            Some(Said::Ready) if !ready => ready = true,
            Some(Said::Locked(at)) if directory.is_none() => directory = Some(at),
            Some(Said::Held(by)) if held.is_none() => {
                let redactor = shell.lines.redactor();
                held = Some(Holder::parse(&redactor.open(&by), redactor));
            }
            Some(Said::End(status)) => {
                return Err(match held {
                    Some(holder) => HostError::Locked(holder),
                    None => HostError::NoLock(NoLock::File {
                        said: shell.lines.noise(),
                        status: shell.lines.shown(&status),
                    }),
                });
            }
            _ => return Err(malformed(Misfit::Unexpected(shell.lines.shown(&answer)))),
        }
        if let (Some(directory), true) = (&directory, ready) {
            return Ok(directory.clone());
        }
    }
}

/// What `lock.sh` reports.
enum Said {
    /// The shell reads requests.
    Ready,
    /// The host is locked, and the heartbeat goes to this directory.
    Locked(String),
    /// Another holds the lock, and has left this note.
    Held(Untrusted),
    /// The script has ended, with this status.
    End(Untrusted),
}

impl Said {
    fn parse(line: &str) -> Option<Self> {
        Some(match line.split_once(' ').unwrap_or((line, "")) {
            ("ready", _) => Self::Ready,
            ("locked", at) => Self::Locked(at.to_owned()),
            ("held", by) => Self::Held(Untrusted::of_bytes(&BASE64_STANDARD.decode(by).unwrap_or_default())),
            ("end", status) => Self::End(Untrusted::new(status)),
            _ => return None,
        })
    }
}

fn malformed(what: Misfit) -> HostError {
    HostError::Malformed { during: During::Locking, what }
}

/// Releases the lock. From then on `shell` talks to the first shell again.
pub(super) async fn release(shell: &mut Shell, limits: &RemoteLimits) -> Result<(), HostError> {
    let during = || During::Unlocking;
    let releasing = async {
        let end = Bytes::from_static(b"end\n");
        shell.send(end).await.map_err(|error| shell.lines.gone(during(), Some(error)))?;
        shell.lines.until_end(during(), limits.answer_limit).await
    };
    match timeout(limits.action, releasing).await {
        Ok(released) => released.map(drop),
        Err(_) => Err(HostError::TimedOut { during: during(), after: limits.action }),
    }
}

/// Writes the heartbeat to a file on the host, as the user that logged in and without sudo.
struct Heart {
    session: Arc<Session>,
    command: String,
    channel: Option<Channel>,
}

impl Heart {
    /// Opens the first channel. Fails if the host allows no second session, because the
    /// lock can't be kept without a heartbeat.
    async fn begin(session: Arc<Session>, file: String) -> Result<Self, HostError> {
        let command = r#"exec sh -c 'while IFS= read -r n; do echo "$n" >"$1"; done' spore "#;
        let command = format!("{command}{}", quote(&file));
        let opened = session.exec(&command).await;
        let channel = opened.map_err(|error| HostError::NoLock(NoLock::Session(error)))?;
        Ok(Self { session, command, channel: Some(channel) })
    }

    async fn beat(mut self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for n in 1_u64.. {
            ticks.tick().await;
            if self.channel.is_none() {
                self.channel = self.session.exec(&self.command).await.ok();
            }
            if let Some(open) = &mut self.channel {
                match open.writer.send(format!("{n}\n").into()).await {
                    Ok(()) => {}
                    Err(ChannelError::Lost(_)) => return,
                    Err(_) => self.channel = None,
                }
            }
        }
    }
}

impl Holder {
    fn lines(&self) -> String {
        let line = |text: &str| text.replace(['\n', '\0'], " ");
        let Self { who, pid, command, plan, since: _ } = self;
        format!("who {}\npid {pid}\ncommand {}\nplan {}", line(who), line(command), line(plan))
    }

    /// Parses the text that a holder of the lock wrote on the host. The text isn't trusted:
    /// unknown lines are ignored, and missing or invalid values stay at their defaults.
    pub fn parse(text: &HostText, redactor: &Redactor) -> Self {
        let mut holder = Self::default();
        for line in text.expose().lines() {
            match line.split_once(' ') {
                Some(("who", who)) => holder.who = redactor.line(who),
                Some(("pid", pid)) => holder.pid = pid.parse().unwrap_or_default(),
                Some(("command", command)) => holder.command = redactor.line(command),
                Some(("plan", plan)) => holder.plan = redactor.line(plan),
                Some(("since", since)) => holder.since = redactor.line(since),
                _ => {}
            }
        }
        holder
    }
}
