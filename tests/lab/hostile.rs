//! A hostile host with a real sshd: it answers every request with one of the cases in
//! `fixtures/answers/hostile`.

use crate::binary;
use crate::host::{Lab, Suite};
use crate::hostile_cases::{base, cases, fingerprint, is_harmless};
use crate::network::{Network, Shape};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::time::{Duration, Instant};

/// The program that sshd runs instead of the requested command. The last word of that
/// command is the session's marker.
const LIAR: &str = r#"#!/bin/sh
m=${SSH_ORIGINAL_COMMAND##* }
exec 8<&0
cat <&8 >/dev/null &
printf '\n%s ready\n' "$m"
sed "s/@marker@/$m/g" /srv/answer
printf '\n%s end 0\n' "$m"
wait
"#;

/// The maximum time for a plan, on a busy machine. It is less than the time-out of a probe,
/// which is a minute.
const SOON: Duration = Duration::from_secs(40);

pub(crate) fn a_host_that_lies(lab: &Lab) {
    let [honest, hostile] =
        &lab.up([("honest", Suite::Bookworm.machine()), ("hostile", Suite::Trixie.machine())]);
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.elder("elders", honest);
    network.node("elders", hostile);
    hostile.sh(&format!(
        "cat >/usr/local/bin/liar <<'END'\n{LIAR}END\nchmod 755 /usr/local/bin/liar\n\
         printf 'ForceCommand /usr/local/bin/liar\\n' >>/etc/ssh/sshd_config; systemctl reload ssh"
    ));
    // The cases are for another network.
    let key = |answer: &str| answer.lines().find_map(|line| Some(line.strip_prefix("key\t")?.to_owned()));
    let theirs = key(&base()).unwrap_or_else(|| panic!("the answers have no key"));
    let read = spore_drive::network::Network::read(&network.folder());
    let read = read.unwrap_or_else(|problems| panic!("{problems:?}"));
    let ours = fingerprint(&read, hostile.name());
    let mut wrong = Vec::new();
    for case in cases() {
        let answer = BASE64_STANDARD.encode(case.answer.replace(&theirs, &ours));
        hostile.sh(&format!("base64 -d >/srv/answer <<'END'\n{answer}\nEND"));
        let begun = Instant::now();
        let run = network.plan(&[]);
        let mut fail = |what: String| wrong.push(format!("{}: {what}\n{run:.3000}", case.name));
        if let Err(found) = is_harmless(&run.to_string()) {
            fail(found);
        }
        if !matches!(run.code(), Some(2 | 3)) {
            fail(format!("it ended with {:?}", run.code()));
        }
        if !run.of_host(honest).iter().any(|line| line.contains("+ /tb/")) {
            fail("the other host isn't planned".to_owned());
        }
        if begun.elapsed() > SOON {
            fail("it took long".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n\n"));
}
