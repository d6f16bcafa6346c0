//! The ways to hosts: through a real sshd, and with the user's SSH configuration.

use crate::sshd::{Sshd, ssh_of_home, user};
use crate::world::{APPLY, Run, World};
use spore_drive::remote::RemoteLimits;
use spore_drive::resource::Redactor;
use spore_drive::ssh::{self, Credential, Dialer, KnownHosts, Login, Route, Server, ServerAddress, Timeouts};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Replaces the SSH section of h4, or adds fields to it.
fn set_ssh(world: &World, ssh: &str) {
    let path = world.folder().join("hosts/h4.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| match line.starts_with("ssh:") {
        true => format!("ssh: {{{ssh}, auth: [planter]}}\n"),
        false => format!("{line}\n"),
    });
    let text: String = lines.collect();
    fs::write(path, text).unwrap();
}

fn port(world: &World) -> u16 {
    world.host("h4").address().port
}

/// `spore`, with an SSH configuration.
fn configured(world: &World, configuration: &str, words: &[&str]) -> Command {
    let folder = world.folder();
    fs::create_dir_all(folder.join(".ssh")).unwrap();
    fs::write(folder.join(".ssh/config"), configuration).unwrap();
    let programs = ssh_of_home(folder);
    let mut command = world.command(words);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    command.env("HOME", folder).env("PATH", path).env_remove("SPORE_NO_SSH_CONFIG");
    command
}

/// Adds a server's key to the file with the known keys.
fn know(world: &World, sshd: &Sshd) {
    let path = world.folder().join("known_hosts");
    let known = fs::read_to_string(&path).unwrap();
    fs::write(path, known + &sshd.known_hosts()).unwrap();
}

fn sshd(world: &World, more: &str) -> Sshd {
    Sshd::start("127.0.0.1", &world.folder().join("keys/ssh"), more)
}

#[test]
fn a_host_is_reached_through_a_jump_host() {
    let world = World::new();
    let bastion = sshd(&world, "");
    let jump = format!("{}@127.0.0.1:{}", user(), bastion.port);
    set_ssh(&world, &format!("addr: 127.0.0.1, port: {}, jump: \"{jump}\"", port(&world)));
    let plan = world.spore(&["plan"]).exits(3);
    plan.says("h4: not planned: jump host 127.0.0.1: unknown host key: ssh-ed25519 SHA256:");
    know(&world, &bastion);
    world.spore(APPLY).exits(0);
    assert!(world.is_up("h4"));
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");

    // Both hosts are behind it, without a user: it is the one who runs spore.
    let jump = format!("127.0.0.1:{}", bastion.port);
    let h1 = world.folder().join("hosts/h1.yaml");
    let text = fs::read_to_string(&h1).unwrap();
    set_ssh(&world, &format!("addr: 127.0.0.1, port: {}, jump: \"{jump}\"", port(&world)));
    let before = bastion.logged("Accepted publickey");
    fs::write(&h1, text.replace("auth:", &format!("jump: \"{jump}\", auth:"))).unwrap();
    world.spore(&["plan"]).exits(0);
    assert_eq!(bastion.logged("Accepted publickey"), before + 1);
    drop(bastion);
    let plan = world.spore(&["plan"]).exits(3);
    plan.says("h1: not planned: jump host 127.0.0.1: cannot connect to 127.0.0.1:");
    plan.says("h4: not planned: jump host 127.0.0.1: cannot connect to 127.0.0.1:");

    let closed = sshd(&world, "AllowTcpForwarding no");
    know(&world, &closed);
    fs::write(&h1, text).unwrap();
    let jump = format!("{}@127.0.0.1:{}", user(), closed.port);
    set_ssh(&world, &format!("addr: 127.0.0.1, port: {}, jump: \"{jump}\"", port(&world)));
    let plan = world.spore(&["plan"]).exits(3);
    plan.says("h4: not planned: through 127.0.0.1: the jump host forbids connections to 127.0.0.1:");
    plan.says("AllowTcpForwarding");
}

/// A host that was deleted from the folder is still reached in the same way.
#[test]
fn a_forgotten_host_is_reached_through_its_jump_host() {
    let world = World::new();
    let bastion = sshd(&world, "");
    know(&world, &bastion);
    let jump = format!("{}@127.0.0.1:{}", user(), bastion.port);
    set_ssh(&world, &format!("addr: 127.0.0.1, port: {}, jump: \"{jump}\"", port(&world)));
    world.spore(APPLY).exits(0);
    fs::remove_file(world.folder().join("hosts/h4.yaml")).unwrap();
    let before = bastion.logged("Accepted publickey");
    let plan = world.spore(&["plan", "--prune"]).exits(2);
    plan.says("h4");
    assert!(!plan.text.contains("cannot"), "{plan}");
    assert_eq!(bastion.logged("Accepted publickey"), before + 1, "{plan}");
}

