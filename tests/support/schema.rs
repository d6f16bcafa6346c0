//! The JSON Schemas of the files and documents that `spore` writes: `snapshots/schemas`
//! contains one for each format of spore's own, and `fixtures/schemas` those of others.

use std::fs;
use std::path::Path;

/// Compares `NAME.schema.json` with the schema of the struct that is written.
/// `SPORE_BLESS=1` updates it.
///
/// The version in a document says what has changed for its readers. So a change of a schema
/// needs a new minor version if it only adds something, and a new major version otherwise.
pub(crate) fn agrees<T: schemars::JsonSchema>(name: &str) {
    let file = format!("snapshots/schemas/{name}.schema.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(T)).unwrap() + "\n";
    if std::env::var_os("SPORE_BLESS").is_some() {
        fs::write(&file, &schema).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(schema == expected, "{file} differs; SPORE_BLESS=1 accepts:\n{schema}");
}

/// Checks documents against a schema.
pub(crate) struct Schema(jsonschema::Validator);

impl Schema {
    /// A schema in this file.
    pub(crate) fn of(file: impl AsRef<Path>) -> Self {
        let schema = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let options = jsonschema::options().should_validate_formats(true);
        Self(options.build(&schema).unwrap())
    }

    /// # Panics
    /// If the text isn't a JSON document that the schema allows.
    pub(crate) fn allows(&self, text: &str) -> serde_json::Value {
        let document = serde_json::from_str(text).unwrap();
        let wrong: Vec<String> = self
            .0
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{}\n{text}", wrong.join("\n"));
        document
    }
}
