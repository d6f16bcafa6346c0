//! Retiring hosts: which changes are made on the other hosts, and which aren't.

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::{all_still, starts};

const YES: [&str; 2] = ["--yes", "--allow-destructive"];

struct World<'a> {
    network: Network,
    elders: Vec<&'a LabHost>,
    members: Vec<&'a LabHost>,
}

pub(crate) fn nothing_else(lab: &Lab) {
    let hosts = lab.up_many(5, &Suite::Bookworm.machine());
    let (elders, members) = hosts.split_at(3);
    let mut network = Network::new(lab, binary::any());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns"]));
    elders.iter().for_each(|host| network.elder("elders", host));
    members.iter().for_each(|host| network.node("all", host));
    network.apply(&[]).exits(0);
    let mut world = World { network, elders: elders.iter().collect(), members: members.iter().collect() };
    world.a_member_while_others_differ();
    world.an_elder_while_others_differ();
    world.an_elder_whose_peers_have_other_changes();
    world.a_dead_elder();
    world.no_host_can_be_planned();
}

impl World<'_> {
    fn hosts(&self) -> Vec<&LabHost> {
        [self.elders.as_slice(), self.members.as_slice()].concat()
    }

    fn retire(&self, host: &LabHost, options: &[&str]) -> Run {
        self.network.spore(&[&["retire", host.name()], &YES[..], options].concat())
    }

    /// No other node dials the member, so no other host is contacted.
    fn a_member_while_others_differ(&mut self) {
        self.hosts()[0].sh("chmod 644 /tb/config/keys/swarm.key");
        self.network.pin(&binary::another(binary::any(), "another", self.network.home()));
        let Some(host) = self.members.pop() else { panic!("there are members") };
        let before = all_still(&self.hosts());
        let run = self.retire(host, &[]).exits(0).says(", 1 host").says("retire: ");
        let run = run.says_in_one_line(&["retire: ", host.name(), "is retired; now delete"]);
        self.hosts().iter().for_each(|other| assert!(!run.printed(&format!("{} ", other.name())), "{run}"));
        self.hosts().iter().zip(before).for_each(|(host, before)| before.holds(host));
        assert_eq!(host.sh("systemctl is-active tau@all || :"), "inactive\n");
        self.network.remove_host(host);
    }

    /// The elder is removed from the others' configurations. Nothing else on them is
    /// changed, neither the wrong mode nor the old tau.
    fn an_elder_while_others_differ(&mut self) {
        let elder = self.elders.pop().unwrap_or_else(|| panic!("there are elders"));
        let binaries = |world: &Self| -> Vec<String> {
            world.hosts().iter().map(|host| host.sh("stat -c '%i %Z' /tb/bin/tau")).collect()
        };
        let (before, processes) = (binaries(self), self.starts());
        let run = self.retire(elder, &[]).exits(0).says("other differences are left as they are");
        run.says_in_one_line(&["retire: ", elder.name(), "is retired; now delete"]);
        assert_eq!(binaries(self), before);
        assert_eq!(self.starts(), processes);
        assert_eq!(self.hosts()[0].sh("stat -c %a /tb/config/keys/swarm.key"), "644\n");
        self.name_it_no_more(elder);
        assert!(elder.stat("/tb/config/keys/swarm.key").is_none());

        // The remaining differences are those that existed before.
        self.network.remove_host(elder);
        let plan = self.network.plan(&[]).exits(2).last_says("4 to change, 3 to restart; ");
        plan.is_silent_on("peers");
        self.network.apply(&[]).exits(0);
        self.network.is_in_place(&[]);
    }

    /// The other changes are in the same files and would be made as well, so the retirement
    /// is refused before anything is done.
    fn an_elder_whose_peers_have_other_changes(&mut self) {
        let elder = self.elders[1];
        self.network.shape("all", Shape::new(5342).services(&["tns"]));
        let before = all_still(&self.hosts());
        let run = self.retire(elder, &[]).exits(1).says("the plan can't be applied as it is");
        let path = "refused: /tb/config/all.yaml on ";
        let run =
            run.says_in_one_line(&[path, "has other changes pending", "ports.main", "`spore apply` first"]);
        run.says_in_one_line(&["retire: ", elder.name(), "was not retired; nothing was changed"]);
        self.hosts().iter().zip(before).for_each(|(host, before)| before.holds(host));
        self.network.shape("all", Shape::new(5242).services(&["tns"]));
    }

    fn a_dead_elder(&mut self) {
        let Some(elder) = self.elders.pop() else { panic!("there are elders") };
        elder.power_cut();
        let before = all_still(&self.hosts());
        let run = self.retire(elder, &[]).exits(1).says_in_one_line(&[elder.name(), "not planned"]);
        let run = run.last_says("1 of 3 hosts could not be planned");
        let gone = format!("`spore retire {} --gone`", elder.name());
        let run = run.says_in_one_line(&["refused: ", "can't be retired", &gone]);
        run.says_in_one_line(&["retire: ", elder.name(), "was not retired; nothing was changed"]);
        self.hosts().iter().zip(before).for_each(|(host, before)| before.holds(host));

        let processes = self.starts();
        let run = self.retire(elder, &["--gone"]).exits(0).says(", 2 hosts");
        let run = run.says_in_one_line(&["note: ", elder.name(), "isn't contacted", "rejoins the network"]);
        let run =
            run.says_in_one_line(&["retire: the other hosts' configurations no longer name", elder.name()]);
        run.is_silent_on("not planned");
        assert_eq!(self.starts(), processes, "one of two elders is left, which is enough");
        self.name_it_no_more(elder);
        self.network.remove_host(elder);
        self.network.is_in_place(&[]);
    }

    /// The last line, which a pipeline may read, reports the result.
    fn no_host_can_be_planned(&self) {
        self.hosts().iter().for_each(|host| drop(host.sh("systemctl stop ssh.socket ssh.service")));
        self.network.plan(&[]).exits(3).last_says("plan: 2 of 2 hosts could not be planned");
        self.network
            .apply(&[])
            .exits(1)
            .says("apply: 2 of 2 hosts could not be planned; nothing was changed");
    }

    fn starts(&self) -> Vec<crate::watch::Start> {
        [starts("elders", &self.elders), starts("all", &self.members)].concat()
    }

    fn name_it_no_more(&self, host: &LabHost) {
        let address = host.addr();
        for host in self.hosts() {
            host.sh(&format!("! grep -q '/ip4/{address}/' /tb/config/*.yaml"));
        }
    }
}
