//! The JSON Schemas of the folder's files: they are those in `snapshots/schemas/folder`, reject no file in
//! which the reader finds no error, and reject most of the others.

#[path = "../support/cases.rs"]
mod number;

use crate::folder::read;
use crate::{cases, cases_in};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;
use spore_drive::network::{Draft, FileSchema, Files, Finding, SCHEMAS, Secrets};
use spore_drive::render::wording;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The cases with an error that no schema of one file rejects, because the error is in something else: in
/// another file, in a key, in the way in which a value is written, or in what two values mean together.
const NOT_REJECTED: &[&str] = &[
    "auth-tenancy-key-malformed",
    "auth-tenancy-key-not-rsa",
    "auth-tenancy-without-app",
    "auth-tenancy-without-key",
    "auth-without-tenancy",
    "dangling-links",
    "empty-folder",
    "identities-twice",
    "key-files-of-other-kinds",
    "misnamed",
    "missing-files",
    "missing-files-elsewhere",
    "names-of-other-readers",
    "ports",
    "references",
    "secrets-missing",
    "services",
    "ssh-keys",
    "two-dialects-disagree",
    "upstream",
    "wrong-key-forms",
    "wrong-keys",
    "binaries",
    "component-folder-linked",
    "component-linked",
    "entry-linked",
    "kernel-files",
    "plugins",
    "plugins-linked",
    "secrets-in-a-linked-folder",
    "secrets-linked",
    "secrets-written-in-a-circle",
];

fn validators() -> BTreeMap<&'static str, Validator> {
    let validator = |schema: &FileSchema| {
        let text = serde_json::from_str(&schema.text()).unwrap();
        jsonschema::draft7::meta::validate(&text).unwrap();
        (schema.name, jsonschema::draft7::new(&text).unwrap())
    };
    SCHEMAS.iter().map(validator).collect()
}

