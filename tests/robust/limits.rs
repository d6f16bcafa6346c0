//! For any contents of a file, reading it and showing its problems needs little time, and
//! at most 200 MB of memory, or forty times the file's size if that is more.
//!
//! Each case is read by a separate process, whose peak memory the kernel reports. In a
//! release build the files have the maximum size: `cargo test --workspace --release --test
//! robust limits -- --nocapture` shows the figures.

use super::judge::{problems_of, shown};
use spore_drive::network::{Files, Secrets};
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The maximum size of a file is 16 MB. A debug build needs ten times as long, so its files
/// are smaller.
const SIZE: usize = if cfg!(debug_assertions) { 400_000 } else { 15_900_000 };
const LEAST: usize = 200 << 20;
const TIMES: usize = 40;
const SOON: Duration = Duration::from_secs(if cfg!(debug_assertions) { 40 } else { 15 });

/// The environment variable with the name of the case to run.
const CASE: &str = "SPORE_LIMITS_CASE";

fn repeat(text: &str) -> String {
    text.repeat(SIZE / text.len())
}

/// As many lines as fit into [`SIZE`].
fn lines(line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for n in 0.. {
        let line = line(n);
        if text.len() + line.len() > SIZE {
            break;
        }
        text += &line;
    }
    text
}

/// A "billion laughs" document: each anchor consists of `width` aliases of the previous
/// one.
fn laughs(first: &str, width: usize) -> String {
    let mut text = format!("a0: &a0 {first}\n");
    for n in 1..1000 {
        let before = vec![format!("*a{}", n - 1); width].join(", ");
        writeln!(text, "a{n}: &a{n} [{before}]").unwrap();
    }
    text
}

/// Keeps the number of values below the limit at which a file is refused.
const PAD: &str = "                    ";

type Case = (&'static str, &'static str, fn() -> Vec<u8>);

