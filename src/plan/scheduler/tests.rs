//! Tests of the rules: examples as tables here, and every state of a small network in
//! `every_state`.

mod every_state;

use super::*;
use crate::plan::{Last, NodePlan, PlannedAction, Wave};
use crate::resource::Daemon;

pub(super) fn hosts(names: &str) -> BTreeSet<HostName> {
    names.split_whitespace().filter_map(|name| name.parse().ok()).collect()
}

fn host(name: &str) -> HostName {
    name.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The node of a host. A host whose name begins with `e` or `f` runs an elder, any other
/// host a member.
pub(super) fn node(host: &HostName) -> NodeName {
    let shape = if host.as_str().starts_with(['e', 'f']) { "elders" } else { "members" };
    let Ok(shape) = shape.parse() else { panic!("{shape}") };
    NodeName { shape, host: host.clone(), daemon: Daemon::Tau }
}

fn part<'a>(plan: &'a mut Plan, name: &str) -> &'a mut NodePlan {
    let Some(part) = plan.nodes.get_mut(&node(&host(name))) else { panic!("{name}") };
    part
}

/// A plan with these waves. The nodes of the hosts in `down` were found down, all others
/// up.
pub(super) fn plan(all: &str, down: &str, ranks: &[(Rank, &str)], rotation: Rotation) -> Plan {
    let planned = || PlannedAction {
        action: crate::plan::action::Action::Reload { files: BTreeMap::new() },
        change: None,
    };
    let wave = |(rank, names): &(Rank, &str)| Wave {
        rank: *rank,
        hosts: hosts(names).into_iter().map(|host| (host, vec![planned()])).collect(),
    };
    let waves: Vec<Wave> = ranks.iter().map(wave).collect();
    let down = hosts(down);
    let part = |host: HostName| {
        let touches = |wave: &Wave| wave.rank != Rank::Settle && wave.hosts.contains_key(&host);
        let wave = waves.iter().position(|wave| touches(wave) && wave.rank != Rank::Remove);
        let found = if down.contains(&host) { Found::Down } else { Found::Healthy };
        let name = node(&host);
        let bootstrap = name.shape.as_str() == "elders";
        (name, NodePlan { bootstrap, wave: wave.map(|wave| wave + 1), found, invocation: None })
    };
    Plan {
        stage: hosts(all).into_iter().map(|host| (host, vec![planned()])).collect(),
        nodes: hosts(all).into_iter().map(part).collect(),
        rotation: ranks.iter().any(|(rank, _)| rank.is_rotation()).then_some(rotation),
        waves,
        ..Plan::default()
    }
}

/// What the scheduler begins, and on which hosts. `fails` has the hosts that fail, by wave,
/// counted from one; zero is for staging.
fn schedule(plan: &Plan, max_failures: usize, fails: &[(usize, &str)]) -> String {
    let at = |wave: usize| -> BTreeSet<HostName> {
        fails.iter().filter(|(at, _)| *at == wave).flat_map(|(_, names)| hosts(names)).collect()
    };
    let mut scheduler = Scheduler::new(plan, max_failures);
    let mut begun = Vec::new();
    loop {
        let (part, failing) = match scheduler.next(false) {
            Next::Finished => break,
            Next::Look(nodes) => {
                for (host, nodes) in nodes {
                    let seen = nodes
                        .into_iter()
                        .map(|node| (node, Seen { is_up: true, invocation: "1".to_owned() }))
                        .collect();
                    scheduler.looked(&host, &seen);
                }
                continue;
            }
            Next::Stage(part) => (part, at(0)),
            Next::Wait(_) => unreachable!("no host has settled"),
            Next::Run { wave, hosts } => {
                let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
                begun.push(format!("{:?} {}", plan.waves[wave].rank, names.join(" ")));
                (hosts, at(wave + 1))
            }
        };
        for host in part {
            let ran = if failing.contains(&host) { Ran::Failed } else { Ran::Done };
            let started = match ran {
                Ran::Done => [(node(&host), "1".to_owned())].into(),
                _ => BTreeMap::new(),
            };
            scheduler.ran(&host, ran, &started);
        }
    }
    let mut why: BTreeSet<String> = BTreeSet::new();
    for skipped in scheduler.skipped().iter().filter(|skipped| skipped.why != SkipReason::HostFailed) {
        let text = format!("{:?}", skipped.why);
        why.insert(text.split(['(', ' ']).next().unwrap_or_default().to_owned());
    }
    begun.extend(why.into_iter().map(|why| format!("skipped: {why}")));
    begun.join(", ")
}

