//! The SSH users: `keys.yaml`, today's `auth.yaml`.

use super::At;
use super::fields::{Fields, Item, Slot};
use super::files::{Files, Found};
use super::problem::{Diagnostic, Read, Report};
use crate::identity::SshKeyKind;
use crate::resource::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A user of hosts, and the ways to prove to be it.
#[derive(Clone, Debug)]
pub struct Login {
    /// What hosts call it.
    pub name: At<String>,
    /// The user to log in as.
    pub user: At<String>,
    /// Private keys, to be tried in this order.
    pub keys: Vec<At<KeyFile>>,
    /// The password, after the keys.
    pub password: Option<At<Secret>>,
}

/// A file with an SSH private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// As written in the folder.
    pub written: String,
    /// Where to read it: below the folder where it was relative; one that
    /// starts with `~/` is left as it is, for whoever knows whose home that is.
    pub path: PathBuf,
    /// What is in it; `None` where it isn't there.
    pub kind: Option<SshKeyKind>,
    /// Whether others than its owner may read it.
    pub is_open: bool,
}

/// Reads the users, by name; `Err` where one is there, but wrong.
pub(super) fn read(
    fields: Fields<'_>,
    files: &Files,
    report: &mut Report,
) -> BTreeMap<String, Read<Arc<Login>>> {
    let read = |slot: &Slot<'_>| (slot.name.to_owned(), read_login(slot, files, report).map(Arc::new));
    fields.slots.iter().map(read).collect()
}

/// The files that the users' entries name, as written.
pub(super) fn named(fields: Fields<'_>, report: &mut Report) -> Vec<String> {
    let logins = read(fields, &Files::default(), report).into_values().flatten();
    let keys = logins.flat_map(|login| login.keys.clone());
    keys.map(|key| key.value.written).collect()
}

fn read_login(slot: &Slot<'_>, files: &Files, report: &mut Report) -> Read<Login> {
    let shown = slot.place.shown(slot.name);
    let mut fields = slot.item.fields(&format!("login `{shown}`"), report)?;
    let user = fields.either(["user", "username"], report, |item, report| user(item, report));
    let user = user.unwrap_or_else(|| Err(fields.missing(&["username", "user"], "username: root")));
    let keys = fields.either(["files", "key"], report, |item, report| key_files(item, files, report));
    let password = fields.take("password").map(|item| {
        let text = item.text("a password", report)?;
        Ok(item.at(Secret::new(text)))
    });
    if keys.is_none() && password.is_none() {
        fields.missing(&["key", "files", "password"], "key: keys/id_ed25519");
    }
    fields.finish(report);
    let name = At { value: slot.name.to_owned(), place: slot.place.clone() };
    let keys = keys.unwrap_or(Ok(Vec::new()));
    let login = Login { name, user: user?, keys: keys?, password: password.and_then(Read::ok) };
    missing_keys(&login, report);
    Ok(login)
}

/// A key that isn't there matters most where nothing else gets in.
fn missing_keys(login: &Login, report: &mut Report) {
    let gets_in = login.password.is_some() || login.keys.iter().any(|key| key.kind.is_some());
    for key in login.keys.iter().filter(|key| key.kind.is_none()) {
        let message = format!("there is no file `{}`", key.place.shown(&key.written));
        let problem = if gets_in { Diagnostic::warning(message) } else { Diagnostic::error(message) };
        let help = "put the private key there, or correct the path; it is relative to the folder";
        report.no_secret(key.place.clone(), "this key", problem.at(&key.place, "named here").help(help));
    }
}

fn user(item: Item<'_>, report: &mut Report) -> Read<At<String>> {
    let text = item.text("the name of a user", report)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && text.chars().all(plain) {
        return Ok(item.at(text.to_owned()));
    }
    let help = "letters, digits, `_`, `.` and `-`, the first no `.` or `-`";
    Err(item.wrong(&format!("`{}` is not the name of a user", item.shown()), "this", help, report))
}

fn key_files(item: Item<'_>, files: &Files, report: &mut Report) -> Read<Vec<At<KeyFile>>> {
    let mut keys = Ok(Vec::new());
    for item in item.items(report) {
        match (key_file(item, files, report), &mut keys) {
            (Ok(key), Ok(keys)) => keys.push(item.at(key)),
            (Err(reported), _) => keys = Err(reported),
            (Ok(_), Err(_)) => {}
        }
    }
    keys
}

fn key_file(item: Item<'_>, files: &Files, report: &mut Report) -> Read<KeyFile> {
    let text = item.text("the path of a private key", report)?;
    if text.contains('\n') {
        let help = "put the key into a file in the folder, and write its path here";
        return Err(item.wrong("a private key where its path belongs", "this", help, report));
    }
    let path = if text.starts_with("~/") { PathBuf::from(text) } else { files.folder().join(text) };
    let kind = match files.get(text) {
        Some(Found::File(bytes)) => Some(SshKeyKind::of(&String::from_utf8_lossy(bytes))),
        Some(Found::Unopened) => Some(SshKeyKind::NotAKey),
        Some(Found::Unreadable(why)) => {
            return Err(item.wrong(&format!("`{}` {why}", item.shown()), "named here", why.help(), report));
        }
        None => None,
    };
    Ok(KeyFile { written: text.to_owned(), path, kind, is_open: files.is_open(text) })
}
