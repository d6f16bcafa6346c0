//! The pinned tau binaries: `tau.yaml`.

use super::At;
use super::fields::{Fields, Item};
use super::problem::{Diagnostic, ProblemReport, Read, Reported};
use super::slot::Slot;
use crate::artifact::{Architecture, Pin, Source, UrlError};
use crate::resource::{Sha256, Version};
use std::collections::BTreeMap;

/// Reads the pins.
pub(super) fn read(fields: Fields<'_>, report: &mut ProblemReport) -> BTreeMap<Architecture, At<Pin>> {
    fields.slots.iter().filter_map(|slot| read_pin(slot, report).ok()).collect()
}

fn read_pin(slot: &Slot<'_>, report: &mut ProblemReport) -> Read<(Architecture, At<Pin>)> {
    let shown = slot.place.shown(slot.name);
    let architecture = slot.name.parse::<Architecture>().map_err(|_| {
        let names: Vec<&str> = Architecture::ALL.into_iter().map(Architecture::name).collect();
        let problem = Diagnostic::error(format!("`{shown}` is not a known architecture"));
        report.push(problem.at(&slot.place, "this").help(format!("use one of {}", names.join(", "))))
    });
    let mut fields = slot.item.fields(&format!("tau for `{shown}`"), report)?;
    let url = fields.take("url").map(|item| (item, item.text("a URL", report)));
    let path = fields.take("path").map(|item| (item, item.text("the path of a file", report)));
    let place = url.as_ref().or(path.as_ref()).map(|(item, _)| item.place()).ok_or(Reported);
    let source = match (url, path) {
        (Some((url, _)), Some((path, _))) => {
            let problem = Diagnostic::error(format!("tau for `{shown}` has both `url` and `path`"));
            let problem = problem.at(&url.place(), "this").at(&path.place(), "and this");
            Err(report.push(problem.help("keep one of the two")))
        }
        (Some((item, text)), None) => text.and_then(|text| {
            text.parse().map(Source::Url).map_err(|error: UrlError| {
                let help = error.help().unwrap_or_else(|| "`https://…`".to_owned());
                item.wrong(&error.to_string(), "this", &help, report)
            })
        }),
        (None, Some((item, text))) => text.and_then(|text| {
            Source::path(text).map_err(|error| {
                item.wrong(&error.to_string(), "this", &error.help().unwrap_or_default(), report)
            })
        }),
        (None, None) => Err(fields.missing(&["url", "path"], "url: https://…` or `path: bin/tau")),
    };
    let sha256 =
        fields.need("sha256", "sha256: <what `sha256sum` prints>").and_then(|item| digest(item, report));
    let binary = fields.take("binary").map(|item| digest(item, report)).transpose();
    let version = fields.take("version").map(|item| version(item, report)).transpose();
    fields.finish(report);
    let binary = binary?.map(|digest| digest.value);
    let value = Pin { source: source?, sha256: sha256?.value, binary, version: version? };
    Ok((architecture?, At { value, place: place? }))
}

fn version(item: Item<'_>, report: &mut ProblemReport) -> Read<Version> {
    let text = item.text("a version", report)?;
    text.parse().map_err(|error: crate::resource::InvalidVersion| {
        let help = "`spore tau pin` writes it; it can be left out";
        item.wrong(&error.to_string(), "this", help, report)
    })
}

fn digest(item: Item<'_>, report: &mut ProblemReport) -> Read<At<Sha256>> {
    let text = item.text("a SHA-256 digest", report)?;
    text.parse().map(|digest| item.at(digest)).map_err(|_| {
        let help = "expected 64 hexadecimal digits, as printed by `sha256sum`";
        item.wrong("not a SHA-256 digest", "this", help, report)
    })
}
