//! The kind of an SSH key file, determined without decrypting it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a file that is used as an SSH private key contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshKeyKind {
    /// A private key without a passphrase.
    Plain,
    /// A private key with a passphrase.
    Encrypted,
    /// A public key.
    Public,
    /// A key that spore doesn't support.
    Unsupported(UnsupportedKey),
    /// A private key that is truncated or otherwise damaged.
    Damaged,
    /// Anything else.
    NotAKey,
}

/// A kind of private key that spore doesn't support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsupportedKey {
    /// DSA, which OpenSSH doesn't support any more either.
    Dsa,
    /// A key whose encryption is outdated.
    OldEncryption,
    /// A key that only a hardware token can use.
    HardwareToken,
    /// Any other kind.
    Unknown,
}

impl SshKeyKind {
    /// Determines what `text` contains. It recognizes OpenSSH's format, PKCS#1, PKCS#8,
    /// SEC1 and PuTTY's format, and ignores text before the first PEM block.
    pub fn of(text: &str) -> Self {
        const PUBLIC: [&str; 6] = [
            "ssh-",
            "ecdsa-sha2-",
            "sk-",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN RSA PUBLIC KEY-----",
            "---- BEGIN SSH2 PUBLIC KEY ----",
        ];
        let text = text.trim_start_matches('\u{feff}').trim();
        let lines = || text.lines().map(str::trim);
        let has = |start: &str| lines().any(|line| line.starts_with(start));
        let Some(head) = lines().find(|line| line.starts_with("-----BEGIN ")) else {
            return match () {
                () if PUBLIC.iter().any(|start| text.starts_with(start)) => Self::Public,
                () if !text.starts_with("PuTTY-User-Key-File-") => Self::NotAKey,
                () if has("Encryption: none") => Self::Plain,
                () => Self::Encrypted,
            };
        };
        if PUBLIC.contains(&head) {
            return Self::Public;
        }
        let Some(kind) = head.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            return Self::NotAKey;
        };
        if kind == "DSA PRIVATE KEY" {
            return Self::Unsupported(UnsupportedKey::Dsa);
        }
        let Some(body) = body(text, kind) else { return Self::Damaged };
        match kind {
            "OPENSSH PRIVATE KEY" => openssh(&body).unwrap_or(Self::Damaged),
            "ENCRYPTED PRIVATE KEY" => Self::Encrypted,
            "PRIVATE KEY" => Self::Plain,
            "RSA PRIVATE KEY" if has("DEK-Info: AES-128-CBC,") => Self::Encrypted,
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" if has("DEK-Info:") => {
                Self::Unsupported(UnsupportedKey::OldEncryption)
            }
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" => Self::Plain,
            _ => Self::NotAKey,
        }
    }
}

/// Decodes the lines between a block's first and last line, without its headers. `None` if
/// the last line is missing or the lines aren't base64.
fn body(text: &str, kind: &str) -> Option<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != begin).skip(1);
    let mut base64 = String::new();
    loop {
        match lines.next()? {
            line if line == end => break,
            header if header.contains(": ") => {}
            line => base64.push_str(line),
        }
    }
    STANDARD.decode(base64).ok()
}

/// The kind of a key in the `openssh-key-v1` format (OpenSSH's `PROTOCOL.key`). The cipher
/// and the public key, which begins with its algorithm, can be read without the passphrase.
fn openssh(bytes: &[u8]) -> Option<SshKeyKind> {
    let (cipher, rest) = string(bytes.strip_prefix(b"openssh-key-v1\0")?)?;
    let (_kdf, rest) = string(rest)?;
    let (_options, rest) = string(rest)?;
    let one_key = rest.strip_prefix(&[0, 0, 0, 1])?;
    let (public, rest) = string(one_key)?;
    // This only checks that the private key isn't truncated.
    let (_private, _) = string(rest)?;
    let (kind, _) = string(public)?;
    Some(match kind {
        b"ssh-dss" => SshKeyKind::Unsupported(UnsupportedKey::Dsa),
        kind if kind.starts_with(b"sk-") => SshKeyKind::Unsupported(UnsupportedKey::HardwareToken),
        b"ssh-ed25519"
        | b"ssh-rsa"
        | b"ecdsa-sha2-nistp256"
        | b"ecdsa-sha2-nistp384"
        | b"ecdsa-sha2-nistp521" => match cipher {
            b"none" => SshKeyKind::Plain,
            _ => SshKeyKind::Encrypted,
        },
        _ => SshKeyKind::Unsupported(UnsupportedKey::Unknown),
    })
}

/// Splits off a string that is preceded by its length.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key in the format of `ssh-keygen`, without an actual private key.
    fn key(cipher: &str, kind: &str) -> String {
        let string = |text: &[u8]| [&u32::try_from(text.len()).unwrap_or(0).to_be_bytes(), text].concat();
        let public = string(kind.as_bytes());
        let head =
            [b"openssh-key-v1\0".as_slice(), &string(cipher.as_bytes()), &string(b"none"), &string(b"")];
        let keys = [[0, 0, 0, 1].as_slice(), &string(&public), &string(b"no private key")].concat();
        let body = STANDARD.encode([head.concat(), keys].concat());
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    }

    fn pem(kind: &str, headers: &str) -> String {
        format!("-----BEGIN {kind}-----\n{headers}AAAA\n-----END {kind}-----\n")
    }

    #[test]
    fn the_kind_is_recognized() {
        use SshKeyKind::{Damaged, Encrypted, NotAKey, Plain, Public, Unsupported};
        let token = Unsupported(UnsupportedKey::HardwareToken);
        let cases = [
            (key("none", "ssh-ed25519"), Plain),
            (key("aes256-ctr", "ssh-rsa"), Encrypted),
            (key("none", "ssh-dss"), Unsupported(UnsupportedKey::Dsa)),
            (key("none", "sk-ssh-ed25519@openssh.com"), token),
            (key("none", "ssh-other"), Unsupported(UnsupportedKey::Unknown)),
            (key("none", "ssh-ed25519").replace('\n', "\r\n"), Plain),
            (key("none", "ssh-ed25519").replacen("b3Bl", "b3..", 1), Damaged),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), Damaged),
            (key("none", "ssh-ed25519").replace("-----END OPENSSH PRIVATE KEY-----", ""), Damaged),
            (format!("Bag Attributes\n    friendlyName: x\n{}", pem("PRIVATE KEY", "")), Plain),
            (pem("RSA PRIVATE KEY", ""), Plain),
            (pem("RSA PRIVATE KEY", "").replace("AAAA", "AAA..."), Damaged),
            (pem("RSA PRIVATE KEY", "DEK-Info: AES-128-CBC,00\n\n"), Encrypted),
            (
                pem("RSA PRIVATE KEY", "DEK-Info: DES-EDE3-CBC,0\n\n"),
                Unsupported(UnsupportedKey::OldEncryption),
            ),
            (pem("CERTIFICATE", ""), NotAKey),
            ("ssh-ed25519 AAAA somebody".to_owned(), Public),
            ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n".to_owned(), Plain),
            ("hello".to_owned(), NotAKey),
            (String::new(), NotAKey),
        ];
        for (text, kind) in cases {
            assert_eq!(SshKeyKind::of(&text), kind, "{text}");
        }
    }
}
