//! From a pin, a path or an address to an [`Artifact`].

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;

use super::download::{Limits, download};
use super::unpack::unpack;
use super::{
    Architecture, Cache, DownloadError, FileError, Kind, NotAProgram, Pin, Sha256, Source, UnpackError,
    UrlError, file, gzip,
};

/// A file for hosts, held once: share it in an `Arc`.
pub struct Artifact {
    sha256: Sha256,
    architecture: Option<Architecture>,
    bytes: Bytes,
    gzip: OnceLock<Bytes>,
}

impl Artifact {
    /// Any file, as it is: a plugin needn't be a program.
    pub fn from_file(path: &Path) -> Result<Self, FetchError> {
        let bytes = file::read(path).map_err(|e| FetchError::File(path.display().to_string(), e))?;
        Ok(Self::new(bytes.into()))
    }

    fn new(bytes: Bytes) -> Self {
        Self {
            sha256: Sha256::of(&bytes),
            architecture: Architecture::of_program(&bytes).ok(),
            bytes,
            gzip: OnceLock::new(),
        }
    }

    /// The digest of [`bytes`](Self::bytes).
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// What it runs on, if it is a Linux program.
    #[must_use]
    pub fn architecture(&self) -> Option<Architecture> {
        self.architecture
    }

    /// What a host gets; a clone is another handle on the same memory.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same for the way there, as `gunzip` reads it. The first call works
    /// for about a second on all cores, while others wait for it.
    #[must_use]
    pub fn gzip(&self) -> &Bytes {
        self.gzip.get_or_init(|| gzip::compress(&self.bytes))
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

/// What is heard while something is fetched.
#[derive(Debug)]
pub enum Progress {
    /// So many bytes came, of so many if that is known.
    Received {
        /// Until now.
        bytes: u64,
        /// In the end.
        total: Option<u64>,
    },
    /// It is here and right, but couldn't be kept for the next time.
    NotKept(std::io::Error),
}

/// Why an artifact can't be had. Whatever it is, nothing was used.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No address.
    #[error("`{0}` can't be used")]
    Url(String, #[source] UrlError),
    /// A local file.
    #[error("can't use {0}")]
    File(String, #[source] FileError),
    /// A download.
    #[error("can't download {0}")]
    Download(String, #[source] DownloadError),
    /// Other bytes than were pinned.
    #[error(
        "{from} is not the file that is pinned: its SHA-256 should be {expected} and is {got}; nothing of it was used"
    )]
    Mismatch {
        /// Where it came from.
        from: Source,
        /// In the pin.
        expected: Sha256,
        /// Of what came.
        got: Sha256,
        /// What came looks like this.
        kind: Kind,
    },
    /// The file is right, and `binary` of the pin isn't.
    #[error(
        "the tau inside {from} is not the one that is pinned: its SHA-256 should be {expected} and is {got}; it was not used"
    )]
    MismatchInside {
        /// The archive.
        from: Source,
        /// In the pin.
        expected: Sha256,
        /// Of the member.
        got: Sha256,
    },
    /// An archive without the name of one, whose digest was taken for that of
    /// a binary.
    #[error("{from} is an archive, and its pin says nothing of the tau inside")]
    Undeclared {
        /// The archive.
        from: Source,
        /// Of the member.
        binary: Sha256,
    },
    /// An archive.
    #[error("can't unpack {0}")]
    Unpack(String, #[source] UnpackError),
    /// No program.
    #[error("{0} can't run on a host")]
    NotAProgram(String, #[source] NotAProgram),
    /// A program for other hosts.
    #[error("{from} is pinned for {pinned} and is a program for {found}")]
    WrongArchitecture {
        /// Where it came from.
        from: Source,
        /// The key of the pin.
        pinned: Architecture,
        /// In the ELF header.
        found: Architecture,
    },
}

impl FetchError {
    /// What a person can do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Url(_, e) => e.help(),
            Self::Download(_, e) => e.help(),
            Self::Unpack(_, e) => e.help(),
            Self::NotAProgram(_, e) => e.help(),
            Self::File(..) => None,
            Self::Mismatch { kind: kind @ (Kind::Elf | Kind::Gzip), from, .. } => Some(format!(
                "what came is {kind}; if it was meant to change, and you trust what is there now, `spore tau pin {from}`"
            )),
            Self::Mismatch { kind, .. } => Some(format!(
                "what came is {kind}, which is no tau: look at the address, or at what stands between you and it"
            )),
            Self::MismatchInside { from, .. } => {
                Some(format!("`spore tau pin {from}` writes both digests as they belong together"))
            }
            Self::Undeclared { binary, .. } => Some(format!("add `binary: {binary}` to the pin")),
            Self::WrongArchitecture { found, from, .. } => {
                Some(format!("`spore tau pin {from}` files it under {found}"))
            }
        }
    }
}

