//! Has hosts generate the keys of the nodes that have neither a key nor an id in the folder, and
//! writes their ids there: `spore keys make`, which does only that, and the first step of `spore
//! apply`. `spore identity rotate` has a host generate another key in the same way. Wherever this is
//! cut off, the next time finds what has been generated.

use super::args::{ApplyOptions, Args, ConnectionOptions, FolderOptions, HostsOptions};
use super::attendant::attendant;
use super::replace::Locked;
use super::routes::Routes;
use super::survey::sudo_password;
use super::{CommandError, Exit, edit, folder, secrets, terminal, trust};
use crate::author::{Edits, FileChange, Renewed};
use crate::check;
use crate::identity::PeerId;
use crate::network::{Draft, Files, Keeper, Network, Secrets};
use crate::plan::Unplanned;
use crate::plan::node_keys::{NodeKeyReport, read, renewal, request};
use crate::remote::{RemoteLimits, SudoPassword, Target, gather};
use crate::render;
use crate::resource::{HostName, NodeName, SecretBytes};
use crate::ssh::Dialer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use tokio::task::block_in_place;

/// `spore keys make`.
pub(crate) async fn run(args: Args, options: HostsOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(&args);
    let (network, _) = folder::read(&args, options.folder.outside(), Secrets::Needed)?;
    if let Some(unknown) = options.hosts.iter().find(|host| !network.hosts.contains_key(*host)) {
        let what = format!("the folder has no host `{unknown}`");
        return Err(CommandError::new(what, "use a host from the folder").into());
    }
    let is_named = |node: &NodeName| options.hosts.is_empty() || options.hosts.contains(&node.host);
    let Some(keyless) = Keyless::of(network, is_named) else {
        terminal::out("keys: every node has a key or an id; nothing to generate\n");
        return Ok(Exit::Done);
    };
    let made = keyless.make(&args, &options.folder, &options.connection).await?;
    for (node, (id, is_new)) in &made.ids {
        terminal::out(&format!(
            "{node}  {id}  {}\n",
            if *is_new { "generated" } else { "found on the host" }
        ));
    }
    made.conclude("keys").map(|()| Exit::Done)
}

/// The first step of `spore apply`, which the user has to agree to. Does nothing if the folder has an
/// error, which is reported when it is read again. Returns whether the apply goes on. What was done is
/// noted in `done`, in any case.
///
/// # Errors
/// A key that the plan needs can't be generated, or its id can't be written, or there is no terminal to
/// prompt on.
pub(super) async fn before_apply(
    args: &Args,
    options: &ApplyOptions,
    done: &OnceLock<String>,
) -> miette::Result<bool> {
    let is_agreed = options.yes;
    let options = &options.plan;
    let path = folder::of_network(args)?;
    let draft = check::read(&path, Secrets::Needed, options.folder.outside());
    let Ok(network) = draft.finish() else { return Ok(true) };
    let elders: BTreeSet<NodeName> = network
        .bootstrap
        .iter()
        .flat_map(|(shape, hosts)| {
            hosts.iter().filter_map(|host| network.hosts.get(&**host)).map(|host| host.node_name(shape))
        })
        .collect();
    // The configurations of all nodes contain the elders' ids.
    let is_needed = |node: &NodeName| {
        let selects = |target: &crate::plan::Selector| {
            target.may_select(&node.host) && target.shape.as_ref().is_none_or(|shape| *shape == node.shape)
        };
        options.targets.is_empty() || options.targets.iter().any(selects) || elders.contains(node)
    };
    let Some(keyless) = Keyless::of(network, is_needed) else { return Ok(true) };
    terminal::set_up_reports(args);
    if !is_agreed {
        if !terminal::is_attended() {
            return Err(
                CommandError::new("no terminal to prompt on", "pass `--yes` to run unattended").into()
            );
        }
        let question = format!("before the plan: {}?", keyless.intent("generate"));
        let asked = tokio::task::spawn_blocking(move || terminal::confirm(&question));
        if !asked.await.unwrap_or(false) {
            return Ok(false);
        }
    }
    let mut made = keyless.generate(&options.connection).await?;
    let written = keyless.record(args, &options.folder, &mut made);
    if !made.ids.is_empty() {
        let new = made.ids.values().filter(|(_, is_new)| *is_new).count();
        let keys = format!("{} generated", render::counted(new, "key"));
        let _ = done.set(match &written {
            Ok(ids) => format!("{keys}, {} written to the folder", render::counted(*ids, "id")),
            Err(_) => keys,
        });
    }
    written?;
    made.conclude("apply").map(|()| true)
}

