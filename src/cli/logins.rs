//! Loads the keys and passwords of the folder's logins, and those of the user's SSH agent. The entry point is
//! [`Keys::logins`].

use super::{folder, terminal};
use crate::artifact::{FileError, Regular};
use crate::identity::SshKeyKind;
use crate::network;
use crate::plan::{NoKey, UnusableKey};
use crate::ssh::agent::{self, Agent};
use crate::ssh::{self, AgentKey, Credential, PublicKey, SecretText};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;

/// The maximum size of a private key file, in bytes. Real keys are much shorter.
const LONGEST_KEY: u64 = 1 << 20;

/// The maximum number of the agent's keys that are tried if a login names none that can be used.
/// An sshd usually ends the connection after six failed attempts.
const MOST_OF_AGENT: usize = 5;

/// The keys to log in with: those of files, by path, and those of the user's SSH agent. Each file
/// is read, and its passphrase asked for, only once.
pub(crate) struct Keys {
    files: BTreeMap<PathBuf, Result<Credential, UnusableKey>>,
    agent: Vec<AgentKey>,
}

impl Keys {
    /// The keys of the agent that `SSH_AUTH_SOCK` names, if it names one.
    pub(crate) fn new() -> Self {
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
        let listed = socket.map(|socket| Handle::current().block_on(Agent::at(Path::new(&socket)).keys()));
        let agent = listed.transpose().unwrap_or_else(|error| {
            let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
            terminal::note(&format!("note: {error}{why}"));
            None
        });
        Self { files: BTreeMap::new(), agent: agent.unwrap_or_default() }
    }

    /// Returns the host's logins with the credentials that could be loaded, and the other
    /// keys. The latter matter only if no login is left.
    ///
    /// Logins of the same user that follow each other are one, because they can be tried over
    /// one connection.
    pub(crate) fn logins(&mut self, ssh: &network::Ssh) -> (Vec<ssh::Login>, Vec<UnusableKey>) {
        let mut problems = Vec::new();
        let mut logins: Vec<ssh::Login> = Vec::new();
        for login in &ssh.logins {
            let mut credentials = Vec::new();
            for key in &login.keys {
                match self.load(&folder::expand(&key.path)) {
                    Ok(credential) => credentials.push(credential),
                    Err(problem) => problems.push(problem),
                }
            }
            if credentials.is_empty() && login.password.is_none() {
                let agent = self.agent.iter().take(MOST_OF_AGENT);
                credentials.extend(agent.cloned().map(Credential::Agent));
            }
            if let Some(password) = &login.password {
                let password = String::from_utf8_lossy(password.expose()).into_owned();
                credentials.push(Credential::Password(SecretText::new(password)));
            }
            match logins.last_mut().filter(|last| last.user == *login.user) {
                Some(last) => last.credentials.append(&mut credentials),
                None if credentials.is_empty() => {}
                None => logins.push(ssh::Login { user: login.user.to_string(), credentials }),
            }
        }
        (logins, problems)
    }

    fn load(&mut self, path: &Path) -> Result<Credential, UnusableKey> {
        if !self.files.contains_key(path) {
            let loaded = self.loaded(path);
            let loaded = loaded.map_err(|why| UnusableKey { path: path.to_owned(), why: Arc::new(why) });
            self.files.insert(path.to_owned(), loaded);
        }
        self.files[path].clone()
    }

    /// The key of a file. If the file is missing, encrypted or leads to a security key, it may be
    /// in the agent, which then signs.
    fn loaded(&self, path: &Path) -> Result<Credential, NoKey> {
        let in_agent = |key: &PublicKey| self.agent.iter().find(|own| own.is(key)).cloned();
        let text = match text(path) {
            Ok(text) => text,
            Err(why) => {
                let public = path.as_os_str().to_string_lossy() + ".pub";
                let public = self::text(Path::new(&*public)).ok();
                let public = public.and_then(|text| PublicKey::from_openssh(text.trim()).ok());
                return public.as_ref().and_then(in_agent).map(Credential::Agent).ok_or(why);
            }
        };
        if SshKeyKind::of(&text) != SshKeyKind::Plain
            && let Some(key) = agent::public_half(&text).as_ref().and_then(in_agent)
        {
            return Ok(Credential::Agent(key));
        }
        ssh::key::load(path, &text, &mut passphrase).map(Credential::Key).map_err(NoKey::Key)
    }
}

fn text(path: &Path) -> Result<String, NoKey> {
    let file = Regular::open(path).map_err(NoKey::Unread)?;
    let bytes = file.read(LONGEST_KEY).map_err(|error| NoKey::Unread(FileError::Read(error)))?;
    let bytes = bytes.ok_or(NoKey::TooLong(LONGEST_KEY))?;
    String::from_utf8(bytes).map_err(|_| NoKey::NotText)
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
