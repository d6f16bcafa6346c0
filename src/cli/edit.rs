//! The commands that edit the folder: `spore host`, `shape`, `bootstrap`, `key add` and, if the folder
//! has the node's key, `identity rotate`. Each shows the difference, checks the folder as it would be,
//! and only then writes it.

use super::args::{
    Args, BootstrapCommand, EditOptions, HostAddOptions, HostCommand, HostImportOptions, KeyAddOptions,
    ListFormat, ShapeCommand, ShapeOptions,
};
use super::replace::Locked;
use super::{CommandError, Exit, folder, terminal};
use crate::artifact::{Regular, leads_out};
use crate::author::inventory::{self, Listed};
use crate::author::{
    Degrees, Edits, FileChange, Impossible, NewHost, NewKey, NewLogin, NewNode, NewShape, PlaceOfKey,
    Renewed, ShapeChange,
};
use crate::check;
use crate::identity::{NodeKey, PeerId};
use crate::network::{Draft, Files, Finding, Severity, shown};
use crate::render;
use crate::resource::{HostName, NodeName, ShapeName};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

/// The folder that is edited.
struct Folder<'f> {
    path: &'f Path,
    draft: &'f Draft,
}

pub(crate) fn host(args: &Args, command: &HostCommand) -> miette::Result<Exit> {
    match command {
        HostCommand::Add(options) => {
            edit(args, &options.edit, |edits, folder| add_host(edits, folder, options))
        }
        HostCommand::Import(options) => {
            edit(args, &options.edit, |edits, folder| import(edits, folder, options))
        }
        HostCommand::Remove { host, edit: options } => edit(args, options, |edits, folder| {
            let unused = unused_keys(edits, folder, host)?;
            edits.remove_host(host).map_err(|error| impossible(&error))?;
            let retire = format!("if its nodes run, `spore apply --prune` retires {host}");
            Ok(unused.map_or_else(|| retire.clone(), |unused| format!("{retire}\n{unused}")))
        }),
    }
}

pub(crate) fn shape(args: &Args, command: &ShapeCommand) -> miette::Result<Exit> {
    match command {
        ShapeCommand::Add { name, main, options, edit: common } => edit(args, common, |edits, _| {
            let shape = NewShape { name: name.clone(), main: *main, more: change(None, options) };
            edits.add_shape(&shape).map_err(|error| impossible(&error))?;
            Ok(format!("to use it, add hosts with `--shape {name}`"))
        }),
        ShapeCommand::Set { name, main, options, edit: common } => edit(args, common, |edits, _| {
            edits.set_shape(name, &change(*main, options)).map_err(|error| impossible(&error))?;
            Ok("`spore plan` shows which nodes it restarts".to_owned())
        }),
        ShapeCommand::Remove { name, edit: common } => edit(args, common, |edits, _| {
            edits.remove_shape(name).map_err(|error| impossible(&error))?;
            Ok(String::new())
        }),
    }
}

fn change(main: Option<u16>, options: &ShapeOptions) -> ShapeChange {
    let list = |items: &Option<Vec<String>>| {
        items.as_ref().map(|items| items.iter().filter(|item| !item.is_empty()).cloned().collect())
    };
    let ShapeOptions { services, lite, ipfs, plugins } = options;
    ShapeChange { services: list(services), main, lite: *lite, ipfs: *ipfs, plugins: list(plugins) }
}

pub(crate) fn bootstrap(args: &Args, command: &BootstrapCommand) -> miette::Result<Exit> {
    let (BootstrapCommand::Add { nodes, edit: options } | BootstrapCommand::Remove { nodes, edit: options }) =
        command;
    edit(args, options, |edits, _| {
        for NodeName { shape, host, .. } in nodes.iter().map(|node| &node.0) {
            match command {
                BootstrapCommand::Add { .. } => edits.add_elder(shape.as_str(), host.as_str()),
                BootstrapCommand::Remove { .. } => edits.remove_elder(shape.as_str(), host.as_str()),
            }
            .map_err(|error| impossible(&error))?;
        }
        Ok(String::new())
    })
}

