//! Logins with certificates of users, and with security keys.

use std::sync::Arc;
use std::time::Duration;

use russh::keys::ssh_key::certificate::{Builder, CertType};
use tokio::sync::mpsc::unbounded_channel;

use super::fake_agent::FakeAgent;
use super::server::{TestServer, USER, login, new_key};
use super::{connect, key_of, patience};
use crate::resource::Redactor;
use crate::ssh::agent::Agent;
use crate::ssh::*;

const RSA: &str = include_str!("keys/rsa");

/// A certificate for the key of a user that is valid until this time.
fn certificate(key: &PrivateKey, authority: &PrivateKey, until: u64) -> Arc<Certificate> {
    let mut builder = Builder::new(vec![7; 16], key.public_key().key_data().clone(), 1000, until).unwrap();
    builder.cert_type(CertType::User).unwrap().valid_principal(USER).unwrap();
    Arc::new(builder.sign(authority).unwrap())
}

#[tokio::test]
async fn a_certificate_of_a_user_is_tried_with_its_key() {
    let authority = new_key(Algorithm::Ed25519);
    for key in [new_key(Algorithm::Ed25519), key_of(RSA), key_of(include_str!("keys/ecdsa"))] {
        let server = TestServer { user_ca: Some(authority.public_key().clone()), ..TestServer::new() };
        let certified = |authority: &PrivateKey, until| {
            let key = Arc::new(key.clone());
            login([Credential::Certificate(certificate(&key, authority, until), Certified::InFile(key))])
        };
        connect(&server, &certified(&authority, u64::MAX - 1)).await.unwrap();
        // Its key alone isn't enough.
        let alone = login([Credential::Key(Arc::new(key.clone()))]);
        assert!(matches!(connect(&server, &alone).await, Err(ConnectError::Refused { .. })));

        let error = connect(&server, &certified(&new_key(Algorithm::Ed25519), 2000)).await.unwrap_err();
        let ConnectError::Refused { tried, .. } = error else { panic!("{error:?}") };
        let fingerprint = key.public_key().fingerprint(Default::default()).to_string();
        let algorithm = key.algorithm();
        assert_eq!(tried, [Tried::Certificate { algorithm, fingerprint, in_agent: false, is_expired: true }]);
    }
}

/// The server that a login is for is named once it has accepted the key, and the time until the key
/// is touched doesn't count.
#[tokio::test]
async fn a_security_key_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let agent = FakeAgent::start(folder.path());
    let keys = Agent::at(&agent.socket).keys().await.unwrap();
    let server = TestServer { other_key: Some(agent.public.clone()), ..TestServer::new() };
    let login = login([Credential::Agent(keys.into_iter().next().unwrap())]);
    let address = server.listen().await;
    let peer =
        Server { name: "h1".to_owned(), ..Server::new(address.clone(), server.known(&address), vec![login]) };
    let route = Route::direct(peer);
    // The touch takes longer than the login may take.
    let timeouts = Timeouts { login: Duration::from_millis(900), ..patience() };
    let (needs, mut needed) = unbounded_channel();
    let dialer = Dialer::new(timeouts, Redactor::default()).attended(Attendant::new(needs));
    let touching = async {
        let Some(Need::Touch { server }) = needed.recv().await else { panic!("nobody is needed") };
        assert_eq!(server, "h1");
        tokio::time::sleep(timeouts.login).await;
        agent.touch();
    };
    let (session, ()) = tokio::join!(dialer.log_in(&route), touching);
    session.unwrap();

    // Nobody touches it.
    let timeouts = Timeouts { touch: Duration::from_millis(100), ..timeouts };
    let error = Dialer::new(timeouts, Redactor::default()).log_in(&route).await.unwrap_err();
    let ConnectError::Refused { tried, .. } = error else { panic!("{error:?}") };
    assert!(matches!(&tried[..], [Tried::Untouched { after, .. }] if *after == timeouts.touch), "{tried:?}");
}
