//! `spore convert`: writes the folder in the other dialect. The network that it describes stays the
//! same, which is compared before anything is written.

use super::args::{Args, ConvertOptions, DialectArg};
use super::edit::{accept, show, warnings_of, write};
use super::replace::Locked;
use super::{CommandError, Exit, folder, terminal};
use crate::author::{Converted, Unconvertible, convert};
use crate::desired::{ArtifactRef, Goal, Supplies, compile};
use crate::network::{At, Draft, Files, Host, Identity, Network, Ports, git};
use crate::resource::{ResourceId, Sha256};
use std::path::Path;

pub(crate) fn run(args: &Args, options: &ConvertOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let path = folder::of_network(args)?;
    let failed = |what: &str, error: std::io::Error| {
        CommandError::because(format!("can't {what} {}", path.display()), None, Some(error.to_string()))
    };
    let locked = match options.edit.dry_run {
        true => None,
        false => Some(Locked::new(&path).map_err(|error| failed("lock", error))?),
    };
    let files = Files::read(&path, &options.edit.folder.outside()).map_err(|error| failed("read", error))?;
    let converted = conversion(args, options, &path, &files)?;
    let Converted { changes, renamed } = &converted;
    if changes.is_empty() && renamed.is_empty() {
        terminal::out(&format!("the folder is in {} already\n", options.to.shown()));
        return Ok(Exit::Done);
    }
    show(args, changes);
    for (old, new) in renamed {
        terminal::out(&format!("rename {old} to {new}\n"));
    }
    let Some(locked) = locked else {
        terminal::out("dry run: nothing was written\n");
        return Ok(Exit::Done);
    };
    write_all(&locked, &converted)?;
    terminal::out(&format!("converted to {}; the network is the same\n", options.to.shown()));
    Ok(Exit::Done)
}

/// What changes in a folder.
///
/// # Errors
/// The folder isn't sound, or can't be converted, or would describe another network.
fn conversion(
    args: &Args,
    options: &ConvertOptions,
    path: &Path,
    files: &Files,
) -> miette::Result<Converted> {
    let (outside, secrets) = (options.edit.folder.outside(), options.edit.secrets());
    let before = Draft::from_files(files, secrets);
    warnings_of(args, &before, &before)?;
    let converted = convert(files, options.to == DialectArg::Manual).map_err(|error| refused(&error))?;
    if let Some((old, new)) = converted.renamed.iter().find(|(old, new)| git::exposes(path, old, new)) {
        let what = format!("git ignores or encrypts {old}, but not {new}");
        let help = format!("write {new} next to {old} into .gitignore or .gitattributes first");
        return Err(CommandError::new(what, help).into());
    }
    let after = Files::read_with(path, &outside, converted.after(files)).map_err(|error| {
        CommandError::because(format!("can't read {}", path.display()), None, Some(error.to_string()))
    })?;
    compare(args, &before, &Draft::from_files(&after, secrets))?;
    Ok(converted)
}

/// Writes the files and renames them. Either dialect's fields are read in files of either name, so the
/// folder describes the same network after each step.
fn write_all(locked: &Locked, converted: &Converted) -> miette::Result<()> {
    write(locked, &converted.changes)?;
    for (old, new) in &converted.renamed {
        locked.rename(old, new).map_err(|error| {
            let help = "the folder is sound; run the command again for the rest".to_owned();
            CommandError::because(format!("can't rename {old} to {new}"), Some(help), Some(error.to_string()))
        })?;
    }
    Ok(())
}

fn refused(error: &Unconvertible) -> CommandError {
    let help = match error {
        Unconvertible::Impossible(_) => "run `spore check`, and fix what it shows first",
        _ => "nothing was written; edit it by hand, and run the command again",
    };
    CommandError::new(error.to_string(), help)
}

/// Fails unless both folders describe the same network.
fn compare(args: &Args, before: &Draft, after: &Draft) -> miette::Result<()> {
    let network = |draft: &Draft| draft.clone().finish().ok();
    match (network(before), network(after)) {
        (Some(one), Some(other)) if is_same(&one, &other) => accept(args, before, after),
        _ => {
            let what = "nothing was written: the converted folder would describe another network";
            let help = "an anchor, an alias or an unusual style may be the reason; convert the folder by \
                        hand, and compare with `spore plan`";
            Err(CommandError::new(what, help).into())
        }
    }
}

/// Whether two networks are the same: the desired state of their hosts, and how these are reached.
fn is_same(one: &Network, other: &Network) -> bool {
    meaning(one).is_some_and(|one| meaning(other) == Some(one))
}

