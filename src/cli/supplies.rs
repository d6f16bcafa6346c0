//! The binaries that the folder names: tau and plugins.

use super::{CommandError, terminal};
use crate::artifact::{self, Architecture, Artifact, Cache, FetchEvent, Pin};
use crate::desired::{self, Supplies};
use crate::network::Network;
use crate::remote::OnDemand;
use crate::resource::{FileSource, Printable, Sha256};
use std::collections::BTreeMap;
use std::iter::successors;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The binaries' digests, sizes and versions, and the bytes or where to fetch them.
pub(crate) struct Binaries {
    /// What the planner needs to know about the binaries.
    pub(crate) supplies: Supplies,
    /// By architecture: tau, from its pin unless `--tau` replaces it.
    tau: BTreeMap<Architecture, Arc<Tau>>,
    plugins: BTreeMap<String, Arc<Artifact>>,
}

/// The tau for an architecture.
struct Tau {
    architecture: Architecture,
    /// `None` if `--tau` names the file.
    pin: Option<Pin>,
    /// The folder, which the path in the pin is relative to.
    folder: PathBuf,
    /// Set once it has been read or downloaded.
    fetched: OnceLock<Arc<Artifact>>,
}

impl Binaries {
    /// Reads the files that the folder names. Downloads nothing: the folder may not be
    /// trusted, and its URLs may name servers that only this machine can reach. A download
    /// is [needed](Self::artifact) only once a plan is applied.
    ///
    /// # Errors
    /// If a file is missing, doesn't match its pin, or isn't tau, or if the pin of an
    /// archive lacks the digest of the binary.
    pub(crate) fn take(network: &Network, tau: Option<&Path>) -> miette::Result<Self> {
        let mut binaries =
            Self { supplies: Supplies::default(), tau: BTreeMap::new(), plugins: BTreeMap::new() };
        let mut insert = |architecture, pin, fetched| {
            let tau = Tau { architecture, pin, folder: network.folder.clone(), fetched };
            binaries.tau.insert(architecture, Arc::new(tau));
        };
        for (architecture, pin) in &network.tau {
            insert(*architecture, Some(pin.value.clone()), OnceLock::new());
        }
        if let Some(path) = tau {
            let found = artifact::open(path).map_err(failure)?;
            if let Some(architecture) = found.architecture() {
                insert(architecture, None, OnceLock::from(Arc::new(found)));
            }
        }
        for (architecture, tau) in &binaries.tau {
            let pin = &tau.pin;
            // A local file is read and compared with its pin now, because it may have
            // changed since it was pinned. A download is compared with its pin when it is
            // fetched.
            let is_away = |pin: &&Pin| matches!(pin.source, artifact::Source::Url(_));
            let away = pin.as_ref().filter(is_away).filter(|_| tau.fetched.get().is_none());
            let known = match away {
                Some(away) => {
                    let sha256 = away.binary().ok_or_else(|| unknown(*architecture, away))?;
                    let version = pin.as_ref().and_then(|pin| pin.version.clone());
                    binaries.supplies.versions.extend(version.map(|version| (sha256, version)));
                    desired::ArtifactRef { sha256, size: away.size }
                }
                None => {
                    let found = tau.fetch()?;
                    let version = found.version().cloned();
                    binaries.supplies.versions.extend(version.map(|version| (found.sha256(), version)));
                    describe(&found)
                }
            };
            let fetch = pin.as_ref().map(|pin| pin.fetch).unwrap_or_default();
            let download = pin.as_ref().and_then(|pin| pin.host_download(known.sha256)).map(Arc::new);
            binaries.supplies.fetched.insert(known.sha256, (fetch, download));
            binaries.supplies.tau.insert(*architecture, known);
        }
        let plugins = network.shapes.values().flat_map(|shape| &shape.plugins);
        for plugin in plugins.filter(|plugin| plugin.is_there) {
            if !binaries.supplies.plugins.contains_key(&plugin.name) {
                let found = Artifact::from_file(&plugin.file).map_err(failure)?;
                binaries.supplies.plugins.insert(plugin.name.clone(), describe(&found));
                binaries.plugins.insert(plugin.name.clone(), Arc::new(found));
            }
        }
        Ok(binaries)
    }

