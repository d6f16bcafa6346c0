//! Determines the kind of a file from its first bytes. It decides whether a file is
//! unpacked, and is named in messages about files that aren't the expected program.

use std::fmt;

/// The kind of a file. `Display` writes it with its article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are self-explanatory")]
pub enum FileKind {
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

impl FileKind {
    /// Determines the kind from the first bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        const MAGIC: &[(&[u8], FileKind)] = &[
            (b"\x7fELF", FileKind::Elf),
            (b"\x1f\x8b", FileKind::Gzip),
            (b"PK\x03\x04", FileKind::Zip),
            (b"\xfd7zXZ\0", FileKind::Xz),
            (b"\x28\xb5\x2f\xfd", FileKind::Zstd),
            (b"BZh", FileKind::Bzip2),
            (b"\xcf\xfa\xed\xfe", FileKind::MachO),
            (b"\xce\xfa\xed\xfe", FileKind::MachO),
            (b"\xca\xfe\xba\xbe", FileKind::MachO),
            (b"MZ", FileKind::Pe),
            (b"#!", FileKind::Script),
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

impl fmt::Display for FileKind {
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
        let cases: [(&[u8], FileKind); 9] = [
            (b"", FileKind::Empty),
            (b"\n<!DOCTYPE html><html>", FileKind::Html),
            (b"#!/bin/sh\n", FileKind::Script),
            (b"Not Found", FileKind::Text),
            (b"{\"message\":\"Not Found\"}", FileKind::Json),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01", FileKind::MachO),
            (b"MZ\x90\0", FileKind::Pe),
            (b"\0\x01\x02", FileKind::Unknown),
            (&tar, FileKind::Tar),
        ];
        for (bytes, kind) in cases {
            assert_eq!(FileKind::of(bytes), kind);
        }
    }
}