use Rank::{Canary, Remove, Rotate, RotateBootstrap, Settle, Start, StartBootstrap, Update, UpdateBootstrap};

fn first() -> Plan {
    let ranks = [(Settle, "e m n"), (StartBootstrap, "e f"), (Start, "m n")];
    plan("e f m n", "e f m n", &ranks, Rotation::Begins)
}

fn update() -> Plan {
    let ranks =
        [(UpdateBootstrap, "e"), (UpdateBootstrap, "f"), (Canary, "m"), (Update, "n o"), (Remove, "o")];
    plan("e f m n o", "", &ranks, Rotation::Begins)
}

fn rotation(rotation: Rotation) -> Plan {
    let ranks = [(Settle, "e m"), (RotateBootstrap, "e f"), (Rotate, "m n"), (Start, "o"), (Remove, "m")];
    plan("e f m n o", "o", &ranks, rotation)
}

#[test]
fn a_host_that_cannot_be_staged_stops_all_unless_that_is_allowed() {
    let all = "UpdateBootstrap e, UpdateBootstrap f, Canary m, Update n o, Remove o";
    assert_eq!(schedule(&update(), 0, &[]), all);
    assert_eq!(schedule(&update(), 0, &[(0, "n")]), "skipped: NotStaged");
    assert_eq!(schedule(&update(), 0, &[(0, "e")]), "skipped: NotStaged");
    assert_eq!(schedule(&update(), 1, &[(0, "m n")]), "skipped: NotStaged");
    // Another member takes the role of the canary, and is updated first and alone.
    assert_eq!(
        schedule(&update(), 1, &[(0, "m")]),
        "UpdateBootstrap e, UpdateBootstrap f, Update n, Update o, skipped: Incomplete"
    );
    // The last elder stays up, however many failures are allowed.
    assert_eq!(
        schedule(&update(), 1, &[(0, "e")]),
        "Canary m, Update n o, skipped: Incomplete, skipped: LastHealthy"
    );
    // So does the last member.
    assert_eq!(
        schedule(&update(), 2, &[(0, "m n")]),
        "UpdateBootstrap e, UpdateBootstrap f, skipped: Incomplete, skipped: LastHealthy"
    );
}

#[test]
fn a_failed_elder_or_canary_ends_it_and_so_do_too_many_failures() {
    assert_eq!(schedule(&update(), 9, &[(1, "e")]), "UpdateBootstrap e, skipped: ElderFailed");
    let elders = "UpdateBootstrap e, UpdateBootstrap f";
    assert_eq!(schedule(&update(), 9, &[(3, "m")]), format!("{elders}, Canary m, skipped: CanaryFailed"));
    assert_eq!(
        schedule(&update(), 0, &[(4, "n")]),
        format!("{elders}, Canary m, Update n o, skipped: Failures")
    );
    assert_eq!(
        schedule(&update(), 1, &[(4, "n")]),
        format!("{elders}, Canary m, Update n o, skipped: Incomplete")
    );
    // The host that took the role of the canary fails.
    assert_eq!(
        schedule(&update(), 9, &[(0, "m"), (4, "n")]),
        format!("{elders}, Update n, skipped: CanaryFailed")
    );
}

