//! More drift: a file with the same meaning in another style is no difference, and drift is
//! fixed without a restart unless the running process is affected.

use crate::binary;
use crate::host::{Lab, LabHost, Suite, wait_until};
use crate::network::{Network, Shape};
use crate::run::Run;
use crate::watch::{SOON, all_still, meshed, start, starts};

fn network(lab: &Lab, elder: &LabHost, members: &[&LabHost]) -> Network {
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    network.elder("elders", elder);
    members.iter().for_each(|member| network.node("all", member));
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    network
}

/// Asserts that for each of `wanted`, a line of the plan about this host contains all the
/// words.
#[track_caller]
fn names(plan: &Run, host: &LabHost, wanted: &[&[&str]]) {
    let lines = plan.of_host(host);
    for words in wanted {
        let found = lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "expected {words:?} for {}: {plan}", host.name());
    }
}

/// Style, comments and order make no difference, neither in a file nor in the configuration
/// with which a process was started.
pub(crate) fn style_is_no_difference(lab: &Lab) {
    let [elder, member] =
        &lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let network = network(lab, elder, &[member]);
    for (host, path) in [(elder, "/tb/config/elders.yaml"), (member, "/tb/config/all.yaml")] {
        let text = restyled(&host.sh(&format!("cat {path}")));
        host.sh(&format!("cat >{path} <<'EOF'\n{text}EOF\n"));
    }
    let hosts = [elder, member];
    let before = all_still(&hosts);
    network.is_in_place(&[]);
    network.apply(&[]).exits(0);
    hosts.iter().zip(before).for_each(|(host, before)| before.holds(host));

    member.sh("systemctl restart tau@all.service");
    meshed(&[member], &[elder], 4242);
    let said =
        "journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID tau@all.service) |
        grep -F 'started! with id'";
    wait_until(SOON, "it says that it has started", || member.try_sh(said).is_ok());
    let before = start("all", member);
    network.is_in_place(&[]);
    assert_eq!(start("all", member), before);
}

/// The same configuration in another style.
fn restyled(text: &str) -> String {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with([' ', '-']) => {
                // The style has four spaces per level, and indents lists, too.
                let deep = line.len() - line.trim_start().len();
                let deep = if line.trim_start().starts_with('-') { deep * 2 + 4 } else { deep * 2 };
                *block += &format!("{}{}\n", " ".repeat(deep), line.trim_start());
            }
            _ => blocks.push(format!("{line}\n")),
        }
    }
    blocks.reverse();
    assert!(blocks.len() > 5, "{text}");
    blocks.push("plugins: {}\n".to_owned());
    let text = format!("# In another order, by hand.\n\n{}", blocks.join("\n"));
    text.replace("network-fqdn: lab.test", "network-fqdn: \"lab.test\" # quoted")
}

/// Files of a running node that are missing, or have another mode, owner or content.
pub(crate) fn without_a_restart(lab: &Lab) {
    let [elder, keys, modes] = &lab.up([
        ("elder", Suite::Bookworm.machine()),
        ("keys", Suite::Trixie.machine()),
        ("modes", Suite::Bookworm.machine()),
    ]);
    let network = network(lab, elder, &[keys, modes]);
    let members = [keys, modes];
    let before = (start("elders", elder), starts("all", &members));

    elder.sh("rm /tb/config/elders.yaml /tb/config/keys/dv_public.key; systemctl disable --quiet tau@elders.service");
    keys.sh("rm /tb/config/keys/swarm.key; rmdir /tb/scripts; rm -r /tb/plugins");
    modes.sh("chmod 0644 /tb/config/keys/swarm.key; chmod 0700 /tb/bin/tau; chown tau /tb/config/all.yaml
        chmod 0666 /etc/systemd/system/tau@.service; chown -R tau:tau /tb/logs; chmod 0755 /tb/config/keys");
    let plan = network.plan(&[]).exits(2).is_silent_on("restarted").is_silent_on("destructive");
    names(
        &plan,
        elder,
        &[
            &["+ /tb/config/elders.yaml", "0600"],
            &["+ /tb/config/keys/dv_public.key", "0644"],
            &["~ tau@elders.service", "is enabled at boot"],
        ],
    );
    names(
        &plan,
        keys,
        &[&["+ /tb/config/keys/swarm.key", "secret"], &["+ /tb/plugins/ /tb/scripts/", "0750"]],
    );
    names(
        &plan,
        modes,
        &[
            &["~ /tb/config/keys/swarm.key", "mode 0644 → 0600"],
            &["~ /tb/bin/tau", "mode 0700 → 0755"],
            &["~ /tb/config/all.yaml", "owner tau:root → root:root"],
            &["~ /etc/systemd/system/tau@.service", "mode 0666 → 0644"],
            &["~ /tb/logs/", "owner tau:tau → root:root"],
            &["~ /tb/config/keys/", "mode 0755 → 0750"],
        ],
    );
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);

    // The swarm key was replaced, but the running nodes were started with the right key.
    keys.sh(
        "tr 0-9a-f 1-9a-f0 </tb/config/keys/swarm.key | sed 's|^.*/|/key/swarm/psk/1.0.0//base16/|' >/tmp/k
        cat /tmp/k >/tb/config/keys/swarm.key; rm /tmp/k",
    );
    let plan = network.plan(&[]).exits(2).is_silent_on("restarted").says("destructive");
    names(&plan, keys, &[&["~ /tb/config/keys/swarm.key", "secret, replaced"]]);
    network.apply(&[]).exits(1).says("--allow-destructive");
    network.apply(&["--allow-destructive"]).exits(0);
    network.is_in_place(&[]);
    assert_eq!((start("elders", elder), starts("all", &members)), before, "no restart was due");
    meshed(&members, &[elder], 4242);
}

