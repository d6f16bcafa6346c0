//! The folder's files, in memory: everything that reading a network needs from
//! the file system.

use super::At;
use super::component::{Component, ENDINGS, stem};
use super::git::{self, InGit};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The folder of key files, which may also hold the logins.
const KEYS: &str = "keys";
/// The folder of plugins, one file each.
pub(super) const PLUGINS: &str = "plugins";
/// Bigger files are not read.
const MOST_BYTES: u64 = 16_000_000;

/// The files of a network folder, by their paths relative to it, with `/`.
#[derive(Clone, Debug, Default)]
pub struct Files {
    folder: PathBuf,
    found: BTreeMap<String, Found>,
    /// Files that users other than their owner can read.
    open: BTreeSet<String>,
    /// YAML files at the top that aren't read.
    unread: Vec<String>,
    /// The named files that git doesn't ignore.
    in_git: BTreeMap<String, InGit>,
}

/// The result of reading a file.
#[derive(Clone)]
pub enum Found {
    /// Its bytes.
    File(Vec<u8>),
    /// It exists; its contents aren't needed: a plugin.
    Unopened,
    /// It exists but couldn't be read.
    Unreadable(Unreadable),
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => write!(f, "File({} bytes)", bytes.len()),
            Self::Unopened => f.write_str("Unopened"),
            Self::Unreadable(why) => write!(f, "Unreadable({why})"),
        }
    }
}

/// Why a file wasn't read; the text follows its name.
#[derive(Clone, Debug)]
pub enum Unreadable {
    /// A symbolic link to nothing, or to itself.
    Dangling(String),
    /// A folder, a socket, a device.
    NotAFile,
    /// Bigger than the limit, with its size in bytes.
    TooBig(u64),
    /// The error of the operating system.
    Failed(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangling(target) => {
                write!(f, "is a symbolic link to `{target}`, which doesn't exist or can't be followed")
            }
            Self::NotAFile => f.write_str("is not a file"),
            Self::TooBig(size) => write!(f, "has {size} bytes; more than {MOST_BYTES} are not read"),
            Self::Failed(error) => write!(f, "can't be read: {error}"),
        }
    }
}

impl Unreadable {
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Dangling(_) => "correct the link, or replace it with the file",
            Self::NotAFile => "replace it with a file",
            Self::TooBig(_) => "split it into a folder with one file per entry",
            Self::Failed(_) => "make it readable by the user who runs spore",
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
    /// If the folder itself can't be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = Self::gather(folder)?;
        let named = super::named(&files);
        for path in &named {
            files.load_named(path);
        }
        let paths = named.into_iter().filter_map(|path| Some((path.clone(), files.path_of(&path)?)));
        files.in_git = git::unignored(paths.collect());
        Ok(files)
    }

    /// Whether any part of a network is among them.
    pub fn is_network(&self) -> bool {
        let parts = Component::ALL.iter().flat_map(|part| part.names());
        parts.into_iter().any(|name| {
            self.is_folder(name) && *name != KEYS
                || ENDINGS.iter().any(|ending| self.found.contains_key(&format!("{name}.{ending}")))
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the components of the folder, but none of the files that they
    /// name.
    ///
    /// # Errors
    /// If the folder itself can't be read.
    pub fn gather(folder: &Path) -> io::Result<Self> {
        let mut files = Self::new(folder);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let known = |name: &str| Component::ALL.iter().any(|part| part.names().contains(&name));
            let path = entry.path();
            if known(&name) && path.is_dir() {
                files.gather_below(&name, &path)?;
            } else if stem(&name).is_some_and(known) || known(&name) && path.symlink_metadata()?.is_symlink()
            {
                // A dangling link with the name of a component was meant as its folder.
                let key = if stem(&name).is_some() { name } else { format!("{name}.{}", ENDINGS[0]) };
                files.load(key, &path);
            } else if name == PLUGINS && path.is_dir() {
                files.note_below(&name, &path)?;
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
                self.load(format!("{name}/{file}"), &path);
            } else if stem(&file.to_ascii_lowercase()).is_some() || name != KEYS && path.is_file() {
                self.unread.push(format!("{name}/{file}"));
            } else if path.is_dir() {
                // Entries in subfolders aren't read, which is reported.
                for inner in fs::read_dir(path)?.flatten() {
                    let inner = inner.file_name();
                    if let Some(inner) = inner.to_str().filter(|inner| stem(inner).is_some()) {
                        self.insert(format!("{name}/{file}/{inner}"), Vec::new());
                    }
                }
            }
        }
        self.found.entry(format!("{name}/")).or_insert(Found::Unreadable(Unreadable::NotAFile));
        Ok(())
    }

    /// Records which files are in a folder, without reading them.
    fn note_below(&mut self, name: &str, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Ok(file) = entry.file_name().into_string()
                && entry.path().is_file()
            {
                self.found.insert(format!("{name}/{file}"), Found::Unopened);
            }
        }
        Ok(())
    }

    /// Reads another file, by its path as written in the folder.
    pub(super) fn load_named(&mut self, written: &str) {
        if self.found.contains_key(written) {
            return;
        }
        if let Some(path) = self.path_of(written) {
            self.load(written.to_owned(), &path);
        }
    }

    fn path_of(&self, written: &str) -> Option<PathBuf> {
        match written.strip_prefix("~/") {
            Some(rest) => Some(std::env::home_dir()?.join(rest)),
            None => Some(self.folder.join(written)),
        }
    }

    fn load(&mut self, key: String, path: &Path) {
        match read(path) {
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

    /// The file and its standing in git, unless git ignores it.
    pub(super) fn in_git(&self, file: At<String>) -> Option<(At<String>, InGit)> {
        let standing = *self.in_git.get(&file.value)?;
        Some((file, standing))
    }

    /// Whether users other than its owner can read it.
    pub(super) fn is_open(&self, path: &str) -> bool {
        self.open.contains(path)
    }

    pub(super) fn get(&self, path: &str) -> Option<&Found> {
        self.found.get(path)
    }

    pub(super) fn entry(&self, path: &str) -> Option<(&str, &Found)> {
        self.found.get_key_value(path).map(|(path, found)| (path.as_str(), found))
    }

    /// The paths in a folder, and in the folders in it.
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
}

/// Its bytes, and whether other users can read it; `Err(None)` if there is no such file.
fn read(path: &Path) -> Result<(Vec<u8>, bool), Option<Unreadable>> {
    let failed = |error: io::Error| Some(Unreadable::Failed(error.to_string()));
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Err(match fs::read_link(path) {
                Ok(target) => Some(Unreadable::Dangling(target.display().to_string())),
                Err(_) if error.kind() == io::ErrorKind::NotFound => None,
                Err(_) => failed(error),
            });
        }
    };
    if !metadata.is_file() {
        return Err(Some(Unreadable::NotAFile));
    }
    if metadata.len() > MOST_BYTES {
        return Err(Some(Unreadable::TooBig(metadata.len())));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    let file = fs::File::open(path).map_err(failed)?;
    // It may grow while it is being read.
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Some(Unreadable::TooBig(bytes.len() as u64)));
    }
    Ok((bytes, metadata.permissions().mode() & 0o077 != 0))
}