#[test]
fn the_last_healthy_node_is_left_alone_while_others_are_down() {
    let ranks = [(UpdateBootstrap, "e"), (Canary, "m")];
    assert_eq!(schedule(&plan("e m", "", &ranks, Rotation::Begins), 0, &[]), "UpdateBootstrap e, Canary m");
    // `f` and `n` were found down, and the plan doesn't start them.
    let down = plan("e f m n", "f n", &ranks, Rotation::Begins);
    assert_eq!(schedule(&down, 0, &[]), "skipped: LastHealthy");
    let agreed = Last { node: node(&host("e")), group: Group::Elders, down: BTreeSet::new() };
    let agreed = Plan { last: vec![agreed], ..down };
    assert_eq!(schedule(&agreed, 0, &[]), "UpdateBootstrap e, skipped: LastHealthy");
    // The wave is divided so that one healthy member stays up.
    let ranks = [(Canary, "m"), (Update, "n o")];
    let down = plan("m n o p", "p", &ranks, Rotation::Begins);
    assert_eq!(schedule(&down, 0, &[]), "Canary m, Update n o");
    assert_eq!(schedule(&down, 1, &[(0, "m")]), "Update n, Update o");
}

#[test]
fn without_an_elder_nothing_starts_that_dials_one() {
    assert_eq!(schedule(&first(), 0, &[]), "Settle e m n, StartBootstrap e f, Start m n");
    assert_eq!(schedule(&first(), 1, &[(0, "e")]), "Settle m n, StartBootstrap f, Start m n");
    assert_eq!(schedule(&first(), 2, &[(0, "e f")]), "Settle m n, skipped: NoElderUp");
    assert_eq!(schedule(&first(), 9, &[(2, "e")]), "Settle e m n, StartBootstrap e f, skipped: ElderFailed");
}

#[test]
fn a_rotation_begins_on_all_hosts_or_on_none_and_is_never_stopped_half_way() {
    let begins = rotation(Rotation::Begins);
    let rotated = "Settle e m, RotateBootstrap e f, Rotate m n";
    assert_eq!(schedule(&begins, 9, &[(0, "n")]), "skipped: RotationWithout");
    assert_eq!(schedule(&begins, 9, &[(1, "m")]), "Settle e m, skipped: RotationWithout");
    assert_eq!(schedule(&begins, 0, &[(2, "e f")]), format!("{rotated}, skipped: ElderFailed"));
    assert_eq!(schedule(&begins, 9, &[(2, "e")]), format!("{rotated}, skipped: ElderFailed"));
    assert_eq!(schedule(&begins, 0, &[(3, "m")]), format!("{rotated}, skipped: Failures"));
    assert_eq!(schedule(&begins, 1, &[(3, "n")]), format!("{rotated}, Start o, skipped: Incomplete"));
}

#[test]
fn a_rotation_that_was_begun_is_finished_wherever_it_can_be() {
    let finishes = rotation(Rotation::Finishes);
    let rest = "RotateBootstrap e f, Rotate m";
    assert_eq!(schedule(&finishes, 0, &[(0, "n")]), format!("{rest}, skipped: NotStaged"));
    assert_eq!(
        schedule(&finishes, 1, &[(0, "n")]),
        format!("Settle e m, {rest}, Start o, skipped: Incomplete")
    );
    assert_eq!(
        schedule(&finishes, 0, &[(1, "m")]),
        "Settle e m, RotateBootstrap e f, Rotate n, skipped: Failures"
    );
}

