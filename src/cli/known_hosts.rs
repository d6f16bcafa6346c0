//! The files with the host keys that are trusted: which files they are, reading them ([`HostKeys::read`]),
//! and adding keys ([`HostKeys::add`]).

use super::args::ConnectionOptions;
use super::{CommandError, folder, replace};
use crate::artifact::{Regular, leads_out};
use crate::ssh::{KnownHosts, PublicKey, ServerAddress};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file in the network's folder.
const NAME: &str = "known_hosts";

/// The maximum size of the folder's file, in bytes.
const MOST_BYTES: u64 = 16_000_000;

/// The host keys that are trusted, and the file to which others are added.
#[derive(Clone)]
pub(crate) struct HostKeys {
    pub(crate) known: KnownHosts,
    /// Those of the file in the network's folder, which are also in `known`.
    pub(crate) of_folder: KnownHosts,
    /// The file given with `--known-hosts`, or else the one in the network's folder.
    pub(crate) file: PathBuf,
}

/// The keys of a server.
pub(crate) struct NewKeys {
    /// What messages call it.
    pub(crate) name: String,
    /// The names under which they are listed.
    pub(crate) addresses: Vec<ServerAddress>,
    pub(crate) keys: Vec<PublicKey>,
}

impl HostKeys {
    /// Reads the file given with `--known-hosts`, or else the user's files, the system's, and the
    /// one in the network's folder. A file that doesn't exist is empty; one that was given
    /// may be missing only if keys may be added to it.
    ///
    /// # Errors
    /// If a file can't be read.
    pub(crate) fn read(options: &ConnectionOptions, folder: &Path, may_add: bool) -> miette::Result<Self> {
        if let Some(file) = &options.known_hosts {
            if !(file.is_file() || may_add && file.symlink_metadata().is_err()) {
                return Err(CommandError::new(
                    format!("{} isn't a file", file.display()),
                    "`--known-hosts` takes a file in the format of ~/.ssh/known_hosts",
                )
                .into());
            }
            return Ok(Self::of(of_files(std::slice::from_ref(file))?, file.clone()));
        }
        let own = folder::home().map(|home| home.join(".ssh")).into_iter();
        let own = own.flat_map(|ssh| ["known_hosts", "known_hosts2"].map(|name| ssh.join(name)));
        let system = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from);
        let known = of_files(&own.chain(system).collect::<Vec<_>>())?;
        let file = if folder == Path::new(".") { PathBuf::from(NAME) } else { folder.join(NAME) };
        match of_folder(&file, folder) {
            Ok(None) => Ok(Self::of(known, file)),
            Ok(Some(text)) => {
                let of_folder = KnownHosts::parse(&file, &text);
                Ok(Self { known: known.and(&of_folder), of_folder, file })
            }
            Err(why) => Err(CommandError::because(
                format!("cannot read {}", file.display()),
                Some("it has to be a file in the folder".to_owned()),
                Some(why),
            )
            .into()),
        }
    }

    /// These keys and no others, not even the folder's.
    pub(crate) fn of(known: KnownHosts, file: PathBuf) -> Self {
        Self { known, of_folder: KnownHosts::default(), file }
    }

    /// Adds these keys to the file, without changing its other lines, reads it again, and returns
    /// those that were added. Servers for which another process has added keys in the meantime are
    /// left out: their keys have to be compared first.
    ///
    /// # Errors
    /// If the file can't be written. It is unchanged then.
    pub(crate) fn add<'n>(
        &mut self,
        new: &'n [NewKeys],
        options: &ConnectionOptions,
        folder: &Path,
    ) -> miette::Result<Vec<&'n NewKeys>> {
        let added = add(&self.file, new).map_err(|error| {
            let what = format!("cannot add host keys to {}", self.file.display());
            let help = "make the file and its folder writable by your user".to_owned();
            CommandError::because(what, Some(help), Some(error.to_string()))
        })?;
        *self = Self::read(options, folder, true)?;
        Ok(added)
    }
}

fn of_files(files: &[PathBuf]) -> miette::Result<KnownHosts> {
    KnownHosts::read(files).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        CommandError::because(error.to_string(), Some("make it readable by your user".to_owned()), source)
            .into()
    })
}

/// The text of the folder's file; `None` if there is no such file. A link must not lead out of the
/// folder, because the folder may be someone else's, and keys are added to the file.
fn of_folder(file: &Path, folder: &Path) -> Result<Option<String>, String> {
    if file.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let root = folder.canonicalize().map_err(|error| error.to_string())?;
    if leads_out(file, &root) {
        return Err("it is a link that leads out of the folder".to_owned());
    }
    let opened = Regular::open(file).map_err(|error| error.to_string())?;
    if !opened.path.starts_with(root) {
        return Err("it is a link that leads out of the folder".to_owned());
    }
    let bytes = opened.read(MOST_BYTES).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("it has more than {MOST_BYTES} bytes"))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Replaces the file by one that also has these keys. The folder is locked, so that no other
