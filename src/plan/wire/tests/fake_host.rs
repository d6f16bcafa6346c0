//! A folder that represents a host, with stand-ins for the service manager, the firewall
//! and the package manager.

use super::super::*;
use crate::resource::{Printable, Redactor};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub(super) struct FakeHost {
    dir: TempDir,
    owner: String,
}

/// A stand-in for the service manager. It reports /manager/show about every unit. When it
/// starts, restarts or stops a unit, /manager/next becomes /manager/show.
const SYSTEMCTL: &str = r#"
manager=$SPORE_ROOT/manager
echo "systemctl $*" >>"$SPORE_ROOT/calls"
[ ! -e "$manager/$1.fails" ] || { cat "$manager/$1.fails"; exit 1; }
case $1 in
    show) cat "$manager/show" ;;
    start | restart | stop) mv "$manager/next" "$manager/show" ;;
    is-enabled) cat "$manager/enabled" ;;
    enable) echo enabled >"$manager/enabled" ;;
    disable) echo disabled >"$manager/enabled" ;;
    daemon-reload) sed -i s/NeedDaemonReload=yes/NeedDaemonReload=no/ "$manager/show" ;;
    reset-failed) sed -i s/=failed/=inactive/ "$manager/show" ;;
esac
"#;

const JOURNALCTL: &str = r#"
case $* in
    *INVOCATION*) cat "$SPORE_ROOT/manager/journal-${*##*=}" ;;
    *) echo 'one line'; echo 'the last line' ;;
esac
"#;

const UFW: &str = r####"
echo "ufw $*" >>"$SPORE_ROOT/calls"
rules=$SPORE_ROOT/etc/ufw/user
tuple() { echo "### tuple ### allow ${1#*/} ${1%/*} $2 any $2 in comment=73706f7265"; }
case $1 in
    allow)
        tuple "$2" 0.0.0.0/0 >>"$rules.rules"
        tuple "$2" ::/0 >>"${rules}6.rules"
        ;;
    delete) : >"$rules.rules" >"${rules}6.rules" ;;
esac
"####;

/// A stand-in that can install packages only after an update of the package lists.
const APT_GET: &str = r#"
echo "apt-get $*" >>"$SPORE_ROOT/calls"
case $* in
    *update*) touch "$SPORE_ROOT/lists" ;;
    *' broken') echo 'E: Sub-process /usr/bin/dpkg returned an error code (1)'; exit 100 ;;
    *install*)
        [ -e "$SPORE_ROOT/lists" ] || { echo "E: Unable to locate package ${*##* }"; exit 100; }
        rm -f "$SPORE_ROOT/unpacked-${*##* }"
        touch "$SPORE_ROOT/installed-${*##* }"
        ;;
esac
"#;

const DPKG_QUERY: &str = r#"
[ ! -e "$SPORE_ROOT/installed-${*##* }" ] || echo installed
[ ! -e "$SPORE_ROOT/unpacked-${*##* }" ] || echo unpacked
"#;

/// The commands that are listed in commands.txt.
pub(super) fn commands() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("../../scripts/commands.txt").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().next())
}

impl FakeHost {
    /// A host that has hardly more than empty directories. Only the commands in
    /// commands.txt can be run on it.
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["bin", "host/tb/config/keys", "host/tb/bin", "host/tb/storage", "host/etc", "host/proc/net"]
                .into_iter()
                .chain(["host/run", "host/manager", "host/var/lib"])
        {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let host = Self { dir, owner: machine("echo $(id -un):$(id -gn)") };
        commands().for_each(|name| host.link_command(name));
        for (name, script) in [
            ("systemctl", SYSTEMCTL),
            ("journalctl", JOURNALCTL),
            ("ufw", UFW),
            ("apt-get", APT_GET),
            ("dpkg-query", DPKG_QUERY),
        ] {
            host.stand_in(name, script);
        }
        symlink("/proc/uptime", host.at("/proc/uptime")).unwrap();
        host.write("/proc/net/tcp", b"  sl  local_address rem_address   st\n");
        host
    }

