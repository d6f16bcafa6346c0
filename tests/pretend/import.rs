//! `spore import`: hosts that were deployed by other means.

use crate::world::{APPLY, Run, World, spore};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Imports these hosts of the world, each as `[NAME=]HOST`, into a new folder.
fn import(world: &World, hosts: &[&str]) -> (Run, PathBuf) {
    let folder = world.folder().join("imported");
    (import_to(world, &folder, hosts), folder)
}

fn import_to(world: &World, folder: &Path, hosts: &[&str]) -> Run {
    let hosts: Vec<String> = hosts
        .iter()
        .map(|host| {
            let (name, host) = host.split_once('=').map_or((None, *host), |(name, host)| (Some(name), host));
            let way = format!("planter@127.0.0.1:{}", world.host(host).address().port);
            name.map_or_else(|| way.clone(), |name| format!("{name}={way}"))
        })
        .collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let options = ["import", "--key", "keys/ssh", "--folder", folder.to_str().unwrap()];
    world.spore(&[&options[..], &hosts].concat())
}

/// Runs `spore` on an imported folder, with the world's tau.
fn on(world: &World, folder: &Path, words: &[&str]) -> Run {
    Run::of(spore(words).current_dir(folder).env("SPORE_KNOWN_HOSTS", world.folder().join("known_hosts")))
}

/// What spore leaves of its own on a host is deleted, so that nothing tells who has deployed it.
fn forget_spore(world: &World, host: &str) {
    world.sh(host, "cd \"$SPORE_ROOT\" && rm -rf tb/.spore var/lib/spore");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// All files of a folder, with their modes.
fn files(folder: &Path) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => all.extend(files(&path).into_iter().map(|(name, mode)| {
                (format!("{}/{name}", path.file_name().unwrap().to_str().unwrap()), mode)
            })),
            false => all.push((path.file_name().unwrap().to_str().unwrap().to_owned(), mode(&path))),
        }
    }
    all.sort();
    all
}

/// Hosts that are as spore would leave them: their folder is lost, and the new one changes nothing.
#[test]
fn a_network_without_its_folder_is_imported() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    forget_spore(&world, "h1");
    forget_spore(&world, "h4");
    let (run, folder) = import(&world, &["first=h1", "h4"]);
    let run = run.exits(0);
    run.says("2 nodes of 2 shapes, on first, h1\nelders: elders@first\n");
    run.says(
        "read the swarm key from /tb/config/keys/swarm.key on first, into a file that only you can read: ",
    );
    run.says("read the public validation key from /tb/config/keys/dv_public.key on ");
    run.says("the private keys of the nodes stay on their hosts").says("/imported plan\n");
    let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let key = read(world.folder(), "keys/swarm.key");
    let digits = &key.trim()[key.trim().len() - 16..];
    assert!(!run.text.contains(digits) && !run.text.contains("CAESQ"), "{run}");
    assert_eq!(read(&folder, "keys/swarm.key").trim(), key.trim());
    assert!(!has_private_key(&folder));
    let secrets: Vec<String> =
        files(&folder).into_iter().filter(|(_, mode)| *mode == 0o600).map(|(name, _)| name).collect();
    assert_eq!(secrets, ["keys/swarm.key"]);
    assert_eq!(read(&folder, ".gitignore").lines().last(), Some("/keys/"));

    on(&world, &folder, &["check"]).exits(0);
    on(&world, &folder, &["plan"]).exits(0).says("plan: nothing to do");
    on(&world, &folder, APPLY).exits(0).says("apply: nothing to do");
    on(&world, &folder, &["verify"]).exits(0);

    // The folder is taken, and a new one knows the hosts by the names of the last apply.
    import(&world, &["h1", "h4"]).0.exits(1).says("there is a network in ").says("--folder FOLDER");
    let second = world.folder().join("second");
    import_to(&world, &second, &["h4", "h1"]).exits(0).says("on first, h1\n");
    assert_eq!(read(&second, "hosts.yaml"), read(&folder, "hosts.yaml"));
    // A command that was cut off can be repeated. What is there isn't read again.
    fs::remove_file(second.join("cloud.yaml")).unwrap();
    fs::remove_file(second.join("hosts.yaml")).unwrap();
    let again = import_to(&world, &second, &["h4", "h1"]).exits(0);
    assert!(!again.text.contains("read the swarm key"), "{again}");
    assert_eq!(files(&second), files(&folder));
    // What isn't a part of it is left alone.
    fs::remove_file(second.join("cloud.yaml")).unwrap();
    fs::write(second.join("accounts.yaml"), "").unwrap();
    let other = import_to(&world, &second, &["h4", "h1"]).exits(1);
    other.says("second/accounts.yaml already exists, and has other contents");
}

