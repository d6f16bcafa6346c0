#![expect(clippy::unwrap_used, reason = "a test that meets something else fails there")]

use super::*;

// Two keys of one kind.
const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFiK2sJlz/Et0eRamnmBoEMnqHKCg3k1R5tLoVajRnqc";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
const PORT: u16 = 2222;

fn ecdsa_key() -> String {
    let text = include_str!("../tests/keys/ecdsa");
    let key = russh::keys::PrivateKey::from_openssh(text).unwrap();
    let key = PublicKey::new(key.public_key().key_data().clone(), "");
    key.to_openssh().unwrap()
}

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

fn file(text: &str) -> KnownHosts {
    KnownHosts::parse("known".as_ref(), text)
}

/// What is found about a key, as text, with the numbers of the lines that it names.
fn say(known: &KnownHosts, host: &str, port: u16, shown: &str) -> String {
    match known.check(&ServerAddress::new(host, port), &key(shown)) {
        Ok(()) => "known".into(),
        Err(Distrust::Certificate { flaw, .. }) => format!("certificate {flaw:?}"),
        Err(Distrust::Unknown { authority: None }) => "unknown".into(),
        Err(Distrust::Unknown { authority: Some(by) }) => format!("unknown, authority {}", by.line),
        Err(Distrust::Changed { known }) => {
            let lines = known.iter().map(|line| line.line.to_string());
            format!("changed {}", lines.collect::<Vec<_>>().join(" "))
        }
        Err(Distrust::Revoked { by }) => format!("revoked {}", by.line),
    }
}

#[test]
fn lines_mean_the_same_as_to_openssh() {
    let c = ecdsa_key();
    let table = [
        // One line: the right key, a wrong key, another host.
        (format!("h {A}"), "h", 22, A, "known"),
        (format!("h {A}"), "h", 22, B, "changed 1"),
        (format!("h {A}"), "g", 22, A, "unknown"),
        (String::new(), "h", 22, A, "unknown"),
        // Host names are case-insensitive, in the file and in the address.
        (format!("H.Example {A}"), "h.eXample", 22, A, "known"),
        // Several keys of one kind: any of them is accepted.
        (format!("h {B}\nh {A}"), "h", 22, A, "known"),
        (format!("h {A}\nh {B}"), "h", 22, A, "known"),
        // A key of another kind counts as changed, too. Lines of the presented kind come
        // first.
        (format!("h {c}"), "h", 22, A, "changed 1"),
        (format!("h {c}\nh {B}"), "h", 22, A, "changed 2 1"),
        // Lists, wildcards, and exclusions at any position.
        (format!("g,h,i {A}"), "h", 22, A, "known"),
        (format!("*.example {A}"), "a.b.example", 22, A, "known"),
        (format!("*.example {A}"), "example", 22, A, "unknown"),
        (format!("n? {A}"), "n1", 22, A, "known"),
        (format!("n? {A}"), "n12", 22, A, "unknown"),
        (format!("n*,!n1 {A}"), "n1", 22, A, "unknown"),
        (format!("!n1,n* {A}"), "n1", 22, A, "unknown"),
        (format!("!n1,n* {A}"), "n2", 22, A, "known"),
        (format!("!n1 {A}"), "n2", 22, A, "unknown"),
        (format!("10.0.0.* {A}"), "10.0.0.9", 22, A, "known"),
        // Ports. A name without a port also matches other ports, but only to accept a key.
        (format!("[h]:2222 {A}"), "h", PORT, A, "known"),
        (format!("[h]:2222 {A}"), "h", PORT, B, "changed 1"),
        (format!("[h]:2222 {A}"), "h", 22, A, "unknown"),
        (format!("[h]:2222 {A}"), "h", 2223, A, "unknown"),
        (format!("h {A}"), "h", PORT, A, "known"),
        (format!("h {A}"), "h", PORT, B, "unknown"),
        // A name without a port doesn't count if a key is listed for the port.
        (format!("h {A}\n[h]:2222 {B}"), "h", PORT, A, "changed 2"),
        (format!("[h]:2222 {B}\nh {A}"), "h", PORT, A, "changed 1"),
        (format!("h {A}\n[*]:2222 {B}"), "h", PORT, A, "changed 2"),
        (format!("h {A}\n[h]:2222 {c}"), "h", PORT, A, "changed 2"),
        (format!("h {A}\n[h]:2222 {B}"), "h", PORT, B, "known"),
        (format!("h {A}\n[h]:2223 {B}"), "h", PORT, A, "known"),
        (format!("h {A}\n@revoked [h]:2222 {B}"), "h", PORT, A, "known"),
        (format!("h {A}\n@cert-authority [h]:2222 {B}"), "h", PORT, A, "known"),
        (format!("h {A}\n[h]:2222 {B}"), "h", 22, B, "changed 1"),
        (format!("[*.example]:* {A}"), "h.example", PORT, A, "known"),
        (format!("* {A}"), "h", PORT, A, "known"),
        (format!("*.example {A}"), "h.example", PORT, A, "known"),
        (format!("[2001:db8::1]:2222 {A}"), "2001:DB8::1", PORT, A, "known"),
        (format!("2001:db8::1 {A}"), "2001:db8::1", 22, A, "known"),
        // Revoked keys: before or after the key's own line, for this host or for all hosts.
        (format!("h {A}\n@revoked h {A}"), "h", 22, A, "revoked 2"),
        (format!("@revoked * {A}\nh {A}"), "h", 22, A, "revoked 1"),
        (format!("@revoked h {A}\nh {B}"), "h", 22, B, "known"),
        (format!("@revoked h {A}"), "h", 22, A, "revoked 1"),
        (format!("@revoked h {A}"), "h", 22, B, "unknown"),
        (format!("@revoked g {A}\nh {A}"), "h", 22, A, "known"),
        (format!("@revoked h {A}\n[h]:2222 {A}"), "h", PORT, A, "revoked 1"),
        (format!("@revoked h {A}\n[h]:2222 {B}"), "h", PORT, A, "revoked 1"),
        // A certificate authority's key isn't a host key.
        (format!("@cert-authority h {A}"), "h", 22, A, "unknown, authority 1"),
        (format!("@cert-authority h {A}"), "h", 22, B, "unknown, authority 1"),
        (format!("@cert-authority h {B}\nh {A}"), "h", 22, A, "known"),
        // Lines that can't be parsed are skipped, but still count as lines.
        (format!("garbage\n\n# h {A}\nh {B}"), "h", 22, A, "changed 4"),
        (format!("h ssh-ed25519 AAAA\nh {A}"), "h", 22, A, "known"),
        (format!("h {}\nh {A}", A.replace("ed25519 ", "rsa ")), "h", 22, B, "changed 2"),
        (format!("@odd h {A}"), "h", 22, A, "unknown"),
        (format!("#h {A}"), "#h", 22, A, "unknown"),
        (format!("h {A} a comment # of words"), "h", 22, A, "known"),
        (format!("  h\t{}\t", A.replace(' ', "\t \t")), "h", 22, A, "known"),
        (format!("h {A}\r\n"), "h", 22, A, "known"),
        (format!("@revoked \t h {A}"), "h", 22, A, "revoked 1"),
    ];
    for (text, host, port, shown, expected) in table {
        assert_eq!(say(&file(&text), host, port, shown), expected, "{host}:{port} in {text:?}");
    }
}

