//! Loads the keys and passwords of the folder's logins, and those of the user's SSH configuration and
//! agent. The entry points are [`Keys::logins`] for a host, and [`Keys::of_jump`] for a jump host.

use super::ssh_config::{AgentSocket, Resolved};
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
/// is read, and its passphrase asked for, only once for each agent.
#[derive(Default)]
pub(crate) struct Keys {
    /// By path and agent: a key whose file is encrypted may be in one agent and not in another.
    files: BTreeMap<(PathBuf, AgentSocket), Result<Vec<Credential>, UnusableKey>>,
    /// By the agent; an agent is asked when its keys are needed.
    agents: BTreeMap<AgentSocket, Vec<AgentKey>>,
}

impl Keys {
    /// Returns the host's logins with the credentials that could be loaded, and the other
    /// keys. The latter matter only if no login is left.
    ///
    /// Logins of the same user that follow each other are tried over one connection, as far as a
    /// server accepts so many attempts.
    ///
    /// The keys of the folder come before those of the user's SSH `configuration`, as if they had been
    /// passed to `ssh -i`.
    pub(crate) fn logins(
        &mut self,
        ssh: &network::Ssh,
        configuration: Option<&Resolved>,
    ) -> (Vec<ssh::Login>, Vec<UnusableKey>) {
        let agent = configuration.map(|found| found.agent.clone()).unwrap_or_default();
        let only_files = configuration.is_some_and(|found| found.identities_only);
        let mut problems = Vec::new();
        let mut logins: Vec<ssh::Login> = Vec::new();
        for login in &ssh.logins {
            let mut credentials = Vec::new();
            let mut is_missing = true;
            for key in &login.keys {
                match self.load(&folder::expand(&key.path), &agent) {
                    Ok(keys) => credentials.extend(keys),
                    Err(problem) => {
                        is_missing &= matches!(&*problem.why, NoKey::Unread(_));
                        problems.push(problem);
                    }
                }
            }
            let has_key = !credentials.is_empty();
            let (configured, unusable) = self.configured(configuration);
            credentials.extend(configured);
            problems.extend(unusable);
            // The files of the keys may be on another person's machine.
            if !has_key && login.password.is_none() && is_missing && !only_files {
                self.add_from_agent(&mut credentials, &agent);
            }
            self.add_certificates(&mut credentials, configuration);
            if let Some(password) = &login.password {
                let password = String::from_utf8_lossy(password.expose()).into_owned();
                credentials.push(Credential::Password(SecretText::new(password)));
            }
            // What the server has refused once is never tried again.
            let earlier = logins.iter().filter(|earlier| earlier.user == *login.user);
            let mut tried: Vec<Credential> = earlier.flat_map(|login| login.credentials.clone()).collect();
            credentials.retain(|credential| {
                let is_new = !tried.iter().any(|earlier| is_same(earlier, credential));
                tried.push(credential.clone());
                is_new
            });
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

    /// Returns the login of a jump host, with the keys that `ssh` would try there, after those of a
    /// `folder`'s login that are for it. No password is ever sent to a jump host that isn't a host of
    /// the folder.
    pub(crate) fn of_jump(
        &mut self,
        user: &str,
        configuration: Option<&Resolved>,
        folder: Option<&network::Login>,
    ) -> ssh::Login {
        let agent = configuration.map(|found| found.agent.clone()).unwrap_or_default();
        let mut credentials = Vec::new();
        for key in folder.into_iter().flat_map(|login| &login.keys) {
            credentials.extend(self.load(&folder::expand(&key.path), &agent).unwrap_or_default());
        }
        credentials.extend(self.configured(configuration).0);
        if let Some(found) = configuration
            && !found.names_identity_files
        {
            // These are the default files, which the user may not even know, so there is no prompt for a passphrase.
            let files = found.identity_files.iter().filter(|path| is_plain(path));
            for path in files {
                credentials.extend(self.load(path, &agent).unwrap_or_default());
            }
        }
        if !configuration.is_some_and(|found| found.identities_only) {
            self.add_from_agent(&mut credentials, &agent);
        }
        self.add_certificates(&mut credentials, configuration);
        let all = std::mem::take(&mut credentials);
        for credential in all {
            if !credentials.iter().any(|earlier| is_same(earlier, &credential)) {
                credentials.push(credential);
            }
        }
        credentials.truncate(MOST_ATTEMPTS);
        ssh::Login { user: user.to_owned(), credentials }
    }

    /// Adds the other keys of the agent, as far as a server accepts so many attempts.
    fn add_from_agent(&mut self, credentials: &mut Vec<Credential>, agent: &AgentSocket) {
        for key in self.agent(agent) {
            let public = key.public();
            let is_there = |other: &Credential| match other {
                Credential::Agent(other) => {
                    other.is(&public) && other.is_certificate() == key.is_certificate()
                }
                Credential::Key(other) => other.public_key().key_data() == public.key_data(),
                Credential::Certificate(..) | Credential::Password(_) => false,
            };
            if credentials.len() < MOST_ATTEMPTS && !credentials.iter().any(is_there) {
                credentials.push(Credential::Agent(key.clone()));
            }
        }
    }

    /// Adds the certificates of the files that the user's SSH configuration names, each before the key
    /// that it is for. The key may also be one of the agent that wouldn't be tried without it.
    fn add_certificates(&mut self, credentials: &mut Vec<Credential>, configuration: Option<&Resolved>) {
        let Some(found) = configuration else { return };
        // `CertificateFile` may name a file that only some machines have.
        for certificate in found.certificates.iter().filter_map(|path| certificate(path)) {
            let place = credentials.iter().position(|tried| signer(tried, &certificate).is_some());
            let signs = match place.and_then(|at| credentials.get(at)) {
                Some(key) => signer(key, &certificate),
                None => {
                    let mut own = self.agent(&found.agent).iter().cloned().map(Credential::Agent);
                    own.find_map(|key| signer(&key, &certificate))
                }
            };
            if let Some(signs) = signs {
                let at = place.unwrap_or(credentials.len());
                credentials.insert(at, Credential::Certificate(Arc::new(certificate), signs));
            }
        }
    }

    /// The keys of the files that the user's SSH configuration names, and those that can't be used.
    fn configured(&mut self, configuration: Option<&Resolved>) -> (Vec<Credential>, Vec<UnusableKey>) {
        let (mut credentials, mut problems) = (Vec::new(), Vec::new());
        let Some(found) = configuration.filter(|found| found.names_identity_files) else {
            return (credentials, problems);
        };
        for path in &found.identity_files {
            match self.load(path, &found.agent) {
                Ok(keys) => credentials.extend(keys),
                // `IdentityFile` may name a file that only some machines have.
                Err(problem) if matches!(&*problem.why, NoKey::Unread(_)) => {}
                Err(problem) => problems.push(problem),
            }
        }
        (credentials, problems)
    }

    fn load(&mut self, path: &Path, agent: &AgentSocket) -> Result<Vec<Credential>, UnusableKey> {
        let key = (path.to_owned(), agent.clone());
        if let Some(loaded) = self.files.get(&key) {
            return loaded.clone();
        }
        let loaded = self.loaded(path, agent);
        let loaded = loaded.map_err(|why| UnusableKey { path: path.to_owned(), why: Arc::new(why) });
        self.files.insert(key, loaded.clone());
        loaded
    }

    /// The key of a file. If the file is missing, encrypted or leads to a security key, it may be
    /// in the agent, which then signs. The public half tells, which is in the file or next to it.
    fn loaded(&mut self, path: &Path, agent: &AgentSocket) -> Result<Vec<Credential>, NoKey> {
        let certificate = certificate(&beside(path, "-cert.pub"));
        let text = text(path);
        if let Ok(text) = &text
            && SshKeyKind::of(text) == SshKeyKind::Plain
        {
            return Ok(certified(key(path, text)?, certificate, path));
        }
        let public = text.as_deref().ok().and_then(agent::public_half).or_else(|| {
            let public = self::text(&beside(path, ".pub")).ok()?;
            PublicKey::from_openssh(public.trim()).ok()
        });
        let public = public.or_else(|| Some(PublicKey::new(certificate.as_ref()?.public_key().clone(), "")));
        let in_agent = public.map(|public| self.in_agent(&public, agent)).unwrap_or_default();
        let keys = if in_agent.is_empty() { key(path, &text?)? } else { in_agent };
        Ok(certified(keys, certificate, path))
    }

    /// The agent's copy of a key, after its certificates for it.
    fn in_agent(&mut self, public: &PublicKey, agent: &AgentSocket) -> Vec<Credential> {
        let (certificates, keys): (Vec<_>, Vec<_>) = self
            .agent(agent)
            .iter()
            .filter(|own| own.is(public))
            .cloned()
            .partition(AgentKey::is_certificate);
        certificates.into_iter().chain(keys).map(Credential::Agent).collect()
    }

    /// The keys of an agent, usually of the one that `SSH_AUTH_SOCK` names.
    fn agent(&mut self, agent: &AgentSocket) -> &[AgentKey] {
        self.agents.entry(agent.clone()).or_insert_with(|| {
            let socket = match agent {
                AgentSocket::Usual => std::env::var_os("SSH_AUTH_SOCK").unwrap_or_default(),
                AgentSocket::None => return Vec::new(),
                AgentSocket::At(path) => path.clone().into_os_string(),
            };
            if socket.is_empty() {
                return Vec::new();
            }
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

/// Whether a server that refuses one of these refuses the other as well.
fn is_same(one: &Credential, other: &Credential) -> bool {
    let certificate = |credential: &Credential| match credential {
        Credential::Certificate(certificate, _) => Some((**certificate).clone()),
        Credential::Agent(key) => key.certificate().cloned(),
        Credential::Key(_) | Credential::Password(_) => None,
    };
    let key = |credential: &Credential| match credential {
        Credential::Key(key) => Some(key.public_key().key_data().clone()),
        Credential::Agent(key) if !key.is_certificate() => Some(key.public().key_data().clone()),
        _ => None,
    };
    match (one, other) {
        (Credential::Password(one), Credential::Password(other)) => one.expose() == other.expose(),
        _ => {
            certificate(one).is_some() && certificate(one) == certificate(other)
                || key(one).is_some() && key(one) == key(other)
        }
    }
}

/// The certificate in a file, if there is one.
fn certificate(path: &Path) -> Option<Certificate> {
    Certificate::from_openssh(text(path).ok()?.trim()).ok()
}

/// The key of a certificate, if this is it.
fn signer(credential: &Credential, certificate: &Certificate) -> Option<Certified> {
    let is_its = |key: &PublicKey| key.key_data() == certificate.public_key();
    match credential {
        Credential::Key(key) if is_its(key.public_key()) => Some(Certified::InFile(Arc::clone(key))),
        Credential::Agent(key) if is_its(&key.public()) && !key.is_certificate() => {
            Some(Certified::InAgent(key.clone()))
        }
        _ => None,
    }
}

/// The keys, after the certificate for one of them, as OpenSSH tries them.
fn certified(keys: Vec<Credential>, certificate: Option<Certificate>, path: &Path) -> Vec<Credential> {
    let Some(certificate) = certificate else { return keys };
    if let Some(signs) = keys.iter().find_map(|key| signer(key, &certificate)) {
        return [vec![Credential::Certificate(Arc::new(certificate), signs)], keys].concat();
    }
    // If the agent has a certificate itself, it needs no other.
    let is_of = |key: &AgentKey| key.public().key_data() == certificate.public_key();
    if !keys.iter().any(|key| matches!(key, Credential::Agent(key) if is_of(key))) {
        let path = path.display();
        terminal::note(&format!("note: {path}-cert.pub isn't a certificate for {path}, and isn't used"));
    }
    keys
}

/// The file whose name has this ending in addition.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(ending);
    PathBuf::from(beside)
}

/// Whether the file is a private key that isn't encrypted.
fn is_plain(path: &Path) -> bool {
    text(path).is_ok_and(|text| SshKeyKind::of(&text) == SshKeyKind::Plain)
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
