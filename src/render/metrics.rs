//! Drift as metrics in the text format of Prometheus, for node_exporter's textfile collector.

use crate::plan::file::{DriftPage, State};
use crate::resource::seconds;
use std::fmt::Write as _;

/// The whole file. `at` is when the hosts had answered.
pub fn metrics(page: &DriftPage, at: &str) -> String {
    let network = label(&page.network);
    let mut out = String::new();
    let mut metric = |name: &str, help: &str, values: &mut dyn Iterator<Item = (String, u64)>| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{{network=\"{network}\"{labels}}} {value}");
        }
    };
    let states = [(State::InSync, "in-sync"), (State::Drifted, "drifted"), (State::Unknown, "unknown")];
    let hosts = || page.hosts.iter().map(|found| (found, format!(",host=\"{}\"", label(&found.host))));
    let mut in_state = hosts().flat_map(|(found, host)| {
        states.map(move |(state, name)| (format!("{host},state=\"{name}\""), u64::from(found.state == state)))
    });
    metric("spore_drift_host", "Whether the host is in this state.", &mut in_state);
    let mut changes = hosts().map(|(found, host)| (host, found.changes.len() as u64));
    metric("spore_drift_changes", "Resources that have changed on the host.", &mut changes);
    let mut applied = hosts().filter_map(|(found, host)| Some((host, seconds(&found.since.as_ref()?.at)?)));
    metric("spore_last_apply_timestamp_seconds", "When the last apply on the host ended.", &mut applied);
    let mut checked = seconds(at).map(|at| (String::new(), at)).into_iter();
    metric("spore_drift_checked_timestamp_seconds", "When the hosts were asked.", &mut checked);
    out
}

/// A label's value.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::file::{HostDrift, LastApply};

    #[test]
    fn every_host_has_a_state() {
        let since = LastApply {
            at: "1970-01-01T00:01:00Z".into(),
            by: "a@b".into(),
            plan: "".into(),
            superseded: false,
        };
        let host = |name: &'static str, state, since| HostDrift {
            host: name.into(),
            state,
            since,
            why: Vec::new(),
            changes: Vec::new(),
        };
        let hosts = vec![host("h1", State::InSync, Some(since)), host("h\"2", State::Unknown, None)];
        let page = DriftPage { network: "lab.test".into(), summary: "".into(), hosts };
        let text = metrics(&page, "1970-01-01T00:02:00Z");
        for line in [
            "spore_drift_host{network=\"lab.test\",host=\"h1\",state=\"in-sync\"} 1",
            "spore_drift_host{network=\"lab.test\",host=\"h1\",state=\"drifted\"} 0",
            "spore_drift_host{network=\"lab.test\",host=\"h\\\"2\",state=\"unknown\"} 1",
            "spore_last_apply_timestamp_seconds{network=\"lab.test\",host=\"h1\"} 60",
            "spore_drift_checked_timestamp_seconds{network=\"lab.test\"} 120",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
