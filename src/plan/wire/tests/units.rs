//! Tests of the actions on packages, the firewall and units.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

pub(super) const UNIT: &str = "tau@elders.service";
const CONFIG: &str = "services: []\nprivatekey: \
    CAESQ56789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghi=\n";
const SOON: Duration = Duration::from_millis(50);
pub(super) const LONG: Duration = Duration::from_secs(20);

pub(super) fn show(host: &FakeHost, file: &str, active: &str, invocation: &str) {
    let text = format!(
        "ActiveState={active}\nSubState=running\nResult=success\nInvocationID={invocation}\nMainPID=42\n\
         NRestarts=0\nExecMainStatus=0\nActiveEnterTimestampMonotonic=1\n\
         ExecMainStartTimestamp=Fri 2100-01-01 00:00:00.000000 UTC\nFragmentPath=/etc/tau@.service\nDropInPaths=\n\
         NeedDaemonReload=no\n"
    );
    host.write(&format!("/manager/{file}"), text.as_bytes());
}

/// A host with a unit in the state `active` and the start `invocation`. If the unit is
/// started, it becomes healthy in the start `next`.
pub(super) fn with_unit(active: &str, invocation: &str, next: &str) -> FakeHost {
    let host = FakeHost::new();
    show(&host, "show", active, invocation);
    show(&host, "next", "active", next);
    for id in [invocation, next] {
        let said = format!("noise\nelders started! with id: {id}\n");
        host.write(&format!("/manager/journal-{id}"), said.as_bytes());
    }
    host.write("/etc/tau@.service", b"[Unit]\n");
    host.write("/tb/config/elders.yaml", CONFIG.as_bytes());
    host.write("/tb/config/keys/swarm.key", b"/key/...\n");
    fs::create_dir(host.at("/proc/42")).unwrap();
    fs::create_dir_all(host.at("/tb/plugins")).unwrap();
    symlink("/tb/bin/tau", host.at("/proc/42/exe")).unwrap();
    let listens = "   0: 00000000000000000000000000000000:147A 00000000000000000000000000000000:0000 0A 0\n";
    host.write("/proc/net/tcp6", listens.as_bytes());
    host
}

pub(super) fn health(id: &str, port: u16, within: Duration) -> Option<Health> {
    let says = format!("elders started! with id: {id}");
    Some(Health { says, listens: vec![port], within, handshake: None })
}

fn start(before: Running, health: Option<Health>) -> Action {
    Action::Start { unit: UNIT.to_owned(), before, health, fallback: Fallback::Leave }
}

pub(super) fn invocation(id: &str) -> Running {
    Running::Invocation(id.to_owned())
}

fn record(id: &str) -> Action {
    let inputs = ["/tb/config/elders.yaml", "/tb/config/keys/swarm.key"];
    Action::Record {
        unit: UNIT.to_owned(),
        invocation: id.to_owned(),
        inputs: inputs.map(ToOwned::to_owned).to_vec(),
    }
}

#[test]
fn a_package_is_installed_once() {
    let host = FakeHost::new();
    let install = |name: &str| Action::Install { package: name.to_owned(), unfinished: false };
    let verbs = || -> Vec<&str> {
        let verb =
            |call: &String| ["update", "install"].into_iter().find(|verb| call.contains(verb)).unwrap();
        host.calls().iter().map(verb).collect()
    };
    assert_eq!(host.act(&install("docker.io")), Outcome::Done);
    assert_eq!(verbs(), ["install", "update", "install"]);
    assert_eq!(host.act(&install("docker.io")), Outcome::Already);
    assert_eq!(host.calls(), [""; 0]);
    assert_eq!(host.act(&install("other")), Outcome::Done);
    assert_eq!(verbs(), ["install"]);
    assert!(failed(&host.act(&install("broken"))).contains("returned an error code"));
}

#[test]
fn a_package_whose_state_has_changed_is_left_alone() {
    let host = FakeHost::new();
    let install = |unfinished| Action::Install { package: "docker.io".to_owned(), unfinished };
    let changed = |expected, found| Differs { what: text("docker.io"), expected, found };
    assert_eq!(differs(&host.act(&install(true))), &changed(Expected::Unfinished, Found::NotInstalled));
    host.write("/unpacked-docker.io", b"");
    let cut_off = changed(Expected::NotInstalled, Found::Package(text("unpacked")));
    assert_eq!(differs(&host.act(&install(false))), &cut_off);
    assert_eq!(host.calls(), [""; 0]);
    assert_eq!(host.act(&install(true)), Outcome::Done);
    assert_eq!(host.act(&install(true)), Outcome::Already);
    // No other package is removed for the installation.
    assert!(host.calls().iter().all(|call| call.contains(" update") || call.contains(" --no-remove ")));
}

