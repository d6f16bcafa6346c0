//! Generates keys and passwords for a test, in the formats used in a network folder.

use std::{fs, io::Read as _, process::Command};

use base64::Engine as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};

/// Random hexadecimal digits, for a password or a swarm key.
pub(crate) fn hex() -> String {
    random().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A private RSA key in the format of GitHub's keys.
pub(crate) fn rsa_key() -> String {
    let output = Command::new("openssl").args(["genrsa", "-traditional", "2048"]).output();
    let output = output.unwrap_or_else(|error| panic!("openssl: {error}"));
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A private key in libp2p's encoding, in base64.
pub(crate) fn node_key() -> String {
    let key = libp2p_identity::Keypair::generate_ed25519();
    let bytes = key.to_protobuf_encoding().unwrap_or_else(|error| panic!("{error}"));
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The peer id of a private key in this form.
pub(crate) fn peer_id(key: &str) -> String {
    let key = base64::engine::general_purpose::STANDARD.decode(key);
    let key = libp2p_identity::Keypair::from_protobuf_encoding(&key.unwrap_or_default());
    key.unwrap_or_else(|error| panic!("{error}")).public().to_peer_id().to_string()
}

/// A private and a public key, in PEM.
pub(crate) fn validation_pair() -> (String, String) {
    let private = p256::SecretKey::from_slice(&random()).unwrap_or_else(|error| panic!("{error}"));
    let public = private.public_key().to_public_key_pem(LineEnding::LF);
    let private = private.to_sec1_pem(LineEnding::LF).unwrap_or_else(|error| panic!("{error}"));
    (private.to_string(), public.unwrap_or_else(|error| panic!("{error}")))
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .unwrap_or_else(|error| panic!("/dev/urandom: {error}"));
    bytes
}
