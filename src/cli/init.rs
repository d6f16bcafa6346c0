//! `spore init`: creates the folder of a new network. `spore networks`: lists the networks of the
//! user.

use super::args::{Args, DomainArg, InitOptions};
use super::edit::write;
use super::replace::{self, Locked};
use super::{CommandError, Exit, folder, terminal};
use crate::author::{self, FileChange, LAST, NewLogin, NewNetwork, PRIVATE_KEY, PUBLIC_KEY, SWARM_KEY};
use crate::check;
use crate::identity::{SwarmKey, ValidationKeys};
use crate::network::{Draft, Files, Finding, Links, Secrets, is_network};
use crate::render;
use crate::resource::{Printable, SecretBytes};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The texts of the files of a folder that isn't complete, by path.
pub(super) type Existing = BTreeMap<String, String>;

const HELP: &str = "name a new or an empty folder: spore init DOMAIN FOLDER";

/// What each file is for.
const FILES: &[(&str, &str)] = &[
    ("cloud.yaml", "the network: its domains, and which nodes are its elders"),
    ("auth.yaml", "the SSH logins"),
    ("shapes.yaml", "the templates of nodes"),
    ("hosts.yaml", "the hosts and their nodes"),
    ("keys/", "the secrets: readable only by you, and ignored by git"),
];

pub(crate) fn run(args: &Args, options: &InitOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let asked = Asked::of(options)?;
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None if args.network.is_some() => {
            let what = "`-n` and SPORE_NETWORK name a network that exists already";
            return Err(CommandError::new(what, HELP).into());
        }
        None => networks(HELP)?.join(&asked.root),
    };
    let existing = existing(&folder, &[], HELP)?;
    let keys = Keys::of(&existing)?;
    let login = NewLogin {
        name: "admin".to_owned(),
        user: asked.user,
        keys: asked.key.into_iter().collect(),
        password_file: None,
    };
    let network = NewNetwork {
        root: asked.root,
        generated: asked.generated,
        login,
        swarm_key: keys.swarm,
        validation: keys.validation,
    };
    let refused = |what: String| CommandError::new(what, HELP);
    let files = author::create(&network).map_err(|error| refused(error.to_string()))?;
    check(args, &folder, &files, "pass other options")?;
    let files = remaining(files, &existing).map_err(|path| {
        refused(format!("{} already exists, and has other contents", folder.join(path).display()))
    })?;
    let failed = |error: std::io::Error| {
        CommandError::because(format!("can't create {}", folder.display()), None, Some(error.to_string()))
    };
    replace::create_folder(&folder, !folder.exists()).map_err(failed)?;
    let locked = Locked::new(&folder).map_err(failed)?;
    write(&locked, &files)?;
    terminal::out(&format!("created {}\n", folder.display()));
    for (name, what) in FILES {
        terminal::out(&format!("  {name:<12} {what}\n"));
    }
    let at = if folder == Path::new(".") { String::new() } else { format!(" -n {}", shown(&folder)) };
    terminal::out(&format!(
        "next: spore{at} host add h1 --addr IP --shape elders, and spore{at} bootstrap add elders@h1\n"
    ));
    Ok(Exit::Done)
}

/// The folder as `-n` takes it.
pub(super) fn shown(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let by_name = networks(HELP).is_ok_and(|networks| folder.parent() == Some(&networks));
    let text = name.filter(|_| by_name).unwrap_or_else(|| folder.display().to_string());
    Printable::line(&text).into()
}

/// What the user was asked for, or has given as an option.
struct Asked {
    root: String,
    generated: String,
    user: String,
    key: Option<String>,
}

impl Asked {
    /// Prompts for what isn't given, on a terminal only.
    fn of(options: &InitOptions) -> miette::Result<Self> {
        let attended = terminal::is_attended();
        let ask = |question: &str, default: &str| match attended {
            true => terminal::ask_for(question, default),
            false => default.to_owned(),
        };
        let domain = |text: &str| {
            text.parse::<DomainArg>()
                .map(|domain| domain.0)
                .map_err(|error| CommandError::new(format!("`{text}` isn't a domain"), error))
        };
        let root = match &options.domain {
            Some(domain) => domain.0.clone(),
            None if attended => domain(&terminal::ask_for("root domain of the network", ""))?,
            None => {
                return Err(CommandError::new(
                    "no domain is given, and there is no terminal to prompt on",
                    "pass it: spore init example.org",
                )
                .into());
            }
        };
        let generated = match &options.generated {
            Some(domain) => domain.0.clone(),
            None => domain(&ask("parent domain of generated domains", &format!("g.{root}")))?,
        };
        let user = options.user.clone().unwrap_or_else(|| ask("SSH user of the hosts", "root"));
        let key = options
            .key
            .clone()
            .unwrap_or_else(|| ask("its private key, or nothing for your agent's keys", ""));
        Ok(Self { root, generated, user, key: Some(key).filter(|key| !key.is_empty()) })
    }
}

