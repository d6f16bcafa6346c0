//! The SSH server of a simulated host. It accepts one key, for any user name, and runs
//! commands in a shell.

use super::faults::Faults;
use super::fleet::Machine;
use super::line::Line;
use super::node;
use crate::ssh::server::{Knock, Server, Shell, Stream};
use crate::ssh::{PrivateKey, PublicKey};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

/// Accepts connections until the task is aborted.
pub(super) async fn accept(listener: TcpListener, machine: Arc<Machine>, key: PrivateKey, user: PublicKey) {
    loop {
        // An error may be temporary (for example, too many open files), so retry.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(serve(stream, Arc::clone(&machine), key.clone(), user.clone()));
    }
}

async fn serve(stream: TcpStream, machine: Arc<Machine>, key: PrivateKey, user_key: PublicKey) {
    let faults = machine.faults();
    let _ = stream.set_nodelay(true);
    let line = Line::new(stream, faults.drops_after);
    let (refuses_key, slow, mute) = (faults.refuses_key, faults.slow, faults.mute);
    let server = Server::new(key, user_key, Simulated { machine, faults });
    let server = Server { user_key: server.user_key.filter(|_| !refuses_key), slow, mute, ..server };
    server.serve(line).await;
}

/// Runs the commands of a connection on a simulated host. If the client disconnects, they
/// continue with their pipes closed.
#[derive(Clone)]
struct Simulated {
    machine: Arc<Machine>,
    faults: Faults,
}

impl Shell for Simulated {
    fn start(&self, user: &str, command: &str) -> Option<io::Result<Child>> {
        let mut command = command.to_owned();
        if self.faults.noisy {
            let name = &self.machine.name;
            command = format!("echo 'Welcome to {name}!'; printf 'You have mail. ' >&2\n{command}");
        }
        if let Some(file) = &self.faults.answers {
            command = lying(file, &command);
        }
        let mut shell = self.machine.shell(user, &command, &self.faults);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Some(self.machine.spawn(&mut shell))
    }

    fn knock(&self, port: u16) -> Knock {
        node::knock(&self.machine.root, &self.faults, port)
    }

    async fn speak(self, port: u16, stream: Stream) {
        node::serve(&self.machine.root, &self.faults, port, stream).await;
    }
}

/// The command that a hostile host runs instead of the controller's command. The last word
/// of the controller's command is the marker of answers.
fn lying(file: &Path, command: &str) -> String {
    let marker = command.rsplit(' ').next().unwrap_or_default();
    let marker: String = marker.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    format!(
        "cat >/dev/null & echo '{marker} ready'; sed 's/@marker@/{marker}/g' '{}'; printf '\n%s\n' '{marker} end 0'; wait",
        file.display()
    )
}
