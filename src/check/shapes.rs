//! Finds unused shapes and missing plugins.

use super::MOST;
use crate::finding::{Excerpt, Finding, Shapes};
use crate::network::Draft;
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    let mut problems = Vec::new();
    let all_nodes = !draft.partial.hosts && draft.hosts.values().all(|host| host.all_nodes);
    let used: BTreeSet<_> = draft.hosts.values().flat_map(|host| host.nodes.keys()).collect();
    for shape in draft.shapes.values() {
        if all_nodes && !used.contains(&*shape.name) {
            let what = Shapes::Unused(Excerpt::of(&*shape.name));
            problems.push(Finding::new(what).at(&shape.name.place));
        }
        for plugin in shape.plugins.iter().filter(|plugin| !plugin.is_there) {
            if problems.len() == MOST {
                return problems;
            }
            let what = Shapes::PluginMissing(Excerpt::of(&plugin.name));
            problems.push(Finding::new(what).at(&plugin.place));
        }
    }
    problems
}
