//! The recipes in `fixtures/recipes` and `action.yml`: their YAML can be parsed, and their
//! commands exist.

use crate::page::installed;
use crate::world::{Run, spore};
use serde_yaml::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn recipes() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = fs::read_dir(root.join("fixtures/recipes")).unwrap().map(|entry| entry.unwrap().path());
    found
        .chain([root.join("action.yml")])
        .filter(|path| path.extension().is_some_and(|end| end != "md"))
        .collect()
}

/// The words of every command line of spore in a text.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text.lines().map(str::trim) {
        let words = line.strip_prefix("args: ").or_else(|| {
            let after = line.split_once("spore ").filter(|(before, _)| {
                before.is_empty() || before.ends_with("- ") || before.ends_with('\'')
            })?;
            Some(after.1)
        });
        let Some(words) = words.filter(|_| !line.starts_with('#') && !line.contains("$ARGS")) else {
            continue;
        };
        let end = words.find([';', '|', '>', '\'']).unwrap_or(words.len());
        commands.push(words[..end].split_whitespace().map(str::to_owned).collect());
    }
    commands
}

#[test]
fn their_commands_exist() {
    let empty = tempfile::tempdir().unwrap();
    let mut count = 0;
    for path in recipes() {
        for command in commands(&fs::read_to_string(&path).unwrap()) {
            count += 1;
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let run = Run::of(spore(&words).current_dir(empty.path()));
            // The folder is empty, so this is as far as a command gets.
            assert_eq!(run.code, Some(1), "{}: {words:?}: {run}", path.display());
            let is_usage = run.text.contains("Usage:") || run.text.contains("unexpected argument");
            assert!(!is_usage && !run.text.contains("invalid value"), "{}: {words:?}: {run}", path.display());
        }
    }
    assert!(count >= 9, "{count}");
}

#[test]
fn they_can_be_parsed() {
    for path in recipes() {
        let text = fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|end| end == "yml") {
            let value: Value =
                serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            scripts(&value, &path);
        }
    }
}

/// What the recipes for editors start is a command, and their files can be parsed. `lsp` runs Neovim with one.
#[test]
fn editors_start_the_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recipes");
    let text = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    for (file, command) in [
        ("neovim.lua", "{ 'spore', 'lsp' }"),
        ("helix-languages.toml", "command = \"spore\"\nargs = [\"lsp\"]"),
        ("vscode/extension.js", "{ command: 'spore', args: ['lsp'] }"),
    ] {
        assert!(text(file).contains(command), "{file}");
    }
    let package: serde_json::Value = serde_json::from_str(&text("vscode/package.json")).unwrap();
    let main = package["main"].as_str().unwrap();
    assert!(root.join("vscode").join(main).exists());
    if let Some(node) = installed(&["node"], "recipes::editors_start_the_server") {
        Run::of(Command::new(node).arg("--check").arg(root.join("vscode").join(main))).exits(0);
    }
}

/// Checks the shell scripts in a recipe.
fn scripts(value: &Value, path: &Path) {
    match value {
        Value::Mapping(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    (Some("run"), Value::String(script)) => {
                        let checked = Command::new("bash").args(["-n", "-c", script]).status().unwrap();
                        assert!(checked.success(), "{}: {script}", path.display());
                    }
                    _ => scripts(value, path),
                }
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| scripts(item, path)),
        _ => {}
    }
}
