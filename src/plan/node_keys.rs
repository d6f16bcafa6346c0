//! The keys of nodes that their hosts generate: the request to a host ([`request`], [`renewal`]), and
//! its answer ([`read`]).
//!
//! This precedes a plan, because configurations contain the ids of other nodes, and every file is
//! identified by its digest. A private key never leaves its host. Only a [`renewal`] replaces it: a
//! host that has the key of a node already, in whatever way it got there, reports that one.

use crate::daemon::Daemon;
use crate::identity::{PeerId, peer_id_of_public_half, public_half_of_peer_id};
use crate::resource::{NodeName, Printable, Redactor, Untrusted};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::collections::BTreeMap;

/// The key of a node, as its host has reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKeyReport {
    /// The host has it.
    Key {
        /// The node's peer id.
        id: PeerId,
        /// Whether it was generated now.
        is_new: bool,
    },
    /// The host neither has nor generates it, for this reason.
    Failed(Printable),
}

/// A script that generates the keys of these nodes of one host, unless the host has them.
pub fn request(network: &str, nodes: &[NodeName]) -> String {
    script(nodes, |node| vec!["make_key".to_owned(), path_of(node), network.to_owned()])
}

/// A script that generates another key for a node, in place of the key with this id. If the host has
/// another key already, because an earlier command was cut off before the id was written, it is
/// found. The old key stays in the configuration until that is replaced. `None` if the id is that
/// of a key that a host can't have generated.
pub fn renewal(network: &str, node: &NodeName, old: &PeerId) -> Option<String> {
    let public = public_half_of_peer_id(old)?;
    let words =
        |node: &NodeName| vec!["renew_key".to_owned(), path_of(node), network.to_owned(), public.clone()];
    Some(script(std::slice::from_ref(node), words))
}

fn path_of(node: &NodeName) -> String {
    node.daemon.config_path(&node.shape)
}

/// A script that runs a command for each node.
fn script(nodes: &[NodeName], command: impl Fn(&NodeName) -> Vec<String>) -> String {
    let mut text = String::from("(\nLC_ALL=C\nexport LC_ALL\nroot=${SPORE_ROOT-}\n");
    for daemon in Daemon::ALL {
        text.push_str(daemon.finding_keys());
        text.push_str(daemon.making_keys());
        for node in nodes.iter().filter(|node| node.daemon == *daemon) {
            let words = command(node);
            text.push_str(&shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default());
            text.push('\n');
        }
    }
    text + "echo end\n) </dev/null\n"
}

