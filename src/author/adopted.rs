//! The files of a network that exists already.

use super::{
    Edits, FileChange, Impossible, LAST, NewHost, NewLogin, NewShape, PRIVATE_KEY, PUBLIC_KEY, SWARM_KEY,
};
use crate::edit::{Change, New, Path};
use crate::network::Files;
use crate::resource::NodeName;
use std::collections::{BTreeMap, BTreeSet};

/// A network whose folder is to be written.
#[derive(Clone)]
pub struct AdoptedNetwork<'n> {
    /// The root domain.
    pub root: &'n str,
    /// The parent of generated domains.
    pub generated: &'n str,
    /// Custom domains, each with its service.
    pub custom: &'n BTreeMap<String, String>,
    /// The logins.
    pub logins: &'n [&'n NewLogin],
    /// The shapes.
    pub shapes: &'n [NewShape],
    /// The hosts, with their nodes.
    pub hosts: &'n [NewHost],
    /// The peer ids of the nodes.
    pub ids: &'n [(&'n NodeName, &'n str)],
    /// The elders.
    pub elders: &'n BTreeSet<NodeName>,
    /// The line of the swarm key.
    pub swarm_key: &'n str,
    /// The private validation key, in PEM, if it is known.
    pub private: Option<&'n str>,
    /// The public validation key, in PEM.
    pub public: &'n str,
    /// The provider and the owner of the repositories.
    pub tenancy: Option<(&'n str, &'n str)>,
    /// The id and the private key of the tenancy's app.
    pub app: Option<(&'n str, &'n str)>,
    /// The configuration of accounts, in YAML.
    pub accounts: Option<&'n str>,
}

/// The key of the tenancy's app.
pub const APP_KEY: &str = "keys/tenancy_app.key";
/// The configuration of accounts.
pub const ACCOUNTS: &str = "accounts.yaml";
/// The owner of the repositories.
pub const TENANCY: &str = "tenancy.yaml";

const IGNORED: &str = "\
# The secrets of the network. Keep a copy in a safe place: without them, it can't be managed.
/keys/
";

const CLOUD: &str = "\
# The network, as `spore import` found it on its hosts. README.md of spore lists all fields.

domain:
  root: example.org
  generated: g.example.org
  validation:  # the key pair that proves the ownership of domains
    key: {}

p2p:
  swarm: {key: keys/swarm.key}  # every node has this key; nobody else can join
  # The elders, which all other nodes dial first.
  bootstrap: {}
";

const LOGINS: &str = "\
# The SSH logins, by name. `key` is the path of a private key, or a list of paths; without it, the
# keys of your SSH agent are tried.

";

const SHAPES: &str = "\
# The shapes: templates of nodes, by name.

";

const HOSTS: &str = "\
# The hosts and their nodes. The private keys of the nodes are on their hosts only.

";

/// The files of a network, in the order in which they are to be written.
///
/// # Errors
/// A value can't be written.
pub fn adopt(network: &AdoptedNetwork<'_>) -> Result<Vec<FileChange>, Impossible> {
    let mut files = Files::new("");
    let named = [(LAST, CLOUD), ("auth.yaml", LOGINS), ("shapes.yaml", SHAPES), ("hosts.yaml", HOSTS)];
    named.iter().for_each(|(name, text)| files.insert(*name, *text));
    let mut edits = Edits::new(&files);
    domain(&mut edits, network)?;
    network.logins.iter().try_for_each(|login| edits.add_login(login))?;
    network.shapes.iter().try_for_each(|shape| edits.add_shape(shape))?;
    network.hosts.iter().try_for_each(|host| edits.add_host(host))?;
    for (node, id) in network.ids {
        edits.set_id(node.host.as_str(), node.shape.as_str(), id)?;
    }
    for node in network.elders {
        edits.add_elder(node.shape.as_str(), node.host.as_str())?;
    }
    tenancy(&mut edits, network)?;
    let mut texts: BTreeMap<String, String> =
        edits.finish().into_iter().filter_map(|change| Some((change.path, change.after?))).collect();
    let mut created = Vec::new();
    let mut create = |path: &str, text: Option<String>, is_secret: bool| {
        let file = |after| FileChange { path: path.to_owned(), before: None, after: Some(after), is_secret };
        created.extend(text.map(file));
    };
    let ignored = network.accounts.map_or_else(|| IGNORED.to_owned(), |_| format!("{IGNORED}/{ACCOUNTS}\n"));
    create(".gitignore", Some(ignored), false);
    create(SWARM_KEY, Some(network.swarm_key.to_owned()), true);
    create(PRIVATE_KEY, network.private.map(str::to_owned), true);
    create(PUBLIC_KEY, Some(network.public.to_owned()), false);
    create(APP_KEY, network.app.map(|(_, key)| key.to_owned()), true);
    create(ACCOUNTS, network.accounts.map(str::to_owned), true);
    create(TENANCY, texts.remove(TENANCY), false);
    for (name, _) in named.iter().rev() {
        create(name, texts.remove(*name), false);
    }
    // It completes the folder.
    created.sort_by_key(|change| change.path == LAST);
    Ok(created)
}

fn domain(edits: &mut Edits<'_>, network: &AdoptedNetwork<'_>) -> Result<(), Impossible> {
    let at = |keys: &[&str]| Path::keys(keys.iter().copied());
    edits.edit(LAST, &at(&["domain", "root"]), &Change::Set(New::text(network.root)))?;
    edits.edit(LAST, &at(&["domain", "generated"]), &Change::Set(New::text(network.generated)))?;
    let keys = [("private", network.private.map(|_| PRIVATE_KEY)), ("public", Some(PUBLIC_KEY))];
    for (name, path) in keys {
        let Some(path) = path else { continue };
        let place = at(&["domain", "validation", "key"]);
        edits.edit(LAST, &place, &Change::Add(name.to_owned(), New::text(path)))?;
    }
    if !network.custom.is_empty() {
        let entries = network.custom.iter().map(|(name, service)| (name.as_str(), New::text(service)));
        edits.edit(LAST, &at(&["domain"]), &Change::Add("hosts".to_owned(), New::map(entries)))?;
    }
    Ok(())
}

fn tenancy(edits: &mut Edits<'_>, network: &AdoptedNetwork<'_>) -> Result<(), Impossible> {
    let Some((provider, owner)) = network.tenancy else { return Ok(()) };
    let mut add =
        |name: &str, value: New| edits.edit(TENANCY, &Path::default(), &Change::Add(name.to_owned(), value));
    add("provider", New::text(provider))?;
    add("owner", New::text(owner))?;
    if let Some((client_id, _)) = network.app {
        let app = [("client-id", New::text(client_id)), ("key_file", New::text(APP_KEY))];
        add("app", New::map(app))?;
    }
    Ok(())
}
