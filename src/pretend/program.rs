//! What stands for a program on simulated hosts, where nothing of the host's is
//! ever run.

use crate::artifact::{Architecture, build_info};

/// The version of tau that [`program`] claims to be.
const VERSION: &str = "v0.0.0-simulated";

/// The header of a Linux program that does nothing, the build information by
/// which tau is recognized (it stands for tau), and `words` that tell a reader
/// what it is. Different words make different bytes.
pub fn program(architecture: Architecture, words: &str) -> Vec<u8> {
    let (machine, wide): (u8, bool) = match architecture {
        Architecture::Amd64 => (62, true),
        Architecture::Arm64 => (183, true),
        Architecture::Riscv64 => (243, true),
        Architecture::Arm => (40, false),
        Architecture::I386 => (3, false),
    };
    // Where the table of segments is, and in the header: the places of its own
    // place, of the size of an entry and of their number; and of the size of
    // the one segment within its entry.
    let (header, entry, table, entry_size, entries, segment_size): (u8, u8, usize, usize, usize, usize) =
        if wide { (64, 56, 32, 54, 56, 32) } else { (52, 32, 28, 42, 44, 16) };
    let mut bytes = vec![0; usize::from(header) + usize::from(entry)];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1]);
    bytes[16] = 2;
    bytes[18] = machine;
    bytes[table] = header;
    bytes[entry_size] = entry;
    bytes[entries] = 1;
    bytes[usize::from(header) + segment_size] = header + entry;
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    bytes.extend_from_slice(&build_info(VERSION));
    bytes.extend_from_slice(words.as_bytes());
    bytes
}

/// What `uname -m` says where such programs run.
pub(super) fn uname(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "aarch64",
        Architecture::Riscv64 => "riscv64",
        Architecture::Arm => "armv7l",
        Architecture::I386 => "i686",
    }
}

/// This machine's; any other does as well, where tau isn't built for it.
pub fn here() -> Architecture {
    match std::env::consts::ARCH {
        "x86" => Architecture::I386,
        name => Architecture::of_uname(name).unwrap_or(Architecture::Amd64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_for_a_program() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::of_program(&program(architecture, "words")), Ok(architecture));
            assert_eq!(Architecture::of_uname(uname(architecture)), Some(architecture));
        }
        assert!(Architecture::ALL.contains(&here()));
        let text = program(here(), "this is no tau");
        assert!(String::from_utf8_lossy(&text).ends_with("this is no tau"));
    }
}
