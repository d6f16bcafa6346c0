//! The SSH users: `keys.yaml`, today's `auth.yaml`.

use super::fields::{Fields, Item};
use super::files::{Files, Found};
use super::problem::{Diagnostic, Read, Report};
use super::slot::Slot;
use super::{At, Draft, LoginDraft};
use crate::identity::SshKeyKind;
use crate::resource::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;

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

/// Reads the users, by name.
pub(super) fn read(fields: Fields<'_>, files: &Files, report: &mut Report) -> BTreeMap<String, LoginDraft> {
    let read = |slot: &Slot<'_>| {
        let login = read_login(slot, files, report);
        (!slot.again).then(|| (slot.name.to_owned(), login))
    };
    fields.slots.iter().filter_map(read).collect()
}

fn read_login(slot: &Slot<'_>, files: &Files, report: &mut Report) -> LoginDraft {
    let name = At { value: slot.name.to_owned(), place: slot.place.clone() };
    let mut login = LoginDraft { name, user: None, keys: Vec::new(), password: None };
    let shown = slot.place.shown(slot.name);
    let Ok(mut fields) = slot.item.fields(&format!("login `{shown}`"), report) else { return login };
    let user = fields.either(["user", "username"], report, |item, report| user(item, report));
    login.user = user.unwrap_or_else(|| Err(fields.missing(&["username", "user"], "username: root"))).ok();
    let keys = fields.either(["files", "key"], report, |item, report| Ok(key_files(item, files, report)));
    let password = fields.take("password");
    if keys.is_none() && password.is_none() {
        fields.missing(&["key", "files", "password"], "key: keys/id_ed25519");
    }
    login.keys = keys.and_then(Result::ok).unwrap_or_default();
    login.password = password.and_then(|item| {
        let text = item.text("a password", report).ok()?;
        Some(item.at(Secret::new(text)))
    });
    fields.finish(report);
    login
}

/// Reports the keys that aren't there. One stops where nothing else gets a user
/// in who is needed.
pub(super) fn missing_keys(draft: &Draft, report: &mut Report) {
    let needed = draft.needed_logins();
    for login in draft.logins.values() {
        let is_needed = needed.contains(login.name.as_str());
        let gets_in = login.password.is_some() || login.keys.iter().any(|key| key.kind.is_some());
        for key in login.keys.iter().filter(|key| key.kind.is_none()) {
            let message = format!("there is no file `{}`", key.place.shown(&key.written));
            let stops = is_needed && !gets_in;
            let problem = if stops { Diagnostic::error(message) } else { Diagnostic::warning(message) };
            let help = "put the private key there, or correct the path; it is relative to the folder";
            let problem = problem.at(&key.place, "named here").help(help);
            report.no_secret(key.place.clone(), "this key", problem);
        }
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

fn key_files(item: Item<'_>, files: &Files, report: &mut Report) -> Vec<At<KeyFile>> {
    let items = item.items(report);
    items.into_iter().filter_map(|item| Some(item.at(key_file(item, files, report).ok()?))).collect()
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
