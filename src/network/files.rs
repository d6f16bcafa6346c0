//! The folder's files in memory: everything that is needed from the file system to read a
//! network.
//!
//! `check` and `plan` may be run on folders that someone else wrote. A symbolic link in
//! such a folder must not cause a file outside the folder to be read, because its contents
//! might then be shown or sent to a host. [`Bounds`] says where a file may be, [`Regular`]
//! which kinds of files are opened. The size of each file is limited, and so is the size of
//! all files together.

use super::At;
use super::component::{ENDINGS, stem};
use super::git;
use crate::artifact::{FileError, Regular, leads_out};
use crate::finding::{Bounds, Component, InGit, Start, UnreadableFile};
use crate::identity::holds_private_key;
use crate::resource::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component as Part, Path, PathBuf};

/// The folder of key files, which may also contain the logins.
const KEYS: &str = "keys";
/// The folder of plugins, with one file for each plugin.
pub(super) const PLUGINS: &str = "plugins";
/// The maximum size of a file that is read.
const MOST_BYTES: u64 = 16_000_000;
/// The maximum size of all files together, because many links can lead to one big file.
const MOST_TOGETHER: u64 = 32_000_000;
/// The maximum size of all plugins together, which are held in memory, too, before they are
/// sent.
const MOST_OF_PLUGINS: u64 = 1 << 30;
/// How much of a plugin is searched for a private key. Private keys are shorter.
const LONGEST_KEY: u64 = 64 << 10;

/// Which symbolic links to secrets are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Links that stay in the folder.
    Inside,
    /// All links, because the user trusts the folder.
    Followed,
}

/// Where secrets may be besides the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Which links to secrets are followed.
    pub links: Links,
    /// A folder with secrets that aren't in the network's folder. A file that the network's
    /// folder names by a relative path is looked for here if it isn't there.
    pub secrets: Option<PathBuf>,
}

impl From<Links> for Outside {
    fn from(links: Links) -> Self {
        Self { links, secrets: None }
    }
}

/// The folder in the folder of secrets that has the keys of nodes, `SHAPE@HOST.key`.
const NODES: &str = "nodes";

/// The bounds of a secret whose path is written in the folder. A path that leads out of the
/// folder as it is written may lead anywhere.
fn bounds_of_secret(written: &str, links: Links) -> Bounds {
    let mut depth = 0_usize;
    let leads_out = Path::new(written).components().any(|part| match part {
        Part::RootDir | Part::Prefix(_) => true,
        Part::CurDir => false,
        Part::Normal(_) => {
            depth += 1;
            false
        }
        Part::ParentDir => match depth.checked_sub(1) {
            Some(less) => {
                depth = less;
                false
            }
            None => true,
        },
    });
    match links {
        Links::Inside if !leads_out && !written.starts_with("~/") => Bounds::Secret,
        Links::Inside | Links::Followed => Bounds::Anywhere,
    }
}

/// The bounds of a file in the folder of secrets.
fn bounds_in_secrets(links: Links) -> Bounds {
    match links {
        Links::Inside => Bounds::Secrets,
        Links::Followed => Bounds::Anywhere,
    }
}

/// The files of a network folder, by their paths relative to it, with `/` as the separator.
#[derive(Clone, Debug, Default)]
pub struct Files {
    folder: PathBuf,
    /// The folder's path without any symbolic link.
    root: PathBuf,
    /// The path of the folder of secrets, without any symbolic link.
    secrets: PathBuf,
    /// The named files that were found only in the folder of secrets.
    elsewhere: BTreeSet<String>,
    /// The size of everything that was read; `plugins` is the size of the plugins.
    read: u64,
    plugins: u64,
    found: BTreeMap<String, Found>,
    /// The files on which users other than their owner have permissions.
    open: BTreeSet<String>,
    /// Files that aren't read although their place suggests it: YAML files that belong to
    /// no component, and files in a component's folder without the extension of YAML.
    unread: Vec<String>,
    /// The named files that git doesn't ignore.
    in_git: BTreeMap<String, InGit>,
}

/// The result of looking for a file.
#[derive(Clone)]
pub enum Found {
    /// The file's bytes.
    File(Vec<u8>),
    /// The file exists, but its contents aren't kept, because it is a plugin.
    Unopened,
    /// The file exists, but couldn't be read.
    Unreadable(UnreadableFile),
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => write!(f, "File({} bytes)", bytes.len()),
            Self::Unopened => f.write_str("Unopened"),
            Self::Unreadable(why) => write!(f, "Unreadable({why:?})"),
        }
    }
}