/// `ufw` has only one rule per port, so it would replace or delete the owner's.
#[test]
fn a_rule_of_the_owners_is_never_replaced() {
    let host = FakeHost::new();
    let port = Port { number: 5242, transport: Transport::Tcp };
    for (action, comment, outcome) in [
        ("limit", "", true),
        ("allow_log", " comment=6f776e6572", true),
        ("deny", "", false),
        // The owner has changed a rule of ours.
        ("reject", " comment=73706f7265", false),
    ] {
        for (file, any) in [("user.rules", "0.0.0.0/0"), ("user6.rules", "::/0")] {
            host.write("/etc/ufw/user.rules", b"");
            host.write("/etc/ufw/user6.rules", b"");
            let rule = format!("### tuple ### {action} tcp 5242 {any} any {any} in{comment}\n");
            host.write(&format!("/etc/ufw/{file}"), rule.as_bytes());
            let allowed = host.act(&Action::Allow(port));
            assert_eq!(allowed == Outcome::Already, outcome, "{rule}{allowed:?}");
            let differs = matches!(&allowed, Outcome::Differs(Differs { found: Found::Rule(_), .. }));
            assert_eq!(differs, !outcome, "{rule}{allowed:?}");
            assert_eq!(host.act(&Action::Disallow(port)), Outcome::Already, "{rule}");
            assert_eq!(host.calls(), [""; 0], "{rule}");
            assert_eq!(host.read(&format!("/etc/ufw/{file}")), rule);
        }
    }
}

#[test]
fn a_port_is_let_in_and_out() {
    let host = FakeHost::new();
    host.write("/etc/ufw/user.rules", b"### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n");
    let port = |number| Port { number, transport: Transport::Tcp };
    assert_eq!(host.act(&Action::Allow(port(22))), Outcome::Already, "the owner's");
    assert_eq!(host.act(&Action::Disallow(port(22))), Outcome::Already, "not ours to close");
    assert_eq!(host.calls(), [""; 0]);
    let (allow, disallow, reload) =
        ("ufw allow 5242/tcp comment spore", "ufw delete allow 5242/tcp", "ufw reload");
    assert_eq!(host.act(&Action::Allow(port(5242))), Outcome::Done);
    assert_eq!(host.calls(), [allow]);
    assert_eq!(host.act(&Action::Allow(port(5242))), Outcome::Already);
    assert_eq!(host.calls(), [reload], "by one that was cut off, perhaps");
    assert_eq!(host.act(&Action::Disallow(port(5242))), Outcome::Done);
    assert_eq!(host.calls(), [disallow]);
    assert_eq!(host.act(&Action::Disallow(port(5242))), Outcome::Already);
    assert_eq!(host.calls(), [reload]);

    // An action was cut off between IPv4 and IPv6.
    for file in ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"] {
        assert_eq!(host.act(&Action::Allow(port(5242))), Outcome::Done);
        host.write(file, b"");
        host.calls();
        assert_eq!(host.act(&Action::Allow(port(5242))), Outcome::Done);
        assert_eq!(host.calls(), [allow, reload], "{file}");
        host.write(file, b"");
        assert_eq!(host.act(&Action::Disallow(port(5242))), Outcome::Done);
        assert_eq!(host.calls(), [disallow, reload], "{file}");
    }
}

