//! A network folder that a test describes and changes, and with which it runs `spore`.
//!
//! The entry point is [`Network::new`]. The files are in upstream's dialect, with keys
//! generated for this test. The folder is rewritten before each command, so a test only
//! specifies the changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::host::{Lab, LabHost};
use crate::keys::{hex, node_key, peer_id, rsa_key, validation_pair};
use crate::run::Run;

/// A network, and the environment of the commands that are run on it.
pub(crate) struct Network {
    home: TempDir,
    root: String,
    shapes: BTreeMap<String, Shape>,
    hosts: BTreeMap<String, Entry>,
    bootstrap: BTreeMap<String, BTreeSet<String>>,
    swarm: String,
    known: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    /// Whether the hosts generate the keys of the nodes, so that `hosts.yaml` gets ids.
    is_keyless: bool,
    /// Secrets other than keys.
    planted: Vec<(&'static str, String)>,
}

/// The properties of a shape.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    main: u16,
    services: Vec<String>,
    plugins: Vec<String>,
}

/// A host in the folder.
struct Entry {
    addresses: Vec<String>,
    ssh: String,
    /// The rest of the SSH section.
    jump: String,
    port: u16,
    login: String,
    /// The node keys, by shape.
    keys: BTreeMap<String, String>,
}

impl Network {
    /// A network without hosts or shapes, with `tau` pinned.
    pub(crate) fn new(lab: &Lab, tau: &Path) -> Self {
        let home = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let mut network = Self {
            home,
            root: "lab.test".to_owned(),
            shapes: BTreeMap::new(),
            hosts: BTreeMap::new(),
            bootstrap: BTreeMap::new(),
            swarm: String::new(),
            known: BTreeMap::new(),
            // Nodes in the lab don't exit after their start, except in tests that set
            // another settle time.
            environment: BTreeMap::from([("SPORE_TIMEOUT".to_owned(), "settle=1".to_owned())]),
            is_keyless: false,
            planted: Vec::new(),
        };
        network.rotate_swarm_key();
        let (private, public) = validation_pair();
        network.write("keys/dv_private.key", &private);
        network.write("keys/dv_public.key", &public);
        let key = fs::read_to_string(lab.key()).unwrap_or_else(|error| panic!("{error}"));
        network.secret("keys/id", &key);
        network.pin(tau);
        network
    }

    /// Writes `tau.yaml`.
    pub(crate) fn pin(&mut self, tau: &Path) {
        self.spore(&["tau", "pin", &tau.display().to_string()]).exits(0);
    }

    /// Adds or replaces a shape.
    pub(crate) fn shape(&mut self, name: &str, shape: Shape) {
        self.shapes.insert(name.to_owned(), shape);
    }

    /// Adds a host without nodes, with this login, and adds its key to `known_hosts`.
    pub(crate) fn host(&mut self, host: &LabHost, login: &str) {
        let entry = Entry {
            addresses: host.addresses().iter().map(ToString::to_string).collect(),
            ssh: host.addr().to_string(),
            jump: String::new(),
            port: 22,
            login: login.to_owned(),
            keys: BTreeMap::new(),
        };
        self.hosts.insert(host.name().to_owned(), entry);
        self.known.insert(host.name().to_owned(), host.known_hosts());
    }

    /// Adds a node of this shape to a host. If necessary, adds the host.
    pub(crate) fn node(&mut self, shape: &str, host: &LabHost) {
        self.node_with_key(shape, host, &node_key());
    }

    /// Like [`Network::node`], with the key of an earlier node.
    pub(crate) fn node_with_key(&mut self, shape: &str, host: &LabHost, key: &str) {
        if !self.hosts.contains_key(host.name()) {
            self.host(host, "root");
        }
        self.entry(host).keys.insert(shape.to_owned(), key.to_owned());
    }

    /// Leaves the keys of all nodes to their hosts, and forgets their ids. From now on, only the
    /// commands write `hosts.yaml`.
    pub(crate) fn forget_keys(&mut self) {
        self.is_keyless = false;
        self.hosts.values_mut().flat_map(|host| host.keys.values_mut()).for_each(String::clear);
        self.save();
        self.is_keyless = true;
    }

