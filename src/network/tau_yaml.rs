//! Reads the pinned tau binaries: `tau.yaml`.

use super::At;
use super::fields::{Fields, Item};
use super::problem::{ProblemReport, Read, Reported};
use super::slot::Slot;
use crate::artifact::{Architecture, Fetch, Pin, Source, Url};
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
        (Some((url, _)), Some((path, _))) => Err(report
            .push(Finding::new(FieldProblem::TwoSources(shown.clone())).at(&url.place()).at(&path.place()))),
        (Some((item, text)), None) => text.and_then(|text| {
            text.parse().map(Source::Url).map_err(|error| item.wrong(FieldProblem::Url(error), report))
        }),
        (None, Some((item, text))) => text.and_then(|text| {
            Source::path(text).map_err(|error| item.wrong(FieldProblem::Path(error), report))
        }),
        (None, None) => Err(fields.missing(&["url", "path"], "url: https://…` or `path: bin/tau")),
    };
    let mirrors = fields.take("mirrors").map(|item| mirrors(item, report)).transpose();
    let fetch = fields.take("fetch").map(|item| fetch(item, report)).transpose();
    let sha256 =
        fields.need("sha256", "sha256: <what `sha256sum` prints>").and_then(|item| digest(item, report));
    let binary = fields.take("binary").map(|item| digest(item, report)).transpose();
    let version = fields.take("version").map(|item| version(item, report)).transpose();
    let size = fields.take("size").map(|item| size(item, report)).transpose();
    fields.finish(report);
    let (source, mirrors, fetch) = (source?, mirrors?.unwrap_or_default(), fetch?);
    let is_local = matches!(source, Source::Path(_)) && mirrors.is_empty();
    if let Some(At { value: Fetch::Hosts, place }) = fetch.as_ref().filter(|_| is_local) {
        return Err(report.push(Finding::new(FieldProblem::NoUrl(shown)).at(place)));
    }
    let value = Pin {
        source,
        mirrors,
        fetch: fetch.map(|fetch| fetch.value).unwrap_or_default(),
        sha256: sha256?.value,
        binary: binary?.map(|digest| digest.value),
        version: version?,
        size: size?,
    };
    Ok((architecture?, At { value, place: place? }))
}

/// Each mirror is a URL. All that are wrong are reported.
fn mirrors(item: Item<'_>, report: &mut ProblemReport) -> Read<Vec<Url>> {
    let url = |item: Item<'_>, report: &mut ProblemReport| {
        let text = item.text(Expected::Url, report)?;
        text.parse().map_err(|error| item.wrong(FieldProblem::Url(error), report))
    };
    let read: Vec<Read<Url>> = item.items(report).into_iter().map(|item| url(item, report)).collect();
    read.into_iter().collect()
}

fn fetch(item: Item<'_>, report: &mut ProblemReport) -> Read<At<Fetch>> {
    let text = item.text(Expected::Fetch, report)?;
    text.parse().map(|fetch| item.at(fetch)).map_err(|_| item.wrong(FieldProblem::Fetch, report))
}

fn size(item: Item<'_>, report: &mut ProblemReport) -> Read<u64> {
    let text = item.text(Expected::Size, report)?;
    let size = text.parse().ok().filter(|size| *size > 0);
    size.ok_or_else(|| item.wrong(FieldProblem::Size, report))
}

fn version(item: Item<'_>, report: &mut ProblemReport) -> Read<Version> {
    let text = item.text(Expected::Version, report)?;
    text.parse().map_err(|error| item.wrong(FieldProblem::Version(error), report))
}

fn digest(item: Item<'_>, report: &mut ProblemReport) -> Read<At<Sha256>> {
    let text = item.text(Expected::Digest, report)?;
    text.parse().map(|digest| item.at(digest)).map_err(|_| item.wrong(FieldProblem::Digest, report))
}
