//! What a change of a field of the folder needs in the running network.
//!
//! The daemon knows what each of its settings needs. Here is which setting each field is; a test compares
//! that with [`Places`](crate::desired::Places), which knows the reverse.

use super::keys;
use crate::daemon::{Setting, tau};
use crate::edit::Step;
use crate::finding::Component;
use crate::resource::Effect;

/// What a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requires {
    /// Nothing: no host has the value, or nothing that runs uses it.
    Nothing,
    /// The nodes restart, in waves.
    Restart {
        /// Which nodes.
        scope: Scope,
        /// Whether only those restart that run a service with the network's secrets.
        only_trusted: bool,
    },
    /// The nodes restart only if less than half of the entries that they were started with are left.
    RestartUnlessHalfHolds,
    /// All nodes restart at once.
    RestartTogether,
    /// All nodes of the architecture restart, in waves, if another program results.
    Program,
}

/// Whose nodes a field concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the network.
    Network,
    /// Those of the shape.
    Shape,
    /// Those of the host.
    Host,
    /// The node itself.
    Node,
}

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use<'p> {
    Setting(Setting<'p>),
    /// Only spore uses it.
    Own,
    Program,
}

/// What a change of the field at the end of a way in a component needs. `None` for a mapping of fields that
/// need different things.
pub(super) fn requires(component: Component, path: &[Step]) -> Option<Requires> {
    let path = keys(path);
    let scope = match (component, &path[..]) {
        (Component::Shapes, _) => Scope::Shape,
        (Component::Hosts, [_, "shapes", _, ..]) => Scope::Node,
        (Component::Hosts, _) => Scope::Host,
        _ => Scope::Network,
    };
    let setting = match uses(component, &path)? {
        Use::Setting(setting) => setting,
        Use::Own => return Some(Requires::Nothing),
        Use::Program => return Some(Requires::Program),
    };
    Some(match tau::config::effect_of(setting, true) {
        Effect::NextStart | Effect::Reload => Requires::Nothing,
        Effect::Restart => Requires::Restart {
            scope,
            only_trusted: tau::config::effect_of(setting, false) == Effect::NextStart,
        },
        Effect::RestartTogether => Requires::RestartTogether,
        Effect::RestartUnlessHalfHolds => Requires::RestartUnlessHalfHolds,
    })
}