const CASES: &[Case] = &[
    ("hosts with every field", "hosts.yaml", || {
        let key = format!("CAESQ{}", "NotReallyAKeyButAsLong0".repeat(4));
        lines(|n| {
            let (a, b, c) = (n >> 16 & 255, n >> 8 & 255, n & 255);
            format!(
                "h{n}:\n  addr: [10.{a}.{b}.{c}/8]\n  ssh: {{addr: 10.{a}.{b}.{c}, port: 22, auth: [root]}}\n  \
                 location: {{lat: 1.25, long: 25.1}}\n  shapes: {{all: {{key: {key}}}}}\n"
            )
        })
        .into()
    }),
    ("not text", "hosts.yaml", || (0..SIZE).map(|n| ((n * 7919) >> 3) as u8).collect()),
    ("not YAML", "hosts.yaml", || lines(|n| format!("{}\n", n.wrapping_mul(2_654_435_761))).into()),
    ("zeros", "hosts.yaml", || vec![0; SIZE]),
    ("open brackets", "hosts.yaml", || repeat("[").into()),
    ("open braces", "hosts.yaml", || repeat("{").into()),
    ("a mapping in a mapping in a mapping", "hosts.yaml", || repeat("{a: ").into()),
    ("dashes", "hosts.yaml", || repeat("- ").into()),
    ("question marks", "hosts.yaml", || repeat("? ").into()),
    ("colons", "hosts.yaml", || repeat(": ").into()),
    ("increasing indentation", "hosts.yaml", || {
        let mut text = String::new();
        for n in 0..SIZE {
            if text.len() + n > SIZE {
                break;
            }
            writeln!(text, "{}a:", " ".repeat(n)).unwrap();
        }
        text.into()
    }),
    ("one long word", "hosts.yaml", || repeat("a").into()),
    ("one long value", "hosts.yaml", || format!("h: {}", repeat("b c ")).into()),
    ("one long quoted value", "hosts.yaml", || format!("h: \"{}\"", repeat("\\u0041")).into()),
    ("one long block", "hosts.yaml", || format!("h: |\n{}", repeat("  a\n")).into()),
    ("one long folded block", "hosts.yaml", || format!("h: >\n{}", repeat("  a\n\n")).into()),
    ("one long key", "hosts.yaml", || format!("? {}\n: 1\n", repeat("a")).into()),
    ("one long line of hosts", "hosts.yaml", || {
        format!("{{{}}}", lines(|n| format!("h{n}: {{x: 1{PAD}}}, "))).into()
    }),
    ("one long list", "hosts.yaml", || format!("h: [{}]", repeat("1,")).into()),
    ("one long list of lists", "hosts.yaml", || format!("h: [{}]", repeat("[],")).into()),
    ("one long list of nothing", "hosts.yaml", || format!("h:\n{}", repeat("-\n")).into()),
    ("one long comment", "hosts.yaml", || format!("# {}", repeat("a")).into()),
    ("many comments", "hosts.yaml", || repeat("#\n").into()),
    ("many comments in a list", "hosts.yaml", || format!("h:\n{}  - 1\n", repeat("#\n")).into()),
    ("spaces", "hosts.yaml", || repeat(" ").into()),
    ("tabs", "hosts.yaml", || repeat("\t").into()),
    ("line ends", "hosts.yaml", || repeat("\n").into()),
    ("carriage returns", "hosts.yaml", || repeat("\r").into()),
    ("documents", "hosts.yaml", || repeat("---\n").into()),
    ("directives", "hosts.yaml", || repeat("%A b\n").into()),
    ("tags", "hosts.yaml", || format!("h: [{}]", repeat("!a b,")).into()),
    ("anchors", "hosts.yaml", || format!("h: [{}]", repeat("&a b,")).into()),
    ("anchors with names of their own", "hosts.yaml", || {
        format!("h: [{}]", lines(|n| format!("&{n:x} b,"))).into()
    }),
    ("aliases to nothing", "hosts.yaml", || format!("h: [{}]", repeat("*a,")).into()),
    ("aliases to a word", "hosts.yaml", || format!("a: &a b\nh: [{}]", repeat("*a,")).into()),
    ("aliases to themselves", "hosts.yaml", || format!("h: &a [{}]", repeat("*a,")).into()),
    ("aliases to a long text that is secret", "hosts.yaml", || {
        format!("a: &a [1{}]\nh: [{}]", " ".repeat(SIZE / 2), "*a,".repeat(SIZE / 6)).into()
    }),
    ("aliases to a long text", "accounts.yaml", || {
        format!("a: &a {}\nh: [{}]", "b".repeat(SIZE / 2), "*a,".repeat(SIZE / 6)).into()
    }),
    ("aliases to a medium text", "accounts.yaml", || {
        format!("a: &a {}\nh: [{}]", "b".repeat(10_000), "*a,".repeat(50_000)).into()
    }),
    ("a billion laughs", "accounts.yaml", || laughs("[x, x, x, x, x, x, x, x, x, x]", 10).into()),
    ("laughs up to the limit", "accounts.yaml", || {
        let mut text = laughs("[x, x, x, x, x, x, x, x, x, x]", 10);
        text.truncate(text.find("a5:").unwrap());
        text.into()
    }),
    ("laughs of mappings, up to the limit", "accounts.yaml", || {
        let mut text = laughs("{a: 1, b: 2, c: 3, d: 4, e: 5}", 10);
        text.truncate(text.find("a5:").unwrap());
        text.into()
    }),
    ("laughs that are deep", "accounts.yaml", || laughs("[x]", 1).into()),
    ("merges of a big mapping", "hosts.yaml", || {
        let big: String = (0..10_000).map(|n| format!("k{n}: 1, ")).collect();
        format!("a: &a {{{big}}}\n{}", (0..10_000).map(|n| format!("h{n}: {{<<: *a}}\n")).collect::<String>())
            .into()
    }),
    ("merges of merges", "hosts.yaml", || {
        let mut text = "a0: &a0 {k: 1}\n".to_owned();
        for n in 1..60 {
            writeln!(text, "a{n}: &a{n} {{<<: [*a{}, *a{}], k{n}: 1}}", n - 1, n - 1).unwrap();
        }
        text.into()
    }),
    ("one merge of very many", "hosts.yaml", || {
        format!("h: {{<<: [{}]}}", lines(|n| format!("{{k{n}: 1{PAD}}},"))).into()
    }),
    ("merges with a long name", "hosts.yaml", || {
        let name = "n".repeat(SIZE / 2);
        format!(
            "a: &a\n  ? {name}\n  : 1\n{}",
            (0..10_000).map(|n| format!("h{n}: {{<<: *a}}\n")).collect::<String>()
        )
        .into()
    }),
    ("duplicate keys", "hosts.yaml", || repeat(&format!("h: {{}}{PAD}\n")).into()),
    ("duplicate keys on one line", "hosts.yaml", || format!("{{{}}}", repeat(&format!("h: 1{PAD},"))).into()),
    ("many mistakes", "hosts.yaml", || lines(|n| format!("h{n}:\n  adr: x{PAD}\n")).into()),
    ("many mistakes on one line", "hosts.yaml", || {
        format!("{{{}}}", lines(|n| format!("h{n}: {{adr: x{PAD}}},"))).into()
    }),
    ("mistakes that span the file", "hosts.yaml", || {
        format!("h:\n  ssh:\n    port:\n{}", repeat(&format!("      - 22{PAD}\n"))).into()
    }),
    ("misspelled names", "hosts.yaml", || {
        let name = "a".repeat(SIZE / 3);
        format!("h:\n  ssh: {{addr: 1.2.3.4, auth:\n    {name}b}}\n  ? {name}\n  : 1\n").into()
    }),
    ("unknown logins", "hosts.yaml", || {
        lines(|n| format!("h{n}: {{ssh: {{addr: 1.2.3.4, auth: [login-{n}-not-there]}}}}{PAD}\n")).into()
    }),
    ("a location with very many numbers", "hosts.yaml", || {
        format!("h: {{location: [{}]}}", repeat(&format!("1{PAD},"))).into()
    }),
    ("addresses", "hosts.yaml", || format!("h: {{addr: [{}]}}", repeat("1.2.3.4,")).into()),
    ("logins", "auth.yaml", || lines(|n| format!("login-{n}-is-here: {{username: u, key: k{n}}}\n")).into()),
    ("logins in one list", "hosts.yaml", || {
        format!("h: {{ssh: {{addr: 1.2.3.4, auth: [{}]}}}}", lines(|n| format!("l{n},"))).into()
    }),
    ("services", "shapes.yaml", || {
        format!("s: {{ports: {{main: 1}}, services: [{}]}}", lines(|n| format!("s{n},"))).into()
    }),
    ("plugins", "shapes.yaml", || {
        format!("s: {{ports: {{main: 1}}, plugins: [{}]}}", lines(|n| format!("p{n}@v1,"))).into()
    }),
    ("shapes", "shapes.yaml", || lines(|n| format!("s{n}: {{ports: {{main: 4242}}}}{PAD}\n")).into()),
    ("elders", "cloud.yaml", || {
        format!("p2p: {{bootstrap: {{s: [{}]}}}}", lines(|n| format!("h{n},"))).into()
    }),
    ("elders of many shapes", "cloud.yaml", || {
        format!("p2p: {{bootstrap: {{{}}}}}", lines(|n| format!("s{n}: [h{n}{PAD}],"))).into()
    }),
    ("nodes on one host", "hosts.yaml", || {
        let key =
            "CAESQHNwb3JlIHRlc3Qgbm9kZSBrZXksIG5vdCByZWFsIDAyLjSLlYVXguuEU5lSzc+oKmLMoxqD4zXGF/zlIw/w7xM=";
        format!("h: {{addr: 192.0.2.1, shapes: {{{}}}}}", lines(|n| format!("s{n}: {{key: {key}}},"))).into()
    }),
    ("what looks like keys", "accounts.yaml", || repeat("-----BEGIN ").into()),
    ("what looks like URLs", "accounts.yaml", || repeat("//").into()),
    ("what looks like secrets", "shapes.yaml", || repeat("a: AAAAbbbb1111CCCCddddEEEE\n").into()),
    ("accounts", "accounts.yaml", || lines(|n| format!("k{n}: 1\n")).into()),
];