/// Has a host generate another key for its node, which has the old id, and writes the new id.
///
/// # Errors
/// The key can't be generated, or its id can't be written.
pub(super) async fn renew(
    args: &Args,
    network: Network,
    node: &NodeName,
    old: PeerId,
    folder: &FolderOptions,
    connection: &ConnectionOptions,
) -> miette::Result<()> {
    let identity = network.hosts.get(&node.host).and_then(|host| host.nodes.get(&node.shape));
    let files = identity.iter().map(|identity| identity.shape.place.file().to_owned()).collect();
    let nodes = BTreeMap::from([(node.host.clone(), vec![node.clone()])]);
    let keyless = Keyless { network, nodes, files, old: Some(old) };
    keyless.make(args, folder, connection).await?.conclude("identity")
}

/// Nodes with neither a key nor an id, or one that gets another key.
struct Keyless {
    network: Network,
    /// The id of the key that is replaced.
    old: Option<PeerId>,
    nodes: BTreeMap<HostName, Vec<NodeName>>,
    /// The files of the folder that lack their ids.
    files: BTreeSet<String>,
}

/// What hosts have generated.
#[derive(Default)]
struct Made {
    /// The id of each key, and whether the key is new.
    ids: BTreeMap<NodeName, (PeerId, bool)>,
    /// Why there is no key, and what to do about it.
    failed: Vec<String>,
}

impl Keyless {
    /// The nodes of a network; `None` if there are none.
    fn of(network: Network, is_wanted: impl Fn(&NodeName) -> bool) -> Option<Self> {
        let (mut nodes, mut files) = (BTreeMap::<_, Vec<_>>::new(), BTreeSet::new());
        for host in network.hosts.values() {
            for (shape, node) in &host.nodes {
                let name = host.node_name(shape);
                if node.keeper == Keeper::Host && node.id.is_none() && is_wanted(&name) {
                    nodes.entry(name.host.clone()).or_default().push(name);
                    files.insert(node.shape.place.file().to_owned());
                }
            }
        }
        (!nodes.is_empty()).then_some(Self { network, old: None, nodes, files })
    }

    /// Has the hosts generate the keys, and writes the ids into the folder.
    async fn make(
        &self,
        args: &Args,
        folder: &FolderOptions,
        connection: &ConnectionOptions,
    ) -> miette::Result<Made> {
        let mut made = self.generate(connection).await?;
        self.record(args, folder, &mut made)?;
        Ok(made)
    }

    /// What is going to happen; `generate` is the verb.
    fn intent(&self, generate: &str) -> String {
        let hosts = render::some_of(self.nodes.keys().map(HostName::to_string));
        let files = render::some_of(self.files.iter().cloned());
        match (&self.old, self.nodes.values().flatten().next()) {
            (Some(_), Some(node)) => {
                format!("{generate} another key of {node} on {hosts}; its id will be written to {files}")
            }
            _ => format!("{generate} keys on {hosts}; their ids will be written to {files}"),
        }
    }

    /// Has the hosts generate the keys, unless they have them.
    async fn generate(&self, options: &ConnectionOptions) -> miette::Result<Made> {
        terminal::note(&self.intent("generating"));
        let Self { network, nodes, .. } = self;
        let only: BTreeSet<HostName> = nodes.keys().cloned().collect();
        let host_keys = trust::host_keys(options, network, Some(&only)).await?;
        let sudo = sudo_password(options).await?;
        let redactor = secrets::of_logins(network);
        let sudo = sudo.map(|password| Arc::new(SudoPassword::new(password)));
        let limits = RemoteLimits::with(&options.timeouts);
        let dialer = Arc::new(Dialer::new(limits.ssh, redactor.clone()).attended(attendant()));
        let mut routes = Routes::new(&host_keys, network, options);
        routes.prepare(network).await;
        let mut made = Made::default();
        // Loading the keys may prompt for a passphrase.
        let targets = block_in_place(|| {
            let mut targets = Vec::new();
            for host in network.hosts.values() {
                let Some(nodes) = nodes.get(&*host.name) else { continue };
                match routes.to(host) {
                    Ok(route) => targets.push(Target {
                        name: HostName::clone(&host.name),
                        route,
                        sudo: sudo.clone(),
                        nodes: Vec::new(),
                        script: SecretBytes::new(self.script(nodes)),
                    }),
                    Err(why) => made.fail(&host.name, &why),
                }
            }
            targets
        });
        for (host, answer) in gather(targets, &dialer, &limits, |_, _| {}).await {
            match answer {
                Ok((connection, answer)) => {
                    connection.close().await;
                    made.hear(&nodes[&host], read(&answer, &nodes[&host], &redactor));
                }
                Err(error) => made.fail(&host, &Unplanned::from(error)),
            }
        }
        Ok(made)
    }