    /// Returns the artifact from this source, and fetches it if necessary; `None` if the
    /// folder names no such artifact.
    ///
    /// # Errors
    /// If the artifact can't be fetched.
    pub(crate) fn artifact(&self, source: &FileSource) -> miette::Result<Option<Arc<Artifact>>> {
        match source {
            FileSource::Program(sha256) => self.tau(sha256).map(|tau| tau.fetch()).transpose(),
            FileSource::Plugin(name) => Ok(self.plugins.get(name).cloned()),
            FileSource::Host
            | FileSource::Rendered(_)
            | FileSource::Keyed(_)
            | FileSource::Folder(_)
            | FileSource::Fixed(_) => Ok(None),
        }
    }

    /// The tau with this digest, which is fetched only if a host needs it; `None` if the folder
    /// has no such tau.
    pub(crate) fn on_demand(&self, source: &FileSource) -> Option<OnDemand> {
        let FileSource::Program(sha256) = source else { return None };
        let tau = Arc::clone(self.tau(sha256)?);
        Some(OnDemand::new(move || {
            tau.fetch().map(|artifact| artifact.bytes().clone()).map_err(|error| {
                let causes = successors(error.source(), |cause| (*cause).source());
                let causes: String = causes.map(|cause| format!(": {cause}")).collect();
                let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
                Printable::composed(format!("it can't be sent either: {error}{causes}{help}"))
            })
        }))
    }

    fn tau(&self, sha256: &Sha256) -> Option<&Arc<Tau>> {
        let has_digest = |known: &desired::ArtifactRef| known.sha256 == *sha256;
        self.tau.values().find(|tau| self.supplies.tau.get(&tau.architecture).is_some_and(has_digest))
    }
}

fn unknown(architecture: Architecture, pin: &Pin) -> CommandError {
    CommandError::new(
        format!("tau for {architecture}: {} is an archive, and its pin lacks `binary`", pin.source),
        format!("run `spore tau pin {}` to record both digests", pin.source),
    )
}

fn describe(artifact: &Artifact) -> desired::ArtifactRef {
    desired::ArtifactRef { sha256: artifact.sha256(), size: Some(artifact.bytes().len() as u64) }
}

impl Tau {
    /// Reads or downloads it, unless it is in memory.
    fn fetch(&self) -> miette::Result<Arc<Artifact>> {
        let Self { architecture, pin, folder, fetched } = self;
        if let (None, Some(pin)) = (fetched.get(), pin) {
            if let artifact::Source::Url(url) = &pin.source {
                terminal::note(&format!("fetching tau for {architecture} from {url}"));
            }
            let artifact =
                artifact::fetch(*architecture, pin, folder, &Cache::of_user(), &mut show).map_err(failure)?;
            let _ = fetched.set(Arc::new(artifact));
        }
        let missing = || {
            let what = format!("there is no tau for {architecture}");
            CommandError::new(what, "pin one with `spore tau pin`")
        };
        fetched.get().cloned().ok_or_else(|| missing().into())
    }
}

pub(crate) fn show(event: FetchEvent) {
    if let FetchEvent::NotKept(error) = event {
        terminal::note(&format!("the download couldn't be cached: {error}"));
    }
}

pub(crate) fn failure(error: artifact::FetchError) -> miette::Report {
    let causes = Some(error.causes()).filter(|causes| !causes.is_empty());
    CommandError::because(error.to_string(), error.help(), causes).into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::check;
    use crate::network::{Links, Secrets};
    use std::fs;
    use std::net::TcpListener;
    use std::process::Command;

    #[test]
    fn taking_stock_downloads_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hostile/links-inside/folder/.");
        assert!(Command::new("cp").arg("-a").arg(fixture).arg(folder.path()).status().unwrap().success());
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let url = format!("http://{}/tau.tar.gz", server.local_addr().unwrap());
        let (file, binary) = (Sha256::of(b"file"), Sha256::of(b"tau"));
        let take = |binary: &str| {
            let pin = format!("amd64: {{url: '{url}', sha256: {file}{binary}}}\n");
            fs::write(folder.path().join("tau.yaml"), pin).unwrap();
            let network = check::read(folder.path(), Secrets::Needed, Links::Inside).finish().unwrap();
            Binaries::take(&network, None)
        };
        let error = take("").map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("tau for amd64: {url} is an archive, and its pin lacks `binary`")
        );
        assert_eq!(
            error.help().unwrap().to_string(),
            format!("run `spore tau pin {url}` to record both digests")
        );
        let binaries = take(&format!(", binary: {binary}")).unwrap();
        assert_eq!(binaries.supplies.tau[&Architecture::Amd64].sha256, binary);
        assert!(server.accept().is_err(), "something was downloaded");
    }
}