pub(crate) fn add_key(args: &Args, options: &KeyAddOptions) -> miette::Result<Exit> {
    let KeyAddOptions { name, user, files, password_file, edit: common } = options;
    edit(args, common, |edits, _| {
        let (name, user) = (name.clone(), user.clone().unwrap_or_else(|| name.clone()));
        let login = NewLogin { name, user, keys: files.clone(), password_file: password_file.clone() };
        edits.add_login(&login).map_err(|error| impossible(&error))?;
        Ok(format!("hosts use it with `--key {}`", login.name))
    })
}

/// Gives a node whose key the folder has another one.
pub(super) fn renew(
    args: &Args,
    options: &EditOptions,
    node: &NodeName,
    old: &PeerId,
) -> miette::Result<Exit> {
    let (host, shape) = (node.host.as_str(), node.shape.as_str());
    edit(args, options, |edits, folder| {
        let place = edits.place_of_key(host, shape).map_err(|error| impossible(&error))?;
        let (key, renewed, note) = match place {
            PlaceOfKey::Here(text) => {
                let old = format!("keys/{shape}@{host}.old.key");
                keep(edits, folder.path, &old, &text)?;
                let key = NodeKey::generate();
                let text = text_of(&key);
                let note = format!("the old key is in {old}; delete it when the node runs with the new key");
                (key, Renewed::Here(text), note)
            }
            PlaceOfKey::File(file) if is_inside(folder.path, &file) => {
                let new = next_file(&file);
                let (key, text) = key_in(folder.path, &new)?;
                if key.peer_id() == *old {
                    let help = format!("remove {new}: spore generates a new one");
                    return Err(CommandError::new(format!("{new} has the same key as {file}"), help).into());
                }
                let mut note = format!("delete {file} when the node runs with the new key");
                match text {
                    Some(text) => edits.secret(&new, text).map_err(|error| impossible(&error))?,
                    None => {
                        note.insert_str(0, &format!("the key in {new}, which was there already, is used\n"))
                    }
                }
                (key, Renewed::File(new), note)
            }
            PlaceOfKey::File(_) | PlaceOfKey::Elsewhere => {
                let what = format!("the key of {node} isn't in the network's folder");
                let help = format!(
                    "replace the key where it is (`spore key node` prints a new one), and delete the `id` of \
                     {node} in the folder, if there is one"
                );
                return Err(CommandError::new(what, help).into());
            }
        };
        let id = key.peer_id().to_string();
        edits.renew(host, shape, &old.to_string(), &id, &renewed).map_err(|error| impossible(&error))?;
        Ok(note)
    })
}

/// Whether a file that the folder names is in the folder.
fn is_inside(folder: &Path, file: &str) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(file).components().all(is_plain) && folder.join(file).exists()
}

/// The file of the key that follows the one in `file`: `keys/elders@h1@2.key` after
/// `keys/elders@h1.key`. Names of hosts and shapes have no `@`.
fn next_file(file: &str) -> String {
    let name = file.rfind('/').map_or(0, |slash| slash + 1);
    let (stem, ending) = match file[name..].rfind('.') {
        Some(dot) if dot > 0 => file.split_at(name + dot),
        _ => (file, ""),
    };
    match stem.rsplit_once('@') {
        Some((node, number))
            if node[name.min(node.len())..].contains('@') && number.parse::<u32>().is_ok() =>
        {
            format!("{node}@{}{ending}", number.parse::<u32>().unwrap_or_default().saturating_add(1))
        }
        _ => format!("{stem}@2{ending}"),
    }
}