/// Reads one case. The other test runs this one in a separate process.
#[test]
#[ignore = "run by the other test"]
fn one_case() {
    let wanted = std::env::var(CASE).unwrap();
    let (_, path, make) = CASES.iter().find(|(name, ..)| *name == wanted).unwrap();
    let mut files = Files::new("folder");
    let bytes = make();
    let size = bytes.len();
    files.insert(*path, bytes);
    let begun = Instant::now();
    let problems = problems_of(&files, Secrets::Needed);
    let (read, all) = (begun.elapsed(), problems.len());
    let shown = shown(&problems).len();
    let showing = begun.elapsed() - read;
    let memory = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak: usize = memory
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap();
    let text = format!(
        "{:6.1} MB: read in {:5.2} s, {all} problems shown in {:5.2} s, {:.1} MB; peak {} MB, {:.1} times",
        size as f64 / 1e6,
        read.as_secs_f64(),
        showing.as_secs_f64(),
        shown as f64 / 1e6,
        peak >> 10,
        (peak << 10) as f64 / size as f64,
    );
    assert!(peak << 10 <= LEAST.max(TIMES * size), "{text}");
    // Excessive output is a bug, too.
    assert!(shown <= 40_000_000, "{text}");
    std::fs::write(std::env::var("SPORE_LIMITS_OUT").unwrap(), text).unwrap();
}

#[test]
fn no_file_takes_long_or_much_memory() {
    let only = std::env::var(CASE).ok();
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut wrong = Vec::new();
    for (name, ..) in CASES.iter().filter(|(name, ..)| only.as_ref().is_none_or(|only| name.contains(only))) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "limits::one_case", "--ignored", "--nocapture"])
            .env(CASE, name)
            .env("SPORE_LIMITS_OUT", out.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if begun.elapsed() > SOON => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    break None;
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let figures = std::fs::read_to_string(out.path()).unwrap();
        std::fs::write(out.path(), "").unwrap();
        let text = match status {
            Some(status) if status.success() => format!("{name}: {figures}"),
            Some(status) => format!("{name}: {status}"),
            None => format!("{name}: takes more than {SOON:?}"),
        };
        if !status.is_some_and(|status| status.success()) {
            wrong.push(text.clone());
        }
        show_figure(&text);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[expect(clippy::print_stdout, reason = "the figures, visible with --nocapture")]
fn show_figure(text: &str) {
    println!("{text}");
}
