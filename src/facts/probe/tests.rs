//! Tests of the whole probe, against simulated hosts.

use super::fake_root::{FakeRoot, machines, parse};
use crate::facts::{AnswerError, FileFact, PathFact, Record};
use crate::resource::{Access, Port, Sha256, Transport, Unreadable};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

const TAU: &str = "/tb/bin/tau";

fn file<'a>(paths: &'a std::collections::BTreeMap<String, PathFact>, path: &str) -> &'a FileFact {
    match paths.get(path) {
        Some(PathFact::File(file)) => file,
        other => panic!("{path}: {other:?}"),
    }
}

fn sum(text: &str) -> Option<Sha256> {
    Some(Sha256::of(text.as_bytes()))
}

#[test]
fn a_bare_host() {
    let facts = FakeRoot::new().facts(&["elders"]);
    assert_eq!(facts.os, "Debian GNU/Linux 12 (bookworm)");
    assert!(!facts.architecture.is_empty() && facts.free_bytes > 0);
    assert!(!facts.systemd && !facts.apt);
    assert_eq!(facts.paths, [].into());
    assert_eq!(facts.units, [].into());
}

/// Equal ids are recognized, and no id is disclosed.
#[test]
fn a_machine_is_known_by_a_digest_of_its_id() {
    let id = "0123456789abcdef0123456789abcdef";
    let host = FakeRoot::new();
    host.file("/etc/machine-id", format!("{id}\n"));
    let answer = host.answer(&[], false);
    assert!(!answer.contains(id));
    assert_eq!(parse(&answer).unwrap().machine, Some(machines().digest(id.as_bytes())));
    for other in ["uninitialized\n", "", "0123\n"] {
        host.file("/etc/machine-id", other);
        assert_eq!(host.facts(&[]).machine, None, "{other}");
    }
}

#[test]
fn files_of_every_kind() {
    let host = FakeRoot::new();
    for directory in ["/tb/bin", "/tb/config/keys", "/tb/storage/elders", "/mnt/plugins"] {
        host.directory(directory);
    }
    host.file(TAU, "a program");
    host.mode(TAU, 0o755);
    host.file("/tb/config/keys/swarm.key", "swarm");
    host.file("/tb/config/.spore-elders.yaml-0123", "staged");
    host.file("/run/spore/old/.part/config.yaml", "noted");
    host.file("/run/spore/old/1f/config.yaml", "noted");
    host.file("/tmp/swarm.key", "swarm");
    host.file("/usr/bin/apt-get", "");
    host.file("/etc/systemd/system/tau@.service", "[Unit]\r\nDescription=\u{e9}");
    host.file("/etc/systemd/resolved.conf.d/x.conf", "# no\n[Resolve]\nDNSStubListener=no\n");
    host.file(
        "/etc/ufw/user.rules",
        "*filter\n### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\nCOMMIT\n",
    );
    host.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
    host.link("/tb/plugins", host.at("/mnt/plugins"));
    host.link("/tb/logs", "/nowhere");
    host.file("/tb/plugins/p@1", "plugin");
    let fifo = std::process::Command::new("mkfifo").arg(host.at("/tb/config/keys/fifo")).status();
    assert!(fifo.unwrap().success());
    host.mode("/tb/config", 0o750);

    let facts = host.facts(&["elders"]);
    let paths = &facts.paths;
    let tau = file(paths, TAU);
    let metadata = fs::metadata(host.at(TAU)).unwrap();
    assert_eq!((tau.access.mode, tau.size, tau.sha256), (0o755, 9, sum("a program")));
    assert_eq!(tau.device_inode, format!("{}:{}", metadata.dev(), metadata.ino()));
    assert_eq!(tau.mtime_ns, metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec());
    assert_eq!(tau.ctime_ns, metadata.ctime() * 1_000_000_000 + metadata.ctime_nsec());
    assert_eq!(file(paths, "/tb/config/keys/swarm.key").sha256, sum("swarm"));
    assert_eq!(file(paths, "/tmp/swarm.key").sha256, sum("swarm"));
    for start in [".part", "1f"] {
        assert_eq!(file(paths, &format!("/run/spore/old/{start}/config.yaml")).sha256, sum("noted"));
    }
    assert_eq!(file(paths, "/tb/config/.spore-elders.yaml-0123").sha256, sum("staged"));
    assert_eq!(file(paths, "/tb/plugins/p@1").sha256, sum("plugin"));
    assert!(facts.apt && !paths.contains_key("/tb/config/elders.yaml"));
    assert!(matches!(
        &paths["/tb/config"],
        PathFact::Directory { access: Access { mode: 0o750, .. }, through: None, .. }
    ));
    assert!(matches!(&paths["/tb/plugins"],
        PathFact::Directory { through: Some(to), .. } if to.ends_with("/mnt/plugins")));
    assert_eq!(paths["/tb/logs"], PathFact::Link { target: "/nowhere".into() });
    assert_eq!(paths["/tb/config/keys/fifo"], PathFact::Other("a fifo"));
    assert_eq!(
        paths["/etc/resolv.conf"],
        PathFact::Link { target: "../run/systemd/resolve/stub-resolv.conf".into() }
    );
    assert!(matches!(&paths["/tb/storage/elders"], PathFact::Directory { .. }));
    assert_eq!(facts.texts["/etc/systemd/system/tau@.service"].expose(), "[Unit]\nDescription=\u{e9}\n");
    assert_eq!(
        facts.texts["/etc/systemd/resolved.conf.d/x.conf"].expose(),
        "[Resolve]\nDNSStubListener=no\n"
    );
    let tuple = "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n";
    assert_eq!(facts.texts["/etc/ufw/user.rules"].expose(), tuple);
}

