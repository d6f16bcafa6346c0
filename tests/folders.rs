//! Reading and checking network folders. Every folder in `fixtures/folders` is a case, and
//! so is every folder in `fixtures/hostile`, which contains what an untrusted pull request
//! could contain. The parts of a case are:
//!
//! - `folder/` is read and checked. `outside/`, if there is one, is put next to it.
//! - `report.txt` is the expected output of `spore check`, and `network.txt` the expected
//!   network, if there are no errors. `SPORE_BLESS=1` updates both.
//! - `options` may contain `--without-secrets`, `--follow-links` and `binaries`. With the
//!   last, the pinned tau are read as well, which isn't part of reading a folder.
//! - `open` names the files that other users may read.
//! - `repository` makes the folder a git work tree that tracks the files listed in it, with
//!   `gitignore` and `gitattributes`.
//! - `secrets` lists further secrets for this case, which are secret only because of the
//!   field they are in. `fixtures/folders/secrets.txt` lists the secrets that no result of
//!   any case may contain.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "folders/editor.rs"]
mod editor;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/network.rs"]
mod network;
#[path = "folders/schemas.rs"]
mod schemas;
mod secrets;

use folder::{cases_in, copy, lines, read};
use secrets::secrets;
use spore_drive::check;
use spore_drive::network::{Draft, Files, Finding, Links, Network, Secrets, Severity};
use spore_drive::render::{self, Style};
use spore_drive::resource::{Sha256, is_hidden};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const CASES: &str = "fixtures/folders";
const HOSTILE: &str = "fixtures/hostile";
/// The name of the network's `Debug` output. It isn't compared with a file, but must not
/// contain secrets.
const DEBUG: &str = "debug";

fn cases() -> Vec<PathBuf> {
    cases_in(CASES, 20)
}

fn name(case: &Path) -> &str {
    case.file_name().unwrap().to_str().unwrap()
}

/// The results of a case: its report, and its network if there are no errors.
fn outcome(case: &Path) -> BTreeMap<&'static str, String> {
    let (scratch, draft) = read(case);
    let folder = scratch.path().join("folder");
    let problems = draft.problems();
    let shown = render::problems(&problems, Style::Plain);
    let mut outcome = BTreeMap::from([("report.txt", format!("{shown}{}\n", render::tally(&problems)))]);
    if let Ok(network) = draft.finish() {
        let network = Network { warnings: Vec::new(), ..network };
        outcome.insert("network.txt", network::text(&network));
        outcome.insert(DEBUG, format!("{network:#?}\n"));
    }
    let folder = folder.to_str().unwrap().to_owned();
    outcome.into_iter().map(|(file, text)| (file, text.replace(&folder, "folder"))).collect()
}

