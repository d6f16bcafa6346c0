//! Every command in `README.md`, `tests/run` aside, does what the README shows:
//! `…` there stands for anything, and one line of `…` for any number of lines.
//!
//! The blocks are one session of a person whose network is on pretended hosts.

use crate::world::World;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command, and the lines that it should write.
struct Shown {
    line: usize,
    command: String,
    output: Vec<String>,
}

#[test]
fn does_what_it_shows() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let shown = shown(&text);
    assert!(shown.len() > 10, "the README's commands aren't found");
    let world = World::new();
    let network = world.folder().join("my-network");
    prepare(&world, &network);
    let mut here = world.folder().to_owned();
    for step in &shown {
        // The first installs to the user's own programs, the second tests everything: this test included.
        if ["cargo install", "tests/run"].iter().any(|start| step.command.starts_with(start)) {
            continue;
        }
        if let Some(folder) = step.command.strip_prefix("cd ") {
            here = here.join(folder);
            continue;
        }
        let found = run(&step.command, &here);
        assert!(
            fits(&step.output, &found),
            "README.md:{}: $ {}\n{}\ninstead of\n{}",
            step.line,
            step.command,
            found.join("\n"),
            step.output.join("\n")
        );
    }
}

/// What stands in blocks of `console`.
fn shown(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => {
                    let command = command.split("  # ").next().unwrap().trim().to_owned();
                    shown.push(Shown { line: at + 1, command, output: Vec::new() });
                }
                (None, Some(last)) => last.output.push(line.to_owned()),
                (None, None) => panic!("README.md:{}: output of no command", at + 1),
            },
            _ => {}
        }
    }
    shown
}

/// The network that a person has written, with a tau that is to be pinned.
fn prepare(world: &World, network: &Path) {
    fs::create_dir(network).unwrap();
    for name in
        ["auth.yaml", "cloud.yaml", "shapes.yaml", "tenancy.yaml", "hosts", "keys", "tau", "known_hosts"]
    {
        fs::rename(world.folder().join(name), network.join(name)).unwrap();
    }
    fs::rename(network.join("tau"), network.join("tau-linux-amd64")).unwrap();
    let shapes = fs::read_to_string(network.join("shapes.yaml")).unwrap();
    fs::write(network.join("shapes.yaml"), shapes.split("trust:").next().unwrap()).unwrap();
    let cloud = fs::read_to_string(network.join("cloud.yaml")).unwrap();
    fs::write(network.join("cloud.yaml"), cloud.replace("elders: [h1]", "elders: [h1]\n    store: [h4]"))
        .unwrap();
}

fn run(command: &str, here: &Path) -> Vec<String> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_spore"));
    // A person's build of it would be another; what it shows is not.
    let command = command.replace("cargo run --release -- ", "spore ");
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let out = Command::new("sh")
        .args(["-c", &command])
        .current_dir(here)
        .env("PATH", path)
        .env("SPORE_KNOWN_HOSTS", "known_hosts")
        .env("SPORE_TIMEOUT", "settle=0.5")
        .env_remove("SPORE_NETWORK")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Whether lines are as they are shown.
fn fits(shown: &[String], found: &[String]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((line, rest)) if line.trim() == "…" => {
            (0..=found.len()).any(|skipped| fits(rest, &found[skipped..]))
        }
        Some((line, rest)) => match found.split_first() {
            Some((first, others)) => line_fits(line.trim_end(), first) && fits(rest, others),
            None => false,
        },
    }
}

/// Whether a line is as it is shown, whatever stands for `…`.
fn line_fits(shown: &str, found: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|start| found.strip_prefix(start)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What is quoted as text is from the demo, whose output another test compares.
#[test]
fn quotes_the_demo() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (readme, demo) = (read("README.md"), read("snapshots/demo.txt"));
    let quotes: Vec<&str> =
        readme.split("```text\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!quotes.is_empty());
    for quote in quotes {
        assert!(demo.contains(quote), "not in snapshots/demo.txt:\n{quote}");
    }
}

#[test]
fn it_would_notice() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(fits(&lines("a…c\n…\nlast"), &lines("abc\nx\ny\nlast")));
    assert!(fits(&lines("…\nlast"), &lines("last")));
    assert!(!fits(&lines("a…c"), &lines("abd")));
    assert!(!fits(&lines("a"), &lines("a\nb")));
    assert!(!fits(&lines("…\nlast"), &lines("last\nmore")));
}