/// What a host has answered about these nodes. A node about which it has said nothing is left out.
pub fn read(
    answer: &Untrusted,
    nodes: &[NodeName],
    redactor: &Redactor,
) -> BTreeMap<NodeName, NodeKeyReport> {
    let answer = redactor.open(answer);
    let report = |node: &NodeName| {
        let path = node.daemon.config_path(&node.shape);
        let mut lines = answer.expose().lines().filter_map(|line| line.strip_prefix("key\t"));
        let (how, what) =
            lines.find_map(|line| line.strip_prefix(&path)?.strip_prefix('\t')?.split_once('\t'))?;
        let key = |is_new| match peer_id_of_public_half(what) {
            Some(id) => NodeKeyReport::Key { id, is_new },
            None => NodeKeyReport::Failed(Printable::composed("what it answered isn't a key".to_owned())),
        };
        let report = match how {
            "made" => key(true),
            "found" => key(false),
            _ => {
                let text = BASE64_STANDARD.decode(what).unwrap_or_default();
                NodeKeyReport::Failed(redactor.show_in_one_line(&Untrusted::of_bytes(&text)))
            }
        };
        Some((node.clone(), report))
    };
    nodes.iter().filter_map(report).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::identity::NodeKey;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    fn node(shape: &str) -> NodeName {
        NodeName { shape: shape.parse().unwrap(), host: "h1".parse().unwrap(), daemon: Daemon::Tau }
    }

    /// Asks a host whose files are below `root` for the keys of these nodes, with these commands.
    fn ask(root: &Path, shapes: &[&str], path: &str) -> Vec<NodeKeyReport> {
        let nodes: Vec<NodeName> = shapes.iter().map(|shape| node(shape)).collect();
        run(root, &request("example.org", &nodes), &nodes, path)
    }

    fn run(root: &Path, script: &str, nodes: &[NodeName], path: &str) -> Vec<NodeKeyReport> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).env_clear().env("PATH", path).env("SPORE_ROOT", root);
        let said = shell.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stderr), "");
        let answer = String::from_utf8(said.stdout).unwrap();
        assert!(answer.ends_with("end\n"), "{answer}");
        read(&Untrusted::new(answer), nodes, &Redactor::default()).into_values().collect()
    }

    fn key_of(root: &Path, shape: &str) -> NodeKey {
        fs::read_to_string(root.join(config(&format!("keys/{shape}.key")))).unwrap().parse().unwrap()
    }

    fn config(file: &str) -> String {
        format!("{}/{file}", Daemon::Tau.config_directory().trim_start_matches('/'))
    }

    /// A folder with links to all commands of this machine except these.
    fn without(commands: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "base64",
            "flock",
            "head",
            "ln",
            "mkdir",
            "mv",
            "openssl",
            "rm",
            "sed",
            "ssh-keygen",
            "sync",
            "tail",
        ] {
            let there = ["/usr/bin", "/bin"].map(|bin| Path::new(bin).join(name));
            if let Some(there) = there.iter().find(|there| there.exists() && !commands.contains(&name)) {
                std::os::unix::fs::symlink(there, folder.path().join(name)).unwrap();
            }
        }
        folder
    }

    #[test]
    fn a_host_generates_a_key_once() {
        use std::os::unix::fs::PermissionsExt as _;
        for other in ["openssl", "ssh-keygen"] {
            let (root, path) = (tempfile::tempdir().unwrap(), without(&[other]));
            let path = path.path().to_str().unwrap();
            let [NodeKeyReport::Key { id, is_new: true }] = ask(root.path(), &["store"], path)[..] else {
                panic!("no key without {other}")
            };
            assert_eq!(key_of(root.path(), "store").peer_id(), id);
            let keys = root.path().join(config("keys"));
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
            assert_eq!([mode(&keys), mode(&keys.join("store.key"))], [0o750, 0o600]);
            assert_eq!(fs::read_dir(&keys).unwrap().count(), 1, "no temporary file is left");
            // If the answer was lost, the same key is found, and the other node gets another one.
            let again = ask(root.path(), &["store", "other"], path);
            let is_the_same = |report: &NodeKeyReport| *report == NodeKeyReport::Key { id, is_new: false };
            assert_eq!(again.iter().filter(|report| is_the_same(report)).count(), 1, "{again:?}");
            assert_eq!(again.len(), 2);
        }
    }

    #[test]
    fn a_renewal_replaces_a_key_once() {
        let (root, path) = (tempfile::tempdir().unwrap(), without(&[]));
        let (root, path) = (root.path(), path.path().to_str().unwrap());
        let (node, config) = (node("store"), root.join(config("store.yaml")));
        let renew = |old: &PeerId| {
            let script = renewal("example.org", &node, old).unwrap();
            run(root, &script, std::slice::from_ref(&node), path).remove(0)
        };
        let [NodeKeyReport::Key { id: first, .. }] = ask(root, &["store"], path)[..] else {
            panic!("no key")
        };
        let text = String::from_utf8_lossy(key_of(root, "store").expose().expose()).into_owned();
        fs::write(&config, format!("privatekey: {text}\nnetwork-fqdn: example.org\n")).unwrap();
        // Of several processes, all get the same new key.
        let reports: Vec<NodeKeyReport> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| renew(&first))).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let second = key_of(root, "store").peer_id();
        assert_ne!(second, first);
        for report in reports {
            assert!(matches!(report, NodeKeyReport::Key { id, .. } if id == second), "{report:?}");
        }
        // The id wasn't written: the same key is found, and the old one is where the node has it.
        assert_eq!(renew(&first), NodeKeyReport::Key { id: second, is_new: false });
        assert!(fs::read_to_string(&config).unwrap().contains(&text));
        // The id was written, but the node doesn't run with it yet: the next one would be lost.
        let NodeKeyReport::Failed(why) = renew(&second) else { panic!() };
        assert!(why.as_str().contains("run `spore apply` first"), "{why}");
        assert_eq!(key_of(root, "store").peer_id(), second);
        // The key of a node that has never run is replaced.
        fs::remove_file(&config).unwrap();
        assert!(matches!(renew(&second), NodeKeyReport::Key { is_new: true, .. }));
        assert_eq!(fs::read_dir(root.join(self::config("keys"))).unwrap().count(), 1);
    }

    #[test]
    fn two_processes_get_the_same_key() {
        let (root, path) = (tempfile::tempdir().unwrap(), without(&[]));
        let (root, path) = (root.path(), path.path().to_str().unwrap());
        let ids = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(root, &["store"], path))).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        });
        let key = key_of(root, "store").peer_id();
        for report in ids.into_iter().flatten() {
            assert!(matches!(report, NodeKeyReport::Key { id, .. } if id == key), "{report:?}");
        }
        assert_eq!(fs::read_dir(root.join(config("keys"))).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_is_there_is_never_replaced() {
        let (root, path) = (tempfile::tempdir().unwrap(), without(&[]));
        let (root, path) = (root.path(), path.path().to_str().unwrap());
        fs::create_dir_all(root.join(config("keys"))).unwrap();
        let key = NodeKey::generate();
        let text = String::from_utf8_lossy(key.expose().expose()).into_owned();
        let write = |file: &str, text: &str| fs::write(root.join(config(file)), text).unwrap();
        let of = |shape: &str| ask(root, &[shape], path).remove(0);
        let found = NodeKeyReport::Key { id: key.peer_id(), is_new: false };
        // Another tool has written it into the configuration.
        for line in [
            format!("privatekey: {text}\n"),
            format!("privatekey:   \"{text}\"  \n"),
            format!("privatekey: '{text}'"),
        ] {
            write("store.yaml", &format!("network-fqdn: example.org\n{line}"));
            assert_eq!(of("store"), found, "{line}");
        }
        let failed = |shape: &str, why: &str| {
            let report = of(shape);
            assert!(matches!(&report, NodeKeyReport::Failed(text) if text.contains(why)), "{report:?}");
        };
        write("store.yaml", "privatekey: something\n");
        failed("store", "no private key of a kind that spore knows is in");
        write("keys/other.key", "something\n");
        failed("other", "other.key isn't a node's private key");
        assert_eq!(fs::read_to_string(root.join(config("keys/other.key"))).unwrap(), "something\n");
        // The name of a key of the network.
        failed("swarm", "rename the shape");
        write("store.yaml", "network-fqdn: 'example.net' \n");
        failed("third", "its configurations name the network example.net");
        assert!(!root.join(config("keys/third.key")).exists());
    }

    #[test]
    fn a_host_without_the_programs_says_so() {
        let (root, path) = (tempfile::tempdir().unwrap(), without(&["openssl", "ssh-keygen"]));
        let report = ask(root.path(), &["store"], path.path().to_str().unwrap()).remove(0);
        let NodeKeyReport::Failed(why) = report else { panic!("{report:?}") };
        assert_eq!(
            why.as_str(),
            "it has neither ssh-keygen nor openssl to generate a key with; install openssh-client"
        );
    }
}