/// A link that is replaced after `stat` has recognized it, and before `stat` reads its
/// target. coreutils then prints the link's line up to the name, the complaint, and the
/// line's end.
#[test]
fn a_link_that_is_replaced_under_stat() {
    let replaced = PathFact::Unreadable(Unreadable::Failed("Invalid argument".into()));
    for (why, fact) in [("Invalid argument", Some(&replaced)), ("No such file or directory", None)] {
        for path in ["/tmp/swarm.key", "/etc/resolv.conf"] {
            let host = FakeRoot::new();
            host.file("/etc/ufw/ufw.conf", "ENABLED=no\n");
            host.link(path, "somewhere");
            let link = host.at(path).to_str().unwrap().to_owned();
            host.command(
                "stat",
                &format!(
                    r#"case "$*" in *swarm.key*) ;; *) PATH=/usr/bin:/bin; exec stat "$@" ;; esac
                    said=$(PATH=/usr/bin:/bin; stat "$@" 2>/dev/null)
                    printf %s "$said" | grep -vF {link}
                    printf %s "$said" | grep -F {link} | sed 's/ -> .*//' | tr -d '\n'
                    echo "stat: cannot read symbolic link '{link}': {why}" >&2
                    echo"#
                ),
            );
            let facts = host.facts(&[]);
            assert_eq!(facts.paths.get(path), fact, "{path}: {why}");
            assert!(facts.paths.contains_key("/etc/ufw/ufw.conf"));
        }
    }
}

