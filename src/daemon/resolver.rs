//! systemd-resolved, whose stub listener occupies the port on which a node answers DNS.

use super::{Question, Reader};
use std::net::IpAddr;

/// The unit of systemd-resolved.
pub const UNIT: &str = "systemd-resolved.service";
/// The standard port of DNS.
pub const DNS_PORT: u16 = 53;
/// The file in which programs find the host's DNS servers.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The file to which [`RESOLV_CONF`] must link when the stub listener is off. It lists the
/// DNS servers that the host uses.
pub const SERVERS: &str = "/run/systemd/resolve/resolv.conf";
/// The settings of the host's administrator.
pub const SETTINGS: &str = "/etc/systemd/resolved.conf";
/// The directory of drop-ins, which are read after [`SETTINGS`].
pub const DROP_INS: &str = "/etc/systemd/resolved.conf.d";
/// Our drop-in, which disables the stub listener.
pub const DROP_IN: &str = "/etc/systemd/resolved.conf.d/spore.conf";
/// The text of [`DROP_IN`]. It doesn't change the host's DNS servers.
pub const DROP_IN_TEXT: &str =
    "# Written by spore: seer answers DNS on this host.\n[Resolve]\nDNSStubListener=no\n";

/// The files of the resolver that the probe looks for.
pub const QUESTIONS: &[Question] = &[
    (SETTINGS, Reader::Settings),
    (DROP_INS, Reader::Stat),
    ("/etc/systemd/resolved.conf.d/*.conf", Reader::Settings),
    (RESOLV_CONF, Reader::Text),
];

/// Whether this is an address of the stub listener.
pub fn is_stub(address: IpAddr) -> bool {
    [[127, 0, 0, 53], [127, 0, 0, 54]].map(IpAddr::from).contains(&address)
}

/// Whether a link at [`RESOLV_CONF`] with this target leads to the stub listener.
pub fn is_stub_file(target: &str) -> bool {
    target.ends_with("/stub-resolv.conf")
}

/// Whether a file at [`RESOLV_CONF`] with this text names the stub listener.
pub fn names_stub(text: &str) -> bool {
    text.contains("127.0.0.53")
}

/// Whether a text switches the stub listener off, by the last value that it sets; `None` if
/// it sets none.
pub fn switches_stub_off(text: &str) -> Option<bool> {
    let mut values = text.lines().rev().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "DNSStubListener").then(|| value.trim().to_ascii_lowercase())
    });
    values.next().map(|value| ["no", "false", "n", "f", "off", "0"].contains(&value.as_str()))
}
