//! An exhaustive test of the rules, with two elders and two members. Every host may fail or
//! be lost during staging and in its turn, also after it has settled, every node that is up may
//! die before it is looked at, and the user may ask to stop at any point. The rules are asserted in every
//! state that this leads to. The test has its own record of what has happened, and doesn't
//! rely on the scheduler's state.

use super::*;

/// The state of the world, as far as the rules depend on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    state: State,
    interrupted: bool,
    /// The hosts that failed during staging or in a wave, that were lost, or whose node has
    /// died.
    failed: BTreeSet<HostName>,
    unstaged: usize,
    lost: BTreeSet<HostName>,
    /// The hosts whose node runs. `turned` has the hosts whose node has had its turn.
    up: BTreeSet<HostName>,
    turned: BTreeSet<HostName>,
    /// The hosts whose node has died after its turn.
    died: BTreeSet<HostName>,
    /// Whether an elder or canary has failed.
    decisive: bool,
    proven: bool,
    /// The first member that was updated.
    canary: Option<HostName>,
    looked: bool,
    rotating: bool,
    run: BTreeSet<(usize, HostName)>,
    /// The hosts that settle, with the wave in which they were started.
    settling: BTreeMap<HostName, usize>,
}

struct Every<'a> {
    plan: &'a Plan,
    max_failures: usize,
    seen: BTreeSet<World>,
}

fn is_elder(host: &HostName) -> bool {
    host.as_str().starts_with('e')
}

/// All combinations of the ways in which each of these hosts can go.
fn each<T: Clone>(
    hosts: &BTreeSet<HostName>,
    ways: impl Fn(&HostName) -> Vec<T>,
) -> Vec<BTreeMap<HostName, T>> {
    hosts.iter().fold(vec![BTreeMap::new()], |all, host| {
        let ways = ways(host);
        let with = |some: &BTreeMap<HostName, T>, way: &T| {
            let mut some = some.clone();
            some.insert(host.clone(), way.clone());
            some
        };
        all.iter().flat_map(|some| ways.iter().map(|way| with(some, way)).collect::<Vec<_>>()).collect()
    })
}

/// The ways in which a host's list can end. Which of several hosts was interrupted makes no
/// difference, so only the first one may be.
fn ways(host: &HostName, stoppable: &BTreeSet<HostName>) -> Vec<Ran> {
    let mut ways = ENDS.to_vec();
    ways.extend((stoppable.first() == Some(host)).then_some(Ran::Interrupted));
    ways
}

const ENDS: [Ran; 3] = [Ran::Done, Ran::Failed, Ran::Lost];

