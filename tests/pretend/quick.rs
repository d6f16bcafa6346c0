//! Tests without the command line. The controller runs in this process and doesn't wait for
//! nodes to settle, so an apply takes a fraction of a second, and connections can be broken
//! at many points.

use crate::world::World;
use spore_drive::desired::{self, Supplies};
use spore_drive::facts::{Request, parse};
use spore_drive::network::Network;
use spore_drive::plan::action::Action;
use spore_drive::plan::{Applied, Holder, Options, Plan, Planner, Probed, Unplanned};
use spore_drive::pretend::{Disk, Faults, here, program};
use spore_drive::remote::{
    ApplyEventKind, Connection, Locks, Payload, Payloads, RemoteLimits, Stop, Target, apply, gather,
};
use spore_drive::render;
use spore_drive::resource::{DigestKey, HostName, Redactor, Sha256};
use spore_drive::ssh::{Credential, Dialer, KnownHosts, Login, Route, Server, ServerAddress, key};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;

/// `spore` without its command line.
struct Controller<'w> {
    world: &'w World,
    network: Network,
    planner: Planner,
    known: KnownHosts,
    login: Login,
    limits: RemoteLimits,
}

/// The plan for the hosts that answered, and the errors of the other hosts.
struct Survey {
    plan: Plan,
    hosts: BTreeMap<HostName, Connection>,
    errors: BTreeMap<HostName, Unplanned>,
}

impl<'w> Controller<'w> {
    fn new(world: &'w World) -> Self {
        let network = Network::read(world.folder()).unwrap();
        let tau = desired::ArtifactRef { sha256: Sha256::of(&program(here(), "no tau")), size: Some(126) };
        let supplies = Supplies { tau: [(here(), tau)].into(), ..Supplies::default() };
        let planner = Planner::new(&network, &supplies, Options::default()).unwrap();
        let at = |path: &str| fs::read_to_string(world.folder().join(path)).unwrap();
        let known = KnownHosts::parse("known_hosts".as_ref(), &at("known_hosts"));
        let key = key::load("key".as_ref(), &at("keys/ssh"), &mut |_| Ok(None)).unwrap();
        let login = Login { user: "planter".to_owned(), credentials: vec![Credential::Key(key)] };
        let limits = RemoteLimits { settle: Duration::ZERO, ..RemoteLimits::default() };
        Self { world, network, planner, known, login, limits }
    }

    async fn survey(&self) -> Survey {
        let machines = DigestKey::for_machines(self.network.swarm_key.here().unwrap().line());
        let target = |name: &HostName, host: &spore_drive::network::Host| {
            let (key, shapes) = (&self.planner.desired().digest_keys[name], &self.planner.hosts()[name]);
            Target {
                name: name.clone(),
                route: Route::direct(Server::new(
                    ServerAddress::new(host.ssh.address.to_string(), host.ssh.port),
                    self.known.clone(),
                    vec![self.login.clone()],
                )),
                sudo: None,
                nodes: Vec::new(),
                script: Request {
                    key,
                    machines: &machines,
                    shapes,
                    ports: &std::collections::BTreeSet::new(),
                    roster: "",
                    keyed: &[],
                    rehash: false,
                }
                .script(),
            }
        };
        let targets = self.network.hosts.iter().map(|(name, host)| target(name, host)).collect();
        let (mut probed, mut hosts, mut errors) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let dialer = Arc::new(Dialer::new(self.limits.ssh, Redactor::default()));
        for (name, answer) in gather(targets, &dialer, &self.limits, |_, _| {}).await {
            let found = match answer {
                Ok((host, text)) => {
                    hosts.insert(name.clone(), host);
                    Probed::Facts(Box::new(parse(&text, &Redactor::default()).unwrap()))
                }
                Err(error) => {
                    let why = Unplanned::from(error);
                    errors.insert(name.clone(), why.clone());
                    Probed::Nothing(why)
                }
            };
            probed.insert(name, found);
        }
        let plan = self.planner.plan(&probed).unwrap();
        Survey { plan, hosts, errors }
    }

