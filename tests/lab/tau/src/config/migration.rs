//! tau's migration of configurations: it renames the old key `protocols:` to `services:`,
//! always in the shape's live file, even if it was told to validate another one.
//!
//! A file that can't be parsed isn't changed; reading it afterwards reports the error.

use std::path::Path;

use serde_yaml::{Mapping, Value};

use crate::config::source;
use crate::refusal::{Refusal, errno_text};

pub(super) fn run(folder: &Path, live: &Path) -> Result<(), Refusal> {
    if let Err(e) = std::fs::metadata(folder) {
        return Err(Refusal::new(format!("stat {}: {}", folder.display(), errno_text(&e)))
            .after("opening repository failed with")
            .after("reading config folder failed with"));
    }
    let Some(Value::Mapping(mut document)) =
        std::fs::read_to_string(live).ok().and_then(|text| source::document(&text).ok())
    else {
        return Ok(());
    };
    let Some(names) = take_protocols(&mut document) else { return Ok(()) };
    println!("[{}]", names.join(" "));
    if !names.is_empty() {
        document.insert("services".into(), names.into());
    }
    let text = serde_yaml::to_string(&document)
        .map_err(|e| Refusal::new(format!("updating `services` failed with {e}")))?;
    std::fs::write(live, text)
        .map_err(|e| Refusal::reading(live, &e).within("migration failed deleting `protocols` with"))
}

/// Removes `protocols:`, if it is a list of names.
fn take_protocols(document: &mut Mapping) -> Option<Vec<String>> {
    let Value::Sequence(items) = document.get("protocols")? else { return None };
    let names = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    document.shift_remove("protocols");
    Some(names)
}
