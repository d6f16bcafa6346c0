//! A network in Mermaid's language, which GitHub and GitLab draw in Markdown.

use super::{Diagram, Group, counted};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The number of hosts beside each other.
const COLUMNS: usize = 6;
/// The maximum number of hosts that are drawn one by one. Sites draw no diagrams with more than 500 lines
/// or 50,000 characters.
const MOST_HOSTS: usize = 150;
/// The maximum length of the text about a step of a plan.
const LONGEST_STEP: usize = 200;

/// Draws the network as a flowchart, without a fence around it.
pub fn mermaid(diagram: &Diagram) -> String {
    let mut text = format!("%% {}\nflowchart BT\n", comment(&diagram.title()));
    let count: usize = diagram.groups.iter().chain([&diagram.elders]).map(|group| group.hosts.len()).sum();
    let mut ids: BTreeMap<&str, String> = BTreeMap::new();
    let mut groups: Vec<(String, &Group)> = Vec::new();
    groups.extend((1..).zip(&diagram.groups).map(|(number, group)| (format!("group{number}"), group)));
    if !diagram.elders.hosts.is_empty() {
        groups.push(("elders".to_owned(), &diagram.elders));
    }
    for (id, group) in &groups {
        let _ = writeln!(text, "  subgraph {id}[\"{}\"]", label(&title(group, id == "elders")));
        match count > MOST_HOSTS && id != "elders" {
            true => {
                let _ = writeln!(text, "    {id}h0[\"{}\"]", label(&counted(group.hosts.len(), "host")));
            }
            false => hosts(&mut text, id, group, &mut ids),
        }
        text.push_str("  end\n");
    }
    match diagram.lines() {
        Some(lines) => {
            for [from, to] in lines {
                if let (Some(from), Some(to)) = (ids.get(from.name.as_str()), ids.get(to.name.as_str())) {
                    let _ = writeln!(text, "  {from} --> {to}");
                }
            }
        }
        None => {
            for (id, group) in groups.iter().filter(|(id, group)| id != "elders" && !group.dials.is_empty()) {
                let _ = writeln!(text, "  {id} -- \"{}\" --> elders", label(&group.dials));
            }
        }
    }
    if let Some(plan) = &diagram.plan {
        let mut lines = vec![label(&plan.summary)];
        lines.extend(plan.steps.iter().map(|(step, what)| {
            let what: String = what.chars().take(LONGEST_STEP).collect();
            label(&format!("{step}: {what}"))
        }));
        let _ = writeln!(text, "  plan[\"{}\"]", lines.join("<br/>"));
        text.push_str("  style plan text-align:left\n");
    }
    text
}

/// The hosts of a group. Hosts without a line between them would all be drawn in one row, so invisible
/// lines put them below each other.
fn hosts<'d>(text: &mut String, id: &str, group: &'d Group, ids: &mut BTreeMap<&'d str, String>) {
    for (at, host) in group.hosts.iter().enumerate() {
        let lines: Vec<String> = host.lines().iter().map(|line| label(line)).collect();
        let _ = writeln!(text, "    {id}h{at}[\"{}\"]", lines.join("<br/>"));
        ids.insert(host.name.as_str(), format!("{id}h{at}"));
    }
    for at in COLUMNS..group.hosts.len() {
        let _ = writeln!(text, "    {id}h{at} ~~~ {id}h{}", at - COLUMNS);
    }
}

fn title(group: &Group, is_elders: bool) -> String {
    match (is_elders, group.names()) {
        (true, names) => format!("elders: {}", names.join(", ")),
        (false, names) if names.is_empty() => "hosts without nodes".to_owned(),
        (false, names) => format!("{}: {}", names.join(", "), group.size()),
    }
}

/// Text in a label. Everything that could mean something to Mermaid, Markdown or HTML is written by its number.
fn label(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => label.push(c),
            ' ' | '.' | ',' | ':' | '-' | '/' | '@' | '(' | ')' => label.push(c),
            c => {
                let _ = write!(label, "#{};", u32::from(c));
            }
        }
    }
    label
}

/// Text in a comment, which ends with the line. Braces could begin a directive.
fn comment(text: &str) -> String {
    text.replace(['{', '}', '%'], "?")
}
