//! The output of `ssh -G`: [`parse`].

use super::folder;
use super::tokens::Tokens;
use crate::network::Jump;
use crate::ssh::ServerAddress;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a configuration says about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// `HostName` and `Port`.
    pub(crate) address: ServerAddress,
    pub(crate) user: String,
    /// `IdentityFile`, or ssh's own list.
    pub(crate) identity_files: Vec<PathBuf>,
    /// Whether the configuration names the identity files.
    pub(crate) names_identity_files: bool,
    pub(crate) identities_only: bool,
    /// `CertificateFile`.
    pub(crate) certificates: Vec<PathBuf>,
    pub(crate) agent: AgentSocket,
    /// `ProxyJump`: the jump hosts, in the order in which they are visited.
    pub(crate) jumps: Vec<Jump>,
    /// `ProxyCommand`, with its tokens. `None` if there are jump hosts.
    pub(crate) proxy: Option<String>,
    /// `UserKnownHostsFile`.
    pub(crate) user_known: Vec<PathBuf>,
    /// `GlobalKnownHostsFile`.
    pub(crate) global_known: Vec<PathBuf>,
    /// Whether the configuration names one of these files.
    pub(crate) names_known_files: bool,
    /// `HostKeyAlias`.
    pub(crate) alias: Option<String>,
    pub(crate) connect_timeout: Option<Duration>,
    /// The files that aren't used, because their paths can't be expanded: option and path.
    pub(super) unexpanded: Vec<String>,
}

/// `IdentityAgent`: the agent to ask for keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AgentSocket {
    /// The one that `SSH_AUTH_SOCK` names.
    #[default]
    Usual,
    /// None.
    None,
    /// The one with this socket.
    At(PathBuf),
}

/// Parses the output of `ssh -G`. `defaults` is what ssh does without any configuration.
pub(super) fn parse(text: &str, defaults: Option<&Resolved>) -> Option<Resolved> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        all.entry(name).or_default().push(value.trim());
    }
    let one = |name: &str| all.get(name).and_then(|values| values.first()).copied();
    let set = |name: &str| one(name).filter(|value| *value != "none");
    let (host, user) = (one("hostname")?, one("user")?);
    let port = one("port")?.parse().ok()?;
    let tokens = Tokens {
        original: one("host").unwrap_or(host),
        host,
        port,
        user,
        alias: set("hostkeyalias"),
        has_jumps: set("proxyjump").is_some(),
    };
    let unexpanded = RefCell::new(Vec::new());
    let file = |option: &str, text: &str| {
        let path = tokens.path(text);
        if path.is_none() {
            unexpanded.borrow_mut().push(format!("{option} {text}"));
        }
        path
    };
    let jumps = set("proxyjump").map_or_else(|| Some(Vec::new()), |hops| tokens.jumps(hops))?;
    // Most versions of ssh have expanded these, so a `%` that is left stands for itself, unless the
    // beginning shows that they haven't.
    let user_known = known_files(one("userknownhostsfile").unwrap_or_default());
    let user_known = user_known.iter().filter_map(|text| match text.starts_with(['~', '%', '$']) {
        true => file("UserKnownHostsFile", text),
        false => Some(PathBuf::from(text)),
    });
    // Tokens mean nothing in these.
    let global_known = known_files(one("globalknownhostsfile").unwrap_or_default());
    let global_known = global_known.iter().map(|text| folder::expand(Path::new(text)));
    let identity_files = all.get("identityfile").into_iter().flatten();
    let certificates = all.get("certificatefile").into_iter().flatten();
    let agent = match one("identityagent") {
        None | Some("SSH_AUTH_SOCK") => AgentSocket::Usual,
        Some("none") => AgentSocket::None,
        Some(path) => match path.strip_prefix('$') {
            Some(variable) => {
                let variable = variable.trim_start_matches('{').trim_end_matches('}');
                std::env::var_os(variable).map_or(AgentSocket::None, |path| AgentSocket::At(path.into()))
            }
            None => AgentSocket::At(tokens.path(path).unwrap_or_else(|| PathBuf::from(path))),
        },
    };
    let mut resolved = Resolved {
        address: ServerAddress::new(host, port),
        user: user.to_owned(),
        identity_files: identity_files
            .filter(|text| **text != "none")
            .filter_map(|text| file("IdentityFile", text))
            .collect(),
        names_identity_files: false,
        certificates: certificates
            .filter(|text| **text != "none")
            .filter_map(|text| file("CertificateFile", text))
            .collect(),
        identities_only: one("identitiesonly") == Some("yes"),
        agent,
        proxy: set("proxycommand").filter(|_| jumps.is_empty()).map(str::to_owned),
        jumps,
        user_known: user_known.collect(),
        global_known: global_known.collect(),
        names_known_files: false,
        alias: set("hostkeyalias").map(str::to_owned),
        // To ssh, 0 means no time-out of its own.
        connect_timeout: set("connecttimeout")
            .and_then(|text| text.parse().ok())
            .filter(|seconds| *seconds != 0)
            .map(Duration::from_secs),
        unexpanded: Vec::new(),
    };
    resolved.unexpanded = unexpanded.take();
    if let Some(defaults) = defaults {
        resolved.names_identity_files = resolved.identity_files != defaults.identity_files;
        resolved.names_known_files =
            (&resolved.user_known, &resolved.global_known) != (&defaults.user_known, &defaults.global_known);
    }
    Some(resolved)
}

/// The files of a line, which `ssh -G` separates by spaces without quoting them. A part that doesn't
/// begin like a path belongs to the one before it.
fn known_files(line: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for part in line.split(' ').filter(|part| !part.is_empty()) {
        match files.last_mut() {
            Some(last) if !part.starts_with(['/', '~', '%', '$']) => {
                last.push(' ');
                last.push_str(part);
            }
            _ => files.push(part.to_owned()),
        }
    }
    files.retain(|file| file != "none");
    files
}
