//! Which files matter, and what `ssh -G` answers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::resolved::{AgentSocket, parse};
use super::scan::scan;
use crate::network::Jump;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn scanned(files: &[(&str, &str)]) -> (bool, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let found = scan(Some(&folder.path().join("config")), &folder.path().join("none"));
    let names = found.unsupported.iter().map(|option| {
        let file = option.file.strip_prefix(folder.path()).unwrap();
        format!("{} {}:{}", option.name, file.display(), option.line)
    });
    (found.matters, names.collect())
}

#[test]
fn only_files_that_set_something_matter() {
    let debian =
        "Include conf.d/*.conf\n\nHost *\n#   Port 22\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n";
    let unsupported = vec!["SendEnv config:5".to_owned(), "HashKnownHosts config:6".to_owned()];
    assert_eq!(scanned(&[("config", debian)]), (false, unsupported.clone()));
    assert!(!scanned(&[("config", debian), ("conf.d/a.text", "Port 1")]).0);
    assert!(!scanned(&[("config", debian), ("conf.d/.a.conf", "Port 1")]).0);
    assert!(scanned(&[("config", debian), ("conf.d/a.conf", "Port 1")]).0);
    assert!(scanned(&[("config", "Include \"a b\"\n"), ("a b", "Include c"), ("c", "proxyjump=x")]).0);
    assert!(scanned(&[("config", "Match host x exec \"y\"\n\tHOSTNAME z\n")]).0);
    // It isn't known what these name.
    assert!(scanned(&[("config", "Include ${X}/y\n")]).0);
    assert!(scanned(&[("config", "Include */y\n")]).0);
    assert!(scanned(&[("config", "Include config\n")]).0);
    assert_eq!(scanned(&[("config", "# Port 1\nKexAlgorithms x\n")]).1, ["KexAlgorithms config:2"]);
    assert_eq!(scanned(&[]), (false, Vec::new()));
}

const DEFAULTS: &str = "host localhost
user ana
hostname localhost
port 22
identitiesonly no
identityfile /root/.ssh/id_rsa
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /root/.ssh/known_hosts /root/.ssh/known_hosts2
connecttimeout none
";

#[test]
fn the_answer_of_ssh_is_understood() {
    let defaults = parse(DEFAULTS, None).unwrap();
    let same = parse(DEFAULTS, Some(&defaults)).unwrap();
    assert_eq!(same, defaults);
    assert_eq!((same.jumps.len(), same.proxy, same.alias, same.connect_timeout), (0, None, None, None));
    let text = "host h1
user bob
hostname h1.example.test
port 2222
identitiesonly yes
identityagent none
identityfile /k/%h-%r-%p-%n-%%-%k
identityfile /k/%C
certificatefile /k/${SPORE TEST}
identityfile /k/a b
certificatefile /k/%r-cert.pub
proxyjump one,me@[2001:db8::1]:33,ssh://you@two:44
proxycommand none
hostkeyalias alias
userknownhostsfile /k/1 /k/2 3
globalknownhostsfile none
connecttimeout 60
";
    let found = parse(text, Some(&defaults)).unwrap();
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(found.address.to_string(), "h1.example.test:2222");
    assert_eq!(found.identity_files, paths(&["/k/h1.example.test-bob-2222-h1-%-alias", "/k/a b"]));
    // With jump hosts, its value depends on the version of ssh.
    assert_eq!(found.unexpanded, ["IdentityFile /k/%C", "CertificateFile /k/${SPORE TEST}"]);
    assert!(found.names_identity_files && found.identities_only && found.names_known_files);
    assert_eq!(found.certificates, paths(&["/k/bob-cert.pub"]));
    assert_eq!((found.user_known, found.global_known), (paths(&["/k/1", "/k/2 3"]), Vec::new()));
    assert_eq!((found.agent, found.alias.as_deref()), (AgentSocket::None, Some("alias")));
    assert_eq!(found.connect_timeout, Some(Duration::from_secs(60)));
    let hop =
        |user: Option<&str>, host: &str, port| Jump { user: user.map(Into::into), host: host.into(), port };
    let expected =
        [hop(None, "one", None), hop(Some("me"), "2001:db8::1", Some(33)), hop(Some("you"), "two", Some(44))];
    assert_eq!(found.jumps, expected);
    let other = DEFAULTS.replace("connecttimeout none", "proxycommand nc %h %p\nidentityagent /a/%r");
    let found = parse(&other, Some(&defaults)).unwrap();
    assert_eq!(found.proxy.as_deref(), Some("nc %h %p"));
    assert_eq!(found.agent, AgentSocket::At(Path::new("/a/ana").to_owned()));
    assert!(!found.names_identity_files && !found.names_known_files);
}

#[test]
fn a_connect_timeout_of_zero_is_none() {
    let zero = DEFAULTS.replace("connecttimeout none", "connecttimeout 0");
    assert_eq!(parse(&zero, None).unwrap().connect_timeout, None);
}

#[test]
fn tokens_of_jump_hosts_are_expanded() {
    let jumping = |jump: &str| parse(&DEFAULTS.replace("connecttimeout none", jump), None);
    let jumps = jumping("proxyjump %r@gw-%h:%p,x.%n").unwrap().jumps;
    let jumps: Vec<String> = jumps.iter().map(ToString::to_string).collect();
    assert_eq!(jumps, ["ana@gw-localhost:22", "x.localhost"]);
    assert_eq!(jumping("proxyjump gw-%C"), None);
}

#[test]
fn paths_are_expanded_as_ssh_does() {
    let say = |program: &str, option: &str| {
        let out = Command::new(program).arg(option).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let host = say("uname", "-n");
    let (uid, user) = (say("id", "-u"), say("id", "-un"));
    let home = std::env::var("HOME").unwrap();
    let short = host.split('.').next().unwrap();
    let text = DEFAULTS.replace("/root/.ssh/id_rsa", "${HOME}/%i-%u-%l-%L-%k-%%");
    let found = parse(&text, None).unwrap();
    let expected = format!("{home}/{uid}-{user}-{host}-{short}-localhost-%");
    assert_eq!((found.identity_files, found.unexpanded), (vec![PathBuf::from(expected)], Vec::new()));
    // ssh has expanded the other files.
    let text = DEFAULTS.replace("/root/.ssh/known_hosts ", "/k/%h ${HOME}/%h ");
    let found = parse(&text, None).unwrap();
    assert_eq!(found.user_known.first(), Some(&PathBuf::from("/k/%h")));
    assert_eq!(found.user_known.get(1), Some(&PathBuf::from(format!("{home}/localhost"))));
}

#[test]
fn the_digest_of_a_connection_is_that_of_ssh() {
    // ssh expands this option itself.
    let options = ["-F", "none", "-T", "-p", "2200", "-l", "ana", "-o", "UserKnownHostsFile=/k/%C", "-G"];
    let Ok(ssh) = Command::new("ssh").args(options).args(["--", "h1"]).output() else { return };
    let text = String::from_utf8(ssh.stdout).unwrap() + "certificatefile /k/%C\n";
    let found = parse(&text, None).unwrap();
    assert_eq!(found.certificates, found.user_known);
}
