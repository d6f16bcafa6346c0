//! Lays a plan's words out as text.

use super::super::{Style, Tone};
use super::{counted_list, hosts};
use crate::plan::file::{
    Kind, LastApply, MissingEntry, OriginEntry, PlanPage, PlannedChange, ResourceType, UncomparedEntry,
};
use crate::resource::Printable;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// The whole page. Each line ends with a line break.
pub fn text(page: &PlanPage, style: Style) -> String {
    let mut layout = Layout { page, style, out: String::new() };
    layout.unplanned();
    layout.overridden();
    layout.forgotten();
    layout.uncompared();
    layout.destructive();
    layout.changes();
    layout.order();
    layout.notes();
    layout.line(&page.summary);
    layout.out
}

struct Layout<'a> {
    page: &'a PlanPage,
    style: Style,
    out: String,
}

impl Layout<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// A part of the page, and the empty line after it.
    fn end(&mut self, is_empty: bool) {
        if !is_empty {
            self.line("");
        }
    }

    fn paint(&self, tone: Tone, text: impl Display) -> String {
        self.style.paint(tone, text)
    }

    fn unplanned(&mut self) {
        for found in &self.page.unplanned {
            let name = self.paint(Tone::Bad, format!("{}: not planned", found.host));
            self.line(&format!("{name}: {}; {}", found.why, found.help));
        }
        self.end(self.page.unplanned.is_empty());
    }

    fn overridden(&mut self) {
        for found in &self.page.overridden {
            let name = self.paint(Tone::Bad, format!("{}: {}", found.host, found.unit));
            self.line(&format!("{name}: {}", found.text));
        }
        self.end(self.page.overridden.is_empty());
    }

    fn forgotten(&mut self) {
        for found in &self.page.forgotten {
            let name = self.paint(Tone::Bad, format!("{} ({})", found.host, found.address));
            let nodes: Vec<&str> = found.nodes.iter().map(Printable::as_str).collect();
            self.line(&format!("{name}: {}; its nodes: {}", found.text, nodes.join(", ")));
        }
        self.end(self.page.forgotten.is_empty());
    }

    fn uncompared(&mut self) {
        let PlanPage { missing, uncompared, .. } = self.page;
        for MissingEntry { secret, place, generated } in missing {
            let place = place.as_ref().map(|place| format!(" ({}:{})", place.file, place.line));
            let name = match generated {
                true => self.paint(Tone::Strong, "peer id known after key generation"),
                false => self.paint(Tone::Bad, "secret not available"),
            };
            self.line(&format!("{name}: {secret}{}", place.unwrap_or_default()));
        }
        for found in uncompared {
            self.line(&format!("  {}", not_compared(found)));
        }
        self.end(missing.is_empty());
    }

    fn destructive(&mut self) {
        if self.page.destructive.is_empty() {
            return;
        }
        let heading = self.paint(Tone::Strong, "destructive");
        self.line(&heading);
        for change in &self.page.destructive {
            let text = self.paint(Tone::Bad, format!("  ! {}", change.text));
            self.line(&text);
        }
        self.line("");
    }

    fn changes(&mut self) {
        for changes in self.page.changes.chunk_by(|one, next| one.host == next.host) {
            let Some(first) = changes.first() else { continue };
            let mut heading = self.paint(Tone::Strong, &first.host);
            let known = |change: &&PlannedChange| change.origin != OriginEntry::Unknown;
            // The origin of a host's changes is in its heading if they all have the same.
            let origins: BTreeSet<OriginEntry> =
                changes.iter().filter(known).map(|change| change.origin).collect();
            let common = origins.iter().next().filter(|_| origins.len() == 1).copied();
            if let Some(since) = common.and_then(|origin| since(self.page, &first.host, origin)) {
                heading += &self.paint(Tone::Faint, format!("  {since}"));
            }
            self.line(&heading);
            self.new_directories(changes);
            for change in changes.iter().filter(|change| !is_new_directory(change)) {
                self.out.push_str(&self::change(change, self.style));
                let since = since(self.page, &change.host, change.origin);
                if let Some(since) = since.filter(|_| common.is_none()) {
                    let since = self.paint(Tone::Faint, since);
                    self.line(&format!("      {since}"));
                }
            }
            self.line("");
        }
    }

    /// New directories with the same owner and mode share one line, because there are many.
    fn new_directories(&mut self, changes: &[PlannedChange]) {
        let mut by_access: BTreeMap<&Printable, Vec<&str>> = BTreeMap::new();
        for change in changes.iter().filter(|change| is_new_directory(change)) {
            by_access.entry(&change.text).or_default().push(&change.resource);
        }
        for (access, paths) in by_access.iter().rev() {
            let sign = self.paint(Tone::Good, '+');
            self.line(&format!("  {sign} {}  {access}", paths.join(" ")));
        }
    }

    fn order(&mut self) {
        let (staged, waves) = (self.page.stage.len(), &self.page.waves);
        if staged == 0 && waves.is_empty() {
            return;
        }
        let heading = self.paint(Tone::Strong, "order");
        self.line(&heading);
        if staged > 0 {
            self.line(&format!(
                "  stage   {}: files are written next to their destinations and checked",
                hosts(staged)
            ));
        }
        for (wave, number) in waves.iter().zip(1..) {
            self.line(&format!("  wave {number:<3}{}: {}", wave.purpose, wave.who));
        }
        self.line("");
    }

    fn notes(&mut self) {
        for note in &self.page.notes {
            self.line(&format!("note: {note}"));
        }
        for refusal in &self.page.refusals {
            let text = self.paint(Tone::Bad, format!("refused: {refusal}"));
            self.line(&text);
        }
        self.end(self.page.notes.is_empty() && self.page.refusals.is_empty());
    }
}

