//! Determines the architecture that a program runs on from its ELF header.

use std::fmt;
use std::str::FromStr;

use super::FileKind;

/// A processor architecture. It is shown under Go's name for it, because release files and
/// `tau.yaml` use that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// `amd64`
    Amd64,
    /// `arm64`
    Arm64,
    /// `arm`
    Arm,
    /// `386`
    I386,
    /// `riscv64`
    Riscv64,
}

impl Architecture {
    /// Every architecture.
    pub const ALL: [Self; 5] = [Self::Amd64, Self::Arm64, Self::Arm, Self::I386, Self::Riscv64];

    /// Determines the architecture of a Linux program from its ELF header.
    ///
    /// # Errors
    /// The bytes aren't a complete program for Linux on a supported architecture.
    pub fn of_program(bytes: &[u8]) -> Result<Self, NotAProgram> {
        let kind = FileKind::of(bytes);
        if kind != FileKind::Elf {
            return Err(NotAProgram::Other(kind));
        }
        let header = Header::read(bytes).ok_or(NotAProgram::CutShort)?;
        // 0 is System V, which most Linux programs have; 3 is GNU/Linux.
        if !matches!(header.system, 0 | 3) {
            return Err(NotAProgram::OtherSystem(system(header.system)));
        }
        // 2 is a program with a fixed address, 3 a program that can be loaded anywhere.
        if !matches!(header.purpose, 2 | 3) {
            return Err(NotAProgram::NotExecutable);
        }
        let architecture = match (header.machine, header.wide, header.little_endian) {
            (62, true, true) => Self::Amd64,
            (183, true, true) => Self::Arm64,
            (243, true, true) => Self::Riscv64,
            (40, false, true) => Self::Arm,
            (3, false, true) => Self::I386,
            (machine, ..) => return Err(NotAProgram::OtherMachine(machine)),
        };
        if header.loads_up_to(bytes).is_none_or(|end| end > bytes.len() as u64) {
            return Err(NotAProgram::CutShort);
        }
        Ok(architecture)
    }

    /// The architecture for which `uname -m` on a host prints `machine`.
    #[must_use]
    pub fn of_uname(machine: &str) -> Option<Self> {
        Some(match machine {
            "x86_64" | "amd64" => Self::Amd64,
            "aarch64" | "arm64" => Self::Arm64,
            "armv5l" | "armv5tel" | "armv5tejl" | "armv6l" | "armv7l" | "armv8l" | "arm" => Self::Arm,
            "i386" | "i486" | "i586" | "i686" => Self::I386,
            "riscv64" => Self::Riscv64,
            _ => return None,
        })
    }

    /// Go's name for the architecture.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Arm => "arm",
            Self::I386 => "386",
            Self::Riscv64 => "riscv64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that isn't the name of a supported architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known architecture (amd64, arm64, arm, 386, riscv64)")]
pub struct UnknownArchitecture(String);

impl UnknownArchitecture {
    /// The name to write instead, if the text is the kernel's name for an architecture.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let meant = Architecture::of_uname(&self.0)?;
        Some(format!("write `{meant}`, as Go and release files name it"))
    }
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(text: &str) -> Result<Self, UnknownArchitecture> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.name() == text)
            .ok_or_else(|| UnknownArchitecture(text.to_owned()))
    }
}

/// Why bytes aren't a program for a Linux host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAProgram {
    /// The file isn't in the ELF format.
    #[error("it is {0}, not a Linux program")]
    Other(FileKind),
    /// The ELF header describes a longer file.
    #[error("it is truncated")]
    CutShort,
    /// The program is for another operating system.
    #[error("it is a program for {0}, not for Linux")]
    OtherSystem(&'static str),
    /// The file is an object file or a core dump.
    #[error("it is an object file, not a program")]
    NotExecutable,
    /// The program is for a machine that spore doesn't support.
    #[error("it is for an unsupported architecture (ELF machine {0})")]
    OtherMachine(u16),
}

impl NotAProgram {
    /// What the user can do about the error.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Other(FileKind::Html) => {
                "use the URL of the file itself, not of the page that links to it".to_owned()
            }
            Self::Other(FileKind::Zip | FileKind::Xz | FileKind::Zstd | FileKind::Bzip2 | FileKind::Tar) => {
                "unpack it and use the file `tau` in it, or use the release's `.tar.gz`".to_owned()
            }
            Self::CutShort => "download or copy it again".to_owned(),
            Self::Other(FileKind::MachO | FileKind::Pe) | Self::OtherSystem(_) => {
                "the hosts run Linux: use the release for linux".to_owned()
            }
            _ => return None,
        })
    }
}