/// The schemas are part of the interface: a change of one may reject files that it accepted.
#[test]
fn the_schemas_are_those_of_the_structs() {
    let folder = Path::new("snapshots/schemas/folder");
    for schema in SCHEMAS {
        let (path, text) = (folder.join(schema.file_name()), schema.text());
        if std::env::var_os("SPORE_BLESS").is_some() {
            fs::create_dir_all(folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(text == expected, "{} differs; SPORE_BLESS=1 accepts:\n{text}", path.display());
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), SCHEMAS.len());
}

/// What a schema says about a file.
enum Judged {
    Accepted,
    Rejected(String),
    /// No schema is needed to reject it.
    NotYaml,
}

fn judge(validator: &Validator, text: &str) -> Judged {
    let Some(document) = json(text) else { return Judged::NotYaml };
    match validator.validate(&document) {
        Ok(()) => Judged::Accepted,
        Err(error) => Judged::Rejected(format!("{}: {error}", error.instance_path())),
    }
}

/// The document as an editor understands it. `None` if it isn't YAML.
fn json(text: &str) -> Option<Value> {
    let mut document: serde_yaml::Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    document.apply_merge().ok()?;
    Some(plain(&document))
}

/// The value in JSON. Names that aren't text are written as they would be in JSON.
fn plain(value: &serde_yaml::Value) -> Value {
    match value {
        serde_yaml::Value::Mapping(entries) => {
            let name = |key: &serde_yaml::Value| match plain(key) {
                Value::String(name) => name,
                other => other.to_string(),
            };
            entries.iter().map(|(key, value)| (name(key), plain(value))).collect()
        }
        serde_yaml::Value::Sequence(items) => items.iter().map(plain).collect(),
        serde_yaml::Value::Tagged(tagged) => plain(&tagged.value),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// The files below a folder that have a schema, by their paths in it.
fn described(folder: &Path) -> BTreeMap<String, &'static FileSchema> {
    let mut found = BTreeMap::new();
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    for path in entries(folder).into_iter().flat_map(|path| match path.is_dir() {
        true => entries(&path),
        false => vec![path],
    }) {
        let name = path.strip_prefix(folder).unwrap().to_str().map(str::to_owned);
        // The reader follows no link out of the folder.
        let is_inside = |path: &Path| {
            path.canonicalize().is_ok_and(|path| path.starts_with(folder.canonicalize().unwrap()))
        };
        if let Some(name) = name.filter(|_| path.is_file() && is_inside(&path))
            && let Some(schema) = FileSchema::of(&name)
        {
            found.insert(name, schema);
        }
    }
    found
}

#[test]
fn the_schemas_reject_only_what_the_reader_rejects_and_most_of_that() {
    let validators = validators();
    let (mut accepted, mut wrong, mut invalid) = (Vec::new(), Vec::new(), 0);
    for case in cases().into_iter().chain(cases_in(crate::HOSTILE, 5)) {
        let (scratch, draft) = read(&case);
        let folder = scratch.path().join("folder");
        let problems = draft.problems();
        let mut is_rejected = false;
        for (file, schema) in described(&folder) {
            let text = String::from_utf8_lossy(&fs::read(folder.join(&file)).unwrap()).into_owned();
            match judge(&validators[schema.name], &text) {
                Judged::Accepted => {}
                Judged::NotYaml => is_rejected = true,
                Judged::Rejected(why) => {
                    is_rejected = true;
                    if !problems
                        .iter()
                        .any(|problem| problem.is_error() && problem.is_in(|named| named == file))
                    {
                        wrong.push(format!("{}/{file}: {why}", case.display()));
                    }
                }
            }
        }
        let has_errors = problems.iter().any(Finding::is_error);
        invalid += usize::from(has_errors);
        if has_errors && !is_rejected {
            accepted.push(crate::name(&case).to_owned());
        }
    }
    assert!(wrong.is_empty(), "rejected without an error of the reader:\n{}", wrong.join("\n"));
    assert!(accepted == NOT_REJECTED, "{} of {invalid} aren't rejected: {accepted:#?}", accepted.len());
}

/// Every mapping of the folder: a file in which only it has an unknown field, and its schema, which is that of
/// a file or a definition in it.
const MAPPINGS: &[(&str, &str, &str)] = &[
    ("cloud.yaml", "x9: 1", "network"),
    ("cloud.yaml", "domain: {x9: 1}", "domain"),
    ("cloud.yaml", "domain: {validation: {x9: 1}}", "domain/Validation"),
    ("cloud.yaml", "domain: {validation: {key: {x9: 1}}}", "domain/Pair"),
    ("cloud.yaml", "p2p: {x9: 1}", "p2p"),
    ("cloud.yaml", "p2p: {swarm: {x9: 1}}", "p2p/Swarm"),
    ("auth.yaml", "l: {x9: 1}", "login"),
    ("hosts.yaml", "h: {x9: 1}", "host"),
    ("hosts.yaml", "h: {ssh: {x9: 1}}", "host/Ssh"),
    ("hosts.yaml", "h: {location: {x9: 1}}", "host/Degrees"),
    ("hosts.yaml", "h: {shapes: {s: {x9: 1}}}", "host/NodeEntry"),
    ("shapes.yaml", "s: {x9: 1}", "shape"),
    ("shapes.yaml", "s: {ports: {x9: 1}}", "shape/Ports"),
    ("shapes.yaml", "s: {ports: {main: {x9: 1}}}", "shape/MainPorts"),
    ("shapes.yaml", "s: {ports: {lite: {x9: 1}}}", "shape/LitePorts"),
    ("tenancy.yaml", "x9: 1", "tenancy/Tenancy"),
    ("tenancy.yaml", "app: {x9: 1}", "tenancy/App"),
    ("tau.yaml", "amd64: {x9: 1}", "tau/Pin"),
];

fn problems(file: &str, text: &str) -> Vec<Finding> {
    let mut files = Files::new("folder");
    files.insert(file, text);
    Draft::from_files(&files, Secrets::Needed).problems()
}

/// The fields of a mapping, in the schema and in the reader.
fn fields(file: &str, text: &str, schema: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (root, definition) = schema.split_once('/').map_or((schema, None), |(root, name)| (root, Some(name)));
    let schema = SCHEMAS.iter().find(|schema| schema.name == root).unwrap().text();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let schema = definition.map_or(&schema, |name| &schema["definitions"][name]);
    let properties = schema["properties"].as_object().unwrap();
    assert!(properties.values().all(|field| field["description"].is_string()), "{properties:?}");
    let helps = problems(file, text).into_iter().map(|problem| wording(&problem));
    let help = helps.filter(|words| words.message.contains("`x9`")).map(|words| words.help).next().unwrap();
    let known = help.split_once(" are ").unwrap().1.split(", ");
    (properties.keys().cloned().collect(), known.map(|name| name.trim_matches('`').to_owned()).collect())
}

#[test]
fn the_schemas_have_the_fields_of_the_reader_each_with_its_meaning() {
    for (file, text, schema) in MAPPINGS {
        let (described, read) = fields(file, text, schema);
        assert_eq!(described, read, "{schema}");
    }
    // No mapping is left out.
    let all: Vec<Value> = SCHEMAS.iter().map(|file| serde_json::from_str(&file.text()).unwrap()).collect();
    let definitions = all.iter().filter_map(|schema| schema["definitions"].as_object()).flatten();
    let definitions: BTreeSet<&String> =
        definitions.filter(|(_, schema)| schema["properties"].is_object()).map(|(name, _)| name).collect();
    let tested = |name: &str| {
        MAPPINGS.iter().any(|(_, _, schema)| schema.ends_with(&format!("/{name}")))
            || SCHEMAS.iter().any(|file| file.name.eq_ignore_ascii_case(name.trim_end_matches("Entry")))
    };
    assert!(definitions.iter().all(|name| tested(name)), "{definitions:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: number::cases(300), failure_persistence: None, ..Default::default() })]

    /// A field whose name a schema rejects is one that the reader takes for misspelt.
    #[test]
    fn only_misspelt_fields_are_rejected(
        mapping in prop::sample::select(MAPPINGS),
        field in any::<prop::sample::Index>(),
        at in 0..14_usize,
        edit in 0..5,
        letter in prop::sample::select(vec!["a", "s", "_", "-", "E", "y", "1"]),
    ) {
        let (file, text, schema) = mapping;
        let (known, _) = fields(file, text, schema);
        let known: Vec<String> = known.into_iter().collect();
        let name = field.get(&known);
        let at = at.min(name.len() - 1);
        let (before, after) = name.split_at(at);
        let name = match edit {
            0 => format!("{before}{letter}{after}"),
            1 => format!("{before}{}", &after[1..]),
            2 => format!("{before}{letter}{}", &after[1..]),
            3 => name.to_uppercase(),
            _ => format!("{before}{}{}{}", after.get(1..2).unwrap_or_default(), &after[..1], after.get(2..).unwrap_or_default()),
        };
        prop_assume!(!known.contains(&name) && !name.is_empty());
        let (root, definition) = schema.split_once('/').unwrap_or((schema, ""));
        let root: Value = SCHEMAS.iter().find(|schema| schema.name == root).map(|schema| serde_json::from_str(&schema.text()).unwrap()).unwrap();
        let own = if definition.is_empty() { &root } else { &root["definitions"][definition] };
        // A schema for a name, so that the other rules of the mapping don't matter.
        let names = jsonschema::draft7::new(&own["propertyNames"]).unwrap();
        let is_rejected = !names.is_valid(&Value::String(name.clone()));
        let found = problems(file, &text.replace("x9", &format!("\"{name}\"")));
        let is_misspelt = found.iter().map(wording).any(|words| {
            words.message.contains(&format!("`{name}`")) && words.help.starts_with("did you mean")
        });
        prop_assert!(!is_rejected || is_misspelt, "{name} in {schema}: {:?}", found.iter().map(wording).map(|words| words.message).collect::<Vec<_>>());
        prop_assert!(is_rejected || edit == 1 || name.len() < 3 || edit == 3, "{name} in {schema} is accepted");
    }
}
