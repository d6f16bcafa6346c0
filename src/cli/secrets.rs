//! Collects the secrets to mask in text from hosts: the folder's secrets that hosts may
//! get, and the keys with which the probe digests them. The entry point is [`redactor`].
//!
//! The structs of the network and of the desired state that hold secrets are destructured
//! without `..`, so that a new field doesn't compile until someone has decided whether it
//! is a secret.

use crate::artifact::Url;
use crate::daemon::Daemon;
use crate::desired::{Desired, Goal};
use crate::network::{App, Domain, Host, Identity, Login, Network, Ssh, Tenancy};
use crate::resource::{Content, DigestKey, Redactor, Resource, SecretBytes, Value};

/// Returns a redactor that masks the secrets, except for their public parts.
/// `sudo` is the password that sudo may ask for.
pub(crate) fn redactor(network: &Network, desired: &Desired, sudo: Option<&SecretBytes>) -> Redactor {
    let sudo: Vec<SecretBytes> = sudo.into_iter().cloned().collect();
    let secrets = [of_folder(network), of_desired(network, desired), sudo].concat();
    hiding(Redactor::new(&secrets, public(network, desired)))
}

/// Returns a redactor that masks the secrets of the folder, for commands that need none of its
/// desired state.
pub(crate) fn of_logins(network: &Network) -> Redactor {
    hiding(Redactor::new(&of_folder(network), std::iter::empty::<&str>()))
}

/// Adds the keys of nodes that only their hosts have.
fn hiding(redactor: Redactor) -> Redactor {
    Daemon::ALL.iter().fold(redactor, |redactor, daemon| redactor.hiding(daemon.beginning_of_keys()))
}

/// The secrets of the folder, except those that are never sent to a host.
fn of_folder(network: &Network) -> Vec<SecretBytes> {
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
        tau,
        warnings: _,
    } = network;
    let Domain { root: _, generated: _, validation, validation_files: _, custom: _ } = domain;
    let mut secrets: Vec<SecretBytes> = swarm_key.here().map(|key| key.line().clone()).into_iter().collect();
    secrets.extend(validation.here().and_then(|keys| keys.private()).cloned());
    for Host { name: _, addresses: _, ssh, location: _, nodes } in hosts.values() {
        let Ssh { address: _, more: _, port: _, names_port: _, jumps: _, unreadable_jump: _, logins } = ssh;
        secrets.extend(logins.iter().filter_map(|login| password(login)));
        for Identity { shape: _, key, id: _, keeper: _ } in nodes.values() {
            secrets.extend(key.iter().map(|key| key.expose().clone()));
        }
    }
    secrets.extend(logins.values().filter_map(|login| password(login)));
    if let Some(Tenancy { provider: _, owner: _, app: Some(App { client_id: _, key }) }) = tenancy {
        secrets.extend(key.iter().filter_map(|key| key.here()).cloned());
    }
    // The query of a URL may contain a token. A host gets the URLs if it is to fetch tau.
    let queries = tau.values().flat_map(|pin| pin.urls()).filter_map(Url::query);
    secrets.extend(queries.map(SecretBytes::new));
    let accounts = accounts.iter().filter_map(|accounts| accounts.here());
    secrets.extend(accounts.flat_map(|accounts| accounts.scalars()).cloned());
    secrets
}

/// The digest keys that are sent with the probe. They are secret, because guessed passwords
/// could be compared with digests by means of them.
fn of_desired(network: &Network, desired: &Desired) -> Vec<SecretBytes> {
    // All secrets in the payloads come from the folder.
    let Desired { goals: _, payloads: _, spellings: _, versions: _, fetched: _, digest_keys } = desired;
    let machines = network.swarm_key.here().map(|key| DigestKey::for_machines(key.line()));
    digest_keys.values().chain(&machines).map(|key| key.expose().clone()).collect()
}

/// The password of a login. Its keys are never sent to a host, so a host can't echo them.
fn password(login: &Login) -> Option<SecretBytes> {
    let Login { name: _, user: _, keys: _, password } = login;
    password.as_ref().map(|password| (**password).clone())
}

