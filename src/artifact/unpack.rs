//! Unpacks a release's file to the binary inside.

use std::io::{self, BufReader, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::FileKind;

/// The name of the archive member that is returned.
pub(super) const MEMBER: &str = "tau";

/// The size of a tar archive's first block, which identifies the format, in bytes.
const TAR_BLOCK: u64 = 512;

/// The maximum number of members that an error names.
const NAMED: usize = 5;

/// What is inside a file.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) bytes: Bytes,
    /// Whether there was anything to unpack.
    pub(super) packed: bool,
}

/// Why an archive can't be used.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive is damaged or truncated.
    #[error("the archive is damaged")]
    Damaged(#[source] io::Error),
    /// The archive unpacks to more than the limit, in bytes.
    #[error("the archive unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// The archive has no file `tau`; these are some of the files that it has.
    #[error("the archive has no file `tau`{}", listed(.0))]
    NoTau(Vec<String>),
    /// The archive has several files `tau`, with these paths.
    #[error("the archive has more than one file `tau`: {}", .0.join(", "))]
    ManyTaus(Vec<String>),
}

impl UnpackError {
    /// What the user can do about the error.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Damaged(_) => "download or copy it again".to_owned(),
            Self::TooLarge(_) => return None,
            Self::NoTau(_) | Self::ManyTaus(_) => "unpack it and use the program inside".to_owned(),
        })
    }
}

fn listed(members: &[String]) -> String {
    if members.is_empty() { String::new() } else { format!("; it has {}", members.join(", ")) }
}

/// The binary in `file`: the file `tau` of a compressed tar archive, the content of any
/// other gzip file, or the file itself if it isn't compressed. If the unpacked content
/// isn't a program, only its start is returned. Content that unpacks to more than `limit`
/// bytes is rejected without being read to its end.
pub(super) fn unpack(file: Bytes, limit: u64) -> Result<Unpacked, UnpackError> {
    if FileKind::of(&file) != FileKind::Gzip {
        return Ok(Unpacked { bytes: file, packed: false });
    }
    let refused = |e: io::Error| match e.kind() {
        io::ErrorKind::FileTooLarge => UnpackError::TooLarge(limit),
        _ => UnpackError::Damaged(e),
    };
    let mut content = Limited { inner: MultiGzDecoder::new(&file[..]), left: limit };
    let mut start = Vec::new();
    content.by_ref().take(TAR_BLOCK).read_to_end(&mut start).map_err(refused)?;
    let bytes = if FileKind::of(&start) == FileKind::Tar {
        let found =
            members(BufReader::with_capacity(64 << 10, start.chain(&mut content))).map_err(refused)?;
        // The tar archive ends before the gzip stream does, and only the end of the stream
        // confirms that everything was intact.
        io::copy(&mut content, &mut io::sink()).map_err(refused)?;
        found.only()?
    } else {
        kept(start.chain(&mut content)).map_err(refused)?
    };
    Ok(Unpacked { bytes: bytes.into(), packed: true })
}

/// Returns all of a program, but only the start of anything else, which is enough to
/// identify it. The content is read to its end either way.
fn kept(mut content: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.by_ref().take(TAR_BLOCK).read_to_end(&mut bytes)?;
    if FileKind::of(&bytes) == FileKind::Elf {
        content.read_to_end(&mut bytes)?;
    } else {
        io::copy(&mut content, &mut io::sink())?;
    }
    Ok(bytes)
}

/// The contents of an archive: the files `tau`, and the names of some other members.
struct Found {
    taus: Vec<(String, Vec<u8>)>,
    others: Vec<String>,
}

impl Found {
    fn only(mut self) -> Result<Vec<u8>, UnpackError> {
        match (self.taus.pop(), self.taus.is_empty()) {
            (None, _) => Err(UnpackError::NoTau(self.others)),
            (Some((_, bytes)), true) => Ok(bytes),
            (Some((last, _)), false) => Err(UnpackError::ManyTaus(
                self.taus.into_iter().map(|(name, _)| name).chain([last]).collect(),
            )),
        }
    }
}

