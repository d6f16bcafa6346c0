//! The placeholder for programs on simulated hosts. Simulated hosts never run their
//! programs.

use crate::artifact::{Architecture, build_info};

/// The version in the build information of [`program`].
const VERSION: &str = "v0.0.0-simulated";

/// Returns an ELF header for a Linux program that does nothing, followed by the build
/// information by which tau is recognized, and by `words`, which tell a reader what the
/// file is. Different words give different digests.
pub fn program(architecture: Architecture, words: &str) -> Vec<u8> {
    let (machine, wide): (u8, bool) = match architecture {
        Architecture::Amd64 => (62, true),
        Architecture::Arm64 => (183, true),
        Architecture::Riscv64 => (243, true),
        Architecture::Arm => (40, false),
        Architecture::I386 => (3, false),
    };
    // The sizes of the ELF header and of a program header; the offsets of `e_phoff`,
    // `e_phentsize` and `e_phnum` in the former, and of `p_filesz` in the latter.
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

/// What `uname -m` prints on this architecture.
pub(super) fn uname(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "aarch64",
        Architecture::Riscv64 => "riscv64",
        Architecture::Arm => "armv7l",
        Architecture::I386 => "i686",
    }
}

/// This machine's architecture, or amd64 if tau doesn't support it. Programs are never run,
/// so any architecture would do.
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
    fn the_header_has_the_architecture() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::of_program(&program(architecture, "words")), Ok(architecture));
            assert_eq!(Architecture::of_uname(uname(architecture)), Some(architecture));
        }
        assert!(Architecture::ALL.contains(&here()));
        let text = program(here(), "this isn't tau");
        assert!(String::from_utf8_lossy(&text).ends_with("this isn't tau"));
    }
}
