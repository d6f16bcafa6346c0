//! A network in the language of Graphviz.

use super::{Diagram, Group};
use std::fmt::Write as _;

/// The number of hosts beside each other.
const COLUMNS: usize = 8;

/// Draws the network for `dot`.
pub fn dot(diagram: &Diagram) -> String {
    let mut text = String::from("digraph network {\n");
    let _ = writeln!(
        text,
        "  label={}; labelloc=t; fontname=\"sans-serif\"; rankdir=BT;",
        quoted(&diagram.title())
    );
    text.push_str("  node [shape=plain, fontname=\"sans-serif\", fontsize=11];\n");
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=10, color=\"#64748b\"];\n");
    let mut groups: Vec<(String, &Group)> = Vec::new();
    if !diagram.elders.hosts.is_empty() {
        groups.push(("elders".to_owned(), &diagram.elders));
    }
    groups.extend((1..).zip(&diagram.groups).map(|(number, group)| (format!("group{number}"), group)));
    for (id, group) in &groups {
        let _ = writeln!(text, "  {id} [label=<{}>];", table(group, id == "elders"));
    }
    for (id, group) in groups.iter().filter(|(id, group)| id != "elders" && !group.dials.is_empty()) {
        let _ = writeln!(text, "  {id} -> elders [label={}];", quoted(&group.dials));
    }
    if !diagram.elders.dials.is_empty() {
        text.push_str("  elders -> elders [label=\"dial each other\"];\n");
    }
    if let Some(plan) = &diagram.plan {
        let steps = plan.steps.iter().map(|(step, what)| format!("{step}: {what}"));
        // After `\l`, a line is aligned to the left.
        let lines = [plan.summary.to_string()].into_iter().chain(steps).map(|line| escaped(&line) + "\\l");
        let _ = writeln!(text, "  plan [shape=note, label=\"{}\"];", lines.collect::<String>());
    }
    text + "}\n"
}

/// The hosts of a group in rows, below its title.
fn table(group: &Group, is_elders: bool) -> String {
    let columns = group.hosts.len().clamp(1, COLUMNS);
    let title = if is_elders { "elders".to_owned() } else { "hosts without nodes".to_owned() };
    let titles: Vec<String> = group.shapes.iter().map(|shape| html(&shape.label())).collect();
    let title = match (is_elders, titles.is_empty()) {
        (false, false) => titles.join("<BR/>"),
        (true, false) => format!("<B>elders</B><BR/>{}", titles.join("<BR/>")),
        (_, true) => title,
    };
    let mut text = format!(
        "<TABLE BORDER=\"1\" CELLBORDER=\"1\" CELLSPACING=\"4\" STYLE=\"ROUNDED\" BGCOLOR=\"{}\"><TR><TD BORDER=\"0\" COLSPAN=\"{columns}\">{title} · {}</TD></TR>",
        if is_elders { "#fef3c7" } else { "#f1f5f9" },
        group.size()
    );
    for hosts in group.hosts.chunks(columns) {
        text.push_str("<TR>");
        for host in hosts {
            let lines: Vec<String> = host.lines().iter().map(|line| html(line)).collect();
            let _ = write!(text, "<TD BGCOLOR=\"white\">{}</TD>", lines.join("<BR/>"));
        }
        text.push_str("</TR>");
    }
    text + "</TABLE>"
}

/// Text in a label that is written in Graphviz's HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Text in a string, in which a backslash may begin an escape.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
