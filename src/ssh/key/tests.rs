#![expect(clippy::unwrap_used, reason = "a test that meets something else fails there")]

use std::cell::Cell;

use super::*;

const PASSPHRASE: &str = "open sesame";

/// Loads a key with this passphrase. Also returns how often the passphrase was asked for.
fn try_load(text: &str, passphrase: Option<&str>) -> (Result<Arc<PrivateKey>, KeyError>, u32) {
    let asked = Cell::new(0);
    let mut ask = |path: &Path| {
        assert_eq!(path, Path::new("/k/id"));
        asked.set(asked.get() + 1);
        Ok(passphrase.map(|text| SecretText::new(text.into())))
    };
    let loaded = load("/k/id".as_ref(), text, &mut ask);
    (loaded, asked.get())
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../tests/keys/", $name))
    };
}

#[test]
fn every_format_of_ssh_keygen_is_supported() {
    let table = [
        ("ssh-ed25519", file!("ed25519"), 0),
        ("ssh-ed25519", file!("ed25519.encrypted"), 1),
        ("ssh-rsa", file!("rsa"), 0),
        ("ssh-rsa", file!("rsa.pkcs1"), 0),
        ("ssh-rsa", file!("rsa.pkcs1.encrypted"), 1),
        ("ssh-rsa", file!("rsa.pkcs8"), 0),
        ("ecdsa-sha2-nistp256", file!("ecdsa"), 0),
        ("ecdsa-sha2-nistp256", file!("ecdsa.sec1"), 0),
        ("ecdsa-sha2-nistp256", file!("ecdsa.pkcs8.encrypted"), 1),
    ];
    for (algorithm, text, asked) in table {
        let unix = try_load(text, Some(PASSPHRASE));
        let dos = try_load(&text.replace('\n', "\r\n"), Some(PASSPHRASE));
        for (loaded, times) in [unix, dos] {
            assert_eq!(loaded.unwrap().algorithm().to_string(), algorithm);
            assert_eq!(times, asked, "{algorithm}");
        }
    }
}

#[test]
fn a_key_has_the_same_fingerprint_in_every_format() {
    let of = |text| {
        let key = try_load(text, Some(PASSPHRASE)).0.unwrap();
        key.public_key().fingerprint(Default::default())
    };
    let rsa = of(file!("rsa"));
    for text in [file!("rsa.pkcs1"), file!("rsa.pkcs1.encrypted"), file!("rsa.pkcs8")] {
        assert_eq!(of(text), rsa);
    }
    let ecdsa = of(file!("ecdsa"));
    for text in [file!("ecdsa.sec1"), file!("ecdsa.pkcs8.encrypted")] {
        assert_eq!(of(text), ecdsa);
    }
}

#[test]
fn each_unusable_file_has_its_error() {
    let encrypted =
        [file!("ed25519.encrypted"), file!("rsa.pkcs1.encrypted"), file!("ecdsa.pkcs8.encrypted")];
    let damaged = file!("ed25519").replace("b3Bl", "YWJj");
    let cut = file!("rsa.pkcs1").lines().take(5).collect::<Vec<_>>().join("\n");
    let table = [
        (file!("ed25519.pub"), None, "Public"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw", None, "Public"),
        (encrypted[0], None, "NoPassphrase"),
        (encrypted[0], Some("open"), "WrongPassphrase"),
        (encrypted[1], Some("open"), "WrongPassphrase"),
        (encrypted[2], Some("open"), "WrongPassphrase"),
        (file!("ecdsa.sec1.encrypted"), Some(PASSPHRASE), "Unsupported(OldEncryption)"),
        ("-----BEGIN DSA PRIVATE KEY-----\nMFkw", None, "Unsupported(Dsa)"),
        (&damaged, None, "Damaged"),
        (&cut, None, "Damaged"),
        ("", None, "NotAKey"),
        ("password: hunter2", None, "NotAKey"),
    ];
    for (text, passphrase, expected) in table {
        let error = try_load(text, passphrase).0.unwrap_err();
        assert_eq!(format!("{error:?}"), expected);
    }
}

#[test]
fn a_failed_prompt_is_reported() {
    let mut ask = |_: &Path| Err(io::Error::other("no terminal"));
    let error = load("/k/id".as_ref(), file!("ed25519.encrypted"), &mut ask).unwrap_err();
    assert!(matches!(error, KeyError::Ask(_)), "{error:?}");
}
