//! Reads randomly damaged copies of the folders in `fixtures/folders`.
//! `SPORE_FUZZ_SEED` sets the seed. A folder that fails is kept, and the message names its
//! path.

use super::cases::cases;
use super::judge::{Folder, folders, is_yaml, judge};
use super::secrets::secrets;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The time-out for one folder. Reading it takes milliseconds, and searching the output for
/// secrets up to a second in a debug build. Even on a busy machine, only a folder that
/// hangs takes this long.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn damaged_folders_neither_hang_nor_leak_secrets() {
    let seed = number("SPORE_FUZZ_SEED").unwrap_or(1);
    let secrets = secrets();
    let folders = folders();
    let pieces = pieces(&folders);
    let mut random = Random(seed);
    // A thread that hangs can't be killed, but the main thread can name the folder that it
    // hangs on.
    let (sender, receiver) = mpsc::sync_channel::<(String, Folder)>(0);
    let (done, finished) = mpsc::channel();
    let reader = thread::spawn(move || {
        for (what, folder) in receiver {
            let wrong = judge(&folder, &secrets).err();
            if done.send(wrong.map(|wrong| format!("{what}: {wrong}"))).is_err() {
                break;
            }
        }
    });
    for _ in 0..cases(100) {
        let (what, folder) = random.damaged(&folders, &pieces);
        sender.send((what.clone(), folder.clone())).unwrap();
        let wrong = match finished.recv_timeout(SOON) {
            Ok(wrong) => wrong,
            Err(_) => Some(format!("{what}: not read within {SOON:?}")),
        };
        if let Some(wrong) = wrong {
            panic!("{}\n{wrong}", keep(&folder).display());
        }
    }
    drop(sender);
    reader.join().unwrap();
}

/// The pieces that are inserted into files: lines of the fixtures and documents of
/// `fixtures/yaml`. Lines with secrets are left out, because spore can't recognize a secret
/// in a place where none belongs.
fn pieces(folders: &[(String, Folder)]) -> Vec<String> {
    let mut pieces: Vec<String> = SIGNIFICANT.iter().map(|&piece| piece.to_owned()).collect();
    let secrets = secrets();
    for (path, bytes) in folders.iter().flat_map(|(_, folder)| folder) {
        if let (true, Ok(text)) = (is_yaml(path), std::str::from_utf8(bytes)) {
            let harmless = |line: &&str| !secrets.iter().any(|secret| line.contains(secret.as_str()));
            pieces.extend(text.lines().filter(harmless).map(|line| format!("{line}\n")));
        }
    }
    for entry in fs::read_dir("fixtures/yaml").unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        let documents = text.split("\n# ").map(|case| {
            let lines = case.lines().filter_map(|line| line.strip_prefix("| "));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        });
        pieces.extend(documents);
    }
    pieces.sort();
    pieces.dedup();
    pieces
}

const SIGNIFICANT: &[&str] = &[
    "\n",
    "\r",
    "\r\n",
    "\t",
    "  ",
    ": ",
    ":",
    "- ",
    "-",
    "? ",
    "?",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "*a : ",
    "<<: *a\n",
    "<<: {}\n",
    "!",
    "!!str ",
    "!x ",
    "|\n",
    ">-\n",
    "|2\n",
    "'",
    "\"",
    "\\",
    "\"\\u0000\"",
    "\"\\e[31m\"",
    "%YAML 1.2\n",
    "---\n",
    "...\n",
    "~",
    "null: ",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
    "\u{202e}",
    "é",
    "😀",
    "\u{0}",
    "\u{7}",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{9b}",
    "\u{fffe}",
    "@",
    "`",
    "=",
    "1e3",
    "0o10",
    "//u:p@h?q",
    "-----BEGIN ",
    "-----END ",
];

