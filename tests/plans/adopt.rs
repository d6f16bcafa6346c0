//! The folder that is written for the hosts of a case is planned like the case's own.

use crate::case::Case;
use libtest_mimic::{Failed, Trial};
use spore_drive::adopt::keys::{Pieces, There, wanted};
use spore_drive::adopt::{Way, survey};
use spore_drive::author::NewLogin;
use spore_drive::facts::Facts;
use spore_drive::network::{Files, Network};
use spore_drive::render::{self, Style};
use spore_drive::resource::{HostName, SecretBytes};
use std::collections::BTreeMap;

/// Cases whose hosts say everything that their folders do.
const CASES: [&str; 7] = [
    "nothing-to-do",
    "golden-upstream",
    "leftovers-of-upstream",
    "mode-changed",
    "unit-overridden",
    "single-elder",
    "three-servers-one-down",
];

/// Cases whose hosts do so once the plan has been applied.
const APPLIED: [&str; 7] = [
    "first",
    "first-in-the-manuals-dialect",
    "many",
    "ipv6",
    "seer-beside-resolved",
    "two-nodes-on-a-host",
    "address-of-an-elder",
];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &'static str, applied| {
        let when = if applied { "after" } else { "before" };
        Trial::test(format!("adopt::{name}-{when}"), move || is_planned_alike(name, applied))
    };
    let before = CASES.map(|name| trial(name, false));
    before.into_iter().chain(APPLIED.map(|name| trial(name, true))).collect()
}

fn is_planned_alike(name: &str, applied: bool) -> Result<(), Failed> {
    let mut world = Case::read(name).world();
    if applied {
        let plan = world.plan();
        world.apply(&plan)?;
    }
    let facts: BTreeMap<HostName, Facts> = world.hosts.hosts.clone();
    let adopted = survey(&facts).map_err(|refusals| format!("{refusals:#?}"))?;
    let network = &world.network;
    let text = |secret: &SecretBytes| String::from_utf8_lossy(secret.expose()).into_owned();
    let validation = network.domain.validation.here().unwrap();
    let app = network.tenancy.as_ref().and_then(|tenancy| tenancy.app.as_ref());
    let pieces = Pieces {
        swarm: Some(text(network.swarm_key.here().unwrap().line())),
        public: Some(validation.public().to_owned()),
        private: validation.private().map(text),
        app_key: app.and_then(|app| app.key.as_ref()?.here()).map(text),
        accounts: network
            .accounts
            .as_ref()
            .and_then(|accounts| accounts.here())
            .map(|accounts| serde_yaml::to_string(accounts.expose()).unwrap()),
    };
    let ways: BTreeMap<HostName, Way> = facts.keys().map(|host| (host.clone(), way(network, host))).collect();
    let mut files = Files::new("");
    let identities = network.hosts.values().flat_map(|host| host.nodes.values());
    let identities: Vec<_> =
        identities.filter_map(|node| Some((node.id.clone()?, node.key.clone()?))).collect();
    for change in adopted.files(&ways, &pieces).unwrap() {
        // Here, nobody can ask the hosts about their nodes' keys.
        let text = identities.iter().fold(change.after.unwrap(), |text, (id, key)| {
            text.replace(
                &format!("id: {}", **id),
                &format!("key: {}", String::from_utf8_lossy(key.expose().expose())),
            )
        });
        files.insert(change.path, text);
    }
    let imported = Network::from_files(&files).map_err(|problems| format!("{problems:#?}"))?;
    let shown = |plan| render::plan(&plan, Style::Plain);
    let (own, theirs) = (shown(world.plan()), shown(world.of(imported).plan()));
    assert!(!applied || own.contains("nothing to do"), "{own}");
    assert!(!wanted(&adopted, &There::default()).is_empty());
    if own == theirs { Ok(()) } else { Err(format!("{own}\n=====\n{theirs}").into()) }
}

fn way(network: &Network, host: &HostName) -> Way {
    let ssh = &network.hosts[host].ssh;
    let user = ssh.logins[0].user.to_string();
    let login = NewLogin { name: user.clone(), user, keys: Vec::new(), password_file: None };
    Way { address: ssh.address.to_string(), port: Some(ssh.port), jumps: Vec::new(), login }
}