impl Every<'_> {
    fn scheduler(&self, state: &State) -> Scheduler<'_> {
        Scheduler { state: state.clone(), ..Scheduler::new(self.plan, self.max_failures) }
    }

    /// Explores every possible course of the apply, and asserts the rules in each state.
    fn go(&mut self) {
        let state = Scheduler::new(self.plan, self.max_failures).state;
        let hosts: BTreeSet<HostName> = self.plan.nodes.keys().map(|node| node.host.clone()).collect();
        let down = |host: &&HostName| self.plan.nodes[&node(host)].found == Found::Down;
        let world = World {
            state,
            interrupted: false,
            failed: BTreeSet::new(),
            unstaged: 0,
            lost: BTreeSet::new(),
            up: hosts.iter().filter(|host| !down(host)).cloned().collect(),
            turned: BTreeSet::new(),
            died: BTreeSet::new(),
            decisive: false,
            proven: false,
            canary: None,
            looked: false,
            rotating: false,
            run: BTreeSet::new(),
            settling: BTreeMap::new(),
        };
        let mut waiting = Vec::new();
        // One host at most can't be locked. More of them wouldn't show anything new,
        // because hosts that are lost during staging are treated like that.
        for lost in std::iter::once(None).chain(hosts.iter().map(Some)) {
            let mut world = world.clone();
            let mut scheduler = self.scheduler(&world.state);
            if let Some(host) = lost {
                scheduler.lose(host);
                world.failed.insert(host.clone());
                world.lost.insert(host.clone());
            }
            world.state = scheduler.state;
            world.unstaged = world.failed.len();
            waiting.push(world);
        }
        while let Some(world) = waiting.pop() {
            if !self.seen.insert(world.clone()) {
                continue;
            }
            for interrupted in [false, true] {
                if interrupted || !world.interrupted {
                    waiting.extend(self.follow(World { interrupted, ..world.clone() }));
                }
            }
        }
    }

    fn follow(&self, mut world: World) -> Vec<World> {
        let mut scheduler = self.scheduler(&world.state);
        let next = scheduler.next(world.interrupted);
        world.state = scheduler.state;
        match next {
            Next::Finished => {
                self.finished(&world);
                Vec::new()
            }
            Next::Stage(hosts) => {
                assert!(!world.interrupted && world.run.is_empty(), "{world:#?}");
                each(&hosts, |host| ways(host, &hosts))
                    .into_iter()
                    .map(|ran| self.staged(&world, &ran))
                    .collect()
            }
            Next::Look(nodes) => {
                let hosts: BTreeSet<HostName> = nodes.into_keys().collect();
                // Every node that should be up and can be observed has to be looked at.
                let should: BTreeSet<HostName> = world
                    .turned
                    .iter()
                    .filter(|host| world.up.contains(*host) && !world.lost.contains(*host))
                    .filter(|host| !world.settling.contains_key(*host))
                    .cloned()
                    .collect();
                assert!(hosts.is_superset(&should), "{hosts:?} {world:#?}");
                world.looked = true;
                let ways = |host: &HostName| {
                    let up = world.up.contains(host);
                    vec![(up, false), (false, false), (up, true)]
                };
                each(&hosts, ways).into_iter().map(|seen| self.looked(&world, &seen)).collect()
            }
            Next::Run { wave, hosts } => {
                self.may_run(&world, wave, &hosts);
                world.run.extend(hosts.iter().map(|host| (wave, host.clone())));
                world.looked = false;
                world.rotating |= self.plan.waves[wave].rank.is_rotation();
                let is_rotation = self.plan.waves[wave].rank.is_rotation();
                let none = BTreeSet::new();
                // `None`: the host settles.
                let may_settle = self.plan.waves[wave].rank.is_start();
                let run = |host: &HostName| {
                    let ends = ways(host, if is_rotation { &none } else { &hosts });
                    ends.into_iter().map(Some).chain(may_settle.then_some(None)).collect()
                };
                let settled = |_: &HostName| [None].into_iter().chain(ENDS.map(Some)).collect();
                let before: BTreeSet<HostName> = world.settling.keys().cloned().collect();
                let mut worlds = Vec::new();
                for ended in each(&before, settled) {
                    let world = self.ended(&world, &ended);
                    worlds.extend(each(&hosts, run).into_iter().map(|ran| self.ran(&world, wave, &ran)));
                }
                worlds
            }
            Next::Wait(hosts) => {
                assert!(!hosts.is_empty(), "{world:#?}");
                let ends = |_: &HostName| ENDS.map(Some).to_vec();
                each(&hosts, ends).into_iter().map(|ended| self.ended(&world, &ended)).collect()
            }
        }
    }

    fn staged(&self, world: &World, ran: &BTreeMap<HostName, Ran>) -> World {
        let mut world = world.clone();
        world.interrupted |= ran.values().any(|ran| *ran == Ran::Interrupted);
        let mut scheduler = self.scheduler(&world.state);
        for (host, ran) in ran {
            scheduler.ran(host, *ran, &BTreeMap::new());
            self.fails(&mut world, host, *ran);
        }
        world.unstaged = world.failed.len();
        world.state = scheduler.state;
        world
    }

    fn fails(&self, world: &mut World, host: &HostName, ran: Ran) -> bool {
        if ran == Ran::Lost {
            world.lost.insert(host.clone());
        }
        let fails = matches!(ran, Ran::Failed | Ran::Lost);
        if fails {
            world.failed.insert(host.clone());
        }
        fails
    }

    /// The parts of these hosts, which have settled, end.
    fn ended(&self, world: &World, ended: &BTreeMap<HostName, Option<Ran>>) -> World {
        ended.iter().fold(world.clone(), |mut world, (host, ran)| match ran {
            None => world,
            Some(_) => {
                let wave = world.settling.remove(host).unwrap_or_else(|| panic!("{host} {world:#?}"));
                self.ran(&world, wave, &[(host.clone(), *ran)].into())
            }
        })
    }

    fn ran(&self, world: &World, wave: usize, ran: &BTreeMap<HostName, Option<Ran>>) -> World {
        let rank = self.plan.waves[wave].rank;
        let mut world = world.clone();
        world.interrupted |= ran.values().any(|ran| *ran == Some(Ran::Interrupted));
        let mut scheduler = self.scheduler(&world.state);
        let is_turn = !matches!(rank, Settle | Remove);
        let was_proven = world.proven;
        for (host, ran) in ran {
            let Some(ran) = ran else {
                assert!(scheduler.settles(host, &[(node(host), "1".to_owned())].into()));
                world.settling.insert(host.clone(), wave);
                world.up.insert(host.clone());
                world.turned.insert(host.clone());
                continue;
            };
            let started: BTreeMap<NodeName, String> = match (ran, is_turn) {
                (Ran::Done, true) => [(node(host), "1".to_owned())].into(),
                _ => BTreeMap::new(),
            };
            scheduler.ran(host, *ran, &started);
            let fails = self.fails(&mut world, host, *ran);
            if is_turn && *ran == Ran::Done {
                world.up.insert(host.clone());
                world.turned.insert(host.clone());
                if matches!(rank, Canary | Update) && !world.proven {
                    world.proven = true;
                    world.canary = Some(host.clone());
                }
            } else if is_turn && fails {
                world.up.remove(host);
                world.turned.remove(host);
                world.decisive |= is_elder(host) || matches!(rank, Canary | Update) && !was_proven;
            }
        }
        world.state = scheduler.state;
        world
    }

    fn looked(&self, world: &World, seen: &BTreeMap<HostName, (bool, bool)>) -> World {
        let mut world = world.clone();
        let mut scheduler = self.scheduler(&world.state);
        for (host, (up, lost)) in seen {
            if *lost {
                scheduler.lose(host);
                world.failed.insert(host.clone());
                world.lost.insert(host.clone());
                continue;
            }
            // Such a node was restarted by systemd: it is up, but in another start.
            let again = !*up && world.turned.contains(host) && host.as_str().ends_with('2');
            let now = Seen { is_up: *up || again, invocation: if again { "2" } else { "1" }.to_owned() };
            scheduler.looked(host, &[(node(host), now)].into());
            if !*up {
                world.up.remove(host);
                if world.turned.contains(host) {
                    world.failed.insert(host.clone());
                    world.died.insert(host.clone());
                    world.decisive |= is_elder(host) || world.canary.as_ref() == Some(host);
                }
            }
        }
        world.state = scheduler.state;
        world
    }

    /// Asserts that the rules let these hosts of a wave begin.
    fn may_run(&self, world: &World, wave: usize, hosts: &BTreeSet<HostName>) {
        let rank = self.plan.waves[wave].rank;
        let context = || format!("{rank:?} {hosts:?} of {:?} {world:#?}", self.plan.waves);
        assert!(!hosts.is_empty(), "{}", context());
        assert!(hosts.is_disjoint(&world.lost), "lost: {}", context());
        let again = hosts.iter().any(|host| world.run.contains(&(wave, host.clone())));
        assert!(!again, "twice: {}", context());
        let settles = hosts.iter().any(|host| world.settling.contains_key(host));
        assert!(!settles && (rank.is_start() || world.settling.is_empty()), "unsettled: {}", context());
        let finishes = self.plan.rotation == Some(Rotation::Finishes);
        if rank.is_rotation() {
            assert!(world.rotating || !world.interrupted, "interrupted: {}", context());
            assert!(world.rotating || finishes || world.failed.is_empty(), "not on all: {}", context());
            return;
        }
        assert!(!world.interrupted, "interrupted: {}", context());
        assert!(world.failed.len() <= self.max_failures, "too many failures: {}", context());
        assert!(!world.decisive, "an elder or canary has failed: {}", context());
        assert!(hosts.is_disjoint(&world.failed), "failed: {}", context());
        if rank == Remove {
            assert!(world.failed.is_empty() && world.state.skipped.is_empty(), "incomplete: {}", context());
        }
        if rank.dials() {
            let seen = |host: &HostName| is_elder(host) && !world.lost.contains(host);
            assert!(world.up.iter().any(seen), "no elder: {}", context());
        }
        if matches!(rank, Canary | Update) && !world.proven {
            assert_eq!(hosts.len(), 1, "no canary: {}", context());
        }
        let taken: BTreeSet<&HostName> = match rank {
            UpdateBootstrap | Canary | Update => {
                hosts.iter().filter(|host| world.up.contains(*host)).collect()
            }
            _ => BTreeSet::new(),
        };
        let is_visible =
            world.up.iter().any(|host| !world.lost.contains(host) && !world.settling.contains_key(host));
        let depends = !taken.is_empty() || rank.dials() || rank == Remove;
        assert!(world.looked || !depends || !is_visible, "not looked at before: {}", context());
        if taken.is_empty() {
            return;
        }
        for elders in [false, true] {
            let all = self.plan.nodes.keys().map(|node| &node.host).filter(|host| is_elder(host) == elders);
            let healthy = |host: &&HostName| world.up.contains(*host) && !world.failed.contains(*host);
            let (healthy, down): (Vec<&HostName>, Vec<&HostName>) = all.partition(healthy);
            let takes = healthy.iter().any(|host| taken.contains(host));
            let leaves_one = healthy.iter().any(|host| !taken.contains(host));
            assert!(!takes || down.is_empty() || leaves_one, "the last: {}", context());
        }
    }

    fn finished(&self, world: &World) {
        let context = || format!("of {:?} {world:#?}", self.plan.waves);
        assert!(world.settling.is_empty(), "unsettled: {}", context());
        let mut parts: BTreeSet<(usize, HostName)> = world.run.clone();
        for skipped in &world.state.skipped {
            let part = (skipped.wave, skipped.host.clone());
            // A host whose list was interrupted has begun, and is skipped as well.
            let is_new = parts.insert(part);
            assert!(is_new || skipped.why == SkipReason::Interrupted, "both run and skipped: {}", context());
        }
        for (i, wave) in self.plan.waves.iter().enumerate() {
            for host in wave.hosts.keys() {
                assert!(
                    parts.contains(&(i, host.clone())),
                    "{i} {host}: neither run nor skipped: {}",
                    context()
                );
            }
        }
        let died: BTreeSet<HostName> = world.state.died.iter().map(|node| node.host.clone()).collect();
        assert_eq!(died, world.died, "{}", context());
        let visible = world.turned.iter().any(|host| world.up.contains(host) && !world.lost.contains(host));
        assert!(world.looked || !visible, "nobody has looked at the end: {}", context());
        if world.rotating {
            for (i, wave) in self.plan.waves.iter().enumerate().filter(|(_, wave)| wave.rank.is_rotation()) {
                for host in wave.hosts.keys().filter(|host| !world.failed.contains(*host)) {
                    assert!(world.run.contains(&(i, host.clone())), "left behind: {}", context());
                }
            }
        }
        if world.unstaged > self.max_failures && self.plan.rotation != Some(Rotation::Finishes) {
            assert!(world.run.is_empty(), "switched: {}", context());
        }
    }
}