/// Runs an edit: reads the folder, lets `make` change it, shows the difference, checks the result
/// and writes it. `make` returns a note for the user.
fn edit(
    args: &Args,
    options: &EditOptions,
    make: impl FnOnce(&mut Edits<'_>, &Folder<'_>) -> miette::Result<String>,
) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let path = folder::of_network(args)?;
    let failed = |what: &str, error: std::io::Error| {
        CommandError::because(format!("can't {what} {}", path.display()), None, Some(error.to_string()))
    };
    let locked = match options.dry_run {
        true => None,
        false => Some(Locked::new(&path).map_err(|error| failed("lock", error))?),
    };
    let (outside, secrets) = (options.folder.outside(), options.secrets());
    let files = Files::read(&path, &outside).map_err(|error| failed("read", error))?;
    let draft = Draft::from_files(&files, secrets);
    let mut edits = Edits::new(&files);
    let note = make(&mut edits, &Folder { path: &path, draft: &draft })?;
    edits.write_derived_ids(&draft);
    let changes = edits.finish();
    if changes.is_empty() {
        terminal::out("nothing to change\n");
        return Ok(Exit::Done);
    }
    show(args, &changes);
    let bytes = |change: &'_ FileChange| change.after.clone().map(String::into_bytes);
    let after: Vec<(&str, Option<Vec<u8>>)> =
        changes.iter().map(|change| (change.path.as_str(), bytes(change))).collect();
    let after = after.iter().map(|(path, bytes)| (*path, bytes.as_deref()));
    let files = Files::read_with(&path, &outside, after).map_err(|error| failed("read", error))?;
    accept(args, &draft, &Draft::from_files(&files, secrets))?;
    let Some(locked) = locked else {
        terminal::out("dry run: nothing was written\n");
        return Ok(Exit::Done);
    };
    write(&locked, &changes)?;
    if !note.is_empty() {
        terminal::out(&format!("{note}\n"));
    }
    let (secrets, others): (Vec<&FileChange>, Vec<&FileChange>) =
        changes.iter().partition(|change| change.is_secret);
    let mut names = match secrets.len() {
        0..=MOST_NAMED => secrets.iter().map(|change| change.path.clone()).collect(),
        count => vec![format!("{count} keys")],
    };
    let (written, deleted): (Vec<&FileChange>, Vec<&FileChange>) =
        others.into_iter().partition(|change| change.after.is_some());
    names.extend(written.iter().map(|change| change.path.clone()));
    let deleted: Vec<&str> = deleted.iter().map(|change| change.path.as_str()).collect();
    let done = [("wrote", names.join(", ")), ("deleted", deleted.join(", "))];
    let done = done.iter().filter(|(_, files)| !files.is_empty());
    let done: Vec<String> = done.map(|(did, files)| format!("{did} {files}")).collect();
    terminal::out(&format!("{}\n", done.join("; ")));
    Ok(Exit::Done)
}

/// The maximum number of new secrets that are named.
const MOST_NAMED: usize = 4;

/// Shows the difference that the changes make; of a secret file only the name.
pub(super) fn show(args: &Args, changes: &[FileChange]) {
    let secrets = changes.iter().filter(|change| change.is_secret);
    match secrets.clone().count() {
        0 => {}
        1..=MOST_NAMED => secrets
            .for_each(|change| terminal::out(&format!("{} (new, readable only by you)\n", change.path))),
        count => terminal::out(&format!("{count} keys (new, readable only by you)\n")),
    }
    for (i, change) in changes.iter().filter(|change| !change.is_secret).enumerate() {
        let shown = |text: &str| shown(&change.path, text);
        let (before, after) = (change.before.as_deref(), change.after.as_deref());
        let text = render::file_diff(&change.path, before, after, shown, terminal::style(args));
        let gap = if i == 0 { "" } else { "\n" };
        terminal::out(&format!("{gap}{text}"));
    }
    terminal::out("\n");
}

/// Fails if the folder as it would be has an error. Names the warnings that it doesn't have yet, and
/// counts all.
pub(super) fn accept(args: &Args, before: &Draft, after: &Draft) -> miette::Result<()> {
    let warnings = warnings_of(args, before, after)?;
    let mut known: Vec<String> = found(before).iter().map(|known| render::wording(known).message).collect();
    for warning in &warnings {
        let message = render::wording(warning).message;
        if let Some(at) = known.iter().position(|known| *known == message) {
            known.swap_remove(at);
        } else {
            let place = warning.places().first().map(|place| format!(" ({place})")).unwrap_or_default();
            terminal::note(&format!("new warning: {message}{place}"));
        }
    }
    if !warnings.is_empty() {
        terminal::note(&format!("{} in the folder: see `spore check`", render::tally(&warnings)));
    }
    Ok(())
}

