//! Reads the pinned tau binaries: `tau.yaml`.

use super::At;
use super::fields::{Fields, Item};
use super::problem::{ProblemReport, Read, Reported};
use super::slot::Slot;
use crate::artifact::{Architecture, Pin, Source};
use crate::finding::{Excerpt, Expected, FieldProblem, Finding, Owner};
use crate::resource::{Sha256, Version};
use std::collections::BTreeMap;

/// Reads the pins.
pub(super) fn read(fields: Fields<'_>, report: &mut ProblemReport) -> BTreeMap<Architecture, At<Pin>> {
    fields.slots.iter().filter_map(|slot| read_pin(slot, report).ok()).collect()
}

fn read_pin(slot: &Slot<'_>, report: &mut ProblemReport) -> Read<(Architecture, At<Pin>)> {
    let shown = Excerpt::of(slot.place.shown(slot.name));
    let architecture = slot.name.parse::<Architecture>().map_err(|_| {
        let known = Architecture::ALL.into_iter().map(Architecture::name).collect();
        report.push(Finding::new(FieldProblem::Architecture { text: shown.clone(), known }).at(&slot.place))
    });
    let mut fields = slot.item.fields(Owner::TauFor(shown.clone()), report)?;
    let url = fields.take("url").map(|item| (item, item.text(Expected::Url, report)));
    let path = fields.take("path").map(|item| (item, item.text(Expected::PathOfFile, report)));
    let place = url.as_ref().or(path.as_ref()).map(|(item, _)| item.place()).ok_or(Reported);
    let source = match (url, path) {
        (Some((url, _)), Some((path, _))) => {
            Err(report.push(Finding::new(FieldProblem::TwoSources(shown)).at(&url.place()).at(&path.place())))
        }
        (Some((item, text)), None) => text.and_then(|text| {
            text.parse().map(Source::Url).map_err(|error| item.wrong(FieldProblem::Url(error), report))
        }),
        (None, Some((item, text))) => text.and_then(|text| {
            Source::path(text).map_err(|error| item.wrong(FieldProblem::Path(error), report))
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
    let text = item.text(Expected::Version, report)?;
    text.parse().map_err(|error| item.wrong(FieldProblem::Version(error), report))
}

fn digest(item: Item<'_>, report: &mut ProblemReport) -> Read<At<Sha256>> {
    let text = item.text(Expected::Digest, report)?;
    text.parse().map(|digest| item.at(digest)).map_err(|_| item.wrong(FieldProblem::Digest, report))
}