/// What [`is_same`] compares; `None` if the desired state can't be compiled. Shapes and logins that no
/// host uses count, too.
fn meaning(network: &Network) -> Option<impl PartialEq> {
    let file = || ArtifactRef { sha256: Sha256::of(b""), size: None };
    let plugins = network.shapes.values().flat_map(|shape| &shape.plugins);
    let supplies = Supplies {
        plugins: plugins.map(|plugin| (plugin.name.clone(), file())).collect(),
        ..Supplies::default()
    };
    let desired = compile(network, &supplies).ok()?;
    let goals: Vec<(ResourceId, Goal)> =
        desired.goals.iter().map(|(id, goal)| (id.clone(), goal.clone())).collect();
    let logins = network.logins.values().map(|login| {
        let keys: Vec<&String> = login.keys.iter().map(|key| &key.written).collect();
        let password = login.password.as_ref().map(|password| password.expose());
        (&login.name.value, &login.user.value, keys, password)
    });
    let hosts = network.hosts.values().map(|Host { name, addresses, ssh, location, nodes }| {
        let addresses: Vec<_> = addresses.iter().map(|address| address.value).collect();
        let more: Vec<&String> = ssh.more.iter().map(|address| &address.value).collect();
        let jumps: Vec<_> = ssh.jumps.iter().map(|jump| &jump.value).collect();
        let logins: Vec<&String> = ssh.logins.iter().map(|login| &login.name.value).collect();
        let reached = (&ssh.address.value, more, ssh.port, ssh.names_port, jumps, logins);
        let location = location.as_ref().map(|place| (place.lat.value, place.long.value));
        let node = |node: &Identity| {
            (node.shape.value.clone(), node.keeper, node.id.as_ref().map(|id| id.to_string()))
        };
        let nodes: Vec<_> = nodes.values().map(node).collect();
        (&name.value, addresses, reached, location, nodes)
    });
    let shapes = network.shapes.values().map(|shape| {
        let services: Vec<&String> = shape.services.iter().map(|service| &service.value).collect();
        let plugins: Vec<&String> = shape.plugins.iter().map(|plugin| &plugin.name).collect();
        let Ports { main, lite, ipfs } = &shape.ports;
        let port = |port: &Option<At<u16>>| port.as_ref().map(|port| port.value);
        (&shape.name.value, services, plugins, main.value, port(lite), port(ipfs))
    });
    Some((goals, logins.collect::<Vec<_>>(), hosts.collect::<Vec<_>>(), shapes.collect::<Vec<_>>()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::check;
    use crate::network::{Links, Secrets};
    use clap::Parser as _;
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;
    use tempfile::TempDir;

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            match entry.path().is_dir() {
                true => copy(&entry.path(), &to),
                false => drop(fs::copy(entry.path(), to)),
            }
        }
    }

    fn fixture(name: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).join("folder"),
            folder.path(),
        );
        folder
    }

    fn network(folder: &Path) -> Option<Network> {
        check::read(folder, Secrets::Needed, Links::Inside).finish().ok()
    }

    #[track_caller]
    fn describes(folder: &Path, before: &Network, when: &str) {
        assert!(is_same(before, &network(folder).unwrap()), "{when}, the folder describes another network");
    }

    fn command(folder: &Path, words: &str) -> (Args, ConvertOptions) {
        let line = format!("spore -n {} convert --to {words}", folder.display());
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        let Some(super::super::args::Command::Convert(options)) = args.command.clone() else {
            panic!("{words}")
        };
        (args, options)
    }

    fn spore(folder: &Path, words: &str) -> Result<(), String> {
        let (args, options) = command(folder, words);
        run(&args, &options).map(drop).map_err(|error| error.to_string())
    }

    fn files(folder: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        entries.filter(|path| path.is_file()).map(|path| (name(&path), text(&path))).collect()
    }

    /// The sound folders of the fixtures that can't be converted, and why.
    const REFUSED: &[&str] = &[
        "keys-in-git to upstream: keys.yaml:3: upstream's dialect has one key for each login; write a login \
         for each file, and name them all in the hosts' `auth`",
        "same-folders to upstream: network/ can't be renamed to cloud/ in one step; write its entries into \
         one file, network.yaml",
        "same-mixed to manual: keys.yaml:3: `user` and `username` are both written; remove one of them",
        "same-mixed to manual: keys.yaml:3: `user` and `username` are both written; remove one of them",
        "same-mixed to upstream: keys.yaml:3: `user` and `username` are both written; remove one of them",
    ];

    #[test]
    fn every_sound_folder_is_converted_there_and_back_or_refused() {
        let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/folders");
        let (mut converted, mut refused) = (0, Vec::new());
        for case in fs::read_dir(all).unwrap().map(|case| case.unwrap()) {
            let name = case.file_name().into_string().unwrap();
            if !case.path().join("folder").is_dir() {
                continue;
            }
            let folder = fixture(&format!("folders/{name}"));
            let Some(before) = network(folder.path()) else { continue };
            for to in ["manual", "upstream", "manual"] {
                let (args, options) = command(folder.path(), to);
                let files = Files::read(folder.path(), &options.edit.folder.outside()).unwrap();
                match conversion(&args, &options, folder.path(), &files) {
                    Ok(new) => {
                        write_all(&Locked::new(folder.path()).unwrap(), &new).unwrap();
                        converted += 1;
                    }
                    Err(error) => refused.push(format!("{name} to {to}: {error}")),
                }
                describes(folder.path(), &before, &format!("{name}: converted to {to}"));
            }
        }
        refused.sort();
        assert!(converted > 60, "only {converted} conversions");
        assert_eq!(refused, REFUSED);
    }

    /// A folder of the manual's dialect with comments.
    fn commented() -> TempDir {
        let folder = fixture("folders/same-manual");
        let write = |name: &str, change: &dyn Fn(String) -> String| {
            let path = folder.path().join(name);
            fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
        };
        write("shapes.yaml", &|text| {
            text.replace("      ipfs: 5252\n", "      ipfs: 5252  # own\n").replace("- node", "- node # old")
        });
        write("keys.yaml", &|text| text.replace("user: root\n", "user:   'root' # for now\n"));
        folder
    }

    #[test]
    fn comments_and_bytes_outside_the_fields_stay() {
        let folder = commented();
        spore(folder.path(), "upstream --dry-run").unwrap();
        assert_eq!(files(folder.path()), files(commented().path()), "a dry run writes nothing");
        let network = files(folder.path())["network.yaml"].clone();
        spore(folder.path(), "upstream").unwrap();
        let after = files(folder.path());
        assert_eq!(after["cloud.yaml"], network);
        assert!(!after.contains_key("network.yaml") && !after.contains_key("keys.yaml"));
        assert_eq!(
            after["auth.yaml"],
            "deploy:\n  username: deploy\n  key: keys/id_ed25519\nfallback:\n  username:   'root' # for now\n  \
             password: not-a-real-login-password\n"
        );
        let shapes = "elders:\n  ports:\n    main: 4242\n    ipfs: 4252\n    lite: 4247\nall:\n  services:\n    \
                      - tns\n    - substrate # old\n  ports:\n    main: 5242\n    ipfs: 5252  # own\n    lite: 5247\n";
        assert!(after["shapes.yaml"].starts_with(shapes), "{}", after["shapes.yaml"]);
        assert!(after["hosts.yaml"].contains("  location:\n    lat: 1.25\n    long: 25.1\n"));
        assert!(after["hosts.yaml"].contains("    auth: [deploy]\n  location: {lat: -33.87, long: 151}\n"));
        // A second time, there is nothing to do.
        spore(folder.path(), "upstream").unwrap();
        assert_eq!(files(folder.path()), after);
    }

    #[test]
    fn an_interrupted_conversion_is_the_same_network_and_can_be_repeated() {
        let whole = commented();
        let before = network(whole.path()).unwrap();
        let old = files(whole.path());
        spore(whole.path(), "upstream").unwrap();
        let new = files(whole.path());
        let renamed = |name: &str| match name {
            "network.yaml" => "cloud.yaml".to_owned(),
            "keys.yaml" => "auth.yaml".to_owned(),
            name => name.to_owned(),
        };
        // As the command writes: the texts first, and then the names.
        let texts: Vec<&String> = old.keys().filter(|name| old[*name] != new[&renamed(name)]).collect();
        for done in 0..texts.len() + 2 {
            let folder = commented();
            for name in texts.iter().take(done) {
                fs::write(folder.path().join(name), &new[&renamed(name)]).unwrap();
            }
            for name in ["network.yaml", "keys.yaml"].iter().take(done.saturating_sub(texts.len())) {
                fs::rename(folder.path().join(name), folder.path().join(renamed(name))).unwrap();
            }
            describes(folder.path(), &before, &format!("after {done} steps"));
            spore(folder.path(), "upstream").unwrap();
            assert_eq!(files(folder.path()), new, "after {done} steps");
        }
    }

    /// A folder with a change in one of its files.
    fn changed(dialect: &str, (file, from, to): (&str, &str, &str)) -> TempDir {
        let folder = fixture(&format!("folders/same-{dialect}"));
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}: {text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        folder
    }

    #[test]
    fn unusual_styles_are_converted() {
        for (dialect, to, change, result) in [
            // An alias stands for what was converted, or is converted itself.
            (
                "manual",
                "upstream",
                ("hosts.yaml", "    key: deploy\n", "    key: &k deploy\n    jump: []\n"),
                "    auth: &k [deploy]\n",
            ),
            (
                "manual",
                "upstream",
                ("shapes.yaml", "    - tns\n    - node\n", "    - 'node'\n"),
                "- 'substrate'\n",
            ),
            (
                "manual",
                "upstream",
                ("shapes.yaml", ":\n    - tns\n    - node\n", ": node\n"),
                "services: [substrate]\n",
            ),
            (
                "manual",
                "upstream",
                (
                    "hosts.yaml",
                    "  gps:\n    - \"1.25\"\n    - \"25.1\"\n",
                    "  gps: # a\n  - ' 1.25'  # b\n  # - c\n  - '25.1'\n",
                ),
                "  location: # a\n    lat: 1.25  # b\n  # - c\n    long: 25.1\n",
            ),
            (
                "today",
                "manual",
                (
                    "hosts.yaml",
                    "  location: {lat: 1.25, long: 25.1}\n",
                    "  location:\n    # a\n    lat: 1.25 # b\n    long: 25.1\n",
                ),
                "  gps:\n    # a\n    - \"1.25\" # b\n    - \"25.1\"\n",
            ),
        ] {
            let folder = changed(dialect, change);
            let before = network(folder.path()).unwrap_or_else(|| panic!("{change:?}"));
            spore(folder.path(), to).unwrap_or_else(|error| panic!("{change:?}: {error}"));
            let after = files(folder.path());
            assert!(after[change.0].contains(result), "{}", after[change.0]);
            describes(folder.path(), &before, change.2);
        }
    }

    #[test]
    fn what_would_be_lost_is_refused_with_its_line() {
        const GPS: &str = "  gps:\n    - \"1.25\"\n    - \"25.1\"\n";
        const PLACE: &str = "  location: {lat: 1.25, long: 25.1}\n";
        for (dialect, to, change, expected) in [
            (
                "manual",
                "upstream",
                ("keys.yaml", "[keys/id_ed25519]", "[keys/id_ed25519, keys/other]"),
                "keys.yaml:3: upstream's dialect has one key for each login",
            ),
            (
                "manual",
                "upstream",
                ("shapes.yaml", "    main:\n      p2p", "    main: # why\n      p2p"),
                "shapes.yaml:10: a comment would be lost",
            ),
            (
                "manual",
                "upstream",
                ("hosts.yaml", GPS, "  gps:\n    - # roof\n      \"1.25\"\n    - \"25.1\"\n"),
                "hosts.yaml:20: the value can't be converted in this style",
            ),
            (
                "manual",
                "upstream",
                ("hosts.yaml", GPS, "  gps:\n    - &a-b \"1.25\"\n    - \"25.1\"\n"),
                "hosts.yaml:19: an anchor, an alias or a tag is in the way",
            ),
            (
                "manual",
                "upstream",
                ("hosts.yaml", "    key: deploy\n", "    key: |-\n      deploy\n"),
                "hosts.yaml:5: the value can't be converted in this style",
            ),
            (
                "today",
                "manual",
                ("hosts.yaml", PLACE, "  location: {lat: 1.25, long: 25.1, altitude: 300}\n"),
                "hosts.yaml:4: only `lat` and `long` can be converted",
            ),
            (
                "today",
                "manual",
                ("hosts.yaml", PLACE, "  location:\n    lat: # a\n      1.25\n    long: 25.1\n"),
                "hosts.yaml:5: a comment would be lost",
            ),
            (
                "today",
                "manual",
                ("hosts.yaml", PLACE, "  location:\n    ? lat\n    : 1.25\n    long: 25.1\n"),
                "hosts.yaml:5: the value can't be converted in this style",
            ),
        ] {
            let folder = changed(dialect, change);
            assert!(network(folder.path()).is_some() || change.0 == "keys.yaml", "{change:?}");
            let was = files(folder.path());
            let error = spore(folder.path(), to).unwrap_err();
            assert!(error.starts_with(expected), "{change:?}: {error}");
            assert_eq!(files(folder.path()), was);
        }
    }

    /// git would add the login's password under the new name.
    #[test]
    fn a_file_that_git_ignores_gets_no_name_that_it_would_add() {
        let folder = fixture("folders/same-manual");
        let git = |words: &str| {
            let mut command = std::process::Command::new("git");
            assert!(command.arg("-C").arg(folder.path()).args(words.split(' ')).status().unwrap().success());
        };
        git("init --quiet");
        for (file, line) in [(".gitignore", ""), (".gitattributes", " filter=git-crypt")] {
            fs::write(folder.path().join(file), format!("keys.yaml{line}\n")).unwrap();
            let error = spore(folder.path(), "upstream --dry-run").unwrap_err();
            assert_eq!(error, "git ignores or encrypts keys.yaml, but not auth.yaml");
            fs::write(folder.path().join(file), format!("keys.yaml{line}\nauth.yaml{line}\n")).unwrap();
            spore(folder.path(), "upstream --dry-run").unwrap();
            fs::remove_file(folder.path().join(file)).unwrap();
        }
        spore(folder.path(), "upstream").unwrap();
    }
}
