//! `spore trust`, which shows the keys of hosts and adds them to `known_hosts`, and
//! `--accept-new-host-keys`, which adds those of hosts that were never seen before.
//!
//! Neither logs in to a host whose keys it determines. A jump host comes before those behind it, because
//! they can be reached only once it is known and logged in to.

use super::args::{Args, ConnectionOptions, TrustOptions};
use super::attendant::attendant;
use super::known_hosts::{HostKeys, NewKeys};
use super::routes::Routes;
use super::{CommandError, Exit, folder, secrets, terminal};
use crate::network::{Network, Secrets};
use crate::plan::{HostError, Unplanned};
use crate::remote::RemoteLimits;
use crate::render;
use crate::resource::HostName;
use crate::ssh::{ConnectError, Dialer, Identity, Route, Server, ServerAddress};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, block_in_place};

pub(crate) async fn run(args: Args, options: TrustOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(&args);
    let (network, _) = folder::read(&args, options.folder.outside(), Secrets::Elsewhere)?;
    let named: BTreeSet<HostName> = options.hosts.iter().cloned().collect();
    if let Some(unknown) = named.iter().find(|host| !network.hosts.contains_key(*host)) {
        let what = format!("the folder has no host `{unknown}`");
        return Err(CommandError::new(what, "use a host from the folder").into());
    }
    let host_keys = HostKeys::read(&options.connection, &network.folder, true)?;
    let only = (!named.is_empty()).then_some(&named);
    let mut circle = Circle::new(&network, &options.connection, host_keys, only);
    let (mut added, mut failed) = (0, BTreeSet::new());
    loop {
        let met = circle.meet().await?;
        if met.is_empty() {
            break;
        }
        let mut new = Vec::new();
        for Met { server, identity } in met {
            let name = server.name.clone();
            match identity {
                Ok(Identity::Known) if only.is_some() => terminal::out(&format!("{name}  already known\n")),
                Ok(Identity::Known) => {}
                Ok(Identity::New { keys, authority }) => {
                    terminal::out(&render::host_keys(&name, &server.known_as(), &keys, authority.as_ref()));
                    if authority.is_some() && options.yes {
                        failed.insert(name);
                        continue;
                    }
                    new.push(NewKeys { name, addresses: server.known_as(), keys });
                }
                Err(error) => {
                    terminal::out(&format!("{name}  {}\n", words(error)));
                    failed.insert(name);
                }
            }
        }
        if new.is_empty() {
            continue;
        }
        if !agreed(&options).await? {
            terminal::out(&match added {
                0 => "trust: declined; nothing was added\n".to_owned(),
                _ => format!("trust: declined; added {} before\n", render::counted(added, "host")),
            });
            return Ok(Exit::Declined);
        }
        // Whatever another process has added first, the next round asks about.
        added += circle.add(&new)?.len();
    }
    for (host, why) in &circle.no_way {
        terminal::out(&format!("{host}  {}; {}\n", render::why(why), render::help(why)));
        failed.insert(host.to_string());
    }
    terminal::out(&format!("{}\n", conclusion(added, &failed, &circle.host_keys)));
    Ok(if failed.is_empty() { Exit::Done } else { Exit::Failed })
}

fn conclusion(added: usize, failed: &BTreeSet<String>, host_keys: &HostKeys) -> String {
    let mut line = match added {
        0 => "trust: nothing to add".to_owned(),
        _ => format!("trust: added {} to {}", render::counted(added, "host"), host_keys.file.display()),
    };
    if !failed.is_empty() {
        let names: Vec<&str> = failed.iter().map(String::as_str).collect();
        line += &format!("; {} not added ({})", render::counted(failed.len(), "host"), names.join(", "));
    }
    line
}

/// Why a host can't be identified, and what to do, in one line.
fn words(error: ConnectError) -> String {
    let error = HostError::from(error);
    format!("{}; {}", render::host_error(&error), render::host_help(&error))
}

/// Whether the user trusts the keys that were shown.
///
/// # Errors
/// If there is no terminal to prompt on.
async fn agreed(options: &TrustOptions) -> miette::Result<bool> {
    terminal::out(render::COMPARE_HOST_KEYS);
    if options.yes {
        return Ok(true);
    }
    if !terminal::is_attended() {
        let help = "compare the fingerprints above, then pass `--yes` to add the keys";
        return Err(CommandError::new("no terminal to prompt on", help).into());
    }
    let ask = || terminal::confirm("trust these host keys?");
    Ok(tokio::task::spawn_blocking(ask).await.unwrap_or(false))
}