#[test]
fn a_node_that_died_is_noticed() {
    let plan = update();
    let mut scheduler = Scheduler::new(&plan, 9);
    let mut looks = 0;
    loop {
        match scheduler.next(false) {
            Next::Finished => break,
            Next::Stage(hosts) | Next::Wait(hosts) => {
                hosts.iter().for_each(|host| scheduler.ran(host, Ran::Done, &BTreeMap::new()))
            }
            Next::Run { hosts, .. } => {
                for host in hosts {
                    scheduler.ran(&host, Ran::Done, &[(node(&host), "1".to_owned())].into());
                }
            }
            Next::Look(nodes) => {
                looks += 1;
                for (host, nodes) in nodes {
                    // systemd has restarted the elder of `e` after its turn.
                    let again = host.as_str() == "e" && looks == 2;
                    let invocation = if again { "2" } else { "1" }.to_owned();
                    let seen = Seen { is_up: true, invocation };
                    scheduler.looked(&host, &nodes.into_iter().map(|node| (node, seen.clone())).collect());
                }
            }
        }
    }
    assert_eq!(scheduler.died().iter().map(ToString::to_string).collect::<Vec<_>>(), ["elders@e"]);
    let elder = SkipReason::ElderFailed(host("e"));
    assert!(scheduler.skipped().iter().all(|skipped| skipped.why == elder), "{:?}", scheduler.skipped());
    assert_eq!(scheduler.skipped().len(), 5);
}

/// The ranks and looks that the scheduler asks for, in order. Every action succeeds, and a
/// node in `dies` is found dead in the look with the given number.
fn looks(plan: &Plan, dies: &[(&str, usize)]) -> Vec<String> {
    let mut scheduler = Scheduler::new(plan, 9);
    let (mut asked, mut looks) = (Vec::new(), 0);
    loop {
        match scheduler.next(false) {
            Next::Finished => return asked,
            Next::Stage(hosts) | Next::Wait(hosts) => {
                hosts.iter().for_each(|host| scheduler.ran(host, Ran::Done, &BTreeMap::new()))
            }
            Next::Run { wave, hosts } => {
                asked.push(format!("{:?}", plan.waves[wave].rank));
                for host in hosts {
                    scheduler.ran(&host, Ran::Done, &[(node(&host), "1".to_owned())].into());
                }
            }
            Next::Look(nodes) => {
                looks += 1;
                asked.push("look".to_owned());
                for (host, nodes) in nodes {
                    let is_up = !dies.contains(&(host.as_str(), looks));
                    let seen = Seen { is_up, invocation: "1".to_owned() };
                    scheduler.looked(&host, &nodes.into_iter().map(|node| (node, seen.clone())).collect());
                }
            }
        }
    }
}

#[test]
fn nodes_are_looked_at_before_others_start_or_are_removed() {
    let ranks = [(StartBootstrap, "e"), (Start, "m"), (Remove, "f")];
    let mut plan = plan("e f m", "e m", &ranks, Rotation::Begins);
    // The node of `f` isn't a desired one any more: the new elder replaces it.
    plan.nodes.remove(&node(&host("f")));
    assert_eq!(looks(&plan, &[]), ["StartBootstrap", "look", "Start", "look", "Remove", "look"]);
    assert_eq!(looks(&plan, &[("e", 1)]), ["StartBootstrap", "look"], "members would dial a dead elder");
    let kept = ["StartBootstrap", "look", "Start", "look"];
    assert_eq!(looks(&plan, &[("e", 2)]), kept, "the old elder is the only one that is left");
}

/// What the scheduler asks for if each host settles first, and its part ends well when the
/// scheduler waits for it.
fn settling(plan: &Plan) -> Vec<String> {
    let mut scheduler = Scheduler::new(plan, 0);
    let names = |hosts: &BTreeSet<HostName>| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(" ");
    let started = |host: &HostName| BTreeMap::from([(node(host), "1".to_owned())]);
    let mut asked = Vec::new();
    loop {
        match scheduler.next(false) {
            Next::Finished => return asked,
            Next::Stage(hosts) => {
                hosts.iter().for_each(|host| scheduler.ran(host, Ran::Done, &BTreeMap::new()));
            }
            Next::Run { wave, hosts } => {
                asked.push(format!("{:?} {}", plan.waves[wave].rank, names(&hosts)));
                for host in &hosts {
                    if !scheduler.settles(host, &started(host)) {
                        scheduler.ran(host, Ran::Done, &started(host));
                    }
                }
            }
            Next::Wait(hosts) => {
                asked.push(format!("wait {}", names(&hosts)));
                hosts.iter().for_each(|host| scheduler.ran(host, Ran::Done, &started(host)));
            }
            Next::Look(nodes) => {
                asked.push(format!("look {}", names(&nodes.keys().cloned().collect())));
                for (host, nodes) in nodes {
                    let seen = Seen { is_up: true, invocation: "1".to_owned() };
                    scheduler.looked(&host, &nodes.into_iter().map(|node| (node, seen.clone())).collect());
                }
            }
        }
    }
}

