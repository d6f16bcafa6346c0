//! An SSH server in this process, used by simulated hosts and by this room's tests.
//!
//! The entry point is [`Server::serve`]. The fields of [`Server`] say which logins it
//! accepts; the caller's [`Shell`] runs the commands.

use bytes::{Bytes, BytesMut};
use russh::keys::ssh_key::Certificate;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session};
use russh::server::{VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, ChannelMsg, ChannelOpenFailure, ChannelStream, MethodKind, MethodSet};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::Child;

/// The maximum number of bytes of output that are sent at once.
const CHUNK: usize = 1 << 16;

/// Runs the commands that a server receives.
pub(crate) trait Shell: Clone + Send + Sync + 'static {
    /// Starts a command, with pipes for its input and output. `None` refuses the command.
    fn start(&self, user: &str, command: &str) -> Option<io::Result<Child>>;

    /// Whether a connection to a TCP port of the host can be opened.
    fn knock(&self, _port: u16) -> Knock {
        Knock::Refused
    }

    /// Speaks for the process that listens on the port, until the connection ends.
    fn speak(self, _port: u16, _stream: Stream) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A connection to a port of the host.
pub(crate) type Stream = ChannelStream<Msg>;

/// Whether a connection to a port of the host can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knock {
    /// A process accepts it.
    Accepted,
    /// No process listens there.
    Refused,
    /// The server forbids such connections.
    Prohibited,
}

/// A server, including the ways in which it misbehaves.
#[derive(Clone, Debug)]
pub(crate) struct Server<S> {
    /// The host key.
    pub(crate) key: PrivateKey,
    /// A certificate for the host key, if there is one.
    pub(crate) certificate: Option<Certificate>,
    /// The only user that can log in; `None` means any user.
    pub(crate) user: Option<String>,
    /// The public key that is accepted, if any.
    pub(crate) user_key: Option<PublicKey>,
    /// The authority whose certificates for the user are accepted, if any.
    pub(crate) user_ca: Option<PublicKey>,
    /// The password that is accepted, if any.
    pub(crate) password: Option<String>,
    /// Whether the password, or the answers, are required in addition to the key.
    pub(crate) two_factors: bool,
    /// The questions of `keyboard-interactive`, in rounds: each has its prompt, whether the
    /// answer may be shown, and the right answer. If there are none, the password is asked for.
    pub(crate) questions: Vec<Vec<(&'static str, bool, &'static str)>>,
    /// The authentication methods that are offered.
    pub(crate) methods: Vec<MethodKind>,
    /// The receive window of each channel, in bytes.
    pub(crate) window: u32,
    /// The delay of each chunk of output.
    pub(crate) slow: Option<Duration>,
    /// Whether the server answers nothing but keep-alives after the login.
    pub(crate) mute: bool,
    /// Whether the server itself opens a channel with each command.
    pub(crate) opens_channels: bool,
    /// Runs the commands.
    pub(crate) shell: S,
}

impl<S: Shell> Server<S> {
    /// A server that accepts this public key from any user.
    pub(crate) fn new(key: PrivateKey, user_key: PublicKey, shell: S) -> Self {
        Self {
            key,
            certificate: None,
            user: None,
            user_key: Some(user_key),
            user_ca: None,
            password: None,
            two_factors: false,
            questions: Vec::new(),
            methods: vec![MethodKind::PublicKey],
            window: Config::default().window_size,
            slow: None,
            mute: false,
            opens_channels: false,
            shell,
        }
    }

    /// Serves one client until it disconnects.
    pub(crate) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let config = Config {
            keys: vec![self.key.clone()],
            certificates: self.certificate.clone().into_iter().collect(),
            methods: MethodSet::from(self.methods.as_slice()),
            auth_rejection_time: Duration::ZERO,
            window_size: self.window,
            ..Config::default()
        };
        let client = Client {
            server: self,
            user: String::new(),
            channels: HashMap::new(),
            unanswered: Vec::new(),
            asked: 0,
        };
        if let Ok(session) = run_stream(Arc::new(config), stream, client).await {
            // A client may disconnect at any time, which isn't an error.
            let _ = session.await;
        }
    }
}

/// One connection.
struct Client<S> {
    server: Server<S>,
    /// The user that logged in.
    user: String,
    channels: HashMap<ChannelId, Channel<Msg>>,
    /// Requests that a mute server leaves unanswered.
    unanswered: Vec<ChannelOpenHandle>,
    /// How many rounds of questions were asked.
    asked: usize,
}

