//! A running `spore`. Its output is read line by line, and it can be signalled or killed.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use crate::network::Network;
use crate::run::Run;

/// The time-out for each wait.
pub(crate) const LIMIT: Duration = Duration::from_secs(150);

/// A running command.
pub(crate) struct Controller<'a> {
    network: &'a Network,
    arguments: Vec<String>,
    child: Child,
    said: Receiver<(Stream, String)>,
    out: String,
    err: String,
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

impl<'a> Controller<'a> {
    /// Starts a command on a folder.
    pub(crate) fn begin(network: &'a Network, arguments: &[&str]) -> Self {
        let mut command = network.command(&[], arguments);
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("spore: {error}"));
        let (sender, said) = channel();
        if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
            hear(out, Stream::Out, sender.clone());
            hear(err, Stream::Err, sender);
        }
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Self { network, arguments, child, said, out: String::new(), err: String::new() }
    }

    /// Starts `spore apply --yes` with further options.
    pub(crate) fn apply(network: &'a Network, options: &[&str]) -> Self {
        Self::begin(network, &[&["apply", "--yes"], options].concat())
    }

    /// The next line; `None` if the command has ended.
    fn line_by(&mut self, deadline: Instant) -> Option<String> {
        match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((stream, line)) => {
                let all = match stream {
                    Stream::Out => &mut self.out,
                    Stream::Err => &mut self.err,
                };
                all.push_str(&line);
                all.push('\n');
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                panic!("spore {} hangs:\n{}{}", self.arguments.join(" "), self.out, self.err);
            }
        }
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) -> String {
        self.says_one_of(&[text])
    }

    /// Waits for a line that contains one of the texts.
    pub(crate) fn says_one_of(&mut self, texts: &[&str]) -> String {
        let deadline = Instant::now() + LIMIT;
        while let Some(line) = self.line_by(deadline) {
            if texts.iter().any(|text| line.contains(text)) {
                return line;
            }
        }
        panic!("expected a line with one of {texts:?}:\n{}{}", self.out, self.err);
    }

    /// Whether the command is still running.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the command with SIGKILL.
    pub(crate) fn kill(mut self) -> Run {
        let _ = self.child.kill();
        self.end()
    }

    /// Sends the command a signal, whose name is given without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// Waits until the command ends, and returns the result.
    pub(crate) fn end(mut self) -> Run {
        let deadline = Instant::now() + LIMIT;
        while self.line_by(deadline).is_some() {}
        let code = self.child.wait().ok().and_then(|status| status.code());
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let (out, err) = (std::mem::take(&mut self.out), std::mem::take(&mut self.err));
        self.network.ended(&arguments, code, out, err)
    }
}

impl Drop for Controller<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hear(from: impl Read + Send + 'static, stream: Stream, to: Sender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            if to.send((stream, String::from_utf8_lossy(&line).into_owned())).is_err() {
                return;
            }
        }
    });
}
