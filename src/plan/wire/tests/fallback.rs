//! Tests of units that don't become healthy: they are left, stopped or rolled back. A
//! rollback may be cut off before any of its commands.

use super::handshake::{answers, with_handshake};
use super::units::{LONG, UNIT, health, invocation, show, with_unit};
use super::*;
use std::fs;

const PATH: &str = "/tb/config/elders.yaml";
const UNIT_FILE: &str = "/etc/systemd/system/tau@.service";

/// A stand-in for the service manager. It starts a unit as `bad` if the new file is in
/// place, and as `good` otherwise. A unit that was started as `bad` is failed at the next
/// look.
const SYSTEMCTL: &str = r#"
manager=$SPORE_ROOT/manager
echo "systemctl $*" >>"$SPORE_ROOT/calls"
case $1 in
    show) cat "$manager/show" ;;
    start | restart)
        if [ "$(cat "$SPORE_ROOT/tb/config/elders.yaml")" = new ]; then
            cp "$manager/bad" "$manager/show"
        else
            cp "$manager/good" "$manager/show"
        fi
        ;;
    stop) sed -i s/=failed/=inactive/ "$manager/show" ;;
esac
"#;

/// A running unit that is about to be restarted with two files that have been replaced.
struct Switch {
    host: FakeHost,
    files: Vec<Replaced>,
}

impl Switch {
    fn begin() -> Self {
        let host = with_unit("active", "a1", "b2");
        host.link_command("cp");
        host.stand_in("systemctl", SYSTEMCTL);
        show(&host, "bad", "failed", "bad");
        show(&host, "good", "active", "good");
        host.write("/manager/journal-good", b"elders started! with id: old\n");
        let mut files = Vec::new();
        fs::create_dir_all(host.at("/etc/systemd/system")).unwrap();
        for path in [PATH, UNIT_FILE] {
            let (old, new) = (Sha256::of(b"old"), Sha256::of(b"new"));
            host.write(path, b"old");
            let file = host.stage(path, b"new");
            assert_eq!(host.act(&Action::Place { file, before: Some(old), keep: true }), Outcome::Done);
            files.push(Replaced { path: path.to_owned(), old, new });
        }
        host.calls();
        Self { host, files }
    }

    fn start(&self) -> Action {
        let health = |says| health(says, 5242, LONG).unwrap();
        Action::Start {
            unit: UNIT.to_owned(),
            before: invocation("a1"),
            health: Some(health("new")),
            fallback: Fallback::Revert { files: self.files.clone(), health: health("old") },
        }
    }

    /// For each file, the contents of its path, of the kept version and of the staged
    /// version.
    fn found(&self) -> Vec<[Option<String>; 3]> {
        let read = |path: &str| self.host.exists(path).then(|| self.host.read(path));
        let files = self.files.iter();
        files
            .map(|Replaced { path, old, new }| {
                [read(path), read(&kept_path(path, old)), read(&staged_path(path, new))]
            })
            .collect()
    }
}

fn is(texts: [Option<&str>; 3]) -> [Option<String>; 3] {
    texts.map(|text| text.map(ToOwned::to_owned))
}

#[test]
fn a_unit_that_dies_gets_its_old_files_back() {
    let switch = Switch::begin();
    let outcome = switch.host.act(&switch.start());
    let staged: Vec<_> = switch.files.iter().map(|file| staged_path(&file.path, &file.new)).collect();
    assert_eq!(
        failed(&outcome),
        format!(
            "{UNIT} is not healthy: it exited; rolled back: restored {PATH} {UNIT_FILE} (the new files are staged \
             as {}), and {UNIT} is healthy again with the old files; its journal ends:\none line\nthe last line",
            staged.join(" ")
        )
    );
    assert_eq!(switch.found(), [is([Some("old"), None, Some("new")]), is([Some("old"), None, Some("new")])]);
    let (restart, reset) = (format!("restart -- {UNIT}"), format!("reset-failed -- {UNIT}"));
    let calls = [&restart, "daemon-reload", &reset, &restart];
    assert_eq!(switch.host.calls(), calls.map(|call| format!("systemctl {call}")));
    // If the action is requested again, the start with the old files doesn't count as the
    // planned start.
    let outcome = switch.host.act(&switch.start());
    assert_eq!(differs(&outcome).what, "/tb/config/elders.yaml");
}

#[test]
fn a_unit_that_is_healthy_keeps_its_new_files() {
    let switch = Switch::begin();
    fs::copy(switch.host.at("/manager/good"), switch.host.at("/manager/bad")).unwrap();
    switch.host.write("/manager/journal-good", b"elders started! with id: new\n");
    assert_eq!(switch.host.act(&switch.start()), Outcome::Done);
    assert_eq!(switch.found(), [is([Some("new"), None, None]), is([Some("new"), None, None])]);
}

/// A start with the new files after which the node is healthy in the eyes of its host, and a start
/// of it with a handshake.
fn with_a_node_that_starts() -> (Switch, Action) {
    let switch = Switch::begin();
    fs::copy(switch.host.at("/manager/good"), switch.host.at("/manager/bad")).unwrap();
    let said = b"elders started! with id: old\nelders started! with id: new\n";
    switch.host.write("/manager/journal-good", said);
    let mut start = switch.start();
    if let Action::Start { health, .. } = &mut start {
        *health = with_handshake(health.take());
    }
    (switch, start)
}

#[test]
fn a_failed_handshake_is_rolled_back() {
    let (switch, start) = with_a_node_that_starts();
    let answers = answers(&switch.host, &start, "other-swarm\n");
    let Some(Answer::Ended(0, Ending::Failed(said))) = answers.last() else { panic!("{answers:?}") };
    let said = said.parse(ToOwned::to_owned);
    assert!(said.contains("has another swarm key; rolled back: restored"), "{said}");
    assert!(said.contains(&format!("{UNIT} is healthy again with the old files")), "{said}");
    assert_eq!(switch.found(), [is([Some("old"), None, Some("new")]), is([Some("old"), None, Some("new")])]);
}

