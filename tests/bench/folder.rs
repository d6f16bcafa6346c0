//! Writes the hosts of a large network folder, for `tests/bench/check`: `HOSTS` hosts with
//! different addresses and node keys, into the folder `DIR`, in `one` file or in `many`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libp2p_identity::{Keypair, ed25519};
use std::error::Error;
use std::fs;
use std::path::Path;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, hosts, form] = &arguments[..] else { return Err("DIR HOSTS one|many".into()) };
    let folder = Path::new(folder);
    let mut all = String::new();
    if form == "many" {
        fs::create_dir_all(folder.join("hosts"))?;
    }
    for n in 0..hosts.parse::<u32>()? {
        let host = host(n)?;
        if form == "many" {
            fs::write(folder.join(format!("hosts/h{n}.yaml")), host)?;
        } else {
            let indented = host.lines().map(|line| format!("  {line}\n"));
            all += &format!("h{n}:\n{}", indented.collect::<String>());
        }
    }
    if form != "many" {
        fs::write(folder.join("hosts.yaml"), all)?;
    }
    Ok(())
}

pub(crate) fn host(n: u32) -> Result<String, Box<dyn Error>> {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    let secret = ed25519::SecretKey::try_from_bytes(seed)?;
    let pair = Keypair::from(ed25519::Keypair::from(secret));
    let (key, id) = (STANDARD.encode(pair.to_protobuf_encoding()?), pair.public().to_peer_id());
    let address = format!("20.{}.{}.{}", n / 40_000, n / 200 % 200, n % 200 + 1);
    let shape = if n < 3 { "elders" } else { "all" };
    Ok(format!(
        "addr: [{address}/8]\n\
         ssh: {{addr: {address}, port: 22, auth: [deploy]}}\n\
         location: {{lat: 1.25, long: 25.1}}\n\
         shapes:\n  {shape}:\n    key: {key}\n    id: {id}\n"
    ))
}
