//! The keys and passwords that the folder's logins name.

use super::{folder, terminal};
use crate::network;
use crate::ssh::{self, Credential, PrivateKey, Secret};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Loaded keys, each read and asked for once.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<PathBuf, Result<Arc<PrivateKey>, String>>);

impl Keys {
    /// Everyone that a host lets in, with what could be loaded. What couldn't
    /// comes second: it matters if nothing else gets in.
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
                    .map_err(|error| format!("the key {} can't be read: {error}", path.display()))?;
                ssh::key::load(path, &text, &mut passphrase)
                    .map_err(|error| format!("{error}; {}", error.help()))
            })
            .clone()
    }
}

/// The passphrase of an encrypted key: from the environment, or a person.
fn passphrase(path: &Path) -> std::io::Result<Option<Secret>> {
    if let Ok(passphrase) = std::env::var("SPORE_SSH_PASSPHRASE") {
        return Ok(Some(Secret::new(passphrase)));
    }
    if !terminal::is_attended() {
        return Ok(None);
    }
    terminal::ask_secret(&format!("passphrase of {}", path.display())).map(|text| Some(Secret::new(text)))
}