    /// Adds an elder.
    pub(crate) fn elder(&mut self, shape: &str, host: &LabHost) {
        self.node(shape, host);
        self.bootstrap.entry(shape.to_owned()).or_default().insert(host.name().to_owned());
    }

    /// Removes a node.
    pub(crate) fn remove_node(&mut self, shape: &str, host: &LabHost) {
        self.entry(host).keys.remove(shape);
        if let Some(hosts) = self.bootstrap.get_mut(shape) {
            hosts.remove(host.name());
        }
    }

    /// Removes a host and its nodes from the folder.
    pub(crate) fn remove_host(&mut self, host: &LabHost) {
        self.hosts.remove(host.name());
        self.bootstrap.values_mut().for_each(|hosts| {
            hosts.remove(host.name());
        });
    }

    /// Sets the login of a host.
    pub(crate) fn log_in_as(&mut self, host: &LabHost, login: &str) {
        self.entry(host).login = login.to_owned();
    }

    /// Sets the address and port at which spore connects to a host.
    pub(crate) fn reach_at(&mut self, host: &LabHost, address: &str, port: u16) {
        let entry = self.entry(host);
        entry.ssh = format!("'{address}'");
        entry.port = port;
    }

    /// Sets the jump host through which spore connects to a host.
    pub(crate) fn reach_through(&mut self, host: &LabHost, jump: &str) {
        self.entry(host).jump = format!(", jump: '{jump}'");
    }

    /// Sets the lines of a host in `known_hosts`. By default, they are correct.
    pub(crate) fn know(&mut self, host: &LabHost, lines: &str) {
        self.known.insert(host.name().to_owned(), lines.to_owned());
    }

    /// Replaces the swarm key with a new key; returns the old key.
    pub(crate) fn rotate_swarm_key(&mut self) -> String {
        self.put_swarm_key(format!("/key/swarm/psk/1.0.0/\n/base16/\n{}\n", hex()))
    }

    /// Replaces the swarm key with this key; returns the old key.
    pub(crate) fn put_swarm_key(&mut self, key: String) -> String {
        std::mem::replace(&mut self.swarm, key)
    }

    /// Writes the swarm key in one line, which upstream's tool needs, instead of
    /// go-libp2p's three.
    pub(crate) fn put_swarm_key_on_one_line(&mut self) {
        self.swarm = self.swarm.replace('\n', "");
        self.secret("keys/swarm.key", &self.swarm);
    }

    /// A node's private key, as in the folder.
    pub(crate) fn key(&self, shape: &str, host: &LabHost) -> &str {
        let key = self.hosts.get(host.name()).and_then(|entry| entry.keys.get(shape));
        key.unwrap_or_else(|| panic!("{shape}@{} isn't in the folder", host.name()))
    }

    /// The node's peer id.
    pub(crate) fn peer_id(&self, shape: &str, host: &LabHost) -> String {
        peer_id(self.key(shape, host))
    }

    /// Renames the network in the folder; the hosts keep the old name.
    pub(crate) fn rename(&mut self, root: &str) {
        root.clone_into(&mut self.root);
    }

