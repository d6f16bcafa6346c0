//! Why a host can't be connected to or logged in to, and how to fix it. Each reason fits on
//! one line after the host's name.

use super::plan::counted_list;
use crate::artifact::FileError;
use crate::identity::UnsupportedKey;
use crate::plan::{NoKey, UnusableKey};
use crate::resource::Printable;
use crate::ssh::{
    AlgorithmKind, CertificateFlaw, ChannelError, ConnectError, KeyError, KnownLine, Lost, NotOpened, Phase,
    Tried,
};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// Why a host can't be connected to, or logged in to.
pub(super) fn connect(error: &ConnectError) -> String {
    match error {
        ConnectError::NotFound { address, source: _ } => format!("no address found for {}", address.host),
        ConnectError::Unreachable { address, source } => {
            let why = match source.kind() {
                ErrorKind::ConnectionRefused => ": connection refused",
                ErrorKind::HostUnreachable => ": no route to the host",
                ErrorKind::NetworkUnreachable => ": no route to its network",
                _ => "",
            };
            format!("cannot connect to {address}{why}")
        }
        ConnectError::TimedOut { phase, after } => {
            format!("no answer within {} s while {}", after.as_secs_f32(), doing(*phase))
        }
        ConnectError::NotSsh { said } => format!("not an SSH server: it sent `{said}`"),
        ConnectError::TurnedAway { said } => {
            format!("the host closed the connection while {}: {said}", doing(Phase::Greeting))
        }
        ConnectError::HungUp { phase, why } => {
            let why = match why {
                None | Some(Lost::Closed) => String::new(),
                Some(Lost::ClosedAfter(said)) => format!("; it said: {said}"),
                Some(why) => format!(": {}", lost(why)),
            };
            format!("the host closed the connection while {}{why}", doing(*phase))
        }
        ConnectError::NoCommonAlgorithm { kind, theirs } => {
            format!("no common {}: the host offers only {}", algorithm(*kind), theirs.join(", "))
        }
        ConnectError::Protocol { what } => format!("SSH protocol error: {what}"),
        ConnectError::HostKeyUnknown { algorithm, fingerprint, .. } => {
            format!("unknown host key: {algorithm} {fingerprint}")
        }
        ConnectError::HostKeyChanged { algorithm, fingerprint, known, .. } => {
            let known: Vec<String> = known.iter().map(KnownLine::to_string).collect();
            format!("changed host key: {algorithm} {fingerprint} doesn't match {}", known.join(", "))
        }
        ConnectError::HostKeyRevoked { algorithm, fingerprint, by } => {
            format!("revoked host key: {algorithm} {fingerprint} (revoked in {by})")
        }
        ConnectError::HostCertificate { authority, flaw } => {
            format!("invalid host certificate: {} (signed by the authority in {authority})", self::flaw(flaw))
        }
        ConnectError::Refused { user, tried, cut_off, before, .. } => {
            let before = before.as_ref().map(|before| format!("{}; ", connect(before))).unwrap_or_default();
            let tried: Vec<String> = tried.iter().map(credential).collect();
            let tried = match tried.is_empty() {
                true => "no usable key or password".to_owned(),
                false => format!("tried {}", tried.join(", ")),
            };
            let end = cut_off.as_ref().map(|said| format!("; then the host disconnected: {said}"));
            format!("{before}login as {user} refused: {tried}{}", end.unwrap_or_default())
        }
        ConnectError::NoneReached(errors) => {
            let errors = errors.iter().map(|(address, error)| format!("{address}: {}", connect(error)));
            format!("no address can be reached: {}", errors.collect::<Vec<_>>().join("; "))
        }
        ConnectError::NotForwarded { address, why } => match why {
            NotOpened::Prohibited => format!("the jump host forbids connections to {address}"),
            NotOpened::Refused | NotOpened::TimedOut | NotOpened::Other => {
                format!("the jump host cannot connect to {address}")
            }
        },
        ConnectError::AtJump { jump, through: None, error } => {
            format!("jump host {jump}: {}", connect(error))
        }
        ConnectError::AtJump { jump, through: Some(other), error } => {
            format!("jump host {jump} (through {other}): {}", connect(error))
        }
        ConnectError::Through { jump, error } => format!("through {jump}: {}", connect(error)),
        ConnectError::ProxyNotStarted { source } => format!("cannot run the ProxyCommand: {source}"),
        ConnectError::ByProxy { said, error } => {
            let said = if said.is_empty() { String::new() } else { format!("; it said: {said}") };
            format!("through the ProxyCommand: {}{said}", connect(error))
        }
    }
}

