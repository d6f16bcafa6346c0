//! What a file of an SSH key is, told without opening it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a file that should hold an SSH private key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshKeyKind {
    /// A private key that anyone who reads the file can use.
    Plain,
    /// A private key behind a passphrase.
    Encrypted,
    /// The public half.
    Public,
    /// A key, or the name of one, that can't be used: what it is, with its article.
    Unsupported(&'static str),
    /// It begins as a key does, and then isn't one.
    Damaged,
    /// Nothing of the sort.
    NotAKey,
}

impl SshKeyKind {
    /// What `text` is, by its first lines: OpenSSH's format, PKCS#1, PKCS#8,
    /// SEC1 or PuTTY's.
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
        let has = |line: &str| text.lines().any(|l| l.trim().starts_with(line));
        match text.lines().next().unwrap_or_default().trim_end() {
            "-----BEGIN OPENSSH PRIVATE KEY-----" => openssh(text).unwrap_or(Self::Damaged),
            "-----BEGIN ENCRYPTED PRIVATE KEY-----" => Self::Encrypted,
            "-----BEGIN PRIVATE KEY-----" => Self::Plain,
            "-----BEGIN RSA PRIVATE KEY-----" if has("DEK-Info: AES-128-CBC,") => Self::Encrypted,
            "-----BEGIN RSA PRIVATE KEY-----" | "-----BEGIN EC PRIVATE KEY-----" => match has("DEK-Info:") {
                true => Self::Unsupported("a key encrypted in an outdated way"),
                false => Self::Plain,
            },
            "-----BEGIN DSA PRIVATE KEY-----" => Self::Unsupported(DSA),
            _ if text.starts_with("PuTTY-User-Key-File-") => match has("Encryption: none") {
                true => Self::Plain,
                false => Self::Encrypted,
            },
            _ if PUBLIC.iter().any(|start| text.starts_with(start)) => Self::Public,
            _ => Self::NotAKey,
        }
    }
}

const DSA: &str = "a DSA key";

/// What the head of `openssh-key-v1` says (OpenSSH's `PROTOCOL.key`): the
/// cipher, and the public half, which begins with its kind, are in the clear.
fn openssh(text: &str) -> Option<SshKeyKind> {
    let body: String = text.lines().skip(1).take_while(|line| !line.starts_with("-----END")).collect();
    let bytes = STANDARD.decode(body.trim()).ok()?;
    let (cipher, rest) = string(bytes.strip_prefix(b"openssh-key-v1\0")?)?;
    let (_kdf, rest) = string(rest)?;
    let (_options, rest) = string(rest)?;
    let one_key = rest.strip_prefix(&[0, 0, 0, 1])?;
    let (public, _) = string(one_key)?;
    let (kind, _) = string(public)?;
    Some(match kind {
        b"ssh-dss" => SshKeyKind::Unsupported(DSA),
        kind if kind.starts_with(b"sk-") => SshKeyKind::Unsupported("a key that lives in a security token"),
        b"ssh-ed25519"
        | b"ssh-rsa"
        | b"ecdsa-sha2-nistp256"
        | b"ecdsa-sha2-nistp384"
        | b"ecdsa-sha2-nistp521" => match cipher {
            b"none" => SshKeyKind::Plain,
            _ => SshKeyKind::Encrypted,
        },
        _ => SshKeyKind::Unsupported("a key of an unknown kind"),
    })
}

/// A string after its length, and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ssh-keygen`'s format with nothing secret in it: only its head is read.
    fn key(cipher: &str, kind: &str) -> String {
        let string = |text: &[u8]| [&u32::try_from(text.len()).unwrap_or(0).to_be_bytes(), text].concat();
        let public = string(kind.as_bytes());
        let head =
            [b"openssh-key-v1\0".as_slice(), &string(cipher.as_bytes()), &string(b"none"), &string(b"")];
        let body = STANDARD.encode([&head.concat(), [0, 0, 0, 1].as_slice(), &string(&public)].concat());
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
    }

    #[test]
    fn a_key_is_told_by_its_head() {
        use SshKeyKind::{Damaged, Encrypted, NotAKey, Plain, Public, Unsupported};
        let token = Unsupported("a key that lives in a security token");
        let cases = [
            (key("none", "ssh-ed25519"), Plain),
            (key("aes256-ctr", "ssh-rsa"), Encrypted),
            (key("none", "ssh-dss"), Unsupported(DSA)),
            (key("none", "sk-ssh-ed25519@openssh.com"), token),
            (key("none", "ssh-other"), Unsupported("a key of an unknown kind")),
            (key("none", "ssh-ed25519").replace('\n', "\r\n"), Plain),
            (key("none", "ssh-ed25519").replacen("b3Bl", "b3..", 1), Damaged),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), Damaged),
            ("-----BEGIN PRIVATE KEY-----\n".to_owned(), Plain),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: DES-EDE3-CBC,0\n".to_owned(),
                Unsupported("a key encrypted in an outdated way"),
            ),
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
