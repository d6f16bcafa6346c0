//! Connections to an SSH server in this process. Each file has the tests of one subject.

#![expect(clippy::unwrap_used, reason = "a test that meets something else fails there")]

use std::time::Duration;

use super::*;
use crate::resource::Redactor;
use server::TestServer;

mod commands;
#[path = "../../tests/support/fake_agent.rs"]
mod fake_agent;
mod faults;
mod logins;
mod proxies;
mod questions;
mod routes;
mod server;
mod signatures;

/// The key in a file.
fn key_of(text: &str) -> PrivateKey {
    let mut no_passphrase = |_: &std::path::Path| Ok(None);
    let key = key::load("key".as_ref(), text, &mut no_passphrase).unwrap();
    std::sync::Arc::unwrap_or_clone(key)
}

/// Time-outs that are long enough for a busy machine.
fn patience() -> Timeouts {
    Timeouts { handshake: Duration::from_secs(20), ..Timeouts::default() }
}

async fn connect(server: &TestServer, login: &Login) -> Result<Session, ConnectError> {
    let address = server.listen().await;
    Session::connect(&address, login, &server.known(&address), &patience(), &Redactor::default()).await
}

/// Everything that a command writes to stdout and to stderr, and how the command ended.
async fn listen(reader: &mut Reader) -> Result<(Vec<u8>, Vec<u8>, Option<Exit>), ChannelError> {
    let (mut out, mut err, mut exit) = (Vec::new(), Vec::new(), None);
    while let Some(event) = reader.next().await? {
        match event {
            Event::Stdout(data) => out.extend_from_slice(&data),
            Event::Stderr(data) => err.extend_from_slice(&data),
            Event::Exit(how) => exit = Some(how),
        }
    }
    Ok((out, err, exit))
}
