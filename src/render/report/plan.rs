//! A plan as a [`Report`]: what prevents it, what it destroys, what to know about it, and
//! then the changes of each host.

use super::{Item, Level, Place, Region, Report, Rule};
use crate::plan::file::{Kind, PlaceEntry, PlanPage, PlannedChange};
use crate::render::{not_compared, since};
use crate::resource::Printable;
use std::collections::BTreeMap;

macro_rules! rules {
    ($($name:ident = $id:literal, $title:literal, $why:literal;)*) => {
        $(const $name: Rule = Rule { id: $id, title: $title, why: $why };)*
        const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    REFUSED = "plan/refused",
        "the plan can't be applied",
        "Applying it would harm the network.";
    UNPLANNED = "plan/not-planned",
        "a host couldn't be planned",
        "Nothing is known about the host, and nothing is changed on it.";
    DESTRUCTIVE = "plan/destructive",
        "a change can't be undone",
        "It needs your consent: `--allow-destructive` if `apply` has no terminal to prompt on.";
    OVERRIDDEN = "plan/overridden",
        "something on a host overrides the folder",
        "spore leaves drop-ins alone, so no apply can change this.";
    FORGOTTEN = "plan/forgotten",
        "a host was deleted from the folder, but not retired",
        "Its nodes may still run, with the network's keys.";
    MISSING = "plan/secret-not-available",
        "a secret isn't available where the plan is made",
        "What depends on it isn't compared, and the plan can't be applied.";
    UNCOMPARED = "plan/not-compared",
        "something on hosts wasn't compared with the folder",
        "It depends on a secret that isn't available where the plan is made.";
    LOCKED = "plan/locked",
        "another apply is running on a host",
        "The plan may show the other apply half done.";
    NOTE = "plan/note",
        "something to know before applying the plan",
        "";
    CREATE = "plan/create", "something is created", "";
    CHANGE = "plan/change", "something is changed", "";
    REMOVE = "plan/remove", "something is removed", "";
    START = "plan/start", "a unit is started", "";
    RESTART = "plan/restart", "a unit is restarted", "";
}

/// A report of a plan. `folder` is the path of the folder relative to the root of its
/// repository.
pub fn plan(page: &PlanPage, folder: String) -> Report {
    let PlanPage { unplanned, forgotten, locked, overridden, destructive, changes, notes, refusals, .. } =
        page;
    let PlanPage { missing, uncompared, .. } = page;
    // A host may have several changes of one resource that are destructive.
    let mut destroyed: BTreeMap<_, Vec<&Printable>> = BTreeMap::new();
    for found in destructive {
        destroyed.entry((&found.host, &found.resource)).or_default().push(&found.text);
    }
    let words = |found: &PlannedChange| change(found, since(page, &found.host, found.origin));
    let (mut first, mut others) = (Vec::new(), Vec::new());
    for change in changes {
        match destroyed.remove(&(&change.host, &change.resource)) {
            Some(texts) => first.extend(texts.into_iter().map(|text| Item {
                level: Level::Warning,
                group: None,
                message: text.to_string(),
                rule: DESTRUCTIVE,
                ..words(change)
            })),
            None => others.push(words(change)),
        }
    }
    let mut items: Vec<Item> = refusals.iter().map(|text| item(REFUSED, Level::Error, text)).collect();
    items.extend(unplanned.iter().map(|found| Item {
        host: Some(found.host.to_string()),
        help: Some(found.help.to_string()),
        places: found.place.iter().map(place).collect(),
        ..item(UNPLANNED, Level::Error, &found.why)
    }));
    items.append(&mut first);
    items.extend(overridden.iter().map(|found| Item {
        host: Some(found.host.to_string()),
        ..item(OVERRIDDEN, Level::Warning, &format!("`{}`: {}", found.unit, found.text))
    }));
    items.extend(forgotten.iter().map(|found| Item {
        host: Some(found.host.to_string()),
        ..item(FORGOTTEN, Level::Warning, &found.text)
    }));
    items.extend(missing.iter().map(|found| Item {
        places: found.place.iter().map(place).collect(),
        ..item(MISSING, Level::Note, &format!("{}: {}", what(found.generated), found.secret))
    }));
    items.extend(uncompared.iter().map(|found| item(UNCOMPARED, Level::Note, &not_compared(found))));
    items.extend(locked.iter().map(|(host, holder)| Item {
        host: Some(host.to_string()),
        ..item(LOCKED, Level::Warning, &format!("locked by {holder}"))
    }));
    items.extend(notes.iter().map(|text| item(NOTE, Level::Note, text)));
    items.append(&mut others);
    let verdict = page.summary.strip_prefix("plan: ").unwrap_or(&page.summary).to_owned();
    Report {
        command: "plan",
        verdict,
        about: Vec::new(),
        folder,
        what: "change",
        rules: RULES.to_vec(),
        items,
        fails_at: Level::Error,
    }
}

pub(super) fn item(rule: Rule, level: Level, message: &str) -> Item {
    Item {
        rule,
        level,
        message: message.to_owned(),
        help: None,
        places: Vec::new(),
        host: None,
        group: None,
        excerpt: String::new(),
    }
}

/// `since` is where the difference comes from.
pub(super) fn change(change: &PlannedChange, since: Option<String>) -> Item {
    let (rule, verb) = match change.kind {
        Kind::Create => (CREATE, "create"),
        Kind::Change => (CHANGE, "change"),
        Kind::Remove => (REMOVE, "remove"),
        Kind::Start => (START, "start"),
        Kind::Restart => (RESTART, "restart"),
    };
    let details = change.details.iter().map(ToString::to_string);
    let excerpt = details.chain(since).map(|line| line + "\n");
    let mut message = format!("{verb} `{}`", change.resource);
    if !change.text.is_empty() {
        message.push_str(&format!(": {}", change.text));
    }
    Item {
        host: Some(change.host.to_string()),
        group: Some(change.host.to_string()),
        places: change.place.iter().map(place).collect(),
        excerpt: excerpt.collect(),
        ..item(rule, Level::Note, &message)
    }
}

fn place(place: &PlaceEntry) -> Place {
    let PlaceEntry { file, line, column } = place;
    let region = Region { line: *line, column: *column, end: None };
    Place { file: file.to_string(), region: Some(region), label: String::new() }
}

/// Why a secret isn't available.
fn what(is_generated: bool) -> &'static str {
    if is_generated { "peer id known after key generation" } else { "secret not available" }
}