/// The name of another host of the folder stands for that host, with its port and its logins.
#[test]
fn a_host_of_the_folder_can_be_a_jump_host() {
    let world = World::new();
    let bastion = sshd(&world, "");
    know(&world, &bastion);
    let text = fs::read_to_string(world.folder().join("auth.yaml")).unwrap();
    fs::write(
        world.folder().join("auth.yaml"),
        format!("{text}\nops: {{username: {}, key: keys/ssh}}\n", user()),
    )
    .unwrap();
    let entry = format!("ssh: {{addr: 127.0.0.1, port: {}, auth: [ops]}}\n", bastion.port);
    fs::write(world.folder().join("hosts/gate.yaml"), entry).unwrap();
    set_ssh(&world, &format!("addr: 127.0.0.1, port: {}, jump: gate", port(&world)));
    let plan = Run::of(&mut world.command(&["facts", "h4"])).exits(0);
    assert_eq!(bastion.logged("Accepted publickey"), 1, "{plan}");
}

#[test]
fn the_ssh_configuration_is_honoured() {
    let world = World::new();
    let bastion = sshd(&world, "");
    know(&world, &bastion);
    let (folder, name) = (world.folder().display(), user());
    let (p4, pb) = (port(&world), bastion.port);
    // The key of h4 is known by its alias only, and only in a file of its own.
    let known = fs::read_to_string(world.folder().join("known_hosts")).unwrap();
    let (own, others): (Vec<&str>, Vec<&str>) =
        known.lines().partition(|line| line.starts_with(&format!("[127.0.0.1]:{p4} ")));
    let own = own[0].replace(&format!("[127.0.0.1]:{p4}"), "alias.test");
    fs::write(world.folder().join("own"), own + "\n").unwrap();
    fs::write(world.folder().join("others"), others.join("\n") + "\n").unwrap();
    set_ssh(&world, "addr: h4.test");
    // The folder's key isn't on this machine.
    fs::rename(world.folder().join("keys/ssh"), world.folder().join("elsewhere")).unwrap();
    let configuration = format!(
        "Host h4.test
            HostName 127.0.0.1
            Port {p4}
            HostKeyAlias alias.test
            UserKnownHostsFile {folder}/own
            ProxyJump gate
            KexAlgorithms curve25519-sha256
        Host gate
            HostName 127.0.0.1
            Port {pb}
            User {name}
        Match exec \"test -n '$SPORE_TEST_MATCHED'\"
            Port 9
        Host *
            User nobody
            IdentityFile {folder}/elsewhere
            UserKnownHostsFile {folder}/others
            StrictHostKeyChecking no
        "
    );
    let spore = |words: &[&str]| {
        let mut command = configured(&world, &configuration, words);
        command.env_remove("SPORE_KNOWN_HOSTS");
        command
    };
    let plan = Run::of(&mut spore(&["plan", "--verbose"])).exits(2);
    assert_eq!(bastion.logged("Accepted publickey"), 1, "{plan}");
    plan.says("note: spore doesn't support these options of your SSH configuration: KexAlgorithms (");
    plan.says("StrictHostKeyChecking (");
    assert!(!Run::of(&mut spore(&["plan"])).exits(2).text.contains("doesn't support"));

    // A jump host that only the folder names is looked up in the configuration, too.
    let before = bastion.logged("Accepted publickey");
    set_ssh(&world, "addr: h4.test, jump: gate");
    let without = configuration.replace("ProxyJump gate", "ProxyCommand exit 1");
    let mut plan = configured(&world, &without, &["plan"]);
    Run::of(plan.env_remove("SPORE_KNOWN_HOSTS")).exits(2);
    assert_eq!(bastion.logged("Accepted publickey"), before + 1);

    // The folder comes before the configuration.
    set_ssh(&world, "addr: h4.test, port: 1");
    Run::of(&mut spore(&["plan"])).exits(3).says("h4: not planned: through gate: ");
    // Without the configuration, nothing is known of the name.
    Run::of(&mut spore(&["plan", "--no-ssh-config"])).exits(3).says("h4: not planned: ");

    // No option disables the check of host keys.
    set_ssh(&world, "addr: h4.test");
    fs::write(world.folder().join("own"), "").unwrap();
    Run::of(&mut spore(&["plan"])).exits(3).says("h4: not planned: through gate: unknown host key: ");

    let wrong = configuration.replace("KexAlgorithms", "Kex");
    let plan = Run::of(&mut configured(&world, &wrong, &["plan"])).exits(3);
    plan.says("h4: not planned: no way to the host: `ssh -G h4.test` failed: ").says("--no-ssh-config");
}

