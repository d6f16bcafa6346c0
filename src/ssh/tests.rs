//! Connecting to a host inside the process, and to ports that are no such host.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets something else fails there"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use russh::MethodKind;
use russh::keys::Algorithm;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;
use server::{Host, PASSWORD, USER, address_of, known, login, new_key, password};

mod server;

/// Time-outs that a test can wait for; a machine that is busy meets them.
fn patience() -> Timeouts {
    Timeouts {
        handshake: Duration::from_secs(20),
        ..Timeouts::default()
    }
}

async fn connect(host: &Host, login: &Login) -> Result<Session, ConnectError> {
    let address = host.listen().await;
    Session::connect(&address, login, &host.known(&address), &patience()).await
}

/// All that a command says: output, complaints, how it ended.
async fn listen(reader: &mut Reader) -> Result<(Vec<u8>, Vec<u8>, Option<Exit>), ChannelError> {
    let (mut out, mut err, mut exit) = (Vec::new(), Vec::new(), None);
    while let Some(event) = reader.next().await? {
        match event {
            Event::Stdout(data) => out.extend_from_slice(&data),
            Event::Stderr(data) => err.extend_from_slice(&data),
            Event::Exit(how) => exit = Some(how),
        }
    }
    Ok((out, err, exit))
}

#[tokio::test]
async fn a_command_says_what_it_says() {
    let host = Host::new();
    let session = connect(&host, &host.login()).await.unwrap();
    let mut channel = session
        .exec("echo out; echo err >&2; exit 3")
        .await
        .unwrap();
    let (out, err, exit) = listen(&mut channel.reader).await.unwrap();
    assert_eq!(out, b"out\n");
    assert_eq!(err, b"err\n");
    assert_eq!(exit, Some(Exit::Status(3)));
    assert_eq!(channel.reader.next().await, Ok(None), "it stays ended");
    assert!(!session.is_closed());
    session.close().await;
}

#[tokio::test]
async fn channels_do_not_wait_for_each_other() {
    let host = Host::new();
    let session = connect(&host, &host.login()).await.unwrap();
    let mut patient = session.exec("cat").await.unwrap();
    // Nobody reads this one, which is more than russh keeps for a channel.
    let _unread = session.exec("seq 100000").await.unwrap();
    let mut quick = session.exec("echo quick").await.unwrap();
    let (out, ..) = listen(&mut quick.reader).await.unwrap();
    assert_eq!(out, b"quick\n");
    patient.writer.send(Bytes::from("slow")).await.unwrap();
    patient.writer.eof().await.unwrap();
    let (out, _, exit) = listen(&mut patient.reader).await.unwrap();
    assert_eq!(
        (out.as_slice(), exit),
        (&b"slow"[..], Some(Exit::Status(0)))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_arrive_whole() {
    let host = Host::new();
    let session = connect(&host, &host.login()).await.unwrap();
    let payload = Bytes::from(
        (0..100_u32 << 20)
            .map(|i| (i ^ (i >> 8)) as u8)
            .collect::<Vec<_>>(),
    );
    let digest = Sha256::digest(&payload);
    let expected = digest.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let start = Instant::now();
    let Channel {
        mut writer,
        mut reader,
    } = session.exec("sha256sum").await.unwrap();
    let send = async {
        writer.send(payload).await?;
        writer.eof().await
    };
    let (sent, heard) = tokio::join!(send, listen(&mut reader));
    sent.unwrap();
    let (out, ..) = heard.unwrap();
    eprint_rate(start.elapsed());
    assert!(String::from_utf8(out).unwrap().starts_with(&expected));
}

#[expect(
    clippy::print_stderr,
    reason = "a figure for whoever runs it with --nocapture"
)]
fn eprint_rate(taken: Duration) {
    eprintln!("100 MiB in {taken:?}");
}