/// The next plan waits for the node again, with the same fallback.
#[test]
fn without_the_result_of_a_handshake_nothing_is_rolled_back_or_removed() {
    let (switch, start) = with_a_node_that_starts();
    let script = format!("exec </dev/null\n{}", request(&[call(0, &start)], &patience()));
    let said = switch.host.shell(&script, b"");
    assert!(said.contains(" runs good\n") && said.contains(" failed "), "{said}");
    let both = is([Some("new"), Some("old"), None]);
    assert_eq!(switch.found(), [both.clone(), both]);
    assert_eq!(switch.host.calls(), [format!("systemctl restart -- {UNIT}")]);
}

#[test]
fn old_files_that_do_not_help_either_stay_kept() {
    let switch = Switch::begin();
    fs::copy(switch.host.at("/manager/bad"), switch.host.at("/manager/good")).unwrap();
    let outcome = switch.host.act(&switch.start());
    let why = "but tau@elders.service is not healthy with the old files either: it exited; its journal ends:";
    assert!(failed(&outcome).contains(why), "{outcome:?}");
    let back = is([Some("old"), Some("old"), Some("new")]);
    assert_eq!(switch.found(), [back.clone(), back]);
}

#[test]
fn nothing_is_put_back_where_something_is_missing() {
    let switch = Switch::begin();
    let Replaced { path, old, .. } = &switch.files[1];
    fs::remove_file(switch.host.at(&kept_path(path, old))).unwrap();
    let outcome = switch.host.act(&switch.start());
    let why =
        "it could not be rolled back: expected the old file at /etc/systemd/system/.spore-tau@.service-";
    assert!(failed(&outcome).contains(why), "{outcome:?}");
    assert_eq!(switch.found()[0], is([Some("new"), Some("old"), None]));
}

#[test]
fn a_unit_that_was_down_is_stopped_again() {
    let switch = Switch::begin();
    show(&switch.host, "show", "inactive", "a1");
    let start = |fallback| Action::Start {
        unit: UNIT.to_owned(),
        before: Running::Stopped,
        health: health("new", 5242, LONG),
        fallback,
    };
    let outcome = switch.host.act(&start(Fallback::Stop));
    assert!(failed(&outcome).contains("; stopped to end the crash loop;"), "{outcome:?}");
    let calls = ["start", "stop", "reset-failed"].map(|verb| format!("systemctl {verb} -- {UNIT}"));
    assert_eq!(switch.host.calls(), calls);
    assert!(!switch.host.act(&start(Fallback::Leave)).is_good());
    assert_eq!(switch.host.calls(), [format!("systemctl start -- {UNIT}")]);
}

/// Wherever a rollback is cut off, each path has one of the two versions, and both versions
/// still exist under some name, so that either can be put into place.
#[test]
fn a_rollback_may_be_cut_off_before_any_command() {
    for nth in 1.. {
        let switch = Switch::begin();
        for name in ["ln", "mv", "rm", "sync"] {
            let real = switch.host.real(name);
            switch.host.stand_in(
                name,
                &format!(
                    "echo x >>\"$SPORE_ROOT/passed\"
                    [ \"$(grep -c x \"$SPORE_ROOT/passed\")\" -lt {nth} ] || exit 1
                    exec {real} \"$@\""
                ),
            );
        }
        let text = failed(&switch.host.act(&switch.start())).to_owned();
        let is_whole = text.contains("is healthy again with the old files") && !text.contains("cannot ");
        for [path, kept, staged] in switch.found() {
            let there = |text: &str| [&path, &kept, &staged].into_iter().flatten().any(|found| found == text);
            assert!(path.is_some() && there("old") && there("new"), "{nth}: {path:?} {kept:?} {staged:?}");
        }
        if is_whole {
            assert!(nth > 8, "{text}");
            break;
        }
    }
}

/// The journal was rotated, or isn't stored.
#[test]
fn a_unit_without_a_journal_only_has_to_listen() {
    let host = with_unit("inactive", "a1", "b2");
    host.write("/manager/journal-b2", b"");
    let start = |port| Action::Start {
        unit: UNIT.to_owned(),
        before: Running::Stopped,
        health: health("b2", port, Duration::from_millis(50)),
        fallback: Fallback::Leave,
    };
    assert!(failed(&host.act(&start(5243))).contains("it did not listen on TCP port 5243"));
    show(&host, "show", "inactive", "a1");
    show(&host, "next", "active", "b2");
    assert_eq!(host.act(&start(5242)), Outcome::Done);
}

#[test]
fn who_holds_the_port_is_named() {
    let host = with_unit("inactive", "a1", "b2");
    show(&host, "next", "failed", "b2");
    let line = "listen tcp4 0.0.0.0:5242: bind: address already in use";
    host.stand_in(
        "journalctl",
        &format!("case $* in *_SYSTEMD_UNIT=*) echo '{line}' ;; *) echo noise ;; esac"),
    );
    host.stand_in("ss", r#"echo 'LISTEN 0 128 0.0.0.0:5242 0.0.0.0:* users:(("squatter",pid=77,fd=3))'"#);
    let start = Action::Start {
        unit: UNIT.to_owned(),
        before: Running::Stopped,
        health: health("b2", 5242, LONG),
        fallback: Fallback::Leave,
    };
    let expected = format!(
        "{UNIT} is not healthy: it exited; TCP port 5242 is held by squatter (process 77); its journal ends:\n{line}"
    );
    assert_eq!(failed(&host.act(&start)), expected);
}
