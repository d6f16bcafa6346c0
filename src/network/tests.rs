//! What reading does with folders that no fixture has: damaged, huge, absent.

use super::{Diagnostic, Draft, Files, Network, Secrets};
use std::fs;
use std::path::{Path, PathBuf};

const CASES: &str = "fixtures/folders";

/// All that a person could get to see.
fn shown(files: &Files) -> String {
    let draft = Draft::from_files(files, Secrets::Needed);
    let said = |problem: &Diagnostic| {
        let sources: String = problem.labels().iter().map(|(place, _)| place.source().text()).collect();
        format!("{problem:?}\n{sources}\n")
    };
    draft.problems().iter().map(said).collect()
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    cases
}

/// Every part of a secret that is long enough to tell.
fn secrets() -> Vec<String> {
    let text = fs::read_to_string(format!("{CASES}/secrets.txt")).unwrap();
    let mut parts = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let length = line.len().min(16);
        parts.extend((0..=line.len() - length).map(|at| line[at..at + length].to_owned()));
    }
    parts
}

/// Whatever is cut off or put in, reading ends, and shows no secret.
#[test]
fn damaged_folders_neither_panic_nor_leak() {
    let secrets = secrets();
    let check = |files: &Files, what: &str| {
        let text = shown(files);
        assert!(!text.contains("defect of spore"), "{what}:\n{text}");
        if let Some(leaked) = secrets.iter().find(|secret| text.contains(*secret)) {
            panic!("{what} shows {leaked:?}:\n{text}");
        }
    };
    for case in cases() {
        let folder = case.join("folder");
        let Ok(files) = Files::gather(&folder) else { continue };
        for (path, bytes) in files.yaml() {
            // What stands in a URL is known by the URL's form alone.
            if bytes.len() > 20_000 || path.contains("tau") {
                continue;
            }
            for (n, cut) in (0..bytes.len()).step_by(61).enumerate() {
                let mut damaged = files.clone();
                let (head, tail) = bytes.split_at(cut);
                match n % 4 {
                    0 => damaged.insert(path, head),
                    1 => damaged.insert(path, [head, tail.get(1..).unwrap_or_default()].concat()),
                    2 => damaged.insert(path, [head, b": [", tail].concat()),
                    _ => damaged.insert(path, [head, b"\n\t", tail].concat()),
                }
                check(&damaged, &format!("{} {path}, damaged at {cut}", case.display()));
            }
        }
    }
}

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