/// SplitMix64; the same seed gives the same damage.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }

    fn one<'o, T>(&mut self, of: &'o [T]) -> &'o T {
        &of[self.below(of.len())]
    }

    /// A damaged folder, and a description of the damage.
    fn damaged(&mut self, folders: &[(String, Folder)], pieces: &[String]) -> (String, Folder) {
        let (name, folder) = self.one(folders);
        let mut folder = folder.clone();
        let mut what = name.clone();
        // Leave `tau.yaml` alone: a secret in its URL is recognized only by the form of
        // the URL.
        let paths: Vec<String> =
            folder.keys().filter(|path| is_yaml(path) && !path.starts_with("tau")).cloned().collect();
        for _ in 0..=self.below(3) {
            if paths.is_empty() {
                break;
            }
            let path = self.one(&paths).clone();
            let mut bytes = folder.remove(&path).unwrap();
            let mut done = Vec::new();
            for _ in 0..=self.below(4) {
                done.push(self.damage(&mut bytes, pieces));
            }
            what += &format!(", {path}: {}", done.join(" and "));
            bytes.truncate(100_000);
            folder.insert(path, bytes);
        }
        if self.below(20) == 0 {
            let path =
                self.one(&["hosts/h9.yaml", "hosts/.yaml", "shapes/all.yml", "keys/x.yaml", "hosts.yml"]);
            folder.insert((*path).to_owned(), self.one(pieces).clone().into());
        }
        (what, folder)
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, pieces: &[String]) -> &'static str {
        let at = self.below(bytes.len() + 1);
        match self.below(12) {
            0 => {
                bytes.truncate(at);
                "truncated"
            }
            1 => {
                // Bytes are removed only within a line. Otherwise, a secret could be joined
                // to a user name or an address, and would be shown as part of it.
                let rest = bytes[at..].iter().position(|&byte| byte == b'\n');
                let end = at + rest.unwrap_or(bytes.len() - at).min(self.below(40));
                bytes.drain(at..end);
                "bytes removed"
            }
            2 | 3 => {
                insert(bytes, at, self.one(SIGNIFICANT).as_bytes());
                "a character inserted"
            }
            4 => {
                let piece = self.one(pieces).clone();
                insert(bytes, line_at(bytes, at), piece.as_bytes());
                "a piece inserted"
            }
            5 => {
                let piece = self.one(pieces).clone();
                insert(bytes, at, piece.as_bytes());
                "a piece inserted into a line"
            }
            6 => {
                let other = self.below(bytes.len() + 1);
                let (a, b) = (line(bytes, at), line(bytes, other));
                insert(bytes, line_at(bytes, at), &b);
                insert(bytes, line_at(bytes, other), &a);
                "lines copied"
            }
            7 => {
                let copy = line(bytes, at);
                insert(bytes, line_at(bytes, at), &copy);
                "a line duplicated"
            }
            8 => {
                let start = line_at(bytes, at);
                match bytes.get(start) {
                    Some(b' ') if self.below(2) == 0 => drop(bytes.remove(start)),
                    _ => insert(bytes, start, b" "),
                }
                "indentation changed"
            }
            9 => {
                let noise: Vec<u8> = (0..self.below(8)).map(|_| self.below(256) as u8).collect();
                insert(bytes, at, &noise);
                "noise inserted"
            }
            10 => {
                let deep = self.one(&["[", "{a: ", "- ", "? ", "{", "a:\n "]).repeat(self.below(200));
                insert(bytes, at, deep.as_bytes());
                "nested deeply"
            }
            _ => {
                let mut bomb = "a0: &a0 [x, *a, \"\\u00e9\"]\n".to_owned();
                for n in 1..self.below(12) {
                    let before = vec![format!("*a{}", n - 1); 1 + self.below(9)].join(", ");
                    bomb += &format!("a{n}: &a{n} [{before}]\n");
                }
                insert(bytes, line_at(bytes, at), bomb.as_bytes());
                "aliases inserted"
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

/// The start of the line that contains `at`.
fn line_at(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
}

fn line(bytes: &[u8], at: usize) -> Vec<u8> {
    let start = line_at(bytes, at);
    let end =
        bytes[start..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| start + end + 1);
    bytes[start..end].to_vec()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Writes the folder to a temporary directory, and returns its path.
fn keep(folder: &Folder) -> PathBuf {
    let kept = tempfile::Builder::new().prefix("spore-damage").disable_cleanup(true).tempdir().unwrap();
    for (path, bytes) in folder {
        let path = kept.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    kept.keep()
}
