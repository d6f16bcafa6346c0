//! A plan that one process saves and another applies, after a change to the folder, a secret, the
//! program, a host, or nothing.

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::keys::validation_pair;
use crate::network::{Network, Shape};
use crate::watch::{all_still, start};
use std::fs;

pub(crate) fn in_two_processes(lab: &Lab) {
    let hosts = lab.up([("elder", Suite::Bookworm.machine()), ("member", Suite::Trixie.machine())]);
    let [elder, member] = &hosts;
    let mut network = Network::new(lab, binary::any());
    let shape = |main| Shape::new(main).services(&["tns"]);
    network.shape("elders", Shape::new(4242));
    network.shape("all", shape(5242));
    network.elder("elders", elder);
    network.node("all", member);
    network.apply(&[]).exits(0);
    network.shape("all", shape(5342));
    let plan = network.home().join("plan.json").display().to_string();
    network.plan(&["-o", &plan]).exits(2);
    let before = all_still(&[elder, member]);

    // Nothing is touched on any host if the plan was made from something else.
    let refused = |network: &Network, options: &[&str], why: &str| {
        let run = network.spore(&[&["apply", &plan, "--yes"], options].concat()).exits(1);
        // Long lines of errors are broken anywhere.
        let plain = |text: &str| text.replace([' ', '\n', '|', '│'], "");
        assert!(plain(&run.to_string()).contains(&plain(why)), "{why}: {run}");
        assert_eq!(run.last_line(), "apply: failed; nothing was changed");
        [elder, member].iter().zip(&before).for_each(|(host, before)| before.holds(host));
    };
    network.shape("all", shape(5442));
    refused(&network, &[], "the folder has changed since: shapes.yaml (changed)");
    network.shape("all", shape(5342));
    let keys = ["keys/dv_private.key", "keys/dv_public.key"];
    let own = keys.map(|key| fs::read_to_string(network.folder().join(key)).unwrap_or_default());
    let (private, public) = validation_pair();
    keys.iter().zip([private, public]).for_each(|(key, text)| network.write(key, &text));
    refused(&network, &[], "secrets have changed since: keys/dv_private.key (changed)");
    keys.iter().zip(own).for_each(|(key, text)| network.write(key, &text));
    let another = binary::another(binary::any(), "another", network.home()).display().to_string();
    refused(&network, &["--tau", &another], "programs have changed since: tau for");
    network.spore(&["verify"]).exits(0);

    // Someone has changed a host: the apply stops there.
    member.sh("cp -p /tb/config/all.yaml /root/all.yaml; echo 'unknown: true' >>/tb/config/all.yaml");
    let edited = state(member);
    let run = network.spore(&["apply", &plan, "--yes"]).exits(1);
    run.says_in_one_line(&["/tb/config/all.yaml", "changed on the host since the plan"]);
    assert_eq!(state(member), edited);
    before[0].holds(elder);
    // Whether the host or spore has changed it isn't known now.
    network.spore(&["verify"]).exits(3).says("an apply has begun since that of");
    member.sh("mv /root/all.yaml /tb/config/all.yaml");

    // Nothing has changed: exactly this is applied, once.
    let running = start("all", member);
    let run = network.spore(&["apply", &plan, "--yes"]).exits(0);
    run.says("1 restarted; 0 failed; 0 skipped");
    before[0].holds(elder);
    assert_ne!(start("all", member), running);
    member.sh("grep -q 5342 /tb/config/all.yaml");
    network.is_in_place(&["--rehash"]);
    network.spore(&["verify"]).exits(0);
    let after = all_still(&[elder, member]);
    network.spore(&["apply", &plan, "--yes"]).exits(0).says("apply: already applied; nothing to do");
    [elder, member].iter().zip(after).for_each(|(host, after)| after.holds(host));
}

/// The configuration's inode, times and content, and the node's process.
fn state(host: &LabHost) -> String {
    host.sh("stat -c '%i %.9Y %.9Z %a %U:%G' /tb/config/all.yaml; sha256sum /tb/config/all.yaml
        systemctl show -p MainPID,InvocationID tau@all.service")
}