#[tokio::test]
async fn a_command_that_ends_early_stops_the_sender() {
    let host = Host {
        window: 1 << 16,
        ..Host::new()
    };
    let session = connect(&host, &host.login()).await.unwrap();
    let mut channel = session
        .exec("head -c 10; echo full >&2; exit 1")
        .await
        .unwrap();
    let sent = channel.writer.send(Bytes::from(vec![b'x'; 64 << 20])).await;
    assert_eq!(sent, Err(ChannelError::Ended));
    let again = channel.writer.send(Bytes::from("more")).await;
    assert_eq!(again, Err(ChannelError::Ended));
    let (out, err, exit) = listen(&mut channel.reader).await.unwrap();
    assert_eq!(
        (out.as_slice(), err.as_slice()),
        (&b"xxxxxxxxxx"[..], &b"full\n"[..])
    );
    assert_eq!(exit, Some(Exit::Status(1)));
    assert!(!session.is_closed(), "the session goes on");
}

#[tokio::test]
async fn sending_may_be_given_up() {
    let host = Host::new();
    let session = connect(&host, &host.login()).await.unwrap();
    let Channel {
        mut writer,
        mut reader,
    } = session.exec("echo ready; sleep 1000").await.unwrap();
    tokio::select! {
        _ = writer.send(Bytes::from(vec![0; 64 << 20])) => panic!("nobody reads it"),
        event = reader.next() => assert_eq!(event, Ok(Some(Event::Stdout(Bytes::from("ready\n"))))),
    }
    drop((writer, reader));
    let mut next = session.exec("echo next").await.unwrap();
    assert_eq!(listen(&mut next.reader).await.unwrap().0, b"next\n");
}

#[tokio::test]
async fn dropping_the_reader_ends_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let host = Host::new();
    let session = connect(&host, &host.login()).await.unwrap();
    let mut channel = session
        .exec(&format!("mkfifo {0}; echo ready; cat >{0}", fifo.display()))
        .await
        .unwrap();
    channel.reader.next().await.unwrap();
    let opened = tokio::fs::File::open(&fifo).await.unwrap();
    drop(channel);
    let mut opened = opened;
    assert_eq!(opened.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_host_may_run_nothing() {
    let host = Host {
        runs: false,
        ..Host::new()
    };
    let session = connect(&host, &host.login()).await.unwrap();
    let mut channel = session.exec("true").await.unwrap();
    assert_eq!(channel.reader.next().await, Err(ChannelError::NotStarted));
    assert_eq!(channel.reader.next().await, Err(ChannelError::NotStarted));
}

/// One of each kind, as `ssh-keygen` writes them.
const KEYS: [&str; 3] = [
    include_str!("tests/keys/ed25519"),
    include_str!("tests/keys/rsa"),
    include_str!("tests/keys/ecdsa"),
];

fn key_of(text: &str) -> PrivateKey {
    let mut nobody = |_: &Path| Ok(None);
    let key = key::load("key".as_ref(), text, &mut nobody).unwrap();
    Arc::unwrap_or_clone(key)
}

#[tokio::test]
async fn every_kind_of_key_serves_users_and_hosts() {
    for text in KEYS {
        let host = Host {
            user_key: key_of(text),
            key: key_of(text),
            ..Host::new()
        };
        connect(&host, &host.login()).await.unwrap();
    }
}

#[tokio::test]
async fn a_password_logs_in_either_way() {
    for methods in [
        vec![MethodKind::Password],
        vec![MethodKind::KeyboardInteractive],
    ] {
        let host = Host {
            methods,
            ..Host::new()
        };
        let stranger = Credential::Key(Arc::new(new_key(Algorithm::Ed25519)));
        let login = login([stranger, password(PASSWORD)]);
        connect(&host, &login).await.unwrap();
    }
}

#[tokio::test]
async fn who_is_refused_is_told_what_was_tried() {
    let host = Host::new();
    let stranger = Arc::new(new_key(Algorithm::Ed25519));
    let print = stranger.public_key().fingerprint(Default::default());
    let login = login([Credential::Key(stranger), password("battery staple")]);
    let error = connect(&host, &login).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the host refuses {USER}: tried ssh-ed25519 key {print}, password")
    );
    assert!(
        error.help().contains("takes publickey or password"),
        "{}",
        error.help()
    );
    let all = format!("{error}{error:?}{}{login:?}", error.help());
    assert!(!all.contains("battery"), "{all}");
}