/// The files of a folder that isn't complete, because an earlier command was interrupted; none if
/// it is new or empty. Hidden files don't count: the folder may be a git repository already. `more` are
/// files that it may have besides those of every new network.
pub(super) fn existing(folder: &Path, more: &[&str], help: &str) -> miette::Result<Existing> {
    let failed = |error: std::io::Error| {
        CommandError::because(format!("can't read {}", folder.display()), None, Some(error.to_string()))
    };
    let mut files = Existing::new();
    if !folder.exists() {
        return Ok(files);
    }
    let own = [".gitignore", "auth.yaml", "shapes.yaml", "hosts.yaml", SWARM_KEY, PRIVATE_KEY, PUBLIC_KEY];
    let names = [&own, more].concat();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !names.contains(&name.as_str()) && name != "keys" {
            let what = match name == LAST {
                true => format!("there is a network in {} already", folder.display()),
                false => format!("{} isn't empty: it has {name}", folder.display()),
            };
            return Err(CommandError::new(what, help).into());
        }
    }
    for name in names {
        if let Ok(text) = fs::read_to_string(folder.join(name)) {
            files.insert(name.to_owned(), text);
        }
    }
    Ok(files)
}

/// The keys of a new network.
struct Keys {
    swarm: String,
    validation: [String; 2],
}

impl Keys {
    /// New keys, or those that an interrupted command has left.
    fn of(existing: &Existing) -> miette::Result<Self> {
        let unusable = |path: &str, why: String| {
            CommandError::because(format!("can't use {path}"), Some("remove it".to_owned()), Some(why))
        };
        let swarm = match existing.get(SWARM_KEY) {
            Some(text) => {
                SwarmKey::parse(text.as_bytes()).map_err(|error| unusable(SWARM_KEY, error.to_string()))?;
                text.clone()
            }
            None => format!("{}\n", text(SwarmKey::generate().line()).trim_end()),
        };
        let pair = match existing.get(PRIVATE_KEY) {
            Some(text) => ValidationKeys::new(Some(text.as_bytes()), None)
                .map_err(|error| unusable(PRIVATE_KEY, error.to_string()))?,
            None => ValidationKeys::generate(),
        };
        let private = pair.private().map(text).unwrap_or_default();
        Ok(Self { swarm, validation: [private, pair.public().to_owned()] })
    }
}

fn text(secret: &SecretBytes) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// Fails if the folder would have an error.
pub(super) fn check(args: &Args, folder: &Path, files: &[FileChange], help: &str) -> miette::Result<()> {
    let mut new = Files::new(folder);
    for FileChange { path, after, .. } in files.iter().filter(|file| !file.path.starts_with('.')) {
        new.insert(path.clone(), after.clone().unwrap_or_default());
    }
    let draft = Draft::from_files(&new, Secrets::Needed);
    let mut problems = draft.problems();
    problems.extend(check::check(&draft));
    problems.retain(Finding::is_error);
    if problems.is_empty() {
        return Ok(());
    }
    terminal::note(render::problems(&problems, terminal::error_style(args)).trim_end());
    let what = format!("nothing was written: the folder would have {}", render::tally(&problems));
    Err(CommandError::new(what, help).into())
}

/// The files that have to be written. `Err` names one that has other contents.
pub(super) fn remaining(files: Vec<FileChange>, existing: &Existing) -> Result<Vec<FileChange>, String> {
    let mut remaining = Vec::new();
    for file in files {
        match existing.get(&file.path) {
            None => remaining.push(file),
            Some(text) if Some(text) == file.after.as_ref() => {}
            // The user's own lines stay.
            Some(text) if file.path == ".gitignore" => {
                let has = |wanted: &str| text.lines().any(|line| line.trim() == wanted);
                let wanted = file.after.clone().unwrap_or_default();
                let missing: Vec<&str> = wanted.lines().filter(|line| !has(line.trim())).collect();
                if missing.iter().any(|line| !line.starts_with('#')) {
                    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                    let after = Some(format!("{text}{gap}{}\n", missing.join("\n")));
                    remaining.push(FileChange { before: Some(text.clone()), after, ..file });
                }
            }
            Some(_) => return Err(file.path),
        }
    }
    Ok(remaining)
}

/// The folder with the networks of the user.
pub(super) fn networks(help: &str) -> miette::Result<PathBuf> {
    let home = folder::home().ok_or_else(|| CommandError::new("HOME isn't set", help))?;
    Ok(home.join(folder::NETWORKS))
}

/// Lists the networks that `-n NAME` finds.
pub(crate) fn list() -> miette::Result<Exit> {
    let folder = networks(HELP)?;
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let what = format!("can't read {}", folder.display());
            return Err(CommandError::because(what, None, Some(error.to_string())).into());
        }
    };
    let mut rows: Vec<[String; 3]> = entries
        .into_iter()
        .filter(|path| path.is_dir() && is_network(path).unwrap_or(false))
        .map(|path| row(&path))
        .collect();
    rows.sort();
    if rows.is_empty() {
        terminal::out(&format!("no networks in {}; `spore init DOMAIN` creates one\n", folder.display()));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (first, second) = (width(0), width(1));
    for [name, root, size] in &rows {
        terminal::out(&format!("{name:<first$}  {root:<second$}  {size}\n"));
    }
    Ok(Exit::Done)
}

/// The name of a network, its root domain and its size.
fn row(path: &Path) -> [String; 3] {
    let draft = Draft::read(path, Secrets::Elsewhere, Links::Inside);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let root = draft.domain.root.as_ref().map_or("?", |root| root.shown());
    let nodes: usize = draft.hosts.values().map(|host| host.nodes.len()).sum();
    let hosts = render::counted(draft.hosts.len(), "host");
    [
        Printable::line(&name).into(),
        Printable::line(root).into(),
        format!("{hosts}, {}", render::counted(nodes, "node")),
    ]
}
