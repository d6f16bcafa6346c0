//! Reads the network itself: `network.yaml`, which upstream now calls `cloud.yaml`.

use super::fields::{Fields, Item};
use super::files::Files;
use super::problem::{ProblemReport, Read, Reported};
use super::secret::bytes_of;
use super::{At, DomainDraft, Place, Secret};
use crate::finding::{Expected, Finding, KeyProblem, NetworkKey, Owner};
use crate::identity::{SwarmKey, ValidationKeys};
use crate::resource::SecretBytes;
use std::collections::BTreeMap;

/// The domain names of a network.
#[derive(Clone, Debug)]
pub struct Domain {
    /// The root domain of the network.
    pub root: At<String>,
    /// The parent of generated domain names.
    pub generated: At<String>,
    /// The domain-validation key pair; the private half may be absent.
    pub validation: At<Secret<ValidationKeys>>,
    /// Where the files of the pair are named.
    pub validation_files: ValidationFiles,
    /// Custom domains.
    pub custom: BTreeMap<String, CustomDomain>,
}

impl Domain {
    /// The private validation key; `None` if the folder names none.
    pub fn private_key(&self) -> Option<Secret<&SecretBytes>> {
        match self.validation.here().and_then(ValidationKeys::private) {
            Some(key) => Some(Secret::Here(key)),
            None => self.validation_files.private.as_ref().map(|_| Secret::Elsewhere),
        }
    }

    /// Whether a half of the pair is kept somewhere else.
    pub fn is_validation_incomplete(&self) -> bool {
        self.validation.is_elsewhere() || self.private_key().is_some_and(|key| key.is_elsewhere())
    }
}

/// Where the files of the domain-validation key pair are named. One of the two may be absent.
#[derive(Clone, Debug, Default)]
pub struct ValidationFiles {
    /// The file of the private half.
    pub private: Option<Place>,
    /// The file of the public half.
    pub public: Option<Place>,
}

/// A custom domain, and the service that it resolves to.
#[derive(Clone, Debug)]
pub struct CustomDomain {
    /// The domain.
    pub name: At<String>,
    /// The service.
    pub service: At<String>,
}

/// The contents of the file. The files that it names haven't been read yet.
pub(super) struct RawNetwork<'t> {
    root: Read<At<String>>,
    generated: Read<At<String>>,
    custom: BTreeMap<String, CustomDomain>,
    validation: Read<RawPair<'t>>,
    swarm_key: Read<(Item<'t>, &'t str)>,
    pub(super) bootstrap: Read<(Place, Fields<'t>)>,
}

struct RawPair<'t> {
    whole: Item<'t>,
    private: Option<(Item<'t>, &'t str)>,
    public: Option<(Item<'t>, &'t str)>,
}

/// Reads the file itself.
pub(super) fn read<'t>(mut fields: Fields<'t>, report: &mut ProblemReport) -> RawNetwork<'t> {
    let domain = fields
        .need("domain", "domain: {root: example.org, generated: g.example.org, …}")
        .and_then(|item| item.fields(Owner::Path("domain"), report));
    let (mut root, mut generated, mut validation) = (Err(Reported), Err(Reported), Err(Reported));
    let mut custom = BTreeMap::new();
    if let Ok(mut domain) = domain {
        root = domain.need("root", "root: example.org").and_then(|item| name(item, report));
        generated = domain.need("generated", "generated: g.example.org").and_then(|item| name(item, report));
        validation = read_pair(&mut domain, report);
        if let Some(Ok(fields)) =
            domain.take("hosts").map(|item| item.fields(Owner::Path("domain.hosts"), report))
        {
            for slot in &fields.slots {
                if let Ok(service) = slot.item.text(Expected::ServiceOfDomain, report) {
                    let name = At { value: slot.name.to_owned(), place: slot.place.clone() };
                    let service = slot.item.at(service.to_owned());
                    custom.insert(slot.name.to_owned(), CustomDomain { name, service });
                }
            }
        }
        domain.finish(report);
    }
    let p2p = fields
        .need("p2p", "p2p: {swarm: {key: keys/swarm.key}, bootstrap: {…}}")
        .and_then(|item| item.fields(Owner::Path("p2p"), report));
    let (mut swarm_key, mut bootstrap) = (Err(Reported), Err(Reported));
    if let Ok(mut p2p) = p2p {
        swarm_key = read_swarm(&mut p2p, report);
        bootstrap = match p2p.take("bootstrap") {
            Some(item) => {
                item.fields(Owner::Path("p2p.bootstrap"), report).map(|fields| (item.head(), fields))
            }
            None => p2p
                .place
                .clone()
                .map(|place| (place, Fields::new(Owner::Path("p2p.bootstrap"), None)))
                .ok_or(Reported),
        };
        // A misspelt key may have been meant as `bootstrap`.
        if p2p.finish(report) {
            bootstrap =
                bootstrap.and_then(|found| if found.1.slots.is_empty() { Err(Reported) } else { Ok(found) });
        }
    }
    fields.finish(report);
    RawNetwork { root, generated, custom, validation, swarm_key, bootstrap }
}