/// How to fix it, in a sentence or two.
pub(super) fn connect_help(error: &ConnectError) -> String {
    match error {
        ConnectError::NotFound { .. } => "check the host's address in the network folder, and your DNS".into(),
        ConnectError::Unreachable { address, source } => match source.kind() {
            ErrorKind::ConnectionRefused => format!(
                "nothing listens on port {0}: check that sshd is running and that its port is {0}",
                address.port
            ),
            _ => "check that the host is up and reachable from here".into(),
        },
        ConnectError::TimedOut { phase, .. } => match phase {
            Phase::Connect => {
                "check that the host is up, and that no firewall drops packets to its SSH port"
            }
            Phase::Greeting => {
                "the port is open but silent: check that it is the SSH port, and that the host isn't overloaded"
            }
            Phase::KeyExchange => {
                "the network may be dropping large packets (check the MTU), or the host is overloaded"
            }
            Phase::Login => {
                "sshd may be waiting for DNS (set `UseDNS no` in its sshd_config) or for PAM, or the SSH agent for a touch or a confirmation"
            }
        }
        .into(),
        ConnectError::NotSsh { .. } => "check the host's SSH port in the network folder".into(),
        ConnectError::HungUp { phase: Phase::Login, why: Some(Lost::ClosedAfter(_)) } => {
            "if that isn't the reason, see sshd's log on the host".into()
        }
        ConnectError::HungUp { phase: Phase::Login, .. } | ConnectError::Refused { cut_off: Some(_), .. } => {
            "spore may have offered too many keys (`MaxAuthTries`), or the user is locked out: give this login a single key, and see sshd's log on the host".into()
        }
        ConnectError::HungUp { .. } | ConnectError::TurnedAway { .. } => {
            "the host may be rejecting connections: too many at once (`MaxStartups`), or all from this address (fail2ban, TCP wrappers)".into()
        }
        ConnectError::NoCommonAlgorithm { .. } => {
            "the host's SSH server is outdated or its configuration too restrictive: update it".into()
        }
        ConnectError::Protocol { .. } => {
            "try `ssh -v` to the host; if that works, please report this as a bug in spore".into()
        }
        ConnectError::HostKeyUnknown { line, trust, authority, .. } => {
            let authority = authority.as_ref().map_or(String::new(), |authority| {
                format!(" (the host has no certificate from the authority at {authority})")
            });
            let add = match trust {
                Some(host) => format!("run `spore trust {host}`{authority}"),
                None => format!("add this line to known_hosts{authority}:\n{line}"),
            };
            format!("compare the fingerprint with the host's own (on the host, run `cat /etc/ssh/ssh_host_*_key.pub | ssh-keygen -lf -`), then {add}")
        }
        ConnectError::HostKeyChanged { name, known, trust, .. } => {
            let kinds: BTreeSet<String> = known.iter().map(|line| line.algorithm.to_string()).collect();
            let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
            let file = known_hosts(known.first().map(|line| &*line.file));
            let add = match trust {
                Some(host) => format!("run `spore trust {host}`"),
                None => "add the new one".to_owned(),
            };
            format!("possible man-in-the-middle attack, or the host was reinstalled. If you know that it was reinstalled, compare the fingerprint with the host's own, remove the old key (`ssh-keygen -f {file} -R '{name}'`; known_hosts has: {kinds}), then {add}")
        }
        ConnectError::HostKeyRevoked { .. } => {
            "don't log in: this key was revoked, so the server may be an impostor. Generate a new host key on the host".into()
        }
        ConnectError::HostCertificate { flaw, .. } => match flaw {
            CertificateFlaw::OtherHosts(_) => {
                "use one of these names in the folder, or sign a certificate for this one: `ssh-keygen -s CA -I ID -h -n NAME /etc/ssh/ssh_host_ed25519_key.pub`"
            }
            CertificateFlaw::TooEarly | CertificateFlaw::Expired => {
                "check this machine's clock, or sign a new certificate with the CA's key: `ssh-keygen -s CA -I ID -h -n NAME /etc/ssh/ssh_host_ed25519_key.pub`"
            }
            CertificateFlaw::OfAUser | CertificateFlaw::Options | CertificateFlaw::Signature => {
                "don't log in: sshd should present a certificate that was signed with `ssh-keygen -s CA -I ID -h -n NAME FILE`"
            }
        }
        .into(),
        ConnectError::Refused { tried, .. } if tried.is_empty() => {
            "give the host's login a key file or a password".into()
        }
        ConnectError::Refused { partly: false, tried, .. } if tried.iter().all(|it| *it == Tried::Password) => {
            "check the password, and that the user is allowed to log in".into()
        }
        ConnectError::Refused { user, offered, partly, .. } => {
            let more = if *partly { "the host accepted one credential and requires another; " } else { "" };
            let offered = if offered.is_empty() { "nothing else".to_owned() } else { offered.join(" or ") };
            format!("{more}the host accepts {offered}: check that the public key is in {user}'s authorized_keys on the host, and that the user is allowed to log in")
        }
        ConnectError::NoneReached(_) => "check that the host is up and reachable from here".into(),
        ConnectError::NotForwarded { why: NotOpened::Prohibited, .. } => {
            "allow it in the jump host's sshd_config (`AllowTcpForwarding`, `PermitOpen`)".into()
        }
        ConnectError::NotForwarded { .. } => {
            "check that the host is up, and that its address is the one at which the jump host reaches it".into()
        }
        ConnectError::AtJump { error, .. } | ConnectError::Through { error, .. } => connect_help(error),
        ConnectError::ProxyNotStarted { .. } | ConnectError::ByProxy { .. } => {
            "check the ProxyCommand in your SSH configuration; `ssh -v` to the host shows it at work".into()
        }
    }
}

