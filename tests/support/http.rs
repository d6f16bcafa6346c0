//! An HTTP server for tests of downloads: it resumes, refuses, cuts off and lies as told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How the server answers a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// With the file, or with the part of it that is asked for.
    File(Vec<u8>),
    /// With the file, whatever part of it is asked for.
    Whole(Vec<u8>),
    /// Like `File`, but the connection ends when it has sent the file up to this byte, unless the
    /// request is for what follows.
    UpTo(usize, Vec<u8>),
    /// Like `UpTo`, but the connection stays open.
    StallAt(usize, Vec<u8>),
    /// With an error.
    Status(u16),
    /// With nothing, on an open connection.
    Silence,
}

/// A server, which lives as long as the test's process.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server at an address with port 0. At each path, the requests get these answers
    /// in order, and all further requests the last one. Other paths don't exist.
    pub(crate) fn start<const N: usize>(address: &str, paths: [(&str, Vec<Answer>); N]) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let paths = paths.map(|(path, answers)| (path.to_owned(), answers));
        let paths: Arc<Mutex<BTreeMap<String, Vec<Answer>>>> = Arc::new(Mutex::new(paths.into()));
        let heard = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (paths, heard) = (Arc::clone(&paths), Arc::clone(&heard));
                // The client may disconnect at any time; some tests are about that.
                thread::spawn(move || drop(serve(&stream, &paths, &heard)));
            }
        });
        Self { address, requests }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests since the last call: the path, and the byte from which the file is asked
    /// for if it isn't the first.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn serve(
    mut stream: &TcpStream,
    paths: &Mutex<BTreeMap<String, Vec<Answer>>>,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut path, mut from) = (String::new(), 0);
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("get ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        }
        if let Some(bytes) = line.strip_prefix("range: bytes=") {
            from = bytes.trim_end_matches('-').parse().unwrap_or_default();
        }
        if line.is_empty() {
            break;
        }
    }
    let asked = if from > 0 { format!("{path} from {from}") } else { path.clone() };
    heard.lock().unwrap().push(asked);
    let answer = {
        let mut paths = paths.lock().unwrap();
        let name = path.split('?').next().unwrap_or_default();
        match paths.get_mut(name) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
            None => Answer::Status(404),
        }
    };
    let stalls = matches!(answer, Answer::StallAt(end, _) if from < end);
    let (end, file) = match answer {
        Answer::Status(status) => return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"),
        Answer::Silence => return until_closed(stream),
        Answer::Whole(file) => {
            from = 0;
            (file.len(), file)
        }
        Answer::File(file) => (file.len(), file),
        Answer::UpTo(end, file) | Answer::StallAt(end, file) if from < end => (end, file),
        Answer::UpTo(_, file) | Answer::StallAt(_, file) => (file.len(), file),
    };
    let length = file.len();
    if from >= length && from > 0 {
        return write!(
            stream,
            "HTTP/1.1 416 No\r\nContent-Range: bytes */{length}\r\nContent-Length: 0\r\n\r\n"
        );
    }
    let status = match from {
        0 => "200 OK".to_owned(),
        from => format!("206 Partial\r\nContent-Range: bytes {from}-{}/{length}", length - 1),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", length - from)?;
    stream.write_all(&file[from..end])?;
    if stalls { until_closed(stream) } else { Ok(()) }
}

fn until_closed(mut stream: &TcpStream) -> std::io::Result<()> {
    std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
}
