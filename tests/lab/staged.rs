//! A binary that isn't tau, or can't run on its host, is refused before anything is
//! switched.

use std::fs;
use std::path::Path;

use spore_drive::artifact::build_info;
use spore_drive::resource::Sha256;

use crate::binary;
use crate::host::{Lab, LabHost, Suite};
use crate::network::{Network, Shape};
use crate::watch::{start, starts};

/// Pins a program without `spore tau pin`, which refuses most of these programs.
fn pin_by_hand(network: &Network, program: &[u8]) {
    fs::write(network.folder().join("program"), program).unwrap_or_else(|error| panic!("{error}"));
    let architecture = spore_drive::pretend::here();
    let text = format!("{architecture}:\n  path: program\n  sha256: {}\n", Sha256::of(program));
    network.write("tau.yaml", &text);
}

/// The program with `words` replaced by `others`, which have the same length.
fn with(program: &[u8], words: &str, others: &str) -> Vec<u8> {
    assert_eq!(words.len(), others.len());
    let mut program = program.to_vec();
    let found: Vec<usize> =
        (0..=program.len() - words.len()).filter(|at| program[*at..].starts_with(words.as_bytes())).collect();
    assert!(!found.is_empty(), "{words} is not in the program");
    for at in found {
        program[at..at + others.len()].copy_from_slice(others.as_bytes());
    }
    program
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn what_cannot_run(lab: &Lab) {
    let [elder, member] =
        &lab.up([("elder", Suite::Trixie.machine()), ("member", Suite::Bookworm.machine())]);
    let hosts = [elder, member];
    let mut network = Network::new(lab, binary::any());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.elder("elders", elder);
    network.node("all", member);
    let planted = network.apply(&[]).exits(0).to_string();
    // A tau that was built without version control has no version.
    let is_versioned = planted.contains("+ /tb/bin/tau  tau v");
    assert!(is_versioned || std::env::var_os("SPORE_TEST_TAU").is_some(), "{planted}");
    let before = [start("elders", elder), start("all", member)];
    let digests = || hosts.map(|host| host.sh("sha256sum /tb/bin/tau"));
    let untouched = digests();

    // Errors that are visible in the folder are reported by every command that reads it.
    let ls = read("/bin/ls".as_ref());
    let tau = read(binary::stand_in());
    let mut foreign = tau.clone();
    foreign[18] = if foreign[18] == 62 { 183 } else { 62 };
    for (program, why) in [
        (&ls[..], "it is a program, but not tau"),
        (&tau[..tau.len() / 2], "it is truncated"),
        (&foreign, "but is a program for "),
    ] {
        pin_by_hand(&network, program);
        network.spore(&["check"]).exits(1).says(why);
        network.plan(&[]).exits(1).says(why);
        network.apply(&[]).exits(1).says(why);
    }
    fs::remove_file(network.folder().join("program")).unwrap_or_else(|error| panic!("{error}"));
    network.spore(&["check"]).exits(1).says("the file can't be read");
    network.plan(&[]).exits(1).says("the file can't be read");

    // Errors that are visible only on the host are reported while staging, even if a key
    // is missing and only the binary changes.
    member.sh("rm /tb/config/keys/dv_public.key");
    let mut impostor = read("/bin/true".as_ref());
    impostor.resize(impostor.len().next_multiple_of(16), 0);
    impostor.extend_from_slice(&build_info("v9"));
    for (program, why) in [
        (impostor, "isn't tau: it accepts an empty file as a configuration"),
        (
            with(&tau, "libgcc_s.so.1", "libgcc_x.so.1"),
            "/tb/bin/tau needs libgcc_x.so.1, which this host doesn't have",
        ),
        (with(&tau, "/lib64/ld-", "/lib63/ld-"), "/tb/bin/tau needs the loader /lib63/ld-"),
    ] {
        pin_by_hand(&network, &program);
        // The first apply has recorded the version of the binary that it verified.
        let plan = network.plan(&[]).exits(2).says("~ /tb/bin/tau  tau ");
        assert!(!is_versioned || !plan.to_string().contains("tau unknown →"), "{plan}");
        let run = network.apply(&[]).exits(1).says(why);
        for host in hosts {
            assert!(
                run.lines_with(host.name()).any(|line| line.contains("verify")),
                "{}: {run}",
                host.name()
            );
        }
        assert_eq!(digests(), untouched, "{why}");
        assert_eq!([start("elders", elder), start("all", member)], before, "{why}");
    }

    network.pin(binary::any());
    network.apply(&[]).exits(0);
    network.is_in_place(&[]);
    let left = |host: &&LabHost| host.sh("ls -d /tb/bin/.spore-* /run/spore/.verify 2>/dev/null || true");
    assert_eq!(hosts.iter().map(left).collect::<String>(), "");
    assert_eq!(starts("elders", &[elder]), before[..1], "the elder was never restarted");
}