/// Example: `not compared: identity in /tb/config/all.yaml on h1, h2`.
pub(in crate::render) fn not_compared(found: &UncomparedEntry) -> String {
    let UncomparedEntry { resource, fields, hosts } = found;
    let fields = match fields.is_empty() {
        true => String::new(),
        false => format!("{} in ", counted_list(fields.iter().map(ToString::to_string))),
    };
    let hosts = counted_list(hosts.iter().map(ToString::to_string));
    format!("not compared: {fields}{resource} on {hosts}")
}

/// Changes without their heading. Each line ends with a line break.
pub(in super::super) fn text_of_changes(changes: &[PlannedChange], style: Style) -> String {
    changes.iter().map(|change| self::change(change, style)).collect()
}

fn change(change: &PlannedChange, style: Style) -> String {
    let sign = match change.kind {
        Kind::Create | Kind::Start => style.paint(Tone::Good, '+'),
        Kind::Change | Kind::Restart => style.paint(Tone::Change, '~'),
        Kind::Remove => style.paint(Tone::Bad, '-'),
    };
    let line = format!("  {sign} {}  {}", change.resource, change.text);
    let mut out = format!("{}\n", line.trim_end());
    for detail in &change.details {
        let tone = match detail.as_bytes() {
            [b'+', ..] => Some(Tone::Good),
            [b'-', ..] => Some(Tone::Bad),
            [b'@', ..] => Some(Tone::Faint),
            _ => None,
        };
        let detail = tone.map_or_else(|| detail.to_string(), |tone| style.paint(tone, detail));
        out.push_str(&format!("      {detail}\n"));
    }
    out
}

/// Example: `changed on the host since the apply of 2026-11-27T20:36:22Z`.
pub(in crate::render) fn since(page: &PlanPage, host: &Printable, origin: OriginEntry) -> Option<String> {
    let what = match origin {
        OriginEntry::Folder => "in the folder",
        OriginEntry::Host => "on the host",
        OriginEntry::Both => "on the host and in the folder",
        OriginEntry::Unknown => return None,
    };
    let LastApply { at, .. } = page.applied.get(host)?.as_ref()?;
    Some(format!("changed {what} since the apply of {at}"))
}

fn is_new_directory(change: &PlannedChange) -> bool {
    change.of == ResourceType::Directory && change.kind == Kind::Create
}
