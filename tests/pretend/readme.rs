//! Every command in `README.md`, except `tests/run` and `cargo install`, prints the output
//! that the README shows. In that output, `…` matches any text, and a line with only `…`
//! matches any number of lines.
//!
//! All `console` blocks are one session, with the README's folder on simulated hosts. The block
//! `console lab` is a session of its own, on the hosts of the lab (`tests/lab/session.rs`).

use crate::session::{fits, readme, shown};
use spore_drive::network::{Draft, Files, Secrets};
use spore_drive::pretend::{Fleet, here, program};
use spore_drive::render::wording;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[test]
fn commands_print_the_output_in_the_readme() {
    let text = readme();
    let shown = shown(&text, "console");
    assert!(shown.len() > 10, "the README's commands aren't found");
    let session = Session::new();
    let mut here = session.directory.path().to_owned();
    for step in &shown {
        // `cargo install` would install the program for the user, and `tests/run` would run
        // all tests, including this one.
        if ["cargo install", "tests/run"].iter().any(|start| step.command.starts_with(start)) {
            continue;
        }
        if let Some(folder) = step.command.strip_prefix("cd ") {
            here = here.join(folder);
            session.write_folder(&text, &here);
            continue;
        }
        let found = session.run(&step.command, &here);
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

/// The files of the folder that the README shows: `yaml` blocks that begin with a comment
/// `# NAME.yaml: …`.
fn folder(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let named = blocks.filter_map(|block| {
        let name = block.strip_prefix("# ")?.split(':').next()?;
        Some((name, block))
    });
    named.collect()
}

/// A user's machine, and simulated hosts with the names in the README.
struct Session {
    directory: TempDir,
    fleet: Fleet,
    _runtime: Runtime,
}

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];

impl Session {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let mut fleet = Fleet::begin().unwrap();
        for name in HOSTS {
            runtime.block_on(fleet.add(&name.parse().unwrap(), here())).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let ssh = directory.path().join("home/.ssh");
        fs::create_dir_all(&ssh).unwrap();
        fs::write(ssh.join("known_hosts"), fleet.known_hosts()).unwrap();
        fs::write(ssh.join("id_ed25519"), fleet.user_key().unwrap()).unwrap();
        fs::set_permissions(ssh.join("id_ed25519"), fs::Permissions::from_mode(0o600)).unwrap();
        Self { directory, fleet, _runtime: runtime }
    }

    /// Writes the README's files, with new node keys and the addresses of the simulated
    /// hosts, and a tau to be pinned.
    fn write_folder(&self, text: &str, network: &Path) {
        let files = folder(text);
        assert!(files.len() >= 4, "the README's folder isn't found");
        for (name, contents) in files {
            let mut contents = contents.to_owned();
            for (nth, host) in HOSTS.into_iter().enumerate() {
                let address = self.fleet.host(&host.parse().unwrap()).unwrap().address();
                let shown = format!("ssh: {{addr: 203.0.113.{}, port: 22,", nth + 1);
                assert!(name != "hosts.yaml" || contents.contains(&shown), "{shown}");
                let simulated = format!("ssh: {{addr: {}, port: {},", address.host, address.port);
                contents = contents.replace(&shown, &simulated);
            }
            while let Some(at) = contents.find("CAESQ…") {
                let key = self.run("spore key node", network).concat();
                contents.replace_range(at..at + "CAESQ…".len(), &key);
            }
            fs::write(network.join(name), contents).unwrap();
        }
        fs::write(network.join("tau-linux-amd64"), program(here(), "no tau")).unwrap();
    }

    fn run(&self, command: &str, here: &Path) -> Vec<String> {
        let spore = PathBuf::from(env!("CARGO_BIN_EXE_spore"));
        // The release build would take minutes, and its output is the same.
        let command = command.replace("cargo run --release -- ", "spore ");
        let path = format!("{}:{}", spore.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let out = Command::new("sh")
            .args(["-c", &command])
            .current_dir(here)
            .env("PATH", path)
            .env("HOME", self.directory.path().join("home"))
            .env("SPORE_TIMEOUT", "settle=0.5")
            .env_remove("SPORE_KNOWN_HOSTS")
            .env_remove("SPORE_NETWORK")
            .env_remove("XDG_CACHE_HOME")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// The table of fields lists exactly the fields that the reader knows, in both dialects.
#[test]
fn the_table_lists_every_field() {
    // Each mapping has an unknown field; the help of the finding lists the known fields.
    let folders = [
        [
            (
                "cloud.yaml",
                "{x9: 1, domain: {x9: 1, validation: {x9: 1, key: {x9: 1}}}, p2p: {x9: 1, swarm: {x9: 1}}}",
            ),
            ("auth.yaml", "l: {x9: 1}"),
            ("hosts.yaml", "h: {x9: 1, ssh: {x9: 1}, location: {x9: 1}, shapes: {s: {x9: 1}}}"),
            ("shapes.yaml", "s: {x9: 1, ports: {x9: 1}}"),
            ("tenancy.yaml", "{x9: 1, app: {x9: 1}}"),
            ("tau.yaml", "amd64: {x9: 1}"),
        ],
        [
            ("network.yaml", "{}"),
            ("keys.yaml", "{}"),
            ("hosts.yaml", "{}"),
            ("shapes.yaml", "s: {ports: {main: {x9: 1}, lite: {x9: 1}}}"),
            ("tenancy.yaml", "{}"),
            ("tau.yaml", "{}"),
        ],
    ];
    let mut known = BTreeSet::new();
    for folder in folders {
        let mut files = Files::new("folder");
        folder.into_iter().for_each(|(path, text)| files.insert(path, text));
        for problem in Draft::from_files(&files, Secrets::Needed).problems() {
            let problem = wording(&problem);
            if problem.message.contains("`x9`") {
                let names = problem.help.split_once(" are ").unwrap().1;
                known.extend(names.split(", ").map(|name| name.trim_matches('`').to_owned()));
            }
        }
    }
    assert!(known.len() > 30, "{known:?}");
    let text = readme();
    let table = text.split("| file | field | meaning | default |\n").nth(1).unwrap();
    let fields = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(2));
    let mut listed = BTreeSet::new();
    for path in fields.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        let path = path.split(':').next().unwrap();
        listed.extend(path.split('.').filter(|name| *name != "SHAPE").map(str::to_owned));
    }
    assert_eq!(listed, known);
}

/// The `text` blocks are parts of the demo's snapshot.
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
