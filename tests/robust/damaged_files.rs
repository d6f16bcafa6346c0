//! Saved plans and files with facts that are damaged at random.

use super::cases::cases;
use super::files::{judge_facts, judge_plan};
use proptest::prelude::*;
use std::fs;
use std::sync::LazyLock;

static PLAN: LazyLock<Vec<u8>> = LazyLock::new(|| fs::read("fixtures/files/plan.json").unwrap());
static FACTS: LazyLock<Vec<u8>> = LazyLock::new(|| fs::read("fixtures/files/facts.json").unwrap());

/// What may take the place of a part of a file.
const PARTS: [&str; 24] = [
    "",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "1e999",
    "0",
    "18446744073709551616",
    "\\",
    "\\u001b[2J",
    "\\ud800",
    "\u{1b}",
    "\u{202e}",
    "\\t",
    "hunter2",
    "\"spore_plan\": \"2.0\",",
    "0000-03-00T00:00:00Z",
    "\\u0000",
];

#[test]
fn the_undamaged_files_are_accepted() {
    assert!(judge_plan(&PLAN) && judge_facts(&FACTS));
    assert!(!judge_plan(&FACTS) && !judge_facts(&PLAN));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(400), failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_damaged_file_is_refused_or_harmless(
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..12usize, prop::sample::select(PARTS.to_vec())),
            1..4,
        ),
    ) {
        for (file, judge) in [(&*PLAN, judge_plan as fn(&[u8]) -> bool), (&*FACTS, judge_facts)] {
            let mut bytes = file.clone();
            for (at, length, part) in &edits {
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + length);
                bytes.splice(at..end, part.bytes());
            }
            judge(&bytes);
        }
    }
}