/// Why a session couldn't be opened or used.
pub(super) fn channel(error: &ChannelError) -> String {
    match error {
        ChannelError::NotOpened { reason } => format!("the host refused to open a channel: {reason}"),
        ChannelError::NotStarted => "the host refused to run a command for this user".to_owned(),
        ChannelError::Ended => "the command exited before reading all its input".to_owned(),
        ChannelError::Lost(lost) => format!("connection lost: {}", self::lost(lost)),
    }
}

/// How a connection has ended.
pub(super) fn lost(lost: &Lost) -> String {
    match lost {
        Lost::Closed => "the host closed the connection".to_owned(),
        Lost::ClosedAfter(said) => format!("the host closed the connection; it said: {said}"),
        Lost::Disconnected(said) => format!("the host disconnected: {said}"),
        Lost::Silent => "the host stopped responding".to_owned(),
        Lost::Intrusive => "the host opened a channel, which spore never asks for".to_owned(),
        Lost::Failed(said) => said.to_string(),
    }
}

/// Why an SSH key can't be used, and how to fix it.
pub(super) fn unusable_key(UnusableKey { path, why }: &UnusableKey) -> Printable {
    let unread = |why: String| format!("cannot read the key {}: {why}", path.display());
    Printable::line(&match &**why {
        NoKey::Unread(FileError::Read(error)) => unread(error.to_string()),
        NoKey::Unread(error) => unread(error.to_string()),
        NoKey::TooLong(most) => unread(format!("it has more than {most} bytes")),
        NoKey::NotText => unread("it is not text".to_owned()),
        NoKey::Key(error) => format!("{}; {}", key(path, error), key_help(path, error)),
    })
}

fn key(path: &Path, error: &KeyError) -> String {
    let path = path.display();
    match error {
        KeyError::Public => format!("{path} is a public key"),
        KeyError::NoPassphrase => format!("{path} is encrypted, and no passphrase was given"),
        KeyError::WrongPassphrase => format!("wrong passphrase for {path}"),
        KeyError::Ask(_) => format!("cannot prompt for the passphrase of {path}"),
        KeyError::Unsupported(kind) => {
            format!("{path} is {}, which spore doesn't support", unsupported(*kind))
        }
        KeyError::Damaged => format!("{path} is a damaged key"),
        KeyError::NotAKey => format!("{path} isn't a private key"),
    }
}

