//! Reads the elders, the nodes that all other nodes dial first: `p2p.bootstrap`.

use super::fields::Fields;
use super::hosts::unknown;
use super::problem::{ProblemReport, Read};
use super::{At, HostDraft, ShapeDraft};
use crate::finding::{Elders, Excerpt, Expected, FieldProblem, Finding, Listed, Referent};
use crate::resource::{HostName, ShapeName};
use std::collections::BTreeMap;

/// Reads the elders' hosts by shape. The flag says whether some of them couldn't be read.
/// `shapes` or `hosts` is `None` if that part couldn't be read; references to it aren't
/// checked then.
pub(super) fn read(
    fields: Fields<'_>,
    shapes: Option<&BTreeMap<ShapeName, ShapeDraft>>,
    hosts: Option<&BTreeMap<HostName, HostDraft>>,
    report: &mut ProblemReport,
) -> (BTreeMap<ShapeName, Vec<At<HostName>>>, bool) {
    let mut bootstrap = BTreeMap::new();
    let mut partial = false;
    for slot in fields.slots {
        let shape = slot.name_of::<ShapeName>(Referent::Shape, report).and_then(|shape| match shapes {
            Some(shapes) if !shapes.contains_key(&shape.value) => {
                Err(unknown(Referent::Shape, &shape, shapes.keys().map(ShapeName::as_str), report))
            }
            _ => Ok(shape),
        });
        partial |= shape.is_err();
        let mut named: Vec<At<HostName>> = Vec::new();
        let mut seen = BTreeMap::new();
        for item in slot.item.items(report) {
            let host = item.text(Expected::HostName, report).and_then(|text| {
                text.parse::<HostName>().map(|name| item.at(name)).map_err(|_| {
                    let has_comma = text.contains(',');
                    item.wrong(FieldProblem::HostInList { text: item.shown(), has_comma }, report)
                })
            });
            let Ok(host) = host.and_then(|host| carries(host, shape.as_ref().ok(), hosts, report)) else {
                partial = true;
                continue;
            };
            match seen.get(&host.value).and_then(|&first: &usize| named.get(first)) {
                None => {
                    seen.insert(host.value.clone(), named.len());
                    named.push(host);
                }
                Some(first) => {
                    let what = FieldProblem::ListedTwice { what: Listed::Host, name: Excerpt::of(&*host) };
                    report.push(Finding::new(what).at(&host.place).at(&first.place));
                }
            }
        }
        if let Ok(shape) = shape
            && !named.is_empty()
            && !slot.again
        {
            bootstrap.insert(shape.value, named);
        }
    }
    (bootstrap, partial)
}

/// The host, if it exists and has a node of the shape.
fn carries(
    host: At<HostName>,
    shape: Option<&At<ShapeName>>,
    hosts: Option<&BTreeMap<HostName, HostDraft>>,
    report: &mut ProblemReport,
) -> Read<At<HostName>> {
    let Some(hosts) = hosts else { return Ok(host) };
    let Some(found) = hosts.get(&host.value) else {
        return Err(unknown(Referent::Host, &host, hosts.keys().map(HostName::as_str), report));
    };
    match shape {
        Some(shape) if found.all_nodes && !found.nodes.contains_key(&shape.value) => {
            let what = Elders::NoSuchNode { host: Excerpt::of(&*host), shape: Excerpt::of(&**shape) };
            Err(report.push(Finding::new(what).at(&host.place).at(&found.name.place)))
        }
        _ => Ok(host),
    }
}