#[test]
fn without_openssh_a_note_says_that_the_configuration_is_not_used() {
    let world = World::new();
    let mut plan = configured(&world, "Host x\n\tPort 9\n", &["plan"]);
    let tools = world.folder().join("tools");
    fs::create_dir(&tools).unwrap();
    let run = Run::of(plan.env("PATH", &tools)).exits(2);
    run.says("note: OpenSSH isn't installed, so ").says("/.ssh/config isn't used, only the folder");
    // Such a configuration doesn't matter.
    let mut plan = configured(&world, "Host x\n\tLogLevel DEBUG\n", &["plan"]);
    assert!(!Run::of(plan.env("PATH", &tools)).exits(2).text.contains("OpenSSH"));
    // Nor is an option ignored silently then.
    let both = "RevokedHostKeys /none\nHost x\n\tPort 9\n\tLogLevel DEBUG\n";
    let mut plan = configured(&world, both, &["plan", "--verbose"]);
    let run = Run::of(plan.env("PATH", &tools)).exits(2);
    run.says("note: OpenSSH isn't installed, so ").says("RevokedHostKeys (").says("LogLevel (");
}

#[test]
fn options_without_effect_are_named_even_if_no_option_has_one() {
    let world = World::new();
    let configuration = "RevokedHostKeys /none\nHost x\n\tLogLevel DEBUG\n";
    let plan = Run::of(&mut configured(&world, configuration, &["plan"])).exits(2);
    plan.says("note: spore doesn't support these options of your SSH configuration: RevokedHostKeys (");
    assert!(!plan.text.contains("LogLevel"), "{plan}");
    Run::of(&mut configured(&world, configuration, &["plan", "--quiet"])).exits(2).says("RevokedHostKeys (");
    let plan = Run::of(&mut configured(&world, configuration, &["plan", "--verbose"])).exits(2);
    plan.says("RevokedHostKeys (").says("LogLevel (");
}

