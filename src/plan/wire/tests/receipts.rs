//! The receipt that an apply leaves, and what becomes of the last one.

use super::super::{Ending, is_written, receipt, supersede};
use super::FakeHost;
use crate::daemon::Daemon;
use crate::facts::receipt::{After, ApplyRecord, Receipt};
use crate::facts::roster::Roster;
use crate::plan::action::Action;
use crate::plan::wire::Answer;
use crate::resource::{Graph, Sha256};
use std::collections::BTreeSet;

const DIRECTORY: &str = "/tb/.spore";
const RECEIPT: &str = "/tb/.spore/receipt.json";
const SUPERSEDED: &str = "/tb/.spore/superseded.json";

fn leave(host: &FakeHost) -> String {
    let none = Graph::default();
    let after = After { desired: &none, current: &none, differing: &BTreeSet::new() };
    let apply = ApplyRecord { at: "".into(), by: "".into(), plan: "".into(), spore: "".into() };
    let (roster, name) = (Roster::default(), "h1".parse().unwrap());
    let left = Receipt::new("net.test", &name, apply, String::new(), roster.file_name(), None, after);
    host.shell(&receipt(Daemon::Tau, &left, &roster), b"")
}

#[test]
fn a_receipt_replaces_what_was_there() {
    let host = FakeHost::new();
    for name in ["superseded.json", "roster-0.json", ".spore-receipt.json"] {
        host.write(&format!("{DIRECTORY}/{name}"), b"old");
    }
    host.chmod(DIRECTORY, 0o755);
    assert!(is_written(&leave(&host)));
    let roster = Roster::default().file_name();
    assert_eq!(host.list(DIRECTORY), ["receipt.json", &roster]);
    assert_eq!((host.mode(DIRECTORY), host.mode(RECEIPT)), (0o700, 0o600));
    assert_eq!(host.mode(&format!("{DIRECTORY}/{roster}")), 0o600);
}

/// Nothing that a failure has left is in the way of the next apply.
#[test]
fn a_receipt_that_cannot_be_written_leaves_nothing() {
    let host = FakeHost::new();
    host.write(&format!("{RECEIPT}/directory"), b"");
    let said = leave(&host);
    assert!(!is_written(&said) && said.contains("receipt.json"), "{said}");
    assert!(!host.exists(&format!("{DIRECTORY}/.spore-receipt.json")), "{:?}", host.list(DIRECTORY));
}

#[test]
fn a_receipt_is_superseded_before_the_first_action() {
    let host = FakeHost::new();
    let remove = Action::Remove { path: "/tb/a".to_owned(), before: Sha256::of(b"a") };
    let act = |gets_new| {
        host.write("/tb/a", b"a");
        let said = host.shell(&(supersede(gets_new) + &host.request(std::slice::from_ref(&remove))), b"");
        let last = said.lines().last().and_then(|line| Answer::parse(line.strip_prefix("marker ")?));
        match last.unwrap() {
            Answer::Ended(0, ending) => ending,
            other => panic!("{other:?}"),
        }
    };
    // There is none.
    assert_eq!(act(true), Ending::Done);
    assert!(!host.exists(DIRECTORY));
    host.write(RECEIPT, b"new");
    host.write(SUPERSEDED, b"old");
    assert_eq!(act(true), Ending::Done);
    assert!(!host.exists(RECEIPT) && host.read(SUPERSEDED) == "new");
    host.write(RECEIPT, b"newer");
    assert_eq!(act(false), Ending::Done);
    assert!(!host.exists(RECEIPT) && host.read(SUPERSEDED) == "new");
    // If it can't be superseded, nothing is changed.
    std::fs::remove_file(host.at(SUPERSEDED)).unwrap();
    host.write(&format!("{SUPERSEDED}/directory"), b"");
    host.write(RECEIPT, b"newest");
    assert!(matches!(act(true), Ending::Failed(_)));
    assert!(host.exists(RECEIPT) && host.exists("/tb/a"));
}