/// The tau that is pinned for an architecture. A relative path is one in
/// `folder`; a download is looked for in `cache` first, and kept there.
pub fn fetch(
    architecture: Architecture,
    pin: &Pin,
    folder: &Path,
    cache: &Cache,
    progress: &mut dyn FnMut(Progress),
) -> Result<Artifact, FetchError> {
    fetch_within(architecture, pin, folder, cache, &Limits::default(), progress)
}

pub(super) fn fetch_within(
    architecture: Architecture,
    pin: &Pin,
    folder: &Path,
    cache: &Cache,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Artifact, FetchError> {
    let source = &pin.source;
    let kept = match source {
        Source::Url(_) => cache.get(&pin.sha256),
        Source::Path(_) => None,
    };
    let file = match kept {
        Some(file) => file.into(),
        None => {
            let file = obtain(source, folder, limits, progress)?;
            let got = Sha256::of(&file);
            if got != pin.sha256 {
                let kind = Kind::of(&file);
                return Err(FetchError::Mismatch { from: source.clone(), expected: pin.sha256, got, kind });
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
    Ok(program.artifact)
}

/// A tau by its path, pinned by nothing: who names it has it.
pub fn open(path: &Path) -> Result<Artifact, FetchError> {
    let name = path.display().to_string();
    let file = file::read(path).map_err(|e| FetchError::File(name.clone(), e))?;
    Ok(Program::inside(file.into(), &Source::Path(name), &Limits::default())?.artifact)
}

/// Pins what is at `text`, a URL or a path as the shell has it, for the
/// network in `folder`. What is downloaded for this is kept in `cache`.
pub fn pin(
    text: &str,
    folder: &Path,
    cache: &Cache,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Architecture, Pin), FetchError> {
    let limits = Limits::default();
    let source = match text.parse().map_err(|e| FetchError::Url(text.to_owned(), e))? {
        Source::Path(path) => Source::Path(seen_from(folder, &path)),
        url @ Source::Url(_) => url,
    };
    let file = obtain(&source, folder, &limits, progress)?;
    let sha256 = Sha256::of(&file);
    let program = Program::inside(file.clone(), &source, &limits)?;
    keep(&source, cache, &sha256, &file, progress);
    let binary = (program.packed || source.is_packed()).then_some(program.artifact.sha256);
    Ok((program.architecture, Pin { source, sha256, binary }))
}

/// A path for `tau.yaml`: relative where the file is in the folder, so that
/// the folder can be moved, absolute otherwise. A link stays one.
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
        // There is no such file: whoever reads it will say so.
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    };
    seen.to_string_lossy().into_owned()
}

/// The file itself, compared with nothing yet.
fn obtain(
    source: &Source,
    folder: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Bytes, FetchError> {
    let bytes = match source {
        Source::Path(path) => {
            let path = folder.join(path);
            file::read(&path).map_err(|e| FetchError::File(path.display().to_string(), e))?
        }
        Source::Url(url) => {
            download(url, limits, &mut |bytes, total| progress(Progress::Received { bytes, total }))
                .map_err(|e| FetchError::Download(url.as_str().to_owned(), e))?
        }
    };
    Ok(bytes.into())
}

/// Keeps a download; a local file is where it is.
fn keep(source: &Source, cache: &Cache, sha256: &Sha256, file: &[u8], progress: &mut dyn FnMut(Progress)) {
    if let Source::Url(_) = source
        && let Err(e) = cache.put(sha256, file)
    {
        progress(Progress::NotKept(e));
    }
}

/// An artifact that is known to run somewhere.
struct Program {
    artifact: Artifact,
    architecture: Architecture,
    packed: bool,
}

impl Program {
    fn inside(file: Bytes, source: &Source, limits: &Limits) -> Result<Self, FetchError> {
        let unpacked = unpack(file, limits.size).map_err(|e| FetchError::Unpack(source.to_string(), e))?;
        let architecture = Architecture::of_program(&unpacked.bytes)
            .map_err(|e| FetchError::NotAProgram(source.to_string(), e))?;
        Ok(Self { artifact: Artifact::new(unpacked.bytes), architecture, packed: unpacked.packed })
    }
}
