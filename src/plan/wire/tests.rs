//! Tests of every script. The scripts are run by this machine's `sh` on a folder that
//! represents a host, with stand-ins for the commands that would change the machine.

#![expect(clippy::unwrap_used, reason = "a test that meets something else fails there")]

mod fake_host;
mod fallback;
mod fetch;
mod files;
mod handshake;
#[path = "../../../tests/support/http.rs"]
mod http;
mod receipts;
mod units;

use super::*;
use crate::resource::{FileSource, Untrusted};
use fake_host::{FakeHost, machine, patience};

fn staged(path: &str, content: &[u8], host: &FakeHost) -> Staged {
    let (path, sha256, access) = (path.to_owned(), Sha256::of(content), host.access(0o640));
    Staged { path, sha256, access, source: FileSource::Host }
}

fn differs(outcome: &Outcome) -> &Differs<Printable> {
    let Outcome::Differs(differs) = outcome else { panic!("{outcome:?}") };
    differs
}

fn found(outcome: &Outcome) -> &Found<Printable> {
    &differs(outcome).found
}

fn text(text: &str) -> Printable {
    Printable::line(text)
}

fn is_file(content: &[u8]) -> Found<Printable> {
    Found::There(Thing::File(Some(Sha256::of(content))))
}

fn is_link(target: &str) -> Found<Printable> {
    Found::There(Thing::Link(text(target)))
}

fn failed(outcome: &Outcome) -> &str {
    let Outcome::Failed { text } = outcome else { panic!("{outcome:?}") };
    text
}

#[test]
fn words_arrive_as_they_are() {
    let host = FakeHost::new();
    for word in ["a b", "it's", "$(false)", "-n", "*", "ä\\n", "a\nb"] {
        let path = format!("/tb/{word}");
        host.write(&path, b"x");
        let remove = Action::Remove { path: path.clone(), before: Sha256::of(b"x") };
        assert_eq!(host.act(&remove), Outcome::Done, "{word}");
        assert!(!host.exists(&path), "{word}");
    }
}

#[test]
fn nothing_after_a_failure_is_begun() {
    let host = FakeHost::new();
    let remove = |path: &str| Action::Remove { path: path.to_owned(), before: Sha256::of(b"planned") };
    host.write("/tb/a", b"planned");
    host.write("/tb/b", b"other");
    host.write("/tb/c", b"planned");
    let outcomes = host.run(&[remove("/tb/a"), remove("/tb/b"), remove("/tb/c")]);
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
    assert_eq!(outcomes[0], Outcome::Done);
    let expected = Expected::File(Some(Sha256::of(b"planned")));
    assert_eq!(differs(&outcomes[1]), &Differs { what: text("/tb/b"), expected, found: is_file(b"other") });
    assert!(host.exists("/tb/c"));
}

#[test]
fn nothing_is_begun_without_the_lock() {
    let host = FakeHost::new();
    host.write("/tb/a", b"x");
    let remove = Action::Remove { path: "/tb/a".to_owned(), before: Sha256::of(b"x") };
    // No process can have this id.
    let said = host.shell(&format!("supervisor=99999999\n{}", host.request(&[remove])), b"");
    assert_eq!(said, "");
    assert!(host.exists("/tb/a"));
}

#[test]
fn what_a_script_says_of_itself_is_read() {
    let parse = Answer::parse;
    assert_eq!(parse("3 began"), Some(Answer::Began(3)));
    assert_eq!(parse("0 need gzip"), Some(Answer::Need(0, Need { best: Some(Codec::Gzip), why: None })));
    let why = Some(Untrusted::new("no"));
    assert_eq!(parse("0 need raw bm8="), Some(Answer::Need(0, Need { best: None, why })));
    assert_eq!(parse("0 got 12"), Some(Answer::Got(0, 12)));
    assert_eq!(parse("12 done"), Some(Answer::Ended(12, Ending::Done)));
    assert_eq!(parse("1 failed bm8="), Some(Answer::Ended(1, Ending::Failed(Untrusted::new("no")))));
    // `/a`, `nothing` and `link b c`.
    let differs = Differs {
        what: Untrusted::new("/a"),
        expected: Expected::Nothing,
        found: Found::There(Thing::Link(Untrusted::new("b c"))),
    };
    let ending = Ending::Differs(differs);
    assert_eq!(parse("1 differs L2E= bm90aGluZw== bGluayBiIGM="), Some(Answer::Ended(1, ending)));
    for wrong in [
        "",
        "x done",
        "1",
        "1 failed",
        "1 failed !",
        "1 done 2",
        "1 well",
        "1 need",
        "1 need xz",
        "1 need raw !",
        "1 got x",
        "1 differs ",
        "1 differs L2E=",
        "1 differs L2E= bm90aGluZw== ",
        // `nothing at all`, and a file with another digest than one can have.
        "1 differs L2E= bm90aGluZyBhdCBhbGw= bm90aGluZw==",
        "1 differs L2E= bm90aGluZw== ZmlsZSBhYmM=",
        "1 differs L2E= bm90aGluZw== bm90aGluZw== bm90aGluZw==",
    ] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_table_names_no_command_that_no_script_runs() {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = String::new();
    for folder in ["plan/scripts", "remote", "facts", "daemon/tau"] {
        for entry in std::fs::read_dir(room.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "sh") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    for command in fake_host::commands().filter(|name| !["awk", "uname"].contains(name)) {
        assert!(words.contains(command), "{command}");
    }
}

/// The controller has to wait longer than the script of any action.
#[test]
fn two_runs_of_a_program_may_take_twice_as_long() {
    let seconds = Duration::from_secs;
    let patience = Patience {
        manager: seconds(1),
        stop: seconds(10),
        start: seconds(100),
        settle: seconds(1_000),
        verify: seconds(10_000),
        packages: seconds(100_000),
        fetch: seconds(1_000_000),
        stall: seconds(1),
    };
    let verify = Action::Verify { command: Vec::new(), staged: BTreeMap::new(), version: None };
    assert_eq!(patience.longest(&verify), seconds(2 * (10_000 + 5)));
    let health = Health { says: String::new(), listens: Vec::new(), within: seconds(7), handshake: None };
    let revert = Fallback::Revert { files: Vec::new(), health: health.clone() };
    let unit = || "a.service".to_owned();
    let start = |health, fallback| Action::Start { unit: unit(), before: Running::Stopped, health, fallback };
    assert_eq!(patience.longest(&start(None, Fallback::Leave)), seconds(15 + 100 + 25_000 + 6));
    let twice = patience.longest(&start(Some(health), revert));
    assert_eq!(twice, seconds(2 * (15 + 7 + 25_000) + 6));
    let stop = Action::Stop { unit: unit(), before: Running::Failing };
    assert_eq!(patience.longest(&stop), seconds(15 + 6));
}
