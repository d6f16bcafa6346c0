//! Unused shapes, and missing plugins.

use super::MOST;
use crate::network::{Diagnostic, Draft};
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let all_nodes = !draft.partial.hosts && draft.hosts.values().all(|host| host.all_nodes);
    let used: BTreeSet<_> = draft.hosts.values().flat_map(|host| host.nodes.keys()).collect();
    for shape in draft.shapes.values() {
        if all_nodes && !used.contains(&*shape.name) {
            problems.push(
                Diagnostic::warning(format!("no host has a node of shape `{}`", *shape.name))
                    .at(&shape.name.place, "unused")
                    .help("add it to the `shapes` of a host, or remove it"),
            );
        }
        for plugin in shape.plugins.iter().filter(|plugin| !plugin.is_there) {
            if problems.len() == MOST {
                return problems;
            }
            problems.push(
                Diagnostic::warning(format!("the file of plugin `{}` is missing", plugin.name))
                    .at(&plugin.place, "nodes will run without this plugin")
                    .help(format!(
                        "put the file at `plugins/{}` in the folder, or remove the line",
                        plugin.name
                    )),
            );
        }
    }
    problems
}
