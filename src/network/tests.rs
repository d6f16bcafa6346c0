//! Tests with folders that are damaged, huge or absent.

mod yaml;

use super::{Files, Network};
use crate::finding::{Finding, FolderProblem, Kind, UnreadableFile};
use crate::yaml::Mistake;
use std::fs;
use std::path::Path;

#[test]
fn a_file_too_big_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("hosts.yaml")).unwrap();
    file.set_len(16_000_001).unwrap();
    let problems = Network::read(folder.path()).unwrap_err();
    let is_too_big = |problem: &Finding| {
        matches!(
            problem.kind(),
            Kind::Folder(FolderProblem::FileUnreadable {
                why: UnreadableFile::TooBig { limit: 16_000_000, .. },
                ..
            })
        )
    };
    assert!(problems.0.iter().any(is_too_big), "{problems:?}");
}

#[test]
fn a_folder_that_is_not_there_is_said_to_be_so() {
    let problems = Network::read(Path::new("/nonexistent/folder")).unwrap_err();
    let [problem] = &problems.0[..] else { panic!("{problems:?}") };
    let Kind::Folder(FolderProblem::Unreadable { folder, .. }) = problem.kind() else {
        panic!("{problem:?}")
    };
    assert_eq!(folder.to_string(), "/nonexistent/folder");
}

/// Aliases of aliases, growing exponentially in size or linearly in depth.
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
        let is_cut_short = |problem: &Finding| {
            matches!(problem.kind(), Kind::Yaml(Mistake::TooManyValues | Mistake::NestedAliases))
        };
        assert!(problems.0.iter().any(is_cut_short), "{problems:?}");
    }
    let mut files = Files::new("folder");
    files.insert("accounts.yaml", "[".repeat(100_000));
    assert!(Network::from_files(&files).is_err());
}

/// Cases that `tests/robust/damage.rs` found.
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
        let shown = super::mask::Mask::new(text, crate::finding::Component::Shapes).finish();
        assert!(!shown.contains(secret), "{shown}");
    }
}
