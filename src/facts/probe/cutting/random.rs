//! Tests with random configurations, and with spoiled ones.

use super::{UPSTREAM, cut, key, meaning, node, parse_config};
use crate::cases;
use proptest::prelude::*;
use serde_yaml::Value as Yaml;

/// A value below `accounts`. Every string in it either contains the mark or is harmless.
fn value() -> impl Strategy<Value = Yaml> {
    let words = [
        "hunter2",
        "it's hunter2",
        "hunter2 # x",
        " hunter2 ",
        "hunter2\nline two\n",
        "\nhunter2\n\n",
        "\"hunter2\" \\",
        "- hunter2",
        "-hunter2",
        "@hunter2",
        "hunter2\ttab",
        "h\u{e4}hunter2",
        "true",
        "587",
        "",
        "null",
        "~",
        "{hunter2}",
        "[hunter2",
        "*hunter2",
        "&hunter2",
        "!hunter2",
        "|",
        "# hunter2",
        "hunter2,",
        "'hunter2'",
        "? hunter2",
        "%hunter2",
        "  hunter2\nfour",
        "hunter2\n  x: y\n- z",
        "\u{1f600} hunter2",
        "---",
    ];
    let leaf = prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(Yaml::from),
        1 => any::<u32>().prop_map(Yaml::from),
        1 => any::<bool>().prop_map(Yaml::from),
        1 => Just(Yaml::Null),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        let keys = prop::sample::select(vec!["email", "smtp", "pass", "a-b", "x.y", "587", "true"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Yaml::Sequence),
            prop::collection::vec((keys, inner), 0..4)
                .prop_map(|entries| entries.into_iter().map(|(k, v)| (Yaml::from(k), v)).collect())
                .prop_map(Yaml::Mapping),
        ]
    });
    prop::collection::vec(value, 1..4)
        .prop_map(|values| ["a", "b", "c"].map(Yaml::from).into_iter().zip(values).collect())
        .prop_map(Yaml::Mapping)
}

fn config_of(accounts: Yaml) -> String {
    let yaml = node(Some(accounts)).to_yaml().unwrap();
    String::from_utf8(yaml.expose().to_vec()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases::cases(24), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_we_write_means_the_same(accounts in prop::collection::vec(value(), 40)) {
        let nodes: Vec<_> = accounts.into_iter().map(|accounts| node(Some(accounts))).collect();
        let files: Vec<_> = nodes.iter().map(|node| node.to_yaml().unwrap().expose().to_vec()).collect();
        for ((node, file), cut) in nodes.iter().zip(&files).zip(cut(&files)) {
            let file = String::from_utf8_lossy(file);
            prop_assert!(cut.is_some(), "not followed: {}", file);
            prop_assert_eq!(parse_config(&cut.unwrap()).unwrap(), node.document(Some(&key())).unwrap(), "{}", file);
        }
    }

    /// If text is inserted, lost or moved, no secret is in the answer (`cut` checks this),
    /// and if the file is followed, the result means the same.
    #[test]
    fn nothing_leaks_from_a_spoiled_file(
        spoiled in prop::collection::vec((value(), prop::bool::ANY, prop::collection::vec(spoil(), 1..4)), 40)
    ) {
        let files: Vec<String> = spoiled.into_iter().map(|(accounts, ours, spoils)| {
            let file = if ours { config_of(accounts) } else { UPSTREAM.to_owned() };
            spoils.into_iter().fold(file, |file, (how, at, with)| apply(&file, how, at, with))
        }).collect();
        for (file, cut) in files.iter().zip(cut(&files)) {
            if let (Some(cut), Some(meaning)) = (cut, meaning(file)) {
                prop_assert_eq!(parse_config(&cut).ok(), Some(meaning), "{}\n{}", file, cut);
            }
        }
    }
}

/// How to spoil a file, where, and with which text. Keys are public, so no variant makes a
/// key of a value.
fn spoil() -> impl Strategy<Value = (u8, prop::sample::Index, &'static str)> {
    let with = [
        "&",
        "*",
        "!",
        "|",
        ">",
        "'",
        "\"",
        "#",
        " #",
        "-",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "%",
        "\t",
        "\r",
        " ",
        "    ",
        "\n",
        "\n\n",
        "\n ",
        "\n---\n",
        "\u{85}",
        "\\",
        "\0",
        "x",
        "accounts:\n",
        "plugins:\n",
        "tenancy:\n",
        "|\n",
    ];
    (0u8..6, any::<prop::sample::Index>(), prop::sample::select(with.to_vec()))
}

fn apply(file: &str, how: u8, at: prop::sample::Index, with: &str) -> String {
    let mut lines: Vec<&str> = file.split('\n').collect();
    let line = at.index(lines.len());
    match how {
        0 => drop(lines.remove(line)),
        1 => lines.insert(line, lines[line]),
        2 => lines[line] = lines[line].trim_start(),
        3 => {
            let other = (line + with.len()) % lines.len();
            lines.swap(line, other);
        }
        _ => {
            let mut characters: Vec<char> = file.chars().collect();
            let place = at.index(characters.len().max(1));
            let end = (place + usize::from(how == 4)).min(characters.len());
            characters.splice(place..end, with.chars());
            return characters.into_iter().collect();
        }
    }
    lines.join("\n")
}
