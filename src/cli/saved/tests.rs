//! Saved plans and facts that were cut off, edited, or never were any.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::super::plan::shown;
use super::*;
use crate::check;
use crate::facts::file::{Gathered, HostAnswer};
use crate::facts::roster::Roster;
use crate::network::{Links, Secrets};
use crate::plan::file::{FORMAT, Inputs};
use crate::pretend::{here, program};
use crate::render::Style;
use crate::resource::{DigestKey, Printable, is_hidden};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The fixture `first`, reduced to an elder on h1 and the nodes on h4.
struct World {
    folder: TempDir,
    sources: BTreeMap<String, Sha256>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/plans/first/folder/.");
        assert!(Command::new("cp").arg("-a").arg(fixture).arg(folder.path()).status().unwrap().success());
        for host in ["h2", "h3", "h5", "h6"] {
            fs::remove_file(folder.path().join(format!("hosts/{host}.yaml"))).unwrap();
        }
        let cloud = folder.path().join("cloud.yaml");
        fs::write(&cloud, fs::read_to_string(&cloud).unwrap().replace("[h1, h2, h3]", "[h1]")).unwrap();
        fs::write(folder.path().join("tau"), program(here(), "no tau")).unwrap();
        let mut draft = check::read(folder.path(), Secrets::Needed, Links::Inside);
        let sources = std::mem::take(&mut draft.sources);
        Self { folder, sources }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn subject(&self, options: Options) -> Subject {
        let network = check::read(self.folder.path(), Secrets::Needed, Links::Inside).finish().unwrap();
        Subject::of((network, self.sources.clone()), Some(&self.path("tau")), options).unwrap()
    }

    /// Plans h1, on which there is nothing, and h4, on which there is a lot.
    fn saved(&self) -> PlanFile {
        let subject = self.subject(Options::default());
        let answer = |file: &str, host: &str| {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            let key = DigestKey::derive(subject.network.swarm_key.here().unwrap().line(), host).fingerprint();
            let text =
                text.replace("key\t@key@\n", "").replacen("asked\t", &format!("key\t{key}\nasked\t"), 1);
            (host.to_owned(), HostAnswer::Answer(text.lines().map(str::to_owned).collect()))
        };
        let hosts = BTreeMap::from([
            answer("fixtures/plans/answers/debian-12.answer", "h1"),
            answer("fixtures/answers/base.answer", "h4"),
        ]);
        let at = Printable::line("2026-11-27T20:00:00Z");
        survey_offline(subject, &Gathered { at, roster: Roster::default(), hosts }).unwrap().file()
    }

    /// Reads a file and plans again from it, as `spore apply` does.
    fn replay(&self, bytes: &[u8]) -> miette::Result<Survey> {
        let path = self.path("plan.json");
        fs::write(&path, bytes).unwrap();
        let saved = plan(&path)?;
        let subject = self.subject(options(&path, &saved)?);
        replay(&path, &saved, subject)
    }

    /// The error that a file leads to.
    fn refusal(&self, bytes: &[u8]) -> String {
        match self.replay(bytes) {
            Ok(_) => panic!("it is accepted: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)])),
            Err(report) => said(&report),
        }
    }
}

/// An error and its help, which a terminal shows as they are.
fn said(report: &miette::Report) -> String {
    let text = format!("{report}; {}", report.help().unwrap());
    assert!(!text.contains(is_hidden), "{text:?}");
    text
}

/// The JSON pointers of everything in a value that isn't a map or a list.
fn scalars(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                scalars(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), into);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(nth, value)| scalars(value, &format!("{at}/{nth}"), into));
        }
        _ => into.push(at.to_owned()),
    }
}

fn all_scalars(file: &Value) -> Vec<String> {
    let mut all = Vec::new();
    scalars(file, "", &mut all);
    all
}

#[test]
fn a_plan_can_be_made_again_from_its_file() {
    let world = World::new();
    let file = world.saved();
    assert!(file.plan.changes.len() > 20 && file.plan.unplanned.is_empty(), "{:#?}", file.plan);
    let again = world.replay(&file.to_bytes()).unwrap();
    assert_eq!(again.file(), file);
}

