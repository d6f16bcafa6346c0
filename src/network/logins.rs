//! The SSH users: `keys.yaml`, today's `auth.yaml`.

use super::At;
use super::fields::{Fields, Item, Slot, shown_name};
use super::problem::{Read, Report, Reported};
use crate::resource::Secret;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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

/// A file with an SSH private key. Nobody has looked whether it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// As written in the folder.
    pub written: String,
    /// Where to read it: below the folder where it was relative; one that
    /// starts with `~/` is left as it is, for whoever knows whose home that is.
    pub path: PathBuf,
}

/// Reads the users, by name; `Err` where one is there, but wrong.
pub(super) fn read(
    fields: Fields<'_>,
    folder: &Path,
    report: &mut Report,
) -> BTreeMap<String, Read<Arc<Login>>> {
    let mut logins = BTreeMap::new();
    for slot in fields.slots {
        let login = read_login(&slot, folder, report).map(Arc::new);
        logins.insert(slot.name.to_owned(), login);
    }
    logins
}

fn read_login(slot: &Slot<'_>, folder: &Path, report: &mut Report) -> Read<Login> {
    let shown = shown_name(&slot.place, slot.name);
    let mut fields = slot.item.fields(&format!("login `{shown}`"), report)?;
    let user = fields.either(["user", "username"], report, |item, report| user(item, report));
    let user = user.unwrap_or_else(|| Err(fields.missing(&["username", "user"], "username: root")));
    let keys = fields.either(["files", "key"], report, |item, report| key_files(item, folder, report));
    let password = fields.take("password").map(|item| {
        let text = item.text("a password", report)?;
        Ok(item.at(Secret::new(text)))
    });
    if keys.is_none() && password.is_none() {
        fields.missing(&["key", "files", "password"], "key: keys/id_ed25519");
        fields.finish(report);
        return Err(Reported);
    }
    fields.finish(report);
    let name = At { value: slot.name.to_owned(), place: slot.place.clone() };
    Ok(Login { name, user: user?, keys: keys.unwrap_or(Ok(Vec::new()))?, password: password.transpose()? })
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

fn key_files(item: Item<'_>, folder: &Path, report: &mut Report) -> Read<Vec<At<KeyFile>>> {
    let mut files = Ok(Vec::new());
    for item in item.items(report) {
        match item.text("the path of a private key", report) {
            Ok(text) if text.contains('\n') => {
                let help = "put the key into a file in the folder, and write its path here";
                files = Err(item.wrong("a private key where its path belongs", "this", help, report));
            }
            Ok(text) => {
                let path = if text.starts_with("~/") { PathBuf::from(text) } else { folder.join(text) };
                let file = KeyFile { written: text.to_owned(), path };
                if let Ok(files) = &mut files {
                    files.push(item.at(file));
                }
            }
            Err(reported) => files = Err(reported),
        }
    }
    files
}
