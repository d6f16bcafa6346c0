//! Tens of thousands of random files, each edited at a random place. The judge here shares no code
//! with what is tested: values are read with the crate yaml_serde, and bytes are compared by what
//! they are.

use super::super::{Change, New, Path, Step, Why, edit};
use super::file::{Random, Writer};
use crate::cases;
use serde_yaml::Value;
use std::collections::BTreeMap;

const FILES: u32 = 20_000;

#[test]
fn only_the_intended_value_changes_in_any_file() {
    let threads = 2;
    let all: Vec<Outcomes> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    (thread..u64::from(cases::cases(FILES))).step_by(2).map(one).collect::<Outcomes>()
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for (outcome, count) in all.into_iter().flat_map(|outcomes| outcomes.0) {
        *outcomes.entry(outcome).or_default() += count;
    }
    let of = |outcome: &str| outcomes.get(outcome).copied().unwrap_or_default();
    let all: usize = outcomes.values().sum();
    assert!(of("made") * 100 > all * 95, "{outcomes:?}");
    // What can't be edited safely is rare.
    assert!(of("refused: Inexact") * 100 < all, "{outcomes:?}");
    assert!(of("not YAML") * 100 < all, "{outcomes:?}");
}

struct Outcomes(BTreeMap<String, usize>);

impl FromIterator<String> for Outcomes {
    fn from_iter<I: IntoIterator<Item = String>>(outcomes: I) -> Self {
        let mut counts = BTreeMap::new();
        for outcome in outcomes {
            *counts.entry(outcome).or_default() += 1;
        }
        Self(counts)
    }
}

/// Edits one file, and judges the result.
fn one(seed: u64) -> String {
    let mut random = Random::new(seed);
    let writer = Writer::new(&mut random);
    let shares = writer.shares;
    let before = writer.file();
    let Some(values) = read(&before) else { return "not YAML".to_owned() };
    let (path, change) = change(&values, &mut random);
    let judged = match edit(&before, &path, &change) {
        Ok(after) => judge(&before, &values, &path, &change, &after).map(|()| "made".to_owned()),
        Err(refused) => match refused.why {
            // The second reader accepts files with duplicate keys, and so on.
            Why::Yaml => Ok("not YAML".to_owned()),
            Why::Alias | Why::Anchor if shares => Ok("refused: shared".to_owned()),
            Why::Lines if matches!(change, Change::Set(_)) => Ok("refused: Lines".to_owned()),
            Why::Inexact => Ok("refused: Inexact".to_owned()),
            why => Err(format!("refused: {why:?}")),
        },
    };
    judged.unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}\n{path} {change:?}\n{before:?}\n{before}"))
}

fn read(text: &str) -> Option<Value> {
    let mut value: Value = serde_yaml::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()?;
    value.apply_merge().ok()?;
    Some(value)
}

fn key_of(key: &Value) -> String {
    match key {
        Value::String(key) => key.clone(),
        key => serde_yaml::to_string(key).unwrap().trim().to_owned(),
    }
}

/// A random change of a random value.
fn change(values: &Value, random: &mut Random) -> (Path, Change) {
    let mut path = Path::default();
    let mut here = values;
    loop {
        let next = match here {
            Value::Mapping(entries) if !entries.is_empty() && !random.one_in(4) => {
                let (key, value) = entries.iter().nth(random.below(entries.len())).unwrap();
                Some((Step::Key(key_of(key)), value))
            }
            Value::Sequence(items) if !items.is_empty() && !random.one_in(4) => {
                let index = random.below(items.len());
                Some((Step::Item(index), &items[index]))
            }
            _ => None,
        };
        let Some((step, value)) = next else { break };
        path.0.push(step);
        here = value;
        if random.one_in(4) {
            break;
        }
    }
    let new = new(random, 2);
    let change = match here {
        _ if random.one_in(3) && !path.0.is_empty() => Change::Remove,
        Value::Mapping(_) => Change::Add("added".to_owned(), new),
        Value::Sequence(_) => Change::Push(new),
        Value::Null if random.one_in(2) || path.0.is_empty() => Change::Add("added".to_owned(), new),
        Value::Null if random.one_in(2) => Change::Push(new),
        _ if path.0.is_empty() => Change::Add("added".to_owned(), new),
        _ => Change::Set(new),
    };
    (path, change)
}

fn new(random: &mut Random, depth: usize) -> New {
    let part = |random: &mut Random| new(random, depth - 1);
    match random.below(if depth == 0 { 2 } else { 5 }) {
        0 => New::Plain("4242".to_owned()),
        1 | 2 => {
            New::text(random.pick(&["new", "no", "192.0.2.1", "a: b", "it's", "::1", "", "# x", "x\ny"]))
        }
        3 => New::List((0..random.below(3)).map(|_| part(random)).collect()),
        _ => New::Map((0..random.below(3)).map(|i| (format!("new{i}"), part(random))).collect()),
    }
}

