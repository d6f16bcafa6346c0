//! Renders the outcome of an apply: what failed, what was skipped and why, and a summary
//! line that begins with `apply:` and the worst result.

use super::plan::{applied as made, forgotten, listed, overridden, unplanned};
use super::{Style, Tone};
use crate::plan::scheduler::{SkipReason, Skipped};
use crate::plan::{Applied, Group, Plan, Wrong};
use crate::resource::{HostName, NodeName};
use std::collections::{BTreeMap, BTreeSet};

/// The whole outcome. Each line ends with a line break. `command` is the command that
/// resumes the apply.
pub fn conclusion(applied: &Applied, plan: &Plan, command: &str, style: Style) -> String {
    let mut out = String::new();
    let sign = style.paint(Tone::Bad, "failed");
    for (host, failure) in &applied.failed {
        let action = failure.action.as_ref().map(|action| format!(" {}", super::action(action)));
        // The details were printed when the action failed.
        let what = wrong(&failure.what);
        let what = what.lines().next().unwrap_or_default().trim_end_matches("; its journal ends:");
        out.push_str(&format!("{sign} {host}{}: {what}\n", action.unwrap_or_default()));
    }
    for node in &applied.died {
        out.push_str(&format!("{sign} {}: {}\n", node.host, died(node)));
    }
    for id in &applied.without_effect {
        let why = match plan.changes.get(id) {
            Some(_) => {
                "still differs from the plan after the apply: something on the host undoes or overrides the \
                 change; `spore plan` shows the difference"
            }
            None => "changed during the apply; `spore plan` shows how",
        };
        out.push_str(&format!("{sign} {}: {} {why}\n", id.host, id.key));
    }
    // A failed host is reported above, so what was skipped on it isn't listed again.
    let skipped: Vec<Skipped> =
        applied.skipped.iter().filter(|skipped| skipped.why != SkipReason::HostFailed).cloned().collect();
    for line in skips(&skipped) {
        out.push_str(&format!("skipped {line}\n"));
    }
    if !applied.is_complete(plan) {
        let needs_others =
            |skipped: &Skipped| matches!(skipped.why, SkipReason::LastHealthy { .. } | SkipReason::NoElderUp);
        let fix = match applied.is_only_stale() {
            true if applied.skipped.iter().any(needs_others) => "bring the other nodes up, then ",
            true => "",
            false => "fix the failure, then ",
        };
        out.push_str(&format!("{fix}resume with: {command}\n"));
    }
    out.push_str(&outcome(applied, plan));
    out.push('\n');
    out
}

/// A failure on a host, for example `failed h1: can't write the receipt`, with a line break.
pub fn failure(host: &HostName, what: &Wrong) -> String {
    format!("failed {host}: {}\n", wrong(what).replace('\n', " "))
}

fn wrong(what: &Wrong) -> String {
    match what {
        Wrong::Differs(differs) => super::differs::differs(differs),
        Wrong::NoContent(path) => super::action::no_content(path),
        Wrong::Failed(text) => text.to_string(),
        Wrong::Host(error) => super::host_error(error),
        Wrong::Receipt(why) => format!("can't write the receipt of the apply: {why}"),
        Wrong::NotLocked => "the host isn't locked by this apply".to_owned(),
        Wrong::Unchecked(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(|reason| super::why(reason).to_string()).collect();
            format!("the result of the apply can't be checked: {}", reasons.join("; "))
        }
    }
}

