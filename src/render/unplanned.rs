//! Why a host isn't planned or can't be used, and what to do about it. Each text is meant
//! to follow the host's name on one line.

use super::ssh;
use crate::diff::Obstacle;
use crate::facts::PortOwner;
use crate::facts::{Amount, AnswerError, PROBE_VERSION, Reported};
use crate::plan::wire::Unfit;
use crate::plan::{During, Holder, HostError, LostReason, Misfit, NoLock, Unplanned};
use crate::resource::{HostName, NodeName, Printable, Size, Unreadable};

/// Why a host isn't planned.
pub fn why(unplanned: &Unplanned) -> Printable {
    Printable::lines(&match unplanned {
        Unplanned::Obstacle(obstacle) => self::obstacle(obstacle),
        Unplanned::Answer(error) => answer(error),
        Unplanned::Host(error) => host_error(error),
        Unplanned::NoLogin(keys) if keys.is_empty() => {
            "no login has a key or a password, and no keys were found in an SSH agent".to_owned()
        }
        Unplanned::NoLogin(keys) => keys.iter().map(ssh::unusable_key).collect::<Vec<_>>().join("; "),
        Unplanned::NoRoute(why) => format!("no way to the host: {why}"),
        Unplanned::Recorded { why, help: _ } => return why.clone(),
        Unplanned::NotGathered => "the facts don't include this host".to_owned(),
        Unplanned::Unsaved => "its answer can't be saved without secrets of the folder".to_owned(),
    })
}

/// What to do about a host that isn't planned.
pub fn help(unplanned: &Unplanned) -> Printable {
    Printable::lines(&match unplanned {
        Unplanned::Obstacle(obstacle) => obstacle_help(obstacle),
        Unplanned::Answer(error) => answer_help(error).to_owned(),
        Unplanned::Host(error) => host_help(error),
        Unplanned::NoRoute(_) => {
            "fix your SSH configuration, or pass `--no-ssh-config` if the folder says all that is needed".to_owned()
        }
        Unplanned::Recorded { why: _, help } => return help.clone(),
        Unplanned::NotGathered => {
            "gather the facts again, with this folder: `spore facts -o FILE`".to_owned()
        }
        Unplanned::Unsaved => "plan without saving, and find out why the host repeats them; it may be \
                                compromised"
            .to_owned(),
        Unplanned::NoLogin(keys) if !keys.is_empty() => {
            "or load the key into your agent: `ssh-add FILE`".to_owned()
        }
        Unplanned::NoLogin(_) => "add a key file or a password to the host's login in auth.yaml, or a key to your agent: `ssh-add FILE`"
            .to_owned(),
    })
}

fn obstacle(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::NoSystemd => "the host doesn't run systemd".to_owned(),
        Obstacle::UnknownArchitecture(name) => format!("there is no tau for its architecture, `{name}`"),
        Obstacle::NoProgram(architecture) => {
            format!("it has no tau, and the folder pins none for {architecture}")
        }
        Obstacle::NoApt(package) => {
            format!("package {package} is missing, and the host has no apt to install it")
        }
        Obstacle::NoSpace { needed, free } => {
            format!("not enough disk space: {} free, but the new files need {}", Size(*free), Size(*needed))
        }
        Obstacle::OtherNetwork(name) => format!("it belongs to another network, {name}"),
        Obstacle::SameMachine(others) => {
            let others: Vec<&str> = others.iter().map(HostName::as_str).collect();
            format!("it is the same machine as {}: both have the same machine-id", others.join(", "))
        }
        Obstacle::FirewallRule { rule, port } => format!(
            "the ufw rule `{rule}`, which isn't spore's, closes {port} or restricts it, and a node on this host needs the port open"
        ),
        Obstacle::PortTaken { port, unit, by: Some(PortOwner { pid, name, unit: of, .. }) } => {
            format!("{unit} needs port {port}, but {name} (process {pid}, {of}) listens on it")
        }
        Obstacle::PortTaken { port, unit, by: None } => {
            format!("{unit} needs port {port}, but an unknown process listens on it")
        }
        Obstacle::NoMemory { needed, available } => {
            format!(
                "not enough memory: {} available, but the program needs {}",
                Size(*available),
                Size(*needed)
            )
        }
        Obstacle::NoNodeKey(node) => {
            format!("it doesn't have the private key of {node}, and the folder has only its id")
        }
        Obstacle::NeverAsked(what) => {
            format!("the probe didn't ask whether {what} exists")
        }
        Obstacle::OtherKey => "its secrets were digested with another key".to_owned(),
        Obstacle::Unreadable { path, why } => format!("{path} {}", unreadable(why)),
        Obstacle::Masked(unit) => format!("{unit} is masked"),
        Obstacle::ForeignFragment { unit, file } => {
            format!("{file} takes precedence over spore's unit template for {unit}")
        }
        Obstacle::ForeignProgram { unit, program, file } => {
            format!("{unit} runs {program} instead of tau: {file} overrides ExecStart")
        }
    }
}

