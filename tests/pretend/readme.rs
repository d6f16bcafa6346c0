//! Every command in `README.md`, except `tests/run`, prints the output that the README
//! shows. There, `…` matches any text, and a line with only `…` any number of lines.
//!
//! All `console` blocks are one session, on a network of simulated hosts.

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
fn commands_print_the_output_in_the_readme() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let shown = shown(&text);
    assert!(shown.len() > 10, "the README's commands aren't found");
    let world = World::new();
    let network = world.folder().join("my-network");
    prepare(&world, &network);
    let mut here = world.folder().to_owned();
    for step in &shown {
        // The former installs a program for the user, the latter runs all tests, this one
        // included.
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

/// The commands in the `console` blocks.
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

/// Creates the user's network folder, and a tau to be pinned.
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
    // The release build would take minutes, and prints the same.
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

/// Whether the output matches the lines in the README.
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

/// Whether a line matches, where `…` matches any text.
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

/// The `text` blocks are quotes from the demo's snapshot.
#[test]
fn text_blocks_quote_the_demo() {
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
fn differences_are_detected() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(fits(&lines("a…c\n…\nlast"), &lines("abc\nx\ny\nlast")));
    assert!(fits(&lines("…\nlast"), &lines("last")));
    assert!(!fits(&lines("a…c"), &lines("abd")));
    assert!(!fits(&lines("a"), &lines("a\nb")));
    assert!(!fits(&lines("…\nlast"), &lines("last\nmore")));
}
