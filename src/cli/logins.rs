//! Loads the keys and passwords that the folder's logins name.

use super::{folder, terminal};
use crate::network;
use crate::ssh::{self, Credential, PrivateKey, Secret};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Loaded keys, by path: each file is read, and its passphrase asked for, only once.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<PathBuf, Result<Arc<PrivateKey>, String>>);

impl Keys {
    /// The host's logins with the credentials that could be loaded, and why the
    /// others couldn't. The problems matter only if no login succeeds.
    pub(crate) fn logins(&mut self, ssh: &network::Ssh) -> (Vec<ssh::Login>, Vec<String>) {
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
                credentials.push(Credential::Password(Secret::new(password)));
            }
            if !credentials.is_empty() {
                logins.push(ssh::Login { user: login.user.to_string(), credentials });
            }
        }
        (logins, problems)
    }

    fn load(&mut self, path: &Path) -> Result<Arc<PrivateKey>, String> {
        self.0
            .entry(path.to_owned())
            .or_insert_with(|| {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("cannot read the key {}: {error}", path.display()))?;
                ssh::key::load(path, &text, &mut passphrase)
                    .map_err(|error| format!("{error}; {}", error.help()))
            })
            .clone()
    }
}

/// The passphrase of an encrypted key, from the environment or a prompt; `None` if
/// there is no terminal to prompt on.
fn passphrase(path: &Path) -> std::io::Result<Option<Secret>> {
    if let Ok(passphrase) = std::env::var("SPORE_SSH_PASSPHRASE") {
        return Ok(Some(Secret::new(passphrase)));
    }
    if !terminal::is_attended() {
        return Ok(None);
    }
    terminal::ask_secret(&format!("passphrase for {}", path.display())).map(|text| Some(Secret::new(text)))
}