#[test]
fn every_case_has_the_expected_result() {
    let bless = std::env::var_os("SPORE_BLESS").is_some();
    let secrets = secrets();
    let mut wrong = Vec::new();
    for case in cases().into_iter().chain(cases_in(HOSTILE, 5)) {
        let outcome = outcome(&case);
        for (file, found) in &outcome {
            let own = lines(&case.join("secrets"));
            let leaked = secrets.iter().chain(&own).find(|secret| found.contains(*secret));
            assert!(leaked.is_none(), "{} shows the secret {leaked:?}:\n{found}", case.display());
            if *file == DEBUG {
                continue;
            }
            if bless {
                fs::write(case.join(file), found).unwrap();
            } else if fs::read_to_string(case.join(file)).ok().as_deref() != Some(&**found) {
                wrong.push(format!("{}/{file}:\n{found}", case.display()));
            }
        }
        if !outcome.contains_key("network.txt") && case.join("network.txt").exists() {
            match bless {
                true => fs::remove_file(case.join("network.txt")).unwrap(),
                false => wrong.push(format!("{} isn't a valid network any more", case.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "SPORE_BLESS=1 accepts these results:\n{}", wrong.join("\n"));
}

/// Checks that no fixture triggers, because that would need thousands of problems, or a
/// missing folder.
const NOT_IN_FIXTURES: &[&str] = &["yaml/more", "folder/unreadable", "folder/incomplete", "folder/more"];

#[test]
fn every_check_finds_something_in_a_case() {
    let mut found = BTreeSet::new();
    for case in cases().into_iter().chain(cases_in(HOSTILE, 5)) {
        found.extend(lines(&case.join("report.txt")));
    }
    let never: Vec<_> = render::ids().filter(|id| !found.contains(*id)).collect();
    assert_eq!(never, NOT_IN_FIXTURES);
}

/// The cases `same-…` describe one network in different dialects.
#[test]
fn all_dialects_give_the_same_network() {
    let same: Vec<_> = cases().into_iter().filter(|case| name(case).starts_with("same-")).collect();
    let network = |case: &Path| outcome(case).remove("network.txt").expect("a valid network");
    let expected = network(&same[0]);
    for case in &same {
        assert_eq!(network(case), expected, "{}", case.display());
    }
}

/// Every configuration that a folder can cause, and with which the real tau refuses to
/// start, is reported.
#[test]
fn configurations_that_tau_rejects_are_found() {
    let columns = |file: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(format!("fixtures/tau-cases/{file}")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    };
    let refused: Vec<String> = columns("cases.tsv")
        .into_iter()
        .filter(|case| case[2].starts_with("exits"))
        .map(|case| case[0].clone())
        .collect();
    assert!(refused.len() > 20);
    let checks = columns("checks.tsv");
    let mut listed: Vec<String> = checks.iter().map(|check| check[0].clone()).collect();
    listed.sort();
    let mut expected = refused;
    expected.sort();
    assert_eq!(listed, expected, "checks.tsv lists every case that `start` refuses, and no other");
    for check in &checks {
        let [case, folder, says] = &check[..] else { panic!("three columns: {check:?}") };
        assert!(!says.is_empty(), "{case}: the message is missing, or the reason why no folder can cause it");
        if folder != "-" {
            let report = outcome(&Path::new(CASES).join(folder)).remove("report.txt").unwrap();
            assert!(
                report.contains(says.as_str()),
                "{case}: the report of {folder} lacks `{says}`:\n{report}"
            );
        }
    }
}

/// The folder is exactly as upstream's tool wrote it. A different digest means that it was
/// edited.
#[test]
fn the_folder_of_upstream_is_unedited() {
    let mut files = Tree::new();
    tree(Path::new("fixtures/folders/upstream/folder"), "", &mut files);
    let listed: String =
        files.iter().map(|(path, bytes)| format!("{}  {path}\n", Sha256::of(bytes))).collect();
    let digest = Sha256::of(listed.as_bytes()).to_string();
    assert_eq!(digest, "692de532d190930de199725a09e5b359d52b7957a2ac385d95f90eb11ea5746a", "{listed}");
}

/// If all hosts are on one line, each problem shows only its part of the line, and the
/// number of problems is limited.
#[test]
fn a_very_long_line_is_shown_in_part() {
    use std::fmt::Write as _;
    let mut text = String::from("{");
    for host in 0..11_000 {
        write!(text, r#""h{host}": {{"addr": ["bad"], "ssh": {{"addr": "192.0.2.1", "auth": ["root"]}}}}, "#)
            .unwrap();
    }
    let mut files = Files::new("folder");
    files.insert("hosts.yaml", text.clone() + "}");
    let problems = Draft::from_files(&files, Secrets::Needed).problems();
    let shown = render::problems(&problems, Style::Plain);
    let of_the_line = shown.lines().filter(|line| line.starts_with(" 1 | "));
    assert!(of_the_line.clone().count() >= 9_990);
    of_the_line.for_each(|line| assert!(line.len() < 420, "{line}"));
    let column = text.match_indices("bad").nth(9_000).unwrap().0;
    assert!(shown.contains(&format!("[hosts.yaml:1:{column}]")), "{column}");
    assert!(shown.contains("more problems are not shown"));
}

/// File names, link targets and quoted names can contain control characters, which a
/// report must escape.
#[test]
fn control_characters_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(CASES).join("sound/folder"), folder.path(), &[]);
    let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).unwrap();
    fs::remove_file(folder.path().join("shapes.yaml")).unwrap();
    fs::create_dir(folder.path().join("shapes")).unwrap();
    write("shapes/a\x1b[31mb.yaml", "ports: \u{1b}[2J\u{9b}31m\n");
    write("shapes/all.yaml", "ports: {main: 4242}\n\"a\\e[31m\\u202e\": 1\nservices: [\"\\e[31m\"]\n");
    write("shapes/x\x1b[31m.YAML", "");
    symlink("nowhere\x1b[31m", folder.path().join("tau.yaml")).unwrap();
    let problems = check::read(folder.path(), Secrets::Needed, Links::Inside).problems();
    let shown = render::problems(&problems, Style::Plain);
    assert!(!shown.split('\n').any(|line| line.contains(is_hidden)), "{shown:?}");
    for part in [r"shapes/a\u{1b}[31mb.yaml", r"`a\u{1b}[31m\u{202e}`", r"nowhere\u{1b}[31m", ".YAML"] {
        assert!(shown.contains(part), "{part} isn't in {shown}");
    }
}

/// Git can't store pipes and devices, so a pull request can't contain them, but an archive
/// can.
#[test]
fn pipes_and_devices_are_refused_without_being_opened() {
    for (path, expected) in [
        ("shapes.yaml", "`shapes.yaml` is not a file"),
        ("keys/swarm.key", "`keys/swarm.key` is not a file"),
        ("keys/id_ed25519", "`keys/id_ed25519` is not a file"),
        ("plugins/p@1", "`plugins/p@1` is not a file"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        copy(&Path::new(CASES).join("sound/folder"), folder.path(), &[]);
        let shapes = folder.path().join("shapes.yaml");
        let text = fs::read_to_string(&shapes).unwrap().replace("all:\n", "all:\n  plugins: [p@1]\n");
        fs::write(shapes, text).unwrap();
        let path = folder.path().join(path);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Opening the pipe would block, because no process writes to it.
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        for links in [Links::Inside, Links::Followed] {
            let problems = check::read(folder.path(), Secrets::Needed, links).problems();
            let found = problems
                .iter()
                .any(|problem| problem.is_error() && render::wording(problem).message == expected);
            assert!(found, "{expected}: {}", render::problems(&problems, Style::Plain));
        }
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        let problems = check::read(folder.path(), Secrets::Needed, Links::Followed).problems();
        assert!(problems.iter().any(Finding::is_error), "a device instead of {}", path.display());
    }
}

/// Without a limit, a hundred links to one file would fill the memory.
#[test]
fn the_size_of_a_folder_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(CASES).join("sound/folder"), folder.path(), &[]);
    fs::remove_file(folder.path().join("hosts.yaml")).unwrap();
    fs::create_dir(folder.path().join("hosts")).unwrap();
    fs::write(folder.path().join("big"), "#".repeat(15_000_000)).unwrap();
    (0..100).for_each(|nth| symlink("../big", folder.path().join(format!("hosts/h{nth}.yaml"))).unwrap());
    let files = Files::read(folder.path(), &Links::Inside.into()).unwrap();
    let debug = format!("{files:?}");
    assert_eq!(debug.matches("File(15000000 bytes)").count(), 2, "{debug}");
    assert_eq!(debug.matches("TooMuch(32000000)").count(), 98, "{debug}");

    fs::create_dir(folder.path().join("plugins")).unwrap();
    fs::File::create(folder.path().join("plugins/big")).unwrap().set_len(700 << 20).unwrap();
    symlink("big", folder.path().join("plugins/p@1")).unwrap();
    let debug = format!("{:?}", Files::read(folder.path(), &Links::Inside.into()).unwrap());
    assert_eq!(debug.matches("TooMuch(1073741824)").count(), 1, "{debug}");
}

/// Runs `spore COMMAND -n CASE`, and returns its exit code, stdout and stderr.
fn spore(case: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let scratch = tempfile::tempdir().unwrap();
    let case =
        [CASES, HOSTILE].map(|cases| Path::new(cases).join(case)).into_iter().find(|case| case.exists());
    for part in ["folder", "outside"] {
        let from = case.as_ref().unwrap().join(part);
        if from.exists() {
            copy(&from, &scratch.path().join(part), &[]);
        }
    }
    run(&scratch.path().join("folder"), arguments)
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_spore"));
    let output = command.args(arguments).arg("-n").arg(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The output of a command on standard output if an error prevents a plan.
fn last_line(command: &str) -> &'static str {
    if command == "apply" { "apply: failed; nothing was changed\n" } else { "" }
}

/// Links to secrets are followed only with `--follow-links`. Everything else is then still
/// checked.
#[test]
fn follow_links_is_an_option_of_every_command_that_reads_the_secrets() {
    let (status, said, _) = spore("secrets-linked", &["check"]);
    assert_eq!((status, said.lines().last()), (Some(1), Some("check: 3 errors")));
    let (status, said, _) = spore("secrets-linked", &["check", "--follow-links"]);
    assert_eq!(status, Some(0), "{said}");
    for command in ["plan", "apply", "rehearse"] {
        let (status, _, errors) = spore("secrets-linked", &[command]);
        assert!(status == Some(1) && errors.contains("pass `--follow-links`"), "{command}: {errors}");
        // This folder has another error, so that no host is contacted.
        let (_, _, errors) = spore("component-linked", &[command, "--follow-links"]);
        assert!(errors.contains("`shapes.yaml` is a symbolic link that leads out"), "{command}: {errors}");
    }
}

#[test]
fn without_a_network_every_command_says_how_to_start() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["check", "plan", "apply", "rehearse"] {
        let (status, said, errors) = run(folder.path(), &[command]);
        assert_eq!((status, &*said), (Some(1), last_line(command)), "{command}: {errors}");
        assert!(errors.contains("there is no network in"), "{command}: {errors}");
        assert!(errors.contains("run `spore` without a command"), "{command}: {errors}");
    }
    fs::write(folder.path().join("shapes.yaml"), "all: {ports: {main: 4242}}\n").unwrap();
    fs::write(folder.path().join("hosts.yaml"), "h1: {addr: [192.0.2.1], shapes: {all: {}}}\n").unwrap();
    let (status, said, _) = run(folder.path(), &[]);
    assert_eq!(status, Some(0));
    assert!(said.contains("hosts    1, with 1 node of 1 shape\n"), "{said}");
}

#[test]
fn check_explains_an_id_without_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (status, said, errors) = run(folder.path(), &["check", "--explain", "ports/clash"]);
    assert_eq!((status, &*errors), (Some(0), ""));
    assert!(
        said.starts_with("ports/clash: nodes of one host use the same port\n\nOnly one of them"),
        "{said}"
    );
    let (status, said, errors) = run(folder.path(), &["check", "--explain", "ports/clahs"]);
    assert_eq!((status, &*said), (Some(1), ""));
    assert!(errors.contains("there is no check `ports/clahs`"), "{errors}");
    assert!(errors.contains("did you mean `ports/clash`?"), "{errors}");
}

