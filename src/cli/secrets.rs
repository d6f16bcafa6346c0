//! The folder's secrets, to be masked in what hosts say.
//!
//! Every struct of the network that may hold a secret is destructured without `..`, so
//! that a new field doesn't compile until someone has decided whether it is one.

use crate::desired::{Desired, Goal};
use crate::network::{App, Domain, Host, Identity, Login, Network, Ssh, Tenancy};
use crate::resource::{Content, Redactor, Resource, SecretBytes, Value};

/// Masks the secrets of the folder, except for what is public in it.
pub(crate) fn redactor(network: &Network, desired: &Desired) -> Redactor {
    Redactor::new(&secrets(network), public(network, desired))
}

/// Every secret of the folder.
fn secrets(network: &Network) -> Vec<SecretBytes> {
    let Network {
        folder: _,
        domain,
        swarm_key,
        bootstrap: _,
        shapes: _,
        hosts,
        logins,
        tenancy,
        accounts,
        // A URL of a tau has no credentials.
        tau: _,
        warnings: _,
    } = network;
    let Domain { root: _, generated: _, validation, custom: _ } = domain;
    let mut secrets = vec![swarm_key.line().clone()];
    secrets.extend(validation.private().cloned());
    for Host { name: _, addresses: _, ssh, location: _, nodes } in hosts.values() {
        let Ssh { address: _, port: _, logins } = ssh;
        secrets.extend(logins.iter().filter_map(|login| password(login)));
        for Identity { shape: _, key, id: _ } in nodes.values() {
            secrets.extend(key.iter().map(|key| key.expose().clone()));
        }
    }
    secrets.extend(logins.values().filter_map(|login| password(login)));
    if let Some(Tenancy { provider: _, owner: _, app: Some(App { client_id: _, key }) }) = tenancy {
        secrets.extend(key.iter().map(|key| (**key).clone()));
    }
    secrets.extend(accounts.iter().flat_map(|accounts| accounts.scalars()).cloned());
    secrets
}

/// The keys of a login are never sent, so a host can't echo them.
fn password(login: &Login) -> Option<SecretBytes> {
    let Login { name: _, user: _, keys: _, password } = login;
    password.as_ref().map(|password| (**password).clone())
}

/// What isn't secret even if it is part of a secret: the public halves of keys, and all
/// that the desired state shows.
fn public(network: &Network, desired: &Desired) -> Vec<String> {
    let nodes = network.hosts.values().flat_map(|host| host.nodes.values());
    let halves = nodes.filter_map(|node| Some(node.key.as_ref()?.public_half_base64().to_owned()));
    let mut public: Vec<String> = halves.collect();
    public.push(network.domain.validation.public().to_owned());
    for (id, goal) in desired.goals.iter() {
        public.push(id.key.to_string());
        let Goal::Have(Resource::File(file)) = goal else { continue };
        match &file.content {
            Content::Text(text) => public.push(text.to_string()),
            Content::Document(document) => {
                for (path, field) in &document.fields {
                    public.push(path.to_string());
                    match &field.value {
                        Value::Scalar(value) => public.push(value.to_string()),
                        Value::List(values) => public.extend(values.iter().map(ToString::to_string)),
                        Value::Set(values) => public.extend(values.iter().map(ToString::to_string)),
                        Value::Secret(_) => {}
                    }
                }
            }
            Content::Secret(_) | Content::Blob { .. } | Content::Opaque => {}
        }
    }
    public
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::check;
    use crate::network::{Links, Secrets};
    use std::fs;
    use std::process::Command;

    #[test]
    fn numbers_are_masked_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hostile/links-inside/folder/.");
        assert!(Command::new("cp").arg("-a").arg(fixture).arg(folder.path()).status().unwrap().success());
        let accounts = "{pin: 12345678, list: [1.50e8, 0x1F2E], on: true}";
        fs::write(folder.path().join("accounts.yaml"), accounts).unwrap();
        let network = check::read(folder.path(), Secrets::Needed, Links::Inside).finish().unwrap();
        let masked: Vec<Vec<u8>> = secrets(&network).iter().map(|secret| secret.expose().to_vec()).collect();
        let is_masked = |text: &str| masked.iter().any(|secret| secret == text.as_bytes());
        for secret in ["12345678", "1.50e8", "0x1F2E"] {
            assert!(is_masked(secret), "{secret}");
        }
        assert!(!is_masked("true"));
    }
}
