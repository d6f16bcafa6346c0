//! Hosts that download tau themselves, one with curl and one with wget, from a server in the lab's
//! network.

use spore_drive::resource::Sha256;

use crate::binary;
use crate::host::{Lab, Suite};
use crate::http::{Answer, Server};
use crate::network::{Network, Shape};

/// Where the lab's hosts reach this process.
const HERE: &str = "10.77.0.1:0";

fn pin(network: &Network, source: &str, tau: &[u8], mirrors: &[String]) {
    let architecture = spore_drive::pretend::here();
    let mirrors: String = mirrors.iter().map(|url| format!("    - {url}\n")).collect();
    let mirrors = if mirrors.is_empty() { mirrors } else { format!("  mirrors:\n{mirrors}") };
    let (sha256, size) = (Sha256::of(tau), tau.len());
    network.write(
        "tau.yaml",
        &format!(
            "{architecture}:\n  {source}\n{mirrors}  fetch: hosts\n  sha256: {sha256}\n  size: {size}\n"
        ),
    );
}

pub(crate) fn by_the_hosts(lab: &Lab) {
    let [curl, wget] = &lab.up([("curl", Suite::Bookworm.machine()), ("wget", Suite::Trixie.machine())]);
    let read = |path: &std::path::Path| std::fs::read(path).unwrap_or_else(|error| panic!("{error}"));
    let first = read(binary::stand_in());
    let mut network = Network::new(lab, binary::stand_in());
    network.shape("elders", Shape::new(4242));
    network.shape("all", Shape::new(5242).services(&["tns"]));
    network.elder("elders", curl);
    network.node("all", wget);
    let has = |tau: &[u8]| {
        for host in [curl, wget] {
            let found = host.sh("cd /tb/bin && ls -A && stat -c '%a %U' tau && sha256sum <tau");
            assert_eq!(found, format!("tau\n755 root\n{}  -\n", Sha256::of(tau)), "{}", host.name());
        }
    };

    // The connections break in the middle of the file.
    let half = Answer::UpTo(first.len() / 2, first.clone());
    let server = Server::start(HERE, [("/tau", vec![half])]);
    let url = server.url("/tau?key=not-a-real-token");
    pin(&network, &format!("url: {url}"), &first, &[]);
    network.plan(&[]).exits(2).says(&format!("from {}?…", server.url("/tau")));
    network.apply(&[]).exits(0).is_silent_on("can't fetch").is_silent_on("not-a-real-token");
    has(&first);
    let requests = server.requests();
    let resumed = format!("from {}", first.len() / 2);
    assert_eq!(requests.iter().filter(|request| request.ends_with(&resumed)).count(), 2, "{requests:?}");
    assert_eq!(requests.len(), 4, "nobody else downloads it: {requests:?}");
    network.is_in_place(&[]);

    // The first URL fails, and the mirror has the file.
    let mirrored = read(&binary::another(binary::stand_in(), "mirrored", network.home()));
    let server = Server::start(HERE, [("/tau", vec![Answer::File(mirrored.clone())])]);
    let gone = format!("url: {}", server.url("/gone"));
    pin(&network, &gone, &mirrored, &[server.url("/tau")]);
    network.apply(&[]).exits(0).is_silent_on("can't fetch");
    has(&mirrored);

    // No URL has the file.
    let sent = read(&binary::another(binary::stand_in(), "sent-now", network.home()));
    std::fs::write(network.folder().join("program"), &sent).unwrap_or_else(|error| panic!("{error}"));
    pin(&network, "path: program", &sent, &[server.url("/gone"), server.url("/tau")]);
    let mut applied = network.apply(&[]).exits(0);
    for host in [curl, wget] {
        let line =
            [host.name(), "can't fetch /tb/bin/tau, so spore tries to send it:", "HTTP 404", "another file"];
        applied = applied.says_in_one_line(&line);
    }
    has(&sent);

    // Neither program is there.
    let without = read(&binary::another(binary::stand_in(), "without", network.home()));
    std::fs::write(network.folder().join("program"), &without).unwrap_or_else(|error| panic!("{error}"));
    pin(&network, "path: program", &without, &[server.url("/tau")]);
    [curl, wget].iter().for_each(|host| drop(host.sh("rm -f /usr/bin/curl /usr/bin/wget")));
    network.apply(&[]).exits(0).says("so spore tries to send it: it has neither curl nor wget");
    has(&without);
    network.is_in_place(&[]);
}