/// Everything that `spore check` finds in a folder.
fn found(draft: &Draft) -> Vec<Finding> {
    let mut draft = draft.clone();
    draft.report(check::check(&draft));
    draft.problems()
}

/// The warnings about the folder as it would be.
///
/// # Errors
/// It would have errors, which are shown.
pub(super) fn warnings_of(args: &Args, before: &Draft, after: &Draft) -> miette::Result<Vec<Finding>> {
    let (errors, mut others): (Vec<Finding>, Vec<Finding>) =
        found(after).into_iter().partition(Finding::is_error);
    if errors.is_empty() {
        others.retain(|problem| problem.severity() == Severity::Warning);
        return Ok(others);
    }
    terminal::note(render::problems(&errors, terminal::error_style(args)).trim_end());
    let (what, help) = match found(before).iter().filter(|problem| problem.is_error()).count() {
        0 => (
            "nothing was written: with this change, the folder would have",
            "change what the errors name first, or pass other options",
        ),
        _ => (
            "nothing was written: the folder has",
            "fix the errors first; `spore check` shows those that it has now",
        ),
    };
    Err(CommandError::new(format!("{what} {}", render::counted(errors.len(), "error")), help).into())
}

/// Writes the changes, in their order.
pub(super) fn write(locked: &Locked, changes: &[FileChange]) -> miette::Result<()> {
    for (i, change) in changes.iter().enumerate() {
        locked.write(change).map_err(|error| {
            let done: Vec<&str> = changes[..i].iter().map(|change| change.path.as_str()).collect();
            let help = match done.is_empty() {
                true => "nothing was written; run the command again".to_owned(),
                false => format!(
                    "{} had been written already; run the command again for the rest",
                    done.join(", ")
                ),
            };
            CommandError::because(format!("can't write {}", change.path), Some(help), Some(error.to_string()))
        })?;
    }
    Ok(())
}

pub(super) fn impossible(error: &Impossible) -> CommandError {
    CommandError::because(error.to_string(), error.by_hand(), None)
}

fn add_host(edits: &mut Edits<'_>, folder: &Folder<'_>, options: &HostAddOptions) -> miette::Result<String> {
    let HostAddOptions { name, addr, ssh, jump, key, shapes, gps, keys_on_host, edit: _ } = options;
    let listed = Listed {
        name: name.clone(),
        addresses: addr.clone(),
        sshd: ssh.clone().unwrap_or_default(),
        jumps: jump.clone(),
        logins: key.clone(),
        shapes: shapes.clone(),
        location: gps.clone(),
    };
    add(edits, folder, listed, *keys_on_host)?;
    Ok(format!("`spore plan --target @{name}` shows what it gets"))
}

/// Adds a host with a new key for each of its nodes, unless these are to be generated `on_host`.
fn add(edits: &mut Edits<'_>, folder: &Folder<'_>, listed: Listed, on_host: bool) -> miette::Result<()> {
    let Listed { name, addresses, sshd, jumps, logins: named, shapes, location } = listed;
    let bare = addresses.first().map(|address| address.split('/').next().unwrap_or_default().to_owned());
    let mut nodes = Vec::new();
    for shape in shapes.iter().collect::<BTreeSet<_>>() {
        if on_host {
            nodes.push(NewNode { shape: shape.clone(), key: None });
            continue;
        }
        let (node, text) = new_node(folder.path, shape, &name)?;
        if let (Some(key), Some(text)) = (&node.key, text) {
            edits.secret(&key.file, text).map_err(|error| impossible(&error))?;
        }
        nodes.push(node);
    }
    let host = NewHost {
        logins: logins(folder.draft, sshd.user.as_deref(), &named)?,
        name,
        addresses,
        ssh_address: sshd.address.or(bare).unwrap_or_default(),
        ssh_port: sshd.port,
        jumps,
        location: location.map(|Degrees(degrees)| degrees),
        nodes,
    };
    edits.add_host(&host).map_err(|error| impossible(&error).into())
}

