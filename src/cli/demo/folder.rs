//! The network folder of the demo, with newly generated keys.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::artifact::{Architecture, Pin, Pins, Source};
use crate::identity::{NodeKey, SwarmKey, ValidationKeys};
use crate::resource::{SecretBytes, Sha256};
use crate::ssh::ServerAddress;

const CLOUD: &str = "\
# The network's domains and keys, and its elders: the nodes that every other
# node dials first.
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
# Shapes are templates of nodes.
elders:
  ports: {main: 4242, lite: 4247}
members:
  services: [tns, hoarder]
  ports: {main: 5242, lite: 5247, ipfs: 5252}
";

const AUTH: &str = "\
# How spore logs in to the hosts.
admin: {username: root, key: keys/ssh}
";

/// The text in the placeholder, for a user who opens the file.
pub(super) const TAU: &str = "\nThis isn't tau: it is the placeholder that `spore demo` installs instead.\n";

/// Writes everything except the hosts' files.
pub(super) fn write(folder: &Path, architecture: Architecture, ssh_key: &str) -> io::Result<()> {
    for directory in ["bin", "hosts", "keys"] {
        fs::create_dir_all(folder.join(directory))?;
    }
    let tau = crate::pretend::program(architecture, TAU);
    let source = Source::Path("bin/tau".to_owned());
    let pin = Pin::new(source, Sha256::of(&tau));
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
    secret(folder, "keys/ssh", ssh_key.as_bytes())?;
    secret(folder, "keys/swarm.key", SwarmKey::generate().line().expose())?;
    let validation = ValidationKeys::generate();
    if let Some(private) = validation.private() {
        secret(folder, "keys/dv_private.key", private.expose())?;
    }
    fs::write(folder.join("keys/dv_public.key"), validation.public())
}

/// Writes the file of host `h<number>`, with a node of this shape and the address
/// 192.0.2.`<number>`.
pub(super) fn add_host(folder: &Path, number: u8, shape: &str, ssh: &ServerAddress) -> io::Result<()> {
    let key = NodeKey::generate();
    let mut text = format!(
        "addr: 192.0.2.{number}
ssh: {{addr: {}, port: {}, auth: [admin]}}
location: {{lat: 52.5, long: 13.4}}
shapes:
  {shape}:
    key: ",
        ssh.host, ssh.port,
    )
    .into_bytes();
    text.extend_from_slice(key.expose().expose());
    text.push(b'\n');
    secret(folder, &format!("hosts/h{number}.yaml"), SecretBytes::new(text).expose())
}

fn secret(folder: &Path, path: &str, text: &[u8]) -> io::Result<()> {
    let path = folder.join(path);
    fs::write(&path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}
