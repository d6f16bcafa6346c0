//! Tests how the host cuts the secrets out of a configuration: the result means the same,
//! and no secret is in the answer, whatever the file contains.

use super::fake_root::{FakeRoot, key, parse};
use crate::daemon::tau::config::{
    self, App, Domains, KeyFiles, Location, NodeConfig, Plugins, Ports, Tenancy,
};
use crate::resource::{Document, HostText, SecretBytes};
use serde_yaml::Value as Yaml;
use std::collections::BTreeMap;

mod random;

/// A mark that occurs in every secret, and in nothing else.
const MARK: &str = "hunter2";
const PRIVATE_KEY: &str =
    "CAESQFzkK6GJhi46qx0LoLn+Tro8EyQIuxg5zzsEx5z8Ha20AcCZQaaVlPQMTmdiuA0DVgbD1jdxhJZ9NzMi8GfIPZw=";
const SEED: &str = "CAESQFzkK6GJhi46qx0LoLn";

/// The text that comes back of each file, all of them cut by one probe.
fn cut<T: AsRef<[u8]>>(files: &[T]) -> Vec<Option<String>> {
    let host = FakeRoot::new();
    for (i, text) in files.iter().enumerate() {
        host.file(&format!("/tb/config/c{i}.yaml"), text);
    }
    let answer = host.answer(&[], false);
    for line in answer.lines() {
        // Keys are public, even if a spoiled file makes a key of a value.
        let shown =
            if line.ends_with(':') { "" } else { line.split_once(": ").map_or(line, |(_, value)| value) };
        assert!(!shown.contains(MARK) && !shown.contains(SEED), "leaked: {line}");
    }
    let mut facts = parse(&answer).unwrap();
    let cut: Vec<_> = (0..files.len())
        .map(|i| {
            let path = format!("/tb/config/c{i}.yaml");
            let text = facts.texts.remove(&path).map(|text| text.expose().to_owned());
            assert_eq!(text.is_none(), facts.opaque.contains(&path));
            text
        })
        .collect();
    cut
}

/// The expected result, computed with a complete YAML parser.
fn meaning(text: &str) -> Option<Document> {
    let mut yaml: Yaml = serde_yaml::from_str(text).ok()?;
    let fields = yaml.as_mapping_mut()?;
    for (name, value) in fields.iter_mut() {
        match name.as_str() {
            Some("accounts") => digest(value),
            Some("tenancy") => {
                if let Some(secret) = value.get_mut("app").and_then(|app| app.get_mut("key")) {
                    digest(secret);
                }
            }
            _ => {}
        }
    }
    if let Some(private) = fields.remove("privatekey") {
        fields.insert("publickey".into(), private.as_str()?.get(48..)?.into());
    }
    parse_config(&serde_yaml::to_string(&yaml).ok()?).ok()
}

fn parse_config(text: &str) -> Result<Document, config::ParseError> {
    config::parse(&HostText::new(text))
}

