//! What an action has found in place of what it expects, as a sentence.

use crate::plan::wire::{Differs, Expected, Found, Thing};
use crate::resource::{Printable, Sha256};

/// `changed on the host since the plan: /tb/bin/tau (expected nothing, found a directory)`
pub(super) fn differs(differs: &Differs<Printable>) -> String {
    let Differs { what, expected, found } = differs;
    let instead = |found: &str| format!("{what} (expected {}, found {found})", self::expected(expected));
    let change = match found {
        Found::Nothing => instead("nothing"),
        Found::There(thing) => instead(&self::thing(thing)),
        Found::WithAccess(thing, access) => {
            let with = if matches!(expected, Expected::Access(_)) { "with" } else { "with mode and owner" };
            instead(&format!("{} {with} {access}", self::thing(thing)))
        }
        Found::AnotherDirectory => format!("{what} (another directory is there now)"),
        Found::NotInstalled => format!("package {}", instead("none")),
        Found::Package(state) => format!("package {}", instead(&format!("it {state}"))),
        Found::Rule(rule) => format!("ufw now has a rule for {what} that isn't spore's ({rule})"),
        Found::NoUnitFile => instead("no unit file"),
        Found::Boot(state) => instead(&format!("it {state}")),
        Found::Stopped => instead("it stopped"),
        Found::Unit { active, start, outdated: false } => {
            instead(&format!("it {active} in start {start:.12}"))
        }
        Found::Unit { active, start, outdated: true } => instead(&format!(
            "it {active} in start {start:.12}, running with files other than those on the disk"
        )),
        Found::Start(start) => {
            let expected = match expected {
                Expected::Start(planned) => format!("start {planned:.12}"),
                other => self::expected(other),
            };
            format!("{what} was restarted (expected {expected}, found {start:.12})")
        }
        Found::ChangedInput => format!("a file that {what} reads has changed since it was started"),
    };
    format!("changed on the host since the plan: {change}")
}

fn expected(expected: &Expected<Printable>) -> String {
    match expected {
        Expected::Nothing => "nothing".to_owned(),
        Expected::File(sha256) => file(sha256.as_ref()),
        Expected::Link(target) => format!("a symbolic link to {target}"),
        Expected::Directory => "a directory".to_owned(),
        Expected::Staged { of, sha256: None } => format!("the staged {of}"),
        Expected::Staged { of, sha256: Some(sha256) } => {
            format!("the staged {of}, sha256 {:.12}", sha256.to_string())
        }
        Expected::Access(access) => format!("mode and owner {access}"),
        Expected::NotInstalled => "it not to be installed".to_owned(),
        Expected::Unfinished => "an unfinished installation".to_owned(),
        Expected::NoRule => "no rule".to_owned(),
        Expected::Disabled => "it to be disabled".to_owned(),
        Expected::Starting => "it to be starting".to_owned(),
        Expected::Stopped => "it to be stopped".to_owned(),
        Expected::Start(start) => format!("it to be running in start {start:.12}"),
    }
}

fn thing(thing: &Thing<Printable>) -> String {
    match thing {
        Thing::File(sha256) => file(sha256.as_ref()),
        Thing::Link(target) => format!("a symbolic link to {target}"),
        Thing::Directory => "a directory".to_owned(),
        Thing::Other => "something that is neither a file nor a directory".to_owned(),
    }
}

fn file(sha256: Option<&Sha256>) -> String {
    match sha256 {
        Some(sha256) => format!("a file with sha256 {:.12}", sha256.to_string()),
        None => "a file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_names_what_it_is_about() {
        let text = Printable::line;
        let file = |content: &[u8]| Some(Sha256::of(content));
        let found = |thing| Found::There(thing);
        let there = |thing, access: &str| Found::WithAccess(thing, text(access));
        let start = || Expected::Start(text("0123456789abcdef"));
        let unit =
            |outdated| Found::Unit { active: text("active"), start: text("fedcba9876543210"), outdated };
        let of = || text("/a");
        let table = [
            ("/a", Expected::Nothing, found(Thing::Directory), "/a (expected nothing, found a directory)"),
            (
                "/a",
                Expected::File(file(b"x")),
                found(Thing::File(file(b"y"))),
                "/a (expected a file with sha256 2d711642b726, found a file with sha256 a1fce4363854)",
            ),
            (
                "/a",
                Expected::Link(text("b")),
                found(Thing::Other),
                "/a (expected a symbolic link to b, found something that is neither a file nor a directory)",
            ),
            ("/a", Expected::File(None), Found::Nothing, "/a (expected a file, found nothing)"),
            (
                "/a",
                Expected::Directory,
                found(Thing::Link(text("b"))),
                "/a (expected a directory, found a symbolic link to b)",
            ),
            ("/a", Expected::Directory, Found::AnotherDirectory, "/a (another directory is there now)"),
            (
                "/a",
                Expected::Nothing,
                there(Thing::Directory, "700 root:root"),
                "/a (expected nothing, found a directory with mode and owner 700 root:root)",
            ),
            (
                "/a",
                Expected::Access(text("600 root:root")),
                there(Thing::File(None), "666 root:root"),
                "/a (expected mode and owner 600 root:root, found a file with 666 root:root)",
            ),
            (
                "/b",
                Expected::Staged { of: of(), sha256: None },
                Found::Nothing,
                "/b (expected the staged /a, found nothing)",
            ),
            (
                "/b",
                Expected::Staged { of: of(), sha256: file(b"x") },
                Found::Nothing,
                "/b (expected the staged /a, sha256 2d711642b726, found nothing)",
            ),
            (
                "docker.io",
                Expected::NotInstalled,
                Found::Package(text("unpacked")),
                "package docker.io (expected it not to be installed, found it unpacked)",
            ),
            (
                "docker.io",
                Expected::Unfinished,
                Found::NotInstalled,
                "package docker.io (expected an unfinished installation, found none)",
            ),
            (
                "80/tcp",
                Expected::NoRule,
                Found::Rule(text("deny tcp 80")),
                "ufw now has a rule for 80/tcp that isn't spore's (deny tcp 80)",
            ),
            (
                "u",
                Expected::Disabled,
                Found::Boot(text("masked")),
                "u (expected it to be disabled, found it masked)",
            ),
            (
                "u",
                Expected::Disabled,
                Found::NoUnitFile,
                "u (expected it to be disabled, found no unit file)",
            ),
            ("u", Expected::Starting, Found::Stopped, "u (expected it to be starting, found it stopped)"),
            (
                "u",
                Expected::Stopped,
                unit(false),
                "u (expected it to be stopped, found it active in start fedcba987654)",
            ),
            (
                "u",
                start(),
                unit(true),
                "u (expected it to be running in start 0123456789ab, found it active in start fedcba987654, \
                 running with files other than those on the disk)",
            ),
            (
                "u",
                start(),
                Found::Start(text("fedcba9876543210")),
                "u was restarted (expected start 0123456789ab, found fedcba987654)",
            ),
            ("u", start(), Found::ChangedInput, "a file that u reads has changed since it was started"),
        ];
        for (what, expected, found, sentence) in table {
            let said = differs(&Differs { what: text(what), expected, found });
            assert_eq!(said, format!("changed on the host since the plan: {sentence}"));
        }
    }
}