fn read_pair<'t>(domain: &mut Fields<'t>, report: &mut ProblemReport) -> Read<RawPair<'t>> {
    const EXAMPLE: &str = "validation: {key: {private: keys/dv_private.key, public: keys/dv_public.key}}";
    let item = domain.need("validation", EXAMPLE)?;
    let mut validation = item.fields(Owner::Path("domain.validation"), report)?;
    let key = validation.need("key", "key: {private: keys/dv_private.key, public: keys/dv_public.key}");
    validation.finish(report);
    let whole = key?;
    let mut pair = whole.fields(Owner::Path("domain.validation.key"), report)?;
    let private = pair.take("private").map(|item| path(item, report)).transpose();
    let public = pair.take("public").map(|item| path(item, report)).transpose();
    if let (Ok(None), Ok(None)) = (&private, &public) {
        let missing = pair.missing(&["private", "public"], "private: keys/dv_private.key");
        pair.finish(report);
        return Err(missing);
    }
    pair.finish(report);
    Ok(RawPair { whole, private: private?, public: public? })
}

fn read_swarm<'t>(p2p: &mut Fields<'t>, report: &mut ProblemReport) -> Read<(Item<'t>, &'t str)> {
    let mut swarm = match p2p.take("swarm") {
        Some(item) => item.fields(Owner::Path("p2p.swarm"), report)?,
        None => return Err(no_swarm_key(p2p, "swarm", "swarm: {key: keys/swarm.key}")),
    };
    let key = swarm.take("key").ok_or_else(|| no_swarm_key(&mut swarm, "key", "key: keys/swarm.key"));
    swarm.finish(report);
    path(key?, report)
}

/// Reports a missing swarm key. tau starts without a swarm key, but then the network is
/// open to everyone.
fn no_swarm_key(fields: &mut Fields<'_>, name: &'static str, example: &'static str) -> Reported {
    fields.missing_because(&[name], KeyProblem::NoSwarm { example })
}

impl RawNetwork<'_> {
    /// The paths of the files that the network names, as written.
    pub(super) fn named(&self) -> Vec<String> {
        let pair = self.validation.as_ref().ok();
        let halves = pair.into_iter().flat_map(|pair| [&pair.private, &pair.public]).flatten();
        halves.chain(self.swarm_key.as_ref().ok()).map(|(_, path)| (*path).to_owned()).collect()
    }

    /// Reads the files that the network names.
    pub(super) fn finish(
        self,
        files: &Files,
        report: &mut ProblemReport,
    ) -> (DomainDraft, Option<At<Secret<SwarmKey>>>) {
        let swarm_key = self.swarm_key.and_then(|(item, path)| swarm_key(item, path, files, report));
        let validation_files = self.validation.as_ref().map(RawPair::places).unwrap_or_default();
        let validation = self.validation.and_then(|pair| pair.finish(files, report));
        let domain = DomainDraft {
            root: self.root.ok(),
            generated: self.generated.ok(),
            validation: validation.ok(),
            validation_files,
            custom: self.custom,
        };
        (domain, swarm_key.ok())
    }
}

impl RawPair<'_> {
    fn places(&self) -> ValidationFiles {
        let place = |half: &Option<(Item<'_>, &str)>| half.as_ref().map(|(item, _)| item.place());
        ValidationFiles { private: place(&self.private), public: place(&self.public) }
    }

    /// Reports the problems of each half, even if the other half has a problem.
    fn finish(self, files: &Files, report: &mut ProblemReport) -> Read<At<Secret<ValidationKeys>>> {
        let mut half = |half: Option<(Item<'_>, &str)>, key: NetworkKey| {
            let Some((item, path)) = half else { return Ok(None) };
            let Secret::Here(bytes) = bytes_of(item, path, key, files, report)? else { return Ok(None) };
            let parts =
                if key == NetworkKey::ValidationPrivate { (Some(bytes), None) } else { (None, Some(bytes)) };
            match ValidationKeys::new(parts.0, parts.1) {
                Ok(_) => Ok(Some(bytes)),
                Err(error) => Err(item.wrong(KeyProblem::ValidationHalf(error), report)),
            }
        };
        let private = half(self.private, NetworkKey::ValidationPrivate);
        let public = half(self.public, NetworkKey::ValidationPublic);
        let (private, public) = (private?, public?);
        if private.is_none() && public.is_none() {
            return Ok(self.whole.at(Secret::Elsewhere));
        }
        match ValidationKeys::new(private, public) {
            Ok(keys) => Ok(self.whole.at(Secret::Here(keys))),
            Err(error) => {
                let halves = [self.private, self.public].into_iter().flatten();
                let problem = Finding::new(KeyProblem::Validation(error));
                Err(report.push(halves.fold(problem, |problem, (item, _)| problem.at(&item.place()))))
            }
        }
    }
}

fn swarm_key(
    item: Item<'_>,
    path: &str,
    files: &Files,
    report: &mut ProblemReport,
) -> Read<At<Secret<SwarmKey>>> {
    match bytes_of(item, path, NetworkKey::Swarm, files, report)? {
        Secret::Elsewhere => Ok(item.at(Secret::Elsewhere)),
        Secret::Here(bytes) => match SwarmKey::parse(bytes) {
            Ok(key) => Ok(item.at(Secret::Here(key))),
            Err(error) => Err(item.wrong(KeyProblem::Swarm(error), report)),
        },
    }
}

fn name(item: Item<'_>, report: &mut ProblemReport) -> Read<At<String>> {
    Ok(item.at(item.text(Expected::DomainName, report)?.trim().to_owned()))
}

fn path<'t>(item: Item<'t>, report: &mut ProblemReport) -> Read<(Item<'t>, &'t str)> {
    Ok((item, item.text(Expected::PathOfFile, report)?))
}