fn members(archive: impl Read) -> io::Result<Found> {
    let mut found = Found { taus: Vec::new(), others: Vec::new() };
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        // The names come from the archive and are shown on a terminal.
        let name = path.to_string_lossy().escape_debug().to_string();
        // Only a regular entry is read: a sparse entry of a few bytes can claim any size.
        if entry.header().entry_type().is_file() && path.file_name() == Some(MEMBER.as_ref()) {
            found.taus.push((name, kept(&mut entry)?));
        } else if found.others.len() < NAMED {
            found.others.push(name);
        }
    }
    Ok(found)
}

/// Fails instead of returning more than `left` bytes.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::artifact::tests::{gzip, tar};

    const LIMIT: u64 = 1 << 20;

    #[test]
    fn what_is_not_compressed_stays() {
        let unpacked = unpack(Bytes::from_static(b"\x7fELF"), 0).unwrap();
        assert_eq!((&unpacked.bytes[..], unpacked.packed), (&b"\x7fELF"[..], false));
    }

    #[test]
    fn a_compressed_binary() {
        let unpacked = unpack(gzip(b"binary"), LIMIT).unwrap();
        assert_eq!((&unpacked.bytes[..], unpacked.packed), (&b"binary"[..], true));
    }

    #[test]
    fn a_release() {
        for name in ["tau", "./tau", "tau_1.0_linux_amd64/tau"] {
            let archive = gzip(&tar(&[("README.md", b"read"), (name, b"binary"), ("tau.txt", b"text")]));
            assert_eq!(unpack(archive, LIMIT).unwrap().bytes, &b"binary"[..], "{name}");
        }
    }

    #[test]
    fn a_release_without_tau() {
        let archive = gzip(&tar(&[("README\u{1b}.md", b"read"), ("dream", b"binary")]));
        let error = unpack(archive, LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "the archive has no file `tau`; it has README\\u{1b}.md, dream");
        // A link or a folder with that name doesn't count.
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Symlink);
        builder.append_link(&mut header, "tau", "/etc/passwd").unwrap();
        let error = unpack(gzip(&builder.into_inner().unwrap()), LIMIT).unwrap_err();
        assert!(matches!(error, UnpackError::NoTau(_)), "{error:?}");
    }

    #[test]
    fn a_release_with_two() {
        let archive = gzip(&tar(&[("amd64/tau", b"one"), ("arm64/tau", b"two")]));
        let error = unpack(archive, LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "the archive has more than one file `tau`: amd64/tau, arm64/tau");
    }

    #[test]
    fn nothing_unpacks_to_more_than_the_limit() {
        let zeros = [b"\x7fELF", &[0; 2996][..]].concat();
        let binary = gzip(&zeros);
        let archive = gzip(&tar(&[("tau", &zeros)]));
        assert_eq!(unpack(binary.clone(), 3000).unwrap().bytes, zeros);
        for bomb in [binary, archive, gzip(&tar(&[("other", &zeros)]))] {
            let error = unpack(bomb, 2999).unwrap_err();
            assert!(matches!(error, UnpackError::TooLarge(2999)), "{error:?}");
        }
    }

    #[test]
    fn what_is_no_program_is_not_held_in_memory() {
        let zeros = vec![0; 100_000];
        for packed in [gzip(&zeros), gzip(&tar(&[("tau", &zeros)]))] {
            assert_eq!(unpack(packed, LIMIT).unwrap().bytes.len() as u64, TAR_BLOCK);
        }
        assert!(crate::artifact::download::Limits::default().unpacked <= 512 << 20);
    }

    #[test]
    fn no_part_of_an_archive_passes_for_it() {
        let archive = gzip(&tar(&[("tau", b"binary")]));
        for length in 2..archive.len() {
            assert!(unpack(archive.slice(..length), LIMIT).is_err(), "{length}");
        }
        let mut damaged = archive.to_vec();
        let crc = damaged.len() - 8;
        damaged[crc] ^= 1;
        assert!(matches!(unpack(damaged.into(), LIMIT), Err(UnpackError::Damaged(_))));
    }
}