    /// What a host is asked for these nodes.
    fn script(&self, nodes: &[NodeName]) -> String {
        let root = &self.network.domain.root;
        match (&self.old, nodes) {
            // Only the ids of keys that hosts can have generated get here.
            (Some(old), [node]) => renewal(root, node, old).unwrap_or_default(),
            _ => request(root, nodes),
        }
    }

    /// Writes the ids into the folder, and returns their number. Those that can't be written are among
    /// the failures.
    fn record(&self, args: &Args, options: &FolderOptions, made: &mut Made) -> miette::Result<usize> {
        if made.ids.is_empty() {
            return Ok(0);
        }
        block_in_place(|| self.write(args, options, made))
    }

    /// Edits the folder, as [`record`](Self::record) says.
    fn write(&self, args: &Args, options: &FolderOptions, made: &mut Made) -> miette::Result<usize> {
        let path = &self.network.folder;
        let failed = |what: &str, error: std::io::Error| {
            CommandError::because(format!("can't {what} {}", path.display()), None, Some(error.to_string()))
        };
        let locked = Locked::new(path).map_err(|error| failed("lock", error))?;
        let outside = options.outside();
        let files = Files::read(path, &outside).map_err(|error| failed("read", error))?;
        let mut edits = Edits::new(&files);
        let mut written = 0;
        for (NodeName { shape, host, .. }, (id, _)) in &made.ids {
            let (host, shape, id) = (host.as_str(), shape.as_str(), id.to_string());
            let set = match &self.old {
                Some(old) => edits.renew(host, shape, &old.to_string(), &id, &Renewed::OnHost),
                None => edits.set_id(host, shape, &id),
            };
            match set {
                Ok(()) => written += 1,
                Err(error) => {
                    let by_hand = error.by_hand().map(|help| format!("; {help}")).unwrap_or_default();
                    made.failed.push(format!("{shape}@{host}: its key is on the host, but {error}{by_hand}"));
                }
            }
        }
        let draft = |files: &Files| Draft::from_files(files, Secrets::Needed);
        edits.write_derived_ids(&draft(&files));
        let changes = edits.finish();
        let bytes = |change: &FileChange| change.after.clone().map(String::into_bytes);
        let after: Vec<(&str, Option<Vec<u8>>)> =
            changes.iter().map(|change| (change.path.as_str(), bytes(change))).collect();
        let after = after.iter().map(|(path, bytes)| (*path, bytes.as_deref()));
        let after = Files::read_with(path, &outside, after).map_err(|error| failed("read", error))?;
        edit::accept(args, &draft(&files), &draft(&after))?;
        edit::write(&locked, &changes)?;
        let files = changes.iter().map(|change| change.path.clone());
        terminal::note(&match changes.is_empty() {
            true => format!("{} in the folder already", render::counted(written, "id")),
            false => format!("wrote {} to {}", render::counted(written, "id"), render::some_of(files)),
        });
        Ok(if changes.is_empty() { 0 } else { written })
    }
}

impl Made {
    fn fail(&mut self, host: &HostName, why: &Unplanned) {
        self.failed.push(format!("{host}: {}; {}", render::why(why), render::help(why)));
    }

    fn hear(&mut self, nodes: &[NodeName], reports: BTreeMap<NodeName, NodeKeyReport>) {
        for node in nodes {
            match reports.get(node) {
                Some(NodeKeyReport::Key { id, is_new }) => {
                    self.ids.insert(node.clone(), (*id, *is_new));
                }
                Some(NodeKeyReport::Failed(why)) => self.failed.push(format!("{node}: {why}")),
                None => self.failed.push(format!("{node}: the host's answer was cut off")),
            }
        }
    }

    /// Says what has failed.
    ///
    /// # Errors
    /// Something has failed.
    fn conclude(&self, command: &str) -> miette::Result<()> {
        if self.failed.is_empty() {
            return Ok(());
        }
        self.failed.iter().for_each(|failed| terminal::note(failed));
        let what =
            format!("{} could not be generated or recorded", render::counted(self.failed.len(), "node key"));
        let help = match command {
            "apply" => {
                "fix what is listed above; the other keys are kept; to apply other nodes first, name them with \
                 `--target`, or write a key of your own for the node into the folder (`spore key node`)"
            }
            _ => "fix what is listed above, and run the command again; the other keys are kept",
        };
        Err(CommandError::new(what, help).into())
    }
}
