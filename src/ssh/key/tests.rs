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
        (file!("ed25519.pub"), None, "/k/id is a public key"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw", None, "/k/id is a public key"),
        (encrypted[0], None, "/k/id is encrypted, and no passphrase was given"),
        (encrypted[0], Some("open"), "wrong passphrase for /k/id"),
        (encrypted[1], Some("open"), "wrong passphrase for /k/id"),
        (encrypted[2], Some("open"), "wrong passphrase for /k/id"),
        (
            file!("ecdsa.sec1.encrypted"),
            Some(PASSPHRASE),
            "/k/id is a key with outdated encryption, which spore doesn't support",
        ),
        ("-----BEGIN DSA PRIVATE KEY-----\nMFkw", None, "/k/id is a DSA key, which spore doesn't support"),
        (&damaged, None, "/k/id is a damaged key"),
        (&cut, None, "/k/id is a damaged key"),
        ("", None, "/k/id isn't a private key"),
        ("password: hunter2", None, "/k/id isn't a private key"),
    ];
    for (text, passphrase, expected) in table {
        let error = try_load(text, passphrase).0.unwrap_err();
        assert_eq!(error.to_string(), expected);
        let all = format!("{error:?}{}", error.help());
        assert!(!all.contains("open"), "{all}");
    }
}

#[test]
fn a_failed_prompt_is_reported() {
    let mut ask = |_: &Path| Err(io::Error::other("no terminal"));
    let error = load("/k/id".as_ref(), file!("ed25519.encrypted"), &mut ask).unwrap_err();
    assert_eq!(error.to_string(), "cannot prompt for the passphrase of /k/id");
}