/// Whatever a user puts into /tmp, the rest of the host is probed. A file as small as a
/// secret is digested, whoever owns it.
#[test]
fn nothing_in_tmp_holds_a_probe_up() {
    const KEY: &str = "/tmp/swarm.key";
    let host = FakeRoot::new();
    host.file("/etc/shadow", "secret");
    host.file("/tb/config/keys/swarm.key", "swarm");
    host.file(KEY, vec![0; 2_000_000]);
    let facts = host.facts(&[]);
    assert_eq!((file(&facts.paths, KEY).size, file(&facts.paths, KEY).sha256), (2_000_000, None));
    // What replaces a file after `stat` has seen it. A pipe may also have a writer that
    // writes nothing, or that never stops writing.
    for swapped in [
        "mkfifo $key",
        "mkfifo $key; sleep 3 <>$key >/dev/null 2>&1 & until [ -p $key ]; do :; done",
        "ln -s $root/etc/shadow $key",
        "mkdir $key",
        "head -c 2000000 /dev/zero >$key",
        ":",
    ] {
        let _ = fs::remove_file(host.at(KEY));
        let _ = fs::remove_dir(host.at(KEY));
        host.file(KEY, "swarm");
        let root = host.at("/");
        let root = root.to_str().unwrap().trim_end_matches('/');
        host.command(
            "stat",
            &format!("(PATH=/usr/bin:/bin; stat \"$@\"); root={root} key={root}{KEY}; [ -e $root/done ] || {{ : >$root/done; rm $key; {swapped}; }}"),
        );
        let facts = host.facts(&[]);
        fs::remove_file(host.at("/done")).unwrap();
        assert_ne!(file(&facts.paths, KEY).sha256, sum("swarm"), "{swapped}");
        assert_ne!(file(&facts.paths, KEY).sha256, sum("secret"), "{swapped}");
        assert_eq!(file(&facts.paths, "/tb/config/keys/swarm.key").sha256, sum("swarm"), "{swapped}");
    }
}

#[test]
fn an_install_that_was_cut_off_is_seen() {
    let host = FakeRoot::new();
    host.says("systemctl", "");
    host.says("dpkg-query", "package\tdocker.io\tunpacked\npackage\tcontainerd\tinstalled\n");
    host.facts(&[]);
    assert_eq!(host.asked("dpkg-query"), "", "nothing of the kind is there");
    host.file("/var/lib/dpkg/info/docker.io.list", "");
    assert_eq!(host.facts(&[]).unfinished, ["docker.io".to_owned()].into());
    host.says("dpkg-query", "package\tdocker.io\tconfig-files\n");
    assert!(host.facts(&[]).unfinished.is_empty());
}

#[test]
fn only_what_is_not_there_is_absent() {
    let host = FakeRoot::new();
    // `/tb/bin` isn't a directory, so it is unknown what would be below it.
    host.file("/tb/bin", "");
    host.link("/tb/config/elders.yaml", "elders.yaml");
    let paths = host.facts(&["elders", "other"]).paths;
    assert_eq!(paths[TAU], PathFact::Unreadable(Unreadable::Failed("Not a directory".into())));
    assert_eq!(paths["/tb/config/elders.yaml"], PathFact::Link { target: "elders.yaml".into() });
    assert!(!paths.contains_key("/tb/config/other.yaml"));
}

#[test]
fn odd_names_are_never_misread() {
    let host = FakeRoot::new();
    host.file("/tb/config/keys/good.key", "x");
    for name in ["a\nend", "b\tpath\tx", "c d", "e -> f", "g\\h", "*", "'q'", "-n", "\u{e9}", "=1\t"] {
        host.file(&format!("/tb/config/keys/{name}"), name);
        host.file(&format!("/tb/config/{name}.yaml"), "privatekey: x\n");
    }
    host.link("/tb/config/keys/to", "x -> y\n\tz");
    host.link("/tb/config/keys/l -> m", "n");
    host.says("systemctl", "");
    let facts = host.facts(&[]);
    let key = |name: &str| format!("/tb/config/keys/{name}");
    for name in ["c d", "e -> f", "*", "'q'", "-n", "good.key"] {
        let content = if name == "good.key" { "x" } else { name };
        assert_eq!(file(&facts.paths, &key(name)).sha256, sum(content), "{name}");
    }
    for name in ["a\\nend", "b\\tpath\\tx", "g\\\\h", "to"] {
        assert!(matches!(facts.paths[&key(name)], PathFact::Unreadable(_)), "{name}");
    }
    assert!(!facts.paths.contains_key(&key("l -> m")));
    let units = host.asked("systemctl");
    assert!(units.ends_with("-- tau@*.service\n"));
}