/// Texts that aren't masked even if they are part of a secret: the public halves of keys,
/// and everything in the desired state that isn't secret.
fn public(network: &Network, desired: &Desired) -> Vec<String> {
    let nodes = network.hosts.values().flat_map(|host| host.nodes.values());
    let halves = nodes.filter_map(|node| Some(node.key.as_ref()?.public_half_base64().to_owned()));
    let mut public: Vec<String> = halves.collect();
    public.extend(network.domain.validation.here().map(|keys| keys.public().to_owned()));
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
                        Value::Secret(_) | Value::Unavailable => {}
                    }
                }
            }
            Content::Secret(_) | Content::Blob { .. } | Content::Opaque | Content::Unavailable => {}
        }
    }
    public
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::check;
    use crate::network::{At, Links, Secret, Secrets};
    use crate::resource::{MASK, Untrusted};
    use std::collections::BTreeMap;
    use std::fs;
    use std::process::Command;
    use std::sync::Arc;

    /// Returns a network with this `accounts.yaml`.
    fn network(accounts: &str) -> Network {
        let folder = tempfile::tempdir().unwrap();
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/hostile/links-inside/folder/.");
        assert!(Command::new("cp").arg("-a").arg(fixture).arg(folder.path()).status().unwrap().success());
        fs::write(folder.path().join("accounts.yaml"), accounts).unwrap();
        check::read(folder.path(), Secrets::Needed, Links::Inside).finish().unwrap()
    }

    #[test]
    fn every_kind_of_secret_is_masked() {
        let mut network = network("{database: {password: quartz-lantern-violet}}");
        let place = network.swarm_key.place.clone();
        let at = |secret: &str| Some(At { value: SecretBytes::new(secret), place: place.clone() });
        let of_folder = network.logins.values_mut().next().unwrap();
        let host = network.hosts.values_mut().next().unwrap();
        host.ssh.logins =
            vec![Arc::new(Login { password: at("copper-meadow-thimble"), ..(**of_folder).clone() })];
        *of_folder = Arc::new(Login { password: at("walnut-glacier-pigeon"), ..(**of_folder).clone() });
        let text = |text: &str| At { value: text.to_owned(), place: place.clone() };
        network.tenancy = Some(Tenancy {
            provider: text("github"),
            owner: text("an-organisation"),
            app: Some(App {
                client_id: None,
                key: at("-----BEGIN X-----\nsaddle0harbour1ribbon2\n-----END X-----")
                    .map(|key| key.map(Secret::Here)),
            }),
        });
        let name = network.hosts.keys().next().unwrap().clone();
        let key = DigestKey::derive(network.swarm_key.here().unwrap().line(), name.as_str());
        let digest_keys = BTreeMap::from([(name, key.clone())]);
        let desired = Desired { digest_keys, ..Desired::default() };

        let written = |secret: &SecretBytes| String::from_utf8(secret.expose().to_vec()).unwrap();
        let node = network.hosts.values().flat_map(|host| host.nodes.values()).next().unwrap();
        let table = [
            (
                "swarm key",
                written(network.swarm_key.here().unwrap().line()).rsplit('/').next().unwrap().to_owned(),
            ),
            (
                "validation key",
                written(network.domain.private_key().unwrap().here().unwrap())
                    .lines()
                    .nth(1)
                    .unwrap()
                    .to_owned(),
            ),
            // The rest of a node key is its public half.
            ("node key", written(node.key.as_ref().unwrap().expose())[..40].to_owned()),
            ("password of a host", "copper-meadow-thimble".to_owned()),
            ("password of the folder", "walnut-glacier-pigeon".to_owned()),
            ("app key", "saddle0harbour1ribbon2".to_owned()),
            ("accounts", "quartz-lantern-violet".to_owned()),
            ("sudo password", "apricot-shelf-lemon".to_owned()),
            ("digest key", written(key.expose())),
            (
                "digest key of machines",
                written(DigestKey::for_machines(network.swarm_key.here().unwrap().line()).expose()),
            ),
        ];
        let sudo = SecretBytes::new("apricot-shelf-lemon");
        let redactor = redactor(&network, &desired, Some(&sudo));
        for (kind, secret) in table {
            assert_eq!(redactor.show(&Untrusted::new(secret)), MASK, "{kind}");
        }
    }

    #[test]
    fn numbers_are_masked_as_they_are_written_and_as_hosts_get_them() {
        let network = network("{pin: 12345678, list: [1.50e8, 0x1F2E], on: true}");
        let masked: Vec<Vec<u8>> =
            of_folder(&network).iter().map(|secret| secret.expose().to_vec()).collect();
        let is_masked = |text: &str| masked.iter().any(|secret| secret == text.as_bytes());
        for secret in ["12345678", "1.50e8", "150000000.0", "0x1F2E"] {
            assert!(is_masked(secret), "{secret}");
        }
        assert!(!is_masked("true"));
    }
}
