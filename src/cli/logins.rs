//! Loads the keys and passwords of the folder's logins, and those of the user's SSH agent. The entry point is
//! [`Keys::logins`].

use super::{folder, terminal};
use crate::artifact::{FileError, Regular};
use crate::identity::SshKeyKind;
use crate::network;
use crate::plan::{NoKey, UnusableKey};
use crate::ssh::agent::{self, Agent};
use crate::ssh::{self, AgentKey, Certificate, Certified, Credential, KeyError, PublicKey, SecretText};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;

/// The maximum size of a private key file, in bytes. Real keys are much shorter.
const LONGEST_KEY: u64 = 1 << 20;

/// The maximum number of attempts over one connection. An sshd usually ends it after six failed
/// ones.
const MOST_ATTEMPTS: usize = 5;

/// How often a passphrase is asked for.
const MOST_PASSPHRASES: usize = 3;

/// The keys to log in with: those of files, by path, and those of the user's SSH agent. Each file
/// is read, and its passphrase asked for, only once.
#[derive(Default)]
pub(crate) struct Keys {
    files: BTreeMap<PathBuf, Result<Vec<Credential>, UnusableKey>>,
    /// `None` until they are needed.
    agent: Option<Vec<AgentKey>>,
}

impl Keys {
    /// Returns the host's logins with the credentials that could be loaded, and the other
    /// keys. The latter matter only if no login is left.
    ///
    /// Logins of the same user that follow each other are tried over one connection, as far as a
    /// server accepts so many attempts.
    pub(crate) fn logins(&mut self, ssh: &network::Ssh) -> (Vec<ssh::Login>, Vec<UnusableKey>) {
        let mut problems = Vec::new();
        let mut logins: Vec<ssh::Login> = Vec::new();
        for login in &ssh.logins {
            let mut credentials = Vec::new();
            let mut is_missing = true;
            for key in &login.keys {
                match self.load(&folder::expand(&key.path)) {
                    Ok(keys) => credentials.extend(keys),
                    Err(problem) => {
                        is_missing &= matches!(&*problem.why, NoKey::Unread(_));
                        problems.push(problem);
                    }
                }
            }
            // The files of the keys may be on another person's machine.
            if credentials.is_empty() && login.password.is_none() && is_missing {
                let agent = self.agent().iter().take(MOST_ATTEMPTS);
                credentials.extend(agent.cloned().map(Credential::Agent));
            }
            if let Some(password) = &login.password {
                let password = String::from_utf8_lossy(password.expose()).into_owned();
                credentials.push(Credential::Password(SecretText::new(password)));
            }
            let fits = |last: &&mut ssh::Login| {
                last.user == *login.user && last.credentials.len() + credentials.len() <= MOST_ATTEMPTS
            };
            if let Some(last) = logins.last_mut().filter(fits) {
                last.credentials.append(&mut credentials);
                continue;
            }
            logins.extend(credentials.chunks(MOST_ATTEMPTS).map(|credentials| ssh::Login {
                user: login.user.to_string(),
                credentials: credentials.to_vec(),
            }));
        }
        (logins, problems)
    }

    fn load(&mut self, path: &Path) -> Result<Vec<Credential>, UnusableKey> {
        if let Some(loaded) = self.files.get(path) {
            return loaded.clone();
        }
        let loaded = self.loaded(path);
        let loaded = loaded.map_err(|why| UnusableKey { path: path.to_owned(), why: Arc::new(why) });
        self.files.insert(path.to_owned(), loaded.clone());
        loaded
    }