fn uses<'p>(component: Component, path: &[&'p str]) -> Option<Use<'p>> {
    Some(Use::Setting(match (component, path) {
        (Component::Network, ["domain", "root"]) => Setting::RootDomain,
        (Component::Network, ["domain", "generated"]) => Setting::GeneratedDomain,
        (Component::Network, ["domain", "hosts"]) => Setting::CustomDomain(""),
        (Component::Network, ["domain", "hosts", name]) => Setting::CustomDomain(name),
        (Component::Network, ["domain", "validation", "key", "private"]) => Setting::ValidationPrivate,
        (Component::Network, ["domain", "validation", "key", "public"]) => Setting::ValidationPublic,
        (Component::Network, ["p2p", "swarm", ..]) => Setting::SwarmKey,
        (Component::Network, ["p2p", "bootstrap", ..]) => Setting::Elders,
        (Component::Hosts, [_, "addr"]) => Setting::Addresses,
        (Component::Hosts, [_, "location" | "gps", ..]) => Setting::Location,
        (Component::Hosts, [_, "shapes", _, "key" | "key_file" | "id"]) => Setting::Identity,
        (Component::Shapes, [_, "services" | "protocols"]) => Setting::Services,
        (Component::Shapes, [_, "plugins"]) => Setting::Plugins,
        (Component::Shapes, [_, "ports", "main", ..]) => Setting::MainPort,
        (Component::Shapes, [_, "ports", "ipfs"] | [_, "ports", "lite", "ipfs"]) => Setting::IpfsPort,
        (Component::Shapes, [_, "ports", "lite", ..]) => Setting::LitePort,
        (Component::Tenancy, ["provider"]) => Setting::Provider,
        (Component::Tenancy, ["owner"]) => Setting::Owner,
        (Component::Tenancy, ["app", "client-id"]) => Setting::ClientId,
        (Component::Tenancy, ["app", "key" | "key_file"]) => Setting::AppKey,
        (Component::Accounts, _) => Setting::Accounts,
        (Component::Logins, [_, _]) | (Component::Hosts, [_, "ssh", ..]) => return Some(Use::Own),
        (Component::Tau, [_, "mirrors" | "fetch" | "version" | "size"]) => return Some(Use::Own),
        (Component::Tau, [_, "url" | "path" | "sha256" | "binary"]) => return Some(Use::Program),
        _ => return None,
    }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::{document, tree};
    use super::*;
    use crate::daemon::Daemon;
    use crate::desired::{Places, Supplies};
    use crate::network::{Files, Links, Network};
    use crate::resource::IDENTITY;
    use std::path::Path;

    /// The fields of a node's configuration that come from the fields of the folder.
    const FIELDS: &[&str] = &[
        IDENTITY,
        "swarmkey",
        "services",
        "p2p-announce",
        "p2p-listen",
        "ports.main",
        "ports.lite",
        "peers",
        "network-fqdn",
        "domains.key.private",
        "domains.key.public",
        "domains.generated",
        "tenancy.provider",
        "tenancy.owner",
        "tenancy.app.client-id",
        "tenancy.app.key",
        "location.lat",
    ];

    /// The field at a place of the folder is the setting from which the daemon's field is written.
    #[test]
    fn fields_are_the_settings_whose_places_they_have() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plans/first/folder");
        let files = Files::read(&folder, &Links::Inside.into()).unwrap();
        let network = Network::from_files(&files).unwrap();
        let places = Places::new(&network, &Supplies::default());
        for host in network.hosts.values() {
            for shape in host.nodes.keys() {
                let path = Daemon::Tau.config_path(shape);
                for field in FIELDS {
                    let place = places.of_field(&host.name, &path, field, &[]).unwrap();
                    let document = document(&files, place.file()).unwrap();
                    let root = tree::root(document.text).unwrap();
                    // The place of a missing value is the beginning of a file, or another entry.
                    let found = tree::at(&root, place.span().start);
                    let way = document.whole(&found.map(|found| found.path).unwrap_or_default());
                    let found = uses(document.component, &keys(&way));
                    let setting = Daemon::Tau.setting(field).unwrap();
                    let is_missing = keys(&way).len() < 2 && found.is_none();
                    assert!(
                        is_missing || found == Some(Use::Setting(setting)),
                        "{field}: {way:?}: {found:?}"
                    );
                    assert!(!is_missing || matches!(*field, "location.lat" | "services"), "{field}: {way:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_change_needs_is_what_the_daemon_says() {
        let needs = |component, path: &[&str]| {
            let path: Vec<Step> = path.iter().map(|key| Step::Key((*key).to_owned())).collect();
            requires(component, &path)
        };
        let restart = |scope, only_trusted| Some(Requires::Restart { scope, only_trusted });
        assert_eq!(needs(Component::Shapes, &["s", "ports", "lite"]), restart(Scope::Shape, false));
        assert_eq!(needs(Component::Hosts, &["h", "addr"]), restart(Scope::Host, false));
        assert_eq!(needs(Component::Hosts, &["h", "shapes", "s", "key"]), restart(Scope::Node, false));
        assert_eq!(needs(Component::Tenancy, &["app", "key"]), restart(Scope::Network, true));
        assert_eq!(needs(Component::Network, &["domain", "root"]), restart(Scope::Network, false));
        assert_eq!(needs(Component::Network, &["p2p", "bootstrap"]), Some(Requires::RestartUnlessHalfHolds));
        assert_eq!(needs(Component::Network, &["p2p", "swarm", "key"]), Some(Requires::RestartTogether));
        assert_eq!(needs(Component::Hosts, &["h", "ssh", "port"]), Some(Requires::Nothing));
        assert_eq!(needs(Component::Tau, &["amd64", "url"]), Some(Requires::Program));
        assert_eq!(needs(Component::Hosts, &["h"]), None);
    }
}
