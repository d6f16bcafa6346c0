//! The least that any tool has to do: connects to hosts with russh, logs in, and runs a script.
//! It checks no host key and has no time-outs.

use russh::client;
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use std::sync::Arc;
use tokio::task::JoinSet;

struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// Runs a script on all these hosts, `ADDRESS:PORT`, at the same time.
pub(crate) fn run(key: &str, script: &str, hosts: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let key = Arc::new(load_secret_key(key, None)?);
    let script = Arc::new(std::fs::read(script)?);
    let config = Arc::new(client::Config { nodelay: true, ..client::Config::default() });
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut asking = JoinSet::new();
        for host in hosts {
            let (config, key, script) = (Arc::clone(&config), Arc::clone(&key), Arc::clone(&script));
            let host = host.clone();
            asking.spawn(async move { ask(&host, config, key, &script).await });
        }
        let mut bytes = 0;
        for answer in asking.join_all().await {
            bytes += answer?;
        }
        assert!(bytes > 0, "no host has answered");
        Ok(())
    })
}

async fn ask(
    host: &str,
    config: Arc<client::Config>,
    key: Arc<russh::keys::PrivateKey>,
    script: &[u8],
) -> Result<usize, russh::Error> {
    let mut session = client::connect(config, host, Anyone).await?;
    session.authenticate_publickey("root", PrivateKeyWithHashAlg::new(key, None)).await?;
    let mut channel = session.channel_open_session().await?;
    channel.exec(false, "sh").await?;
    channel.data(script).await?;
    channel.eof().await?;
    let mut bytes = 0;
    while let Some(message) = channel.wait().await {
        if let russh::ChannelMsg::Data { data } = message {
            bytes += data.len();
        }
    }
    Ok(bytes)
}
