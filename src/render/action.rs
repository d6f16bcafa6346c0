//! Renders an action, and how it ended, as one line. A failure is followed by the host's
//! message.

use super::{Style, Tone};
use crate::artifact::HostDownload;
use crate::plan::action::{Action, LinkBefore, Running};
use crate::plan::wire::Outcome;
use crate::resource::{HostName, Printable, Sha256, Size};

/// How an action ended, for example `  ✓ host1 restart tau@elders.service`. Each line ends
/// with a line break.
pub fn ended(host: &HostName, action: &Action, outcome: &Outcome, style: Style) -> String {
    let what = self::action(action);
    match outcome {
        Outcome::Done => format!("  {} {host} {what}\n", style.paint(Tone::Good, "✓")),
        Outcome::Already => {
            format!(
                "  {} {host} {what} {}\n",
                style.paint(Tone::Good, "✓"),
                style.paint(Tone::Faint, "(already done)")
            )
        }
        Outcome::Differs(differs) => {
            let text = indented(&super::differs::differs(differs));
            format!(
                "  {} {host} {what}: not done; run `spore plan` again\n{text}",
                style.paint(Tone::Bad, "✗")
            )
        }
        Outcome::NoContent { path } => {
            format!("  {} {host} {what}\n{}", style.paint(Tone::Bad, "✗"), indented(&no_content(path)))
        }
        Outcome::Failed { text } => {
            format!("  {} {host} {what}\n{}", style.paint(Tone::Bad, "✗"), indented(text))
        }
    }
}

/// Why an action didn't succeed; empty if it did.
pub fn failed_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done | Outcome::Already => String::new(),
        Outcome::Differs(differs) => super::differs::differs(differs),
        Outcome::NoContent { path } => no_content(path),
        Outcome::Failed { text } => text.to_string(),
    }
}

/// How much of a file has been moved.
#[derive(Clone, Copy, Debug)]
pub enum Moved {
    /// So many bytes have been sent, of so many.
    Sent {
        /// The bytes so far.
        sent: u64,
        /// The bytes in all.
        total: u64,
    },
    /// The host has downloaded so many bytes.
    Downloaded(u64),
}

/// What a long action is doing, for example `restart tau@elders.service, until healthy`.
pub fn waiting(action: &Action, moved: Option<Moved>) -> String {
    let what = self::action(action);
    match (action, moved) {
        (Action::Start { health: Some(_), .. }, _) => format!("{what}, until healthy"),
        (_, Some(Moved::Sent { sent, total })) => {
            format!("{what}, {} of {} sent", Size(sent), Size(total))
        }
        (_, Some(Moved::Downloaded(bytes))) => format!("{what}, {} downloaded", Size(bytes)),
        _ => what,
    }
}

/// Example: `can't fetch /tb/bin/tau, so spore tries to send it: https://example.org/tau: HTTP 404`.
pub fn not_fetched(action: &Action, why: &Printable) -> String {
    let path = action.staged().map(|file| file.path.as_str()).unwrap_or_default();
    format!("can't fetch {path}, so spore tries to send it: {why}")
}

/// Example: `from https://example.org/tau or 2 mirrors`. The queries of URLs aren't shown.
pub(super) fn from(download: &HostDownload) -> String {
    let mut urls = download.urls.iter();
    let first = urls.next().map(ToString::to_string).unwrap_or_default();
    match urls.len() {
        0 => format!("from {first}"),
        1 => format!("from {first} or a mirror"),
        n => format!("from {first} or {n} mirrors"),
    }
}

pub(super) fn no_content(path: &str) -> String {
    format!("spore doesn't have the content of {path}")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("      {line}\n")).collect()
}

