//! Reads the SSH users: `keys.yaml`, which upstream now calls `auth.yaml`.

use super::fields::{Fields, Item};
use super::files::{Files, Found, start_of};
use super::problem::{ProblemReport, Read};
use super::secret;
use super::slot::Slot;
use super::{At, Draft, LoginDraft, Secret, Secrets};
use crate::finding::{Absent, Excerpt, Expected, FieldProblem, Finding, KeyProblem, NetworkKey, Owner};
use crate::identity::SshKeyKind;
use crate::resource::SecretBytes;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A user of the hosts, with its keys and its password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name that hosts refer to.
    pub name: At<String>,
    /// The user to log in as.
    pub user: At<String>,
    /// Private keys, tried in this order.
    pub keys: Vec<At<KeyFile>>,
    /// The password, tried after the keys.
    pub password: Option<At<SecretBytes>>,
}

/// A file with an SSH private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The path as written in the folder.
    pub written: String,
    /// The path to read. A relative path has been joined to the folder's. A leading `~/` is
    /// kept for the caller to expand.
    pub path: PathBuf,
    /// The kind of the file's contents, or `None` if there is no such file.
    pub kind: Option<SshKeyKind>,
    /// Whether users other than the file's owner have permissions on it.
    pub is_open: bool,
}

/// Reads the users, by name.
pub(super) fn read(
    fields: Fields<'_>,
    files: &Files,
    report: &mut ProblemReport,
) -> BTreeMap<String, LoginDraft> {
    let read = |slot: &Slot<'_>| {
        let login = read_login(slot, files, report);
        (!slot.again).then(|| (slot.name.to_owned(), login))
    };
    fields.slots.iter().filter_map(read).collect()
}

fn read_login(slot: &Slot<'_>, files: &Files, report: &mut ProblemReport) -> LoginDraft {
    let name = At { value: slot.name.to_owned(), place: slot.place.clone() };
    let mut login = LoginDraft { name, user: None, keys: Vec::new(), password: None };
    let shown = Excerpt::of(slot.place.shown(slot.name));
    let owner = Owner::Login(shown);
    let Ok(mut fields) = slot.item.fields(owner.clone(), report) else { return login };
    let user = fields.either(["user", "username"], report, |item, report| user(item, report));
    login.user = user.unwrap_or_else(|| Err(fields.missing(&["username", "user"], "username: root"))).ok();
    let keys = fields.either(["files", "key"], report, |item, report| Ok(key_files(item, files, report)));
    let as_password = (Expected::Password, NetworkKey::Password);
    let names = ["password", "password_file"];
    let password = secret::take(&mut fields, names, as_password, &owner, files, report);
    login.keys = keys.and_then(Result::ok).unwrap_or_default();
    login.password = password.and_then(|(item, password)| match password.ok()? {
        Secret::Here(password) => Some(item.at(password)),
        Secret::Elsewhere => None,
    });
    fields.finish(report);
    login
}

/// The files that logins name, as written: their keys, and those with their passwords.
pub(super) fn named(fields: &Fields<'_>, report: &mut ProblemReport) -> Vec<String> {
    let mut named = Vec::new();
    for slot in &fields.slots {
        let Ok(mut login) = slot.item.fields(Owner::Login(Excerpt::of("")), report) else { continue };
        for name in ["files", "key", "password_file"] {
            let items = login.take(name).map(|item| item.items(report)).unwrap_or_default();
            let paths = items.into_iter().map(|item| item.text(Expected::PathOfFile, report));
            named.extend(paths.filter_map(Result::ok).map(str::to_owned));
        }
    }
    named
}

/// Reports the missing keys of logins that are in use: in one warning, if none of a login's keys
/// exists and it has no password, otherwise in one for each file.
pub(super) fn missing_keys(draft: &Draft, report: &mut ProblemReport) {
    let needed = draft.needed_logins();
    for login in draft.logins.values() {
        if !needed.contains(login.name.as_str()) {
            continue;
        }
        let missing = || login.keys.iter().filter(|key| key.kind.is_none());
        let name = Excerpt::of(login.name.shown());
        let file = |key: &At<KeyFile>| Excerpt::of(key.place.shown(&key.written));
        let has_other = login.password.is_some() || missing().count() < login.keys.len();
        if has_other || draft.secrets == Secrets::Elsewhere {
            for key in missing() {
                let problem = Finding::new(KeyProblem::LoginFile { file: file(key), login: name.clone() });
                // A key that may be elsewhere is in the list of the missing secrets.
                let _ = report.missing(key.place.clone(), Absent::SecretFile, problem.at(&key.place));
            }
        } else if missing().next().is_some() {
            let only = match login.keys.as_slice() {
                [key] => Some(file(key)),
                _ => None,
            };
            let starts = missing().map(|key| start_of(key.place.shown(&key.written))).collect();
            let problem = Finding::new(KeyProblem::LoginFiles { login: name, starts, only });
            report.push(missing().fold(problem, |problem, key| problem.at(&key.place)));
        }
    }
}

fn user(item: Item<'_>, report: &mut ProblemReport) -> Read<At<String>> {
    let text = item.text(Expected::UserName, report)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && text.chars().all(plain) {
        return Ok(item.at(text.to_owned()));
    }
    Err(item.wrong(FieldProblem::UserName(item.shown()), report))
}

fn key_files(item: Item<'_>, files: &Files, report: &mut ProblemReport) -> Vec<At<KeyFile>> {
    let items = item.items(report);
    items.into_iter().filter_map(|item| Some(item.at(key_file(item, files, report).ok()?))).collect()
}

fn key_file(item: Item<'_>, files: &Files, report: &mut ProblemReport) -> Read<KeyFile> {
    let text = item.text(Expected::PathOfPrivateKey, report)?;
    if text.contains('\n') {
        return Err(item.wrong(KeyProblem::Inline, report));
    }
    let path = if text.starts_with("~/") { PathBuf::from(text) } else { files.place_of(text) };
    let kind = match files.get(text) {
        Some(Found::File(bytes)) => Some(SshKeyKind::of(&String::from_utf8_lossy(bytes))),
        Some(Found::Unopened) => Some(SshKeyKind::NotAKey),
        Some(Found::Unreadable(why)) => {
            return Err(item.wrong(KeyProblem::Unreadable { file: item.shown(), why: why.clone() }, report));
        }
        None => None,
    };
    Ok(KeyFile { written: text.to_owned(), path, kind, is_open: files.is_open(text) })
}