fn digest(value: &mut Yaml) {
    let text = match value {
        Yaml::Mapping(entries) => return entries.iter_mut().for_each(|(_, value)| digest(value)),
        Yaml::Sequence(items) => return items.iter_mut().for_each(digest),
        Yaml::String(text) if text.is_empty() => return,
        Yaml::String(text) => text.clone(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Number(number) => number.to_string(),
        Yaml::Null | Yaml::Tagged(_) => return,
    };
    let digest = key().digest(text.as_bytes()).to_string();
    let tag = serde_yaml::value::Tag::new("keyed");
    *value = Yaml::Tagged(Box::new(serde_yaml::value::TaggedValue { tag, value: digest.into() }));
}

fn node(accounts: Option<Yaml>) -> NodeConfig {
    NodeConfig {
        privatekey: SecretBytes::new(PRIVATE_KEY),
        swarmkey: "keys/swarm.key".to_owned(),
        services: vec!["auth".to_owned(), "accounts".to_owned()],
        p2p_listen: vec!["/ip4/0.0.0.0/tcp/4242".to_owned(), "/ip6/::/tcp/4242".to_owned()],
        p2p_announce: vec!["/ip4/10.77.0.13/tcp/4242".to_owned()],
        ports: Ports { main: 4242, lite: Some(4247), ipfs: None },
        location: Some(Location { lat: -33.8688, long: 151.0 }),
        peers: vec![format!("/dns4/a-b.lab.test/tcp/1/p2p/12D3KooW{}", "a".repeat(44))],
        network_fqdn: "lab.test".to_owned(),
        domains: Domains {
            key: KeyFiles { private: "keys/dv_private.key".to_owned(), public: "keys/p.key".to_owned() },
            generated: "g.lab.test".to_owned(),
            hosts: BTreeMap::from([("console.lab.test".to_owned(), "gateway".to_owned())]),
        },
        tenancy: Some(Tenancy {
            provider: "github".to_owned(),
            owner: "lab".to_owned(),
            app: Some(App {
                client_id: "Iv1.0000".to_owned(),
                key: SecretBytes::new(format!("-----BEGIN RSA PRIVATE KEY-----\n{MARK}\n-----END: x-----\n")),
            }),
        }),
        accounts,
        plugins: Plugins { plugins: vec!["ping@1.0".to_owned()] },
    }
}

#[test]
fn what_we_write_is_followed() {
    let accounts =
        "{ttl: 168h, port: 587, on: true, off: null, none: '', empty: {}, list: [a, {b: c, d: [e]}, [f, g]]}";
    for accounts in [None, Some(serde_yaml::from_str(accounts).unwrap())] {
        let node = node(accounts);
        let cut = cut(&[node.to_yaml().unwrap().expose()]).remove(0).unwrap();
        assert_eq!(parse_config(&cut).unwrap(), node.document(Some(&key())).unwrap());
    }
}

/// A file in the style of upstream's own tool (`golden/upstream`, host h4), with additional
/// fields.
const UPSTREAM: &str = "\
privatekey: CAESQFzkK6GJhi46qx0LoLn+Tro8EyQIuxg5zzsEx5z8Ha20AcCZQaaVlPQMTmdiuA0DVgbD1jdxhJZ9NzMi8GfIPZw=
swarmkey: keys/swarm.key
services:
    - auth
    - accounts
p2p-listen:
    - /ip4/0.0.0.0/tcp/7242
ports:
    main: 7242
location:
    lat: -33.8688
    long: 151.2093
network-fqdn: lab.test
domains:
    key:
        private: keys/dv_private.key
        public: keys/dv_public.key
    aliases: []
    generated: g.lab.test
    hosts:
        console.lab.test: gateway
accounts:
    session-ttl: 168h
    email:
        smtp:
            host: smtp.hunter2.test
            port: 587
            pass: not-hunter2
        admins:
            - hunter2@lab.test
            - name: hunter2
              keys:
                - hunter2
tenancy:
    provider: github
    owner: lab
    app:
        client-id: Iv1.0000000000000000
        key: |
            -----BEGIN RSA PRIVATE KEY-----

              hunter2
            -----END RSA PRIVATE KEY-----
plugins: {}
";

#[test]
fn other_styles_are_followed() {
    let styles = [
        UPSTREAM.to_owned(),
        UPSTREAM.trim_end().to_owned(),
        format!("---\n# hunter2\n\n{}", UPSTREAM.replace("    ", "  ")),
        UPSTREAM.replace("587", "587\n            # hunter2\n\n").replace("242\n", "242  # hunter2\n"),
        UPSTREAM.replace("not-hunter2", "'it''s hunter2: # \"'").replace("privatekey: CA", "privatekey:  CA"),
        UPSTREAM.replace("not-hunter2", r#""hunter2 \"\\\t' # : \n""#).replace("lab\n", "'lab'\n"),
        UPSTREAM.replace("pass:", "'pass':").replace("email:", "\"email\":   "),
        UPSTREAM.replace("key: |\n", "key: |+\n").replace("plugins: {}\n", "\n\n"),
        UPSTREAM.replace("key: |\n            --", "key: |2-\n            --"),
        UPSTREAM.replace("not-hunter2", "|-\n                hunter2\n                two"),
        UPSTREAM.replace("not-hunter2", "h\u{e4}nter2hunter2").replace("port: 587", "port: True"),
        UPSTREAM.replace("aliases: []", "aliases: ['*.a.test', \"b.test\"]"),
        UPSTREAM.replace("ports:\n    main: 7242", "ports: {main: 7242, \"lite\": 1}"),
        UPSTREAM.replace("plugins: {}", "plugins:\n  plugins:\n  - a@1\n  - b@2"),
        UPSTREAM.replace(PRIVATE_KEY, &format!("'{PRIVATE_KEY}'  ")),
        UPSTREAM.replace("-33.8688", "'1.25'").replace("hosts:\n", "hosts: # none\n"),
        "tenancy: {}\naccounts:\nports:\n".to_owned(),
        "accounts:\n- hunter2\n- - hunter2\n-\n  a: b\n- |\n  hunter2\n".to_owned(),
        String::new(),
    ];
    for (style, cut) in styles.iter().zip(cut(&styles)) {
        let cut = cut.unwrap_or_else(|| panic!("not followed:\n{style}"));
        assert_eq!(parse_config(&cut).ok(), meaning(style), "{style}\n{cut}");
    }
}

#[test]
fn what_cannot_be_followed_stays_there() {
    let instead = |from: &str, to: &str| {
        assert!(UPSTREAM.contains(from), "{from}");
        UPSTREAM.replacen(from, to, 1)
    };
    let pass = |value: &str| instead("not-hunter2", value);
    let files = [
        // Values that YAML parses differently from how they look.
        pass("hunter2 # hunter2"),
        pass("hunter2: hunter2"),
        pass("hunter2:"),
        pass("hunter2\n              x"),
        pass(">-\n                hunter2"),
        pass("&a hunter2"),
        pass("*hunter2"),
        pass("!!str hunter2"),
        pass("\"hunter2\n              hunter2\""),
        pass("'hunter2\n              hunter2'"),
        pass("'hunter2"),
        pass("\"\\u0068unter2\""),
        pass("\"hunter2\\"),
        pass("{a: hunter2}"),
        pass("[hunter2]"),
        pass("? hunter2"),
        pass("\thunter2"),
        pass("|\n                hunter2\n              x"),
        pass("| # x\n                hunter2"),
        pass("|\n                    \n                hunter2"),
        pass("\n                hunter2"),
        pass("%hunter2"),
        pass("'a' hunter2"),
        pass("x\r            hunter2: y"),
        pass("x\u{85}hunter2"),
        pass("x\u{2028}hunter2"),
        pass("x\0hunter2"),
        pass("\u{feff}hunter2"),
        pass("- hunter2"),
        pass("`hunter2"),
        // A scalar of several lines that contains a line break.
        instead("- auth\n", "- auth\n\n      accounts\n"),
        // Secrets in places other than at their key.
        instead("swarmkey: keys/swarm.key", "swarmkey: &a hunter2"),
        instead("swarmkey: keys/swarm.key", "swarmkey: >\n  hunter2"),
        instead("swarmkey: keys/swarm.key", "swarmkey: keys/swarm.key\n  hunter2.x"),
        instead("swarmkey: keys/swarm.key", &format!("swarmkey: /key/swarm/psk/1.0.0//base16/{MARK}")),
        instead("swarmkey: keys/swarm.key", &format!("swarmkey: {}", "0".repeat(64))),
        instead("main: 7242", "main: 7242\n    x: hunter2"),
        instead("main: 7242", "main: hunter2"),
        instead("    - auth", "    - hunter2"),
        instead("    - auth", "    - !!x auth"),
        instead("-33.8688", "\"hunter2\""),
        instead("owner: lab", "owner: lab hunter2"),
        instead("owner: lab", "owner: |\n      hunter2"),
        instead("owner: lab", "token: hunter2"),
        instead("client-id: Iv1.0000000000000000", "client-id:\n            hunter2: a"),
        instead("console.lab.test: gateway", "console.lab.test: hunter2"),
        instead("console.lab.test: gateway", "console: hunter2"),
        instead("\naccounts:\n", "\n"),
        instead("accounts:\n", "accounts: # x\n  "),
        instead("accounts:\n", "accounts: &a\n"),
        instead("accounts:\n", "\"accounts\":\n"),
        instead("accounts:\n", "account:\n"),
        instead("accounts:\n", "accounts :\n"),
        instead("accounts:\n", "? accounts\n:\n"),
        instead("tenancy:", "...\ntenancy:"),
        instead("tenancy:", "---\ntenancy:"),
        instead("tenancy:", "%YAML 1.2\ntenancy:"),
        instead("    app:", "   app:"),
        instead("        key:", "    key:"),
        instead("plugins: {}", "<<: *a"),
        instead("plugins: {}", "plugins: [hunter2]"),
        instead("plugins: {}", "plugins: {plugins: &a [a@1]}"),
        // Keys from which `publickey` can't be derived.
        instead("privatekey: CAESQ", "privatekey: CAISQ"),
        instead("privatekey: CAES", "privatekey: >\n  CAES"),
        instead("privatekey:", "privatekey:\n "),
        instead("privatekey:", "private-key:"),
        instead("IPZw=", "IPZw"),
        instead("IPZw=", "IPZw= # x"),
        instead("IPZw=", "IPZw=\n  hunter2"),
        instead("IPZw=", "IPZ=="),
        format!("publickey: {}\n", &PRIVATE_KEY[48..]),
        // Files that don't look like a configuration at all.
        UPSTREAM.replace('\n', "\r\n"),
        UPSTREAM.replace('\n', "\r"),
        format!("\u{feff}{UPSTREAM}"),
        format!("  {}", UPSTREAM.replace('\n', "\n  ")),
        "{accounts: {pass: hunter2}}".to_owned(),
        MARK.to_owned(),
        format!("{{\"privatekey\": \"{PRIVATE_KEY}\"}}"),
        format!("- privatekey: {PRIVATE_KEY}"),
        "\t".to_owned(),
    ];
    for (file, cut) in files.iter().zip(cut(&files)) {
        assert_eq!(cut, None, "{file}");
    }
    let binary: Vec<u8> = (0..=255).cycle().take(5000).chain(UPSTREAM.bytes()).collect();
    assert_eq!(cut(&[binary]), [None]);
}

#[test]
fn the_record_of_a_start_is_cut_too() {
    let host = FakeRoot::new();
    host.says("systemctl", "Id=tau@a.service\nInvocationID=1f\nMainPID=0\n");
    let public = UPSTREAM.replacen(&format!("privatekey: {}", &PRIVATE_KEY[..48]), "publickey: ", 1);
    host.file("/run/spore/a/1f/config.yaml", &public);
    host.file("/run/spore/a/1f/digests", "");
    let answer = host.answer(&[], false);
    assert!(!answer.contains(MARK));
    let record = parse(&answer).unwrap().units["tau@a.service"].record.clone().unwrap();
    assert_eq!(config::parse(&record.config.unwrap()).ok(), meaning(UPSTREAM));
}
