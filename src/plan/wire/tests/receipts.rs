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

/// From whichever command on no command succeeds, a receipt that is valid has its roster and nothing else next to
/// it: a host that has one isn't cleaned up again. Whatever else is left, the receipt that a plan
/// would read has its roster, and the next script leaves what it would have left anyway.
#[test]
fn a_receipt_that_is_cut_off_anywhere_leaves_nothing_behind_a_valid_one() {
    let roster = Roster::default().file_name();
    let old = |name: &str| format!(r#"{{"roster":"roster-{name}.json"}}"#);
    for earlier in [&["superseded"][..], &["receipt"], &["receipt", "superseded"], &[]] {
        let host = FakeHost::new();
        for name in ["mkdir", "chmod", "sync", "mv", "rm"] {
            let real = host.real(name);
            host.stand_in(
                name,
                &format!(
                    r#"
                    left=$(cat "$SPORE_ROOT/left")
                    [ "$left" != 0 ] || exit 1
                    echo $((left - 1)) >"$SPORE_ROOT/left"
                    exec {real} "$@""#
                ),
            );
        }
        for killed_after in 0.. {
            let _ = std::fs::remove_dir_all(host.at(DIRECTORY));
            for name in earlier {
                host.write(&format!("{DIRECTORY}/{name}.json"), old(name).as_bytes());
                host.write(&format!("{DIRECTORY}/roster-{name}.json"), b"old");
                host.write(&format!("{DIRECTORY}/.spore-{name}.json"), b"old");
            }
            host.write("/left", killed_after.to_string().as_bytes());
            let is_through = is_written(&leave(&host));
            if host.exists(RECEIPT) && !host.read(RECEIPT).contains("roster-receipt.json") {
                assert_eq!(host.list(DIRECTORY), ["receipt.json", &roster], "after {killed_after} commands");
            }
            if let Some(read) = [RECEIPT, SUPERSEDED].into_iter().find(|path| host.exists(path)) {
                let named =
                    [old("receipt"), old("superseded")].iter().position(|old| host.read(read) == *old);
                let named =
                    named.map_or(&*roster, |nth| ["roster-receipt.json", "roster-superseded.json"][nth]);
                assert!(host.exists(&format!("{DIRECTORY}/{named}")), "{:?}", host.list(DIRECTORY));
            }
            host.write("/left", b"100");
            assert!(is_written(&leave(&host)));
            assert_eq!(host.list(DIRECTORY), ["receipt.json", &roster], "after {killed_after} commands");
            if is_through {
                assert!(killed_after > 8, "{killed_after} commands were counted");
                break;
            }
        }
    }
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