/// process replaces the file at the same time and loses these lines. Returns the keys that were added.
fn add<'n>(file: &Path, new: &'n [NewKeys]) -> io::Result<Vec<&'n NewKeys>> {
    let file = replace::target(file)?;
    let _lock = replace::lock(replace::parent(&file))?;
    let mut bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let known = KnownHosts::parse(&file, &String::from_utf8_lossy(&bytes));
    if bytes.last().is_some_and(|&last| last != b'\n') {
        bytes.push(b'\n');
    }
    let is_unlisted = |new: &&NewKeys| !new.addresses.iter().any(|address| known.lists(address));
    let new: Vec<&NewKeys> = new.iter().filter(is_unlisted).collect();
    for NewKeys { name: _, addresses, keys } in &new {
        for key in keys {
            bytes.extend_from_slice(KnownHosts::line_of(addresses, key).as_bytes());
            bytes.push(b'\n');
        }
    }
    replace::replace(&file, &bytes, 0o644)?;
    Ok(new)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::ssh::Algorithm;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn key() -> PublicKey {
        let key = crate::ssh::PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
        key.unwrap().public_key().clone()
    }

    fn keys(host: &str) -> NewKeys {
        NewKeys { name: host.to_owned(), addresses: vec![ServerAddress::new(host, 22)], keys: vec![key()] }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn options() -> ConnectionOptions {
        ConnectionOptions::default()
    }

    #[test]
    fn keys_are_added_and_all_other_bytes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        let mut host_keys = HostKeys::read(&options(), folder.path(), true).unwrap();
        assert_eq!(host_keys.file, file);
        host_keys.add(&[keys("h1")], &options(), folder.path()).unwrap();
        assert_eq!(mode(&file), 0o644);
        assert!(host_keys.known.lists(&ServerAddress::new("h1", 22)), "it was read again");

        let before = b"# a comment\n\xff not text\nh2 damaged".to_vec();
        fs::write(&file, &before).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        host_keys.add(&[keys("h3"), keys("h4")], &options(), folder.path()).unwrap();
        let after = fs::read(&file).unwrap();
        let added = after.strip_prefix([before, vec![b'\n']].concat().as_slice()).unwrap();
        let added: Vec<&str> = std::str::from_utf8(added).unwrap().lines().collect();
        assert!(added[0].starts_with("h3 ssh-ed25519 ") && added[1].starts_with("h4 ") && added.len() == 2);
        assert_eq!(mode(&file), 0o640);

        // Another process was faster, possibly with another key.
        let before = fs::read(&file).unwrap();
        assert!(host_keys.add(&[keys("h3")], &options(), folder.path()).unwrap().is_empty());
        assert_eq!(fs::read(&file).unwrap(), before);
    }

    #[test]
    fn processes_that_add_keys_at_the_same_time_lose_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = &folder.path().join(NAME);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for host in 0..8 {
                        add(file, &[keys(&format!("h{thread}-{host}"))]).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(file).unwrap().lines().count(), 64);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_link_is_followed_only_inside_the_folder() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = folder.path().join(NAME);
        let read = || HostKeys::read(&options(), folder.path(), true);
        for target in [outside.path().join("there"), "../x".into(), "/dev/zero".into()] {
            symlink(&target, &file).unwrap();
            fs::write(outside.path().join("there"), "").unwrap();
            let error = format!("{:?}", read().err().unwrap());
            assert!(error.contains("leads out of the folder"), "{error}");
            fs::remove_file(&file).unwrap();
        }
        fs::write(folder.path().join("hosts"), "# ours\n").unwrap();
        symlink("hosts", &file).unwrap();
        read().unwrap().add(&[keys("h1")], &options(), folder.path()).unwrap();
        assert!(file.is_symlink());
        assert!(fs::read_to_string(folder.path().join("hosts")).unwrap().starts_with("# ours\nh1 "));
    }

    #[test]
    fn a_file_that_was_given_is_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), KnownHosts::line_to_add(&ServerAddress::new("h1", 22), &key()))
            .unwrap();
        let given = folder.path().join("given");
        let options = ConnectionOptions { known_hosts: Some(given.clone()), ..options() };
        assert!(HostKeys::read(&options, folder.path(), false).is_err());
        let host_keys = HostKeys::read(&options, folder.path(), true).unwrap();
        assert_eq!(host_keys.file, given);
        assert!(!host_keys.known.lists(&ServerAddress::new("h1", 22)));
    }
}
