//! What a host was asked.

use super::interpret;
use crate::daemon::{Daemon, engine};
use crate::resource::{ResourceKey, Sha256, ShapeName};
use std::collections::BTreeSet;

/// The version of the probe: of its questions and of the format of its answers. Each answer
/// contains it, because an answer may be stored and then read by another version of spore.
pub const PROBE_VERSION: u32 = 2;

/// What a host was asked, as its answer repeats it.
///
/// A resource is *known*, *absent*, *unreadable*, or was *never asked* about. The last of
/// these isn't the same as absent: a plan must not create a resource that may already
/// exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The shapes whose units were looked for by name. Units of other shapes are found if
    /// they exist, but if such a unit isn't found, nothing is known about it.
    pub shapes: BTreeSet<ShapeName>,
    /// The directories that were looked for by name.
    pub directories: BTreeSet<String>,
    /// The fingerprint of the key of the digests that stand for secrets.
    pub key: Option<Sha256>,
    /// When the host was asked, in nanoseconds since 1970 by the host's clock; `None` if
    /// the host has no `/proc`.
    pub at_ns: Option<i64>,
}

impl Asked {
    /// Whether the host was asked about a resource.
    pub fn covers(&self, key: &ResourceKey) -> bool {
        match key {
            ResourceKey::Directory(path) => self.directories.contains(path) || interpret::is_looked_at(path),
            ResourceKey::File(path) | ResourceKey::Link(path) => interpret::is_looked_at(path),
            ResourceKey::Service(unit) => match Daemon::of_unit(unit) {
                Some((_, shape)) => self.shapes.contains(&shape),
                None => interpret::is_queried(unit),
            },
            // A host is asked only about an unfinished installation of an engine: whether one is
            // installed is known from its unit.
            ResourceKey::Package(name) => engine::ENGINES.iter().any(|engine| engine.package == name),
            ResourceKey::Storage(path) => Daemon::of_data(path).is_some(),
            ResourceKey::Rule(_) | ResourceKey::Units => true,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::daemon::resolver;

    #[test]
    fn a_unit_is_covered_if_it_was_looked_for_by_name() {
        let asked = Asked { shapes: ["store".parse().unwrap()].into(), ..Asked::default() };
        let is_covered = |unit: &str| asked.covers(&ResourceKey::Service(unit.to_owned()));
        assert!(is_covered("tau@store.service") && is_covered("docker.service"));
        assert!(!is_covered("tau@other.service") && !is_covered("nginx.service"));
    }

    /// The probe itself contains the other paths that count as asked about.
    #[test]
    fn the_probe_asks_what_counts_as_asked() {
        let asked = Asked::default();
        let theirs = Daemon::ALL.iter().flat_map(|daemon| daemon.questions());
        let patterns: Vec<&str> = theirs.chain(resolver::QUESTIONS).map(|(pattern, _)| *pattern).collect();
        for (path, pattern) in [
            ("/tb/bin/tau", "/tb/bin/tau"),
            ("/tb/config/a.yaml", "/tb/config/*.yaml"),
            ("/tb/plugins/p@1", "/tb/plugins/*"),
            ("/tb/config/keys/swarm.key", "/tb/config/keys/*"),
            ("/etc/systemd/system/tau@.service", "/etc/systemd/system/tau@.service"),
            ("/etc/resolv.conf", "/etc/resolv.conf"),
            ("/etc/systemd/resolved.conf.d", "/etc/systemd/resolved.conf.d"),
            ("/etc/systemd/resolved.conf.d/spore.conf", "/etc/systemd/resolved.conf.d/*.conf"),
        ] {
            assert!(asked.covers(&ResourceKey::File(path.to_owned())), "{path}");
            assert!(patterns.contains(&pattern), "{pattern}");
        }
        assert!(!asked.covers(&ResourceKey::File("/etc/passwd".to_owned())));
    }
}