#[test]
fn the_exit_code_and_the_last_line_have_the_result() {
    const NONE: &str = "check: no problems in 2 shapes, 3 hosts and 3 nodes";
    for (case, arguments, code, last) in [
        ("sound", &["check"][..], 0, NONE),
        ("sound", &["check", "--deny-warnings"], 0, NONE),
        ("unused", &["check"], 0, "check: 2 warnings"),
        ("unused", &["check", "--deny-warnings"], 1, "check: 2 warnings, denied by --deny-warnings"),
        ("upstream", &["check"], 1, "check: 1 error, 4 warnings"),
        ("upstream", &["check", "--deny-warnings"], 1, "check: 1 error, 4 warnings"),
        ("secrets-missing", &["check"], 1, "check: 2 errors, 1 warning"),
        ("secrets-missing", &["check", "--without-secrets"], 0, NONE),
        ("secrets-missing", &["check", "--without-secrets", "--deny-warnings"], 0, NONE),
        (
            "without-secrets",
            &["check", "--without-secrets", "--deny-warnings"],
            1,
            "check: 1 warning, denied by --deny-warnings",
        ),
    ] {
        let (status, said, errors) = spore(case, arguments);
        assert_eq!((status, said.lines().last(), &*errors), (Some(code), Some(last), ""), "{case}: {said}");
    }
}

