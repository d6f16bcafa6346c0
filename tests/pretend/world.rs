//! A small network on simulated hosts, and `spore` to run on it.

use spore_drive::artifact::{Pin, Pins, Source};
use spore_drive::pretend::{Faults, Fleet, SimulatedHost, here, program};
use spore_drive::resource::Sha256;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A simulated node never exits seconds after its start, so a short settle time is enough.
pub(crate) const APPLY: &[&str] = &["apply", "--yes", "--timeout", "settle=0.5"];

/// The fixture `first`, reduced to an elder on h1 and the nodes on h4.
pub(crate) struct World {
    /// The names of the hosts in the folder.
    pub(crate) hosts: Vec<&'static str>,
    folder: TempDir,
    fleet: Fleet,
    runtime: Runtime,
}

/// The exit code and output of a command.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(&["h1", "h4"])
    }

    /// The fixture, reduced to these hosts.
    pub(crate) fn of(hosts: &[&'static str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut fleet = Fleet::begin().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans/first/folder");
        let text = |path: &str| fs::read_to_string(fixture.join(path)).unwrap();
        for directory in ["hosts", "keys"] {
            fs::create_dir(at(directory)).unwrap();
        }
        for path in
            ["shapes.yaml", "tenancy.yaml", "keys/dv_private.key", "keys/dv_public.key", "keys/swarm.key"]
        {
            fs::copy(fixture.join(path), at(path)).unwrap();
        }
        let elders: Vec<&str> = ["h1", "h2", "h3"].into_iter().filter(|name| hosts.contains(name)).collect();
        let elders = format!("[{}]", elders.join(", "));
        fs::write(at("cloud.yaml"), text("cloud.yaml").replace("[h1, h2, h3]", &elders)).unwrap();
        fs::write(at("auth.yaml"), "planter: {username: planter, key: keys/ssh}\n").unwrap();
        fs::write(at("keys/ssh"), fleet.user_key().unwrap()).unwrap();
        fs::set_permissions(at("keys/ssh"), fs::Permissions::from_mode(0o600)).unwrap();
        let tau = program(here(), "no tau");
        let source = Source::Path("tau".to_owned());
        let pin = Pin::new(source, Sha256::of(&tau));
        fs::write(at("tau.yaml"), Pins([(here(), pin)].into()).to_yaml()).unwrap();
        fs::write(at("tau"), tau).unwrap();
        for name in hosts {
            let host = runtime.block_on(fleet.add(&name.parse().unwrap(), here())).unwrap();
            let ssh = format!("ssh: {{addr: 127.0.0.1, port: {}, auth: [planter]}}\n", host.address().port);
            let path = format!("hosts/{name}.yaml");
            let lines: String = text(&path)
                .lines()
                .map(|line| if line.starts_with("ssh:") { ssh.clone() } else { format!("{line}\n") })
                .collect();
            fs::write(at(&path), lines).unwrap();
        }
        fs::write(at("known_hosts"), fleet.known_hosts()).unwrap();
        Self { hosts: hosts.to_vec(), folder, fleet, runtime }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the SSH section of h4 except for its login.
    pub(crate) fn set_ssh(&self, ssh: &str) {
        let path = self.folder().join("hosts/h4.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| match line.starts_with("ssh:") {
            true => format!("ssh: {{{ssh}, auth: [planter]}}\n"),
            false => format!("{line}\n"),
        });
        let text: String = lines.collect();
        fs::write(path, text).unwrap();
    }

    /// Adds a simulated host that isn't in the folder, with its key in `known_hosts`. Returns the
    /// port of its SSH server.
    pub(crate) fn add_host(&mut self, name: &str) -> u16 {
        let host = self.runtime.block_on(self.fleet.add(&name.parse().unwrap(), here())).unwrap();
        let port = host.address().port;
        fs::write(self.folder().join("known_hosts"), self.fleet.known_hosts()).unwrap();
        port
    }

    /// Replaces a text in a file of the folder.
    pub(crate) fn change(&self, name: &str, from: &str, to: &str) {
        let path = self.folder().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Adds a command to all hosts, in place of that of this machine.
    pub(crate) fn add_command(&self, name: &str, text: &str) {
        let directory = self.fleet.directory().join("stand-ins");
        let file = self.folder().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        // A file that this process has had open for writing might be busy: see `root::make_programs`.
        let copied = Command::new("cp").arg("-p").arg(&file).arg(directory.join(name)).status().unwrap();
        assert!(copied.success());
        fs::remove_file(file).unwrap();
    }

    /// Ends all hosts, so that none can be reached any more.
    pub(crate) fn unplug(&mut self) {
        self.fleet = Fleet::begin().unwrap();
    }

    /// Whether a node runs on the host.
    pub(crate) fn is_up(&self, name: &str) -> bool {
        let units = self.host(name).root().join("run/pretend/units");
        fs::read_dir(units).unwrap().count() > 0
    }

    pub(crate) fn host(&self, name: &str) -> &SimulatedHost {
        self.fleet.host(&name.parse().unwrap()).unwrap()
    }

    /// Sets the faults of h4; h1 never has any.
    pub(crate) fn faults(&self, faults: Faults) {
        self.host("h4").set_faults(faults);
    }

    /// Runs a script on a host, which must succeed, and returns its output.
    pub(crate) fn sh(&self, name: &str, script: &str) -> String {
        let out = self.runtime.block_on(self.host(name).sh(script)).unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success(), "{script}: {text}{}", String::from_utf8_lossy(&out.stderr));
        text
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = spore(words);
        command.current_dir(self.folder.path()).env("SPORE_KNOWN_HOSTS", "known_hosts");
        command
    }

    pub(crate) fn spore(&self, words: &[&str]) -> Run {
        Run::of(&mut self.command(words))
    }
}

/// The command to run `spore` with these arguments, without a network folder.
pub(crate) fn spore(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spore"));
    command
        .args(words)
        .stdin(Stdio::null())
        .env_remove("SPORE_NETWORK")
        .env_remove("SPORE_KNOWN_HOSTS")
        .env_remove("SSH_AUTH_SOCK")
        // The configuration of whoever runs the tests has nothing to do with them.
        .env("SPORE_NO_SSH_CONFIG", "true");
    command
}

/// Runs a command under strace, which kills it at the nth call of this name. Returns whether it was
/// killed: if not, there are fewer calls.
pub(crate) fn killed_at(strace: &str, command: &Command, call: &str, nth: usize) -> bool {
    let mut traced = Command::new(strace);
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    traced.arg("-e").arg(format!("inject={call}:signal=KILL:when={nth}"));
    traced.arg(command.get_program()).args(command.get_args());
    traced.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    !traced.status().unwrap().success()
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        let out = command.output().unwrap();
        let text = [out.stdout, out.stderr].concat();
        Self { code: out.status.code(), text: String::from_utf8(text).unwrap() }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "missing: {text}\n{self}");
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}\n{}", self.code, self.text)
    }
}
