//! Whatever a host reports on its actions, only a valid sequence of answers is accepted.
//! `tests/fuzz/run reports` uses the same [`judge`].

use spore_drive::artifact::Encoding;
use spore_drive::artifact::HostDownload;
use spore_drive::plan::action::{Action, Fallback, Running, Staged};
use spore_drive::plan::wire::{Answer, Call, Ending, Exchange, Need, Transfer, call, receive};
use spore_drive::resource::{Access, FileSource, Sha256, Untrusted};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The request that the first byte of an input selects: two bits for each of four calls.
fn calls(which: u8) -> Vec<Call> {
    let file = || Staged {
        path: "/a".to_owned(),
        sha256: Sha256::of(b"a"),
        access: Access::root(0o600),
        source: FileSource::Host,
    };
    let start = || Action::Start {
        unit: "a.service".to_owned(),
        before: Running::Stopped,
        health: None,
        fallback: Fallback::Leave,
    };
    (0..4)
        .map(|i| match which >> (2 * i) & 3 {
            0 => call(i, &Action::Stage(file())),
            1 => receive(i, &file(), Transfer { bytes: 1, encoding: Encoding::Raw }),
            2 => call(i, &start()),
            _ if fetches(which, i) => {
                let urls = vec![URL.parse().unwrap()];
                let download = HostDownload { urls, sha256: Sha256::of(b"a"), packed: false, size: None };
                call(i, &Action::Fetch { file: file(), download: Arc::new(download) })
            }
            _ => call(i, &Action::Reload { files: BTreeMap::new() }),
        })
        .collect()
}

const URL: &str = "http://127.0.0.1/a";

/// Whether the host is to download a file in this call.
fn fetches(which: u8, i: usize) -> bool {
    which >> (2 * i) & 3 == 3 && i % 2 == 1
}

/// Checks the answers to a request. The first byte selects the calls, and the second the
/// files that have been sent. The rest is the host's output, line by line.
///
/// # Errors
/// If an answer was accepted that shouldn't have been, a description of it.
pub(crate) fn judge(data: &[u8]) -> Result<(), String> {
    let [which, sent, said @ ..] = data else { return Ok(()) };
    let mut exchange = Exchange::new(&calls(*which));
    (0..4).filter(|i| sent >> i & 1 == 1).for_each(|i| exchange.sent(i));
    let kind = |i: usize| which >> (2 * i) & 3;
    // For each call, the answers about it.
    let mut heard: [Vec<Answer>; 4] = Default::default();
    let (mut at, mut moves, mut over) = (exchange.current(), 0, false);
    for line in String::from_utf8_lossy(said).lines() {
        let before = exchange.clone();
        let Ok(answer) = exchange.hear(&Untrusted::new(line)) else {
            if exchange != before {
                return Err(format!("`{line}` doesn't fit, and has an effect"));
            }
            continue;
        };
        let index = match answer {
            _ if over => return Err(format!("`{line}` after the end")),
            Answer::Got(index, _) if fetches(*which, index) && exchange.current() == at => continue,
            Answer::Got(..) => return Err(format!("`{line}` isn't about a download, or moves a deadline")),
            Answer::Began(index)
            | Answer::Need(index, _)
            | Answer::Runs(index, _)
            | Answer::Settles(index)
            | Answer::Ended(index, _) => index,
            Answer::End(_) => {
                over = true;
                continue;
            }
        };
        heard.get_mut(index).ok_or_else(|| format!("`{line}`, an unknown call"))?.push(answer);
        if exchange.current() != at {
            at = exchange.current();
            moves += 1;
        }
    }
    if moves > 8 {
        return Err(format!("a deadline moves {moves} times"));
    }
    let mut is_due = true;
    for (i, heard) in heard.iter().enumerate() {
        let good = match heard.as_slice() {
            [] => false,
            _ if !is_due => return Err(format!("{i} isn't due: {heard:?}")),
            [Answer::Began(_)] => false,
            [Answer::Began(_), Answer::Need(_, Need { why: None, .. })] if kind(i) == 0 => true,
            [Answer::Began(_), Answer::Need(_, Need { why: Some(_), .. })] if fetches(*which, i) => true,
            [Answer::Began(_), start @ ..] if kind(i) == 2 && is_start(start) => false,
            [Answer::Began(_), Answer::Ended(_, ending)] => is_good(ending),
            [Answer::Began(_), start @ .., Answer::Ended(_, ending)] if kind(i) == 2 && is_start(start) => {
                is_good(ending)
            }
            _ => return Err(format!("{i}: {heard:?}")),
        };
        if good && kind(i) == 1 && sent >> i & 1 == 0 {
            return Err(format!("{i} is done without its file"));
        }
        is_due = good;
    }
    Ok(())
}

/// Whether these answers are about the starts of a unit. It settles at most once, in one of them.
fn is_start(heard: &[Answer]) -> bool {
    let is_run = |answer: &Answer| matches!(answer, Answer::Runs(_, id) if id.len() <= 64);
    let settles = heard.iter().filter(|answer| matches!(answer, Answer::Settles(_))).count();
    let runs = heard.iter().filter(|answer| is_run(answer)).count();
    heard.first().is_some_and(is_run) && settles <= 1 && runs <= 2 && runs + settles == heard.len()
}

fn is_good(ending: &Ending) -> bool {
    matches!(ending, Ending::Done | Ending::Already)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::cases::cases;
    use proptest::prelude::*;

    /// Lines most of which almost fit.
    fn line() -> impl Strategy<Value = String> {
        let index = prop_oneof![
            8 => (0..4_u64).prop_map(|index| index.to_string()),
            1 => any::<u64>().prop_map(|index| index.to_string()),
            1 => "[0-9 +-]{0,22}",
        ];
        let words = prop_oneof![
            4 => Just("began".to_owned()),
            3 => Just("done".to_owned()),
            1 => prop::sample::select(vec!["need gzip", "need raw bm8=", "got 1", "already", "differs L2E= bm90aGluZw== bm90aGluZw==", "failed ", "runs 0a", "settles"])
                .prop_map(str::to_owned),
            1 => "[ -~\\n]{0,40}",
        ];
        prop_oneof![
            20 => (index, words).prop_map(|(index, words)| format!("{index} {words}")),
            1 => "end [0-9]{0,4}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: cases(4_000), failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_fits_is_a_beginning_of_the_right_answer(
            head in any::<[u8; 2]>(), lines in prop::collection::vec(line(), 0..40),
        ) {
            let data = [&head[..], lines.join("\n").as_bytes()].concat();
            prop_assert_eq!(judge(&data), Ok(()));
        }

        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(judge(&data), Ok(()));
        }
    }
}