/// An action, for example `restart tau@elders.service`.
pub fn action(action: &Action) -> String {
    match action {
        Action::Install { package, unfinished: _ } => format!("install {package}"),
        Action::MakeDirectory { path, access } => format!("create {path} ({access})"),
        Action::SetAccess { path, before: _, after } => format!("set {path} to {after}"),
        Action::Stage(file) => format!("stage {}", file.path),
        Action::Fetch { file, download } => format!("fetch {} {}", file.path, from(download)),
        Action::Verify { command, staged: _, version: _ } => format!("verify: {}", command.join(" ")),
        Action::Place { file, before: None, keep: _ } => format!("write {}", file.path),
        Action::Place { file, before: Some(_), keep: _ } => format!("replace {}", file.path),
        Action::Link { path, before: LinkBefore::File(_), target } => {
            format!("link {path} → {target}, keeping the existing file")
        }
        Action::Link { path, before: _, target } => format!("link {path} → {target}"),
        Action::Remove { path, before: _ } => format!("remove {path}"),
        Action::Purge { path, before: _ } => format!("remove {path} with its contents"),
        Action::Allow(port) => format!("ufw allow {port}"),
        Action::Disallow(port) => format!("ufw delete allow {port}"),
        Action::Reload { files: _ } => "systemctl daemon-reload".to_owned(),
        Action::Enable { unit } => format!("enable {unit}"),
        Action::Disable { unit, enabled: _ } => format!("disable {unit}"),
        Action::Record { unit, .. } => format!("record what {unit} was started with"),
        Action::Start { unit, before: Running::Stopped, health: _, fallback: _ } => {
            format!("start {unit}")
        }
        Action::Start { unit, before: _, health: _, fallback: _ } => format!("restart {unit}"),
        Action::Await { unit, health: _, fallback: _ } => format!("wait until {unit} is healthy"),
        Action::Stop { unit, before: _ } => format!("stop {unit}"),
    }
}

/// The state that an action expects to find, and without which it does nothing. `None` if it
/// accepts any.
pub(super) fn expects(action: &Action) -> Option<String> {
    let running = |unit: &str, before: &Running| match before {
        Running::Stopped => format!("{unit} is stopped"),
        Running::Invocation(id) => format!("{unit} is in the start {id}"),
        Running::Failing => format!("{unit} isn't healthy"),
    };
    let file = |sha256: &Sha256| format!("a file with sha256 {sha256}");
    Some(match action {
        Action::Install { package: _, unfinished: true } => "an unfinished installation".to_owned(),
        Action::Install { package, unfinished: false } => format!("{package} isn't installed"),
        Action::MakeDirectory { .. } => "nothing at this path".to_owned(),
        Action::SetAccess { path: _, before, after: _ } => before.to_string(),
        Action::Stage(_) | Action::Fetch { .. } => return None,
        Action::Verify { .. } => "the files are staged".to_owned(),
        Action::Place { file: _, before: Some(before), keep: _ } | Action::Remove { path: _, before } => {
            file(before)
        }
        Action::Place { file: _, before: None, keep: _ } => "nothing at this path".to_owned(),
        Action::Link { path: _, before, target: _ } => match before {
            LinkBefore::Absent => "nothing at this path".to_owned(),
            LinkBefore::Link(target) => format!("a link to {}", Printable::line(target)),
            LinkBefore::File(sha256) => file(sha256),
        },
        Action::Purge { path: _, before } => format!("the directory with device:inode {before}"),
        Action::Allow(_) => "no rule for this port".to_owned(),
        Action::Disallow(_) => "the rule that spore has added".to_owned(),
        Action::Reload { .. } => "systemd has loaded other versions of these files".to_owned(),
        Action::Enable { unit } => format!("{unit} isn't enabled"),
        Action::Disable { unit, enabled: true } => format!("{unit} is enabled"),
        Action::Disable { unit, enabled: false } => format!("{unit} isn't enabled"),
        Action::Record { unit, invocation, inputs: _ } => format!("{unit} is in the start {invocation}"),
        Action::Start { unit, before, .. } | Action::Stop { unit, before } => running(unit, before),
        Action::Await { unit, .. } => format!("{unit} has been started"),
    })
}
