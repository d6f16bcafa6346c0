//! The SSH server of a host. It accepts one key, for any user name, and runs commands
//! in a shell.

use super::faults::Faults;
use super::fleet::Machine;
use super::line::Line;
use bytes::{Bytes, BytesMut};
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, ChannelMsg, MethodKind, MethodSet};
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// The maximum number of bytes of output that are sent at once.
const CHUNK: usize = 1 << 16;

/// Accepts connections until the task is aborted.
pub(super) async fn accept(listener: TcpListener, machine: Arc<Machine>, key: PrivateKey, user: PublicKey) {
    loop {
        // For instance, there are too many open files: retry.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(serve(stream, Arc::clone(&machine), key.clone(), user.clone()));
    }
}

async fn serve(stream: TcpStream, machine: Arc<Machine>, key: PrivateKey, user_key: PublicKey) {
    let config = Config {
        keys: vec![key],
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: Duration::ZERO,
        ..Config::default()
    };
    let faults = machine.faults();
    let _ = stream.set_nodelay(true);
    let line = Line::new(stream, faults.drops_after);
    let client = Client {
        machine,
        faults,
        user_key,
        user: String::new(),
        channels: HashMap::new(),
        unanswered: Vec::new(),
    };
    if let Ok(session) = run_stream(Arc::new(config), line, client).await {
        // A client may disconnect at any time, which isn't an error.
        let _ = session.await;
    }
}

struct Client {
    machine: Arc<Machine>,
    faults: Faults,
    user_key: PublicKey,
    /// The user that logged in.
    user: String,
    channels: HashMap<ChannelId, Channel<Msg>>,
    /// Of a mute host.
    unanswered: Vec<ChannelOpenHandle>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if self.faults.refuses_key || key.public_key.key_data() != self.user_key.key_data() {
            return Ok(Auth::reject());
        }
        user.clone_into(&mut self.user);
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        if self.faults.mute {
            self.unanswered.push(reply);
            return Ok(());
        }
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(channel) = self.channels.remove(&id) else { return session.channel_failure(id) };
        session.channel_success(id)?;
        let mut command = String::from_utf8_lossy(command).into_owned();
        if self.faults.noisy {
            let name = &self.machine.name;
            command = format!("echo 'Welcome to {name}!'; printf 'You have mail. ' >&2\n{command}");
        }
        if let Some(file) = &self.faults.answers {
            command = lying(file, &command);
        }
        let command = self.machine.shell(&self.user, &command, &self.faults);
        tokio::spawn(run(channel, Arc::clone(&self.machine), command, self.faults.slow));
        Ok(())
    }
}

/// What a hostile host runs instead of the controller's command, whose last word is the
/// marker of answers.
fn lying(file: &Path, command: &str) -> String {
    let marker = command.rsplit(' ').next().unwrap_or_default();
    let marker: String = marker.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!(
        "cat >/dev/null & echo '{marker} ready'; sed 's/@marker@/{marker}/g' '{}'; printf '\n%s\n' '{marker} end 0'; wait",
        file.display()
    )
}

/// Runs a command over a channel, as sshd does: when the command ends, it sends the
/// exit status and closes the channel without reading the rest of the input. If the
/// client disconnects first, the command runs on with its pipes closed.
async fn run(channel: Channel<Msg>, machine: Arc<Machine>, mut command: Command, slow: Option<Duration>) {
    let (mut input, output) = channel.split();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = machine.spawn(&mut command) else { return };
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