/// Two units as `systemctl show` describes them, the first one up.
const UNITS: &str = "\
MainPID=77
Result=success
NRestarts=2
ExecMainStartTimestamp=Sat 2026-11-21 08:53:18.950411 UTC
ExecMainStartTimestampMonotonic=900250000
ExecMainStatus=0
ExecStart={ path=/tb/bin/tau ; argv[]=/tb/bin/tau start -s elders --root /tb ; ignore_errors=no ; pid=77 }
LimitCORE=infinity
LimitCORESoft=0
LimitNOFILE=65536
LimitNOFILESoft=65536
User=root
Group=
Id=tau@elders.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/tau@.service
DropInPaths=/etc/systemd/system/tau@.service.d/a.conf /x.conf
UnitFileState=enabled
NeedDaemonReload=yes
InvocationID=58e551f4269f4643b5da4d0bd8f13f3c

MainPID=0
Result=exit-code
NRestarts=7
ExecMainStartTimestamp=
ExecMainStartTimestampMonotonic=0
ExecMainStatus=1
Id=tau@other.service
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
UnitFileState=
NeedDaemonReload=no
InvocationID=
";

const RECORD: &str = "/run/spore/elders/58e551f4269f4643b5da4d0bd8f13f3c";

fn running() -> FakeRoot {
    let host = FakeRoot::new();
    host.says("systemctl", UNITS);
    host.says("journalctl", "x\n12:00\tINFO\tall started! with id: 12D3\nall started! with id: later\n");
    host.file(TAU, "a program");
    host.link("/proc/77/exe", host.at(TAU));
    host.file("/proc/77/cmdline", "/tb/bin/tau\0start\0-s\0elders\0--root\0/tb\0");
    host.file("/proc/77/status", "Name:\ttau\nUid:\t0\t12\t0\t0\nGid:\t0\t34\t0\t0\n");
    host.file(
        "/proc/77/limits",
        "\
Limit                     Soft Limit           Hard Limit           Units     
Max core file size        0                    unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max open files            65536                65536                files     
Max locked memory         8388608              8388608              bytes     
",
    );
    host
}

#[test]
fn units_and_what_they_run() {
    let host = running();
    host.link("/etc/systemd/system/multi-user.target.wants/tau@gone.service", "x");
    host.file("/lib/systemd/system/docker.service", "");
    host.link("/etc/systemd/system/containerd.service", "/dev/null");
    host.file("/tb/config/there.yaml", "ports: {main: 1}\n");
    host.file(&format!("{RECORD}/config.yaml"), "privatekey: x\n");
    let digests = format!("{}  elders.yaml\n{}  /else/where\nnonsense\n", Sha256::of(b"1"), Sha256::of(b"2"));
    host.file(&format!("{RECORD}/digests"), digests);
    let facts = host.facts(&["elders"]);
    assert!(facts.systemd);
    let unit = &facts.units["tau@elders.service"];
    assert_eq!(
        (unit.load.as_str(), unit.active.as_str(), unit.sub.as_str()),
        ("loaded", "active", "running")
    );
    assert_eq!(
        (unit.enabled.as_str(), unit.restarts, unit.pid, unit.need_reload),
        ("enabled", 2, Some(77), true)
    );
    assert_eq!(unit.drop_ins, ["/etc/systemd/system/tau@.service.d/a.conf", "/x.conf"]);
    assert_eq!(unit.directives["ExecStart"], "/tb/bin/tau start -s elders --root /tb");
    assert_eq!(unit.directives["LimitCORE"], "0:infinity");
    assert_eq!(unit.started_ns, Some(1_795_251_198_950_411_000));
    assert_eq!(unit.age, Some(Duration::from_millis(100_250)));
    let process = unit.process.as_ref().unwrap();
    assert_eq!((process.exe, process.uid, process.gid), (sum("a program"), 12, 34));
    assert_eq!(process.arguments, "/tb/bin/tau start -s elders --root /tb");
    let limits = [("LimitCORE", "0:infinity"), ("LimitNOFILE", "65536"), ("LimitRSS", "infinity")];
    assert_eq!(process.limits, limits.map(|(name, limit)| (name.to_owned(), limit.to_owned())).into());
    let digests = [("/else/where", b"2"), ("/tb/config/elders.yaml", b"1")];
    let digests = digests.map(|(path, content)| (path.to_owned(), Sha256::of(content))).into();
    let (plugins, directives) = (None, BTreeMap::new());
    assert_eq!(unit.record, Some(Record { config: None, digests, plugins, directives }));
    assert_eq!(unit.said.as_deref(), Some("12:00\tINFO\tall started! with id: 12D3"));
    assert!(!unit.healthy);
    let other = &facts.units["tau@other.service"];
    assert_eq!((other.load.as_str(), other.result.as_str()), ("not-found", "exit-code 1"));
    assert_eq!((&other.process, &other.invocation, other.started_ns, other.age), (&None, &None, None, None));
    let asked = host.asked("systemctl");
    assert!(
        asked.ends_with("-- tau@*.service docker.service containerd.service tau@elders.service tau@there.service tau@gone.service\n"),
        "{asked}"
    );
    assert_eq!(facts.texts.keys().collect::<Vec<_>>(), ["/tb/config/there.yaml"]);
    let journal = host.asked("journalctl");
    assert!(journal.ends_with("_SYSTEMD_INVOCATION_ID=58e551f4269f4643b5da4d0bd8f13f3c\n"), "{journal}");
}

