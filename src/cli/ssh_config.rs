//! The user's SSH configuration, as OpenSSH interprets it. The entry point is [`SshConfig::find`].
//!
//! `ssh -G` resolves a host's configuration exactly (`Include`, `Match exec`, tokens), but costs 10 ms
//! per host. So it is only asked if the files set an option that matters to spore.
//!
//! What always holds: no option weakens the check of host keys. `StrictHostKeyChecking` has no effect.

use super::args::ConnectionOptions;
use super::{folder, terminal};
use crate::network::{Jump, is_host};
use crate::resource::Printable;
use resolved::parse;
use scan::{Scan, scan};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

mod resolved;
mod scan;
#[cfg(test)]
mod tests;
mod tokens;

pub(crate) use resolved::{AgentSocket, Resolved};
pub(crate) use tokens::local_user;

/// How many processes of `ssh -G` run at the same time.
const AT_ONCE: usize = 8;

/// How long `ssh -G` may take. It may run commands (`Match exec`).
const PATIENCE: Duration = Duration::from_secs(20);

/// The user's SSH configuration. Without one that matters, every host is [`None`].
#[derive(Debug, Default)]
pub(crate) struct SshConfig {
    /// Whether `ssh -G` is asked.
    in_use: bool,
    /// What `ssh` does without any configuration.
    defaults: Option<Resolved>,
    answers: BTreeMap<Query, Answer>,
    /// The paths that a note has named.
    named: BTreeSet<String>,
}

/// What `ssh` is asked about: the server's name, and what is fixed on the command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Query {
    pub(crate) host: String,
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
}

impl Query {
    /// What `ssh` is asked about a jump host.
    pub(crate) fn of(jump: &Jump) -> Self {
        let Jump { user, host, port } = jump.clone();
        Self { host, user, port }
    }
}

/// The configuration of a server, or why `ssh` doesn't know it.
type Answer = Result<Arc<Resolved>, String>;

impl SshConfig {
    /// Looks at the user's and the system's files, and says what won't be honoured.
    pub(crate) fn find(options: &ConnectionOptions) -> Self {
        if options.no_ssh_config {
            return Self::default();
        }
        let own = folder::home().map(|home| home.join(".ssh/config"));
        let found = scan(own.as_deref(), Path::new("/etc/ssh/ssh_config"));
        let in_use = found.matters && is_installed(&found);
        // Even if `ssh` isn't asked: an option that is ignored is named in any case.
        unsupported(&found, options.verbose);
        Self { in_use, ..Self::default() }
    }

    /// Asks `ssh` about these servers, and about the jump hosts on the way to them.
    pub(crate) async fn ask(&mut self, servers: impl IntoIterator<Item = Query>) {
        if !self.in_use {
            return;
        }
        if self.defaults.is_none() {
            let nothing = Query { host: "localhost".to_owned(), user: None, port: None };
            let answer = resolve(&nothing, &["-F", "none"]).await;
            self.defaults = answer.ok().and_then(|text| parse(&text, None));
        }
        let mut next: BTreeSet<Query> = servers.into_iter().collect();
        loop {
            next.retain(|query| !self.answers.contains_key(query));
            if next.is_empty() {
                return;
            }
            let answers = self.ask_all(std::mem::take(&mut next)).await;
            let hops =
                answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).flat_map(|found| &found.jumps);
            next.extend(hops.map(Query::of));
            self.name_unexpanded(&answers);
            self.answers.extend(answers);
        }
    }

    /// Names the files that aren't used because their paths can't be expanded, each once.
    fn name_unexpanded(&mut self, answers: &[(Query, Answer)]) {
        let found = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok());
        for file in found.flat_map(|found| &found.unexpanded) {
            if self.named.insert(file.clone()) {
                terminal::note(&format!(
                    "note: spore can't expand a path of your SSH configuration, so the file isn't used: {}",
                    Printable::line(file)
                ));
            }
        }
    }

    async fn ask_all(&self, queries: BTreeSet<Query>) -> Vec<(Query, Answer)> {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut asking = JoinSet::new();
        for query in queries {
            let turns = Arc::clone(&turns);
            let defaults = self.defaults.clone();
            asking.spawn(async move {
                let _turn = turns.acquire().await;
                let answer = resolve(&query, &[]).await.and_then(|text| {
                    let unknown = || format!("unexpected output of `ssh -G {}`", query.host);
                    parse(&text, defaults.as_ref()).map(Arc::new).ok_or_else(unknown)
                });
                (query, answer)
            });
        }
        asking.join_all().await
    }

    /// The configuration of a server about which `ssh` was [asked](Self::ask); `None` if the user
    /// has no configuration that matters.
    ///
    /// # Errors
    /// `ssh` rejects the configuration.
    pub(crate) fn of(&self, query: &Query) -> Result<Option<Arc<Resolved>>, String> {
        self.answers.get(query).cloned().transpose()
    }
}

/// Whether there is an `ssh` to ask. Otherwise says that the configuration isn't used.
fn is_installed(found: &Scan) -> bool {
    let asked = std::process::Command::new("ssh").arg("-V").stdin(Stdio::null()).output();
    let is_missing = asked.is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if is_missing && let Some(file) = &found.first {
        terminal::note(&format!(
            "note: OpenSSH isn't installed, so {} isn't used, only the folder",
            file.display()
        ));
    }
    !is_missing
}

/// Names the options that have no effect.
fn unsupported(found: &Scan, verbose: bool) {
    // Without this option, a key that the user doesn't trust any more would be accepted.
    let always = |name: &str| name.eq_ignore_ascii_case("RevokedHostKeys");
    let named = found.unsupported.iter().filter(|option| verbose || always(&option.name));
    let places: Vec<String> =
        named.map(|option| format!("{} ({}:{})", option.name, option.file.display(), option.line)).collect();
    if places.is_empty() {
        return;
    }
    let text =
        format!("note: spore doesn't support these options of your SSH configuration: {}", places.join(", "));
    match found.unsupported.iter().any(|option| always(&option.name)) {
        true => terminal::urgent(&text),
        false => terminal::note(&text),
    }
}

/// Runs `ssh -G`, and returns its output or why it failed.
async fn resolve(query: &Query, options: &[&str]) -> Result<String, String> {
    let Query { host, user, port } = query;
    // A roster, which comes from a host, may contain anything.
    if !is_host(host) {
        return Err(format!("`{host}` is neither a host name nor an IP address"));
    }
    let mut ssh = Command::new("ssh");
    // -T: otherwise ssh remarks that it has no terminal.
    ssh.args(options).args(["-T", "-G"]);
    if let Some(user) = user {
        ssh.args(["-l", user]);
    }
    if let Some(port) = port {
        ssh.arg("-p").arg(port.to_string());
    }
    ssh.args(["--", host]).stdin(Stdio::null()).kill_on_drop(true);
    // `Match exec` runs the user's commands, which needn't know spore's secrets.
    for name in spore_variables() {
        ssh.env_remove(name);
    }
    let failed = |why: &str| format!("`ssh -G {host}` failed: {why}");
    match timeout(PATIENCE, ssh.output()).await {
        Ok(Ok(out)) if out.status.success() => {
            String::from_utf8(out.stdout).map_err(|_| failed("its output isn't text"))
        }
        Ok(Ok(out)) => Err(failed(String::from_utf8_lossy(&out.stderr).trim())),
        Ok(Err(error)) => Err(failed(&error.to_string())),
        Err(_) => Err(failed(&format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn spore_variables() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"SPORE_"))
}