    /// Plans and applies; `None` if a host couldn't be locked.
    async fn apply(&self) -> Option<Applied> {
        let Survey { plan, hosts, errors: _ } = self.survey().await;
        let mut locks = Locks::default();
        for (name, host) in hosts {
            locks.locked.insert(name, host.lock(&Holder::default()).await.ok()?);
        }
        let (sender, mut events) = unbounded_channel();
        let payloads = Arc::new(self.payloads(&plan));
        let (applied, hosts) = apply(&plan, locks, payloads, &Stop::default(), 0, sender).await;
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(event);
        }
        assert!(told.is_sorted_by_key(|event| event.at));
        assert!(matches!(told.first().unwrap().kind, ApplyEventKind::Started(_)));
        assert!(matches!(told.last().unwrap().kind, ApplyEventKind::Ended(_)));
        for host in hosts.into_values() {
            if let Ok(host) = host.unlock().await {
                host.close().await;
            }
        }
        Some(applied)
    }

    fn payloads(&self, plan: &Plan) -> Payloads {
        let tau = program(here(), "no tau");
        let staged = plan.stage.values().flatten().filter_map(|planned| match &planned.action {
            Action::Stage(file) => Some(file),
            _ => None,
        });
        let files = staged
            .map(|file| {
                let own = || Payload::Bytes(tau.clone().into());
                let bytes = self.planner.desired().payload(&file.source, &file.sha256);
                (file.source.clone(), bytes.cloned().map_or_else(own, Payload::Secret))
            })
            .collect();
        Payloads { files, swarm_key: self.network.swarm_key.here().cloned() }
    }

    /// Retries until an apply succeeds, because a host stays locked until the actions of
    /// a lost controller have ended.
    async fn applied_in_the_end(&self) {
        let begun = Instant::now();
        loop {
            if self.apply().await.is_some_and(|applied| applied.failed.is_empty()) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "h4 can't be applied to");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let plan = self.survey().await.plan;
        assert!(plan.is_empty() && plan.unplanned.is_empty(), "{plan:?}");
    }
}

#[test]
fn a_first_apply() {
    let world = World::new();
    world.block_on(async {
        let controller = Controller::new(&world);
        let applied = controller.apply().await.unwrap();
        assert!(applied.failed.is_empty(), "{applied:?}");
        assert!(controller.survey().await.plan.is_empty());
    });
}

/// The effect of each fault on the plan.
#[test]
fn each_fault_has_its_error() {
    let world = World::new();
    world.block_on(async {
        let controller = Controller::new(&world);
        let table = [
            (Faults { refuses_key: true, ..Faults::default() }, "login as planter refused"),
            (Faults { no_sudo: true, ..Faults::default() }, "no password-less sudo"),
            (Faults { drops_after: Some(100), ..Faults::default() }, "the host closed the connection"),
            (Faults { drops_after: Some(6_000), ..Faults::default() }, "lost while"),
        ];
        for (faults, words) in table {
            world.faults(faults.clone());
            let survey = controller.survey().await;
            let said = survey.errors.values().map(render::why).collect::<Vec<_>>().join("\n");
            assert!(said.contains(words), "{faults:?}: {said}");
            assert_eq!(survey.plan.unplanned.len(), 1, "{faults:?}");
        }
        for disk in [Disk::Full, Disk::Filling] {
            world.faults(Faults { disk, noisy: true, ..Faults::default() });
            let survey = controller.survey().await;
            assert_eq!(survey.plan.unplanned.len(), usize::from(disk == Disk::Full), "{disk:?}");
        }
    });
}

/// The connection breaks after more bytes in each apply. Each apply resumes, and the last
/// ends in the same state as an uninterrupted apply.
#[test]
fn a_connection_that_breaks_anywhere() {
    let world = World::new();
    world.block_on(async {
        let controller = Controller::new(&world);
        let (mut bytes, mut broken) = (500, 0);
        loop {
            world.faults(Faults { drops_after: Some(bytes), ..Faults::default() });
            // An apply also counts as broken if a host is still locked.
            match controller.apply().await {
                Some(applied) if applied.failed.is_empty() && controller.world.is_up("h4") => break,
                _ => broken += 1,
            }
            bytes += 3_331;
        }
        assert!(broken > 8, "it was broken {broken} times");
        world.faults(Faults::default());
        controller.applied_in_the_end().await;
    });
}