/// Reads the host keys that are trusted. With `--accept-new-host-keys`, first adds those of
/// the folder's hosts that no file lists; of these, only hosts in `only`, if it is given. A host for
/// which a certificate authority is listed has to show a certificate.
///
/// # Errors
/// If a file can't be read or written.
pub(crate) async fn host_keys(
    options: &ConnectionOptions,
    network: &Network,
    only: Option<&BTreeSet<HostName>>,
) -> miette::Result<HostKeys> {
    let host_keys = HostKeys::read(options, &network.folder, options.accept_new_host_keys)?;
    if !options.accept_new_host_keys {
        return Ok(host_keys);
    }
    let mut circle = Circle::new(network, options, host_keys, only);
    circle.only_new = true;
    loop {
        let met = circle.meet().await?;
        if met.is_empty() {
            return Ok(circle.host_keys);
        }
        let mut new = Vec::new();
        for Met { server, identity } in met {
            // Any other result is found again when the host is logged in to, and reported then.
            let Ok(Identity::New { keys, authority: None }) = identity else { continue };
            new.push(NewKeys { name: server.name.clone(), addresses: server.known_as(), keys });
        }
        let added = if new.is_empty() { Vec::new() } else { circle.add(&new)? };
        let file = circle.host_keys.file.display();
        for NewKeys { name, keys, .. } in added {
            let shown = render::host_keys_in_line(keys);
            terminal::note(&format!("note: accepted the new host key of {name}: {shown}; added to {file}"));
        }
    }
}

/// The servers whose keys are to become known.
struct Circle<'a> {
    network: &'a Network,
    options: &'a ConnectionOptions,
    only: Option<&'a BTreeSet<HostName>>,
    /// Whether hosts that are listed are left alone even if `only` names them.
    only_new: bool,
    host_keys: HostKeys,
    /// The servers that were asked for their keys, each by its names.
    met: BTreeSet<Vec<ServerAddress>>,
    /// The hosts to which there is no way.
    no_way: BTreeMap<HostName, Unplanned>,
}

/// What a server has shown.
struct Met {
    server: Arc<Server>,
    identity: Result<Identity, ConnectError>,
}

impl<'a> Circle<'a> {
    fn new(
        network: &'a Network,
        options: &'a ConnectionOptions,
        host_keys: HostKeys,
        only: Option<&'a BTreeSet<HostName>>,
    ) -> Self {
        Self {
            network,
            options,
            only,
            only_new: false,
            host_keys,
            met: BTreeSet::new(),
            no_way: BTreeMap::new(),
        }
    }

    /// Asks the next servers for their keys: on the way to each host, the first that isn't known
    /// and wasn't asked yet. Empty if there are no more.
    async fn meet(&mut self) -> miette::Result<Vec<Met>> {
        let mut routes = Routes::new(&self.host_keys, self.network, self.options);
        routes.prepare(self.network).await;
        let routes = block_in_place(|| self.next(routes));
        let limits = RemoteLimits::with(&self.options.timeouts);
        let dialer = Dialer::new(limits.ssh, secrets::of_logins(self.network)).attended(attendant());
        let dialer = Arc::new(dialer);
        let at_once = Arc::new(Semaphore::new(limits.at_once));
        let mut meeting = JoinSet::new();
        for (index, route) in routes.into_iter().enumerate() {
            let (dialer, at_once) = (Arc::clone(&dialer), Arc::clone(&at_once));
            meeting.spawn(async move {
                let _turn = at_once.acquire().await;
                let identity = dialer.identify(&route).await;
                (index, Met { server: route.host, identity })
            });
        }
        let mut met = meeting.join_all().await;
        met.sort_by_key(|(index, _)| *index);
        Ok(met.into_iter().map(|(_, met)| met).collect())
    }

    fn next(&mut self, mut routes: Routes) -> Vec<Route> {
        let hosts = self.network.hosts.values();
        let hosts = hosts.filter(|host| self.only.is_none_or(|only| only.contains(&host.name)));
        let mut next = Vec::new();
        for host in hosts {
            let route = match routes.unidentified(host) {
                Ok(route) => route,
                Err(why) => {
                    self.no_way.insert(host.name.value.clone(), why);
                    continue;
                }
            };
            let is_named = self.only.is_some() && !self.only_new;
            for (depth, server) in route.jumps.iter().chain([&route.host]).enumerate() {
                let unlisted: Vec<Arc<Server>> = server.unlisted().into_iter().map(Arc::new).collect();
                let is_unknown = unlisted.len() == server.known_as().len();
                let is_last = depth == route.jumps.len();
                let asked = match unlisted.is_empty() && is_last && is_named {
                    true => vec![Arc::clone(server)],
                    false => unlisted,
                };
                let is_new = |server: &Arc<Server>| self.met.insert(server.known_as());
                let asked: Vec<Arc<Server>> = asked.into_iter().filter(is_new).collect();
                let jumps: Vec<Arc<Server>> = route.jumps.iter().take(depth).cloned().collect();
                let is_asked = !asked.is_empty();
                next.extend(asked.into_iter().map(|host| Route { jumps: jumps.clone(), host }));
                if is_asked || is_unknown {
                    break;
                }
            }
        }
        next
    }

    fn add<'n>(&mut self, keys: &'n [NewKeys]) -> miette::Result<Vec<&'n NewKeys>> {
        self.host_keys.add(keys, self.options, &self.network.folder)
    }
}