fn every(down: &str, ranks: &[(Rank, &str)], begun: Rotation) -> usize {
    let plan = plan("e1 e2 m1 m2", down, ranks, begun);
    let count = |max_failures| {
        let mut every = Every { plan: &plan, max_failures, seen: BTreeSet::new() };
        every.go();
        every.seen.len()
    };
    [0, 2].map(count).iter().sum()
}

#[test]
fn of_an_update() {
    let ranks = [
        (Settle, "e1 m1"),
        (UpdateBootstrap, "e1"),
        (UpdateBootstrap, "e2"),
        (Canary, "m1"),
        (Update, "m2"),
        (Remove, "m1"),
    ];
    assert!(every("", &ranks, Rotation::Begins) > 1000);
}

#[test]
fn of_an_update_of_several_at_once() {
    let ranks = [(UpdateBootstrap, "e2"), (Update, "m1 m2")];
    assert!(every("", &ranks, Rotation::Begins) > 1000);
}

#[test]
fn of_an_update_where_some_are_down() {
    let ranks = [(UpdateBootstrap, "e1"), (Canary, "m1")];
    assert!(every("e2 m2", &ranks, Rotation::Begins) > 100);
    let ranks = [(StartBootstrap, "e2"), (UpdateBootstrap, "e1"), (Start, "m2"), (Canary, "m1")];
    assert!(every("e2 m2", &ranks, Rotation::Begins) > 1000);
}

#[test]
fn of_a_first_start() {
    let ranks = [(StartBootstrap, "e1 e2"), (Start, "m1 m2")];
    assert!(every("e1 e2 m1 m2", &ranks, Rotation::Begins) > 1000);
}

#[test]
fn of_a_rotation() {
    let ranks = [(Settle, "e1"), (RotateBootstrap, "e1 e2"), (Rotate, "m1"), (Start, "m2")];
    assert!(every("m2", &ranks, Rotation::Begins) > 100);
    assert!(every("m2", &ranks, Rotation::Finishes) > 1000);
}
