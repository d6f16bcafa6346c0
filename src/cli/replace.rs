//! Replaces files of the network's folder, each atomically, and all while the folder is locked.

use super::terminal;
use crate::artifact::leads_out;
use crate::author::FileChange;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// A folder that no other spore edits. The lock ends with the value.
#[derive(Debug)]
pub(crate) struct Locked {
    folder: PathBuf,
    /// The folder's path without any symbolic link.
    root: PathBuf,
    _lock: File,
}

impl Locked {
    /// Locks a folder. Waits while another process has it locked, usually for as long as an edit takes.
    ///
    /// # Errors
    /// The folder can't be opened or locked.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let root = folder.canonicalize()?;
        let lock = lock(&root)?;
        for entry in fs::read_dir(&root)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                sweep(&entry.path());
            }
        }
        Ok(Self { folder: folder.to_owned(), root, _lock: lock })
    }

    /// Writes a change of a file, unless the file has changed since it was read.
    ///
    /// # Errors
    /// The file has changed, or is outside the folder, or can't be written. It is as it was then.
    pub(crate) fn write(&self, change: &FileChange) -> io::Result<()> {
        let path = self.folder.join(&change.path);
        if leads_out(&path, &self.root) {
            return Err(io::Error::other("it is a link that leads out of the folder"));
        }
        let now = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if now.as_deref() != change.before.as_ref().map(String::as_bytes) {
            return Err(io::Error::other("it has changed in the meantime"));
        }
        match &change.after {
            Some(text) => {
                if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
                    create_folder(parent, change.is_secret)?;
                }
                replace(&path, text.as_bytes(), if change.is_secret { 0o600 } else { 0o644 })
            }
            None => {
                fs::remove_file(&path)?;
                sync(path.parent())
            }
        }
    }

    /// Renames a file, atomically.
    ///
    /// # Errors
    /// There is a file of the new name, or the file can't be renamed.
    pub(crate) fn rename(&self, old: &str, new: &str) -> io::Result<()> {
        let (old, new) = (self.folder.join(old), self.folder.join(new));
        if new.symlink_metadata().is_ok() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        fs::rename(old, &new)?;
        sync(new.parent())
    }
}

/// Locks a folder as [`Locked`] does. The lock ends with the file.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    let lock = File::open(folder)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            terminal::note(&format!("waiting for another spore that edits {}", folder.display()));
            lock.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    sweep(folder);
    Ok(lock)
}

/// The start of the names of files that are going to replace others.
const NEW: &str = ".spore-new-";

/// Removes what a process that was killed has left in a folder. Whoever writes such a file has the
/// folder locked.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(NEW)) {
            // Without the permission to remove it, the file does no harm, and the edit may succeed.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The file that a link leads to, or the path itself. It doesn't have to exist, unless a link
/// leads to it.
pub(crate) fn target(file: &Path) -> io::Result<PathBuf> {
    file.canonicalize().or_else(|error| match error.kind() {
        io::ErrorKind::NotFound if file.symlink_metadata().is_err() => Ok(file.to_owned()),
        _ => Err(error),
    })
}

/// The folder of a file.
pub(crate) fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a folder, which only its owner may read if it has secrets.
pub(crate) fn create_folder(folder: &Path, has_secrets: bool) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if has_secrets {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    sync(folder.parent())
}

/// Replaces a file atomically. A link stays a link, and the file that it leads to is replaced. The
/// mode stays as it is, and so do the owner and the group, as far as the user may give files to others.
/// If the group changes, it gets no access. `mode` is that of a new file.
pub(crate) fn replace(file: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let file = target(file)?;
    let parent = parent(&file);
    let before = match fs::metadata(&file) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Until it is renamed, only its owner may read it.
    let mut replacement = tempfile::Builder::new().prefix(NEW).tempfile_in(parent)?;
    replacement.write_all(bytes)?;
    let mode = match &before {
        None => mode,
        Some(before) => {
            let mode = before.permissions().mode() & 0o7777;
            if give(replacement.as_file(), before)? { mode } else { mode & !0o070 }
        }
    };
    replacement.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    replacement.as_file().sync_all()?;
    replacement.persist(&file).map_err(|error| error.error)?;
    sync(Some(parent))
}

