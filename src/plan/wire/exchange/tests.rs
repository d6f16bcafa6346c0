use super::super::{Ending, Transfer, call, receive};
use super::*;
use crate::artifact::Encoding;
use crate::artifact::HostDownload;
use crate::plan::action::{Action, Fallback, Running, Staged};
use crate::resource::{Access, FileSource, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

fn said(line: &str) -> Untrusted {
    Untrusted::new(line)
}

/// Of `/a`, nothing was expected and nothing found.
const DIFFERS: &str = "differs L2E= bm90aGluZw== bm90aGluZw==";

/// A request with one call of each kind: a question whether a file has to be sent, a file to
/// receive, another action, a start, and a file that the host downloads.
fn exchange() -> Exchange {
    let (sha256, access) = (Sha256::of(b"a"), Access::root(0o600));
    let file = Staged { path: "/a".to_owned(), sha256, access, source: FileSource::Host };
    let urls = vec!["http://127.0.0.1/a".parse().unwrap()];
    let download = HostDownload { urls, sha256, packed: false, size: None };
    let start = Action::Start {
        unit: "a.service".to_owned(),
        before: Running::Stopped,
        health: None,
        fallback: Fallback::Leave,
    };
    Exchange::new(&[
        call(3, &Action::Stage(file.clone())),
        receive(4, &file, Transfer { bytes: 1, encoding: Encoding::Raw }),
        call(5, &Action::Reload { files: BTreeMap::new() }),
        call(6, &start),
        call(7, &Action::Fetch { file, download: Arc::new(download) }),
    ])
}

const ALL: [&str; 14] = [
    "3 began",
    "3 need gzip",
    "4 began",
    "4 done",
    "5 began",
    "5 already",
    "6 began",
    "6 runs abc",
    "6 settles",
    "6 runs abc",
    "6 done",
    "7 began",
    "7 got 1",
    "7 need raw bm8=",
];

#[test]
fn what_the_scripts_say_fits() {
    let mut exchange = exchange();
    exchange.sent(4);
    for (i, line) in ALL.iter().enumerate() {
        assert!(!exchange.is_answered(), "{line}");
        let (index, began) = exchange.current().unwrap();
        assert_eq!((line.starts_with(&index.to_string()), began), (true, !line.ends_with("began")), "{i}");
        exchange.hear(&said(line)).unwrap();
    }
    assert!(exchange.is_answered());
    assert_eq!(exchange.current(), None);
    assert_eq!(exchange.hear(&said("end 0")), Ok(Answer::End(0)));
    assert_eq!(exchange.hear(&said("end 0")), Err(Unfit::Nothing));
}

/// After each line of the right answer, only the next line, another outcome of the same
/// call, or the end are accepted.
#[test]
fn nothing_else_fits() {
    let mut words = vec!["end 0".to_owned()];
    for index in ["2", "3", "4", "5", "6", "7", "8", "18446744073709551615", "18446744073709551616", "-1", ""]
    {
        for report in [
            "began",
            "got 1",
            "need gzip",
            "need raw bm8=",
            "runs abc",
            "settles",
            "done",
            "already",
            DIFFERS,
            "failed bm8=",
            "well",
        ] {
            words.push(format!("{index} {report}"));
        }
    }
    words.extend(
        ["", " ", "began", "end", "end x", "end 256", "3  began", "3 began ", "6 runs", "6 runs  "]
            .map(Into::into),
    );
    words.extend(["6 runs a;b".to_owned(), format!("6 runs {}", "a".repeat(65)), "6 failed !".to_owned()]);
    let mut now = exchange();
    now.sent(4);
    for (at, next) in ALL.into_iter().enumerate() {
        let fits: Vec<&str> =
            words.iter().filter(|word| now.clone().hear(&said(word)).is_ok()).map(String::as_str).collect();
        let index = &next[..1];
        let outcomes = |also: &[&str]| {
            let outcomes = ["done", "already", DIFFERS, "failed bm8="].iter().chain(also);
            outcomes.map(|report| format!("{index} {report}")).collect::<Vec<_>>()
        };
        let mut expected = match (at, next) {
            _ if next.ends_with("began") => vec![next.to_owned()],
            (_, "3 need gzip") => outcomes(&["need gzip"]),
            // The unit becomes healthy, has to stay healthy, crashes and becomes healthy again.
            (7 | 9, _) => outcomes(&["runs abc"]),
            (8, _) => outcomes(&["runs abc", "settles"]),
            (_, "7 got 1" | "7 need raw bm8=") => outcomes(&["got 1", "need raw bm8="]),
            _ => outcomes(&[]),
        };
        expected.push("end 0".to_owned());
        let (mut fits, mut expected) = (fits, expected.iter().map(String::as_str).collect::<Vec<_>>());
        fits.sort_unstable();
        expected.sort_unstable();
        assert_eq!(fits, expected, "instead of {next}");
        now.hear(&said(next)).unwrap();
    }
    assert_eq!(words.iter().filter(|word| now.clone().hear(&said(word)).is_ok()).count(), 1);
}

#[test]
fn a_file_is_done_only_after_it_was_sent() {
    let mut exchange = exchange();
    for line in &ALL[..3] {
        exchange.hear(&said(line)).unwrap();
    }
    assert_eq!(exchange.hear(&said("4 done")), Err(Unfit::Unsent(4)));
    assert!(exchange.clone().hear(&said("4 failed bm8=")).is_ok(), "the disk may be full");
    exchange.sent(4);
    assert_eq!(exchange.hear(&said("4 done")), Ok(Answer::Ended(4, Ending::Done)));
}

#[test]
fn after_a_bad_outcome_only_the_end_fits() {
    for bad in ["3 failed bm8=", "3 differs L2E= bm90aGluZw== bm90aGluZw=="] {
        let mut exchange = exchange();
        exchange.hear(&said("3 began")).unwrap();
        exchange.hear(&said(bad)).unwrap();
        assert!(exchange.is_answered());
        assert_eq!(exchange.hear(&said("4 began")), Err(Unfit::End));
        exchange.hear(&said("end 0")).unwrap();
        assert!(exchange.is_answered());
    }
}

#[test]
fn a_request_that_ends_early_isnt_answered() {
    let mut exchange = exchange();
    exchange.hear(&said("3 began")).unwrap();
    exchange.hear(&said("end 1")).unwrap();
    assert!(!exchange.is_answered());
    assert_eq!(exchange.current(), Some((3, true)));
}
