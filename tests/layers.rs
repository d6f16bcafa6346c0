//! The rooms of `src` import each other in one direction only, some crates are used only in
//! certain rooms, and no room contains words of things that it must not know. These tests
//! read the source files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Crates, each with the only places that may use it.
const KEPT: &[(&str, &[&str])] = &[
    ("hickory_proto", &["dns/"]),
    ("libp2p_pnet", &["remote/handshake.rs", "pretend/"]),
    ("libp2p_tls", &["remote/handshake.rs", "pretend/"]),
    ("multistream_select", &["remote/handshake.rs", "pretend/"]),
    ("petgraph", &["resource/graph.rs"]),
    ("russh", &["ssh/", "pretend/"]),
    ("similar", &["render/diff.rs"]),
    ("yaml_edit", &["edit/place.rs"]),
    ("tokio", &["dns/", "ssh/", "artifact/", "remote/", "pretend/", "cli/", "main.rs"]),
];

/// Words that a room must not contain. They enforce the column "never" of the design's
/// table, as far as words can. Strings and scripts are searched, comments and tests aren't.
struct Never {
    rooms: &'static [&'static str],
    words: &'static [&'static str],
    /// Files that may contain the words nevertheless. A comment in the table below gives
    /// the reason.
    except: &'static [&'static str],
    why: &'static str,
}

const NEVERS: &[Never] = &[
    Never {
        rooms: &["resource", "desired", "facts", "diff", "plan"],
        words: &[
            "/tb",
            "CAESQ",
            "tau@",
            "docker",
            "containerd",
            "systemd-resolved",
            "resolved.conf",
            "accounts",
            "auth",
            "gateway",
            "hoarder",
            "monkey",
            "patrick",
            "seer",
            "substrate",
            "tns",
        ],
        // The folder's accounts are compiled into a node's configuration, whose struct has a
        // field of that name, and have a place.
        except: &["desired/node.rs", "desired/places.rs"],
        why: "what is a daemon's, a service's or a package's is in room `daemon`",
    },
    Never {
        rooms: &["facts", "diff", "plan", "remote"],
        words: &["daemon::tau", "Daemon::Tau"],
        except: &[],
        why: "a daemon is known by the methods of `Daemon` only",
    },
    Never {
        rooms: &["resource", "yaml", "desired", "facts", "diff", "plan", "check", "edit", "daemon"],
        words: &[
            "std::fs",
            "std::process",
            "std::net::Tcp",
            "std::time::Instant",
            "SystemTime",
            "async fn",
            ".await",
        ],
        except: &[],
        why: "it is a function of values: no file, no process, no clock",
    },
    Never {
        rooms: &["identity"],
        words: &["std::fs", "std::path", "std::process", "async fn"],
        except: &[],
        why: "keys come from text, and others read the files",
    },
    Never {
        rooms: &["daemon"],
        words: &["HostName", "Wave", "crate::ssh"],
        except: &[],
        why: "a daemon's facts don't depend on which hosts there are, or on an order",
    },
    Never {
        rooms: &["network", "check"],
        words: &["crate::ssh::connect", "crate::remote", "async fn"],
        except: &[],
        why: "the folder is read and judged without any host",
    },
    Never {
        rooms: &["edit"],
        words: &["crate::network", "crate::finding", "HostName", "ShapeName"],
        except: &[],
        why: "it changes a text, whatever the text means",
    },
    Never {
        rooms: &["desired"],
        words: &["Wave", "waves"],
        except: &[],
        why: "it constrains the order, and the plan decides it",
    },
    Never {
        rooms: &["facts"],
        words: &["crate::desired", "crate::network", "crate::ssh", "russh"],
        except: &[],
        why: "the current state is a function of the facts alone",
    },
    Never {
        rooms: &["dns"],
        words: &["crate::network", "crate::ssh", "/tb"],
        except: &[],
        why: "it knows records and name servers only",
    },
    Never {
        rooms: &["adopt"],
        words: &["std::fs", "std::process", "async fn", ".await", "crate::ssh", "/tb"],
        except: &[],
        why: "it is a function of values: others ask the hosts and write the folder",
    },
    Never {
        rooms: &["diff"],
        words: &["Wave", "waves", "Action"],
        except: &[],
        why: "it compares, and the plan orders",
    },
    Never {
        rooms: &["plan"],
        words: &["crate::render", "crate::ssh", "println!", "Style"],
        // The reason why a host isn't planned may be an error of the connection.
        except: &["plan/host_error.rs"],
        why: "it doesn't know how a plan is shown or carried out",
    },
    Never {
        rooms: &["render"],
        words: &["std::fs", "std::process", "crate::ssh::connect", "async fn", "SystemTime"],
        except: &[],
        why: "it composes text from values",
    },
    Never {
        rooms: &["ssh"],
        words: &["crate::facts", "crate::plan", "crate::network", "/tb"],
        except: &[],
        why: "it doesn't know what is sent over it",
    },
    Never {
        rooms: &["remote"],
        words: &["crate::render", "println!"],
        except: &[],
        why: "it tells events, and others show them",
    },
];