#[test]
fn a_unit_is_enabled_and_disabled_once() {
    let host = FakeHost::new();
    host.write("/manager/enabled", b"disabled\n");
    host.write("/etc/systemd/system/multi-user.target.wants/x", b"");
    let unit = || UNIT.to_owned();
    let (enable, disable) =
        (Action::Enable { unit: unit() }, Action::Disable { unit: unit(), enabled: true });
    // The records contain secrets, so they are removed even if the unit is disabled
    // already.
    host.write("/run/spore/elders/a1/config.yaml", b"x");
    host.write("/run/spore/elders/.part/config.yaml", b"x");
    host.write("/run/spore/others/a1/config.yaml", b"x");
    assert_eq!(host.act(&disable), Outcome::Already);
    assert_eq!(host.list("/run/spore"), ["others"]);
    assert_eq!(host.act(&enable), Outcome::Done);
    assert_eq!(host.act(&enable), Outcome::Already);
    host.write("/run/spore/elders/a1/config.yaml", b"x");
    host.write("/manager/disable.fails", b"Connection timed out\n");
    assert!(failed(&host.act(&disable)).ends_with("Connection timed out"));
    assert_eq!(host.list("/run/spore"), ["others"]);
    std::fs::remove_file(host.at("/manager/disable.fails")).unwrap();
    assert_eq!(host.act(&disable), Outcome::Done);
    host.write("/manager/enable.fails", b"Unit is masked.\n");
    assert_eq!(failed(&host.act(&enable)), "systemctl enable tau@elders.service: Unit is masked.");
}