/// The last line, for example `apply: 1 host failed (h4); 2 changes failed; 12 changes
/// skipped (h4, h5); 3 created`. Each change of the plan is counted once.
pub fn outcome(applied: &Applied, plan: &Plan) -> String {
    let failed = applied.failed_hosts();
    let skipped = applied.skipped_changes(plan);
    let skipped_hosts: BTreeSet<&HostName> = skipped.iter().map(|id| &id.host).collect();
    let mut parts = Vec::new();
    let plural = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    if applied.interrupted {
        parts.push("interrupted".to_owned());
    }
    if !failed.is_empty() {
        parts.push(format!("{} failed ({})", plural(failed.len(), "host"), listed(failed.iter().copied())));
    }
    let failed_changes = applied.failed_changes(plan);
    if !failed_changes.is_empty() {
        parts.push(format!("{} failed", plural(failed_changes.len(), "change")));
    }
    if !skipped.is_empty() {
        let hosts = listed(skipped_hosts.iter().copied());
        parts.push(format!("{} skipped ({hosts})", plural(skipped.len(), "change")));
    }
    if !plan.unplanned.is_empty() {
        parts.push(format!("{} ({})", unplanned(plan), listed(plan.unplanned.keys())));
    }
    if !plan.overridden.is_empty() {
        parts.push(overridden(plan.overridden.len()));
    }
    parts.extend(forgotten(plan));
    parts.push(made(plan, &applied.made(plan)));
    if failed.is_empty() {
        parts.push("0 failed".to_owned());
    }
    if skipped.is_empty() {
        parts.push("0 skipped".to_owned());
    }
    format!("apply: {}", parts.join("; "))
}

/// Example: `elders@h1 crashed or was restarted after its wave`.
pub fn died(node: &NodeName) -> String {
    format!("{node} crashed or was restarted after its wave")
}

/// One line for each reason, for example `h4, h5 (waves 2, 3): the canary on h3 failed`.
pub fn skips(skipped: &[Skipped]) -> Vec<String> {
    let mut by_reason: BTreeMap<&SkipReason, (BTreeSet<&HostName>, BTreeSet<usize>)> = BTreeMap::new();
    for Skipped { wave, host, why } in skipped {
        let (hosts, waves) = by_reason.entry(why).or_default();
        hosts.insert(host);
        waves.insert(wave + 1);
    }
    let line = |(why, (hosts, waves)): (&SkipReason, (BTreeSet<&HostName>, BTreeSet<usize>))| {
        let plural = if waves.len() == 1 { "" } else { "s" };
        let waves: Vec<String> = waves.iter().map(ToString::to_string).collect();
        format!("{} (wave{plural} {}): {}", listed(hosts.into_iter()), waves.join(", "), reason(why))
    };
    by_reason.into_iter().map(line).collect()
}

/// Why a host's part of a wave was skipped.
pub fn reason(why: &SkipReason) -> String {
    match why {
        SkipReason::HostFailed => "the host failed earlier".to_owned(),
        SkipReason::NotStaged(hosts) => {
            format!("nothing is switched, because staging failed on {}", listed(hosts.iter()))
        }
        SkipReason::RotationWithout(hosts) => {
            format!("{} failed, and the swarm key is replaced on all hosts or on none", listed(hosts.iter()))
        }
        SkipReason::NoElderUp => "no elder is up at an address that these nodes would dial".to_owned(),
        SkipReason::LastHealthy { node, group, down } => {
            let down: Vec<String> = down.iter().map(ToString::to_string).collect();
            format!("{node} is {}: {} {} down or unstable", last(group), down.join(", "), are(down.len()))
        }
        SkipReason::ElderFailed(host) => format!("the elder on {host} failed"),
        SkipReason::CanaryFailed(host) => format!("the canary on {host} failed"),
        SkipReason::Failures(hosts) => {
            format!("{} failed, and --max-failures allows no more failures", listed(hosts.iter()))
        }
        SkipReason::Incomplete => "nothing is removed until everything else is done".to_owned(),
        SkipReason::Interrupted => "interrupted".to_owned(),
    }
}

/// Example: `the last healthy elder`.
pub(super) fn last(group: &Group) -> String {
    match group {
        Group::Elders => "the last healthy elder".to_owned(),
        Group::Shape(shape) => format!("the last healthy node of shape {shape}"),
    }
}

pub(super) fn are(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}