#[test]
fn names_hashed_by_ssh_keygen_are_found() {
    let known = file(include_str!("hashed"));
    for (host, port) in [
        ("Node.example.org", 22),
        ("node.example.org", PORT),
        ("192.0.2.7", 22),
        ("2001:db8::1", PORT),
        ("2001:db8::1", 22),
    ] {
        assert_eq!(say(&known, host, port, A), "known", "{host}");
    }
    assert_eq!(say(&known, "node.example.org", 22, B), "changed 1");
    assert_eq!(say(&known, "192.0.2.8", 22, A), "unknown");
}

#[test]
fn the_line_to_add_makes_a_host_known() {
    for (host, port, expected) in [
        ("Node", 22, format!("node {A}")),
        ("10.0.0.1", PORT, format!("[10.0.0.1]:2222 {A}")),
        ("2001:db8::1", 22, format!("2001:db8::1 {A}")),
        ("2001:db8::1", PORT, format!("[2001:db8::1]:2222 {A}")),
    ] {
        let line = KnownHosts::line_to_add(&ServerAddress::new(host, port), &key(A));
        assert_eq!(line, expected);
        assert_eq!(say(&file(&line), host, port, A), "known");
        assert_eq!(say(&file(&line), host, port, B), "changed 1");
    }
}

#[test]
fn the_kind_of_key_in_known_hosts_is_requested_first() {
    let first = |text: &str, port| {
        let kinds = file(text).algorithms(&ServerAddress::new("h", port));
        let kinds = kinds.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(kinds.len(), 6, "all kinds are offered: {kinds:?}");
        assert!(!kinds.contains(&"ssh-rsa".to_owned()), "SHA-1 is never offered");
        kinds.into_iter().next().unwrap()
    };
    let c = ecdsa_key();
    assert_eq!(first("", 22), "ssh-ed25519");
    assert_eq!(first(&format!("h {c}"), 22), "ecdsa-sha2-nistp256");
    assert_eq!(first(&format!("h {c}\nh {A}"), 22), "ecdsa-sha2-nistp256");
    assert_eq!(first(&format!("@revoked h {c}"), 22), "ssh-ed25519");
    assert_eq!(first(&format!("g {c}"), 22), "ssh-ed25519");
    assert_eq!(first(&format!("h {A}\n[h]:2222 {c}"), PORT), "ecdsa-sha2-nistp256");
    assert_eq!(first(&format!("h {c}"), PORT), "ecdsa-sha2-nistp256");
}

#[test]
fn files_are_searched_in_order_and_may_be_missing() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two, none] = ["one", "two", "none"].map(|name| dir.path().join(name));
    fs::write(&one, format!("h {A}\n")).unwrap();
    fs::write(&two, [b"\xff\xfe\n", format!("g {B}").as_bytes()].concat()).unwrap();
    let known = KnownHosts::read(&[&none, &one, &two]).unwrap();
    assert_eq!(say(&known, "h", 22, A), "known");
    assert_eq!(say(&known, "g", 22, A), "changed 2");
    let Err(Distrust::Changed { known }) = known.check(&ServerAddress::new("g", 22), &key(A)) else {
        panic!("the key has changed");
    };
    assert_eq!(known[0].to_string(), format!("{}:2", two.display()));

    let error = KnownHosts::read(&[dir.path()]).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}", dir.path().display()));
}

#[test]
fn the_lines_of_one_host_give_the_same_verdict_as_all() {
    let known = file(&format!("h {A}\ng {B}\n[h]:2222 {B}\n@revoked * {B}"));
    for (host, port) in [("h", 22), ("h", PORT), ("g", 22), ("i", 22)] {
        let address = ServerAddress::new(host, port);
        for shown in [A, B] {
            let all = known.check(&address, &key(shown));
            assert_eq!(known.of(&address).check(&address, &key(shown)), all);
        }
    }
}
