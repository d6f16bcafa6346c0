//! A server on a loopback port, which runs commands with `sh`.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use russh::MethodKind;
use russh::keys::ssh_key::Certificate;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::ssh::server::{Knock, Server, Shell, Stream};
use crate::ssh::{Credential, KnownHosts, Login, SecretText, ServerAddress};

pub(super) const USER: &str = "planter";
pub(super) const PASSWORD: &str = "correct horse";

/// A server with the settings that tests change.
#[derive(Clone)]
pub(super) struct TestServer {
    pub(super) key: PrivateKey,
    pub(super) user_key: PrivateKey,
    pub(super) certificate: Option<Certificate>,
    /// The authority of users' certificates.
    pub(super) user_ca: Option<PublicKey>,
    /// A key that is accepted instead of `user_key`.
    pub(super) other_key: Option<PublicKey>,
    /// See [`Server`].
    pub(super) questions: Vec<Vec<(&'static str, bool, &'static str)>>,
    /// The authentication methods that the server offers.
    pub(super) methods: Vec<MethodKind>,
    /// The receive window of each channel, in bytes.
    pub(super) window: u32,
    /// Whether the server runs commands.
    pub(super) runs: bool,
    /// Whether the server requires a password in addition to a key.
    pub(super) two_factors: bool,
    /// Whether the server opens a channel with each command.
    pub(super) opens_channels: bool,
    /// The number of connections so far, without those that were dropped.
    pub(super) connections: Arc<AtomicUsize>,
}

impl TestServer {
    pub(super) fn new() -> Self {
        Self {
            key: new_key(Algorithm::Ed25519),
            user_key: new_key(Algorithm::Ed25519),
            certificate: None,
            user_ca: None,
            other_key: None,
            questions: Vec::new(),
            methods: vec![MethodKind::PublicKey, MethodKind::Password],
            window: 2 << 20,
            runs: true,
            two_factors: false,
            opens_channels: false,
            connections: Arc::default(),
        }
    }

    /// Accepts connections until the runtime ends.
    pub(super) async fn listen(&self) -> ServerAddress {
        self.listen_and_drop(0).await
    }

    /// Drops the first connections, and accepts the others.
    pub(super) async fn listen_and_drop(&self, first: usize) -> ServerAddress {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = address_of(listener.local_addr().unwrap());
        tokio::spawn(self.clone().accept(listener, first));
        address
    }

    pub(super) async fn accept(self, listener: TcpListener, dropped: usize) {
        for _ in 0..dropped {
            let _ = listener.accept().await;
        }
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            self.connections.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(self.clone().serve(stream));
        }
    }

    /// Serves one client until it disconnects.
    pub(super) async fn serve<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let user_key = self.other_key.unwrap_or_else(|| self.user_key.public_key().clone());
        let server = Server {
            user: Some(USER.to_owned()),
            password: Some(PASSWORD.to_owned()),
            two_factors: self.two_factors,
            methods: self.methods,
            window: self.window,
            opens_channels: self.opens_channels,
            certificate: self.certificate,
            user_ca: self.user_ca,
            questions: self.questions,
            ..Server::new(self.key, user_key, Sh { runs: self.runs })
        };
        server.serve(stream).await;
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

/// Runs commands with `sh`, and kills them when the client disconnects.
#[derive(Clone)]
struct Sh {
    runs: bool,
}

impl Shell for Sh {
    fn start(&self, _user: &str, command: &str) -> Option<io::Result<Child>> {
        let mut sh = Command::new("sh");
        sh.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.runs.then(|| sh.kill_on_drop(true).spawn())
    }

    fn knock(&self, port: u16) -> Knock {
        match std::net::TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => Knock::Accepted,
            Err(_) => Knock::Refused,
        }
    }

    async fn speak(self, port: u16, mut stream: Stream) {
        let mut other = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut other).await;
    }
}
