//! The files of a new network.

use super::{Edits, FileChange, Impossible, NewLogin};
use crate::network::Files;

/// A network to be created. The keys have been generated elsewhere.
#[derive(Clone)]
pub struct NewNetwork {
    /// The root domain.
    pub root: String,
    /// The parent of generated domains.
    pub generated: String,
    /// The login of its hosts.
    pub login: NewLogin,
    /// The line of the swarm key.
    pub swarm_key: String,
    /// The domain-validation key pair, in PEM.
    pub validation: [String; 2],
}

/// The file that is written last. Without it, a folder isn't complete.
pub const LAST: &str = "cloud.yaml";

/// The files with secrets.
pub const SWARM_KEY: &str = "keys/swarm.key";
/// The private validation key.
pub const PRIVATE_KEY: &str = "keys/dv_private.key";
/// The public validation key, which isn't a secret.
pub const PUBLIC_KEY: &str = "keys/dv_public.key";

const IGNORED: &str = "\
# The keys of the network. Keep a copy in a safe place: without them, it can't be managed.
/keys/
";

const CLOUD: &str = "\
# The network. README.md of spore lists all fields.

domain:
  root: ROOT  # the services of the network are below this domain
  generated: GENERATED  # apps get names below this domain
  validation:  # the key pair that proves the ownership of domains
    key: {private: keys/dv_private.key, public: keys/dv_public.key}

p2p:
  swarm: {key: keys/swarm.key}  # every node has this key; nobody else can join
  # The elders, which all other nodes dial first: at least two, on different hosts.
  # `spore bootstrap add elders@HOST` adds one.
  bootstrap: {}
";

const LOGINS: &str = "\
# The SSH logins, by name. `key` is the path of a private key, or a list of paths; without it, the
# keys of your SSH agent are tried. `spore key add` adds a login.

";

const SHAPES: &str = "\
# The shapes: templates of nodes, by name. `spore shape add` adds one.

# The elders have no services. They only connect the others.
elders:
  ports: {main: 4242, lite: 4247, ipfs: 4252}

# All services but two: `auth` needs a file tenancy.yaml, and `gateway` doesn't go together with
# `substrate`.
all:
  services: [tns, hoarder, patrick, monkey, substrate, seer]
  ports: {main: 5242, lite: 5247, ipfs: 5252}
";

const HOSTS: &str = "\
# The hosts and their nodes. `spore host add` adds a host.

{}
";

/// The files of a new network, in the order in which they are to be written.
///
/// # Errors
/// The login can't be written.
pub fn create(network: &NewNetwork) -> Result<Vec<FileChange>, Impossible> {
    let NewNetwork { root, generated, login, swarm_key, validation: [private, public] } = network;
    let cloud = CLOUD.replace("ROOT", root).replace("GENERATED", generated);
    let mut files = Files::new("");
    files.insert("auth.yaml", LOGINS);
    let mut edits = Edits::new(&files);
    edits.add_login(login)?;
    let logins = edits.finish().into_iter().find_map(|change| change.after).unwrap_or_default();
    let file = |path: &str, text: &str, is_secret| FileChange {
        path: path.to_owned(),
        before: None,
        after: Some(text.to_owned()),
        is_secret,
    };
    Ok(vec![
        file(".gitignore", IGNORED, false),
        file(SWARM_KEY, swarm_key, true),
        file(PRIVATE_KEY, private, true),
        file(PUBLIC_KEY, public, false),
        file("auth.yaml", &logins, false),
        file("shapes.yaml", SHAPES, false),
        file("hosts.yaml", HOSTS, false),
        file(LAST, &cloud, false),
    ])
}