    /// The path of a command on this machine.
    pub(super) fn real(&self, name: &str) -> String {
        machine(&format!("command -v {name}"))
    }

    /// Makes a command of this machine available on the host.
    pub(super) fn link_command(&self, name: &str) {
        let found = PathBuf::from(machine(&format!("command -v {name}")));
        let path = self.dir.path().join("bin").join(name);
        let _ = fs::remove_file(&path);
        if found.is_absolute() {
            symlink(found, path).unwrap();
        }
    }

    pub(super) fn remove_command(&self, name: &str) {
        let _ = fs::remove_file(self.dir.path().join("bin").join(name));
    }

    pub(super) fn stand_in(&self, name: &str, script: &str) {
        let path = self.dir.path().join("bin").join(name);
        let _ = fs::remove_file(&path);
        // Another process makes the copy: see `pretend::root::make_programs` for the
        // reason.
        let text = path.with_extension("text");
        fs::write(&text, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Command::new("cp").arg("-p").arg(&text).arg(path).status().unwrap().success());
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("host").join(path.trim_start_matches('/'))
    }

    pub(super) fn write(&self, path: &str, content: &[u8]) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    pub(super) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn mode(&self, path: &str) -> u32 {
        self.at(path).metadata().unwrap().mode() & 0o7777
    }

    /// The `device:inode` of a path.
    pub(super) fn identity(&self, path: &str) -> String {
        let found = self.at(path).symlink_metadata().unwrap();
        format!("{}:{}", found.dev(), found.ino())
    }