/// Only values that change nothing about what is done can be edited: who made the file and when;
/// options that don't matter here; and words of a host from which nothing follows. Only some of
/// the hosts' words are tried.
#[test]
fn an_edited_value_is_refused() {
    let world = World::new();
    let file: Value = serde_json::from_slice(&world.saved().to_bytes()).unwrap();
    let (mut accepted, mut of_hosts, mut n) = (BTreeSet::new(), 0, 0);
    let is_tried = |(nth, pointer): &(usize, String)| nth % 8 == 0 || !pointer.starts_with("/facts/hosts/");
    for (_, pointer) in all_scalars(&file).into_iter().enumerate().filter(is_tried) {
        let mut edited = file.clone();
        let value = edited.pointer_mut(&pointer).unwrap();
        *value = match &*value {
            Value::Null => json!(1),
            Value::Bool(is) => json!(!is),
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            value => json!(format!("{}x", value.as_str().unwrap())),
        };
        n += 1;
        match world.replay(&serde_json::to_vec(&edited).unwrap()) {
            Err(report) => {
                let said = said(&report);
                let has_place =
                    ["line ", " is at /", "(changed)", "swarm key", "network", "planner", "/inputs/"];
                assert!(has_place.iter().any(|place| said.contains(place)), "{pointer}: {said}");
            }
            Ok(_) if pointer.starts_with("/facts/hosts/") => of_hosts += 1,
            Ok(_) => drop(accepted.insert(pointer)),
        }
    }
    let harmless = [
        "/facts/at",
        "/facts/roster/spore_roster",
        "/inputs/options/batch",
        "/inputs/options/no_revert",
        "/inputs/options/prune",
        "/inputs/options/purge_storage",
        "/inputs/options/take_over",
        "/made_with/spore",
        "/spore_plan",
    ];
    let surprising: Vec<_> =
        accepted.iter().filter(|pointer| !harmless.contains(&pointer.as_str())).collect();
    assert!(surprising.is_empty(), "{surprising:?}");
    assert!(n > 200 && of_hosts < n / 2, "{n} values, {of_hosts} of hosts were accepted");
}

/// Something is removed from the file, or added to it.
#[test]
fn an_edited_list_is_refused() {
    let world = World::new();
    let file = serde_json::to_value(world.saved()).unwrap();
    let edit = |change: &dyn Fn(&mut Value)| {
        let mut edited = file.clone();
        change(&mut edited);
        world.refusal(&serde_json::to_vec(&edited).unwrap())
    };
    for list in ["/plan/changes", "/plan/waves", "/plan/notes"] {
        let said = edit(&|file| drop(file.pointer_mut(list).unwrap().as_array_mut().unwrap().pop()));
        assert!(said.contains(&format!("is at {list}")), "{said}");
    }
    let said = edit(&|file| file["plan"]["refusals"] = json!(["no"]));
    assert!(said.contains("is at /plan/refusals/0"), "{said}");
    let said = edit(&|file| drop(file["facts"]["hosts"].as_object_mut().unwrap().remove("h4")));
    assert!(said.contains("is at /plan/"), "{said}");
    let said = edit(&|file| file["facts"]["hosts"]["a/b~c"] = json!({"answer": []}));
    assert!(said.contains("is at /facts/hosts/a~1b~0c"), "{said}");
    let said = edit(&|file| drop(file["inputs"]["folder"].as_object_mut().unwrap().remove("hosts/h4.yaml")));
    assert!(said.contains("the folder has changed since: hosts/h4.yaml (added)"), "{said}");
    let said = edit(&|file| file["inputs"]["secrets"]["keys/other.key"] = json!("0"));
    assert!(said.contains("secrets have changed since: keys/other.key (removed)"), "{said}");
    let said = edit(&|file| file["inputs"]["options"]["targets"] = json!(["@h4", "h4"]));
    assert!(said.contains("/inputs/options/targets/1: ") && said.contains("edited"), "{said}");
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let world = World::new();
    let bytes = world.saved().to_bytes();
    let ends = (0..bytes.len() - 2).step_by(bytes.len() / 500).chain([bytes.len() - 2]);
    for end in ends {
        let cut = &bytes[..end];
        let error = PlanFile::parse(cut).unwrap_err();
        let lines = cut.iter().filter(|&&byte| byte == b'\n').count() + 1;
        match &error {
            FileError::Json { line, .. } => {
                assert!(*line >= lines.saturating_sub(1) && *line <= lines, "{end}: {error}")
            }
            other => panic!("{end}: {other}"),
        }
    }
    let said = world.refusal(&bytes[..bytes.len() / 2]);
    assert!(said.contains("plan.json: line ") && said.contains(", column "), "{said}");
    assert!(said.contains("the file was cut off or edited; write it again: `spore plan -o FILE`"), "{said}");
    // Only the last line break may be missing.
    assert!(PlanFile::parse(&bytes[..bytes.len() - 1]).is_ok());
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let world = World::new();
    let facts = FactsFile {
        spore_facts: crate::facts::file::FORMAT.to_owned(),
        network: Printable::line("net.test"),
        facts: world.saved().facts,
    };
    let (facts, plan) = (facts.to_bytes(), world.saved().to_bytes());
    let of_plan = |bytes: &[u8]| world.refusal(bytes);
    let of_facts = |bytes: &[u8]| {
        fs::write(world.path("facts.json"), bytes).unwrap();
        said(&super::facts(&world.path("facts.json"), "net.test").unwrap_err())
    };
    assert!(of_plan(&facts).contains("it is a file with facts; pass facts with `spore plan --facts FILE`"));
    assert!(of_facts(&plan).contains("it is a file with a plan; show a plan with `spore show FILE`"));
    for foreign in [
        "{}",
        "{\"a\": 1}",
        "[]",
        "[[\"1.0\"]]",
        "5",
        "null",
        "\"\"",
        "{\"spore_plan\": 1, \"spore_facts\": 1}",
    ] {
        let said = of_plan(foreign.as_bytes());
        assert!(
            said.contains("it has no `spore_plan`") && said.contains("`spore plan -o FILE`"),
            "{foreign}: {said}"
        );
        let said = of_facts(foreign.as_bytes());
        assert!(
            said.contains("it has no `spore_facts`") && said.contains("`spore facts -o FILE`"),
            "{foreign}: {said}"
        );
    }
    for not_json in ["", "hello", "\u{1b}[2J", "{\"spore_plan\": \"1.0\",}", "spore_plan: '1.0'"] {
        let said = of_plan(not_json.as_bytes());
        assert!(said.contains("line 1, column ") || said.contains("line 0, column "), "{not_json}: {said}");
    }
    assert!(of_plan(b"\xff\xfe").contains("line 1, column 1"));
    fs::write(world.path("facts.json"), &facts).unwrap();
    assert_eq!(super::facts(&world.path("facts.json"), "net.test").unwrap().to_bytes(), facts);
    let other = said(&super::facts(&world.path("facts.json"), "other.test").unwrap_err());
    assert!(other.contains("has the facts of net.test, not of other.test"), "{other}");
}

