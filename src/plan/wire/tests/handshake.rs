//! Tests of the verdict on a node's handshake, which the script of a start waits for.

use super::units::{LONG, UNIT, health, invocation, with_unit};
use super::*;
use crate::resource::{Contact, Handshake, Unproved};

const PEER: &str = "12D3KooWDRTcWpeV4opeiLa18kSEriggMNuBXys4Hi52frwHVkdH";

/// This health, with a handshake.
pub(super) fn with_handshake(health: Option<Health>) -> Option<Health> {
    let handshake = Some(Handshake::Libp2p { port: 5242, peer: PEER.to_owned() });
    health.map(|health| Health { handshake, ..health })
}

fn start() -> Action {
    Action::Start {
        unit: UNIT.to_owned(),
        before: invocation("a1"),
        health: with_handshake(health("b2", 5242, LONG)),
        fallback: Fallback::Leave,
    }
}

/// What the host says when the controller gives this verdict.
pub(super) fn answers(host: &FakeHost, action: &Action, verdict: &str) -> Vec<Answer> {
    let calls = [call(0, action)];
    let said = host.shell(&request(&calls, &patience(), 0), verdict.as_bytes());
    let mut exchange = Exchange::new(&calls);
    let answers = said.lines().map(|line| {
        let line = line.strip_prefix("marker ").unwrap_or_else(|| panic!("{said}"));
        exchange.hear(&Untrusted::new(line)).unwrap()
    });
    answers.collect()
}

#[test]
fn a_node_counts_as_healthy_unless_it_has_failed_its_handshake() {
    for contact in [Contact::Proved, Contact::Forbidden, Contact::Unknown] {
        let host = with_unit("active", "a1", "b2");
        let answers = answers(&host, &start(), &verdict(&contact));
        let runs = Answer::Runs(0, "b2".to_owned());
        let all = [Answer::Began(0), runs, Answer::Settles(0), Answer::Ended(0, Ending::Done)];
        assert_eq!(answers, all, "{contact:?}");
    }
    for (why, words) in [
        (Unproved::Refused, "it doesn't accept connections on TCP port 5242"),
        (Unproved::Closed, "it closes connections on TCP port 5242 at once"),
        (Unproved::Silent, "it accepts connections on TCP port 5242, but doesn't answer"),
        (Unproved::OtherSwarm, "the node on TCP port 5242 probably has another swarm key"),
        (Unproved::NoTls, "doesn't complete the TLS handshake"),
        (Unproved::OtherNode(PEER.to_owned()), &format!("another node answers on TCP port 5242: {PEER}")),
    ] {
        let host = with_unit("active", "a1", "b2");
        let answers = answers(&host, &start(), &verdict(&Contact::Failed(why)));
        let Some(Answer::Ended(0, Ending::Failed(said))) = answers.get(2) else { panic!("{answers:?}") };
        let said = said.parse(ToOwned::to_owned);
        assert!(said.contains(&format!("{UNIT} is not healthy: ")) && said.contains(words), "{said}");
    }
}