/// Drift that was in the files when a process was started, or because of which it exited.
pub(crate) fn with_a_restart(lab: &Lab) {
    let [elder, edited, broken, replaced] = &lab.up([
        ("elder", Suite::Trixie.machine()),
        ("edited", Suite::Bookworm.machine()),
        ("broken", Suite::Bookworm.machine()),
        ("replaced", Suite::Trixie.machine()),
    ]);
    let mut network = network(lab, elder, &[edited, broken, replaced]);
    let before = (start("elders", elder), start("all", edited));

    edited.sh("sed -i 's/long: 25.1/long: 99.5/' /tb/config/all.yaml; grep -q 99.5 /tb/config/all.yaml
        systemctl restart tau@all.service");
    broken.sh("sed -i 's/^- hoarder/- horder/; s/- tns/- tsn/' /tb/config/all.yaml; systemctl restart tau@all.service");
    replaced.sh("cp /tb/bin/tau /tb/bin/new; echo trailer >>/tb/bin/new; mv /tb/bin/new /tb/bin/tau
        systemctl restart tau@all.service");
    // Until the node has exited once, it counts as starting.
    let restarts = "systemctl show -P NRestarts tau@all.service";
    wait_until(SOON, "the node with unknown services dies", || broken.sh(restarts).trim() != "0");
    let plan = network.plan(&[]).exits(2).last_says("3 to restart");
    assert!(plan.of_host(elder).is_empty(), "{plan}");
    names(&plan, edited, &[&["running with outdated all.yaml", "location.long"]]);
    names(&plan, broken, &[&["~ /tb/config/all.yaml"], &["is restarted"]]);
    let dies = |line: &&str| line.contains("it exited with status") || line.contains("systemd restarted it");
    assert!(plan.of_host(broken).iter().any(dies), "{plan}");
    names(&plan, replaced, &[&["~ /tb/bin/tau", "sha256"], &["running with outdated tau"]]);
    network.apply(&[]).exits(0);
    network.is_in_place(&["--rehash"]);
    assert!(start("elders", elder) == before.0 && start("all", edited) != before.1);
    let members = [edited, broken, replaced];
    meshed(&members, &[elder], 4242);

    // A unit that an administrator masked is left alone, and doesn't block the others.
    broken.sh("systemctl mask --quiet --now tau@all.service");
    let plan = network.plan(&[]).exits(3).last_says("could not be planned");
    plan.says_in_one_line(&[broken.name(), "not planned", "tau@all.service is masked", "systemctl unmask"]);
    broken.sh("systemctl unmask --quiet tau@all.service");

    // Removing a host doesn't affect the others' nodes; a node stopped by hand is started. The
    // host's own node runs until it is pruned.
    edited.sh("systemctl stop tau@all.service");
    network.remove_host(replaced);
    let before = start("elders", elder);
    network.apply(&[]).exits(1).says("1 host deleted from the folder, but not retired");
    replaced.sh("systemctl is-active --quiet tau@all.service");
    network.apply(&["--prune", "--allow-destructive"]).exits(0);
    replaced.sh("! systemctl is-active --quiet tau@all.service; [ ! -e /tb/config/keys/swarm.key ]");
    network.is_in_place(&[]);
    assert_eq!(start("elders", elder), before);
    meshed(&[edited, broken], &[elder], 4242);
}
