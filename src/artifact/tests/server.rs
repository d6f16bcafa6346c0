//! An HTTP server that gives predefined answers in order, and refuses all further
//! connections.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Debug, Clone)]
pub(super) enum Answer {
    File(Vec<u8>),
    /// The file, without its length.
    Unsized(Vec<u8>),
    /// The file's length and half of the file, and then the end of the connection.
    Truncated(Vec<u8>),
    /// The file's length and half of the file, and then silence.
    Stalled(Vec<u8>),
    /// Silence.
    Mute,
    Status(u16),
    Redirect(&'static str),
}

pub(super) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let answers: Vec<Answer> = answers.into_iter().collect();
        thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                serve(stream, &answer, &heard);
            }
        });
        Self { port, requests }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The method and path of every request so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, heard: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    heard.lock().unwrap().push(request.trim_end_matches(" HTTP/1.1").to_owned());
    lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
    let sized = |bytes: &[u8]| format!("200 OK\r\nContent-Length: {}", bytes.len());
    let (head, body): (String, &[u8]) = match answer {
        Answer::File(bytes) => (sized(bytes), bytes),
        Answer::Unsized(bytes) => ("200 OK".to_owned(), bytes),
        Answer::Truncated(bytes) | Answer::Stalled(bytes) => (sized(bytes), &bytes[..bytes.len() / 2]),
        Answer::Mute => return until_closed(stream),
        Answer::Status(status) => (format!("{status} No\r\nContent-Length: 0"), &[]),
        Answer::Redirect(to) => (format!("302 Found\r\nLocation: {to}\r\nContent-Length: 0"), &[]),
    };
    // The client may already have disconnected; some tests are about that.
    let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(body);
    if let Answer::Stalled(_) = answer {
        until_closed(stream);
    }
}

fn until_closed(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]);
}