/// The maximum size of a list of hosts.
const LONGEST_LIST: u64 = 16_000_000;

/// Adds the hosts of a list that aren't in the folder yet.
fn import(edits: &mut Edits<'_>, folder: &Folder<'_>, options: &HostImportOptions) -> miette::Result<String> {
    let HostImportOptions { file, hosts, format, key, shapes, keys_on_host, edit: _ } = options;
    let unreadable = |why: String| {
        CommandError::because(format!("can't read the hosts in {}", file.display()), None, Some(why))
    };
    let format = format.or_else(|| format_of(file)).ok_or_else(|| {
        let help = "name it: --format csv, terraform, ansible or ssh-config";
        CommandError::new(format!("the name of {} doesn't tell its format", file.display()), help)
    })?;
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().take(LONGEST_LIST).read_to_string(&mut text),
        false => File::open(file).and_then(|file| file.take(LONGEST_LIST).read_to_string(&mut text)),
    };
    read.map_err(|error| unreadable(error.to_string()))?;
    let known: BTreeSet<ShapeName> = folder.draft.shapes.keys().cloned().collect();
    let mut listed =
        inventory::read(format.into(), &text, &known).map_err(|error| unreadable(error.to_string()))?;
    if let Some(absent) = hosts.iter().find(|name| !listed.iter().any(|host| host.name == **name)) {
        return Err(unreadable(format!("it doesn't list {absent}")).into());
    }
    listed.retain(|host| hosts.is_empty() || hosts.contains(&host.name));
    let (there, new): (Vec<Listed>, Vec<Listed>) =
        listed.into_iter().partition(|host| folder.draft.hosts.contains_key(&host.name));
    let added = render::counted(new.len(), "host");
    for mut host in new {
        if host.addresses.is_empty() {
            let what = format!("the list has no IP address of {}", host.name);
            let help = "give it one: `addr` (spore_addr in an inventory), or the IP address of its sshd";
            return Err(CommandError::new(what, help).into());
        }
        if host.logins.is_empty() {
            host.logins.clone_from(key);
        }
        if host.shapes.is_empty() {
            host.shapes.clone_from(shapes);
        }
        add(edits, folder, host, *keys_on_host)?;
    }
    let names: Vec<&str> = there.iter().map(|host| host.name.as_str()).collect();
    Ok(match names.is_empty() {
        true => format!("added {added}"),
        false => format!("added {added}; in the folder already: {}", names.join(", ")),
    })
}

/// The format that the name of a file suggests.
fn format_of(file: &Path) -> Option<ListFormat> {
    let name = file.file_name()?.to_str()?.to_ascii_lowercase();
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => Some(ListFormat::Csv),
        Some("ini") => Some(ListFormat::Ansible),
        _ if name == "config" || name == "ssh_config" => Some(ListFormat::SshConfig),
        _ => None,
    }
}