/// A minor version only adds fields. Another major version may mean anything.
#[test]
fn only_this_major_version_is_read() {
    let world = World::new();
    let mut file = serde_json::to_value(world.saved()).unwrap();
    let with_version = |file: &Value, version: &str| {
        let mut file = file.clone();
        file["spore_plan"] = json!(version);
        serde_json::to_vec(&file).unwrap()
    };
    for version in ["2.0", "0.9", "10.0", "", "x", "-1.0", "1\u{1b}[2J.0"] {
        let said = world.refusal(&with_version(&file, version));
        assert!(
            said.contains("`spore_plan`: its format has version")
                && said.contains(&format!("reads version {FORMAT}")),
            "{said}"
        );
    }
    // Of another major version, only the version is read.
    let said = world.refusal(br#"{"plan": 7, "spore_plan": "2.0"}"#);
    assert!(said.contains("has version 2.0"), "{said}");
    add_fields(&mut file);
    world.replay(&with_version(&file, "1.7")).unwrap();

    // The first version had neither of these.
    let page = file["plan"].as_object_mut().unwrap();
    assert!(page.remove("missing").is_some() && page.remove("uncompared").is_some());
    world.replay(&with_version(&file, "1.0")).unwrap();
}

/// Adds a field to every struct. Maps are told by what they contain.
fn add_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(add_fields);
            let structs =
                ["plan", "network", "planner", "key", "targets", "at", "text", "who", "expects", "line"];
            if structs.iter().any(|field| fields.contains_key(*field)) {
                fields.insert("newer".to_owned(), json!({"a": [1, null, {"b": "c"}]}));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(add_fields),
        _ => {}
    }
}

