//! Tests of `spore graph` and `spore dns`, on folders without hosts behind them.

use crate::page::compare;
use crate::schema::Schema;
use crate::world::{Run, World, spore};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A network of three elders and `members` other hosts. The secrets are elsewhere.
pub(crate) fn folder(members: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let cloud = "domain:\n  root: example.org\n  generated: g.example.org\n  validation: {key: {private: keys/dv_private.key}}\n  \
        hosts: {console.example.org: gateway}\np2p:\n  swarm: {key: keys/swarm.key}\n  bootstrap: {elders: [h1, h2, h3]}\n";
    write("cloud.yaml", cloud);
    write("auth.yaml", "admin: {username: root}\n");
    write(
        "shapes.yaml",
        "elders:\n  ports: {main: 4242}\nedge:\n  services: [seer, gateway]\n  ports: {main: 5242}\n\
        apps:\n  services: [substrate, hoarder, tns]\n  ports: {main: 6242}\n",
    );
    let hosts = (1..=3 + members).map(|nth| {
        let shape = match nth {
            1..=3 => "elders",
            4 | 5 => "edge",
            _ => "apps",
        };
        let address = format!("203.0.{}.{}", 113 + nth / 250, nth % 250 + 1);
        format!("h{nth}:\n  addr: {address}\n  ssh: {{addr: {address}, auth: [admin]}}\n  shapes: {{{shape}: {{}}}}\n")
    });
    write("hosts.yaml", &hosts.collect::<String>());
    folder
}

/// The standard output of a command that succeeds.
fn printed(folder: &Path, words: &[&str]) -> String {
    let output = spore(words).current_dir(folder).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_network_is_drawn() {
    let small = folder(2);
    for format in ["svg", "mermaid", "dot"] {
        let drawn = printed(small.path(), &["graph", "--format", format]);
        compare(&format!("graph-small-{format}"), &drawn);
        for name in ["h1", "h5", "203.0.113.2", "elders", "edge"] {
            assert!(drawn.contains(name), "{name}: {drawn}");
        }
        // With many hosts, there is one line for each group.
        let drawn = printed(folder(97).path(), &["graph", "--format", format]);
        assert!(["h1", "h99", "h100"].iter().all(|name| drawn.contains(name)), "{drawn}");
        assert!(drawn.contains("elders") && drawn.contains("95 hosts"), "{drawn}");
    }
    assert_eq!(printed(small.path(), &["graph"]), printed(small.path(), &["-q", "graph", "--format", "svg"]));
}

/// A plan says when each node's turn comes.
#[test]
fn a_plan_is_drawn() {
    let world = World::new();
    world.spore(&["plan", "-o", "plan.json"]).exits(2);
    for format in ["svg", "mermaid", "dot"] {
        let drawn = world.spore(&["graph", "--format", format, "--plan", "plan.json"]).exits(0);
        drawn.says("wave 1").says("wave 2").says("staged");
        assert!(!world.spore(&["graph", "--format", format]).exits(0).text.contains("wave"));
    }
    // A node that only the hosts have is drawn, too.
    world.spore(crate::APPLY).exits(0);
    world.change("hosts/h4.yaml", "  store:", "  stored:");
    world.change("shapes.yaml", "store:", "stored:");
    world.spore(&["plan", "-o", "plan.json"]).exits(2).says("tau@store.service");
    world.spore(&["graph", "--plan", "plan.json"]).exits(0).says("removed, wave");
    let other = folder(2);
    fs::copy(world.folder().join("plan.json"), other.path().join("plan.json")).unwrap();
    let refused = Run::of(spore(&["graph", "--plan", "plan.json"]).current_dir(other.path())).exits(1);
    refused.says("plan.json is a plan for").says("not for example.org");
}

#[test]
fn the_records_are_printed() {
    let folder = folder(3);
    let run = Run::of(spore(&["dns"]).current_dir(folder.path())).exits(0);
    for line in [
        "seer.example.org.     A      203.0.113.5\n",
        "seer.example.org.     A      203.0.113.6\n",
        "tau.example.org.      NS     seer.example.org.\n",
        "*.g.example.org.      CNAME  substrate.tau.example.org.\n",
        "console.example.org.  CNAME  gateway.tau.example.org.\n",
        "dns: 5 records for example.org\n",
    ] {
        run.says(line);
    }
    let zone = printed(folder.path(), &["dns", "--format", "zone"]);
    assert!(zone.contains("\ntau.example.org. 300 IN NS seer.example.org.\n"), "{zone}");
    let json = printed(folder.path(), &["dns", "--format", "json"]);
    let json = Schema::of("snapshots/schemas/dns.schema.json").allows(&json);
    assert_eq!(json["records"][0]["values"], serde_json::json!(["203.0.113.5", "203.0.113.6"]));
    let octodns = printed(folder.path(), &["dns", "--format", "octodns"]);
    let octodns: serde_yaml::Value = serde_yaml::from_str(&octodns).unwrap();
    assert_eq!(octodns["*.g"]["value"], "substrate.tau.example.org.");
    assert_eq!(octodns["seer"]["values"][1], "203.0.113.6");
}

#[test]
fn what_does_not_resolve_is_said() {
    let folder = folder(2);
    let dns = |words: &[&str]| Run::of(spore(&[&["dns"], words].concat()).current_dir(folder.path()));
    dns(&[]).exits(0).says("note: no host runs `substrate`, so the names that lead to it don't resolve");
    let change = |file: &str, from: &str, to: &str| {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(path, text.replace(from, to)).unwrap();
    };
    change("hosts.yaml", "  addr: 203.0.113.5", "  addr: [10.0.0.5, 'fd00::5']");
    dns(&[])
        .exits(0)
        .says("note: 10.0.0.5 can't be reached")
        .says("note: fd00::5 can't")
        .says("AAAA   fd00::5");
    // Domains in other zones.
    change("cloud.yaml", "g.example.org", "apps.example");
    change("cloud.yaml", "console.example.org", "console.other.example");
    let refused = dns(&["--format", "octodns"]).exits(1);
    refused.says("`console.other.example` is in none of the zones").says("--zone ZONE");
    let zones = ["--zone", "example.org", "--zone", "other.example.", "--zone", "apps.example"];
    let run = dns(&[&["--format", "octodns"][..], &zones].concat()).exits(0);
    run.says("# other.example.yaml\n'console':").says("# apps.example.yaml\n'*':").says("# example.org.yaml");
    change("shapes.yaml", "seer, ", "");
    dns(&[]).exits(1).says("no host answers DNS").says("the service `seer`");
    change("cloud.yaml", "root: example.org", "root: 'a b'");
    dns(&[]).exits(1).says("`a b` isn't a name that DNS can have");
}
