//! Turns a pin, a path or a URL into an [`Artifact`].

use std::fmt;
use std::path::Path;

use bytes::Bytes;

use super::download::{Limits, download};
use super::unpack::unpack;
use super::{
    Architecture, Cache, DownloadError, FileError, FileKind, NotAProgram, NotTau, Pin, Sha256, Source,
    UnpackError, Url, UrlError, build, file,
};
use crate::resource::Version;

/// A file for hosts, held in memory only once: share it in an `Arc`.
pub struct Artifact {
    sha256: Sha256,
    architecture: Option<Architecture>,
    version: Option<Version>,
    bytes: Bytes,
}

impl Artifact {
    /// Reads a file without unpacking or checking it, because a plugin needn't be a
    /// program.
    pub fn from_file(path: &Path) -> Result<Self, FetchError> {
        let bytes = file::read(path, None).map_err(|e| FetchError::File(path.display().to_string(), e))?;
        Ok(Self::new(bytes.into()))
    }

    fn new(bytes: Bytes) -> Self {
        Self {
            sha256: Sha256::of(&bytes),
            architecture: Architecture::of_program(&bytes).ok(),
            version: None,
            bytes,
        }
    }

    /// The digest of [`bytes`](Self::bytes).
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The architecture that the file runs on, if it is a Linux program.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        self.architecture
    }

    /// tau's version, if the file is tau and its build information has a version.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// The bytes that are sent to hosts. A clone shares the same memory.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact")
            .field("sha256", &self.sha256)
            .field("architecture", &self.architecture)
            .field("size", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// What is reported while a file is fetched.
#[derive(Debug)]
pub enum FetchEvent {
    /// Bytes have arrived.
    Received {
        /// The number of bytes so far.
        bytes: u64,
        /// The total number of bytes, if the server announced it.
        total: Option<u64>,
    },
    /// The file is complete, but couldn't be cached.
    NotKept(std::io::Error),
}

/// Why there is no artifact. Nothing of the file was used.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL is invalid.
    #[error("`{0}` can't be used")]
    Url(String, #[source] UrlError),
    /// A local file can't be read.
    #[error("can't use {0}")]
    File(String, #[source] FileError),
    /// A download failed.
    #[error("can't download {0}")]
    Download(String, #[source] DownloadError),
    /// The file isn't the pinned one.
    #[error("{from} isn't the pinned file: expected sha256 {expected}, found {got}")]
    Mismatch {
        /// Where the file is from.
        from: Source,
        /// The digest in the pin.
        expected: Sha256,
        /// The digest of the file.
        got: Sha256,
        /// The kind of the file.
        kind: FileKind,
    },
    /// A local file is neither the pinned one nor a tau. The error doesn't describe the
    /// file: a pin that someone else wrote may name any file that the user can read, and a
    /// digest would confirm a guess of its contents.
    #[error("{from} isn't the pinned file, and isn't tau; expected sha256 {expected}")]
    Another {
        /// The file's path.
        from: Source,
        /// The digest in the pin.
        expected: Sha256,
    },
    /// The archive is the pinned one, but the pin's `binary` is wrong.
    #[error("the tau in {from} isn't the pinned one: expected sha256 {expected}, found {got}")]
    MismatchInside {
        /// The archive.
        from: Source,
        /// The digest in the pin.
        expected: Sha256,
        /// The digest of the archive's `tau`.
        got: Sha256,
    },
    /// The file is an archive whose name doesn't show that it is one, and whose pin lacks
    /// the digest of the binary. So the digest of the archive was taken for that of the
    /// binary.
    #[error("{from} is an archive, and its pin lacks the digest of the tau in it")]
    Undeclared {
        /// The archive.
        from: Source,
        /// The digest of the archive's `tau`.
        binary: Sha256,
    },
    /// The archive is damaged, or isn't as expected.
    #[error("can't unpack {0}")]
    Unpack(String, #[source] UnpackError),
    /// The file isn't a program that runs on Linux.
    #[error("{0} can't be used as tau")]
    NotAProgram(String, #[source] NotAProgram),
    /// The file is a program other than tau.
    #[error("{0} can't be used as tau")]
    NotTau(String, #[source] NotTau),
    /// The file is the pinned one, but the pin's `version` is wrong.
    #[error("{from} is pinned as version {pinned}, but reports {}", version_or_none(.found.as_ref()))]
    WrongVersion {
        /// Where the file is from.
        from: Source,
        /// The version in the pin.
        pinned: Version,
        /// The version in the build information.
        found: Option<Version>,
    },
    /// The file is the pinned one, but the pin's `size` is wrong.
    #[error("the tau in {from} is pinned with {pinned} bytes, but has {found}")]
    WrongSize {
        /// Where the file is from.
        from: Source,
        /// The size in the pin.
        pinned: u64,
        /// The size of the binary.
        found: u64,
    },
    /// The program is for an architecture other than the pin's.
    #[error("{from} is pinned for {pinned}, but is a program for {found}")]
    WrongArchitecture {
        /// Where the file is from.
        from: Source,
        /// The pin's key in `tau.yaml`.
        pinned: Architecture,
        /// The architecture in the program's ELF header.
        found: Architecture,
    },
}

impl FetchError {
    /// The causes of this error, down to the first one, in one line; empty if there are
    /// none.
    #[must_use]
    pub fn causes(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    /// What the user can do about the error.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Url(_, e) => e.help(),
            Self::Download(_, e) => e.help(),
            Self::Unpack(_, e) => e.help(),
            Self::NotAProgram(_, e) => e.help(),
            Self::NotTau(_, e) => e.help(),
            Self::WrongVersion { from, .. } => {
                Some(format!("run `spore tau pin {from}` to record its version"))
            }
            Self::WrongSize { found, .. } => Some(format!("write `size: {found}`, or leave it out")),
            Self::File(_, FileError::Read(e)) if e.kind() == std::io::ErrorKind::NotFound => {
                Some("check the path".to_owned())
            }
            Self::File(_, FileError::Outside) => {
                Some("replace it with the file itself, or write the file's absolute path".to_owned())
            }
            Self::File(..) => None,
            Self::Mismatch { kind: FileKind::Elf | FileKind::Gzip, from, .. } => {
                Some(format!("if the change is intended and you trust the file, run `spore tau pin {from}`"))
            }
            Self::Mismatch { kind, .. } => {
                Some(format!("it is {kind}, not a program: check the URL and your proxy"))
            }
            Self::Another { .. } => None,
            Self::MismatchInside { from, .. } => {
                Some(format!("run `spore tau pin {from}` to record both digests"))
            }
            Self::Undeclared { binary, .. } => Some(format!("add `binary: {binary}` to the pin")),
            Self::WrongArchitecture { found, from, .. } => {
                Some(format!("run `spore tau pin {from}` to pin it for {found}"))
            }
        }
    }
}

/// Reads or downloads the tau that is pinned for an architecture. A relative path is
/// relative to `folder`, and must lead to a file in it. Downloads are cached in `cache`.
///
/// # Errors
/// See [`FetchError`].
pub fn fetch(
    architecture: Architecture,
    pin: &Pin,
    folder: &Path,
    cache: &Cache,
    progress: &mut dyn FnMut(FetchEvent),
) -> Result<Artifact, FetchError> {
    fetch_within(architecture, pin, folder, cache, &Limits::default(), progress)
}

pub(super) fn fetch_within(
    architecture: Architecture,
    pin: &Pin,
    folder: &Path,
    cache: &Cache,
    limits: &Limits,
    progress: &mut dyn FnMut(FetchEvent),
) -> Result<Artifact, FetchError> {
    let source = &pin.source;
    let kept = match source {
        Source::Url(_) => cache.get(&pin.sha256),
        Source::Path(_) => None,
    };
    let file = match kept {
        Some(file) => file.into(),
        None => {
            let file = obtain(source, Some(pin), folder, limits, progress)?;
            let got = Sha256::of(&file);
            if got != pin.sha256 {
                let (from, expected, kind) = (source.clone(), pin.sha256, FileKind::of(&file));
                let is_shown = match source {
                    Source::Url(_) => true,
                    Source::Path(_) => Program::inside(file, source, limits).is_ok(),
                };
                return Err(match is_shown {
                    true => FetchError::Mismatch { from, expected, got, kind },
                    false => FetchError::Another { from, expected },
                });
            }
            keep(source, cache, &got, &file, progress);
            file
        }
    };
    let program = Program::inside(file, source, limits)?;
    let got = program.artifact.sha256;
    match (pin.binary(), pin.binary) {
        (Some(expected), _) if expected == got => {}
        (Some(_), None) => {
            return Err(FetchError::Undeclared { from: source.clone(), binary: got });
        }
        (Some(expected), _) => {
            return Err(FetchError::MismatchInside { from: source.clone(), expected, got });
        }
        (None, _) => {}
    }
    if program.architecture != architecture {
        let found = program.architecture;
        return Err(FetchError::WrongArchitecture { from: source.clone(), pinned: architecture, found });
    }
    let size = program.artifact.bytes.len() as u64;
    if let Some(pinned) = pin.size.filter(|pinned| *pinned != size) {
        return Err(FetchError::WrongSize { from: source.clone(), pinned, found: size });
    }
    let found = program.artifact.version.clone();
    match &pin.version {
        Some(pinned) if found.as_ref() != Some(pinned) => {
            Err(FetchError::WrongVersion { from: source.clone(), pinned: pinned.clone(), found })
        }
        _ => Ok(program.artifact),
    }
}

fn version_or_none(version: Option<&Version>) -> String {
    version.map_or_else(|| "no version".to_owned(), ToString::to_string)
}

/// Reads a tau that isn't pinned (`--tau PATH`).
///
/// # Errors
/// See [`FetchError`].
pub fn open(path: &Path) -> Result<Artifact, FetchError> {
    let name = path.display().to_string();
    let file = file::read(path, None).map_err(|e| FetchError::File(name.clone(), e))?;
    Ok(Program::inside(file.into(), &Source::Path(name), &Limits::default())?.artifact)
}

/// Pins the tau at `text`, a URL or a path as given to the shell, for the network in
/// `folder`. A download is cached in `cache`.
///
/// # Errors
/// See [`FetchError`].
pub fn pin(
    text: &str,
    folder: &Path,
    cache: &Cache,
    progress: &mut dyn FnMut(FetchEvent),
) -> Result<(Architecture, Pin), FetchError> {
    let limits = Limits::default();
    let source = match text.parse().map_err(|e| FetchError::Url(text.to_owned(), e))? {
        Source::Path(path) => Source::Path(seen_from(folder, &path)),
        url @ Source::Url(_) => url,
    };
    let file = obtain(&source, None, folder, &limits, progress)?;
    let sha256 = Sha256::of(&file);
    let program = Program::inside(file.clone(), &source, &limits)?;
    keep(&source, cache, &sha256, &file, progress);
    let binary = (program.packed || source.is_packed()).then_some(program.artifact.sha256);
    let version = program.artifact.version;
    let size = Some(program.artifact.bytes.len() as u64);
    Ok((program.architecture, Pin { binary, version, size, ..Pin::new(source, sha256) }))
}

/// A path for `tau.yaml`. It is relative if the file is in the folder, so that the folder
/// can be moved, and absolute otherwise. A symbolic link to the file isn't resolved.
fn seen_from(folder: &Path, path: &str) -> String {
    let path = Path::new(path);
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let seen = match (directory.canonicalize(), path.file_name(), folder.canonicalize()) {
        (Ok(directory), Some(name), Ok(folder)) => {
            let whole = directory.join(name);
            whole.strip_prefix(&folder).map(Path::to_owned).unwrap_or(whole)
        }
        // The file doesn't exist; reading it will fail.
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    };
    seen.to_string_lossy().into_owned()
}

/// Returns the file's bytes, which haven't been compared with the pin yet. If the file can't be
/// downloaded, the pin's mirrors are tried.
fn obtain(
    source: &Source,
    pin: Option<&Pin>,
    folder: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(FetchEvent),
) -> Result<Bytes, FetchError> {
    let bytes = match source {
        Source::Path(path) => {
            let whole = folder.join(path);
            // Only a relative path must stay in the folder: an absolute path shows every
            // reader of the folder where it leads.
            let root = Path::new(path).is_relative().then_some(folder);
            file::read(&whole, root).map_err(|e| FetchError::File(whole.display().to_string(), e))?
        }
        Source::Url(url) => {
            let mut received = |bytes, total| progress(FetchEvent::Received { bytes, total });
            let first = download(url, limits, &mut received);
            // If no mirror has the file either, the error is that of the URL itself.
            first.or_else(|error| {
                let is_pinned = |file: &Vec<u8>| pin.is_some_and(|pin| Sha256::of(file) == pin.sha256);
                let mirrors = pin.map(|pin| pin.mirrors.as_slice()).unwrap_or_default();
                let get = |url: &Url| download(url, limits, &mut received).ok().filter(is_pinned);
                let from_mirror = mirrors.iter().find_map(get);
                from_mirror.ok_or_else(|| FetchError::Download(url.to_string(), error))
            })?
        }
    };
    Ok(bytes.into())
}

/// Caches a download; a local file isn't copied.
fn keep(source: &Source, cache: &Cache, sha256: &Sha256, file: &[u8], progress: &mut dyn FnMut(FetchEvent)) {
    if let Source::Url(_) = source
        && let Err(e) = cache.put(sha256, file)
    {
        progress(FetchEvent::NotKept(e));
    }
}

/// A tau for some architecture, and whether it was packed.
struct Program {
    artifact: Artifact,
    architecture: Architecture,
    packed: bool,
}

impl Program {
    fn inside(file: Bytes, source: &Source, limits: &Limits) -> Result<Self, FetchError> {
        let unpacked =
            unpack(file, limits.unpacked).map_err(|e| FetchError::Unpack(source.to_string(), e))?;
        let architecture = Architecture::of_program(&unpacked.bytes)
            .map_err(|e| FetchError::NotAProgram(source.to_string(), e))?;
        let version =
            build::recognize(&unpacked.bytes).map_err(|e| FetchError::NotTau(source.to_string(), e))?;
        let artifact = Artifact { version, ..Artifact::new(unpacked.bytes) };
        Ok(Self { artifact, architecture, packed: unpacked.packed })
    }
}
