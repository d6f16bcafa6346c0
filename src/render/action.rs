//! Renders an action, and how it ended, as one line. A failure is followed by the host's
//! message.

use super::{Style, Tone};
use crate::plan::action::{Action, LinkBefore, Running};
use crate::plan::wire::Outcome;
use crate::resource::{HostName, Size};

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

/// What a long action is doing, for example `restart tau@elders.service, until healthy`.
/// `sent` is the number of bytes sent so far, and the total.
pub fn waiting(action: &Action, sent: Option<(u64, u64)>) -> String {
    let what = self::action(action);
    match (action, sent) {
        (Action::Start { health: Some(_), .. }, _) => format!("{what}, until healthy"),
        (_, Some((sent, total))) => format!("{what}, {} of {} sent", Size(sent), Size(total)),
        _ => what,
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