/// A folder with errors isn't planned, and no host is contacted. The hosts of this folder
/// wouldn't answer.
#[test]
fn a_folder_with_errors_is_not_planned() {
    for command in ["plan", "apply"] {
        let (status, said, errors) = spore("everything-at-once", &[command]);
        assert_eq!((status, &*said), (Some(1), last_line(command)), "{errors}");
        let report = fs::read_to_string(format!("{CASES}/everything-at-once/report.txt")).unwrap();
        let (report, _tally) = report.trim_end().rsplit_once('\n').unwrap();
        assert!(errors.starts_with(report.trim_end()), "{errors}");
        assert!(errors.contains("the network folder has 10 errors"), "{errors}");
    }
}

/// Files of a folder, by path.
type Tree = BTreeMap<String, Vec<u8>>;

fn tree(folder: &Path, prefix: &str, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            self::tree(&entry.path(), &format!("{name}/"), tree);
        } else if let Ok(bytes) = fs::read(entry.path()) {
            tree.insert(name, bytes);
        }
    }
}

/// The severity of each finding. A finding is identified by its text and its place in the
/// file, without the line, which edits above it change.
fn severities(tree: &Tree, secrets: Secrets) -> BTreeMap<String, Severity> {
    let mut files = Files::new("folder");
    for (path, bytes) in tree {
        files.insert(path.clone(), bytes.clone());
    }
    let mut draft = Draft::from_files(&files, secrets);
    draft.report(check::check(&draft));
    let key = |problem: &Finding| {
        let place = problem.places().first().map(|place| {
            (place.file(), place.source().text().get(place.span()).unwrap_or_default().to_owned())
        });
        format!("{} {place:?}", render::wording(problem).message)
    };
    draft.problems().iter().map(|problem| (key(problem), problem.severity())).collect()
}