impl<S> Client<S> {
    fn judge(&mut self, user: &str, is_right: bool) -> Auth {
        if is_right && self.server.user.as_deref().is_none_or(|only| only == user) {
            user.clone_into(&mut self.user);
            return Auth::Accept;
        }
        self.refuse(&self.server.methods, false)
    }

    fn refuse(&self, then: &[MethodKind], partial_success: bool) -> Auth {
        Auth::Reject { proceed_with_methods: Some(MethodSet::from(then)), partial_success }
    }
}

impl<S: Shell> Handler for Client<S> {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let accepted = self.server.user_key.as_ref().map(PublicKey::key_data);
        let auth = self.judge(user, accepted == Some(key.public_key.key_data()));
        if self.server.two_factors && matches!(auth, Auth::Accept) {
            let second = match self.server.questions.is_empty() {
                true => MethodKind::Password,
                false => MethodKind::KeyboardInteractive,
            };
            return Ok(self.refuse(&[second], true));
        }
        Ok(auth)
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        let is_signed = |ca: &PublicKey| ca.key_data() == certificate.signature_key();
        let is_right = self.server.user_ca.as_ref().is_some_and(is_signed)
            && certificate.valid_principals().iter().any(|name| name == user);
        Ok(self.judge(user, is_right))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let is_right = self.server.password.as_deref() == Some(password)
            && self.server.methods.contains(&MethodKind::Password);
        Ok(self.judge(user, is_right))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        if let Some(mut answers) = response {
            let is_right = match self.asked.checked_sub(1).and_then(|round| self.server.questions.get(round))
            {
                Some(questions) => {
                    questions.iter().all(|(_, _, right)| answers.next().as_deref() == Some(right.as_bytes()))
                }
                None => {
                    let password = self.server.password.as_ref();
                    password.is_some() && answers.next().as_deref() == password.map(String::as_bytes)
                }
            };
            if !is_right || self.asked >= self.server.questions.len() {
                return Ok(self.judge(user, is_right));
            }
        }
        let prompts = match self.server.questions.get(self.asked) {
            Some(questions) => questions.iter().map(|(prompt, echo, _)| ((*prompt).into(), *echo)).collect(),
            None => vec![("Password: ".into(), false)],
        };
        self.asked += 1;
        Ok(Auth::Partial { name: "".into(), instructions: "".into(), prompts: prompts.into() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        if self.server.mute {
            self.unanswered.push(reply);
            return Ok(());
        }
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let port = u16::try_from(port).unwrap_or_default();
        match self.server.shell.knock(port) {
            Knock::Refused => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            Knock::Prohibited => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
            Knock::Accepted => {
                reply.accept().await;
                tokio::spawn(self.server.shell.clone().speak(port, channel.into_stream()));
            }
        }
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command);
        let Some(channel) = self.channels.remove(&id) else { return session.channel_failure(id) };
        let Some(child) = self.server.shell.start(&self.user, &command) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        if self.server.opens_channels {
            let handle = session.handle();
            tokio::spawn(async move { drop(handle.channel_open_agent().await) });
        }
        if let Ok(child) = child {
            tokio::spawn(run(channel, child, self.server.slow));
        }
        Ok(())
    }
}

/// Connects a command to its channel, as sshd does: when the command ends, the server sends
/// the exit status and closes the channel without reading the rest of the input. If the
/// client disconnects first, the command's pipes are closed.
async fn run(channel: Channel<Msg>, mut child: Child, slow: Option<Duration>) {
    let (mut input, output) = channel.split();
    let mut stdin = child.stdin.take();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else { return };
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
        let said = drain(stdout, slow, |data| output.data_bytes(data));
        let complained = drain(stderr, slow, |data| output.extended_data_bytes(1, data));
        tokio::join!(said, complained);
        child.wait().await
    };
    let status = tokio::select! {
        status = answer => status,
        () = feed => return,
    };
    let code = status.ok().and_then(|status| u32::try_from(status.code()?).ok());
    let _ = output.exit_status(code.unwrap_or(255)).await;
    let _ = output.eof().await;
    let _ = output.close().await;
}

async fn drain<F>(mut pipe: impl AsyncRead + Unpin, slow: Option<Duration>, send: impl Fn(Bytes) -> F)
where
    F: Future<Output = Result<(), russh::Error>>,
{
    let mut buffer = BytesMut::with_capacity(CHUNK);
    while let Ok(1..) = pipe.read_buf(&mut buffer).await {
        if let Some(wait) = slow {
            tokio::time::sleep(wait).await;
        }
        if send(buffer.split().freeze()).await.is_err() {
            return;
        }
        buffer.reserve(CHUNK);
    }
}
