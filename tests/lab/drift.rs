//! Drift: a plan names the changes that were made by hand on a host. An apply fixes them
//! and restarts only nodes that have to be restarted.

use crate::binary;
use crate::host::{Lab, Suite};
use crate::network::{Network, Shape};
use crate::watch::{all_still, meshed, start, starts};

pub(crate) fn drift(lab: &Lab) {
    let hosts = lab.up([
        ("h1", Suite::Bookworm.machine()),
        ("h2", Suite::Trixie.machine()),
        ("h3", Suite::Bookworm.machine()),
    ]);
    let [elder, edited, stopped] = &hosts;
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns", "hoarder"]));
    network.elder("elders", elder);
    network.node("all", edited);
    network.node("all", stopped);
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    let untouched = all_still(&[elder, edited, stopped]);
    let (elder_before, edited_before) = (start("elders", elder), start("all", edited));

    elder.sh("rm /etc/systemd/system/tau@.service; chmod 0777 /tb/config");
    edited.sh("sed -i 's/5242/5999/' /tb/config/all.yaml
        rm /tb/config/keys/swarm.key
        cp /tb/bin/tau /tb/bin/new; echo trailer >>/tb/bin/new; mv /tb/bin/new /tb/bin/tau
        echo nobody:nobody >/tb/config/keys/dv_private.key");
    stopped.sh(
        "systemctl stop tau@all.service; systemctl disable tau@all.service; chmod 0644 /tb/config/all.yaml
        chown tau:tau /tb/config/keys/dv_public.key",
    );

    let plan = network.plan(&[]).exits(2).last_says("1 to start");
    let of = |host, what: &[&str]| {
        let lines = plan.of_host(host);
        let found = lines.iter().any(|line| what.iter().all(|what| line.contains(what)));
        assert!(found, "expected {what:?} for {}: {plan}", host.name());
    };
    of(elder, &["+ /etc/systemd/system/tau@.service"]);
    of(elder, &["~ /tb/config/ ", "mode 0777 → 0750"]);
    of(edited, &["~ /tb/config/all.yaml"]);
    of(edited, &["5999"]);
    of(edited, &["+ /tb/config/keys/swarm.key", "secret"]);
    of(edited, &["~ /tb/bin/tau", "sha256"]);
    of(edited, &["- /tb/config/keys/dv_private.key"]);
    of(stopped, &["~ /tb/config/all.yaml", "mode 0644 → 0600"]);
    of(stopped, &["~ /tb/config/keys/dv_public.key", "owner tau:tau → root:root"]);
    of(stopped, &["+ tau@all.service", "is started", "is enabled"]);
    assert!(
        !plan.of_host(edited).iter().any(|line| line.contains("restarted")),
        "the process still runs with the original files: {plan}"
    );

    let before = all_still(&[elder, edited, stopped]);
    network.plan(&[]).exits(2);
    [elder, edited, stopped].iter().zip(before).for_each(|(host, before)| before.holds(host));

    network.apply(&[]).exits(0);
    network.is_in_place(&["--rehash"]);
    assert_eq!(
        (start("elders", elder), start("all", edited)),
        (elder_before, edited_before),
        "no restart is due"
    );
    meshed(&[edited, stopped], &[elder], 4242);
    drop(untouched);
    stopped.sh("systemctl is-enabled tau@all.service");
    for (path, mode) in [("/tb/config/all.yaml", 0o600), ("/tb/config/keys/dv_public.key", 0o644)] {
        assert_eq!(stopped.stat(path).map(|stat| (stat.mode, stat.owner)), Some((mode, "root".to_owned())));
    }
    assert!(edited.stat("/tb/config/keys/dv_private.key").is_none());

    // If a node was restarted after the edit, it runs with the edited configuration.
    edited.sh("sed -i 's/^    long:.*/    long: 99.5/; s/long: 25.1/long: 99.5/' /tb/config/all.yaml
        grep -q 99.5 /tb/config/all.yaml; systemctl restart tau@all.service");
    let before = starts("all", &[edited, stopped]);
    let plan = network.plan(&[]).exits(2).last_says("1 to restart");
    plan.says_in_one_line(&["running with outdated all.yaml", "location.long"]);
    network.apply(&[]).exits(0);
    let now = starts("all", &[edited, stopped]);
    assert!(before[0] != now[0] && before[1] == now[1], "{before:?} {now:?}");
    network.is_in_place(&[]);
}
