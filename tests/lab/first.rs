//! A first apply to several hosts, in which each node is started once and in order. Then
//! nodes and hosts are added, removed and retired. Each step asserts that nothing else
//! changes.

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::network::{Network, Shape};
use crate::watch::{all_still, each, healthy_at, meshed, start, starts};

const ELDERS: u16 = 4242;

struct Nine<'a> {
    network: Network,
    elders: Vec<&'a LabHost>,
    /// The hosts and their shapes.
    members: Vec<(&'static str, &'a LabHost)>,
}

pub(crate) fn nine(lab: &Lab) {
    let start = |i: usize| {
        let suite = if i.is_multiple_of(2) { Suite::Trixie } else { Suite::Bookworm };
        lab.start(&format!("h{i:02}"), &suite.machine())
    };
    let hosts: Vec<LabHost> = (1..=11).map(start).collect();
    hosts.iter().for_each(LabHost::wait);
    let (hosts, spare) = hosts.split_at(9);
    let (elders, members) = hosts.split_at(3);
    let mut network = Network::new(lab, binary::any());
    network.shape("elders", Shape::new(ELDERS));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    network.shape("store", Shape::new(6242).services(&["hoarder"]));
    elders.iter().for_each(|host| network.elder("elders", host));
    let (most, rest) = members.split_at(4);
    let members: Vec<_> =
        most.iter().map(|host| ("all", host)).chain(rest.iter().map(|host| ("store", host))).collect();
    members.iter().for_each(|(shape, host)| network.node(shape, host));
    let (leaving_node, leaving_host) = (members[5].1, members[3].1);
    let mut nine = Nine { network, elders: elders.iter().collect(), members };

    nine.come_up();
    nine.stay_as_they_are();
    nine.gain_a_member(&spare[0]);
    nine.gain_an_elder(&spare[1]);
    nine.lose_a_node(leaving_node);
    nine.lose_a_host(leaving_host);
    nine.lose_an_elder(&spare[1]);
}

