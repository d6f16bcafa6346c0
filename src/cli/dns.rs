//! `spore dns`: the DNS records that the domain's owner must set. Contacts no host.

use super::args::{Args, DnsFormat, DnsOptions};
use super::{CommandError, Exit, folder, terminal};
use crate::daemon::tau::dns::records;
use crate::desired::dns;
use crate::network::Secrets;
use crate::render;
use crate::resource::Printable;

pub(crate) fn run(args: &Args, options: &DnsOptions) -> miette::Result<Exit> {
    let (network, _) = folder::read(args, options.folder.outside(), Secrets::Elsewhere)?;
    let names = dns::names(&network);
    let records = records(&names).map_err(|why| {
        let (what, help) = render::dns::no_records(&why);
        CommandError::new(what, help)
    })?;
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

/// The root domain, and the parent of generated domains if it isn't below the root.
fn own_zones(root: &str, generated: &str) -> Vec<String> {
    let is_below = generated.strip_suffix(root).is_some_and(|rest| rest.ends_with('.'));
    let mut zones = vec![root.to_owned()];
    zones.extend((!is_below).then(|| generated.to_owned()));
    zones
}
