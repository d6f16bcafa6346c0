//! The invariants of every plan. The entry point is [`hold`].

use crate::case::World;
use crate::simulate::{OrderedAction, in_order, steps_of};
use spore_drive::daemon::tau;
use spore_drive::desired::Spellings;
use spore_drive::diff::{CompareOptions, compare};
use spore_drive::facts::{Facts, PathFact, interpret};
use spore_drive::plan::action::{Action, Fallback, Running};
use spore_drive::plan::{Plan, Rank};
use spore_drive::resource::{Activity, Edge, Graph, HostName, Node, Resource, ResourceId, ResourceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

type Held = Result<(), String>;

/// Checks all invariants, for the whole plan and for prefixes of its actions.
pub(crate) fn hold(world: &World, plan: &Plan) -> Held {
    order(world, plan)?;
    counted(plan)?;
    verified(world, plan)?;
    itself(world)?;
    if !plan.refusals.is_empty() {
        return Ok(());
    }
    let done = settles(world, plan)?;
    if world.options.retire.is_some() {
        retires(world, &done)?;
    }
    // Stages are all alike, so only a few prefixes within them are checked.
    let staged = plan.stage.values().map(Vec::len).sum::<usize>();
    let cuts = (0..staged).step_by(1 + staged / 8).chain(staged..in_order(plan).count());
    cuts.into_iter().try_for_each(|cut| resumes(world, plan, cut, &done))?;
    falls_back(world, plan, &done)
}

/// A node that doesn't become healthy falls back, and the fallback may be cut off after any
/// step. In each case, the next plan leads to the same final state as if the node had
/// become healthy. If the node doesn't become healthy in the next apply either, it falls
/// back to the same files as in the first.
pub(crate) fn falls_back(world: &World, plan: &Plan, done: &World) -> Held {
    // After a rollback, a node runs with the `peers` that were on the disk, so that the
    // retirement may not have to restart it any more. The final state is then different,
    // and also correct.
    if world.options.retire.is_some() {
        return Ok(());
    }
    let (mut before, mut seen) = (world.clone(), BTreeSet::new());
    for ordered in in_order(plan) {
        // Nodes that fall back in the same way are equivalent, so one of them is tested.
        if let Some((unit, fallback)) = may_fail(ordered.action)
            && seen.insert(kind(unit, fallback))
        {
            let whole = failed(&before, ordered, steps_of(fallback))?;
            for cut in 0..=steps_of(fallback) {
                let why = |what: String| format!("{unit} fails, {cut} steps of {fallback:?}: {what}");
                fails_once(&failed(&before, ordered, cut)?, done).map_err(why)?;
                fails_twice(&failed(&before, ordered, cut)?, ordered, &whole).map_err(why)?;
            }
        }
        before.hosts.act(ordered, before.planner.desired()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn kind(unit: &str, fallback: &Fallback) -> (String, Vec<String>) {
    let files = match fallback {
        Fallback::Leave => vec!["left".to_owned()],
        Fallback::Stop => Vec::new(),
        Fallback::Revert { files, health: _ } => files.iter().map(|file| file.path.clone()).collect(),
    };
    (unit.to_owned(), files)
}

fn may_fail(action: &Action) -> Option<(&str, &Fallback)> {
    match action {
        Action::Start { unit, health: Some(_), fallback, .. } | Action::Await { unit, fallback, .. } => {
            Some((unit, fallback))
        }
        _ => None,
    }
}

fn failed(before: &World, ordered: OrderedAction<'_>, cut: usize) -> Result<World, String> {
    let mut world = before.clone();
    world.hosts.fail(ordered, before.planner.desired(), cut).map_err(|error| error.to_string())?;
    Ok(world)
}

fn fails_once(failed: &World, done: &World) -> Held {
    let next = failed.plan();
    if next.is_empty() {
        return Err("the next plan doesn't show it".to_owned());
    }
    if !next.refusals.is_empty() {
        return Err(format!("the next plan is refused: {:?}", next.refusals));
    }
    let end = settles(failed, &next)?;
    let differs = difference(&end, done);
    if differs.is_empty() { Ok(()) } else { Err(format!("another end:\n{differs}")) }
}

fn fails_twice(failed_once: &World, ordered: OrderedAction<'_>, whole: &World) -> Held {
    let Some((unit, fallback)) = may_fail(ordered.action) else { return Ok(()) };
    if !matches!(fallback, Fallback::Revert { .. }) {
        return Ok(());
    }
    let next = failed_once.plan();
    let mut before = failed_once.clone();
    for ordered in in_order(&next) {
        match may_fail(ordered.action) {
            Some((again, fallback)) if again == unit => {
                let end = failed(&before, ordered, steps_of(fallback))?;
                let (end, whole) = (&end.hosts.hosts[ordered.host], &whole.hosts.hosts[ordered.host]);
                let (end, whole) = (gist(end), gist(whole));
                let differs: Vec<_> = end.symmetric_difference(&whole).collect();
                return if differs.is_empty() {
                    Ok(())
                } else {
                    Err(format!("it falls back to something else by {fallback:?}: {differs:#?}"))
                };
            }
            _ => before.hosts.act(ordered, before.planner.desired()).map_err(|error| error.to_string())?,
        }
    }
    Err("the next plan doesn't start it".to_owned())
}

/// Every action that changes something belongs to a change that the plan lists, and every
/// change that the plan lists has an action. So an apply counts the same changes as its
/// plan.
fn counted(plan: &Plan) -> Held {
    let counts = plan.actions_of_changes();
    let listed: BTreeSet<&ResourceId> = plan.changes.iter().map(|(id, _)| id).collect();
    let carried_out: BTreeSet<&ResourceId> = counts.keys().collect();
    let odd: Vec<_> = listed.symmetric_difference(&carried_out).collect();
    let lists = std::iter::once(&plan.stage).chain(plan.waves.iter().map(|wave| &wave.hosts));
    let uncounted: Vec<_> = lists
        .flat_map(|hosts| hosts.values().flatten())
        .filter(|planned| {
            planned.change.is_none()
                && !matches!(planned.action, Action::Verify { .. } | Action::Record { .. })
        })
        .collect();
    match (odd.is_empty(), uncounted.is_empty()) {
        (true, true) => Ok(()),
        _ => Err(format!("not both listed and carried out: {odd:?}; part of no change: {uncounted:?}")),
    }
}

/// If a binary, a configuration or a key is staged on a host, the binary validates the
/// configuration of each node on that host, changed or not, before anything is switched.
fn verified(world: &World, plan: &Plan) -> Held {
    let matters = |path: &str| path == tau::BINARY || path.starts_with(tau::CONFIG);
    for (host, list) in &plan.stage {
        let staged: BTreeSet<&str> = list
            .iter()
            .filter_map(|planned| planned.action.staged())
            .map(|file| file.path.as_str())
            .filter(|path| matters(path))
            .collect();
        let desired =
            plan.nodes.keys().filter(|node| world.network.hosts[host].nodes.contains_key(&node.shape));
        for node in desired.filter(|node| node.host == *host) {
            let config = tau::config_path(&node.shape);
            let own = |path: &str| path == config || path == tau::BINARY || path == tau::SWARM_KEY;
            let is_there = || world.hosts.hosts[host].paths.contains_key(&config);
            if !staged.iter().any(|path| own(path)) || !(staged.contains(config.as_str()) || is_there()) {
                continue;
            }
            let verifies = |planned: &spore_drive::plan::PlannedAction| match &planned.action {
                Action::Verify { command, staged: new, version: _ } => {
                    command.contains(&config)
                        && staged.iter().filter(|path| own(path)).all(|path| new.contains_key(*path))
                }
                _ => false,
            };
            if !list.iter().any(verifies) {
                return Err(format!("{node} is not verified with all of {staged:?}: {list:?}"));
            }
        }
    }
    Ok(())
}

/// The diff of a graph with itself is empty.
fn itself(world: &World) -> Held {
    for (name, facts) in &world.hosts.hosts {
        let mut graph = interpret(name, facts).graph;
        // Leave out services, which may be stopped, units that aren't loaded yet, and
        // unreadable resources, which are never compared.
        let odd: Vec<ResourceId> = graph
            .iter()
            .filter(|(_, resource)| {
                matches!(
                    resource,
                    Resource::Service(_) | Resource::Units { fresh: false } | Resource::Unreadable { .. }
                )
            })
            .map(|(id, _)| id.clone())
            .collect();
        let mut plain = Graph::default();
        for (id, resource) in graph.iter().filter(|(id, _)| !odd.contains(id)) {
            plain.insert(id.clone(), resource.clone());
        }
        graph = plain;
        let terms = CompareOptions {
            spellings: &Spellings::default(),
            unwanted: &BTreeMap::new(),
            purge_storage: true,
        };
        let changes = compare(&graph, &graph, terms);
        if !changes.is_empty() {
            let differs: Vec<_> = changes.iter().map(|(id, _)| id.key.to_string()).collect();
            return Err(format!("{name} differs from itself: {}", differs.join(" ")));
        }
    }
    Ok(())
}

/// After applying the plan, the next plan is empty. Returns the hosts in that state.
pub(crate) fn settles(world: &World, plan: &Plan) -> Result<World, String> {
    let mut done = world.clone();
    done.apply(plan)?;
    let again = done.plan();
    if again.is_empty() {
        return Ok(done);
    }
    Err(format!("the plan isn't empty after an apply:\n{}", crate::page::page("", &again)))
}

/// After a retirement, a plan for the folder without the host's nodes has no changes that
/// it didn't have before the retirement, and none on the host.
fn retires(world: &World, done: &World) -> Held {
    let plain = |world: &World| {
        let plan = world.retired().plan();
        plan.changes.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>()
    };
    let host = world.options.retire.as_ref().map(|retire| &retire.host);
    let (before, after) = (plain(world), plain(done));
    match after.iter().find(|id| Some(&id.host) == host || !before.contains(*id)) {
        Some(left) => Err(format!("the retirement leaves {left:?} to change")),
        None => Ok(()),
    }
}

/// If an apply is cut off after some actions, the next plan leads to the same state, and
/// doesn't start any unit a second time.
pub(crate) fn resumes(world: &World, plan: &Plan, cut: usize, done: &World) -> Held {
    let all: Vec<OrderedAction<'_>> = in_order(plan).collect();
    let after = |what: &str| {
        format!("cut off after {cut} actions, {:?}: {what}", cut.checked_sub(1).map(|last| all[last]))
    };
    let mut world = world.clone();
    for ordered in &all[..cut] {
        world.hosts.act(*ordered, world.planner.desired()).map_err(|error| after(&error.to_string()))?;
    }
    let rest = world.plan();
    order(&world, &rest).map_err(|why| after(&why))?;
    if !rest.refusals.is_empty() {
        return Err(after(&format!("the rest is refused: {:?}", rest.refusals)));
    }
    let page = || crate::page::page("", &rest);
    world.apply(&rest).map_err(|why| after(&format!("{why}\n{}", page())))?;
    let again = world.plan();
    if !again.is_empty() {
        return Err(after(&format!(
            "{}\nthe plan isn't empty after the resumed apply:\n{}",
            page(),
            crate::page::page("", &again)
        )));
    }
    let differs = difference(&world, done);
    if !differs.is_empty() {
        return Err(after(&format!("the final state differs:\n{differs}\n{}", page())));
    }
    let before: BTreeSet<_> = all[..cut].iter().filter_map(started).collect();
    let twice: Vec<_> =
        in_order(&rest).filter_map(|ordered| started(&ordered)).filter(|id| before.contains(id)).collect();
    if !twice.is_empty() {
        return Err(after(&format!("started twice: {twice:?}\n{}", page())));
    }
    Ok(())
}

fn started<'a>(ordered: &OrderedAction<'a>) -> Option<(&'a HostName, &'a str)> {
    match ordered.action {
        Action::Start { unit, .. } => Some((ordered.host, unit)),
        _ => None,
    }
}

/// How two final states differ, apart from times and counters.
fn difference(one: &World, other: &World) -> String {
    let mut text = String::new();
    for (name, facts) in &one.hosts.hosts {
        let (left, right) = (gist(facts), gist(&other.hosts.hosts[name]));
        for line in left.symmetric_difference(&right) {
            let side = if left.contains(line) { "resumed" } else { "straight" };
            let _ = writeln!(text, "{name} {side}: {line}");
        }
    }
    text
}

fn gist(facts: &Facts) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (path, fact) in &facts.paths {
        lines.insert(match fact {
            PathFact::File(file) => format!("{path}: {} {:?}", file.access, file.sha256),
            PathFact::Directory { access, through, .. } => format!("{path}: {access} {through:?}"),
            other => format!("{path}: {other:?}"),
        });
    }
    for (path, text) in &facts.texts {
        // The order of ufw's rules depends on the order of the actions.
        let words: BTreeSet<&str> = text.expose().lines().collect();
        lines.insert(format!("{path} contains {words:?}"));
    }
    for (name, unit) in &facts.units {
        let state = format!("{} {} {} {}", unit.load, unit.active, unit.sub, unit.enabled);
        let exe = unit.process.as_ref().map(|process| process.exe);
        if state != "loaded inactive dead disabled" {
            lines.insert(format!("{name}: {state} {exe:?} {:?}", unit.record));
        }
    }
    for address in facts.listening.iter().filter(|(_, port)| port.number == 53) {
        lines.insert(format!("listens: {address:?}"));
    }
    lines
}

/// Checks the order of the starts.
pub(crate) fn order(world: &World, plan: &Plan) -> Held {
    let nodes = nodes(world);
    let starts = starts(plan, &nodes);
    for (at, (wave, first)) in starts.iter().enumerate() {
        for (other_wave, later) in &starts[at..] {
            if wave == other_wave && first.bootstrap && !later.bootstrap {
                return Err(format!("wave {wave} has {} and {}", first.name, later.name));
            }
            if !first.bootstrap && later.bootstrap && wave < other_wave {
                return Err(format!("{} goes before {}, which it dials", first.name, later.name));
            }
        }
    }
    stays_up(world, plan, None)?;
    stays_up(world, plan, Some(Rank::Start))?;
    reads_before_starts(world, plan)
}

/// No wave takes down all running elders, or all running nodes of a service. This also
/// holds if every host of the waves with rank `fails` fails and `--max-failures` allows
/// that.
fn stays_up(world: &World, plan: &Plan, fails: Option<Rank>) -> Held {
    let wanted = nodes(world);
    let elders: BTreeSet<&HostName> =
        wanted.values().filter(|node| node.bootstrap).map(|node| &node.name.host).collect();
    let services: BTreeSet<&String> = wanted.values().flat_map(|node| &node.serves).collect();
    let mut world = world.clone();
    let mut failed: BTreeSet<&HostName> = BTreeSet::new();
    let mut last = None;
    for ordered in in_order(plan) {
        let rank = ordered.wave.map(|wave| plan.waves[wave - 1].rank);
        // A rotation takes all nodes down on purpose, and removed nodes come last.
        let ends = matches!(rank, Some(Rank::RotateBootstrap | Rank::Rotate | Rank::Remove));
        if let (Some(wave), false, true) = (ordered.wave, ends, last != ordered.wave) {
            let up = up(&world, plan);
            let down = |(host, unit): &(&HostName, &str)| {
                let actions = plan.waves[wave - 1].hosts.get(*host).filter(|_| !failed.contains(host));
                actions.into_iter().flatten().any(|planned| match &planned.action {
                    Action::Stop { unit: stopped, .. } => stopped == unit,
                    Action::Start { unit: started, .. } => started == unit,
                    _ => false,
                })
            };
            let not_all = |what: &str, nodes: Vec<(&HostName, &str)>| {
                // Several removed nodes on the same host may stop at once.
                let one_place = nodes.iter().all(|(host, unit)| {
                    *host == nodes[0].0 && !wanted.contains_key(&((*host).clone(), (*unit).to_owned()))
                });
                if nodes.len() > 1 && !one_place && nodes.iter().all(down) {
                    return Err(format!("wave {wave} takes down all {what} that are up: {nodes:?}"));
                }
                Ok(())
            };
            let of = |counts: &dyn Fn(&HostName, &str, &Node) -> bool| {
                let up = up.iter().filter(|((host, unit), node)| counts(host, unit, node));
                up.map(|((host, unit), _)| (host, unit.as_str())).collect()
            };
            for service in &services {
                not_all(service, of(&|_, _, node| node.serves.contains(*service)))?;
            }
            // On the host of an elder, this is the elder itself, or the node that the elder
            // replaces.
            let is_elder = |host: &HostName, unit: &str, _: &Node| {
                let wanted = wanted.get(&(host.clone(), unit.to_owned()));
                elders.contains(host) && wanted.is_none_or(|node| node.bootstrap)
            };
            not_all("elders", of(&is_elder))?;
        }
        last = ordered.wave;
        if rank.is_some() && rank == fails {
            failed.insert(ordered.host);
        }
        if !failed.contains(ordered.host) {
            world.hosts.act(ordered, world.planner.desired()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// The running nodes on hosts that could be planned.
fn up(world: &World, plan: &Plan) -> BTreeMap<(HostName, String), Node> {
    let mut up = BTreeMap::new();
    for (host, facts) in world.hosts.hosts.iter().filter(|(host, _)| !plan.unplanned.contains_key(*host)) {
        for (id, found) in interpret(host, facts).graph.iter() {
            if let (Resource::Service(service), ResourceKey::Service(unit)) = (found, &id.key)
                && let (Activity::Running(_), Some(node)) = (&service.activity, &service.node)
            {
                up.insert((host.clone(), unit.clone()), node.clone());
            }
        }
    }
    up
}

fn nodes(world: &World) -> BTreeMap<(HostName, String), Node> {
    let mut nodes = BTreeMap::new();
    for (id, goal) in world.planner.desired().goals.iter() {
        if let (spore_drive::desired::Goal::Have(Resource::Service(service)), ResourceKey::Service(unit)) =
            (goal, &id.key)
            && let Some(node) = &service.node
        {
            nodes.insert((id.host.clone(), unit.clone()), node.clone());
        }
    }
    nodes
}

/// The wave of every node that is started or restarted.
fn starts<'a>(plan: &Plan, nodes: &'a BTreeMap<(HostName, String), Node>) -> Vec<(usize, &'a Node)> {
    in_order(plan)
        .filter_map(|ordered| match ordered.action {
            Action::Start { unit, .. } => {
                Some((ordered.wave?, nodes.get(&(ordered.host.clone(), unit.clone()))?))
            }
            _ => None,
        })
        .collect()
}

/// A file is placed, with its final mode and owner, before a unit that reads it is
/// started, and in the wave of the first such unit. If that unit is stopped and the file is new,
/// it may also be the wave in which elders come up.
fn reads_before_starts(world: &World, plan: &Plan) -> Held {
    let mut started: BTreeMap<(&HostName, &str), (usize, usize, bool)> = BTreeMap::new();
    let mut placed: BTreeMap<(&HostName, &str), (usize, usize, bool)> = BTreeMap::new();
    for (i, ordered) in in_order(plan).enumerate() {
        match ordered.action {
            Action::Start { unit, before, .. } => {
                let is_stopped = *before == Running::Stopped;
                started.insert((ordered.host, unit), (i, ordered.wave.unwrap_or(0), is_stopped));
            }
            Action::Place { file, before, .. } => {
                placed.insert((ordered.host, &file.path), (i, ordered.wave.unwrap_or(0), before.is_none()));
            }
            Action::SetAccess { path, .. } => {
                placed.insert((ordered.host, path), (i, ordered.wave.unwrap_or(0), false));
            }
            _ => {}
        }
    }
    for ((host, unit), (start, wave, is_stopped)) in started {
        let id = ResourceId { host: host.clone(), key: ResourceKey::Service(unit.to_owned()) };
        for (file, edge) in world.planner.desired().goals.before(&id) {
            let Some((place, place_wave, is_new)) =
                file.key.path().and_then(|path| placed.get(&(host, path)))
            else {
                continue;
            };
            if !matches!(edge, Edge::Reads(_)) {
                continue;
            }
            if *place > start {
                return Err(format!("on {host}, {} is placed after {unit} is started", file.key));
            }
            let early = *place_wave == 0
                || match plan.waves[*place_wave - 1].rank {
                    Rank::Quiet => true,
                    Rank::StartBootstrap => *is_new && is_stopped,
                    _ => false,
                };
            let others =
                || {
                    world.desired().goals.after(file).into_iter().any(
                        |(reader, _)| matches!(&reader.key, ResourceKey::Service(other) if other != unit),
                    )
                };
            if *place_wave != wave && !early && !others() {
                return Err(format!(
                    "on {host}, {} and {unit} are in waves {place_wave} and {wave}",
                    file.key
                ));
            }
        }
    }
    Ok(())
}
