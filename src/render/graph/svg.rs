//! A network as an image: the elders on top, and below them the groups of the other hosts, each with a
//! line to the elders.

use super::{Diagram, Group, HostDrawn};
use std::fmt::Write as _;

/// The width of a character of 12 pixels in a monospaced font.
const CHARACTER: usize = 7;
const MARGIN: usize = 24;
const GAP: usize = 10;
const LINE: usize = 17;
/// The width of the strip on the left for the lines to the elders.
const TRUNK: usize = 36;
/// The width that the hosts of a group fill before a new row begins.
const WIDTH: usize = 1040;
/// The maximum number of characters in a line of a host, and in one of a plan.
const LONGEST: usize = 30;
const LONGEST_STEP: usize = 140;

/// The style sheet of an image.
pub(in crate::render) const STYLE: &str = "\
text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#0f172a}\
.t{font-size:16px;font-weight:bold}.b{font-weight:bold}.s{fill:#475569}.w{fill:#b45309;font-weight:bold}\
.bg{fill:#fff}.g{fill:#f1f5f9;stroke:#cbd5e1}.e{fill:#fef3c7;stroke:#d97706}.h{fill:#fff;stroke:#94a3b8}\
.x{stroke-dasharray:4 3}.l{fill:none;stroke:#64748b;stroke-width:1.5}.a{fill:#64748b}\
@media(prefers-color-scheme:dark){text{fill:#e2e8f0}.s{fill:#94a3b8}.w{fill:#fbbf24}.bg{fill:#0f172a}\
.g{fill:#1e293b;stroke:#475569}.e{fill:#422006;stroke:#d97706}.h{fill:#0f172a;stroke:#64748b}\
.l{stroke:#94a3b8}.a{fill:#94a3b8}}";

/// Draws the network.
pub fn svg(diagram: &Diagram) -> String {
    let mut canvas = Canvas { text: String::new(), right: 0 };
    canvas.line(MARGIN, MARGIN + 12, "t", &diagram.title());
    let mut top = MARGIN + 32;
    let elders = Some(&diagram.elders).filter(|elders| !elders.hosts.is_empty());
    let groups = elders.map(|group| (group, true)).into_iter();
    let groups: Vec<(&Group, bool, Layout)> = groups
        .chain(diagram.groups.iter().map(|group| (group, false)))
        .map(|(group, is_elders)| (group, is_elders, Layout::of(group, is_elders)))
        .collect();
    let width = groups.iter().map(|(_, _, layout)| layout.width).max().unwrap_or_default();
    let (mut middle_of_elders, mut last) = (None, None);
    for (group, is_elders, layout) in &groups {
        let bottom = canvas.group(group, layout, width, top, *is_elders);
        if *is_elders {
            middle_of_elders = Some(top + (bottom - top) / 2);
        } else if middle_of_elders.is_some() && !group.dials.is_empty() {
            let y = top + 2 * LINE;
            canvas.path(&format!("M{} {y}H{}", MARGIN + TRUNK, MARGIN + TRUNK / 2));
            last = Some(y);
        }
        top = bottom + 2 * GAP;
    }
    if let (Some(elders), Some(last)) = (middle_of_elders, last) {
        let (x, end) = (MARGIN + TRUNK / 2, MARGIN + TRUNK);
        canvas.path(&format!("M{x} {last}V{elders}H{}", end - 7));
        let _ = write!(canvas.text, "<path class=\"a\" d=\"M{end} {elders}l-9 -5v10z\"/>");
    }
    if let Some(plan) = &diagram.plan {
        top += LINE;
        canvas.line(MARGIN, top, "b", plan.summary.as_str());
        for (step, what) in &plan.steps {
            top += LINE;
            canvas.line(MARGIN, top, "w", step);
            canvas.line(MARGIN + 11 * CHARACTER, top, "s", &shortened(what, LONGEST_STEP));
        }
        top += GAP;
    }
    let (width, height) = (canvas.right.max(420) + MARGIN, top + MARGIN - GAP);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\
         <title>{}</title><style>{STYLE}</style><rect class=\"bg\" width=\"100%\" height=\"100%\"/>{}</svg>\n",
        escaped(&diagram.title()),
        canvas.text
    )
}

struct Canvas {
    text: String,
    /// The right edge of everything that was drawn.
    right: usize,
}

impl Canvas {
    fn line(&mut self, x: usize, y: usize, class: &str, text: &str) {
        let character = if class == "t" { 10 } else { CHARACTER + 1 };
        self.right = self.right.max(x + text.chars().count() * character);
        let _ = write!(self.text, "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>", escaped(text));
    }