    /// The names in a folder, in order.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(path)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The calls of stand-ins since the last call of this function, except those that only
    /// query.
    pub(super) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.at("/calls")).unwrap_or_default();
        let _ = fs::remove_file(self.at("/calls"));
        let acts = |line: &&str| !line.contains(" show ") && !line.contains(" is-enabled ");
        calls.lines().filter(acts).map(ToOwned::to_owned).collect()
    }

    /// This mode, with an owner to which the user of the tests can change files.
    pub(super) fn access(&self, mode: u32) -> Access {
        Access { mode, owner: Printable::line(&self.owner) }
    }

    pub(super) fn request(&self, actions: &[Action]) -> String {
        request(&calls(actions), &patience(), 0)
    }

    /// Runs a script, and checks that it leaves nothing of its input, so that the next
    /// request would be read from its beginning.
    pub(super) fn shell(&self, script: &str, input: &[u8]) -> String {
        let check = "IFS= read -r left; [ \"$left\" = next ] || echo \"left: $left\"";
        let script = format!("m=marker\n({script})\n{check}");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .env_clear()
            .env("PATH", self.dir.path().join("bin"))
            .env("SPORE_ROOT", self.dir.path().join("host"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = [input, b"next\n"].concat();
        let feeding = std::thread::spawn(move || stdin.write_all(&input));
        let out = child.wait_with_output().unwrap();
        feeding.join().unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stderr), "");
        String::from_utf8(out.stdout).unwrap()
    }

    /// The host's answers to calls, all of which have to fit.
    fn answers(&self, calls: &[Call], input: &[u8]) -> Vec<Answer> {
        self.answers_within(calls, input, &patience())
    }

    fn answers_within(&self, calls: &[Call], input: &[u8], patience: &Patience) -> Vec<Answer> {
        let said = self.shell(&request(calls, patience, input.len()), input);
        let mut exchange = Exchange::new(calls);
        (0..calls.len()).for_each(|index| exchange.sent(index));
        let hear = |line: &str| {
            let answer = line.strip_prefix("marker ").map(|line| exchange.hear(&Untrusted::new(line)));
            answer.and_then(Result::ok).unwrap_or_else(|| panic!("{line}\n{said}"))
        };
        let answers = said.lines().map(hear).collect();
        assert!(exchange.is_answered(), "{said}");
        answers
    }

    /// The outcomes of these actions, up to the first action that doesn't succeed.
    pub(super) fn run(&self, actions: &[Action]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for answer in self.answers(&calls(actions), b"") {
            match answer {
                Answer::Began(index) | Answer::Runs(index, _) | Answer::Settles(index) => {
                    assert_eq!(index, outcomes.len());
                }
                Answer::Ended(_, ending) => outcomes.push(outcome(ending)),
                Answer::Need(..) | Answer::Got(..) | Answer::End(_) => panic!("{actions:?}"),
            }
        }
        outcomes
    }

    pub(super) fn act(&self, action: &Action) -> Outcome {
        let mut outcomes = self.run(std::slice::from_ref(action));
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes.remove(0)
    }

    /// Whether a file has to be sent.
    pub(super) fn needs(&self, file: &Staged) -> bool {
        let answers = self.answers(&calls(&[Action::Stage(file.clone())]), b"");
        match &answers[1..] {
            [Answer::Need(0, Need { best: _, why: None })] => true,
            [Answer::Ended(0, Ending::Already)] => false,
            _ => panic!("{answers:?}"),
        }
    }

    /// Has the host download a file. The error is why it can't.
    pub(super) fn fetch(&self, action: &Action) -> Result<Outcome, String> {
        self.fetch_within(action, &patience())
    }

    pub(super) fn fetch_within(&self, action: &Action, patience: &Patience) -> Result<Outcome, String> {
        let calls = calls(std::slice::from_ref(action));
        let mut answers = self.answers_within(&calls, b"", patience);
        answers.retain(|answer| !matches!(answer, Answer::Began(0) | Answer::Got(0, _)));
        match answers.pop() {
            Some(Answer::Ended(0, ending)) => Ok(outcome(ending)),
            Some(Answer::Need(0, Need { best: _, why: Some(why) })) => {
                Err(Redactor::default().show(&why).to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    /// The best encoding in which the host can be sent a file.
    pub(super) fn best_encoding(&self, file: &Staged) -> Encoding {
        match &self.answers(&calls(&[Action::Stage(file.clone())]), b"")[1..] {
            [Answer::Need(0, Need { best, why: None })] => *best,
            answers => panic!("{answers:?}"),
        }
    }

    /// Removes a command.
    pub(super) fn without(&self, name: &str) {
        let _ = fs::remove_file(self.dir.path().join("bin").join(name));
    }

    /// Sends files, and returns the outcome of each.
    pub(super) fn send(&self, files: &[(&Staged, &[u8], Encoding)]) -> Vec<Outcome> {
        let calls: Vec<Call> = files
            .iter()
            .enumerate()
            .map(|(i, (file, bytes, encoding))| {
                receive(i, file, Transfer { bytes: bytes.len(), encoding: *encoding })
            })
            .collect();
        let input: Vec<u8> = files.iter().flat_map(|(_, bytes, _)| bytes.to_vec()).collect();
        let answers = self.answers(&calls, &input);
        let ended = answers.into_iter().filter_map(|answer| match answer {
            Answer::Ended(_, ending) => Some(outcome(ending)),
            _ => None,
        });
        ended.collect()
    }

    pub(super) fn stage(&self, path: &str, content: &[u8]) -> Staged {
        let file = super::staged(path, content, self);
        assert_eq!(self.send(&[(&file, content, Encoding::Raw)]), [Outcome::Done]);
        file
    }
}

/// The output of a command on this machine.
pub(super) fn machine(command: &str) -> String {
    let out = Command::new("sh").args(["-c", command]).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn calls(actions: &[Action]) -> Vec<Call> {
    actions.iter().enumerate().map(|(i, action)| call(i, action)).collect()
}

fn outcome(ending: Ending) -> Outcome {
    let redactor = Redactor::default();
    match ending {
        Ending::Done => Outcome::Done,
        Ending::Already => Outcome::Already,
        Ending::Differs(differs) => Outcome::Differs(differs.map(|said| redactor.show(&said))),
        Ending::Failed(said) => Outcome::Failed { text: redactor.show(&said) },
    }
}

pub(super) fn patience() -> Patience {
    let second = Duration::from_secs(1);
    Patience {
        manager: 20 * second,
        stop: 20 * second,
        start: 20 * second,
        settle: Duration::ZERO,
        verify: 20 * second,
        packages: second,
        fetch: 20 * second,
        stall: 20 * second,
    }
}
