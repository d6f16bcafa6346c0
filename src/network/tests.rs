//! Tests with folders that are damaged, huge or absent.

mod yaml;

use super::{Files, Network};
use std::fs;
use std::path::Path;

#[test]
fn a_file_too_big_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("hosts.yaml")).unwrap();
    file.set_len(16_000_001).unwrap();
    let problems = Network::read(folder.path()).unwrap_err();
    assert!(problems.0.iter().any(|problem| problem.message().contains("more than 16000000 are not read")));
}

#[test]
fn a_folder_that_is_not_there_is_said_to_be_so() {
    let problems = Network::read(Path::new("/nonexistent/folder")).unwrap_err();
    assert!(problems.0[0].message().starts_with("the network folder `/nonexistent/folder` can't be read"));
}

/// Aliases of aliases: exponential, and in the depth.
#[test]
fn a_billion_laughs_are_cut_short() {
    let mut wide = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    let mut deep = String::from("a0: &a0 [x]\n");
    for n in 1..1000 {
        let before = n - 1;
        wide += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
        deep += &format!("a{n}: &a{n} [*a{before}]\n");
    }
    for text in [wide, deep] {
        let mut files = Files::new("folder");
        files.insert("accounts.yaml", text);
        let problems = Network::from_files(&files).unwrap_err();
        assert!(problems.0.iter().any(|p| p.message().contains("for a network")), "{problems:?}");
    }
    let mut files = Files::new("folder");
    files.insert("accounts.yaml", "[".repeat(100_000));
    assert!(Network::from_files(&files).is_err());
}

/// Found by `tests/robust/damage.rs`.
#[test]
fn what_damage_leaves_of_a_secret_is_masked() {
    for (text, secret) in [
        (
            "key: /key/swarm/psk/1.0.0//base16/73706f7265207465737420737761726d206b65792c=206e6f74207265",
            "7370",
        ),
        ("id: 12D3KooWPJkKv96HofXKAqucUUQfXoKtNR5At4XVXoHNwb3JlIHRlc3Qgbm9kZSBrZXksIG5v", "Nwb3"),
        ("k\0e\0y\0:\0 \0s\0e\0c\0r\0e\0t\0", "s"),
    ] {
        let shown = super::mask::Mask::new(text, super::component::Component::Shapes).finish();
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// A name as long as a file is shown in part, and no terminal obeys it.
#[test]
fn what_is_shown_is_bounded_and_harmless() {
    let mut files = Files::new("folder");
    let name = "n".repeat(100_000);
    files.insert("shapes.yaml", format!("s: {{? {name} : 1, \"\\e[31m\": 2, \u{9b}: 3}}"));
    let problems = Network::from_files(&files).unwrap_err();
    for problem in problems.0 {
        assert!(problem.message().len() < 500 && !problem.message().contains(char::is_control), "{problem}");
        for (place, _) in problem.labels() {
            assert!(place.underlined().len() <= 400, "{problem}");
            assert!(!place.source().text().contains(char::is_control), "{problem}");
        }
    }
}
