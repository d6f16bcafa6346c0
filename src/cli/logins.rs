//! Loads the keys and passwords of the folder's logins. The entry point is
//! [`Keys::logins`].

use super::{folder, terminal};
use crate::artifact::{FileError, Regular};
use crate::network;
use crate::plan::{NoKey, UnusableKey};
use crate::ssh::{self, Credential, PrivateKey, SecretText};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The maximum size of a private key file, in bytes. Real keys are much shorter.
const LONGEST_KEY: u64 = 1 << 20;

/// Loaded keys, by path. Each file is read, and its passphrase asked for, only once.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<PathBuf, Result<Arc<PrivateKey>, UnusableKey>>);

impl Keys {
    /// Returns the host's logins with the credentials that could be loaded, and the other
    /// keys. The latter matter only if no login is left.
    pub(crate) fn logins(&mut self, ssh: &network::Ssh) -> (Vec<ssh::Login>, Vec<UnusableKey>) {
        let mut problems = Vec::new();
        let mut logins = Vec::new();
        for login in &ssh.logins {
            let mut credentials = Vec::new();
            for key in &login.keys {
                match self.load(&folder::expand(&key.path)) {
                    Ok(key) => credentials.push(Credential::Key(key)),
                    Err(problem) => problems.push(problem),
                }
            }
            if let Some(password) = &login.password {
                let password = String::from_utf8_lossy(password.expose()).into_owned();
                credentials.push(Credential::Password(SecretText::new(password)));
            }
            if !credentials.is_empty() {
                logins.push(ssh::Login { user: login.user.to_string(), credentials });
            }
        }
        (logins, problems)
    }

    fn load(&mut self, path: &Path) -> Result<Arc<PrivateKey>, UnusableKey> {
        let load = || load(path).map_err(|why| UnusableKey { path: path.to_owned(), why: Arc::new(why) });
        self.0.entry(path.to_owned()).or_insert_with(load).clone()
    }
}

fn load(path: &Path) -> Result<Arc<PrivateKey>, NoKey> {
    let file = Regular::open(path).map_err(NoKey::Unread)?;
    let bytes = file.read(LONGEST_KEY).map_err(|error| NoKey::Unread(FileError::Read(error)))?;
    let bytes = bytes.ok_or(NoKey::TooLong(LONGEST_KEY))?;
    let text = String::from_utf8(bytes).map_err(|_| NoKey::NotText)?;
    ssh::key::load(path, &text, &mut passphrase).map_err(NoKey::Key)
}

/// Returns the passphrase of an encrypted key, from `SPORE_SSH_PASSPHRASE` or a prompt;
/// `None` if there is no terminal to prompt on.
fn passphrase(path: &Path) -> std::io::Result<Option<SecretText>> {
    if let Ok(passphrase) = std::env::var("SPORE_SSH_PASSPHRASE") {
        return Ok(Some(SecretText::new(passphrase)));
    }
    if !terminal::is_attended() {
        return Ok(None);
    }
    terminal::ask_secret(&format!("passphrase for {}", path.display()))
        .map(|text| Some(SecretText::new(text)))
}
