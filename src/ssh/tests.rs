//! Connecting to a host inside the process, and to ports that are no such host.

#![expect(clippy::unwrap_used, reason = "a test that meets something else fails there")]

use std::time::Duration;

use super::*;
use server::Host;

mod commands;
mod faults;
mod logins;
mod server;

/// Time-outs that a test can wait for; a machine that is busy meets them.
fn patience() -> Timeouts {
    Timeouts { handshake: Duration::from_secs(20), ..Timeouts::default() }
}

async fn connect(host: &Host, login: &Login) -> Result<Session, ConnectError> {
    let address = host.listen().await;
    Session::connect(&address, login, &host.known(&address), &patience()).await
}

/// All that a command says: output, complaints, how it ended.
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