/// Edited copies of the folder: in each, one top-level entry or one line below it is
/// removed, or a file is removed, or a file is replaced with that of a sound folder.
fn edits(folder: &Tree, sound: &Tree) -> Vec<Tree> {
    let mut edits = Vec::new();
    for (path, bytes) in folder {
        let mut without = folder.clone();
        without.remove(path);
        edits.push(without);
        if let Some(other) = sound.get(path) {
            edits.push(folder.clone().into_iter().chain([(path.clone(), other.clone())]).collect());
        }
        let Some(text) = std::str::from_utf8(bytes).ok().filter(|_| path.ends_with(".yaml")) else {
            continue;
        };
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for start in 0..lines.len() {
            let indent = |line: &str| line.len() - line.trim_start().len();
            let below = lines[start + 1..].iter().take_while(|line| indent(line) > indent(lines[start]));
            let end = start + 1 + below.count();
            let rest = [&lines[..start], &lines[end..]].concat().concat().into_bytes();
            edits.push(folder.clone().into_iter().chain([(path.clone(), rest)]).collect());
        }
    }
    // Some problems are fixed by adding a file: add each file that only the sound folder
    // has.
    edits.extend(
        sound
            .iter()
            .filter(|(path, _)| !folder.contains_key(*path))
            .map(|(path, bytes)| folder.clone().into_iter().chain([(path.clone(), bytes.clone())]).collect()),
    );
    edits
}

/// Fixing or causing a problem never changes the severity of another finding.
#[test]
fn severity_depends_only_on_the_finding() {
    let mut sound = Tree::new();
    tree(&Path::new(CASES).join("sound/folder"), "", &mut sound);
    // These cases contain many references, so all their edits are tested. Of the other
    // cases, only a sample of the edits is tested, because testing all takes long.
    const RICH: [&str; 5] =
        ["everything-at-once", "logins-not-needed", "missing-things", "shapes-not-needed", "ssh-keys"];
    let mut compared = 0;
    for (nth, case) in cases().into_iter().enumerate() {
        let mut folder = Tree::new();
        tree(&case.join("folder"), "", &mut folder);
        // Exponential aliases take long to read, and test nothing else.
        if name(&case) == "odd-entries" {
            continue;
        }
        for secrets in [Secrets::Needed, Secrets::Elsewhere] {
            let before = severities(&folder, secrets);
            let every = if RICH.contains(&name(&case)) { 1 } else { 12 };
            for edit in edits(&folder, &sound).into_iter().skip(nth % every).step_by(every) {
                for (finding, severity) in severities(&edit, secrets) {
                    if let Some(was) = before.get(&finding) {
                        compared += 1;
                        let changed = edit.iter().find(|(path, bytes)| folder.get(*path) != Some(bytes));
                        let changed = changed.map(|(path, bytes)| (path, String::from_utf8_lossy(bytes)));
                        assert_eq!(*was, severity, "{}: {finding} after {changed:?}", case.display());
                    }
                }
            }
        }
    }
    assert!(compared > 1_000, "{compared} comparisons");
}