    /// The key of a file. If the file is missing, encrypted or leads to a security key, it may be
    /// in the agent, which then signs. The public half tells, which is in the file or next to it.
    fn loaded(&mut self, path: &Path) -> Result<Vec<Credential>, NoKey> {
        let certificate = certificate(path);
        let text = text(path);
        if let Ok(text) = &text
            && SshKeyKind::of(text) == SshKeyKind::Plain
        {
            return Ok(certified(key(path, text)?, certificate, path));
        }
        let public = text.as_deref().ok().and_then(agent::public_half).or_else(|| {
            let beside = text_beside(path, ".pub")?;
            PublicKey::from_openssh(beside.trim()).ok()
        });
        let public = public.or_else(|| Some(PublicKey::new(certificate.as_ref()?.public_key().clone(), "")));
        let in_agent = public.map(|public| self.in_agent(&public)).unwrap_or_default();
        let keys = if in_agent.is_empty() { key(path, &text?)? } else { in_agent };
        Ok(certified(keys, certificate, path))
    }

    /// The agent's copy of a key, after its certificates for it.
    fn in_agent(&mut self, public: &PublicKey) -> Vec<Credential> {
        let (certificates, keys): (Vec<_>, Vec<_>) =
            self.agent().iter().filter(|own| own.is(public)).cloned().partition(AgentKey::is_certificate);
        certificates.into_iter().chain(keys).map(Credential::Agent).collect()
    }

    /// The keys of the agent that `SSH_AUTH_SOCK` names, if it names one.
    fn agent(&mut self) -> &[AgentKey] {
        self.agent.get_or_insert_with(|| {
            let Some(socket) = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty()) else {
                return Vec::new();
            };
            let listed = Handle::current().block_on(Agent::at(Path::new(&socket)).keys());
            listed.unwrap_or_else(|error| {
                let why = std::error::Error::source(&error).map(|why| format!(": {why}"));
                terminal::note(&format!("note: {error}{}", why.unwrap_or_default()));
                Vec::new()
            })
        })
    }
}

/// The key of a file. If its passphrase is typed and wrong, it may be typed again.
fn key(path: &Path, text: &str) -> Result<Vec<Credential>, NoKey> {
    let is_typed = std::env::var_os("SPORE_SSH_PASSPHRASE").is_none();
    for _ in 1..MOST_PASSPHRASES {
        match ssh::key::load(path, text, &mut passphrase) {
            Err(KeyError::WrongPassphrase) if is_typed => {
                terminal::urgent(&format!("wrong passphrase for {}", path.display()));
            }
            loaded => return loaded.map(|key| vec![Credential::Key(key)]).map_err(NoKey::Key),
        }
    }
    ssh::key::load(path, text, &mut passphrase).map(|key| vec![Credential::Key(key)]).map_err(NoKey::Key)
}

/// The certificate next to the file of a key, if there is one.
fn certificate(path: &Path) -> Option<Certificate> {
    Certificate::from_openssh(text_beside(path, "-cert.pub")?.trim()).ok()
}

/// The keys, after the certificate for one of them, as OpenSSH tries them.
fn certified(keys: Vec<Credential>, certificate: Option<Certificate>, path: &Path) -> Vec<Credential> {
    let Some(certificate) = certificate else { return keys };
    let is_of = |key: &PublicKey| key.key_data() == certificate.public_key();
    let signs = keys.iter().find_map(|key| match key {
        Credential::Key(key) if is_of(key.public_key()) => Some(Certified::InFile(Arc::clone(key))),
        Credential::Agent(key) if is_of(&key.public()) && !key.is_certificate() => {
            Some(Certified::InAgent(key.clone()))
        }
        _ => None,
    });
    let Some(signs) = signs else {
        // If the agent has a certificate itself, it needs no other.
        if keys.iter().any(|key| matches!(key, Credential::Agent(key) if is_of(&key.public()))) {
            return keys;
        }
        let path = path.display();
        terminal::note(&format!("note: {path}-cert.pub isn't a certificate for {path}, and isn't used"));
        return keys;
    };
    [vec![Credential::Certificate(Arc::new(certificate), signs)], keys].concat()
}

/// The text of the file whose name has this ending in addition.
fn text_beside(path: &Path, ending: &str) -> Option<String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(ending);
    text(Path::new(&beside)).ok()
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