fn unreadable(why: &Unreadable) -> String {
    match why {
        Unreadable::NotADirectory => "is not a directory".to_owned(),
        Unreadable::NotAFile => "is not a regular file".to_owned(),
        Unreadable::TooLarge => "is too large for this kind of file".to_owned(),
        Unreadable::NotAConfiguration => "isn't a valid node configuration".to_owned(),
        Unreadable::Replaced => "can't be read: it was replaced".to_owned(),
        Unreadable::UnusualName => "can't be read: its name has unusual characters".to_owned(),
        Unreadable::Failed(why) => format!("can't be read: {why}"),
    }
}

fn obstacle_help(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::NoSystemd => "only hosts that run systemd can be planned".to_owned(),
        Obstacle::UnknownArchitecture(_) => "use a host of another architecture".to_owned(),
        Obstacle::NoProgram(_) => "pin one with `spore tau pin URL|FILE`, or pass `--tau PATH`".to_owned(),
        Obstacle::NoApt(package) => format!("install {package} manually"),
        Obstacle::NoSpace { .. } => "free some space, or make /tb a link to a larger disk".to_owned(),
        Obstacle::OtherNetwork(_) => {
            "check that this is the right folder; `--take-over` makes the host part of this network"
                .to_owned()
        }
        Obstacle::ForeignFragment { file, .. } => format!(
            "on the host, remove {file}, or turn the parts you need into a drop-in, then run `systemctl daemon-reload`"
        ),
        Obstacle::ForeignProgram { file, .. } => {
            format!("on the host, remove ExecStart from {file}, then run `systemctl daemon-reload`")
        }
        Obstacle::SameMachine(_) => "remove one of them from the folder; if it is a clone of the other, \
             give it a new machine-id (`rm /etc/machine-id; systemd-machine-id-setup`) and reboot it"
            .to_owned(),
        Obstacle::FirewallRule { rule, port } => format!(
            "on the host, delete it (`ufw delete {rule}`), or allow {port} before it (`ufw insert 1 allow {port}`)"
        ),
        Obstacle::PortTaken { by: Some(PortOwner { unit, .. }), .. } if unit.ends_with(".service") => {
            format!("give the node another port, or run `systemctl disable --now {unit}` on the host")
        }
        Obstacle::PortTaken { .. } => "stop that process, or give the node another port".to_owned(),
        Obstacle::NoMemory { .. } => "free some memory, or use a larger host".to_owned(),
        Obstacle::NoNodeKey(NodeName { shape, .. }) => format!(
            "restore the key's file, keys/{shape}.key next to the node's configuration, or write the key into the folder; to give the node a new identity, delete its `id`"
        ),
        Obstacle::NeverAsked(_) | Obstacle::OtherKey => "probe the host again, with this folder".to_owned(),
        Obstacle::Unreadable { .. } => "fix it on the host, or move it elsewhere".to_owned(),
        Obstacle::Masked(unit) => format!(
            "if it should run, run `systemctl unmask {unit}` on the host; add `--runtime` if it is masked only until the next boot"
        ),
    }
}

