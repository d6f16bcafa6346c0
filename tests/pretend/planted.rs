//! A secret of every kind, and everything that `spore` prints, saves or leaves on hosts.

use crate::world::{APPLY, World};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Passwords that tests plant. They are words, so that no other text contains them by chance.
const PASSWORDS: [(&str, &str); 3] = [
    ("password", "larkspur-anvil-quince"),
    ("password in a file", "tungsten-heron-mosaic"),
    ("accounts", "bramble-oxide-lantern"),
];

/// The last arguments of a command, in every format that it has.
const FORMATS: [&str; 6] = ["text", "json", "markdown", "sarif", "junit", "github"];

#[test]
fn no_secret_is_in_an_output_or_a_file() {
    let world = World::new();
    let secrets = planted(&world);
    let mut seen = Vec::new();
    let mut run = |words: &[&str], code: i32| {
        let run = world.spore(words).exits(code);
        seen.push((words.join(" "), run.text.into_bytes()));
    };
    for (kind, secret) in &secrets {
        let folder = world.folder().to_str().unwrap();
        let found = Command::new("grep").args(["-rqF", "-e", secret, folder]).status().unwrap();
        assert!(found.success(), "the {kind} isn't in the folder");
    }
    run(&["plan", "-o", "first.json"], 2);
    run(&[APPLY, &["--events", "events.ndjson"]].concat(), 0);
    run(&["plan"], 0);

    // A change of the folder, and one of a host, which both concern secrets.
    let swarm = world.folder().join("keys/swarm.key");
    let before = fs::read_to_string(&swarm).unwrap();
    world.sh(
        "h4",
        "cd \"$SPORE_ROOT/tb/config\" && chmod 640 keys/swarm.key && sed -i 's/5242/5342/' store.yaml",
    );
    fs::write(&swarm, before.replace("base16/b", "base16/7")).unwrap();
    run(&["plan", "-o", "plan.json"], 2);
    run(&["facts", "-o", "facts.json"], 0);
    run(&["facts"], 0);
    run(&["verify"], 2);
    run(&["history"], 0);
    for format in FORMATS {
        run(&["check", "--format", format], 0);
        run(&["plan", "--format", format], 2);
        run(&["plan", "--facts", "facts.json", "--format", format], 2);
        run(&["plan", "--facts", "facts.json", "--without-secrets", "--format", format], 2);
        run(&["show", "plan.json", "--format", format], 0);
        run(&["drift", "--format", format], 2);
    }
    run(&["drift", "--format", "prometheus"], 2);
    run(&["apply", "first.json", "--yes"], 1);
    fs::rename(&swarm, swarm.with_extension("moved")).unwrap();
    run(&["plan", "--without-secrets", "-o", "without.json"], 2);
    for format in FORMATS {
        run(&["show", "without.json", "--format", format], 0);
    }

    for name in ["first.json", "plan.json", "without.json", "facts.json", "events.ndjson"] {
        seen.push((name.to_owned(), fs::read(world.folder().join(name)).unwrap()));
    }
    for host in ["h1", "h4"] {
        let left = world.sh(
            host,
            "cd \"$SPORE_ROOT/tb/.spore\" && cat * && find \"$SPORE_ROOT/run/spore\" -type f -exec cat {} +",
        );
        // A record of a start has the configuration, which only root can read, without its key.
        let left = left.lines().filter(|line| !line.contains(PASSWORDS[2].1)).collect::<Vec<_>>().join("\n");
        seen.push((format!("what is left on {host}"), left.into_bytes()));
    }
    assert!(seen.iter().all(|(_, text)| !text.is_empty()));
    for (what, text) in &seen {
        for (kind, secret) in &secrets {
            assert!(!contains(text, secret.as_bytes()), "the {kind} is in the output of `{what}`");
        }
    }
}

/// Adds a secret of each kind that the folder doesn't have yet. Returns those to look for.
fn planted(world: &World) -> BTreeMap<String, String> {
    let at = |path: &str| world.folder().join(path);
    let add = |path: &str, text: &str| {
        let before = fs::read_to_string(at(path)).unwrap_or_default();
        fs::write(at(path), before + text).unwrap();
    };
    let [(_, password), (_, in_a_file), (_, account)] = PASSWORDS;
    add("auth.yaml", &format!("spare: {{username: spare, password: {password}}}\n"));
    add("auth.yaml", "other: {username: other, password_file: keys/other.password}\n");
    add("keys/other.password", &format!("{in_a_file}\n"));
    add("accounts.yaml", &format!("database: {{password: {account}}}\n"));
    for host in ["h1", "h4"] {
        let path = format!("hosts/{host}.yaml");
        let text = fs::read_to_string(at(&path)).unwrap();
        fs::write(at(&path), text.replace("auth: [planter]", "auth: [planter, spare, other]")).unwrap();
    }

    let mut secrets: BTreeMap<String, String> =
        PASSWORDS.iter().map(|(kind, secret)| ((*kind).to_owned(), (*secret).to_owned())).collect();
    let swarm = fs::read_to_string(at("keys/swarm.key")).unwrap();
    let digits = swarm.trim().rsplit('/').next().unwrap();
    secrets.insert("swarm key".to_owned(), digits[8..40].to_owned());
    for (kind, path) in
        [("validation key", "keys/dv_private.key"), ("SSH key", "keys/ssh"), ("app key", "tenancy.yaml")]
    {
        secrets.insert(kind.to_owned(), line_of_a_key(&at(path)));
    }
    for host in ["h1", "h4"] {
        let text = fs::read_to_string(at(&format!("hosts/{host}.yaml"))).unwrap();
        // The rest of a node's key is its public half.
        let start = text.find("CAES").unwrap();
        secrets.insert(format!("node key of {host}"), text[start + 8..start + 40].to_owned());
    }
    secrets
}

/// The second line of the private key in a file.
fn line_of_a_key(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let key = &text[text.find("PRIVATE KEY-----").unwrap()..];
    key.lines().nth(1).unwrap().trim().to_owned()
}

fn contains(text: &[u8], secret: &[u8]) -> bool {
    text.windows(secret.len()).any(|window| window == secret)
}