fn key_help(path: &Path, error: &KeyError) -> String {
    match error {
        KeyError::Public if path.extension().is_some_and(|end| end == "pub") => {
            format!("use the private key instead: {}", path.with_extension("").display())
        }
        KeyError::Public => "use the file that holds the private key".into(),
        KeyError::NoPassphrase => "run spore on a terminal, or set SPORE_SSH_PASSPHRASE".into(),
        KeyError::WrongPassphrase => {
            format!("check the passphrase with `ssh-keygen -y -f {}`", path.display())
        }
        KeyError::Ask(_) => "set SPORE_SSH_PASSPHRASE".into(),
        KeyError::Unsupported(_) => format!(
            "use an ed25519 key (`ssh-keygen -t ed25519`), or convert an old format with `ssh-keygen -p -f {}`",
            path.display()
        ),
        KeyError::Damaged | KeyError::NotAKey => {
            "use a private key in OpenSSH's format, such as one from `ssh-keygen -t ed25519`".into()
        }
    }
}

/// The kind of a key, with an article.
pub(super) fn unsupported(kind: UnsupportedKey) -> &'static str {
    match kind {
        UnsupportedKey::Dsa => "a DSA key",
        UnsupportedKey::OldEncryption => "a key with outdated encryption",
        UnsupportedKey::HardwareToken => "a key on a hardware token",
        UnsupportedKey::Unknown => "a key of an unknown kind",
    }
}

fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Connect => "connecting",
        Phase::Greeting => "waiting for the SSH banner",
        Phase::KeyExchange => "exchanging keys",
        Phase::Login => "logging in",
    }
}

fn flaw(flaw: &CertificateFlaw) -> String {
    match flaw {
        CertificateFlaw::OfAUser => "it is for a user, not for a host".to_owned(),
        CertificateFlaw::OtherHosts(names) if names.is_empty() => "it names no host".to_owned(),
        CertificateFlaw::OtherHosts(names) => {
            format!("it is only for {}", counted_list(names.iter().map(ToString::to_string)))
        }
        CertificateFlaw::TooEarly => "it isn't valid yet".to_owned(),
        CertificateFlaw::Expired => "it has expired".to_owned(),
        CertificateFlaw::Options => "it has critical options".to_owned(),
        CertificateFlaw::Signature => "its signature is wrong".to_owned(),
    }
}

fn algorithm(kind: AlgorithmKind) -> &'static str {
    match kind {
        AlgorithmKind::KeyExchange => "key exchange",
        AlgorithmKind::HostKey => "host key algorithm",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Compression => "compression",
        AlgorithmKind::Mac => "message authentication",
    }
}

fn credential(tried: &Tried) -> String {
    match tried {
        Tried::Key { algorithm, fingerprint, in_agent } => {
            let whose = if *in_agent { " (SSH agent)" } else { "" };
            format!("{algorithm} key {fingerprint}{whose}")
        }
        Tried::Unsigned { fingerprint } => {
            format!(
                "key {fingerprint}, with which the SSH agent didn't sign (it is locked, or its user declined)"
            )
        }
        Tried::Certificate { algorithm, fingerprint, in_agent, is_expired } => {
            let whose = if *in_agent { " (SSH agent)" } else { "" };
            let expired = if *is_expired { "expired " } else { "" };
            format!("{expired}certificate for {algorithm} key {fingerprint}{whose}")
        }
        Tried::Untouched { fingerprint, after } => {
            format!("key {fingerprint}, which wasn't touched within {} s", after.as_secs_f32())
        }
        Tried::Password => "password".to_owned(),
        Tried::Questions => "answers to its questions".to_owned(),
        Tried::Unanswered { prompt } => format!("its question `{prompt}`, which nobody answered"),
    }
}