/// Whether any file below a folder contains a node's private key.
fn has_private_key(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => has_private_key(&path),
        false => String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("CAESQ"),
    })
}

/// What the folder can't express is said at once, and the plan names what it changes.
#[test]
fn what_spore_would_change_is_named() {
    let world = World::new();
    world.spore(APPLY).exits(0);
    forget_spore(&world, "h1");
    forget_spore(&world, "h4");
    world.sh(
        "h4",
        "cd \"$SPORE_ROOT/tb/config\" && chmod 644 keys/swarm.key
        sed -i 's/^domains:/domains:\\n  aliases: [old.net.test]/' store.yaml && systemctl restart tau@store",
    );
    let (run, folder) = import(&world, &["h1", "h4"]);
    run.exits(0).says(
        "note: the configuration of store@h2 has settings that a folder can't express, so the plan removes \
         them: domains.aliases\n",
    );
    let plan = on(&world, &folder, &["plan"]).exits(2);
    plan.says("/tb/config/keys/swarm.key  mode 0644 → 0600")
        .says("      -domains.aliases:\n      -  - old.net.test\n");
    on(&world, &folder, APPLY).exits(0);
    on(&world, &folder, &["plan"]).exits(0);

    // An elder that nobody has named, and a node that is stopped.
    let lone = world.folder().join("lone");
    world.sh("h4", "systemctl stop tau@store");
    let run = import_to(&world, &lone, &["h4"]).exits(0);
    run.says(
        "store@h2 dials a node that isn't on any of these hosts, so the plan removes it from their peers: ",
    );
    run.says("store@h2 doesn't run; the plan starts it").says("name the elders with `spore bootstrap add");
}

/// Hosts that contradict each other: each value is named with its hosts, and nothing is written.
#[test]
fn hosts_of_two_networks_are_refused() {
    let mut world = World::new();
    world.spore(APPLY).exits(0);
    let other = spore_drive::identity::SwarmKey::generate();
    let line = String::from_utf8(other.line().expose().to_vec()).unwrap();
    world.sh("h4", &format!("cd \"$SPORE_ROOT/tb/config\" && echo '{line}' >keys/swarm.key"));
    let (run, folder) = import(&world, &["h1", "h4"]);
    let run = run.exits(1);
    run.says("the swarm key differs: one key on ").says("; another on ").says("nothing was written");
    assert!(!run.text.contains(&line[line.len() - 16..]), "{run}");
    assert!(!folder.exists());
    world.sh(
        "h4",
        "cd \"$SPORE_ROOT/tb/config\" && sed -i 's/: net.test/: other.test/; s/5242/5243/' store.yaml",
    );
    world.sh("h1", "cp \"$SPORE_ROOT/tb/config/elders.yaml\" \"$SPORE_ROOT/tb/config/store.yaml\"");
    let run = import(&world, &["h1", "h4"]).0.exits(1);
    run.says("the root domain differs: net.test on elders@h1, store@h1; other.test on store@h4");
    run.says("the port ports.main of shape store differs: 4242 on store@h1; 5243 on store@h4");
    world.sh("h1", "cd \"$SPORE_ROOT/tb/config\" && rm store.yaml && echo '{privatekey: x}' >elders.yaml");
    import(&world, &["h1", "h4"]).0.exits(1).says("h1: /tb/config/elders.yaml is written in a style");
    world.sh("h1", "rm -r \"$SPORE_ROOT/tb\"");
    import(&world, &["h1", "h4"]).0.exits(1).says("h1: there is no configuration of a node in /tb/config");
    import(&world, &["a=h4", "b=h4"]).0.exits(1).says("`a` and `b` are the same machine");
    assert!(!folder.exists());
    world.unplug();
    let refused = world.spore(&["import", "--folder", "imported", "planter@127.0.0.1:1"]).exits(1);
    refused.says("planter@127.0.0.1:1: ").says("nothing was written: 1 host gave no answer");
    world.spore(&["import", "127.0.0.1"]).exits(1).says("name the user to log in as: root@127.0.0.1");
}

const UNIT: &str = "[Unit]\nDescription=Taubyte Tau Service Running %i\n\n[Service]\nType=simple
ExecStartPre=-/usr/sbin/setenforce 0\nExecStart=/tb/bin/tau start -s %i --root /tb\nUser=root\nGroup=root
LimitAS=infinity\nLimitRSS=infinity\nLimitCORE=infinity\nLimitNOFILE=65536\nRestart=always\nRestartSec=1