/// The part of an ELF header that says where a program runs.
struct Header {
    wide: bool,
    little_endian: bool,
    system: u8,
    purpose: u16,
    machine: u16,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let little_endian = *bytes.get(5)? == 1;
        let half = |at: usize| -> Option<u16> {
            let field = *bytes.get(at..)?.first_chunk()?;
            Some(if little_endian { u16::from_le_bytes(field) } else { u16::from_be_bytes(field) })
        };
        Some(Self {
            wide: *bytes.get(4)? == 2,
            little_endian,
            system: *bytes.get(7)?,
            purpose: half(16)?,
            machine: half(18)?,
        })
    }

    /// Where the last segment ends in the file. A truncated download has an intact header,
    /// but ends before that.
    fn loads_up_to(&self, bytes: &[u8]) -> Option<u64> {
        let half = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let word = |at: usize| -> Option<u64> {
            Some(if self.wide {
                u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)
            } else {
                u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into()
            })
        };
        // The offsets of these fields: where the table of segments is, the size and the
        // number of its entries; and within an entry, where the segment starts in the file,
        // and its length there.
        let (table, entry, number, offset, length) =
            if self.wide { (32, 54, 56, 8, 32) } else { (28, 42, 44, 4, 16) };
        let (table, entry) = (usize::try_from(word(table)?).ok()?, usize::from(half(entry)?));
        let mut end = 0;
        for segment in 0..usize::from(half(number)?) {
            let at = table.checked_add(segment.checked_mul(entry)?)?;
            let start = word(at.checked_add(offset)?)?;
            end = end.max(start.checked_add(word(at.checked_add(length)?)?)?);
        }
        Some(end)
    }
}

fn system(code: u8) -> &'static str {
    match code {
        2 => "NetBSD",
        6 => "Solaris",
        9 => "FreeBSD",
        12 => "OpenBSD",
        _ => "another system",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::tests::elf;

    #[test]
    fn each_architecture_from_its_header() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::of_program(&elf(architecture)), Ok(architecture));
            assert_eq!(architecture.to_string().parse(), Ok(architecture));
        }
    }

    #[test]
    fn what_is_no_program_for_linux() {
        let amd64 = elf(Architecture::Amd64);
        let changed = |at: usize, byte: u8| {
            let mut bytes = amd64.clone();
            bytes[at] = byte;
            Architecture::of_program(&bytes)
        };
        assert_eq!(changed(7, 9), Err(NotAProgram::OtherSystem("FreeBSD")));
        assert_eq!(changed(7, 3), Ok(Architecture::Amd64));
        assert_eq!(changed(16, 1), Err(NotAProgram::NotExecutable));
        // x32, which is the machine of amd64 with 32-bit addresses.
        assert_eq!(changed(4, 1), Err(NotAProgram::OtherMachine(62)));
        // Big-endian.
        assert!(matches!(changed(5, 2), Err(NotAProgram::NotExecutable)));
        assert_eq!(changed(18, 21), Err(NotAProgram::OtherMachine(21)));
    }

    #[test]
    fn no_length_panics_and_none_but_the_whole_passes() {
        for architecture in Architecture::ALL {
            let whole = elf(architecture);
            for length in 0..whole.len() {
                assert!(Architecture::of_program(&whole[..length]).is_err(), "{architecture} {length}");
            }
        }
        let absurd: Vec<u8> = elf(Architecture::Amd64).into_iter().take(20).chain([0xff; 200]).collect();
        assert_eq!(Architecture::of_program(&absurd), Err(NotAProgram::CutShort));
    }

    #[test]
    fn names_of_the_kernel() {
        assert_eq!(Architecture::of_uname("x86_64"), Some(Architecture::Amd64));
        assert_eq!(Architecture::of_uname("aarch64"), Some(Architecture::Arm64));
        assert_eq!(Architecture::of_uname("armv7l"), Some(Architecture::Arm));
        assert_eq!(Architecture::of_uname("i686"), Some(Architecture::I386));
        assert_eq!(Architecture::of_uname("mips"), None);
        assert!(
            "x86_64".parse::<Architecture>().is_err_and(|e| e.help().is_some_and(|h| h.contains("amd64")))
        );
    }
}
