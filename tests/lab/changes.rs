//! Changes to a running network. The tests check which nodes are restarted and in which
//! order, and that all nodes are connected afterwards.

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::{Start, all_still, each, healthy_at, meshed, start, starts};

struct Seven<'a> {
    network: Network,
    elders: Vec<&'a LabHost>,
    members: Vec<&'a LabHost>,
    port: u16,
}

pub(crate) fn updates(lab: &Lab) {
    let mut hosts = lab.up_many(6, &Suite::Bookworm.machine());
    let spare = [("n1", Suite::Trixie), ("n2", Suite::Bookworm), ("n3", Suite::Trixie)];
    let spare = spare.map(|(name, suite)| lab.start(name, &suite.machine()));
    spare.iter().for_each(LabHost::wait);
    hosts.extend(spare);
    let (elders, rest) = hosts.split_at(3);
    let (members, spare) = rest.split_at(3);
    let mut network = Network::new(lab, binary::any());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    elders.iter().for_each(|host| network.elder("elders", host));
    members.iter().for_each(|host| network.node("all", host));
    network.apply(&[]).exits(0);
    let mut seven =
        Seven { network, elders: elders.iter().collect(), members: members.iter().collect(), port: 4242 };
    seven.are_connected();

    seven.members_change_port();
    seven.elders_change_port();
    seven.elders_are_replaced(spare);
    seven.run_another_binary();
    seven.get_another_swarm_key();
}

impl<'a> Seven<'a> {
    fn hosts(&self) -> Vec<&'a LabHost> {
        [self.elders.as_slice(), self.members.as_slice()].concat()
    }

    fn are_connected(&self) {
        meshed(&self.hosts(), &self.elders, self.port);
    }

    /// The first member is restarted alone, then the others. No elder is restarted.
    fn members_change_port(&mut self) {
        let elders = all_still(&self.elders);
        let before = starts("all", &self.members);
        self.network.shape("all", Shape::new(5342).services(&["tns", "hoarder"]));
        let plan = self.network.plan(&["--batch", "2"]).exits(2).last_says("3 to restart; ");
        let plan = plan.says_in_one_line(&["running with outdated", "p2p-listen, ports.lite, ports.main"]);
        plan.says_in_one_line(&["the first of each shape", "all@"]);
        self.network.apply(&["--batch", "2"]).exits(0);
        self.elders.iter().zip(elders).for_each(|(host, before)| before.holds(host));
        let now = starts("all", &self.members);
        all_differ(&before, &now);
        let canary = healthy_at("all", self.members[0]);
        assert!(
            now[1..].iter().all(|start| canary < start.at),
            "the canary, healthy at {canary}, first: {now:?}"
        );
        let listening = each(&self.members, |host| host.sh("ss -Htln 'sport = :5342' | wc -l"));
        assert!(listening.iter().all(|lines| lines != "0\n"), "{listening:?}");
        self.are_connected();
        self.network.is_in_place(&[]);
    }

    /// The elders are restarted one at a time, then the members.
    fn elders_change_port(&mut self) {
        let before = self.all_starts();
        self.port = 4342;
        self.network.shape("elders", Shape::new(self.port));
        self.network.plan(&[]).exits(2).last_says("6 to restart; ");
        self.network.apply(&[]).exits(0);
        all_differ(&before, &self.all_starts());
        self.elders_then_members();
        self.are_connected();
        self.network.is_in_place(&[]);
    }

    /// The elders are replaced one by one, each by a separate apply. The members are
    /// restarted once fewer than half of the elders that they were started with are still
    /// valid.
    fn elders_are_replaced(&mut self, spare: &'a [LabHost]) {
        for (i, new) in spare.iter().enumerate() {
            let members = starts("all", &self.members);
            let old = self.elders.remove(0);
            self.network.remove_node("elders", old);
            self.network.elder("elders", new);
            self.network.apply(&["--allow-destructive"]).exits(0);
            self.elders.push(new);
            let now = starts("all", &self.members);
            match i {
                1 => all_differ(&members, &now),
                _ => assert_eq!(members, now, "after replacement {i}, two of three elders are unchanged"),
            }
            old.sh("! systemctl is-active --quiet tau@elders.service");
            self.network.is_in_place(&[]);
        }
        // Members learn of a new elder only at their next start, which isn't due yet.
        meshed(&self.elders, &self.elders, self.port);
        meshed(&self.members, &self.elders[..2], self.port);
    }

    fn run_another_binary(&mut self) {
        let before = self.all_starts();
        let other = binary::another(binary::any(), "another", self.network.home());
        self.network.pin(&other);
        self.network.plan(&[]).exits(2).last_says("6 to restart; ");
        self.network.apply(&[]).exits(0);
        all_differ(&before, &self.all_starts());
        self.elders_then_members();
        let canary = healthy_at("all", self.members[0]);
        for host in &self.members[1..] {
            assert!(canary < start("all", host).at, "the canary first");
        }
        for host in self.hosts() {
            host.sh("[ \"$(tail -c 7 /tb/bin/tau)\" = another ]; [ /proc/$(pidof tau)/exe -ef /tb/bin/tau ]");
        }
        self.are_connected();
        self.network.is_in_place(&["--rehash"]);
    }

    /// All elders are restarted at once, and then all members, because nodes with the old
    /// key and nodes with the new key can't talk to each other.
    fn get_another_swarm_key(&mut self) {
        let before = self.all_starts();
        self.network.rotate_swarm_key();
        let untouched = all_still(&self.hosts());
        let refused = |run: Run| {
            run.exits(1).says("refused: the swarm key can't be replaced with --target");
        };
        refused(self.network.apply(&["--allow-destructive", "--target", "all@"]));
        self.network.apply(&[]).exits(1).says("--allow-destructive");
        self.hosts().iter().zip(untouched).for_each(|(host, before)| before.holds(host));

        let plan = self.network.plan(&[]).exits(2).says("destructive").last_says("6 to restart; ");
        plan.says("note: the network is split until the last node has the new key");
        self.network.apply(&["--allow-destructive"]).exits(0);
        let now = self.all_starts();
        all_differ(&before, &now);
        let (elders, members) = now.split_at(3);
        assert!(elders.iter().all(|elder| members.iter().all(|member| elder.at < member.at)), "{now:?}");
        self.are_connected();
        self.network.is_in_place(&[]);
    }

    fn all_starts(&self) -> Vec<Start> {
        [starts("elders", &self.elders), starts("all", &self.members)].concat()
    }

    /// Asserts that each elder was healthy before the next was restarted, and all elders
    /// before the first member.
    fn elders_then_members(&self) {
        let mut elders: Vec<(u64, u64)> =
            each(&self.elders, |host| (start("elders", host).at, healthy_at("elders", host)));
        elders.sort_unstable();
        for pair in elders.windows(2) {
            assert!(pair[0].1 < pair[1].0, "one at a time: {elders:?}");
        }
        let members = starts("all", &self.members);
        let last = elders[elders.len() - 1].1;
        assert!(members.iter().all(|member| last < member.at), "elders first: {elders:?} {members:?}");
    }
}

#[track_caller]
fn all_differ(before: &[Start], now: &[Start]) {
    let same: Vec<_> = before.iter().zip(now).filter(|(before, now)| before == now).collect();
    assert!(same.is_empty(), "not restarted: {same:?}");
}