#[tokio::test]
async fn two_factors_are_taken_together() {
    let host = Host {
        two_factors: true,
        ..Host::new()
    };
    let error = connect(&host, &host.login()).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Refused { partly: true, .. }),
        "{error:?}"
    );
    let both = login([
        Credential::Key(Arc::new(host.user_key.clone())),
        password(PASSWORD),
    ]);
    connect(&host, &both).await.unwrap();
}

#[tokio::test]
async fn nothing_to_log_in_with_is_said() {
    let host = Host::new();
    let error = connect(&host, &login([])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the host refuses {USER}: nothing to log in with")
    );
}

#[tokio::test]
async fn an_unknown_host_is_refused_and_its_line_makes_it_known() {
    let host = Host::new();
    let address = host.listen().await;
    let nobody = KnownHosts::parse("/etc/known".as_ref(), "");
    let error = Session::connect(&address, &host.login(), &nobody, &patience())
        .await
        .unwrap_err();
    let help = error.help();
    let ConnectError::HostKeyUnknown {
        line, fingerprint, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        fingerprint,
        host.key.fingerprint(Default::default()).to_string()
    );
    assert!(help.contains("/etc/known"), "{help}");
    let known = KnownHosts::parse("/etc/known".as_ref(), &line);
    Session::connect(&address, &host.login(), &known, &patience())
        .await
        .unwrap();
}

#[tokio::test]
async fn changed_and_revoked_keys_are_refused() {
    let host = Host::new();
    let address = host.listen().await;
    let other = known(&address, new_key(Algorithm::Ed25519).public_key());
    let error = Session::connect(&address, &host.login(), &other, &patience())
        .await
        .unwrap_err();
    assert!(matches!(&error, ConnectError::HostKeyChanged { known, .. } if known[0].line == 1));
    assert!(
        error
            .help()
            .contains(&format!("-R '[127.0.0.1]:{}'", address.port))
    );

    let line = KnownHosts::line_to_add(&address, host.key.public_key());
    let revoked = KnownHosts::parse(
        "k".as_ref(),
        &format!("{line}\n@revoked * {}", line.split_once(' ').unwrap().1),
    );
    let error = Session::connect(&address, &host.login(), &revoked, &patience())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ConnectError::HostKeyRevoked { by, .. } if by.line == 2),
        "{error:?}"
    );
}