    fn path(&mut self, path: &str) {
        let _ = write!(self.text, "<path class=\"l\" d=\"{path}\"/>");
    }

    /// `at` has the left and the top edge, `size` the width and the height.
    fn rectangle(&mut self, at: (usize, usize), size: (usize, usize), class: &str) {
        let ((x, y), (width, height)) = (at, size);
        self.right = self.right.max(x + width);
        let _ = write!(
            self.text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" class=\"{class}\"/>"
        );
    }

    /// Draws a group below `top`, and returns its bottom edge.
    fn group(&mut self, group: &Group, layout: &Layout, width: usize, top: usize, is_elders: bool) -> usize {
        let left = MARGIN + TRUNK;
        let Layout { titles, cards, size, columns, width: _, height } = layout;
        self.rectangle((left, top), (width, *height), if is_elders { "e" } else { "g" });
        for (at, (line, class)) in titles.iter().enumerate() {
            self.line(left + GAP, top + (at + 1) * LINE, class, line);
        }
        let first = top + titles.len() * LINE + GAP;
        for (at, (lines, host)) in cards.iter().zip(&group.hosts).enumerate() {
            let corner = (left + GAP + at % *columns * (size.0 + GAP), first + at / columns * (size.1 + GAP));
            let is_leaving = host.turn.is_leaving || host.turn.is_unplanned;
            self.rectangle(corner, *size, if is_leaving { "h x" } else { "h" });
            for (nth, (line, class)) in lines.iter().enumerate() {
                self.line(corner.0 + GAP, corner.1 + (nth + 1) * LINE, class, line);
            }
        }
        top + height
    }
}

/// The lines above the hosts of a group, each with its class.
fn titles(group: &Group, is_elders: bool) -> Vec<(String, &'static str)> {
    let shapes = group.shapes.iter().map(|shape| shortened(&shape.label(), LONGEST_STEP));
    let dials = if group.dials.is_empty() { String::new() } else { format!("; {}", group.dials) };
    let mut titles: Vec<(String, &str)> = Vec::new();
    if is_elders {
        titles.push((format!("elders on {}{dials}", group.size()), "b"));
        titles.extend(shapes.map(|shape| (shape, "s")));
    } else {
        titles.extend(shapes.map(|shape| (shape, "b")));
        if titles.is_empty() {
            titles.push(("no nodes".to_owned(), "b"));
        }
        titles.push((format!("{}{dials}", group.size()), "s"));
    }
    titles
}

/// Where everything in a group is.
struct Layout {
    titles: Vec<(String, &'static str)>,
    cards: Vec<Vec<(String, &'static str)>>,
    /// The width and the height of a host.
    size: (usize, usize),
    columns: usize,
    width: usize,
    height: usize,
}

impl Layout {
    fn of(group: &Group, is_elders: bool) -> Self {
        let titles = titles(group, is_elders);
        let cards: Vec<Vec<(String, &str)>> = group.hosts.iter().map(|host| card(host, group)).collect();
        let widest = |lines: &[(String, &str)]| {
            lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default() * (CHARACTER + 1)
        };
        let width = cards.iter().map(|lines| widest(lines)).max().unwrap_or_default() + 2 * GAP;
        let size = (width, cards.iter().map(Vec::len).max().unwrap_or(1) * LINE + GAP);
        let columns = ((WIDTH + GAP) / (size.0 + GAP)).clamp(1, cards.len().max(1));
        let width = (columns * (size.0 + GAP) + GAP).max(widest(&titles) + 2 * GAP);
        let height = titles.len() * LINE + cards.len().div_ceil(columns) * (size.1 + GAP) + GAP + GAP / 2;
        Self { titles, cards, size, columns, width, height }
    }
}

/// The lines of a host, each with its class. Nodes that the title of the group names are only repeated if there
/// is more to say.
fn card(host: &HostDrawn, group: &Group) -> Vec<(String, &'static str)> {
    let mut lines = vec![(shortened(host.name.as_str(), LONGEST), "b")];
    lines.extend(Some((host.address.to_string(), "s")).filter(|(address, _)| !address.is_empty()));
    for node in &host.nodes {
        let turn = node.turn.text();
        let class = if turn.is_empty() { "s" } else { "w" };
        if group.shapes.len() > 1 || node.turn.is_leaving {
            lines.push((shortened(&node.label(), LONGEST), class));
        } else if !turn.is_empty() {
            lines.push((turn, class));
        }
    }
    lines.extend(Some((host.turn.text(), "w")).filter(|(turn, _)| !turn.is_empty()));
    lines
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// Text between tags. XML can't contain some characters, not even escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
