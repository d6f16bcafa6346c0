//! Determines the kind of a file from its first bytes. It decides whether a file is
//! unpacked, and is named in messages about files that aren't the expected program.

use std::fmt;

/// The kind of a file. `Display` writes it with its article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are self-explanatory")]
pub enum Kind {
    Empty,
    Elf,
    Gzip,
    Tar,
    Zip,
    Xz,
    Zstd,
    Bzip2,
    MachO,
    Pe,
    Script,
    Html,
    Json,
    Text,
    Unknown,
}

impl Kind {
    /// Determines the kind from the first bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        const MAGIC: &[(&[u8], Kind)] = &[
            (b"\x7fELF", Kind::Elf),
            (b"\x1f\x8b", Kind::Gzip),
            (b"PK\x03\x04", Kind::Zip),
            (b"\xfd7zXZ\0", Kind::Xz),
            (b"\x28\xb5\x2f\xfd", Kind::Zstd),
            (b"BZh", Kind::Bzip2),
            (b"\xcf\xfa\xed\xfe", Kind::MachO),
            (b"\xce\xfa\xed\xfe", Kind::MachO),
            (b"\xca\xfe\xba\xbe", Kind::MachO),
            (b"MZ", Kind::Pe),
            (b"#!", Kind::Script),
        ];
        if bytes.is_empty() {
            return Self::Empty;
        }
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return *kind;
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return Self::Tar;
        }
        let start = &bytes[..bytes.len().min(512)];
        if start.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
            return Self::Unknown;
        }
        match start.trim_ascii_start() {
            [b'<', ..] => Self::Html,
            [b'{' | b'[', ..] => Self::Json,
            _ => Self::Text,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Elf => "an ELF file",
            Self::Gzip => "a gzip file",
            Self::Tar => "a tar archive",
            Self::Zip => "a zip archive",
            Self::Xz => "an xz file",
            Self::Zstd => "a zstd file",
            Self::Bzip2 => "a bzip2 file",
            Self::MachO => "a macOS program",
            Self::Pe => "a Windows program",
            Self::Script => "a script",
            Self::Html => "an HTML page",
            Self::Json => "a JSON document",
            Self::Text => "a text file",
            Self::Unknown => "a file of an unknown kind",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_determine_the_kind() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], Kind); 9] = [
            (b"", Kind::Empty),
            (b"\n<!DOCTYPE html><html>", Kind::Html),
            (b"#!/bin/sh\n", Kind::Script),
            (b"Not Found", Kind::Text),
            (b"{\"message\":\"Not Found\"}", Kind::Json),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01", Kind::MachO),
            (b"MZ\x90\0", Kind::Pe),
            (b"\0\x01\x02", Kind::Unknown),
            (&tar, Kind::Tar),
        ];
        for (bytes, kind) in cases {
            assert_eq!(Kind::of(bytes), kind);
        }
    }
}
