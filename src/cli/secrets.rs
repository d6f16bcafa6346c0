//! The folder's secrets, to be masked in what hosts say.

use crate::network::Network;
use crate::remote::Redactor;
use crate::resource::SecretBytes;

/// Masks every secret of the folder.
pub(crate) fn redactor(network: &Network) -> Redactor {
    Redactor::new(secrets(network).iter())
}

fn secrets(network: &Network) -> Vec<SecretBytes> {
    let mut secrets = vec![network.swarm_key.line().clone()];
    secrets.extend(network.domain.validation.private().cloned());
    let keys =
        network.hosts.values().flat_map(|host| host.nodes.values()).filter_map(|node| node.key.as_ref());
    secrets.extend(keys.map(|key| key.expose().clone()));
    secrets
        .extend(network.logins.values().filter_map(|login| login.password.as_ref()).map(|p| (**p).clone()));
    let app = network.tenancy.as_ref().and_then(|tenancy| tenancy.app.as_ref());
    secrets.extend(app.and_then(|app| app.key.as_ref()).map(|key| (**key).clone()));
    secrets.extend(network.accounts.iter().flat_map(|accounts| accounts.scalars()).cloned());
    secrets
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