impl Files {
    /// An empty folder at this path.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..Self::default() }
    }

    /// Adds a file.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.found.insert(path.into(), Found::File(bytes.into()));
    }

    /// Reads a folder, and the files that it names.
    ///
    /// # Errors
    /// The folder itself can't be read.
    pub fn read(folder: &Path, outside: &Outside) -> io::Result<Self> {
        Self::read_with(folder, outside, [])
    }

    /// Reads a folder as it would be with these files, by path, or without those that are
    /// `None`. A file that isn't read because it is a link out of the folder stays as it is.
    ///
    /// # Errors
    /// The folder itself can't be read.
    pub fn read_with<'c>(
        folder: &Path,
        outside: &Outside,
        changes: impl IntoIterator<Item = (&'c str, Option<&'c [u8]>)>,
    ) -> io::Result<Self> {
        let mut files = Self::gather(folder)?;
        for (path, bytes) in changes {
            match bytes {
                Some(_) if files.leads_out(path) => {}
                Some(bytes) => files.insert(path, bytes),
                None => drop(files.found.remove(path)),
            }
        }
        if let Some(secrets) = &outside.secrets {
            files.secrets = fs::canonicalize(secrets)?;
        }
        let named = super::named(&files);
        for path in &named {
            files.load_named(path, outside);
        }
        if let Some(secrets) = &outside.secrets {
            files.load_nodes(secrets, outside.links)?;
            files.load_accounts(secrets, outside.links);
        }
        let paths = named.into_iter().filter_map(|path| Some((path.clone(), files.path_of(&path)?)));
        files.in_git = git::unignored(paths.collect());
        Ok(files)
    }

    fn leads_out(&self, path: &str) -> bool {
        matches!(self.found.get(path), Some(Found::Unreadable(UnreadableFile::Outside(_))))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The text of a file, if it was read and is text.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.found.get(path)? {
            Found::File(bytes) => std::str::from_utf8(bytes).ok(),
            Found::Unopened | Found::Unreadable(_) => None,
        }
    }

    /// The names of the plugins.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &str> {
        self.below(PLUGINS).map(|path| &path[PLUGINS.len() + 1..])
    }

    /// Whether there is such a file, readable or not.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.found.contains_key(path)
    }

    /// Reads the components of the folder, but none of the files that they name.
    ///
    /// # Errors
    /// The folder itself can't be read.
    fn gather(folder: &Path) -> io::Result<Self> {
        let mut files = Self { root: fs::canonicalize(folder)?, ..Self::new(folder) };
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let known = |name: &str| Component::ALL.iter().any(|part| part.names().contains(&name));
            let path = entry.path();
            let is_inside_folder = || path.is_dir() && files.holds(&path);
            if known(&name) && is_inside_folder() {
                files.gather_below(&name, &path)?;
            } else if stem(&name).is_some_and(known)
                || known(&name) && name != KEYS && path.symlink_metadata()?.is_symlink()
            {
                // A link with the name of a component was meant to be its folder, even if
                // it dangles or leads out of this folder. Loading it reports the problem.
                let key = if stem(&name).is_some() { name } else { format!("{name}.{}", ENDINGS[0]) };
                files.load(key, &path, Bounds::Folder);
            } else if name == PLUGINS && path.is_symlink() && !files.holds(&path) {
                // The report must not reveal which files exist outside the folder.
                let outside = Found::Unreadable(UnreadableFile::Outside(Bounds::Plugins));
                files.found.insert(format!("{PLUGINS}/"), outside);
            } else if name == PLUGINS && path.is_dir() {
                files.note_plugins(&path)?;
            } else if stem(&name.to_ascii_lowercase()).is_some() {
                files.unread.push(name);
            }
        }
        files.unread.sort();
        Ok(files)
    }

    fn gather_below(&mut self, name: &str, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(file) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            if file.starts_with('.') {
                continue;
            }
            if stem(&file).is_some() {
                self.load(format!("{name}/{file}"), &path, Bounds::Folder);
            } else if stem(&file.to_ascii_lowercase()).is_some() || name != KEYS && path.is_file() {
                self.unread.push(format!("{name}/{file}"));
            } else if path.is_dir() && self.holds(&path) {
                // Entries in subfolders aren't read, which is reported.
                for inner in fs::read_dir(path)?.flatten() {
                    let inner = inner.file_name();
                    if let Some(inner) = inner.to_str().filter(|inner| stem(inner).is_some()) {
                        self.insert(format!("{name}/{file}/{inner}"), Vec::new());
                    }
                }
            }
        }
        self.found.entry(format!("{name}/")).or_insert(Found::Unreadable(UnreadableFile::NotAFile));
        Ok(())
    }

    /// Whether a path is in the folder, after following every symbolic link.
    fn holds(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|path| path.starts_with(&self.root))
    }

    /// Records which plugins exist. Only their beginning is read, to search it for private
    /// keys.
    fn note_plugins(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let Ok(file) = entry.file_name().into_string() else { continue };
            if path.is_dir() && self.holds(&path) {
                continue;
            }
            let found = match self.note_plugin(&path) {
                Ok(()) => Found::Unopened,
                Err(Some(why)) => Found::Unreadable(why),
                Err(None) => continue,
            };
            self.found.insert(format!("{PLUGINS}/{file}"), found);
        }
        Ok(())
    }

    fn note_plugin(&mut self, path: &Path) -> Result<(), Option<UnreadableFile>> {
        let opened = self.open(path, Bounds::Plugins)?;
        self.plugins = self.plugins.saturating_add(opened.metadata.len());
        if self.plugins > MOST_OF_PLUGINS {
            return Err(Some(UnreadableFile::TooMuch(MOST_OF_PLUGINS)));
        }
        let mut head = Vec::new();
        opened.file.take(LONGEST_KEY).read_to_end(&mut head).map_err(failed)?;
        if holds_private_key(&head) { Err(Some(UnreadableFile::PrivateKey)) } else { Ok(()) }
    }

    /// Reads a further file, by its path as written in the folder.
    fn load_named(&mut self, written: &str, outside: &Outside) {
        if self.found.contains_key(written) {
            return;
        }
        if let Some(path) = self.path_of(written) {
            self.load(written.to_owned(), &path, bounds_of_secret(written, outside.links));
        }
        let is_relative = !written.starts_with(['/', '~']);
        if let Some(secrets) = outside.secrets.as_ref().filter(|_| is_relative)
            && !self.found.contains_key(written)
        {
            self.load(written.to_owned(), &secrets.join(written), bounds_in_secrets(outside.links));
            if self.found.contains_key(written) {
                self.elsewhere.insert(written.to_owned());
            }
        }
    }

    /// The path of a named file: in the folder of secrets, if it was found only there.
    pub(super) fn place_of(&self, written: &str) -> PathBuf {
        let folder = if self.elsewhere.contains(written) { &self.secrets } else { &self.folder };
        folder.join(written)
    }

    /// Reads the keys of nodes.
    fn load_nodes(&mut self, secrets: &Path, links: Links) -> io::Result<()> {
        let entries = match fs::read_dir(secrets.join(NODES)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && secrets.is_dir() => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && name.ends_with(".key")
            {
                let key = format!("{NODES}/{name}");
                // A file of this name that the network's folder names is in that folder.
                if !self.found.contains_key(&key) {
                    self.load(key, &entry.path(), bounds_in_secrets(links));
                }
            }
        }
        Ok(())
    }

    /// Reads the configuration of `accounts`, in which everything is secret, unless the network's
    /// folder has one.
    fn load_accounts(&mut self, secrets: &Path, links: Links) {
        let [name] = *Component::Accounts.names() else { return };
        let known =
            |files: &Self| files.is_folder(name) || files.found.keys().any(|key| stem(key) == Some(name));
        for ending in ENDINGS {
            let key = format!("{name}.{ending}");
            if !known(self) {
                self.load(key.clone(), &secrets.join(key), bounds_in_secrets(links));
            }
        }
    }

    /// The path of the key of a node, if it isn't named.
    pub(super) fn key_of(shape: &str, host: &str) -> String {
        format!("{NODES}/{shape}@{host}.key")
    }

    fn path_of(&self, written: &str) -> Option<PathBuf> {
        match written.strip_prefix("~/") {
            Some(rest) => Some(std::env::home_dir()?.join(rest)),
            None => Some(self.folder.join(written)),
        }
    }

    fn load(&mut self, key: String, path: &Path, bounds: Bounds) {
        match self.bytes(path, bounds) {
            Ok((bytes, open)) => {
                if open {
                    self.open.insert(key.clone());
                }
                self.found.insert(key, Found::File(bytes));
            }
            Err(Some(why)) => {
                self.found.insert(key, Found::Unreadable(why));
            }
            Err(None) => {}
        }
    }

    /// Whether these bytes occur in any of the files.
    pub(super) fn mention(&self, text: &[u8]) -> bool {
        self.found.values().any(|found| match found {
            Found::File(bytes) => memchr::memmem::find(bytes, text).is_some(),
            Found::Unopened | Found::Unreadable(_) => false,
        })
    }

    /// The digests of the files, by path.
    pub(super) fn digests(&self) -> BTreeMap<String, Sha256> {
        let digest = |(path, found): (&String, &Found)| match found {
            Found::File(bytes) => Some((path.clone(), Sha256::of(bytes))),
            Found::Unopened | Found::Unreadable(_) => None,
        };
        self.found.iter().filter_map(digest).collect()
    }

    /// The file with what git does with it, unless git ignores it.
    pub(super) fn in_git(&self, file: At<String>) -> Option<(At<String>, InGit)> {
        let standing = *self.in_git.get(&file.value)?;
        Some((file, standing))
    }

    /// Whether users other than the file's owner have permissions on it.
    pub(super) fn is_open(&self, path: &str) -> bool {
        self.open.contains(path)
    }

    pub(super) fn get(&self, path: &str) -> Option<&Found> {
        self.found.get(path)
    }

    pub(super) fn entry(&self, path: &str) -> Option<(&str, &Found)> {
        self.found.get_key_value(path).map(|(path, found)| (path.as_str(), found))
    }

    /// The paths in a folder and its subfolders.
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{folder}/");
        let start = prefix.clone();
        let paths = self.found.range(start..).map(|(path, _)| path.as_str());
        paths.take_while(move |path| path.starts_with(&prefix)).filter(|path| !path.ends_with('/'))
    }

    pub(super) fn is_folder(&self, folder: &str) -> bool {
        self.found.contains_key(&format!("{folder}/")) || self.below(folder).next().is_some()
    }

    pub(super) fn unread(&self) -> &[String] {
        &self.unread
    }

    /// The file's bytes, and whether users other than its owner have permissions on it.
    /// `Err(None)` if there is no such file.
    fn bytes(&mut self, path: &Path, bounds: Bounds) -> Result<(Vec<u8>, bool), Option<UnreadableFile>> {
        let opened = self.open(path, bounds)?;
        let (size, mode) = (opened.metadata.len(), opened.metadata.permissions().mode());
        // A file that is too big by itself doesn't keep others from being read.
        if size <= MOST_BYTES && self.read.saturating_add(size) > MOST_TOGETHER {
            return Err(Some(UnreadableFile::TooMuch(MOST_TOGETHER)));
        }
        let bytes = opened.read(MOST_BYTES).map_err(failed)?;
        let bytes =
            bytes.ok_or(UnreadableFile::TooBig { size: size.max(MOST_BYTES + 1), limit: MOST_BYTES })?;
        self.read = self.read.saturating_add(bytes.len() as u64);
        Ok((bytes, mode & 0o077 != 0))
    }

    /// Opens a file. `Err(None)` if there is no such file.
    fn open(&self, path: &Path, bounds: Bounds) -> Result<Regular, Option<UnreadableFile>> {
        let root = match bounds {
            Bounds::Folder | Bounds::Secret => Some(self.root.clone()),
            Bounds::Plugins => Some(self.root.join(PLUGINS)),
            Bounds::Secrets => Some(self.secrets.clone()),
            Bounds::Anywhere => None,
        };
        // The error must reveal nothing about a file outside, not even its kind or whether
        // it exists.
        if root.as_ref().is_some_and(|root| leads_out(path, root)) {
            return Err(Some(UnreadableFile::Outside(bounds)));
        }
        let opened = Regular::open(path).map_err(|error| match error {
            FileError::NotAFile => Some(UnreadableFile::NotAFile),
            FileError::OfTheKernel => Some(UnreadableFile::OfTheKernel),
            FileError::Read(error) => match fs::read_link(path) {
                Ok(target) if fs::metadata(path).is_err() => {
                    Some(UnreadableFile::Dangling(target.display().to_string()))
                }
                Err(_) if error.kind() == io::ErrorKind::NotFound => None,
                _ => failed(error),
            },
            error @ (FileError::Replaced | FileError::TooLarge | FileError::Outside) => {
                Some(UnreadableFile::Failed(error.to_string()))
            }
        })?;
        // The path may have been replaced since the check above.
        let outside = root.is_some_and(|root| !opened.path.starts_with(root));
        if outside { Err(Some(UnreadableFile::Outside(bounds))) } else { Ok(opened) }
    }
}

/// Whether a folder contains any part of a network, judged by the names in it.
///
/// # Errors
/// The folder can't be read.
pub fn is_network(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let known = |name: &str| Component::ALL.iter().any(|part| part.names().contains(&name));
        if stem(&name).is_some_and(known) || known(&name) && name != KEYS && !entry.file_type()?.is_file() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where the path of a missing file starts. The argument must be the path as it is shown,
/// so that the result reveals nothing about a masked path.
pub(super) fn start_of(written: &str) -> Start {
    match written {
        _ if written.starts_with("~/") => Start::Home,
        _ if written.starts_with('/') => Start::Root,
        _ => Start::Folder,
    }
}

fn failed(error: io::Error) -> Option<UnreadableFile> {
    Some(UnreadableFile::Failed(error.to_string()))
}