impl Never {
    /// The first forbidden word in a line of code or of a script.
    fn finds(&self, line: &str) -> Option<&'static str> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        self.words.iter().copied().find(|word| {
            line.match_indices(word).any(|(at, _)| {
                // A word that begins or ends with a letter must not be part of a longer
                // word.
                let (before, after) = (&line[..at], &line[at + word.len()..]);
                let begins = !word.starts_with(is_word) || !before.ends_with(is_word);
                begins && (!word.ends_with(is_word) || !after.starts_with(is_word))
            })
        })
    }
}

#[test]
fn no_room_has_what_is_never_there() {
    let mut wrong = Vec::new();
    for (file, text) in &sources() {
        for never in NEVERS {
            let is_in =
                |room: &&&str| file.strip_prefix(**room).is_some_and(|rest| rest.starts_with(['/', '.']));
            let applies =
                never.rooms.iter().any(|room| is_in(&room)) && !never.except.contains(&file.as_str());
            if !applies || file.contains("/tests") || file.contains("fake_") || file.contains("/cutting") {
                continue;
            }
            for (line, code) in code(file, text) {
                if let Some(word) = never.finds(code) {
                    wrong.push(format!("{file}:{line}: `{word}`: {}", never.why));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each rule finds each of its words, but only as whole words.
#[test]
fn every_never_is_found() {
    for never in NEVERS {
        for word in never.words {
            assert_eq!(never.finds(&format!("let x = \"{word}\";")), Some(*word), "{word}");
        }
    }
    let tau = &NEVERS[0];
    assert_eq!(tau.finds("the author of seers"), None);
    assert_eq!(tau.finds("for path in $root/tb/config"), Some("/tb"));
}

/// The path, relative to `src`, and the text of every source file.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| {
                ["rs", "sh", "awk", "sed", "service"].contains(&&*extension.to_string_lossy())
            }) {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                sources.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources.sort();
    sources
}

/// The rooms in the order of `lib.rs`.
fn rooms(sources: &[(String, String)]) -> Vec<String> {
    let (_, lib) = sources.iter().find(|(name, _)| name == "lib.rs").unwrap();
    lib.lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect()
}

/// The numbered lines of code, without comments and without the module `tests`.
fn code<'a>(file: &str, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let comment = if file.ends_with(".rs") { "//" } else { "#" };
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim_start()));
    let lines = lines.take_while(|(_, line)| !line.starts_with("mod tests {"));
    lines.filter(move |(_, line)| !line.starts_with(comment))
}

/// The identifiers that follow `prefix`, where `prefix` is the start of a path.
fn named<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(prefix).filter_map(move |(at, _)| {
        let begins = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        begins.then(|| {
            let rest = &line[at + prefix.len()..];
            &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
        })
    })
}

