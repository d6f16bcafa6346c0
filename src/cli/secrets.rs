//! The folder's secrets, to be masked in what hosts say.

use crate::network::Network;
use crate::remote::Redactor;
use crate::resource::Secret;

/// Masks every secret of the folder.
pub(crate) fn redactor(network: &Network) -> Redactor {
    Redactor::new(secrets(network).iter())
}

fn secrets(network: &Network) -> Vec<Secret> {
    let mut secrets = vec![network.swarm_key.line().clone()];
    secrets.extend(network.domain.validation.private().cloned());
    let keys =
        network.hosts.values().flat_map(|host| host.nodes.values()).filter_map(|node| node.key.as_ref());
    secrets.extend(keys.map(|key| key.expose().clone()));
    secrets
        .extend(network.logins.values().filter_map(|login| login.password.as_ref()).map(|p| (**p).clone()));
    let app = network.tenancy.as_ref().and_then(|tenancy| tenancy.app.as_ref());
    secrets.extend(app.and_then(|app| app.key.as_ref()).map(|key| (**key).clone()));
    secrets.extend(network.accounts.iter().flat_map(|accounts| scalars(accounts.expose())));
    secrets
}

fn scalars(yaml: &serde_yaml::Value) -> Vec<Secret> {
    match yaml {
        serde_yaml::Value::String(text) => vec![Secret::new(text.as_str())],
        serde_yaml::Value::Sequence(items) => items.iter().flat_map(scalars).collect(),
        serde_yaml::Value::Mapping(entries) => entries.values().flat_map(scalars).collect(),
        _ => Vec::new(),
    }
}
