//! Tests that no text becomes anything else than text, and that large networks are drawn in little space.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn text(text: &str) -> Printable {
    Printable::line(text)
}

/// A network of one elder and `count` members, with the same text everywhere.
fn network(count: usize, name: &str) -> Diagram {
    let node = |is_elder| NodeDrawn {
        shape: text(name),
        is_elder,
        turn: Turn { waves: vec![2], ..Turn::default() },
    };
    let host = |nth: usize, is_elder| HostDrawn {
        name: text(&format!("{name}{nth}")),
        address: text(name),
        nodes: vec![node(is_elder)],
        turn: Turn { is_staged: true, ..Turn::default() },
    };
    let shapes = vec![ShapeDrawn { name: text(name), services: vec![text(name)], port: Some(4242) }];
    let group = |hosts: Vec<HostDrawn>| Group { shapes: shapes.clone(), hosts, dials: name.to_owned() };
    Diagram {
        network: text(name),
        elders: group(vec![host(0, true)]),
        groups: vec![group((1..=count).map(|nth| host(nth, false)).collect())],
        plan: Some(PlanDrawn { summary: text(name), steps: vec![(name.to_owned(), name.to_owned())] }),
    }
}

const HOSTILE: &[&str] = &[
    "</text><script>alert(1)</script>",
    "\"]; evil -> evil; x [label=\"",
    "\"] --> evil[\"x",
    "<b>&amp;<!-- --> ]]> <![CDATA[",
    "%%{init: {}}%%\nclick a href \"https://evil.example\"",
    "`**x**` #quot; #35; \\l \\\" \\",
    "\u{202e}ö\u{1f600}\u{fffe}",
];

/// The text between the tags of XML, and the names of the tags.
fn parsed(xml: &str) -> (String, Vec<String>) {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut content, mut tags) = (String::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => return (content, tags),
            quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                tags.push(tag.name().as_ref().to_owned());
            }
            quick_xml::events::Event::Text(text) => content.push_str(&text),
            quick_xml::events::Event::GeneralRef(entity) => {
                content.push_str(match &*entity {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    other => panic!("&{other};"),
                });
            }
            quick_xml::events::Event::End(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn text_stays_text_in_an_image() {
    for name in HOSTILE {
        let (content, tags) = parsed(&svg(&network(1, name)));
        let expected = text(name).to_string().replace('\u{fffe}', "\u{fffd}");
        let start: String = expected.chars().take(20).collect();
        assert!(content.contains(&start), "{content}");
        assert!(
            tags.iter().all(|tag| ["svg", "title", "style", "rect", "path", "text"].contains(&&**tag)),
            "{tags:?}"
        );
    }
}

/// In a quoted label there is nothing but letters, digits, harmless signs and numbered characters.
#[test]
fn text_stays_text_in_mermaid() {
    for name in HOSTILE {
        let drawn = mermaid(&network(1, name));
        for (nth, part) in
            drawn.lines().skip(1).flat_map(|line| line.split('"').skip(1).step_by(2)).enumerate()
        {
            let part = part.replace("<br/>", "");
            assert!(
                part.chars().all(|c| c.is_ascii_alphanumeric() || " .,:-/@()#;".contains(c)),
                "{nth} {part}"
            );
        }
        let known =
            ["flowchart BT", "subgraph ", "group1", "eldersh", "end", "plan[", "style plan", "elders -- "];
        let lines = drawn.lines().skip(1).map(str::trim_start);
        assert_eq!(
            lines.filter(|line| !known.iter().any(|start| line.starts_with(start))).count(),
            0,
            "{drawn}"
        );
        assert!(!drawn.lines().next().unwrap().contains("{"), "{drawn}");
    }
}

#[test]
fn text_stays_text_in_dot() {
    for name in HOSTILE {
        let drawn = dot(&network(1, name));
        // What is left without strings and without HTML is ours.
        let mut rest = String::new();
        let (mut is_string, mut depth, mut is_escaped) = (false, 0, false);
        for c in drawn.chars() {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' if is_string => is_escaped = true,
                '"' if depth == 0 => is_string = !is_string,
                '<' if !is_string => depth += 1,
                '>' if !is_string && depth > 0 => depth -= 1,
                c if !is_string && depth == 0 => rest.push(c),
                _ => {}
            }
        }
        assert!(!rest.contains("evil") && !is_string && depth == 0, "{rest}\n{drawn}");
        for label in drawn.lines().filter_map(|line| line.split_once("label=<")) {
            let (content, tags) = parsed(label.1.rsplit_once(">];").unwrap().0);
            assert!(
                tags.iter().all(|tag| ["TABLE", "TR", "TD", "BR", "B"].contains(&&**tag)),
                "{tags:?} {content}"
            );
        }
    }
}

#[test]
fn large_networks_fit() {
    let size = |svg: &str, name: &str| -> usize {
        let value = svg.split_once(&format!(" {name}=\"")).unwrap().1;
        value.split('"').next().unwrap().parse().unwrap()
    };
    for count in [2, 100, 1000] {
        let drawn = svg(&network(count, "host"));
        assert!(size(&drawn, "width") < 1300, "{}", size(&drawn, "width"));
        assert!(size(&drawn, "height") < 450 + 12 * count, "{}", size(&drawn, "height"));
    }
    // The limits of the sites that draw Mermaid.
    let drawn = mermaid(&network(1000, "host"));
    assert!(drawn.len() < 50_000 && drawn.matches("-->").count() + drawn.matches("~~~").count() < 500);
    let drawn = mermaid(&network(140, "host"));
    assert!(drawn.len() < 50_000 && drawn.matches("-->").count() + drawn.matches("~~~").count() < 500);
}
