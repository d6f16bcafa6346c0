//! The network folder of the demo, with keys made on the spot.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libp2p_identity::ed25519;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

use crate::artifact::{Architecture, Pin, Pins, Source};
use crate::resource::Sha256;
use crate::ssh::Address;

const CLOUD: &str = "\
# What the network is called, what lets a node in, and which nodes are its
# elders: those that every other node dials first.
domain:
  root: demo.test
  generated: g.demo.test
  validation:
    key: {private: keys/dv_private.key, public: keys/dv_public.key}
p2p:
  swarm: {key: keys/swarm.key}
  bootstrap:
    elders: [h1, h2]
";

const SHAPES: &str = "\
# Templates of nodes.
elders:
  ports: {main: 4242, lite: 4247}
members:
  services: [tns, hoarder]
  ports: {main: 5242, lite: 5247, ipfs: 5252}
";

const AUTH: &str = "\
# Who logs in.
admin: {username: root, key: keys/ssh}
";

/// What stands for tau says what it is.
pub(super) const TAU: &str = "\nThis is no tau: `spore demo` puts it where one would be.\n";

/// Writes all but the hosts.
pub(super) fn write(folder: &Path, architecture: Architecture, ssh_key: &str) -> io::Result<()> {
    for directory in ["bin", "hosts", "keys"] {
        fs::create_dir_all(folder.join(directory))?;
    }
    let tau = crate::pretend::program(architecture, TAU);
    let source = Source::Path("bin/tau".to_owned());
    let pin = Pin { source, sha256: Sha256::of(&tau), binary: None };
    fs::write(folder.join("bin/tau"), tau)?;
    let pins = Pins([(architecture, pin)].into());
    for (path, text) in [
        ("cloud.yaml", CLOUD),
        ("shapes.yaml", SHAPES),
        ("auth.yaml", AUTH),
        ("tau.yaml", pins.to_yaml().as_str()),
    ] {
        fs::write(folder.join(path), text)?;
    }
    secret(folder, "keys/ssh", ssh_key)?;
    secret(folder, "keys/swarm.key", &swarm_key())?;
    let validation = validation_key()?;
    let private = validation.to_sec1_pem(LineEnding::LF).map_err(io::Error::other)?;
    secret(folder, "keys/dv_private.key", &private)?;
    let public = validation.public_key().to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?;
    fs::write(folder.join("keys/dv_public.key"), public)
}

/// Writes a host with a node of this shape; `number` makes its address.
pub(super) fn add_host(folder: &Path, number: u8, shape: &str, ssh: &Address) -> io::Result<()> {
    let pair = Zeroizing::new(ed25519::Keypair::generate().to_bytes());
    // libp2p's protobuf: the type is ed25519, and 64 bytes follow.
    let key = Zeroizing::new([&[0x08, 0x01, 0x12, 0x40], pair.as_slice()].concat());
    let text = Zeroizing::new(format!(
        "addr: 192.0.2.{number}
ssh: {{addr: {}, port: {}, auth: [admin]}}
location: {{lat: 52.5, long: 13.4}}
shapes:
  {shape}:
    key: {}
",
        ssh.host,
        ssh.port,
        *Zeroizing::new(BASE64_STANDARD.encode(&*key))
    ));
    secret(folder, &format!("hosts/h{number}.yaml"), &text)
}

fn secret(folder: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = folder.join(path);
    fs::write(&path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

fn swarm_key() -> Zeroizing<String> {
    let mut text = Zeroizing::new("/key/swarm/psk/1.0.0//base16/".to_owned());
    for byte in ed25519::SecretKey::generate().as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn validation_key() -> io::Result<p256::SecretKey> {
    // Hardly ever a number isn't one of the curve's.
    let tries = (0..8).map(|_| p256::SecretKey::from_slice(ed25519::SecretKey::generate().as_ref()));
    tries.into_iter().find_map(Result::ok).ok_or_else(|| io::Error::other("no key on the curve"))
}