fn answer(error: &AnswerError) -> String {
    match error {
        AnswerError::Truncated(lines) => format!("the host's answer ended early, after {lines} lines"),
        AnswerError::Failed { what, message } => format!("`{what}` failed on the host: {message}"),
        AnswerError::TooMuch { what, most } => {
            let what = match what {
                Amount::Lines => "lines",
                Amount::Text => "bytes of text",
                Amount::Paths => "paths",
                Amount::Units => "units",
            };
            format!("the host's answer has more than {most} {what}")
        }
        AnswerError::Version { found } => {
            format!(
                "the host's answer is from version {found} of the probe, but this spore needs version {PROBE_VERSION}"
            )
        }
        AnswerError::Malformed(line) => format!("line {line} of the host's answer can't be parsed"),
        AnswerError::Incomplete(what) => {
            let what = match what {
                Reported::Asked => "the list of what was asked",
                Reported::Space => "free space",
                Reported::Architecture => "the architecture",
                Reported::Digest => "a digest",
            };
            format!("the host's answer lacks {what}")
        }
    }
}

fn answer_help(error: &AnswerError) -> &'static str {
    match error {
        AnswerError::TooMuch { .. } => {
            "that is far more than any real host has: check whether the host is compromised, or find out what has filled these directories"
        }
        AnswerError::Version { .. } => "probe the host again with this version of spore",
        AnswerError::Truncated(_)
        | AnswerError::Failed { .. }
        | AnswerError::Malformed(_)
        | AnswerError::Incomplete(_) => "this may be a bug in spore: please report it",
    }
}

/// Why a host can't be used.
pub fn host_error(error: &HostError) -> String {
    let colon = |said: &Printable| match said.trim_end_matches('.') {
        "" => String::new(),
        said => format!(": {said}"),
    };
    match error {
        HostError::Connect(error) => ssh::connect(error),
        HostError::NoSudo { said } => format!("no password-less sudo{}", colon(said)),
        HostError::SudoMissing => "no password-less sudo: sudo is not installed".to_owned(),
        HostError::SudoRefused { said } => format!("sudo refused to make the user root{}", colon(said)),
        HostError::WrongSudoPassword => "wrong sudo password".to_owned(),
        HostError::SudoPasswordNotTried { by } => {
            format!("sudo asks for a password, and the given one wasn't tried, because {by} rejected it")
        }
        HostError::NoShell { said } => format!("no usable shell{}", colon(said)),
        HostError::NoSession(error) => format!("no usable shell: {}", ssh::channel(error)),
        HostError::Lost { during, reason } => {
            format!("connection lost while {}: {}", doing(during), lost(reason))
        }
        HostError::TimedOut { during, after } => {
            format!("no answer within {} s while {}", after.as_secs_f32(), doing(during))
        }
        HostError::Abandoned { during, after } => {
            format!("still {} {} s after the interrupt", doing(during), after.as_secs_f32())
        }
        HostError::NoLock(NoLock::File { said, status }) => {
            format!("can't be locked: {}", format!("{said} (status {status})").trim_start())
        }
        HostError::NoLock(NoLock::Session(error)) => {
            format!(
                "can't be locked: cannot open a second session on the connection: {}",
                ssh::channel(error)
            )
        }
        HostError::Locked(holder) => format!("locked by {}", self::holder(holder)),
        HostError::Malformed { during, what } => {
            format!("unexpected answer while {}: {}", doing(during), misfit(what))
        }
    }
}