#[test]
fn nodes_that_were_down_settle_while_others_start() {
    let all = ["StartBootstrap e f", "Start m n", "wait e f m n", "look e f m n"];
    let ranks = [(StartBootstrap, "e f"), (Start, "m n")];
    assert_eq!(settling(&plan("e f m n", "e f m n", &ranks, Rotation::Begins)), all);
    // A host that settles isn't given anything else to do.
    let ranks = [(StartBootstrap, "e f"), (Start, "e m")];
    let again = ["StartBootstrap e f", "Start m", "wait e", "look e", "Start e", "wait e f m", "look e f m"];
    assert_eq!(settling(&plan("e f m", "e f m", &ranks, Rotation::Begins)), again);
    // Nodes that are up are touched only when everything before has settled.
    let ranks = [(StartBootstrap, "e"), (UpdateBootstrap, "f"), (Start, "m"), (Remove, "f")];
    let one_by_one = [
        "StartBootstrap e",
        "wait e",
        "look e f",
        "UpdateBootstrap f",
        "look e f",
        "Start m",
        "wait m",
        "look e f m",
        "Remove f",
        "look e f m",
    ];
    assert_eq!(settling(&plan("e f m", "e m", &ranks, Rotation::Begins)), one_by_one);
}

#[test]
fn while_elders_move_only_one_that_has_moved_can_be_dialled() {
    let mut plan = update();
    plan.moving = [node(&host("e")), node(&host("f"))].into();
    let all = "UpdateBootstrap e, UpdateBootstrap f, Canary m, Update n o, Remove o";
    assert_eq!(schedule(&plan, 0, &[]), all);
    // `e` can't be staged, and the elder of `f` stays up at its old address.
    assert_eq!(
        schedule(&plan, 1, &[(0, "e")]),
        "skipped: Incomplete, skipped: LastHealthy, skipped: NoElderUp"
    );
}

#[test]
fn a_node_in_another_start_than_planned_counts_as_down() {
    let ranks = [(UpdateBootstrap, "e")];
    let mut plan = plan("e f", "", &ranks, Rotation::Begins);
    let plan = &mut plan;
    part(plan, "f").invocation = Some("1".to_owned());
    assert_eq!(schedule(plan, 0, &[]), "UpdateBootstrap e");
    part(plan, "f").invocation = Some("0".to_owned());
    assert_eq!(schedule(plan, 0, &[]), "skipped: LastHealthy");
}

#[test]
fn one_that_may_die_again_does_not_stand_in_for_a_healthy_one() {
    let with = |found: &[(&str, Found)], ranks: &[(Rank, &str)]| {
        let mut plan = plan("e f", "", ranks, Rotation::Begins);
        for (name, found) in found {
            part(&mut plan, name).found = *found;
        }
        schedule(&plan, 0, &[])
    };
    let (one, both) = ([(UpdateBootstrap, "e")], [(UpdateBootstrap, "f"), (UpdateBootstrap, "e")]);
    for found in [Found::Unproven, Found::Deaf] {
        assert_eq!(with(&[("f", found)], &one), "skipped: LastHealthy", "{found:?}");
        assert_eq!(with(&[("f", found)], &both), "UpdateBootstrap f, UpdateBootstrap e", "{found:?}");
    }
    let all = [("e", Found::Unproven), ("f", Found::Unproven)];
    assert_eq!(with(&all, &both), "UpdateBootstrap f, UpdateBootstrap e");
    assert_eq!(with(&[("e", Found::Unproven), ("f", Found::Down)], &one), "skipped: LastHealthy");
}
