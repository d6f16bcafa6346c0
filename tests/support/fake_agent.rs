//! An SSH agent with a security key, in this process.

use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::public::{KeyData, SkEd25519};
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// What the key signs for, as in OpenSSH.
const APPLICATION: &str = "ssh:";

/// The agent, which ends with the process.
pub(crate) struct FakeAgent {
    pub(crate) socket: PathBuf,
    /// The public half of the security key.
    pub(crate) public: PublicKey,
    touches: Sender<()>,
}

impl FakeAgent {
    pub(crate) fn start(folder: &Path) -> Self {
        let socket = folder.join("security-key.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
        let half = *key.public_key().key_data().ed25519().unwrap();
        let public = PublicKey::new(KeyData::SkEd25519(SkEd25519::new(half, APPLICATION)), "");
        let (touches, touched) = channel();
        let shared = Arc::new((key, public.to_bytes().unwrap(), Mutex::new(touched)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                // The client may hang up at any time.
                std::thread::spawn(move || drop(serve(stream, &shared.0, &shared.1, &shared.2)));
            }
        });
        Self { socket, public, touches }
    }

    /// Touches the key once. It doesn't sign before.
    pub(crate) fn touch(&self) {
        self.touches.send(()).unwrap();
    }
}

fn serve(
    mut stream: UnixStream,
    key: &PrivateKey,
    blob: &[u8],
    touched: &Mutex<Receiver<()>>,
) -> io::Result<()> {
    loop {
        let message = string(&mut stream)?;
        let reply = match message.first() {
            Some(11) => [&[12, 0, 0, 0, 1][..], &as_string(blob), &as_string(b"security key")].concat(),
            Some(13) => {
                let mut rest = &message[1..];
                assert_eq!(string(&mut rest)?, blob, "another key");
                let data = string(&mut rest)?;
                touched.lock().unwrap().recv().map_err(io::Error::other)?;
                [&[14][..], &as_string(&signature(key, &data))].concat()
            }
            _ => vec![5],
        };
        stream.write_all(&as_string(&reply))?;
    }
}

/// The signature of an ed25519 security key that was touched (OpenSSH's PROTOCOL.u2f).
fn signature(key: &PrivateKey, data: &[u8]) -> Vec<u8> {
    let (flags, counter) = ([1], 7_u32.to_be_bytes());
    let signed = [&Sha256::digest(APPLICATION)[..], &flags, &counter, &Sha256::digest(data)].concat();
    let raw = key.try_sign(&signed).unwrap();
    [&as_string(b"sk-ssh-ed25519@openssh.com")[..], &as_string(raw.as_bytes()), &flags, &counter].concat()
}

fn as_string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn string(from: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