/// What to do about a host that can't be used.
pub fn host_help(error: &HostError) -> String {
    match error {
        HostError::Connect(error) => return ssh::connect_help(error),
        HostError::NoSudo { said } if said.contains("must have a tty") => REQUIRETTY,
        HostError::SudoRefused { said } if said.contains("must have a tty") => REQUIRETTY,
        HostError::NoSudo { .. } => {
            "log in as root, pass `--ask-sudo-password`, or give this user `NOPASSWD: ALL` in /etc/sudoers.d"
        }
        HostError::SudoMissing => "log in as root, or give this user `NOPASSWD: ALL` in /etc/sudoers.d",
        HostError::SudoRefused { .. } => "log in as root, or give this user `ALL` in /etc/sudoers.d",
        HostError::WrongSudoPassword => {
            "check the password given at the prompt of `--ask-sudo-password` or in SPORE_SUDO_PASSWORD; it was tried once"
        }
        HostError::SudoPasswordNotTried { .. } => "use a password that all hosts accept",
        HostError::NoShell { said } if said.contains("password has expired") => {
            "log in with `ssh` and set a new password"
        }
        HostError::NoShell { .. } | HostError::NoSession(_) => {
            "check the user's login shell, and that sh, head and base64 are installed"
        }
        HostError::Lost { during: During::Action { .. }, .. }
        | HostError::Abandoned { during: During::Action { .. }, .. }
        | HostError::TimedOut { during: During::Action { .. }, .. } => {
            "the action may not have completed; `spore plan` shows what is left"
        }
        HostError::Lost { .. } => "check the network and try again",
        HostError::TimedOut { .. } | HostError::Abandoned { .. } => {
            "the host may be overloaded, or a program on it may hang"
        }
        HostError::Locked(_) => {
            "wait until that command ends; if it was killed, the host releases the lock within about a minute"
        }
        HostError::NoLock(NoLock::File { .. }) => {
            "the lock is a file in /run/spore: check that there is free space, and that flock and setsid (util-linux) are installed"
        }
        HostError::NoLock(NoLock::Session(_)) => {
            "sshd has to allow two sessions per connection: see MaxSessions in /etc/ssh/sshd_config"
        }
        HostError::Malformed { during: During::Action { .. }, .. } => {
            "spore closed the connection, because the host's answer doesn't fit the request; find out what on \
             the host writes such output, or report this as a bug in spore"
        }
        HostError::Malformed { what: Misfit::Noise(_) | Misfit::LongLine, .. } => {
            "spore closed the connection; find out what on the host writes such output: the user's start files \
             (`.bashrc`), or a `ForceCommand` in its sshd_config"
        }
        HostError::Malformed { .. } => "this may be a bug in spore: please report it",
    }
    .to_owned()
}

const REQUIRETTY: &str =
    "on the host, remove `requiretty` from the defaults in /etc/sudoers: spore has no terminal there";

fn lost(reason: &LostReason) -> String {
    match reason {
        LostReason::Session(lost) => ssh::lost(lost),
        LostReason::Closed(said) if said.is_empty() => "the host closed the session".to_owned(),
        LostReason::Closed(said) => format!("the host closed the session: {said}"),
        LostReason::NoBeat => "the host received no heartbeat for too long and released the lock".to_owned(),
        LostReason::Killed { status, said } => {
            // 128 and SIGTERM, which `lock.sh` sends first.
            let why = match status {
                143 => ", as it is if the host received no heartbeat for too long and released the lock",
                _ => "",
            };
            format!("the script on the host was killed (status {status}{why}) {said}").trim_end().to_owned()
        }
    }
}

fn misfit(what: &Misfit) -> String {
    match what {
        Misfit::Unexpected(said) => said.to_string(),
        Misfit::Unfit { beginning, unfit } => format!("`{beginning}` ({})", self::unfit(*unfit)),
        Misfit::LongLine => "a line that is too long".to_owned(),
        Misfit::TooLong(most) => format!("more than {most} bytes"),
        Misfit::Noise(most) => format!("more than {most} bytes of unexpected output"),
        Misfit::NotText => "text that isn't UTF-8".to_owned(),
        Misfit::UnknownFile => "the host requested an unknown file".to_owned(),
        Misfit::NoUnit(unit) => format!("systemctl didn't report the state of {unit}"),
    }
}

fn unfit(unfit: Unfit) -> String {
    match unfit {
        Unfit::Began(index) => format!("expected `{index} began`"),
        Unfit::Outcome(index) => format!("expected the outcome of {index}"),
        Unfit::Unsent(index) => format!("the file of {index} hasn't been sent yet"),
        Unfit::End => "expected `end`".to_owned(),
        Unfit::Nothing => "the request has already ended".to_owned(),
    }
}

fn doing(during: &During) -> &'static str {
    match during {
        During::Opening => "starting a shell",
        During::Asking => "collecting facts",
        During::Locking => "locking the host",
        During::Unlocking => "unlocking the host",
        During::Action { began: true, .. } => "running this action",
        During::Action { began: false, .. } => "starting this action",
    }
}

/// Example: ``ana@laptop (process 7, `spore apply`) since 2026-08-05 10:15:00 UTC``.
pub fn holder(holder: &Holder) -> String {
    let Holder { who, pid, command, plan, since } = holder;
    if who.is_empty() {
        return "another spore".to_owned();
    }
    let plan = if plan.is_empty() { String::new() } else { format!(", plan {:.12}", plan.to_string()) };
    format!("{who} (process {pid}, `{command}`{plan}) since {since}")
}