impl<'a> Nine<'a> {
    fn hosts(&self) -> Vec<&'a LabHost> {
        self.elders.iter().chain(self.members.iter().map(|(_, host)| host)).copied().collect()
    }

    fn come_up(&self) {
        let plan = self.network.plan(&[]).exits(2);
        assert!(self.hosts().iter().all(|host| host.stat("/tb").is_none()), "a plan changes nothing");
        assert!(!plan.of_host(self.members[0].1).is_empty(), "{plan}");
        self.network.apply(&[]).exits(0).says("apply: ");

        let last_elder = each(&self.elders, |host| healthy_at("elders", host)).into_iter().max();
        let first_other = self.members.iter().map(|(shape, host)| start(shape, host).at).min();
        assert!(
            last_elder < first_other,
            "elders are healthy at {last_elder:?}, others begin at {first_other:?}"
        );
        meshed(&self.hosts(), &self.elders, ELDERS);
        for host in self.hosts() {
            for (path, mode) in [
                ("/tb/bin/tau", 0o755),
                ("/tb/config", 0o750),
                ("/tb/config/keys/swarm.key", 0o600),
                ("/tb/config/keys/dv_public.key", 0o644),
                ("/etc/systemd/system/tau@.service", 0o644),
            ] {
                let found = host.stat(path).map(|stat| (stat.mode, stat.owner));
                assert_eq!(found, Some((mode, "root".to_owned())), "{path} on {}", host.name());
            }
            let odd = host.sh(
                "ls /tb/config/keys/dv_private.key /tb/bin/.spore-* /tb/config/.spore-* 2>/dev/null || true
                stat -c '%a %n' /tb/config/*.yaml | grep -v ^600 || true",
            );
            assert_eq!(odd, "", "on {}", host.name());
        }
        for (shape, host) in &self.members {
            host.sh(&format!("systemctl is-enabled tau@{shape}.service"));
        }
    }

    /// A second apply changes nothing.
    fn stay_as_they_are(&self) {
        let before = all_still(&self.hosts());
        self.network.apply(&[]).exits(0).last_says("nothing to do");
        self.network.is_in_place(&[]);
        self.network.is_in_place(&["--rehash"]);
        self.hosts().iter().zip(before).for_each(|(host, before)| before.holds(host));
    }

    fn gain_a_member(&mut self, new: &'a LabHost) {
        let before = all_still(&self.hosts());
        self.network.node("all", new);
        self.network.plan(&[]).exits(2).last_says("1 to start; ");
        self.network.apply(&[]).exits(0);
        meshed(&[new], &self.elders, ELDERS);
        self.hosts().iter().zip(before).for_each(|(host, before)| before.holds(host));
        self.network.is_in_place(&[]);
    }

    /// The new elder is added to every configuration, and no node is restarted.
    fn gain_an_elder(&mut self, new: &'a LabHost) {
        let before = self.all_starts();
        self.network.elder("elders", new);
        let plan = self.network.plan(&[]).exits(2).last_says("1 to start; ");
        let told = plan.lines_with("takes effect at the next start").count();
        assert_eq!(told, 10, "nine hosts and the new member: {plan}");
        self.network.apply(&[]).exits(0);
        meshed(&[new], &self.elders, ELDERS);
        assert_eq!(self.all_starts(), before, "no other node is restarted");
        let address = new.addr();
        for host in self.hosts() {
            host.sh(&format!("grep -q '/ip4/{address}/tcp/{ELDERS}/p2p/' /tb/config/*.yaml"));
        }
        self.network.is_in_place(&[]);
    }

    fn lose_a_node(&mut self, host: &LabHost) {
        let others: Vec<&LabHost> =
            self.hosts().into_iter().filter(|other| other.name() != host.name()).collect();
        let before = all_still(&others);
        let there = all_still(&[host]);
        assert!(host.stat("/tb/storage/store").is_some());
        self.network.remove_node("store", host);
        let plan = self.network.plan(&[]).exits(2).says("destructive");
        let plan = plan.says_in_one_line(&["store@", "is removed from the network"]);
        plan.says_in_one_line(&["note: the storage of store@", "is kept"]);
        self.network.apply(&[]).exits(1).says("--allow-destructive");
        there[0].holds(host);

        self.network.apply(&["--allow-destructive"]).exits(0);
        self.is_gone("store", host);
        assert!(host.stat("/tb/storage/store").is_some(), "its storage is kept");
        self.network.is_in_place(&[]);
        self.network.plan(&["--purge-storage"]).exits(2).says("destructive");
        self.network.apply(&["--purge-storage", "--allow-destructive"]).exits(0);
        let left = host.sh("ls /tb/storage");
        assert_eq!(left, "", "nothing is left of the node");
        self.network.is_in_place(&["--purge-storage"]);
        others.iter().zip(before).for_each(|(host, before)| before.holds(host));
        self.members.retain(|(_, other)| other.name() != host.name());
    }

    fn lose_a_host(&mut self, host: &LabHost) {
        self.members.retain(|(_, other)| other.name() != host.name());
        let before = all_still(&self.hosts());
        self.network.spore(&["retire", host.name(), "--yes", "--allow-destructive"]).exits(0);
        self.is_gone("all", host);
        self.hosts().iter().zip(before).for_each(|(host, before)| before.holds(host));
        self.network.remove_host(host);
        self.network.is_in_place(&[]);
    }

    /// The elder is removed from every configuration before it stops; no node is restarted.
    fn lose_an_elder(&mut self, host: &LabHost) {
        let before = self.all_starts();
        self.network.spore(&["retire", host.name(), "--yes", "--allow-destructive"]).exits(0);
        self.is_gone("elders", host);
        assert_eq!(self.all_starts(), before, "no node is restarted");
        let address = host.addr();
        for host in self.hosts() {
            host.sh(&format!("! grep -q '/ip4/{address}/' /tb/config/*.yaml"));
        }
        self.network.remove_host(host);
        self.network.is_in_place(&[]);
    }

    fn all_starts(&self) -> Vec<crate::watch::Start> {
        let mut all = starts("elders", &self.elders);
        all.extend(self.members.iter().map(|(shape, host)| start(shape, host)));
        all
    }

    fn is_gone(&self, shape: &str, host: &LabHost) {
        let unit = format!("tau@{shape}.service");
        let state = host.sh(&format!(
            "systemctl is-active {unit} || true
            ls /etc/systemd/system/*.wants/tau@* /etc/systemd/system/tau@* /tb/config/*.yaml 2>/dev/null || true"
        ));
        assert_eq!(state, "inactive\n", "{unit} on {}", host.name());
        assert!(host.stat("/tb/config/keys/swarm.key").is_none(), "an unused key is left");
    }
}
