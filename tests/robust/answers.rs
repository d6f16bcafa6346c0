//! For any answer of a host to a probe, no control character of the answer reaches the
//! terminal, planning takes little time, and the other hosts are planned.

use super::cases::cases as random_cases;
use super::hostile::{KEY, PASSWORD, World, base, cases, strings};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

/// In a debug build, which is slow, selects one in `most` of the possible answers,
/// different ones in each run. A release build tries all answers, and so does a debug build
/// with `SPORE_HOSTILE_ALL=1`.
fn some(most: usize) -> impl FnMut() -> bool {
    let all = std::env::var_os("SPORE_HOSTILE_ALL").is_some();
    let stride = if cfg!(debug_assertions) && !all { most } else { 1 };
    let mut n = usize::try_from(seed() % stride as u64).unwrap();
    move || {
        n += 1;
        n % stride == 0
    }
}

/// The seed from `SPORE_FUZZ_SEED`, or a new seed in each run. The output of a failed test
/// contains it.
#[expect(clippy::print_stdout, reason = "to repeat what has failed")]
fn seed() -> u64 {
    let seed = number("SPORE_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one("spore") >> 32);
    println!("SPORE_FUZZ_SEED={seed}");
    seed
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The parts of a line to replace: the whole line, and each field between separators.
fn parts(line: &str) -> Vec<std::ops::Range<usize>> {
    let whole = 0..line.len();
    let mut parts = vec![whole];
    let mut start = 0;
    for (at, c) in line.char_indices().chain([(line.len(), '\t')]) {
        if "\t=|:;,".contains(c) || c == ' ' {
            parts.push(start..at);
            start = at + c.len_utf8();
        }
    }
    parts.dedup();
    parts
}

#[test]
fn no_field_of_an_answer_is_obeyed() {
    let (world, base, strings, mut is_tried) = (World::new(), base(), strings(), some(61));
    let shown = world.judge(&base).unwrap();
    // If the plan didn't show these values, the test would test nothing.
    for value in ["nobody:nogroup", "old.net.test", "exited with status 203", "AEplace", "ana@laptop"] {
        assert!(shown.contains(value), "{value} isn't shown:\n{shown}");
    }
    let lines: Vec<&str> = base.lines().collect();
    let mut n = 0;
    let mut wrong = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        for part in parts(line) {
            for text in &strings {
                if !is_tried() {
                    continue;
                }
                n += 1;
                let changed = format!("{}{text}{}", &line[..part.start], &line[part.end..]);
                let mut lines = lines.clone();
                lines[at] = &changed;
                if let Err(found) = world.judge(&(lines.join("\n") + "\n")) {
                    wrong.push(format!("{changed:?}: {found}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {n}:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

/// `judge` fails if a piece of the key is shown.
#[test]
fn no_field_of_an_answer_shows_a_key() {
    let (world, base, mut is_tried) = (World::new(), base(), some(11));
    let lines: Vec<&str> = base.lines().collect();
    let (mut masked, mut wrong) = (0, Vec::new());
    for (at, line) in lines.iter().enumerate() {
        for part in parts(line).into_iter().filter(|_| is_tried()) {
            let changed = format!("{}{KEY}{}", &line[..part.start], &line[part.end..]);
            let mut lines = lines.clone();
            lines[at] = &changed;
            match world.judge(&(lines.join("\n") + "\n")) {
                Ok(page) => masked += usize::from(page.contains("***")),
                Err(found) => wrong.push(format!("{changed:?}: {found}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(masked > 0, "no value is shown");
}

/// Texts of a host that are only quoted, such as the holder of a lock, contain no password
/// either.
#[test]
fn no_words_of_a_host_show_a_password() {
    let (world, base) = (World::new(), base());
    let held =
        format!("held\t{}\nend\n", BASE64_STANDARD.encode(format!("who {PASSWORD}\nsince {PASSWORD}\n")));
    let program = format!(
        "text\t/etc/systemd/system/tau@.service.d/own.conf\n|[Service]\n|ExecStart=/{PASSWORD} start\nend\n"
    );
    for (what, old, new) in [
        ("the message of a failed probe", "systemd\n", format!("failed\tsystemctl {PASSWORD}\t{PASSWORD}\n")),
        ("the name of a drop-in", "own.conf", format!("{PASSWORD}.conf")),
        ("a program", "end\n", program),
        (
            "a unit's file",
            "FragmentPath=/etc/systemd/system/",
            format!("FragmentPath=/etc/{PASSWORD}/system.control/"),
        ),
        ("an exit status", "ExecMainStatus=203", format!("ExecMainStatus={PASSWORD}")),
        ("the holder of the lock", "end\n", held),
        (
            "a firewall rule",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            format!("deny tcp 5242 0.0.0.0/0 any 0.0.0.0/0 {PASSWORD} - in"),
        ),
        (
            "why a file can't be read",
            "stat: cannot statx '/tmp/swarm.key': No such file or directory",
            format!("stat: cannot statx '/tb/config/keys': {PASSWORD}"),
        ),
    ] {
        assert!(base.contains(old), "{what}: nothing says {old:?}");
        let page = world.judge(&base.replace(old, &new)).unwrap();
        assert!(page.contains("***") && !page.contains(PASSWORD), "{what}:\n{page}");
    }
}

/// Each line of the answer is repeated many times, or gets a very long field.
#[test]
fn no_amount_of_anything_takes_long() {
    let (world, base) = (World::new(), base());
    let lines: Vec<&str> = base.lines().collect();
    let (mut is_tried, mut wrong) = (some(17), Vec::new());
    for (at, line) in lines.iter().enumerate() {
        let numbered = |n: usize| match line.rsplit_once(['/', '@', '=', ' ']) {
            Some((start, end)) => format!("{}{}{n}{end}", start, &line[start.len()..line.len() - end.len()]),
            None => format!("{line}{n}"),
        };
        let last = parts(line).pop().unwrap_or_default();
        let filled = |text: &str| {
            format!("{}{}{}", &line[..last.start], text.repeat(300_000 / text.len()), &line[last.end..])
        };
        let variants: [(&str, String); 5] = [
            ("repeated", vec![*line; 15_000].join("\n")),
            ("numbered", (0..15_000).map(numbered).collect::<Vec<_>>().join("\n")),
            ("filled with letters", filled("a")),
            ("filled with brackets", filled("[")),
            ("filled with bidi marks", filled("\u{202e}")),
        ];
        for (what, text) in variants {
            if !is_tried() {
                continue;
            }
            let mut lines = lines.clone();
            lines[at] = &text;
            if let Err(found) = world.judge(&(lines.join("\n") + "\n")) {
                wrong.push(format!("{line} {what}: {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_case_is_obeyed() {
    let world = World::new();
    let wrong: Vec<String> = cases()
        .iter()
        .filter_map(|case| world.judge(&case.answer).err().map(|wrong| format!("{}: {wrong}", case.name)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `SPORE_FUZZ_SEED` sets the seed.
#[test]
fn no_damaged_answer_is_obeyed() {
    let mut state = seed().max(1);
    let mut random = move |below: usize| {
        // xorshift
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap()
    };
    let (world, strings) = (World::new(), strings());
    let base = base();
    for _ in 0..random_cases(200) {
        let mut lines: Vec<String> = base.lines().map(str::to_owned).collect();
        for _ in 0..1 + random(6) {
            let (at, other) = (random(lines.len()), random(lines.len()));
            match random(5) {
                0 => drop(lines.remove(at)),
                1 => lines.swap(at, other),
                2 => lines.insert(at, lines[other].clone()),
                3 => lines.insert(at, strings[random(strings.len())].clone()),
                _ => {
                    let parts = parts(&lines[at]);
                    let part = parts[random(parts.len())].clone();
                    lines[at].replace_range(part, &strings[random(strings.len())]);
                }
            }
        }
        let answer = lines.join("\n") + "\n";
        if let Err(wrong) = world.judge(&answer) {
            let path = std::env::temp_dir().join("spore-hostile.answer");
            fs::write(&path, answer).unwrap();
            panic!("{}: {wrong}", path.display());
        }
    }
}

/// Writes the cases in the form in which a host would send them, without their special
/// notation.
#[test]
#[ignore = "run by tests/fuzz/run"]
fn write_seeds() {
    let to = PathBuf::from(std::env::var_os("SPORE_SEEDS").unwrap());
    for case in cases() {
        fs::write(to.join(format!("case-{}", case.name)), case.answer).unwrap();
    }
}

/// `tests/README.md` names every fuzz target, and the seeds of every target can be created.
#[test]
fn every_fuzz_target_has_seeds() {
    let directory = tempfile::tempdir().unwrap();
    let cargo = directory.path().join("cargo");
    fs::write(&cargo, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    let readme = fs::read_to_string("tests/README.md").unwrap();
    for target in fs::read_dir("tests/fuzz/fuzz_targets").unwrap() {
        let target = target.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(readme.contains(&format!("`{target}`")), "tests/README.md doesn't describe {target}");
        let mut run = Command::new("tests/fuzz/run");
        run.arg(&target).env("PATH", &path).env("SPORE_CORPUS", directory.path());
        let out = run.output().unwrap();
        assert!(out.status.success(), "{target}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(fs::read_dir(directory.path().join(&target)).unwrap().next().is_some(), "{target}");
    }
}