/// A port that says this to whoever comes, and then keeps them waiting or hangs up.
async fn port(words: &'static str, stay: bool) -> Address {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = address_of(listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut guest, _)) = listener.accept().await {
            tokio::spawn(async move {
                guest.write_all(words.as_bytes()).await.unwrap();
                if stay {
                    let _ = guest.read_to_end(&mut Vec::new()).await;
                } else {
                    let _ = guest.shutdown().await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn ports_that_are_no_ssh_server_are_told_apart() {
    let table = [
        (
            "",
            true,
            "no answer within 0.3 s while waiting for the SSH server's first words",
        ),
        (
            "SSH-2.0-Tarpit\r\n",
            true,
            "no answer within 0.3 s while agreeing on keys",
        ),
        (
            "",
            false,
            "the host hung up while waiting for the SSH server's first words",
        ),
        (
            "Not allowed at this time\r\n",
            false,
            "the host hung up while waiting for the SSH server's first words: Not allowed at this time",
        ),
        (
            "SSH-2.0-Tarpit\r\n",
            false,
            "the host hung up while agreeing on keys",
        ),
        (
            "HTTP/1.1 400 Bad \x1b[31mRequest\r\n\r\n",
            false,
            "this is no SSH server: it says `HTTP/1.1 400 Bad \\u{1b}[31mRequest`",
        ),
    ];
    for (words, stay, expected) in table {
        let address = port(words, stay).await;
        let timeouts = Timeouts {
            handshake: Duration::from_millis(300),
            ..patience()
        };
        let error = Session::connect(&address, &login([]), &KnownHosts::default(), &timeouts)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.help().is_empty());
    }
}

#[tokio::test]
async fn a_closed_port_and_a_wrong_name_are_told_apart() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = address_of(listener.local_addr().unwrap());
    drop(listener);
    let no_one = KnownHosts::default();
    let error = Session::connect(&closed, &login([]), &no_one, &patience())
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(
        error.help().contains("nothing listens on port"),
        "{}",
        error.help()
    );

    let nowhere = Address::new("nowhere.invalid", 22);
    let error = Session::connect(&nowhere, &login([]), &no_one, &patience())
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_host_that_hangs_up_is_noticed() {
    let host = Host::new();
    let (ours, theirs) = duplex(1 << 16);
    let wire = wire::Wire::over(theirs);
    let hang_up = wire.tap();
    tokio::spawn(host.clone().serve(wire));
    let address = Address::new("pretend", 22);
    let session = Session::over(
        ours,
        &address,
        &host.login(),
        &host.known(&address),
        &patience(),
    )
    .await
    .unwrap();
    let mut channel = session.exec("cat").await.unwrap();
    hang_up.cut();
    assert_eq!(session.closed().await.reason, "the other side hung up");
    assert!(matches!(
        channel.reader.next().await,
        Err(ChannelError::Lost(_))
    ));
    let sent = channel.writer.send(Bytes::from(vec![0; 64 << 20])).await;
    assert!(matches!(sent, Err(ChannelError::Lost(_))), "{sent:?}");
    assert!(matches!(
        session.exec("true").await,
        Err(ChannelError::Lost(_))
    ));
}

/// Passes bytes on until it is told to stop, and then keeps both ends open: a
/// network that was cut.
async fn flaky(to: Address) -> (Address, oneshot::Sender<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = address_of(listener.local_addr().unwrap());
    let (cut, is_cut) = oneshot::channel();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect((to.host.as_str(), to.port))
            .await
            .unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = is_cut => std::future::pending().await,
        }
    });
    (address, cut)
}

#[tokio::test]
async fn a_cut_network_is_noticed() {
    let host = Host::new();
    let (address, cut) = flaky(host.listen().await).await;
    let timeouts = Timeouts {
        keepalive: Duration::from_millis(100),
        unanswered: 2,
        ..patience()
    };
    let session = Session::connect(&address, &host.login(), &host.known(&address), &timeouts)
        .await
        .unwrap();
    let mut channel = session.exec("cat").await.unwrap();
    cut.send(()).unwrap();
    let start = Instant::now();
    assert_eq!(
        session.closed().await.reason,
        "the host does not answer any more"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(matches!(
        channel.reader.next().await,
        Err(ChannelError::Lost(_))
    ));
}

#[tokio::test]
async fn a_network_cut_while_sending_is_noticed() {
    let host = Host::new();
    let (address, cut) = flaky(host.listen().await).await;
    let timeouts = Timeouts {
        keepalive: Duration::from_millis(100),
        unanswered: 2,
        ..patience()
    };
    let session = Session::connect(&address, &host.login(), &host.known(&address), &timeouts)
        .await
        .unwrap();
    let mut channel = session.exec("cat >/dev/null").await.unwrap();
    cut.send(()).unwrap();
    let sent = channel.writer.send(Bytes::from(vec![0; 64 << 20])).await;
    assert!(matches!(sent, Err(ChannelError::Lost(_))), "{sent:?}");
}