    /// Writes a file in the folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{error}"));
        }
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn secret(&self, path: &str, text: &str) {
        self.write(path, text);
        let path = self.folder().join(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Sets an environment variable for the following commands.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.environment.insert(variable.to_owned(), value.to_owned());
    }

    /// Encrypts the SSH key.
    pub(crate) fn encrypt_key(&self, passphrase: &str) {
        let key = self.folder().join("keys/id");
        let encrypted =
            Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", passphrase, "-f"]).arg(key).output();
        assert!(encrypted.is_ok_and(|output| output.status.success()), "ssh-keygen -p");
    }

    /// The path of the network folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("network")
    }

    /// The user's home directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs `spore plan`.
    pub(crate) fn plan(&self, options: &[&str]) -> Run {
        self.spore(&[&["plan"], options].concat())
    }

    /// Runs `spore apply --yes`.
    pub(crate) fn apply(&self, options: &[&str]) -> Run {
        self.spore(&[&["apply", "--yes"], options].concat())
    }

    /// Asserts that the plan is empty.
    #[track_caller]
    pub(crate) fn is_in_place(&self, options: &[&str]) {
        self.plan(options).exits(0).last_says("nothing to do");
    }

    /// Runs `spore` on the folder, with a time-out of five minutes.
    pub(crate) fn spore(&self, arguments: &[&str]) -> Run {
        let mut command = self.command(&["timeout", "--kill-after=5", "300"], arguments);
        let output = command.output().unwrap_or_else(|error| panic!("spore: {error}"));
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        self.ended(arguments, output.status.code(), out.into_owned(), err.into_owned())
    }

    /// The command that runs `spore` on the current folder, through `wrapper` if it isn't
    /// empty.
    pub(crate) fn command(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        self.save();
        let temporary = self.home.path().join("tmp");
        fs::create_dir_all(&temporary).unwrap_or_else(|error| panic!("{error}"));
        let mut words = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_spore")]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(arguments).arg("--network").arg(self.folder());
        command.env_clear().envs(
            ["PATH", "RUST_BACKTRACE"]
                .iter()
                .filter_map(|name| std::env::var_os(name).map(|value| (*name, value))),
        );
        command.env("HOME", self.home.path()).env("USER", "tester").env("TMPDIR", temporary);
        command.env("SPORE_KNOWN_HOSTS", self.known_hosts()).envs(&self.environment).stdin(Stdio::null());
        command
    }

    /// The result of a command. Asserts that its output contains none of the folder's secrets.
    #[track_caller]
    pub(crate) fn ended(&self, arguments: &[&str], code: Option<i32>, out: String, err: String) -> Run {
        let run = Run::new(arguments, code, out, err);
        for (what, secret) in self.secrets() {
            assert!(!run.printed(&secret), "the {what} was printed: {run}");
        }
        run
    }

    /// All secrets of the folder, with a description.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let keys = self.hosts.values().flat_map(|host| host.keys.values());
        let keys = keys.filter(|key| !key.is_empty());
        let mut secrets: Vec<_> = keys.map(|key| ("node key", key.clone())).collect();
        secrets.extend(self.swarm.lines().last().map(|key| ("swarm key", key.to_owned())));
        let validation = fs::read_to_string(self.folder().join("keys/dv_private.key")).unwrap_or_default();
        secrets.extend(validation.lines().nth(1).map(|line| ("validation key", line.to_owned())));
        secrets.extend(self.planted.clone());
        secrets.push(("SSH password", "lab-password".to_owned()));
        secrets
    }

    /// Adds secrets other than keys to the folder: a password of the accounts and the key
    /// of the tenancy.
    pub(crate) fn plant_secrets(&mut self) {
        let password = hex();
        self.write(
            "accounts.yaml",
            &format!(
                "session-ttl: 168h\nemail:\n  smtp:\n    host: smtp.lab.test\n    port: 587\n    \
                 user: noreply@lab.test\n    pass: {password}\n    from: noreply@lab.test\n"
            ),
        );
        let key = rsa_key();
        let indented: String = key.lines().map(|line| format!("    {line}\n")).collect();
        self.write(
            "tenancy.yaml",
            &format!(
                "provider: github\nowner: lab\napp:\n  client-id: Iv1.0000000000000000\n  key: |\n{indented}"
            ),
        );
        // One line of the key represents it in the searches, because a search is for a
        // single line.
        let line = key.lines().nth(5).unwrap_or_default().to_owned();
        self.planted.extend([("SMTP password", password), ("tenancy key", line)]);
    }

    /// Encrypts the SSH key, and passes the passphrase to the following commands.
    pub(crate) fn plant_passphrase(&mut self) {
        let passphrase = hex();
        self.encrypt_key(&passphrase);
        self.set("SPORE_SSH_PASSPHRASE", &passphrase);
        self.planted.push(("SSH passphrase", passphrase));
    }

    /// Writes the current folder. The functions that run a command call this.
    pub(crate) fn save(&self) {
        let mut text = format!(
            "domain:\n  root: {}\n  generated: g.{}\n  validation: {{key: {{private: keys/dv_private.key, \
             public: keys/dv_public.key}}}}\np2p:\n  swarm: {{key: keys/swarm.key}}\n  bootstrap:\n",
            self.root, self.root
        );
        if self.bootstrap.values().all(BTreeSet::is_empty) {
            text = text.replace("  bootstrap:\n", "  bootstrap: {}\n");
        }
        for (shape, hosts) in self.bootstrap.iter().filter(|(_, hosts)| !hosts.is_empty()) {
            text += &format!("    {shape}: [{}]\n", list(hosts));
        }
        self.write("cloud.yaml", &text);
        self.write(
            "auth.yaml",
            "root: {username: root, key: keys/id}\n\
             tau: {username: tau, key: keys/id}\n\
             plain: {username: plain, key: keys/id}\n\
             word: {username: word, password: lab-password}\n\
             stranger: {username: word, password: another-password}\n",
        );
        let mut text = String::new();
        for (name, shape) in &self.shapes {
            let Shape { main, services, plugins } = shape;
            text += &format!("{name}:\n  ports: {{main: {main}, lite: {}}}\n", main + 5);
            for (key, values) in [("services", services), ("plugins", plugins)] {
                if !values.is_empty() {
                    text += &format!("  {key}: [{}]\n", list(values));
                }
            }
        }
        self.write("shapes.yaml", or_none(&text));
        let mut text = String::new();
        for (name, host) in &self.hosts {
            let Entry { addresses, ssh, port, jump, login, keys } = host;
            text += &format!(
                "{name}:\n  addr: [{}]\n  ssh: {{addr: {ssh}, port: {port}{jump}, auth: [{login}]}}\n  \
                 location: {{lat: 1.25, long: 25.1}}\n",
                list(addresses)
            );
            let keys: Vec<String> = keys
                .iter()
                .map(|(shape, key)| format!("    {shape}: {{key: {key}}}\n").replace("key: }", "}"))
                .collect();
            text += &match keys.as_slice() {
                [] => "  shapes: {}\n".to_owned(),
                keys => format!("  shapes:\n{}", keys.concat()),
            };
        }
        if !self.is_keyless {
            self.write("hosts.yaml", or_none(&text));
        }
        self.secret("keys/swarm.key", &self.swarm);
        let known: String = self.known.values().map(String::as_str).collect();
        fs::write(self.known_hosts(), known).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The file with the keys of the hosts.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.home.path().join("known_hosts")
    }

    fn entry(&mut self, host: &LabHost) -> &mut Entry {
        match self.hosts.get_mut(host.name()) {
            Some(entry) => entry,
            None => panic!("{} isn't in the folder", host.name()),
        }
    }
}

impl Shape {
    /// A shape without services, such as that of an elder, with this main port.
    pub(crate) fn new(main: u16) -> Self {
        Self { main, services: Vec::new(), plugins: Vec::new() }
    }

    /// Sets the services.
    pub(crate) fn services(self, services: &[&str]) -> Self {
        Self { services: services.iter().map(|name| (*name).to_owned()).collect(), ..self }
    }

    /// Sets the plugins, whose files are in the folder's `plugins/`.
    pub(crate) fn plugins(self, plugins: &[&str]) -> Self {
        Self { plugins: plugins.iter().map(|name| (*name).to_owned()).collect(), ..self }
    }
}

/// The text of a component, or an empty mapping if it has no entries.
fn or_none(text: &str) -> &str {
    if text.is_empty() { "{}\n" } else { text }
}

fn list<'a>(items: impl IntoIterator<Item = &'a String>) -> String {
    let items: Vec<&str> = items.into_iter().map(String::as_str).collect();
    items.join(", ")
}