#[test]
fn a_record_holds_plugins_and_directives() {
    let host = running();
    host.file(&format!("{RECORD}/digests"), format!("{}  elders.yaml\n", Sha256::of(b"1")));
    host.file(
        &format!("{RECORD}/plugins"),
        format!("{}  ./p@1\n{}  q\n", Sha256::of(b"2"), Sha256::of(b"3")),
    );
    host.file(&format!("{RECORD}/unit"), "User=root\nLimitNOFILE=4096\nLimitNOFILESoft=1024\n");
    let record = host.facts(&[]).units["tau@elders.service"].record.clone().unwrap();
    let plugins = [("/tb/plugins/p@1", b"2"), ("/tb/plugins/q", b"3")];
    let plugins = plugins.map(|(path, content)| (path.to_owned(), Sha256::of(content))).into();
    assert_eq!(record.plugins, Some(plugins));
    let directives = [("LimitNOFILE", "1024:4096"), ("User", "root")];
    assert_eq!(record.directives, directives.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn of_drop_ins_only_what_matters_and_no_value_of_a_variable_is_sent() {
    let host = running();
    host.says("systemctl", &UNITS.replace("DropInPaths=", "DropInPaths=/lib/own.conf "));
    host.file(
        "/lib/own.conf",
        "# of the owner\n[Service]\nEnvironment=\"PASS=hunter2 TOKEN=x\" NAME=y\nEnvironmentFile=-/etc/hidden\n\
         CPUQuota=20%\nExecStartPost=/bin/curl hunter2\nExecStart=\nExecStart=/tb/bin/tau start \\\n -s %i\n",
    );
    host.file("/etc/systemd/system/tau@.service", "[Service]\nEnvironment=PASS=hunter2\nNice=5\n");
    host.file("/etc/systemd/system/tau@elders.service", "[Service]\nEnvironment=PASS=hunter2\n");
    host.file(
        "/proc/77/environ",
        "PATH=/bin\0PASS=hunter2\nNOT=one\0INVOCATION_ID=1\0LC_ALL=C\0FOR_ALL=x\0_A1=\0",
    );
    let answer = host.answer(&[], false);
    assert!(!answer.contains("hunter2") && !answer.contains("hidden"), "{answer}");
    let facts = parse(&answer).unwrap();
    let drop_in = "[Service]\nEnvironment=PASS TOKEN NAME\nEnvironmentFile=...\nExecStart=\nExecStart=/tb/bin/tau start   -s %i\n";
    assert_eq!(facts.texts["/lib/own.conf"].expose(), drop_in);
    assert_eq!(
        facts.texts["/etc/systemd/system/tau@.service"].expose(),
        "[Service]\nEnvironment=PASS\nNice=5\n"
    );
    assert!(!facts.texts.contains_key("/etc/systemd/system/tau@elders.service"));
    assert!(facts.paths.contains_key("/etc/systemd/system/tau@elders.service"));
    let process = facts.units["tau@elders.service"].process.clone().unwrap();
    assert_eq!(process.environment.iter().collect::<Vec<_>>(), ["FOR_ALL", "PASS", "_A1"]);
}

#[test]
fn a_clock_that_was_ahead_makes_no_start_later() {
    let host = running();
    let now = fs::metadata(host.at("/proc/self")).unwrap().ctime();
    // By the monotonic clock, the process was started 100.25 s ago.
    let ahead = UNITS.replace("Sat 2026-11-21 08:53:18.950411 UTC", "Thu 2099-11-26 08:53:18.950411 UTC");
    host.says("systemctl", &ahead);
    let started = host.facts(&[]).units["tau@elders.service"].started_ns.unwrap() / 1_000_000_000;
    assert!((now - 105..=now - 95).contains(&started), "{started} {now}");
}

#[test]
fn a_journal_that_does_not_reach_back_is_no_evidence() {
    let host = running();
    // The same stand-in answers both calls of `journalctl`.
    let silent = |says: &str| {
        host.says("journalctl", says);
        host.facts(&[]).units["tau@elders.service"].silent
    };
    assert!(silent(""), "it keeps nothing");
    assert!(silent("1795251300.5 host tau[1]: later than the start\n"));
    assert!(!silent("1795251190.5 host tau[1]: before the start\n"));
    assert!(!silent("all started! with id: 12D3\n"));
}

#[test]
fn the_journal_is_read_only_where_it_matters() {
    let host = running();
    host.file(&format!("{RECORD}/healthy"), "");
    let unit = host.facts(&[]).units["tau@elders.service"].clone();
    assert!(unit.healthy && unit.said.is_none() && unit.record.is_none());
    let old = running();
    old.file("/proc/uptime", "1501.00 1.00\n");
    assert_eq!(old.facts(&[]).units["tau@elders.service"].said, None);
    let down = running();
    down.says("systemctl", &UNITS.replace("State=active", "State=activating"));
    assert_eq!(down.facts(&[]).units["tau@elders.service"].said, None);
    for host in [host, old, down] {
        assert_eq!(host.asked("journalctl"), "");
    }
}

/// The process of a unit that is about to start doesn't exist yet, so nothing is known
/// about it.
#[test]
fn a_unit_that_is_about_to_start_is_waited_for() {
    let host = running();
    let starting = UNITS.replace("MainPID=77", "MainPID=0").replace("State=active", "State=activating");
    host.says("systemctl", &starting.replace("SubState=running", "SubState=start-pre"));
    host.then_says("systemctl", UNITS);
    let unit = host.facts(&[]).units["tau@elders.service"].clone();
    assert_eq!((unit.sub.as_str(), unit.pid), ("running", Some(77)));
    assert_eq!(host.asked("systemctl").lines().count(), 2);
}

#[test]
fn a_deaf_service_manager_is_an_error() {
    let host = running();
    host.directory("/run/systemd/system");
    fs::remove_file(host.at("/../systemctl.says")).unwrap();
    let error = parse(&host.answer(&[], false)).unwrap_err();
    assert!(matches!(&error, AnswerError::Failed { what, .. } if what == "systemctl show"), "{error:?}");
}

/// The line with which an apply remembers the digest of a file. The tests give it a wrong
/// digest, to see whether the probe trusts it.
fn remember(host: &FakeRoot, path: &str, digest: &Sha256) -> String {
    let of = fs::metadata(host.at(path)).unwrap();
    let time = |seconds: i64, nanoseconds: i64| format!("{seconds}.{nanoseconds:09}");
    let (mtime, ctime) = (time(of.mtime(), of.mtime_nsec()), time(of.ctime(), of.ctime_nsec()));
    format!("{digest} {}:{} {} {mtime} {ctime}\n", of.dev(), of.ino(), of.size())
}

const DIGESTS: &str = "/var/lib/spore/digests";

#[test]
fn a_remembered_digest_is_believed() {
    let host = running();
    let lie = Sha256::of(b"lie");
    let old = Sha256::of(b"old");
    host.file("/tb/bin/old", "deleted since");
    fs::remove_file(host.at("/proc/77/exe")).unwrap();
    host.link("/proc/77/exe", host.at("/tb/bin/old"));
    // Write the digests later than the tick in which these files changed.
    std::thread::sleep(Duration::from_millis(30));
    let versions = format!("{old} version v1.2.3  \n{lie} version \nx version v1\n");
    let lines =
        ["junk\n".to_owned(), remember(&host, TAU, &lie), remember(&host, "/tb/bin/old", &old), versions];
    host.file(DIGESTS, lines.concat());
    let facts = host.facts(&[]);
    assert_eq!(file(&facts.paths, TAU).sha256, Some(lie));
    assert_eq!(facts.units["tau@elders.service"].process.as_ref().unwrap().exe, Some(old));
    let versions = [(old, "v1.2.3".parse().unwrap())].into();
    assert_eq!(facts.versions, versions);
    let rehashed = parse(&host.answer(&[], true)).unwrap();
    assert_eq!(rehashed.versions, versions, "a digest says which version it is, whatever file has it");
    assert_eq!(file(&rehashed.paths, TAU).sha256, sum("a program"));
    assert_eq!(rehashed.units["tau@elders.service"].process.as_ref().unwrap().exe, sum("deleted since"));
}

#[test]
fn a_remembered_digest_is_not_believed_too_easily() {
    let lie = Sha256::of(b"lie");
    let believed = |spoil: &dyn Fn(&FakeRoot)| {
        let host = FakeRoot::new();
        host.file(TAU, "a program");
        std::thread::sleep(Duration::from_millis(30));
        host.file(DIGESTS, remember(&host, TAU, &lie));
        spoil(&host);
        file(&host.facts(&[]).paths, TAU).sha256 == Some(lie)
    };
    assert!(believed(&|_| {}));
    assert!(!believed(&|host| host.mode(DIGESTS, 0o620)), "others may write it");
    assert!(!believed(&|host| host.mode(DIGESTS, 0o602)), "others may write it");
    assert!(!believed(&|host| host.mode(TAU, 0o700)), "changed since");
    assert!(!believed(&|host| host.file(DIGESTS, "")), "not in it");
    let spoiled = remember(&FakeRoot::new(), "/etc/os-release", &lie).replace(&lie.to_string(), "zz");
    assert!(!believed(&|host| host.file(DIGESTS, &spoiled)), "nonsense");
    assert!(
        !believed(&|host| {
            let file = fs::File::options().append(true).open(host.at(DIGESTS)).unwrap();
            let ctime = fs::metadata(host.at(TAU)).unwrap().ctime();
            let ctime = std::time::UNIX_EPOCH + Duration::from_secs(ctime.try_into().unwrap());
            file.set_modified(ctime).unwrap();
        }),
        "written in the same tick"
    );
}

#[test]
fn who_listens() {
    let host = FakeRoot::new();
    let header = "  sl  local_address rem_address   st\n";
    let tcp = "   0: 3500007F:0035 00000000:0000 0A 0\n   1: 00000000:0016 00000000:0000 0A 0\n   2: 0100007F:0017 00000000:0000 01 0\n";
    host.file("/proc/net/tcp", format!("{header}{tcp}"));
    let tcp6 = "   0: B80D0120000000000000000001000000:147A 00000000000000000000000000000000:0000 0A 0\n";
    host.file("/proc/net/tcp6", format!("{header}{tcp6}"));
    let udp = "  35: 00000000:0044 00000000:0000 07 0\n  36: 00000000:0045 00000000:0000 01 0\n";
    host.file("/proc/net/udp", format!("{header}{udp}"));
    let expected = [
        ("127.0.0.53", 53, Transport::Tcp),
        ("0.0.0.0", 22, Transport::Tcp),
        ("2001:db8::1", 5242, Transport::Tcp),
        ("0.0.0.0", 68, Transport::Udp),
    ];
    let expected =
        expected.map(|(address, number, transport)| (address.parse().unwrap(), Port { number, transport }));
    assert_eq!(host.facts(&[]).listening, expected.into());
}

/// In cgroups of version 1 the first lines don't name the unit, and a node's own process without
/// its unit would be in its own way.
#[test]
fn who_owns_a_port() {
    let mut host = FakeRoot::new();
    let mut table = "  sl  local_address rem_address   st\n".to_owned();
    let processes = [
        (
            "tau",
            "12:cpuset:/\n2:pids:/system.slice\n1:name=systemd:/system.slice/tau@a.service\n0::/\n",
            "tau@a.service",
        ),
        ("nginx", "0::/system.slice/nginx.service\n", "nginx.service"),
        ("inner", "0::/system.slice/docker.service/payload/x\n", "docker.service"),
        ("login", "0::/user.slice/session-3.scope\n", "session-3.scope"),
        ("bare", "0::/\n", ""),
    ];
    let mut expected = Vec::new();
    for (i, (name, groups, unit)) in (0_u16..).zip(processes) {
        let (number, pid, inode) = (5000 + i, 100 + i, 900 + i);
        table += &format!("   {i}: 00000000:{number:04X} 00000000:0000 0A 0:0 00:0 0 0 0 {inode} 1\n");
        host.file(&format!("/proc/{pid}/comm"), format!("{name}\n"));
        host.file(&format!("/proc/{pid}/cgroup"), groups);
        host.link(&format!("/proc/{pid}/fd/3"), format!("socket:[{inode}]"));
        host.ports.insert(Port { number, transport: Transport::Tcp });
        expected.push((number, u32::from(pid), name.to_owned(), unit.to_owned()));
    }
    host.file("/proc/net/tcp", table);
    let mut found: Vec<_> = host
        .facts(&[])
        .surroundings
        .owners
        .iter()
        .map(|owner| (owner.port.number, owner.pid, owner.name.to_string(), owner.unit.to_string()))
        .collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn what_breaks_off_is_noticed() {
    let host = running();
    host.file("/tb/config/a.yaml", "ports:\n  main: 1\ntenancy:\n  app:\n    key: x\n");
    let answer = host.answer(&["a"], false);
    assert!(parse(&answer).is_ok());
    for end in 0..answer.trim_end().len() {
        let Some(part) = answer.get(..end) else { continue };
        assert!(parse(part).is_err(), "{end}");
    }
    assert_eq!(parse(""), Err(AnswerError::Truncated(0)));
    let version = "probe\t3\na line of another version\nend\n";
    assert_eq!(parse(version), Err(AnswerError::Version { found: 3 }));
    assert_eq!(parse("root\t\nsudo: a password is required\nend\n"), Err(AnswerError::Malformed(2)));
}

#[test]
fn it_changes_nothing() {
    let host = running();
    let list = || {
        let listed = std::process::Command::new("find")
            .arg(host.at("/"))
            .args(["-printf", "%p %T@ %C@ %s\n"])
            .output();
        String::from_utf8(listed.unwrap().stdout).unwrap()
    };
    let before = list();
    host.facts(&["elders"]);
    assert_eq!(list(), before);
}