/// Gives a file the owner and the group of another, or only the group if the user isn't root. Returns
/// whether it has that group.
fn give(file: &File, like: &fs::Metadata) -> io::Result<bool> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(true);
    }
    for uid in [Some(like.uid()), None] {
        match fchown(file, uid, Some(like.gid())) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(own.gid() == like.gid())
}

fn sync(folder: Option<&Path>) -> io::Result<()> {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::author::Edits;
    use crate::network::{Files, Links};
    use std::os::unix::fs::symlink;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> FileChange {
        let text = |text: &str| text.to_owned();
        FileChange {
            path: path.to_owned(),
            before: before.map(text),
            after: after.map(text),
            is_secret: false,
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn the_mode_stays_and_a_link_is_followed_inside_the_folder() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::write(at("real"), "a: 1\n").unwrap();
        fs::set_permissions(at("real"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", at("hosts.yaml")).unwrap();
        let locked = Locked::new(folder.path()).unwrap();
        locked.write(&change("hosts.yaml", Some("a: 1\n"), Some("a: 2\n"))).unwrap();
        assert!(at("hosts.yaml").is_symlink());
        assert_eq!((fs::read_to_string(at("real")).unwrap().as_str(), mode(&at("real"))), ("a: 2\n", 0o640));

        fs::write(outside.path().join("there"), "x").unwrap();
        for target in [outside.path().join("there"), "../none".into()] {
            fs::remove_file(at("hosts.yaml")).unwrap();
            symlink(target, at("hosts.yaml")).unwrap();
            let error = locked.write(&change("hosts.yaml", Some("x"), Some("y"))).unwrap_err();
            assert_eq!(error.to_string(), "it is a link that leads out of the folder");
        }
        assert_eq!(fs::read_to_string(outside.path().join("there")).unwrap(), "x");
        let secret = FileChange { is_secret: true, ..change("keys/a.key", None, Some("s")) };
        locked.write(&secret).unwrap();
        assert_eq!((mode(&at("keys/a.key")), mode(&at("keys"))), (0o600, 0o700));
    }

    #[test]
    fn a_file_that_someone_else_has_changed_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let locked = Locked::new(folder.path()).unwrap();
        let file = folder.path().join("a.yaml");
        for (now, before, after) in [
            (Some("theirs"), Some("mine"), Some("new")),
            (Some("theirs"), None, Some("new")),
            (Some("theirs"), Some("mine"), None),
            (None, Some("mine"), Some("new")),
        ] {
            let _ = fs::remove_file(&file);
            now.into_iter().for_each(|text| fs::write(&file, text).unwrap());
            let error = locked.write(&change("a.yaml", before, after)).unwrap_err();
            assert_eq!(error.to_string(), "it has changed in the meantime");
            assert_eq!(fs::read_to_string(&file).ok().as_deref(), now);
        }
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("keys")).unwrap();
        for name in [".spore-new-1", "keys/.spore-new-2", "keys/kept", ".kept"] {
            fs::write(at(name), "secret").unwrap();
        }
        drop(Locked::new(folder.path()).unwrap());
        let is_there = |name: &&str| at(name).exists();
        let left = [".spore-new-1", "keys/.spore-new-2", "keys/kept", ".kept"];
        assert_eq!(left.iter().copied().filter(is_there).collect::<Vec<_>>(), ["keys/kept", ".kept"]);
    }

    /// Each of these reads the file, adds a line to it and writes it, as a command does.
    #[test]
    fn edits_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("auth.yaml"), "# logins\n").unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for n in 0..8 {
                        let locked = Locked::new(path).unwrap();
                        let files = Files::read(path, &Links::Inside.into()).unwrap();
                        let mut edits = Edits::new(&files);
                        let login = crate::author::NewLogin {
                            name: format!("l{thread}-{n}"),
                            user: "root".to_owned(),
                            keys: Vec::new(),
                            password_file: None,
                        };
                        edits.add_login(&login).unwrap();
                        edits.finish().iter().for_each(|change| locked.write(change).unwrap());
                    }
                });
            }
        });
        let text = fs::read_to_string(path.join("auth.yaml")).unwrap();
        assert_eq!(text.matches("username: root").count(), 32, "{text}");
        assert_eq!(fs::read_dir(path).unwrap().count(), 1, "nothing else is left");
    }
}
