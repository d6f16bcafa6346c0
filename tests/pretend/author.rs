//! The commands that edit the folder.

use crate::page::installed;
use crate::world::{APPLY, Run, World, killed_at, spore};
use spore_drive::network::Network;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder of `fixtures/folders`, to be edited.
fn folder(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folders").join(name).join("folder");
    copy(&from, folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

fn run(folder: &Path, words: &str) -> Run {
    Run::of(spore(&words.split(' ').collect::<Vec<_>>()).current_dir(folder))
}

/// All files of a folder with their modes.
fn files(folder: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
            all.push((path.display().to_string(), mode, fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

/// Runs `spore` with this home directory, on a terminal on which `answers` are typed.
fn typed(home: &Path, words: &str, answers: &str) -> Run {
    let mut script = Command::new("script");
    let line = format!("{} {words}", env!("CARGO_BIN_EXE_spore"));
    script.args(["-qec", &line, "/dev/null"]).current_dir(home).env("HOME", home).env("NO_COLOR", "1");
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    script.stdin.as_mut().unwrap().write_all(answers.as_bytes()).unwrap();
    let out = script.wait_with_output().unwrap();
    Run { code: out.status.code(), text: String::from_utf8(out.stdout).unwrap().replace("\r\n", "\n") }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// From nothing to a running network.
#[test]
fn a_network_is_created_and_runs() {
    // This world's own folder isn't used, except for its login and its tau.
    let mut world = World::new();
    let folder = world.folder().join("new");
    let key = world.folder().join("keys/ssh");
    let spore = |words: &[&str]| {
        let mut command = spore(words);
        command
            .current_dir(world.folder())
            .env("SPORE_NETWORK", "new")
            .env("SPORE_KNOWN_HOSTS", "known_hosts");
        Run::of(&mut command).exits(0)
    };
    let init = ["init", "example.org", "new", "--user", "planter", "--key", key.to_str().unwrap()];
    spore(&init).says("created new").says("next: spore -n new host add h1");
    assert_eq!([mode(&folder), mode(&folder.join("keys"))], [0o700, 0o700]);
    assert_eq!(mode(&folder.join("keys/swarm.key")), 0o600);
    assert_eq!(mode(&folder.join("keys/dv_private.key")), 0o600);
    spore(&["check"]).says("warnings");
    for (host, shape, port) in [
        ("h1", "elders", world.host("h1").address().port),
        ("h4", "members", world.host("h4").address().port),
    ] {
        if shape == "members" {
            spore(&["shape", "add", shape, "--main", "4242", "--services", "tns,hoarder"]);
        }
        let address = format!("192.0.2.{}", &host[1..]);
        let ssh = format!("127.0.0.1:{port}");
        spore(&["host", "add", host, "--addr", &address, "--ssh", &ssh, "--shape", shape]);
    }
    spore(&["bootstrap", "add", "elders@h1"]);
    spore(&["tau", "pin", "tau"]);
    spore(APPLY).says("0 failed");
    assert!(world.is_up("h1") && world.is_up("h4"));
    spore(&["plan"]).says("plan: nothing to do");
    world.unplug();
}

/// Wherever `spore convert` is killed, each file is as it was or as it becomes, the folder is sound,
/// and the command can be repeated.
#[test]
fn an_interrupted_conversion_is_completed() {
    let test = "author::an_interrupted_conversion_is_completed";
    let Some(strace) = installed(&["strace"], test) else { return };
    let folder = folder("same-manual");
    let at = folder.path();
    let before = files(at);
    run(at, "convert --to upstream --dry-run").exits(0).says("rename network.yaml to cloud.yaml");
    assert_eq!(files(at), before);
    run(at, "convert --to upstream")
        .exits(0)
        .says("converted to upstream's dialect; the network is the same");
    let after = files(at);
    let contents = |files: &[(String, u32, Vec<u8>)]| -> Vec<Vec<u8>> {
        files.iter().map(|(_, _, content)| content.clone()).collect()
    };
    let (old, new) = (contents(&before), contents(&after));
    let mut killed = 0;
    for call in ["flock", "fchmod", "fsync", "/^rename"] {
        for nth in 1.. {
            after.iter().for_each(|(path, ..)| fs::remove_file(path).unwrap());
            for (path, mode, content) in &before {
                fs::write(path, content).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            let mut convert = spore(&["convert", "--to", "upstream"]);
            let is_killed = killed_at(strace, convert.current_dir(at), call, nth);
            let now = files(at);
            let whole = now.iter().filter(|(path, ..)| !path.contains("/.spore-new-"));
            for (path, _, content) in whole {
                assert!(old.contains(content) || new.contains(content), "{call} {nth}: {path}");
            }
            assert!(Network::read(at).is_ok(), "{call} {nth}");
            run(at, "convert --to upstream").exits(0);
            assert_eq!(files(at), after, "{call} {nth}");
            if !is_killed {
                break;
            }
            killed += 1;
        }
    }
    assert!(killed > 8, "killed only {killed} times");
}

/// Wherever `spore init` is killed, it can be repeated, and the keys are those of the first time.
#[test]
fn an_interrupted_creation_is_completed() {
    let home = tempfile::tempdir().unwrap();
    let init = || run(home.path(), "init example.org net --user deploy");
    init().exits(0);
    let folder = home.path().join("net");
    let whole = files(&folder);
    init().exits(1).says("there is a network in net already");
    let order = ["cloud.yaml", "hosts.yaml", "shapes.yaml", "auth.yaml", "keys/dv_public.key"];
    for count in 1..=order.len() {
        order[..count].iter().for_each(|name| fs::remove_file(folder.join(name)).unwrap());
        init().exits(0);
        assert_eq!(files(&folder), whole);
    }
    // A file of someone else is neither overwritten nor added to a network.
    fs::remove_file(folder.join("cloud.yaml")).unwrap();
    fs::write(folder.join("hosts.yaml"), "h1: {}\n").unwrap();
    let before = files(&folder);
    init().exits(1).says("net/hosts.yaml already exists, and has other contents");
    fs::write(folder.join("notes.txt"), "").unwrap();
    init().exits(1).says("net isn't empty: it has notes.txt");
    fs::remove_file(folder.join("notes.txt")).unwrap();
    assert_eq!(files(&folder), before);
}

#[test]
fn a_new_network_is_ignored_by_git_where_it_has_secrets() {
    let home = tempfile::tempdir().unwrap();
    let git = |words: &[&str]| {
        let out = Command::new("git").args(words).current_dir(home.path()).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    git(&["init", "-q"]);
    fs::write(home.path().join(".gitignore"), "*.log").unwrap();
    run(home.path(), "init example.org .").exits(0).says("next: spore host add h1");
    run(home.path(), "host add h1 --addr 192.0.2.1 --shape elders").exits(0);
    git(&["add", "."]);
    let added = git(&["ls-files"]);
    assert_eq!(added, ".gitignore\nauth.yaml\ncloud.yaml\nhosts.yaml\nshapes.yaml\n");
    assert!(fs::read_to_string(home.path().join(".gitignore")).unwrap().starts_with("*.log\n"));
    assert!(!fs::read_to_string(home.path().join("hosts.yaml")).unwrap().contains("CAES"));
}

#[test]
fn on_a_terminal_it_asks_for_what_it_needs_and_lists_the_result() {
    let home = tempfile::tempdir().unwrap();
    let run = typed(home.path(), "init", "example.org\n\ndeploy\n~/.ssh/id\n").exits(0);
    run.says("root domain of the network: ").says("parent domain of generated domains [g.example.org]: ");
    run.says("SSH user of the hosts [root]: ").says("next: spore -n example.org host add h1");
    let folder = home.path().join(".taubyte/networks/example.org");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert!(
        read("auth.yaml").ends_with("\nadmin:\n  username: deploy\n  key: ~/.ssh/id\n")
            || read("auth.yaml").ends_with("\nadmin: {username: deploy, key: ~/.ssh/id}\n"),
        "{}",
        read("auth.yaml")
    );
    assert!(read("cloud.yaml").contains("generated: g.example.org  #"));
    typed(home.path(), "init example.net --generated apps.example.net --user root --key k", "").exits(0);
    let listed = Run::of(spore(&["networks"]).env("HOME", home.path())).exits(0);
    assert_eq!(
        listed.text,
        "example.net  example.net  0 hosts, 0 nodes\nexample.org  example.org  0 hosts, 0 nodes\n"
    );
    Run::of(spore(&["-n", "example.net", "check"]).env("HOME", home.path())).exits(0);
    typed(home.path(), "init", "not a domain\n").exits(1).says("`not a domain` isn't a domain");
    // Nobody to ask.
    let run = Run::of(spore(&["init"]).env("HOME", home.path()));
    run.says("no terminal to prompt on").says("spore init example.org");
    let run = Run::of(spore(&["init", "../x"]).env("HOME", home.path()));
    assert_eq!(run.code, Some(1));
    run.says("a domain is written like example.org");
}

/// A host is added to a running network, becomes an elder, and leaves again.
#[test]
fn a_host_joins_the_network_and_leaves_it() {
    let mut world = World::new();
    world.spore(APPLY).exits(0);
    let port = world.add_host("h5");
    let ssh = format!("planter@127.0.0.1:{port}");
    let add = ["host", "add", "h5", "--addr", "192.0.2.5", "--ssh", &ssh, "--shape", "elders"];
    world.spore(&[&add[..], &["--dry-run"]].concat()).exits(0).says("dry run: nothing was written");
    assert!(!world.folder().join("hosts/h5.yaml").exists());
    world.spore(&add).exits(0).says("hosts/h5.yaml (new)").says("wrote keys/elders@h5.key, hosts/h5.yaml");
    let key = world.folder().join("keys/elders@h5.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    world.spore(&["bootstrap", "add", "elders@h5"]).exits(0).says("+    elders: [h1, h5]");
    world.spore(APPLY).exits(0);
    assert!(world.is_up("h5"));
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");

    world
        .spore(&["host", "remove", "h5"])
        .exits(0)
        .says("hosts/h5.yaml (deleted)")
        .says("delete keys/elders@h5.key");
    world.spore(&[APPLY, &["--prune", "--allow-destructive"]].concat()).exits(0);
    assert!(!world.is_up("h5"));
    // It comes back with the same key.
    let before = fs::read(&key).unwrap();
    world.spore(&add).exits(0).says("wrote hosts/h5.yaml");
    assert_eq!(fs::read(&key).unwrap(), before);
}

#[test]
fn what_check_would_refuse_is_not_written() {
    let folder = folder("same-today");
    let before = files(folder.path());
    let refused = |words: &str, says: &[&str]| {
        let run = run(folder.path(), words).exits(1);
        for text in says {
            run.says(text);
        }
        assert_eq!(files(folder.path()), before, "{words}");
    };
    let written = "nothing was written: with this change, the folder would have 1 error";
    // Two hosts with the same sshd, an address that isn't one, services and shapes that don't exist.
    refused("host add h3 --addr 10.77.0.3 --ssh deploy@10.77.0.1:2222", &[written]);
    refused("host add h3 --addr 10.77.0.x --ssh deploy@10.77.0.3", &[written, "10.77.0.x"]);
    refused("host add h3 --addr 10.77.0.3 --shape nosuch --key deploy", &[written, "nosuch"]);
    refused("host add h3 --addr 10.77.0.3 --key nosuch", &[written, "nosuch"]);
    refused("shape set all --services nosuch", &[written, "nosuch"]);
    refused("shape remove all", &[written, "there is no shape `all`"]);
    refused("shape set all --main 0", &[written]);
    refused("bootstrap add elders@h7", &[written, "h7"]);
    // What can't be an edit at all.
    refused("host add h1 --addr 10.77.0.3 --key deploy", &["`h1` already exists in hosts.yaml"]);
    refused("host add h3 --addr 10.77.0.3", &["name it with `--key`: deploy, fallback"]);
    refused("host add h3 --addr 10.77.0.3 --ssh someone@10.77.0.3", &["spore key add someone"]);
    refused("host remove h7", &["there is no host `h7` in the folder"]);
    refused("bootstrap remove all@h1", &["there is no `all@h1` in p2p.bootstrap"]);
    refused("bootstrap add elders@h2", &["`elders@h2` already exists in p2p.bootstrap"]);
    refused("shape set nosuch --lite 1", &["there is no shape `nosuch`"]);
}

#[test]
fn arguments_that_are_wrong_are_named() {
    let folder = folder("same-today");
    for (words, says) in [
        ("host add h3 --addr 1.2.3.4 --gps 91,0", "`91` isn't a number of degrees up to 90"),
        ("host add h3 --addr 1.2.3.4 --gps 1", "LAT,LONG"),
        ("host add h3 --addr 1.2.3.4 --ssh x:70000", "`70000` isn't a port"),
        ("host add h3 --addr 1.2.3.4 --ssh @x", "[USER@]ADDR[:PORT]"),
        ("bootstrap add h1", "SHAPE@HOST"),
        ("host add ../x --addr 1.2.3.4", "../x"),
    ] {
        let run = run(folder.path(), words);
        assert_ne!(run.code, Some(0), "{words}");
        run.says(says);
    }
}

/// No secret of the folder is shown, and no control character of it.
#[test]
fn the_difference_shows_no_secret() {
    let folder = folder("same-today");
    let hosts = fs::read_to_string(folder.path().join("hosts.yaml")).unwrap();
    let hosts = hosts.replace("h2:\n", "# \u{1b}]52;c;YQ==\u{7} hunter2\nh2:\n");
    fs::write(folder.path().join("hosts.yaml"), &hosts).unwrap();
    let shown = run(folder.path(), "host remove h2").text;
    assert!(!shown.contains("CAESQ") && !shown.contains("hunter2") && !shown.contains('\u{1b}'), "{shown}");
    let shown = run(folder.path(), "key add x --password-file keys/pass").text;
    assert!(!shown.contains("not-a-real"), "{shown}");
}

/// The edit that can't be made safely is refused with the lines to write.
#[test]
fn what_is_shared_is_left_to_the_user() {
    let folder = folder("same-anchors");
    let shapes = folder.path().join("shapes.yaml");
    let text = fs::read_to_string(&shapes).unwrap();
    fs::write(&shapes, text.replace("{<<: *ports, main: 5242, lite: 5247, ipfs: 5252}", "*ports")).unwrap();
    let before = files(folder.path());
    let run = run(folder.path(), "shape set all --main 5242").exits(1);
    run.says("shapes.yaml:5: the value is an alias")
        .says("write in shapes.yaml, under `all.ports`")
        .says("main: 5242");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn hosts_of_lists_are_added_once() {
    let folder = folder("same-today");
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("hosts.csv"),
        "name,addr,ssh,shape\nh1,10.77.0.1,,\nh3,10.77.0.3,deploy@10.77.0.3,all\nh33,10.77.0.33,,all\n",
    )
    .unwrap();
    let import = run(folder.path(), "host import hosts.csv --key deploy").exits(0);
    import.says("added 2 hosts; in the folder already: h1");
    import.says("wrote keys/all@h3.key, keys/all@h33.key, hosts.yaml");
    run(folder.path(), "host import hosts.csv --key deploy").exits(0).says("nothing to change");
    let json = r#"{"h4": {"addr": "10.77.0.4", "key": "deploy"}, "h5": {"addr": ["10.77.0.5"]}}"#;
    fs::write(at("hosts.json"), json).unwrap();
    run(folder.path(), "host import hosts.json")
        .exits(1)
        .says("--format csv, terraform, ansible or ssh-config");
    let terraform = "host import hosts.json h5 --format terraform --key deploy --key fallback --shape all";
    run(folder.path(), terraform).exits(0).says("  +  ssh: {addr: 10.77.0.5, auth: [deploy, fallback]}");
    fs::write(at("inventory.ini"), "[all:vars]\nansible_user=deploy\n[elders]\nh6 ansible_host=10.77.0.6\n")
        .unwrap();
    run(folder.path(), "host import inventory.ini").exits(0).says("wrote keys/elders@h6.key, hosts.yaml");
    fs::write(
        at("ssh_config"),
        "Host h7\n HostName h7.example.org\n User deploy\nHost h8\n HostName 10.77.0.8\n User deploy\n",
    )
    .unwrap();
    let config = run(folder.path(), "host import ssh_config").exits(1);
    config.says("the list has no IP address of h7");
    run(folder.path(), "host import ssh_config h8 --shape all")
        .exits(0)
        .says("wrote keys/all@h8.key, hosts.yaml");
    run(folder.path(), "host import ssh_config h9").exits(1).says("it doesn't list h9");
    let hosts = fs::read_to_string(at("hosts.yaml")).unwrap();
    for name in ["h1:", "h2:", "h3:", "h5:", "h6:", "h8:"] {
        assert_eq!(hosts.lines().filter(|line| *line == name).count(), 1, "{name} {hosts}");
    }
}

/// Processes that edit the same file at the same time lose nothing of each other.
#[test]
fn edits_at_the_same_time_are_all_made() {
    let folder = folder("same-today");
    let before = fs::read_to_string(folder.path().join("auth.yaml")).unwrap();
    let all: Vec<_> = (0..8)
        .map(|n| {
            let mut command = spore(&["key", "add", &format!("login{n}"), "--user", "root"]);
            command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut process in all {
        assert!(process.wait().unwrap().success());
    }
    let after = fs::read_to_string(folder.path().join("auth.yaml")).unwrap();
    assert!(after.starts_with(&before));
    for n in 0..8 {
        assert_eq!(after.matches(&format!("login{n}:")).count(), 1, "{after}");
    }
}

/// `spore tau pin` changes the fields of the pin, and nothing else in the file.
#[test]
fn comments_on_pins_stay() {
    let world = World::new();
    let file = world.folder().join("tau.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let ours = text.replace("  sha256:", "  # Tested in May.\n  sha256:") + "# The end.\n";
    fs::write(&file, &ours).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    world.spore(&["tau", "pin", "tau"]).exits(0);
    let pinned = fs::read_to_string(&file).unwrap();
    assert!(pinned.starts_with(ours.trim_end_matches("# The end.\n")), "{pinned}");
    assert!(pinned.contains("# The end."), "{pinned}");
    assert_eq!(mode(&file), 0o640);
    world.spore(&["tau", "pin", "tau"]).exits(0).says("pinned already; nothing to change");
    fs::write(
        world.folder().join("newer"),
        spore_drive::pretend::program(spore_drive::pretend::here(), "newer"),
    )
    .unwrap();
    world.spore(&["tau", "pin", "newer"]).exits(0).says("written to");
    let newer = fs::read_to_string(&file).unwrap();
    assert!(newer.contains("  # Tested in May.\n  sha256:") && newer.contains("path: \"newer\""), "{newer}");
}