fn known_hosts(file: Option<&Path>) -> String {
    file.map_or_else(|| "known_hosts".to_owned(), |file| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::{Algorithm, ServerAddress};
    use std::io;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    fn text(text: &'static str) -> Printable {
        text.into()
    }

    fn line(number: usize, algorithm: Algorithm) -> KnownLine {
        KnownLine { file: Path::new("/k").into(), line: number, algorithm }
    }

    #[test]
    fn every_failure_to_connect_has_its_words() {
        let address = || ServerAddress::new("192.0.2.1", 2222);
        let source = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let (algorithm, fingerprint) = (Algorithm::Ed25519, || "SHA256:abc".to_owned());
        let gone = |phase, why| ConnectError::HungUp { phase, why };
        let refused = |tried: &[Tried], offered: &[&'static str], partly| ConnectError::Refused {
            user: "ana".to_owned(),
            tried: tried.to_vec(),
            offered: offered.iter().map(|name| text(name)).collect(),
            partly,
            cut_off: None,
            before: None,
        };
        let key = Tried::Key { algorithm: Algorithm::Ed25519, fingerprint: fingerprint(), in_agent: false };
        let table = [
            (
                ConnectError::NotFound { address: address(), source: source() },
                "no address found for 192.0.2.1",
                "check the host's address",
            ),
            (
                ConnectError::Unreachable { address: address(), source: source() },
                "cannot connect to 192.0.2.1:2222: connection refused",
                "nothing listens on port 2222: check that sshd is running and that its port is 2222",
            ),
            (
                ConnectError::TimedOut { phase: Phase::Greeting, after: Duration::from_millis(300) },
                "no answer within 0.3 s while waiting for the SSH banner",
                "the port is open but silent",
            ),
            (
                ConnectError::NotSsh { said: text("HTTP/1.1 400") },
                "not an SSH server: it sent `HTTP/1.1 400`",
                "check the host's SSH port",
            ),
            (
                ConnectError::TurnedAway { said: text("Not allowed at this time") },
                "the host closed the connection while waiting for the SSH banner: Not allowed at this time",
                "the host may be rejecting connections",
            ),
            (
                gone(Phase::KeyExchange, None),
                "the host closed the connection while exchanging keys",
                "the host may be rejecting connections",
            ),
            (
                gone(Phase::Login, Some(Lost::ClosedAfter(text("maintenance until noon")))),
                "the host closed the connection while logging in; it said: maintenance until noon",
                "if that isn't the reason, see sshd's log",
            ),
            (
                gone(Phase::Login, Some(Lost::Disconnected(text("go")))),
                "the host closed the connection while logging in: the host disconnected: go",
                "spore may have offered too many keys",
            ),
            (
                ConnectError::NoCommonAlgorithm {
                    kind: AlgorithmKind::Cipher,
                    theirs: vec![text("a"), text("b")],
                },
                "no common cipher: the host offers only a, b",
                "the host's SSH server is outdated",
            ),
            (
                ConnectError::HostKeyUnknown {
                    algorithm: algorithm.clone(),
                    fingerprint: fingerprint(),
                    line: "LINE".to_owned(),
                    trust: Some("h1".to_owned()),
                    authority: None,
                },
                "unknown host key: ssh-ed25519 SHA256:abc",
                "compare the fingerprint with the host's own (on the host, run `cat /etc/ssh/ssh_host_*_key.pub | \
                 ssh-keygen -lf -`), then run `spore trust h1`",
            ),
            (
                ConnectError::HostKeyUnknown {
                    algorithm: algorithm.clone(),
                    fingerprint: fingerprint(),
                    line: "LINE".to_owned(),
                    trust: None,
                    authority: Some(line(7, Algorithm::Ed25519)),
                },
                "unknown host key: ssh-ed25519 SHA256:abc",
                "compare the fingerprint with the host's own (on the host, run `cat /etc/ssh/ssh_host_*_key.pub | \
                 ssh-keygen -lf -`), then add this line to known_hosts (the host has no certificate from the \
                 authority at /k:7):\nLINE",
            ),
            (
                ConnectError::HostKeyChanged {
                    name: "[192.0.2.1]:2222".to_owned(),
                    algorithm: algorithm.clone(),
                    fingerprint: fingerprint(),
                    known: vec![line(3, Algorithm::Ed25519), line(4, Algorithm::Dsa)],
                    trust: Some("h1".to_owned()),
                },
                "changed host key: ssh-ed25519 SHA256:abc doesn't match /k:3, /k:4",
                "possible man-in-the-middle attack, or the host was reinstalled. If you know that it was \
                 reinstalled, compare the fingerprint with the host's own, remove the old key (`ssh-keygen -f /k \
                 -R '[192.0.2.1]:2222'`; known_hosts has: ssh-dss, ssh-ed25519), then run `spore trust h1`",
            ),
            (
                ConnectError::HostKeyRevoked {
                    algorithm,
                    fingerprint: fingerprint(),
                    by: line(2, Algorithm::Dsa),
                },
                "revoked host key: ssh-ed25519 SHA256:abc (revoked in /k:2)",
                "don't log in",
            ),
            (
                refused(&[], &[], false),
                "login as ana refused: no usable key or password",
                "give the host's login a key file or a password",
            ),
            (
                refused(&[Tried::Password], &["publickey"], false),
                "login as ana refused: tried password",
                "check the password",
            ),
            (
                refused(&[key, Tried::Password], &["publickey", "password"], true),
                "login as ana refused: tried ssh-ed25519 key SHA256:abc, password",
                "the host accepted one credential and requires another; the host accepts publickey or password: \
                 check that the public key is in ana's authorized_keys",
            ),
        ];
        let table = table.into_iter().chain(routed());
        for (error, words, help) in table {
            assert_eq!(connect(&error), words);
            let found = connect_help(&error);
            assert!(found.starts_with(help), "{found}");
        }
    }

    /// Failures on the way to a host.
    fn routed() -> Vec<(ConnectError, &'static str, &'static str)> {
        let address = |host| ServerAddress::new(host, 22);
        let refused = || ConnectError::Unreachable {
            address: address("192.0.2.1"),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let late = || ConnectError::TimedOut { phase: Phase::Connect, after: Duration::from_secs(10) };
        let closed = |why| ConnectError::NotForwarded { address: address("10.0.0.1"), why };
        vec![
            (
                ConnectError::NoneReached(vec![
                    (address("192.0.2.1"), refused()),
                    (address("2001:db8::1"), late()),
                ]),
                "no address can be reached: 192.0.2.1:22: cannot connect to 192.0.2.1:22: connection refused; [2001:db8::1]:22: no \
                 answer within 10 s while connecting",
                "check that the host is up",
            ),
            (
                ConnectError::Through {
                    jump: "b.test:22".to_owned(),
                    error: Arc::new(closed(NotOpened::Refused)),
                },
                "through b.test:22: the jump host cannot connect to 10.0.0.1:22",
                "check that the host is up, and that its address",
            ),
            (
                closed(NotOpened::Prohibited),
                "the jump host forbids connections to 10.0.0.1:22",
                "allow it in the jump host's sshd_config",
            ),
            (
                ConnectError::AtJump {
                    jump: "b.test:22".to_owned(),
                    through: None,
                    error: Arc::new(refused()),
                },
                "jump host b.test:22: cannot connect to 192.0.2.1:22: connection refused",
                "nothing listens on port 22",
            ),
            (
                ConnectError::AtJump {
                    jump: "c.test:22".to_owned(),
                    through: Some("b.test:22".to_owned()),
                    error: Arc::new(late()),
                },
                "jump host c.test:22 (through b.test:22): no answer within 10 s while connecting",
                "check that the host is up",
            ),
            (
                ConnectError::ByProxy { said: text("nc: no route"), error: Box::new(late()) },
                "through the ProxyCommand: no answer within 10 s while connecting; it said: nc: no route",
                "check the ProxyCommand",
            ),
        ]
    }

    #[test]
    fn every_unusable_key_has_its_words() {
        let table = [
            (NoKey::TooLong(9), "cannot read the key /k/id.pub: it has more than 9 bytes"),
            (NoKey::NotText, "cannot read the key /k/id.pub: it is not text"),
            (NoKey::Unread(FileError::NotAFile), "cannot read the key /k/id.pub: it is not a regular file"),
            (NoKey::Key(KeyError::Public), "/k/id.pub is a public key; use the private key instead: /k/id"),
            (
                NoKey::Key(KeyError::NoPassphrase),
                "/k/id.pub is encrypted, and no passphrase was given; run spore on a terminal, or set \
                 SPORE_SSH_PASSPHRASE",
            ),
            (
                NoKey::Key(KeyError::WrongPassphrase),
                "wrong passphrase for /k/id.pub; check the passphrase with `ssh-keygen -y -f /k/id.pub`",
            ),
        ];
        for (why, words) in table {
            let key = UnusableKey { path: PathBuf::from("/k/id.pub"), why: Arc::new(why) };
            assert_eq!(unusable_key(&key), words);
        }
    }
}