fn value_of(new: &New) -> Value {
    match new {
        New::Text(text) => text.as_str().into(),
        New::Plain(text) => serde_yaml::from_str(text).unwrap(),
        New::List(items) => Value::Sequence(items.iter().map(value_of).collect()),
        New::Map(entries) => Value::Mapping(
            entries.iter().map(|(key, value)| (key.as_str().into(), value_of(value))).collect(),
        ),
    }
}

fn at<'v>(value: &'v mut Value, step: &Step) -> &'v mut Value {
    match (step, value) {
        (Step::Key(key), Value::Mapping(entries)) => {
            entries.iter_mut().find(|(other, _)| key_of(other) == *key).unwrap().1
        }
        (Step::Item(index), Value::Sequence(items)) => &mut items[*index],
        _ => panic!("no such step"),
    }
}

fn changed(values: &Value, path: &Path, change: &Change) -> Value {
    let mut values = values.clone();
    if *change == Change::Remove {
        let (last, parents) = path.0.split_last().unwrap();
        let parent = parents.iter().fold(&mut values, at);
        match (last, parent) {
            (Step::Key(key), Value::Mapping(entries)) => entries.retain(|other, _| key_of(other) != *key),
            (Step::Item(index), Value::Sequence(items)) => drop(items.remove(*index)),
            _ => panic!("no such value"),
        }
        return values;
    }
    let target = path.0.iter().fold(&mut values, at);
    match (change, &mut *target) {
        (Change::Set(new), _) => *target = value_of(new),
        (Change::Add(key, new), Value::Null) => {
            *target = Value::Mapping([(key.as_str().into(), value_of(new))].into_iter().collect());
        }
        (Change::Add(key, new), Value::Mapping(entries)) => {
            entries.insert(key.as_str().into(), value_of(new));
        }
        (Change::Push(new), Value::Null) => *target = Value::Sequence(vec![value_of(new)]),
        (Change::Push(new), Value::Sequence(items)) => items.push(value_of(new)),
        _ => panic!("no such change"),
    }
    values
}

/// The unique words of a text, in their order: of keys, values and comments.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.contains(|c: char| c.is_ascii_digit()))
        .collect()
}

fn judge(before: &str, values: &Value, path: &Path, change: &Change, after: &str) -> Result<(), String> {
    let read = read(after).ok_or_else(|| format!("not YAML any more: {after:?}"))?;
    let expected = changed(values, path, change);
    if read != expected {
        return Err(format!("read as {read:?}\ninstead of {expected:?}\nin {after:?}"));
    }
    // One range of bytes was replaced.
    let head = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let most = before.len().min(after.len()) - head;
    let tail = before.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count().min(most);
    let (removed, added) =
        (&before.as_bytes()[head..before.len() - tail], &after.as_bytes()[head..after.len() - tail]);
    let (removed, added) = (String::from_utf8_lossy(removed), String::from_utf8_lossy(added));
    let is_empty = |text: &str| text.trim_matches(['{', '}', ' ']).is_empty();
    let is_null =
        |text: &str| ["", "~", "null"].iter().any(|null| null.starts_with(text) || null.ends_with(text));
    match change {
        Change::Add(..) | Change::Push(_) if !is_null(removed.trim()) && !is_empty(&removed) => {
            Err(format!("removed {removed:?}: {after:?}"))
        }
        Change::Set(_) if removed.contains('#') && !removed.contains(['"', '\'', '#']) => {
            Err(format!("removed a comment: {removed:?}"))
        }
        // Only an empty collection may be left.
        Change::Remove
            if !removed.contains(added.trim_start_matches(['[', ']', '{', '}', ' ', '\r', '\n'])) =>
        {
            Err(format!("added {added:?} instead of {removed:?}"))
        }
        Change::Remove => Ok(()),
        // No word between others was lost, and no comment.
        _ => {
            let comments = |text: &str| {
                words(text).into_iter().filter(|w| w.starts_with('c')).map(str::to_owned).collect::<Vec<_>>()
            };
            if comments(before) == comments(after) {
                Ok(())
            } else {
                Err(format!("comments differ: {after:?}"))
            }
        }
    }?;
    // Each comment is still there, unless it was the removed value's.
    if *change == Change::Remove {
        let end =
            before[before.len() - tail..].find('\n').map_or(before.len(), |at| before.len() - tail + at);
        for word in words(before).into_iter().filter(|word| word.starts_with('c') && word.ends_with('z')) {
            if !words(after).contains(&word) && !before[head..end].contains(word) {
                return Err(format!("lost {word}: {after:?}"));
            }
        }
    }
    let ends = |text: &str| {
        (text.starts_with('\u{feff}'), text.matches("\r\n").count() == text.matches('\n').count())
    };
    if before.contains('\n') && ends(before) != ends(after) && after.contains('\n') {
        return Err(format!("another mark or other line ends: {after:?}"));
    }
    Ok(())
}