#[test]
fn a_huge_file_is_refused() {
    let world = World::new();
    let begun = Instant::now();
    let lines = [b"{\n".as_slice(), &b" \n".repeat(1_000_000), b"\"spore_plan\": \"1.0\"}"].concat();
    assert!(world.refusal(&lines).contains("it has 1000000 lines or more; pass a file that"));
    // A file with holes takes no space.
    let path = world.path("huge.json");
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let said = said(&plan(&path).map(|_| ()).unwrap_err());
    assert!(said.contains("it is larger than 64 MiB"), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(write(&world.path("new.json"), &lines).is_err() && !world.path("new.json").exists());
}

#[test]
fn deeply_nested_values_are_refused() {
    let world = World::new();
    for open in ["[", "{\"a\":", "{\"spore_plan\":\"1.0\",\"plan\":{\"changes\":[", "{\"spore_plan\":"] {
        let said = world.refusal(open.repeat(200_000).as_bytes());
        assert!(said.contains("line 1, column ") || said.contains("it has no `spore_plan`"), "{said}");
    }
    // A field of a newer version may be of any depth.
    let mut text = String::from_utf8(world.saved().to_bytes()).unwrap();
    let nested = format!("{{\"newer\": {}{},", "[".repeat(100), "]".repeat(100));
    text.replace_range(..1, &nested);
    world.replay(text.as_bytes()).unwrap();
}

/// `spore show` shows any text as text, wherever it is in the file.
#[test]
fn no_text_of_a_plan_controls_a_terminal() {
    const HOSTILE: &str = "\u{1b}]52;c;aGk=\u{7}\r\n\u{202e}\u{9b}2J\u{200b}\u{0}";
    let world = World::new();
    let file = serde_json::to_value(world.saved()).unwrap();
    let judge = |file: &Value, what: &str| {
        let path = world.path("plan.json");
        fs::write(&path, serde_json::to_vec(file).unwrap()).unwrap();
        let text = match plan(&path) {
            Ok(saved) => shown(&saved.plan.plan, &saved.plan.facts.at, Some(saved.sha256), Style::Plain),
            Err(report) => said(&report),
        };
        let wrong = text.split('\n').find(|line| line.contains(is_hidden));
        assert_eq!(wrong, None, "{what}");
        text
    };
    let mut n = 0;
    for pointer in all_scalars(&file) {
        let mut edited = file.clone();
        *edited.pointer_mut(&pointer).unwrap() = json!(HOSTILE);
        n += usize::from(judge(&edited, &pointer).contains("\\u{1b}]52;c;aGk="));
    }
    assert!(n > 100, "{n} texts are shown");
    for pointer in [
        "/plan/locked",
        "/plan/applied",
        "/plan/stage",
        "/plan/waves/0/hosts",
        "/inputs/folder",
        "/facts/hosts",
    ] {
        let mut edited = file.clone();
        let map = edited.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        let value = map.values().next().cloned().unwrap_or_else(|| json!(HOSTILE));
        map.insert(HOSTILE.to_owned(), value);
        judge(&edited, pointer);
        world.refusal(&serde_json::to_vec(&edited).unwrap());
    }
}

/// Inputs that differ are named, and nothing of them is shown.
#[test]
fn a_changed_input_is_named() {
    let mut world = World::new();
    let bytes = world.saved().to_bytes();
    let said_for = |world: &World| world.refusal(&bytes);
    let change = |world: &mut World, name: &str| {
        world.sources.insert(name.to_owned(), Sha256::of(b"another"));
    };
    change(&mut world, "shapes.yaml");
    let said = said_for(&world);
    assert!(
        said.contains("the folder has changed since: shapes.yaml (changed); nothing was changed"),
        "{said}"
    );
    let mut world = World { folder: world.folder, ..World::new() };
    change(&mut world, "keys/dv_private.key");
    let said = said_for(&world);
    assert!(said.contains("secrets have changed since: keys/dv_private.key (changed)"), "{said}");
    let world = World { folder: world.folder, ..World::new() };
    fs::write(world.path("tau"), program(here(), "another tau")).unwrap();
    let said = said_for(&world);
    assert!(said.contains("programs have changed since: tau for "), "{said}");
    let Inputs { key, .. } = world.subject(Options::default()).inputs();
    assert!(!said.contains(&key));
}

/// `fixtures/files` has a small file of each kind, with something in every list. The fuzzer
/// starts from them.
#[test]
fn the_small_files_are_files() {
    let read =
        |name: &str| fs::read(format!("{}/fixtures/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (plan, facts) = (read("plan.json"), read("facts.json"));
    let (plan, facts) = (PlanFile::parse(&plan).unwrap(), FactsFile::parse(&facts).unwrap());
    assert_eq!(plan.facts, facts.facts);
    let value = serde_json::to_value(&plan).unwrap();
    let empty = all_lists(&value, "").into_iter().find(|at| value.pointer(at) == Some(&json!([])));
    assert_eq!(empty, None);
    let Some(HostAnswer::Answer(lines)) = facts.facts.hosts.get("h1") else { panic!("h1 has answered") };
    crate::facts::parse(&HostAnswer::untrusted(lines), &crate::resource::Redactor::default()).unwrap();
}

/// The JSON pointers of all lists.
fn all_lists(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| all_lists(value, &format!("{at}/{name}"))).collect()
        }
        Value::Array(_) => vec![at.to_owned()],
        _ => Vec::new(),
    }
}
