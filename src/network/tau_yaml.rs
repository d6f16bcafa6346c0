//! The tau that the network runs: `tau.yaml`.

use super::At;
use super::fields::{Fields, Item, Slot, shown_name};
use super::problem::{Diagnostic, Read, Report};
use crate::resource::Sha256;
use std::collections::BTreeMap;

/// The tau of one architecture.
#[derive(Clone, Debug)]
pub struct TauPin {
    /// As written: a URL, or a path, absolute or relative to the folder.
    pub source: At<String>,
    /// Whether that was `url:` rather than `path:`.
    pub is_url: bool,
    /// The digest of the file as it is there.
    pub sha256: At<Sha256>,
    /// The digest of the `tau` inside, where the file is an archive.
    pub binary: Option<Sha256>,
}

/// Reads the pins, by architecture as written.
pub(super) fn read(fields: Fields<'_>, report: &mut Report) -> Read<BTreeMap<String, TauPin>> {
    let mut pins = Ok(BTreeMap::new());
    for slot in fields.slots {
        match (read_pin(&slot, report), &mut pins) {
            (Ok(pin), Ok(pins)) => {
                pins.insert(slot.name.to_owned(), pin);
            }
            (Err(reported), _) => pins = Err(reported),
            (Ok(_), Err(_)) => {}
        }
    }
    pins
}

fn read_pin(slot: &Slot<'_>, report: &mut Report) -> Read<TauPin> {
    let shown = shown_name(&slot.place, slot.name);
    let mut fields = slot.item.fields(&format!("tau for `{shown}`"), report)?;
    let url = fields.take("url").map(|item| (item, item.text("a URL", report)));
    let path = fields.take("path").map(|item| (item, item.text("the path of a file", report)));
    let is_url = url.is_some();
    let source = match (url, path) {
        (Some((url, _)), Some((path, _))) => {
            let problem = Diagnostic::error(format!("tau for `{shown}` has both `url` and `path`"));
            let problem = problem.at(&url.place(), "this").at(&path.place(), "and this");
            Err(report.push(problem.help("keep one of the two")))
        }
        (Some((item, text)), None) | (None, Some((item, text))) => text.map(|text| item.at(text.to_owned())),
        (None, None) => Err(fields.missing(&["url", "path"], "url: https://…` or `path: bin/tau")),
    };
    let sha256 =
        fields.need("sha256", "sha256: <what `sha256sum` prints>").and_then(|item| digest(item, report));
    let binary = fields.take("binary").map(|item| digest(item, report)).transpose();
    fields.finish(report);
    Ok(TauPin { source: source?, is_url, sha256: sha256?, binary: binary?.map(|digest| digest.value) })
}

fn digest(item: Item<'_>, report: &mut Report) -> Read<At<Sha256>> {
    let text = item.text("a SHA-256 digest", report)?;
    text.parse().map(|digest| item.at(digest)).map_err(|_| {
        let help = "64 hexadecimal digits, as `sha256sum` prints them";
        item.wrong("not a SHA-256 digest", "this", help, report)
    })
}
