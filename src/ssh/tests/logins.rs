//! Whose key is believed, and who is let in.

use std::path::Path;
use std::sync::Arc;

use russh::MethodKind;

use super::server::{Host, PASSWORD, USER, known, login, new_key, password};
use super::{connect, patience};
use crate::ssh::*;

/// One of each kind, as `ssh-keygen` writes them.
const KEYS: [&str; 3] = [include_str!("keys/ed25519"), include_str!("keys/rsa"), include_str!("keys/ecdsa")];

fn key_of(text: &str) -> PrivateKey {
    let mut nobody = |_: &Path| Ok(None);
    let key = key::load("key".as_ref(), text, &mut nobody).unwrap();
    Arc::unwrap_or_clone(key)
}

#[tokio::test]
async fn every_kind_of_key_serves_users_and_hosts() {
    for text in KEYS {
        let host = Host { user_key: key_of(text), key: key_of(text), ..Host::new() };
        connect(&host, &host.login()).await.unwrap();
    }
}

#[tokio::test]
async fn a_password_logs_in_either_way() {
    for methods in [vec![MethodKind::Password], vec![MethodKind::KeyboardInteractive]] {
        let host = Host { methods, ..Host::new() };
        let stranger = Credential::Key(Arc::new(new_key(Algorithm::Ed25519)));
        let login = login([stranger, password(PASSWORD)]);
        connect(&host, &login).await.unwrap();
    }
}

#[tokio::test]
async fn who_is_refused_is_told_what_was_tried() {
    let host = Host::new();
    let stranger = Arc::new(new_key(Algorithm::Ed25519));
    let print = stranger.public_key().fingerprint(Default::default());
    let login = login([Credential::Key(stranger), password("battery staple")]);
    let error = connect(&host, &login).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the host refuses {USER}: tried ssh-ed25519 key {print}, password")
    );
    assert!(error.help().contains("takes publickey or password"), "{}", error.help());
    let all = format!("{error}{error:?}{}{login:?}", error.help());
    assert!(!all.contains("battery"), "{all}");
}

#[tokio::test]
async fn two_factors_are_taken_together() {
    let host = Host { two_factors: true, ..Host::new() };
    let error = connect(&host, &host.login()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { partly: true, .. }), "{error:?}");
    let both = login([Credential::Key(Arc::new(host.user_key.clone())), password(PASSWORD)]);
    connect(&host, &both).await.unwrap();
}

#[tokio::test]
async fn nothing_to_log_in_with_is_said() {
    let host = Host::new();
    let error = connect(&host, &login([])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the host refuses {USER}: nothing to log in with"));
}

#[tokio::test]
async fn an_unknown_host_is_refused_and_its_line_makes_it_known() {
    let host = Host::new();
    let address = host.listen().await;
    let nobody = KnownHosts::parse("/etc/known".as_ref(), "");
    let error = Session::connect(&address, &host.login(), &nobody, &patience()).await.unwrap_err();
    let help = error.help();
    let ConnectError::HostKeyUnknown { line, fingerprint, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(fingerprint, host.key.fingerprint(Default::default()).to_string());
    assert!(help.contains("/etc/known"), "{help}");
    let known = KnownHosts::parse("/etc/known".as_ref(), &line);
    Session::connect(&address, &host.login(), &known, &patience()).await.unwrap();
}

#[tokio::test]
async fn changed_and_revoked_keys_are_refused() {
    let host = Host::new();
    let address = host.listen().await;
    let other = known(&address, new_key(Algorithm::Ed25519).public_key());
    let error = Session::connect(&address, &host.login(), &other, &patience()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::HostKeyChanged { known, .. } if known[0].line == 1));
    assert!(error.help().contains(&format!("-R '[127.0.0.1]:{}'", address.port)));

    let line = KnownHosts::line_to_add(&address, host.key.public_key());
    let revoked =
        KnownHosts::parse("k".as_ref(), &format!("{line}\n@revoked * {}", line.split_once(' ').unwrap().1));
    let error = Session::connect(&address, &host.login(), &revoked, &patience()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::HostKeyRevoked { by, .. } if by.line == 2), "{error:?}");
}