[Install]\nWantedBy=multi-user.target\n";

/// A host that spore has never seen, deployed as upstream's tool does, with a node that needs all
/// secrets.
#[test]
fn a_host_deployed_with_upstreams_tool_is_imported() {
    let mut world = World::new();
    world.add_host("h5");
    let key = spore_drive::identity::NodeKey::generate();
    let text = String::from_utf8(key.expose().expose().to_vec()).unwrap();
    let rsa =
        std::process::Command::new("openssl").args(["genrsa", "-traditional", "2048"]).output().unwrap();
    let rsa = String::from_utf8(rsa.stdout).unwrap();
    let indented: String = rsa.lines().map(|line| format!("            {line}\n")).collect();
    let config = format!(
        "privatekey: {text}\nswarmkey: keys/swarm.key\nservices:\n    - auth\np2p-listen:
    - /ip4/0.0.0.0/tcp/7242\np2p-announce:\n    - /ip4/10.77.0.15/tcp/7242\nports:\n    main: 7242\n    lite: 7247
location:\n    lat: -33.8688\n    long: 151.2093\nnetwork-fqdn: lab.test\ndomains:\n    key:
        private: keys/dv_private.key\n        public: keys/dv_public.key\n    aliases: []
    generated: g.lab.test\n    hosts:\n        console.lab.test: gateway\ntenancy:\n    provider: github
    owner: lab\n    app:\n        client-id: Iv1.0000000000000000\n        key: |\n{indented}plugins: {{}}\n"
    );
    let root = world.host("h5").root().to_owned();
    for directory in ["tb/bin", "tb/config/keys", "lib/systemd/system"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for name in ["swarm.key", "dv_private.key", "dv_public.key"] {
        fs::copy(world.folder().join("keys").join(name), root.join("tb/config/keys").join(name)).unwrap();
        fs::set_permissions(root.join("tb/config/keys").join(name), fs::Permissions::from_mode(0o600))
            .unwrap();
    }
    fs::copy(world.folder().join("tau"), root.join("tb/bin/tau")).unwrap();
    fs::set_permissions(root.join("tb/bin/tau"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(root.join("tb/config/trust.yaml"), config).unwrap();
    fs::write(root.join("lib/systemd/system/tau@.service"), UNIT).unwrap();
    // This also takes longer than a tick of the host's clock, by which files are older than the start.
    let stopped = import_to(&world, &world.folder().join("stopped"), &["new=h5"]).exits(0);
    stopped.says("note: trust@new doesn't run; the plan starts it, unless you remove it from hosts.yaml");
    world.sh("h5", "systemctl daemon-reload && systemctl enable tau@trust && systemctl start tau@trust");

    let (run, folder) = import(&world, &["new=h5"]);
    let run = run.exits(0);
    run.says("read the private validation key from /tb/config/keys/dv_private.key on new, into a file");
    run.says("read the key of the tenancy's app from /tb/config/trust.yaml on new, into a file");
    let line = rsa.lines().nth(3).unwrap();
    assert!(!run.text.contains(line) && !run.text.contains("CAESQ"), "{run}");
    assert!(!has_private_key(&folder));
    assert_eq!(fs::read_to_string(folder.join("keys/tenancy_app.key")).unwrap().trim(), rsa.trim());
    for name in ["swarm.key", "dv_private.key", "tenancy_app.key"] {
        assert_eq!(mode(&folder.join("keys").join(name)), 0o600);
    }
    let hosts = fs::read_to_string(folder.join("hosts.yaml")).unwrap();
    assert!(hosts.contains(&format!("trust: {{id: {}}}", key.peer_id())), "{hosts}");
    assert!(hosts.contains("location: {lat: -33.8688, long: 151.2093}"), "{hosts}");
    on(&world, &folder, &["check"]).exits(0);
    let plan = on(&world, &folder, &["plan"]).exits(2);
    assert!(!plan.text.contains("restarted") && plan.text.contains("trust.yaml  mode "), "{plan}");
    let pid = |world: &World| world.sh("h5", "systemctl show tau@trust | grep -e PID -e Invocation");
    let before = pid(&world);
    on(&world, &folder, APPLY).exits(0);
    on(&world, &folder, &["plan"]).exits(0).says("plan: nothing to do");
    assert_eq!(pid(&world), before);
}