#[test]
fn imports_go_in_one_direction() {
    let sources = sources();
    let rooms = rooms(&sources);
    assert!(rooms.len() > 10, "cannot parse the rooms in lib.rs: {rooms:?}");
    let at = |room: &str| rooms.iter().position(|name| name == room);
    let mut wrong = Vec::new();
    for (file, text) in &sources {
        let room = file.split(['/', '.']).next().unwrap();
        let Some(here) = at(room) else {
            assert!(matches!(room, "lib" | "main"), "{file} isn't in a room of lib.rs");
            continue;
        };
        for (line, code) in code(file, text) {
            assert!(!code.contains("use crate::{"), "{file}:{line}: write one `use` for each room");
            for other in named(code, "crate::").filter_map(at).filter(|other| *other > here) {
                wrong.push(format!("{file}:{line}: `{room}` may not import `{}`", rooms[other]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (file, text) in &sources() {
        // Tests may use any crate.
        if file.contains("/tests") {
            continue;
        }
        for (line, code) in code(file, text) {
            for (name, places) in KEPT {
                let prefix = format!("{name}::");
                let used = named(code, &prefix).next().is_some();
                if used && !places.iter().any(|place| file.starts_with(place)) {
                    wrong.push(format!("{file}:{line}: `{name}` may only be used in {}", places.join(", ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The parser above finds the imports in these lines.
#[test]
fn paths_are_parsed() {
    let found = |line: &'static str| named(line, "crate::").collect::<Vec<_>>();
    assert_eq!(found("use crate::plan::action::Action;"), ["plan"]);
    assert_eq!(found("fn f(a: &crate::ssh::Session) -> crate::cli::Exit {"), ["ssh", "cli"]);
    assert_eq!(found("pub(crate) fn mycrate::x()"), Vec::<&str>::new());
}

/// `deny.toml` lists every pre-release in `Cargo.lock`, with the reason why it is used.
#[test]
fn every_pre_release_is_listed_with_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
    let value = |line: &str, key: &str| Some(line.strip_prefix(key)?.strip_suffix('"')?.to_owned());
    let mut used: Vec<String> = lock
        .split("[[package]]")
        .filter_map(|package| {
            let name = package.lines().find_map(|line| value(line, "name = \""))?;
            let version = package.lines().find_map(|line| value(line, "version = \""))?;
            // The part after a `+` is build metadata.
            version.split('+').next()?.contains('-').then(|| format!("{name} {version}"))
        })
        .collect();
    used.sort();
    let deny = fs::read_to_string(root.join("deny.toml")).unwrap();
    let listed = deny.lines().filter_map(|line| line.strip_prefix("# pre-release: ")?.split_once(", "));
    let listed: Vec<String> = listed.map(|(package, _)| package.to_owned()).collect();
    assert_eq!(listed, used, "deny.toml lists the pre-releases of Cargo.lock, in this order");
}

/// The tests and plan cases that `tests/lab/faults/broken.md` names exist.
#[test]
fn tests_that_the_table_of_faults_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("tests/lab/faults/broken.md")).unwrap();
    let lab = fs::read_to_string(root.join("tests/lab/main.rs")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    for row in rows.map(|row| row.split('|').collect::<Vec<_>>()) {
        let names = |cell: usize| row[cell].split('`').skip(1).step_by(2);
        let trials: Vec<&str> = names(2).collect();
        let cases: Vec<&str> = names(3).collect();
        assert!(!trials.is_empty() || !cases.is_empty(), "no test: {}", row[1]);
        for name in trials {
            assert!(lab.contains(&format!("trial(\"{name}\"")), "no lab test {name}");
        }
        for name in cases {
            assert!(root.join("fixtures/plans").join(name).is_dir(), "no plan case {name}");
        }
    }
}
