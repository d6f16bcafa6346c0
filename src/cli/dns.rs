//! `spore dns`: the DNS records that the domain's owner must set, and, with `--check`, whether they
//! are. Contacts no host.

use super::args::{Args, DnsFormat, DnsOptions};
use super::{CommandError, Exit, folder, terminal};
use crate::daemon::resolver::DNS_PORT;
use crate::daemon::tau::dns::{Names, Record, records};
use crate::desired::dns;
use crate::dns::{NameServer, Said, check as query, servers_of, zone_name};
use crate::network::Secrets;
use crate::render;
use crate::resource::Printable;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) fn run(args: &Args, options: &DnsOptions) -> miette::Result<Exit> {
    let (network, _) = folder::read(args, options.folder.outside(), Secrets::Elsewhere)?;
    let names = dns::names(&network);
    let records = wanted(&names)?;
    for service in dns::absent(&network) {
        let service = Printable::line(service);
        terminal::note(&format!(
            "note: no host runs `{service}`, so the names that lead to it don't resolve"
        ));
    }
    for address in dns::private(&names.servers) {
        terminal::note(&format!("note: {address} can't be reached from the internet"));
    }
    match options.format {
        DnsFormat::Table => {
            let count: usize = records.iter().map(|record| record.data.values().len()).sum();
            let summary = format!("dns: {} for {}", render::counted(count, "record"), names.root);
            terminal::out(&format!("{}\n{summary}\n", render::dns::table(&records)));
        }
        DnsFormat::Zone => terminal::data(&render::dns::zone_file(&records)),
        DnsFormat::Json => terminal::data(&render::dns::json(&records)),
        DnsFormat::Octodns => {
            let zones = match options.zones.is_empty() {
                true => own_zones(names.root, names.generated),
                false => options.zones.clone(),
            };
            let text = render::dns::octodns(&records, &zones).map_err(|error| {
                CommandError::new(error.to_string(), "name every zone that has records, with `--zone ZONE`")
            })?;
            terminal::data(&text);
        }
    }
    Ok(Exit::Done)
}

fn wanted(names: &Names<'_>) -> Result<Vec<Record>, CommandError> {
    records(names).map_err(|why| {
        let (what, help) = render::dns::no_records(&why);
        CommandError::new(what, help)
    })
}

/// Asks name servers whether the records are set.
pub(crate) async fn check(args: Args, options: DnsOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(&args);
    let (network, _) = folder::read(&args, options.folder.outside(), Secrets::Elsewhere)?;
    let names = dns::names(&network);
    let mut zones: BTreeMap<String, Vec<NameServer>> = BTreeMap::new();
    let mut checked = Vec::new();
    for record in wanted(&names)? {
        let zone = zone_name(&record).to_owned();
        let servers = match zones.get(&zone) {
            Some(servers) => servers.clone(),
            None => servers(&zone, &options.name_servers).await?,
        };
        checked.push(query(&record, &servers).await);
        zones.insert(zone, servers);
    }
    let (text, conclusion) = render::name_servers(&checked, names.root);
    terminal::out(&format!("{text}\n{conclusion}\n"));
    let any = |is: fn(&Said) -> bool| checked.iter().flat_map(|record| record.said.keys()).any(is);
    Ok(match () {
        () if any(|said| matches!(said, Said::Differs { .. })) => Exit::Changes,
        () if any(|said| matches!(said, Said::Nothing(_))) => Exit::Unplanned,
        () => Exit::Done,
    })
}

/// The servers to ask about names in a zone.
async fn servers(zone: &str, named: &[SocketAddr]) -> Result<Vec<NameServer>, CommandError> {
    if !named.is_empty() {
        return Ok(named.iter().map(|address| NameServer { name: None, address: *address }).collect());
    }
    servers_of(zone, &resolvers(), DNS_PORT).await.map_err(|error| {
        let help = "name the servers to ask: spore dns --check --name-server IP";
        CommandError::new(format!("can't find the name servers of {zone}: {error}"), help)
    })
}

/// The resolvers of this machine; without a configuration, one on this machine, as in the C library.
fn resolvers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let address = |line: &str| {
        let (name, address) = line.split_once([' ', '\t'])?;
        let address = address.trim().parse::<IpAddr>().ok()?;
        (name == "nameserver").then_some(SocketAddr::new(address, DNS_PORT))
    };
    let mut resolvers: Vec<SocketAddr> = text.lines().filter_map(address).collect();
    if resolvers.is_empty() {
        resolvers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DNS_PORT));
    }
    resolvers
}

/// The root domain, and the parent of generated domains if it isn't below the root.
fn own_zones(root: &str, generated: &str) -> Vec<String> {
    let is_below = generated.strip_suffix(root).is_some_and(|rest| rest.ends_with('.'));
    let mut zones = vec![root.to_owned()];
    zones.extend((!is_below).then(|| generated.to_owned()));
    zones
}