/// The id of a process that has written it to a file, as soon as it has.
fn pid(file: &Path) -> String {
    let begun = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(file)
            && text.ends_with('\n')
        {
            return text.trim().to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
}

fn is_running(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is left to whoever adopts it.
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_proxy_command_works_and_never_outlives_spore() {
    let world = World::new();
    set_ssh(&world, "addr: h4.test");
    let (p4, folder) = (port(&world), world.folder().display().to_string());
    let known = fs::read_to_string(world.folder().join("known_hosts")).unwrap();
    let known = known.replace(&format!("[127.0.0.1]:{p4} "), "h4.test ");
    fs::write(world.folder().join("known_hosts"), known).unwrap();
    let script = |text: &str| {
        let path = world.folder().join("proxy");
        fs::write(&path, format!("#!/usr/bin/env bash\necho $$ >{folder}/pid\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let configuration = format!("Host h4.test\n\tProxyCommand {folder}/proxy %h %p %r\n");

    script(&format!(
        "[ \"$*\" = 'h4.test 22 planter' ] && [ -z \"$SPORE_KNOWN_HOSTS\" ] || exit 1
        exec 3<>/dev/tcp/127.0.0.1/{p4}; cat <&3 & exec cat >&3"
    ));
    Run::of(&mut configured(&world, &configuration, &["plan"])).exits(2);
    assert!(!is_running(&pid(&world.folder().join("pid"))));

    // The connect time-out ends a silent one.
    script("trap '' HUP TERM; echo waiting for a gateway >&2; sleep 1000");
    let plan = configured(&world, &configuration, &["plan", "--timeout", "connect=1"]).output().unwrap();
    let text = String::from_utf8([plan.stdout, plan.stderr].concat()).unwrap();
    assert_eq!(plan.status.code(), Some(3), "{text}");
    let expected = "h4: not planned: through the ProxyCommand: no answer within 1 s while connecting; it said: \
                    waiting for a gateway";
    assert!(text.contains(expected), "{text}");
    assert!(!is_running(&pid(&world.folder().join("pid"))));

    // Ctrl-C ends it as well.
    fs::remove_file(world.folder().join("pid")).unwrap();
    let mut plan = configured(&world, &configuration, &["plan"]);
    let mut plan = plan.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let proxy = pid(&world.folder().join("pid"));
    let done = Command::new("kill").args(["-INT", &plan.id().to_string()]).status().unwrap();
    assert!(done.success());
    assert_eq!(plan.wait().unwrap().code(), Some(130));
    assert!(!is_running(&proxy));
}

/// sshd drops logins at random when ten are going on, and all when there are a hundred.
#[test]
fn two_hundred_hosts_are_planned_through_one_jump_host() {
    let mut world = World::new();
    let bastion = sshd(&world, "MaxStartups 10:30:100");
    know(&world, &bastion);
    let jump = format!("{}@127.0.0.1:{}", user(), bastion.port);
    let known = fs::read_to_string(world.folder().join("known_hosts")).unwrap();
    for index in 0..200 {
        let name = format!("b{index}");
        let port = world.add_host(&name);
        let entry = format!("ssh: {{addr: 127.0.0.1, port: {port}, jump: \"{jump}\", auth: [planter]}}\n");
        fs::write(world.folder().join(format!("hosts/{name}.yaml")), entry).unwrap();
    }
    let all = fs::read_to_string(world.folder().join("known_hosts")).unwrap();
    fs::write(world.folder().join("known_hosts"), all + &known).unwrap();
    let facts = world.spore(&["facts"]);
    assert_eq!(facts.code, Some(0), "{facts}");
    assert_eq!(bastion.logged("Accepted publickey"), 1);
}

/// If a server's limit is exceeded although each of these addresses counts as another host, dropped
/// connections are opened again.
#[test]
fn connections_that_sshd_drops_are_opened_again() {
    let world = World::new();
    let key = world.folder().join("keys/ssh");
    let sshd = Sshd::start("0.0.0.0", &key, "MaxStartups 10:30:100");
    let known = KnownHosts::parse("known_hosts".as_ref(), &format!("[127.*]:{} {}", sshd.port, sshd.key()));
    let mut no_passphrase = |_: &Path| Ok(None);
    let key = ssh::key::load(&key, &fs::read_to_string(&key).unwrap(), &mut no_passphrase).unwrap();
    let login = Login { user: user(), credentials: vec![Credential::Key(key)] };
    let dialer = Arc::new(Dialer::new(Timeouts::default(), Redactor::default()));
    let at_once = Arc::new(Semaphore::new(RemoteLimits::default().at_once));
    world.block_on(async {
        let mut all = JoinSet::new();
        for index in 0..200 {
            let address = ServerAddress::new(format!("127.0.1.{index}"), sshd.port);
            let route = Route::direct(Server::new(address, known.clone(), vec![login.clone()]));
            let (dialer, at_once) = (Arc::clone(&dialer), Arc::clone(&at_once));
            all.spawn(async move {
                let _turn = at_once.acquire().await;
                dialer.log_in(&route).await.map(drop)
            });
        }
        for ended in all.join_all().await {
            ended.unwrap();
        }
    });
    assert!(dialer.retries() > 0);
}

/// sshd ends the connection of a user with too many keys. The next login is tried nevertheless.
#[test]
fn too_many_keys_are_listed() {
    let world = World::new();
    let sshd = sshd(&world, "MaxAuthTries 1");
    let load = |path: &Path| {
        let mut nobody = |_: &Path| Ok(None);
        let text = fs::read_to_string(path).unwrap();
        Credential::Key(ssh::key::load(path, &text, &mut nobody).unwrap())
    };
    let stranger = world.folder().join("stranger");
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&stranger).status();
    assert!(made.unwrap().success());
    let (stranger, own) = (load(&stranger), load(&world.folder().join("keys/ssh")));
    let known = KnownHosts::parse(Path::new("known_hosts"), &sshd.known_hosts());
    let log_in = |logins: Vec<Vec<Credential>>| {
        let logins = logins.into_iter().map(|credentials| Login { user: user(), credentials }).collect();
        let server = Server::new(ServerAddress::new("127.0.0.1", sshd.port), known.clone(), logins);
        let dialer = Dialer::new(Timeouts::default(), Redactor::default());
        world.block_on(async { dialer.log_in(&Route::direct(server)).await.map(drop).map_err(Box::new) })
    };
    let error = log_in(vec![vec![stranger.clone(), own.clone()]]).unwrap_err();
    let words = spore_drive::render::host_error(&(*error).into());
    assert!(words.contains("refused: tried ssh-ed25519 key SHA256:"), "{words}");
    assert!(words.contains("; then the host disconnected: Too many authentication failures"), "{words}");
    assert_eq!(words.matches("SHA256:").count(), 1, "only one was tried: {words}");
    log_in(vec![vec![stranger], vec![own]]).unwrap();
}