/// The logins of a new host.
fn logins(draft: &Draft, user: Option<&str>, named: &[String]) -> miette::Result<Vec<String>> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    if let Some(user) = user {
        let of_user =
            draft.logins.values().filter(|login| login.user.as_ref().is_some_and(|name| name.value == user));
        let names: Vec<String> = of_user.map(|login| login.name.value.clone()).collect();
        if names.is_empty() {
            return Err(CommandError::new(
                format!("no login in the folder has the user `{user}`"),
                format!("add one with `spore key add {user} --file ~/.ssh/id_ed25519`"),
            )
            .into());
        }
        return Ok(names);
    }
    let used: BTreeSet<Vec<&str>> = draft
        .hosts
        .values()
        .filter_map(|host| host.ssh.as_ref())
        .map(|ssh| ssh.logins.iter().map(|login| login.value.as_str()).collect())
        .collect();
    let all: Vec<&str> = draft.logins.keys().map(String::as_str).collect();
    let names = match (used.iter().collect::<Vec<_>>().as_slice(), all.as_slice()) {
        ([one], _) => (*one).clone(),
        (_, [one]) => vec![*one],
        _ => {
            return Err(CommandError::new(
                "it isn't clear which login the host has",
                format!("name it with `--key`: {}", all.join(", ")),
            )
            .into());
        }
    };
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// A new node, and the text of its key's file; none if the file is there, because an earlier
/// command was cut off or the host was removed and comes back.
fn new_node(folder: &Path, shape: &ShapeName, host: &HostName) -> miette::Result<(NewNode, Option<String>)> {
    let key_file = format!("keys/{shape}@{host}.key");
    let (key, text) = key_in(folder, &key_file)?;
    let key = NewKey { id: key.peer_id().to_string(), file: key_file };
    Ok((NewNode { shape: shape.clone(), key: Some(key) }, text))
}

/// The key in a file, or a new key and the text of the file.
fn key_in(folder: &Path, key_file: &str) -> miette::Result<(NodeKey, Option<String>)> {
    let path = folder.join(key_file);
    let unusable = |why: String| {
        let help = "fix or remove it: spore generates a new one".to_owned();
        CommandError::because(format!("can't use {key_file}"), Some(help), Some(why))
    };
    Ok(match path.symlink_metadata() {
        Ok(_) => {
            let root = folder.canonicalize().map_err(|error| unusable(error.to_string()))?;
            if leads_out(&path, &root) {
                return Err(unusable("it is a link that leads out of the folder".to_owned()).into());
            }
            let opened = Regular::open(&path).map_err(|error| unusable(error.to_string()))?;
            let bytes = opened.read(1 << 16).map_err(|error| unusable(error.to_string()))?;
            let text = String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default();
            (text.trim().parse::<NodeKey>().map_err(|error| unusable(error.to_string()))?, None)
        }
        Err(_) => {
            let key = NodeKey::generate();
            let text = format!("{}\n", text_of(&key));
            (key, Some(text))
        }
    })
}

fn text_of(key: &NodeKey) -> String {
    String::from_utf8_lossy(key.expose().expose()).trim_end().to_owned()
}

/// Puts the keys of a host that are written among the hosts into files of their own, and returns a
/// note on all files with keys of the host's nodes.
fn unused_keys(
    edits: &mut Edits<'_>,
    folder: &Folder<'_>,
    host: &HostName,
) -> miette::Result<Option<String>> {
    let Some(found) = folder.draft.hosts.get(host) else { return Ok(None) };
    let (mut kept, mut files) = (Vec::new(), BTreeSet::new());
    for shape in found.nodes.keys() {
        match edits.place_of_key(host.as_str(), shape.as_str()).map_err(|error| impossible(&error))? {
            PlaceOfKey::Here(text) => {
                let file = format!("keys/{shape}@{host}.key");
                keep(edits, folder.path, &file, &text)?;
                kept.push(format!("the key of {shape}@{host} is kept in {file}"));
                files.insert(file);
            }
            PlaceOfKey::File(file) => drop(files.insert(file)),
            PlaceOfKey::Elsewhere => {}
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    let files = files.into_iter().collect::<Vec<_>>().join(", ");
    kept.push(format!("delete {files} if the host won't come back"));
    Ok(Some(kept.join("\n")))
}

/// Writes a key that the folder would lose into a file, unless the file has it already.
fn keep(edits: &mut Edits<'_>, folder: &Path, file: &str, key: &str) -> miette::Result<()> {
    let key = key.trim();
    match std::fs::read_to_string(folder.join(file)) {
        Ok(there) if there.trim() == key => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            edits.secret(file, format!("{key}\n")).map_err(|error| impossible(&error).into())
        }
        _ => Err(CommandError::new(
            format!("{file} is in the way: the key that is now among the hosts has to be kept there"),
            "move or remove that file",
        )
        .into()),
    }
}
