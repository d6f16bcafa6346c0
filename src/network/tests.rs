//! What reading does with folders that no fixture has: damaged, huge, absent.

mod yaml;

use super::{Files, Network};
use std::fs;
use std::path::Path;

const CASES: &str = "fixtures/folders";

/// `--ignored --nocapture` shows how long the largest folder takes.
#[test]
#[ignore = "a figure, not a test"]
fn ten_thousand_hosts() {
    let folder = Path::new(CASES).join("same-today/folder");
    let mut files = Files::gather(&folder).unwrap();
    for path in super::named(&files) {
        files.load_named(&path);
    }
    let hosts = fs::read_to_string(folder.join("hosts.yaml")).unwrap();
    let second = &hosts[hosts.find("h2:").unwrap()..];
    let many: String = (2..10_002).map(|n| second.replacen("h2:", &format!("h{n}:"), 1)).collect();
    let first = &hosts[..hosts.find("h2:").unwrap()];
    files.insert("hosts.yaml", format!("{first}{many}"));
    let start = std::time::Instant::now();
    let read = Network::from_files(&files);
    let took = start.elapsed();
    let network = read.unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(network.hosts.len(), 10_001);
    let memory = fs::read_to_string("/proc/self/status").unwrap();
    let peak = memory.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    panic!("{took:?} for {} bytes; {peak}", first.len() + many.len());
}

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
        assert!(problems.0.iter().any(|p| p.message().contains("than a network can need")), "{problems:?}");
    }
    let mut files = Files::new("folder");
    files.insert("accounts.yaml", "[".repeat(100_000));
    assert!(Network::from_files(&files).is_err());
}