#[test]
fn a_unit_that_was_enabled_or_masked_since_is_left_alone() {
    let host = FakeHost::new();
    let disable = Action::Disable { unit: UNIT.to_owned(), enabled: false };
    let enable = Action::Enable { unit: UNIT.to_owned() };
    let changed = |found| Differs { what: text(UNIT), expected: Expected::Disabled, found };
    host.write("/run/spore/elders/a1/config.yaml", b"x");
    host.write("/manager/enabled", b"enabled\n");
    assert_eq!(differs(&host.act(&disable)), &changed(Found::Boot(text("enabled"))));
    assert!(host.exists("/run/spore/elders/a1/config.yaml"));
    for (said, found) in [
        ("masked", Found::Boot(text("masked"))),
        ("masked-runtime", Found::Boot(text("masked-runtime"))),
        ("not-found", Found::NoUnitFile),
        (
            "Failed to get unit file state for tau@elders.service: No such file or directory",
            Found::NoUnitFile,
        ),
    ] {
        host.write("/manager/enabled", format!("{said}\n").as_bytes());
        assert_eq!(differs(&host.act(&enable)), &changed(found));
        assert_eq!(host.act(&disable), Outcome::Already, "{said}");
    }
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn units_are_reloaded_if_they_are_outdated() {
    const FILE: &str = "/etc/systemd/system/tau@.service";
    let host = with_unit("active", "a1", "b2");
    let loaded = |file: &str, stale: &str| {
        let unit = format!("FragmentPath={file}\nNeedDaemonReload={stale}\n");
        host.write("/manager/show", format!("{unit}\n").as_bytes());
    };
    let reload = |content: Option<&[u8]>| Action::Reload {
        files: [(FILE.to_owned(), content.map(Sha256::of))].into(),
    };
    let did = ["systemctl daemon-reload"];
    host.write(FILE, b"new");
    loaded(FILE, "yes");
    assert_eq!(host.act(&reload(Some(b"new"))), Outcome::Done);
    assert_eq!(host.calls(), did);
    assert_eq!(host.act(&reload(Some(b"new"))), Outcome::Already);
    assert_eq!(host.calls(), [""; 0]);
    // The service manager doesn't report that another file takes precedence over the loaded
    // one.
    loaded("/lib/systemd/system/tau@.service", "no");
    assert_eq!(host.act(&reload(Some(b"new"))), Outcome::Done);
    assert_eq!(host.calls(), did);
    // If no unit of the file is loaded, it isn't known whether a reload is needed.
    host.write("/manager/show", b"");
    assert_eq!(host.act(&reload(Some(b"new"))), Outcome::Done);
    assert_eq!(host.calls(), did);
    // A reload would load another file than the planned one.
    loaded(FILE, "yes");
    let changed = |expected, found| Differs { what: text(FILE), expected, found };
    let planned = Expected::File(Some(Sha256::of(b"planned")));
    assert_eq!(differs(&host.act(&reload(Some(b"planned")))), &changed(planned, is_file(b"new")));
    assert_eq!(differs(&host.act(&reload(None))), &changed(Expected::Nothing, is_file(b"new")));
    fs::remove_file(host.at(FILE)).unwrap();
    assert_eq!(*found(&host.act(&reload(Some(b"new")))), Found::Nothing);
    assert_eq!(host.calls(), [""; 0]);
    assert_eq!(host.act(&reload(None)), Outcome::Done);
    loaded("/lib/systemd/system/tau@.service", "no");
    assert_eq!(host.act(&reload(None)), Outcome::Already);
    assert_eq!(host.calls(), did);
}

fn stop(before: Running) -> Action {
    Action::Stop { unit: UNIT.to_owned(), before }
}

#[test]
fn only_the_start_that_was_planned_on_is_stopped() {
    let host = with_unit("active", "a1", "b2");
    let found = Found::Unit { active: text("active"), start: text("a1"), outdated: false };
    let changed = |expected| Differs { what: text(UNIT), expected, found: found.clone() };
    let planned = Expected::Start(text("c3"));
    assert_eq!(differs(&host.act(&stop(invocation("c3")))), &changed(planned));
    assert_eq!(differs(&host.act(&stop(Running::Stopped))), &changed(Expected::Stopped));
    assert_eq!(host.calls(), [""; 0]);
    // A unit that keeps dying is stopped in any start.
    show(&host, "next", "inactive", "a1");
    assert_eq!(host.act(&stop(Running::Failing)), Outcome::Done);
    assert_eq!(host.act(&stop(Running::Stopped)), Outcome::Already);
    // The unit has exited since the plan.
    show(&host, "show", "failed", "b2");
    assert_eq!(host.act(&stop(invocation("a1"))), Outcome::Done);
}

#[test]
fn a_unit_that_was_stopped_is_not_waited_for() {
    let host = with_unit("inactive", "a1", "b2");
    let health = health("b2", 5242, LONG).unwrap();
    let wait = Action::Await { unit: UNIT.to_owned(), health, fallback: Fallback::Stop };
    let changed = Differs { what: text(UNIT), expected: Expected::Starting, found: Found::Stopped };
    assert_eq!(differs(&host.act(&wait)), &changed);
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn a_unit_is_stopped_once() {
    let host = with_unit("active", "a1", "b2");
    show(&host, "next", "failed", "a1");
    let stop = stop(invocation("a1"));
    assert_eq!(host.act(&stop), Outcome::Done);
    assert_eq!(host.calls(), ["stop", "reset-failed"].map(|verb| format!("systemctl {verb} -- {UNIT}")));
    assert_eq!(host.act(&stop), Outcome::Already);
}

#[test]
fn a_unit_is_started_once() {
    let host = with_unit("failed", "a1", "b2");
    let start = start(Running::Stopped, health("b2", 5242, LONG));
    assert_eq!(host.act(&start), Outcome::Done);
    assert_eq!(host.calls(), ["reset-failed", "start"].map(|verb| format!("systemctl {verb} -- {UNIT}")));
    // Without a record, it isn't known what the unit runs with.
    let changed = Differs { what: text(UNIT), expected: Expected::Stopped, found: outdated("b2") };
    assert_eq!(differs(&host.act(&start)), &changed);
    // The same in a request with the other actions on units.
    let enable = Action::Enable { unit: UNIT.to_owned() };
    host.write("/manager/enabled", b"enabled\n");
    assert_eq!(differs(&host.run(&[start.clone(), enable.clone()])[0]), &changed);
    assert_eq!(differs(&host.run(&[enable, start.clone()])[1]), &changed);
    // This is what our unit template would have recorded.
    assert_eq!(host.act(&record("b2")), Outcome::Done);
    assert_eq!(host.act(&start), Outcome::Already);
    assert!(host.exists("/run/spore/elders/b2/healthy"));
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn a_unit_on_its_way_down_is_started_when_it_has_ended() {
    let host = with_unit("deactivating", "one", "two");
    assert_eq!(host.act(&start(Running::Stopped, health("two", 5242, LONG))), Outcome::Done);
    assert!(host.calls().iter().any(|call| call.contains(&format!("start -- {UNIT}"))));
}

#[test]
fn a_restart_replaces_the_start_that_was_planned_on() {
    let host = with_unit("active", "a1", "b2");
    assert_eq!(host.act(&record("a1")), Outcome::Done);
    host.write("/tb/config/elders.yaml", b"new");
    let start = start(invocation("a1"), health("b2", 5242, LONG));
    assert_eq!(host.act(&start), Outcome::Done);
    assert_eq!(host.calls(), [format!("systemctl restart -- {UNIT}")]);
    assert_eq!(host.act(&record("b2")), Outcome::Done);
    assert_eq!(host.act(&start), Outcome::Already);
    host.write("/tb/config/elders.yaml", b"newer");
    let expected = Expected::Start(text("a1"));
    let changed = Differs { what: text(UNIT), expected, found: outdated("b2") };
    assert_eq!(differs(&host.act(&start)), &changed);
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn a_program_that_was_replaced_asks_for_a_restart() {
    let host = with_unit("active", "b2", "c3");
    assert_eq!(host.act(&record("b2")), Outcome::Done);
    let start = start(invocation("a1"), health("b2", 5242, LONG));
    assert_eq!(host.act(&start), Outcome::Already);
    fs::remove_file(host.at("/proc/42/exe")).unwrap();
    symlink("/tb/bin/tau (deleted)", host.at("/proc/42/exe")).unwrap();
    assert_eq!(*found(&host.act(&start)), outdated("b2"));
}

/// Active in this start, with other files than those on the disk.
fn outdated(start: &str) -> Found<Printable> {
    Found::Unit { active: text("active"), start: text(start), outdated: true }
}

#[test]
fn a_failing_unit_is_restarted_whatever_it_is() {
    let host = with_unit("activating", "a1", "b2");
    assert_eq!(host.act(&start(Running::Failing, health("b2", 5242, LONG))), Outcome::Done);
    assert_eq!(host.calls(), [format!("systemctl restart -- {UNIT}")]);
}

/// The process has died since the plan, and systemd is about to start it again.
#[test]
fn a_unit_that_is_starting_again_is_restarted() {
    let host = with_unit("activating", "a1", "b2");
    assert_eq!(host.act(&start(invocation("a1"), health("b2", 5242, LONG))), Outcome::Done);
    assert_eq!(host.calls(), [format!("systemctl restart -- {UNIT}")]);
}

#[test]
fn a_unit_that_is_not_healthy_is_told_why() {
    for (id, port, missing) in [
        ("b2", 5243, "within 0 s it did not listen on TCP port 5243"),
        ("c3", 5242, "within 0 s its journal did not say \"elders started! with id: c3\""),
    ] {
        let host = with_unit("inactive", "a1", "b2");
        let outcome = host.act(&start(Running::Stopped, health(id, port, SOON)));
        let expected =
            format!("{UNIT} is not healthy: {missing}; its journal ends:\none line\nthe last line");
        assert_eq!(failed(&outcome), expected);
        assert!(!host.exists("/run/spore/elders/b2/healthy"));
    }
}

#[test]
fn a_unit_that_dies_is_not_waited_for() {
    let host = with_unit("inactive", "a1", "b2");
    // At each look, the unit has been started once more.
    let systemctl = r#"
        [ "$1" = show ] || exit 0
        count=$SPORE_ROOT/manager/count
        printf x >>"$count"
        read -r n <"$count"
        case $n in
            x) cat "$SPORE_ROOT/manager/show" ;;
            *) sed "s/inactive/activating/; s/a1/b$n/" "$SPORE_ROOT/manager/show" ;;
        esac"#;
    host.stand_in("systemctl", systemctl);
    let outcome = host.act(&start(Running::Stopped, health("b2", 5242, LONG)));
    assert!(failed(&outcome).contains("it crashed 2 times; its journal ends:"), "{outcome:?}");

    let host = with_unit("inactive", "a1", "b2");
    show(&host, "next", "failed", "b2");
    let outcome = host.act(&start(Running::Stopped, health("b2", 5242, LONG)));
    assert!(failed(&outcome).contains("it exited; its"), "{outcome:?}");
}

#[test]
fn a_unit_without_signs_of_health_only_has_to_be_active() {
    let host = with_unit("inactive", "a1", "b2");
    assert_eq!(host.act(&start(Running::Stopped, None)), Outcome::Done);
}

/// This applies to a unit that isn't a node's.
#[test]
fn a_unit_that_the_boot_starts_just_now_is_waited_for() {
    let host = with_unit("activating", "a1", "b2");
    host.stand_in(
        "systemctl",
        "cat \"$SPORE_ROOT/manager/show\"; sed -i s/=activating/=active/ \"$SPORE_ROOT/manager/show\"",
    );
    assert_eq!(host.act(&start(Running::Stopped, None)), Outcome::Already);
}

/// In a container, /proc/uptime may have the uptime of the container.
#[test]
fn a_unit_that_came_up_in_the_future_settles() {
    let host = with_unit("inactive", "a1", "b2");
    let next = host.read("/manager/next");
    let next = next.replace("TimestampMonotonic=1\n", "TimestampMonotonic=900000000000000\n");
    host.write("/manager/next", next.as_bytes());
    assert_eq!(host.act(&start(Running::Stopped, health("b2", 5242, LONG))), Outcome::Done);
}

#[test]
fn a_unit_on_its_way_is_waited_for() {
    let host = with_unit("active", "b2", "");
    let health = health("b2", 5242, LONG).unwrap();
    let wait = Action::Await { unit: UNIT.to_owned(), health, fallback: Fallback::Leave };
    assert_eq!(host.act(&wait), Outcome::Done);
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn what_a_unit_runs_with_is_noted_once() {
    let host = with_unit("active", "a1", "b2");
    host.write("/run/spore/elders/earlier/digests", b"");
    assert_eq!(host.act(&record("a1")), Outcome::Done);
    assert_eq!(host.list("/run/spore/elders"), ["a1"]);
    let noted = host.read("/run/spore/elders/a1/config.yaml");
    assert_eq!(noted, "services: []\npublickey: cdefghijklmnopqrstuvwxyz0123456789abcdefghi=\n");
    let digests = host.read("/run/spore/elders/a1/digests");
    let names: Vec<_> = digests.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(names, ["elders.yaml", "keys/swarm.key"]);
    assert_eq!(host.mode("/run/spore/elders/a1"), 0o700);
    host.write("/tb/config/elders.yaml", b"changed");
    assert_eq!(host.act(&record("a1")), Outcome::Already, "never over one that is there");
    assert_eq!(host.read("/run/spore/elders/a1/config.yaml"), noted);
    let (expected, found) = (Expected::Start(text("c3")), Found::Start(text("a1")));
    assert_eq!(differs(&host.act(&record("c3"))), &Differs { what: text(UNIT), expected, found });
}

fn noted_by_the_unit(host: &FakeHost, invocation: &str) {
    host.shell(&unit_command(host, invocation), b"");
}

/// The command that the unit template runs before a node starts, for this host.
fn unit_command(host: &FakeHost, invocation: &str) -> String {
    let command = crate::daemon::Daemon::Tau
        .template()
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("ExecStartPre=-/bin/sh -c '"));
    let command = command.unwrap().strip_suffix('\'').unwrap();
    // The replacements that systemd makes.
    let command = command.replace("\\\\", "\\").replace("%i", "elders");
    let root = host.at("/");
    let root = root.to_str().unwrap().trim_end_matches('/');
    let command = command.replace("/run/spore", &format!("{root}/run/spore"));
    let command = command.replace("/tb/config", &format!("{root}/tb/config"));
    let command = command.replace("/tb/plugins", &format!("{root}/tb/plugins"));
    format!("exec 2>/dev/null; INVOCATION_ID={invocation}; {command}\n")
}

#[test]
fn no_private_key_is_noted_however_it_is_written() {
    let key = &CONFIG.trim_end()[CONFIG.find("CAES").unwrap()..];
    let (seed, public) = (&key[5..48], &key[48..]);
    let plain = [
        format!("services: []\nprivatekey: {key}\n"),
        format!("privatekey: \"{key}\"\nservices: []\n"),
        format!("privatekey:   '{key}'  \nservices: []\n"),
    ];
    let odd = [
        format!("\"privatekey\": {key}\n"),
        format!("privatekey: |\n  {key}\n"),
        format!("privatekey:\n  {key}\n"),
        format!("privatekey: >-\n  {}\n  {}\n", &key[..9], &key[9..]),
        format!("privatekey: \"{}\\\n  {}\"\n", &key[..9], &key[9..]),
        format!("privatekey: {key} # it was {key}\n"),
        format!("{{privatekey: {key}}}\n"),
        format!("services: []\n# once {key}\n"),
        format!("privatekey: {key}\nother: {key}\n"),
    ];
    let noted = "/run/spore/elders/a1";
    let by_an_apply = |host: &FakeHost| assert_eq!(host.act(&record("a1")), Outcome::Done);
    let by_the_unit = |host: &FakeHost| noted_by_the_unit(host, "a1");
    for (note, who) in [(&by_an_apply as &dyn Fn(&FakeHost), "an apply"), (&by_the_unit, "the unit")] {
        for (config, is_plain) in [(&plain[..], true), (&odd, false)]
            .into_iter()
            .flat_map(|(configs, is_plain)| configs.iter().map(move |config| (config, is_plain)))
        {
            let host = with_unit("active", "a1", "b2");
            host.write("/tb/config/elders.yaml", config.as_bytes());
            note(&host);
            let digests = host.read(&format!("{noted}/digests"));
            let names: Vec<_> = digests.lines().map(|line| line.split_once("  ").unwrap().1).collect();
            assert_eq!(names, ["elders.yaml", "keys/swarm.key"], "{who}: {config}");
            if is_plain {
                let text = host.read(&format!("{noted}/config.yaml"));
                assert!(text.contains(&format!("publickey: {public}\n")), "{who}: {config}: {text}");
                assert!(text.contains("services: []\n") && !text.contains(seed), "{who}: {config}: {text}");
            } else {
                assert!(!host.exists(&format!("{noted}/config.yaml")), "{who}: {config}");
                for name in host.list(noted) {
                    assert!(!host.read(&format!("{noted}/{name}")).contains(seed), "{who}: {config}: {name}");
                }
            }
        }
    }
}

#[test]
fn a_start_older_than_its_files_is_not_noted() {
    let host = with_unit("active", "a1", "b2");
    let said = host.read("/manager/show").replace("Fri 2100-01-01", "Thu 1970-01-01");
    host.write("/manager/show", said.as_bytes());
    assert_eq!(*found(&host.act(&record("a1"))), Found::ChangedInput);
    assert!(!host.exists("/run/spore/elders/a1"));
}

#[test]
fn plugins_and_directives_are_recorded_by_the_unit_and_by_an_apply() {
    let by_an_apply = |host: &FakeHost| {
        let Action::Record { unit, invocation, mut inputs } = record("a1") else { return };
        inputs.push("/tb/plugins/p@1".to_owned());
        assert_eq!(host.act(&Action::Record { unit, invocation, inputs }), Outcome::Done);
    };
    let by_the_unit = |host: &FakeHost| noted_by_the_unit(host, "a1");
    for (note, who) in [(&by_an_apply as &dyn Fn(&FakeHost), "an apply"), (&by_the_unit, "the unit")] {
        let host = with_unit("active", "a1", "b2");
        host.write("/tb/plugins/p@1", b"plugin");
        host.write("/tb/plugins/.spore-p@1-0123", b"staged");
        note(&host);
        let plugins = host.read("/run/spore/elders/a1/plugins");
        assert_eq!(plugins.replace("  ./", "  "), format!("{}  p@1\n", Sha256::of(b"plugin")), "{who}");
        // The stand-in for the service manager reports this about every unit.
        assert!(host.read("/run/spore/elders/a1/unit").contains("ActiveState=active"), "{who}");
        // If the plugin changes, the unit no longer runs with the files on the disk.
        assert_eq!(host.act(&start(Running::Stopped, health("a1", 5242, LONG))), Outcome::Already, "{who}");
        host.write("/tb/plugins/p@1", b"another");
        let start = start(Running::Stopped, health("a1", 5242, LONG));
        assert_eq!(*found(&host.act(&start)), outdated("a1"), "{who}");
    }
}

/// A partial record would be false evidence, for example that a key was missing.
#[test]
fn a_record_by_the_unit_is_complete_or_absent() {
    let host = with_unit("active", "a1", "b2");
    noted_by_the_unit(&host, "a1");
    noted_by_the_unit(&host, "b2");
    assert_eq!(host.list("/run/spore/elders"), ["b2"], "the one before is obsolete");
    fs::remove_file(host.at("/tb/config/keys/swarm.key")).unwrap();
    noted_by_the_unit(&host, "c3");
    assert_eq!(host.list("/run/spore/elders"), [""; 0]);
    host.write("/tb/config/keys/swarm.key", b"/key/...\n");
    host.write("/tb/plugins/p@1", b"plugin");
    // A file can't be written completely, for example because /run is full.
    fs::remove_dir_all(host.at("/run/spore/elders")).unwrap();
    for file in ["config.yaml", "digests", "plugins"] {
        host.shell(
            &format!(
                "mkdir() {{ command mkdir \"$@\" && ln -s /dev/full \"$p/{file}\"; }}\n{}",
                unit_command(&host, "d4")
            ),
            b"",
        );
        assert_eq!(host.list("/run/spore/elders"), [""; 0], "{file}");
    }
}
