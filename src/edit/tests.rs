//! Tests with the cases that are known to be hard, and with random files.

mod file;
mod random;

use super::{Change, New, Path, Why, edit};

fn path(keys: &str) -> Path {
    Path::keys(keys.split('.').filter(|key| !key.is_empty()))
}

fn text(text: &str) -> New {
    New::text(text)
}

fn host() -> New {
    New::map([
        ("addr", text("203.0.113.9")),
        ("ssh", New::map([("addr", text("203.0.113.9")), ("port", New::Plain("22".into()))])),
        ("shapes", New::map([("elders", New::map([("id", text("12D3x"))]))])),
    ])
}

#[track_caller]
fn becomes(before: &str, at: &str, change: Change, after: &str) {
    match edit(before, &path(at), &change) {
        Ok(text) => assert_eq!(text, after),
        Err(refused) => panic!("{refused:?}"),
    }
}

#[track_caller]
fn refused(before: &str, at: &str, change: Change) -> (Why, usize) {
    let refused = edit(before, &path(at), &change).unwrap_err();
    (refused.why, refused.line)
}

const HOSTS: &str = "\
# The hosts.
h1:   # first
    addr: 203.0.113.1   # dialled
    ssh: {addr: 203.0.113.1, port: 22}  # sshd
    shapes:
        elders: {id: \"12D3a\"}

# About h2.
h2:
    addr: '203.0.113.2'
    ssh: {addr: 203.0.113.2}

# The end.
";

#[test]
fn a_new_entry_has_the_style_of_the_others() {
    // The others have an empty line between them.
    let h3 = "
h3:
    addr: '203.0.113.9'
    ssh: {addr: 203.0.113.9, port: 22}
    shapes:
        elders: {id: 12D3x}
";
    let add = || Change::Add("h3".into(), host());
    becomes(HOSTS, "", add(), &format!("{HOSTS}{h3}"));
    let crlf = |text: &str| text.replace('\n', "\r\n");
    becomes(&crlf(HOSTS), "", add(), &crlf(&format!("{HOSTS}{h3}")));
    becomes(&format!("\u{feff}{HOSTS}"), "", add(), &format!("\u{feff}{HOSTS}{h3}"));
    // One is enough.
    let apart = crlf(&format!("{HOSTS}\n"));
    becomes(&apart, "", add(), &crlf(&format!("{HOSTS}{h3}")));
    let open = HOSTS.trim_end();
    becomes(open, "", add(), format!("{open}\n{h3}").trim_end());
    becomes(
        "{h1: {addr: x}}\n",
        "",
        Change::Add("h2".into(), New::map([("addr", text("w"))])),
        "{h1: {addr: x}, h2: {addr: w}}\n",
    );
    becomes("h1:\n- 'x'\nh2: 5\n", "h1", Change::Push(text("w")), "h1:\n- 'x'\n- 'w'\nh2: 5\n");
    becomes("h1: [x] # c\n", "h1", Change::Push(text("no")), "h1: [x, \"no\"] # c\n");
}

#[test]
fn what_is_empty_gets_its_first_entry() {
    let add = |key: &str| Change::Add(key.into(), text("x"));
    becomes("", "", add("a"), "a: x\n");
    becomes("# nothing yet", "", add("a"), "# nothing yet\na: x\n");
    becomes("---\n", "", add("a"), "---\na: x\n");
    becomes("# none\n{} # yet\n", "", add("a"), "# none\na: x # yet\n");
    becomes("a: # c\nb: 1\n", "a", add("c"), "a: {c: x} # c\nb: 1\n");
    becomes(
        "a: ~ # c\nb: 1\n",
        "a",
        Change::Add("c".into(), New::map([("d", text("x"))])),
        "a: {c: {d: x}} # c\nb: 1\n",
    );
    becomes("a: {}\n", "a", add("007"), "a: {\"007\": x}\n");
    becomes("a:\n", "a", Change::Push(text("x")), "a: [x]\n");
}

#[test]
fn a_value_is_replaced_in_its_place() {
    let set = |new: New| Change::Set(new);
    becomes(HOSTS, "h2.addr", set(text("192.0.2.1")), &HOSTS.replace("'203.0.113.2'", "'192.0.2.1'"));
    becomes(HOSTS, "h1.ssh.port", set(New::Plain("2222".into())), &HOSTS.replace("port: 22}", "port: 2222}"));
    becomes("a: &x 5 # c\n", "a", set(New::Plain("6".into())), "a: &x 6 # c\n");
    becomes("a: [1,  2]\n", "a", set(New::List(vec![New::Plain("3".into())])), "a: [3]\n");
    // The alias is replaced, and not what it stands for.
    becomes("a: &x 5\nb: *x\n", "b", set(New::Plain("6".into())), "a: &x 5\nb: 6\n");
}

#[test]
fn comments_of_others_stay_when_an_entry_is_removed() {
    let (h1, rest) = HOSTS.split_once("h1:").unwrap();
    let (_, h2) = rest.split_once("\n\n").unwrap();
    becomes(HOSTS, "h1", Change::Remove, &format!("{h1}\n{h2}"));
    becomes("a:\n- b # c\n- d\n", "a", Change::Push(text("e")), "a:\n- b # c\n- d\n- e\n");
    let item = |index| path("a").item(index);
    assert_eq!(edit("a:\n- b # c\n- d # e\n# f\n", &item(1), &Change::Remove).unwrap(), "a:\n- b # c\n# f\n");
    assert_eq!(edit("a: [b, d] # e\n", &item(0), &Change::Remove).unwrap(), "a: [d] # e\n");
    assert_eq!(edit("a: [b] # e\n", &item(0), &Change::Remove).unwrap(), "a: [] # e\n");
    becomes("a: # x\n  b: 1\n# y\n", "a.b", Change::Remove, "a: {} # x\n# y\n");
}

/// The cases in which yaml-edit alone is wrong: see `becomes` for those that are right now.
#[test]
fn what_would_change_another_value_is_refused_with_the_line_to_write() {
    let add = || Change::Add("id".into(), text("12D3x"));
    let anchored = "h1: &h1\n  addr: x\nh2: *h1\n";
    assert_eq!(refused(anchored, "h1", add()), (Why::Anchor, 2));
    assert_eq!(refused(anchored, "h2", add()), (Why::Alias, 3));
    assert_eq!(refused("a: &x 5\nb: *x\n", "a", Change::Set(text("y"))), (Why::Anchor, 1));
    // Without an alias, an anchor is harmless.
    becomes("h1: &h1\n  addr: x\n", "h1", add(), "h1: &h1\n  addr: x\n  id: 12D3x\n");
    let merged = "base: &b {addr: x}\nh1:\n  <<: *b\n  port: 22\n";
    assert_eq!(refused(merged, "h1.addr", Change::Remove).0, Why::Alias);
    becomes(merged, "h1", add(), &format!("{merged}  id: 12D3x\n"));
    assert_eq!(refused("a: 1\n---\nb: 2\n", "a", Change::Remove), (Why::Yaml, 2));
    assert_eq!(refused("a:\n\tb: 1\n", "a", Change::Remove).0, Why::Yaml);
    assert_eq!(refused("a: 1\na: 2\n", "a", Change::Remove), (Why::Yaml, 2));
    assert_eq!(refused("a: 1\n", "b.c", add()).0, Why::Missing);
    assert_eq!(refused("b: 0\na: 1\n", "a", add()), (Why::Type, 2));
    assert_eq!(refused("id: 1\n", "", add()), (Why::Exists, 1));
    assert_eq!(refused("a:\n  b: 1 # c\n", "a", Change::Set(text("x"))), (Why::Lines, 2));
    let by_hand = edit(anchored, &path("h1"), &Change::Add("h3".into(), host())).unwrap_err();
    assert_eq!(by_hand.path.to_string(), "h1");
    assert_eq!(
        by_hand.lines,
        "h3:\n  addr: 203.0.113.9\n  ssh: {addr: 203.0.113.9, port: 22}\n  shapes:\n    elders: {id: 12D3x}"
    );
}

#[test]
fn cases_that_were_found_to_be_wrong() {
    // A block scalar that ends the file without a line end.
    let block = "a: |\n  x\n  y";
    assert_eq!(refused(block, "", Change::Add("b".into(), text("z"))).0, Why::Inexact);
    becomes(&format!("{block}\nb: z"), "b", Change::Remove, &format!("{block}\n"));
    becomes(&format!("{block}\nb: z\n"), "b", Change::Remove, &format!("{block}\n"));
    // A comment after a nested block.
    becomes(
        "a:\n  b: 1\n  # c\n# d\n",
        "a",
        Change::Add("e".into(), text("x")),
        "a:\n  b: 1\n  e: x\n  # c\n# d\n",
    );
    // Keys without a type.
    becomes(
        "007: {addr: x}\n008:\n",
        "007",
        Change::Add("id".into(), text("w")),
        "007: {addr: x, id: w}\n008:\n",
    );
    becomes("007:\n008:\n", "007", Change::Add("id".into(), text("w")), "007: {id: w}\n008:\n");
    becomes("true: 1\n", "true", Change::Set(New::Plain("2".into())), "true: 2\n");
}

#[test]
fn any_text_is_read_back_as_the_text_it_was() {
    let digits = "1".repeat(62) + "e1";
    for word in [
        "tau",
        "386",
        "true",
        "No",
        "1.5",
        "0x1f",
        "0o7",
        "1_000",
        "2026-11-21",
        "null",
        "~",
        "a: b",
        "a:",
        "- a",
        "-a",
        "a #b",
        "#a",
        "~/x",
        "./x",
        "é",
        "a\tb\n",
        "'",
        "\"\\",
        "",
        "{a}",
        "a,b",
        "[",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "\u{85}",
        "\u{7f}",
        "\u{1f600}",
        "::1",
        "2001:db8::1",
        "12:30",
        "192.0.2.1",
        "192.0.2.1/24",
        "1.",
        ".5",
        "+1",
        "_1",
        "=",
        "<<",
        "?",
        "---",
        "\u{feff}x",
        "\u{2028}",
        "name@1.0",
        &digits,
    ] {
        for before in ["a: [x, x]\n", "a: ['x']\n", "a:\n- \"x\"\n", "a:\n  - x\n"] {
            let after = edit(before, &path("a"), &Change::Push(text(word))).unwrap();
            let read: serde_yaml::Value = serde_yaml::from_str(&after).unwrap();
            let items = read["a"].as_sequence().unwrap();
            assert_eq!(items.last().unwrap().as_str(), Some(word), "{after}");
        }
        let after = edit("a: 1\n", &path(""), &Change::Add(word.to_owned(), text(word)));
        let after = after.unwrap_or_else(|refused| panic!("{word:?}: {refused:?}"));
        let read: serde_yaml::Value = serde_yaml::from_str(&after).unwrap();
        assert_eq!(read[word].as_str(), Some(word), "{after}");
    }
}
