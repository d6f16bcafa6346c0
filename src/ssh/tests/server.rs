//! An SSH server in this process: russh's, on a loopback port. It runs commands
//! with `sh`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session};
use russh::server::{VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, ChannelMsg, MethodKind, MethodSet};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::ssh::{Credential, KnownHosts, Login, SecretText, ServerAddress};

/// A command for which the server opens a channel of its own.
pub(super) const OPENS_A_CHANNEL: &str = "sleep 1000 # and open a channel";
pub(super) const USER: &str = "planter";
pub(super) const PASSWORD: &str = "correct horse";

/// A server, with what a test can change about it.
#[derive(Clone)]
pub(super) struct TestServer {
    pub(super) key: PrivateKey,
    pub(super) user_key: PrivateKey,
    /// The authentication methods that the server offers.
    pub(super) methods: Vec<MethodKind>,
    /// The receive window of each channel, in bytes.
    pub(super) window: u32,
    /// Whether the server runs commands.
    pub(super) runs: bool,
    /// Whether the server requires a password in addition to a key.
    pub(super) two_factors: bool,
}

impl TestServer {
    pub(super) fn new() -> Self {
        Self {
            key: new_key(Algorithm::Ed25519),
            user_key: new_key(Algorithm::Ed25519),
            methods: vec![MethodKind::PublicKey, MethodKind::Password],
            window: 2 << 20,
            runs: true,
            two_factors: false,
        }
    }

    /// Starts to accept connections, until the runtime ends.
    pub(super) async fn listen(&self) -> ServerAddress {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = address_of(listener.local_addr().unwrap());
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(server.clone().serve(stream));
            }
        });
        address
    }

    /// Serves one client until it disconnects.
    pub(super) async fn serve<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = Config {
            keys: vec![self.key.clone()],
            methods: MethodSet::from(self.methods.as_slice()),
            auth_rejection_time: Duration::ZERO,
            window_size: self.window,
            ..Config::default()
        };
        let client = Client { server: self, channels: HashMap::new() };
        if let Ok(session) = run_stream(Arc::new(config), stream, client).await {
            // A client may disconnect at any time, which isn't an error.
            let _ = session.await;
        }
    }

    pub(super) fn known(&self, address: &ServerAddress) -> KnownHosts {
        known(address, self.key.public_key())
    }

    pub(super) fn login(&self) -> Login {
        login([Credential::Key(Arc::new(self.user_key.clone()))])
    }
}

pub(super) fn login(credentials: impl Into<Vec<Credential>>) -> Login {
    Login { user: USER.into(), credentials: credentials.into() }
}

pub(super) fn password(text: &str) -> Credential {
    Credential::Password(SecretText::new(text.into()))
}

pub(super) fn known(address: &ServerAddress, key: &PublicKey) -> KnownHosts {
    let line = KnownHosts::line_to_add(address, key);
    KnownHosts::parse("known_hosts".as_ref(), &line)
}

pub(super) fn address_of(socket: SocketAddr) -> ServerAddress {
    ServerAddress::new(socket.ip().to_string(), socket.port())
}

pub(super) fn new_key(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), algorithm).unwrap()
}

struct Client {
    server: TestServer,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Client {
    fn judge(&self, right: bool) -> Auth {
        match right {
            true => Auth::Accept,
            false => Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(self.server.methods.as_slice())),
                partial_success: false,
            },
        }
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let theirs = key.public_key.key_data();
        let right = user == USER && theirs == self.server.user_key.public_key().key_data();
        if right && self.server.two_factors {
            return Ok(Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(&[MethodKind::Password][..])),
                partial_success: true,
            });
        }
        Ok(self.judge(right))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(self.judge(
            user == USER && password == PASSWORD && self.server.methods.contains(&MethodKind::Password),
        ))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(mut answers) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            });
        };
        let right = answers.next().as_deref() == Some(PASSWORD.as_bytes());
        Ok(self.judge(right))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if !self.server.runs {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        let channel = self.channels.remove(&id).unwrap();
        let command = String::from_utf8_lossy(command).into_owned();
        if command == OPENS_A_CHANNEL {
            let handle = session.handle();
            tokio::spawn(async move { drop(handle.channel_open_agent().await) });
        }
        tokio::spawn(run(channel, command));
        Ok(())
    }
}

/// Runs a command over a channel, as sshd does: when the command ends, it sends the
/// exit status and closes the channel without reading the rest of the input.
async fn run(channel: Channel<Msg>, command: String) {
    let (mut input, output) = channel.split();
    let mut child = Command::new("sh")
        .args(["-c", &command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let feed = async {
        while let Some(message) = input.wait().await {
            match (message, &mut stdin) {
                (ChannelMsg::Data { data }, Some(pipe)) => {
                    let taken = pipe.write_all(&data).await;
                    stdin = taken.is_ok().then_some(stdin).flatten();
                }
                (ChannelMsg::Eof, _) => stdin = None,
                (ChannelMsg::Close, _) => return,
                _ => {}
            }
        }
    };
    let answer = async {
        let said = drain(stdout, |data| output.data_bytes(data));
        let complained = drain(stderr, |data| output.extended_data_bytes(1, data));
        tokio::join!(said, complained);
        child.wait().await.unwrap()
    };
    let status = tokio::select! {
        status = answer => status,
        () = feed => return,
    };
    let code = u32::try_from(status.code().unwrap_or(255)).unwrap();
    let _ = output.exit_status(code).await;
    let _ = output.eof().await;
    let _ = output.close().await;
}

async fn drain<F>(mut pipe: impl AsyncRead + Unpin, send: impl Fn(Bytes) -> F)
where
    F: Future<Output = Result<(), russh::Error>>,
{
    let mut buffer = BytesMut::with_capacity(1 << 16);
    while let Ok(1..) = pipe.read_buf(&mut buffer).await {
        if send(buffer.split().freeze()).await.is_err() {
            return;
        }
        buffer.reserve(1 << 16);
    }
}
