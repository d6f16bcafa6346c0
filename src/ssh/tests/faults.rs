//! Ports without an SSH server, and connections that break.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::patience;
use super::server::{TestServer, address_of, login};
use crate::resource::Redactor;
use crate::ssh::*;

/// A port that sends `words` to every client, and then either stays silent or closes the
/// connection.
async fn port(words: &'static str, stay: bool) -> ServerAddress {
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
async fn each_kind_of_broken_server_has_its_error() {
    let table = [
        ("", true, "TimedOut { phase: Greeting, after: 300ms }"),
        ("SSH-2.0-Tarpit\r\n", true, "TimedOut { phase: KeyExchange, after: 300ms }"),
        ("", false, "HungUp { phase: Greeting, why: None }"),
        (
            "Not allowed at this time\r\n",
            false,
            r#"TurnedAway { said: Printable("Not allowed at this time") }"#,
        ),
        ("SSH-2.0-Tarpit\r\n", false, "HungUp { phase: KeyExchange, why: None }"),
        (
            "HTTP/1.1 400 Bad \x1b[31mRequest\r\n\r\n",
            false,
            r#"NotSsh { said: Printable("HTTP/1.1 400 Bad \\u{1b}[31mRequest") }"#,
        ),
        (
            "Exceeded MaxStartups \u{202e}\u{200b}\u{feff}\x1b]52;c;YQ==\x07\r\n",
            false,
            "TurnedAway { said: Printable(\"Exceeded MaxStartups \
             \\\\u{202e}\\\\u{200b}\\\\u{feff}\\\\u{1b}]52;c;YQ==\\\\u{7}\") }",
        ),
    ];
    for (words, stay, expected) in table {
        let address = port(words, stay).await;
        let mut timeouts = patience();
        if stay {
            timeouts.handshake = Duration::from_millis(300);
        }
        let error =
            Session::connect(&address, &login([]), &KnownHosts::default(), &timeouts, &Redactor::default())
                .await
                .unwrap_err();
        assert_eq!(format!("{error:?}"), expected);
    }
}

/// A host can give a reason for disconnecting before its key is checked.
#[tokio::test]
async fn the_words_of_a_host_that_hangs_up_are_harmless() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = address_of(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut guest, _) = listener.accept().await.unwrap();
        let said = "go \x1b]52;c;YQ==\x07\u{202e}\u{200b}\naway";
        // SSH_MSG_DISCONNECT: the reason's code, its text and the text's language.
        let mut message = vec![1, 0, 0, 0, 11];
        message.extend(u32::try_from(said.len()).unwrap().to_be_bytes());
        message.extend(said.as_bytes());
        message.extend([0; 4]);
        let padding = 8 - (message.len() + 5) % 8 + 4;
        let mut packet = u32::try_from(message.len() + padding + 1).unwrap().to_be_bytes().to_vec();
        packet.push(u8::try_from(padding).unwrap());
        packet.extend(message);
        packet.resize(packet.len() + padding, 0);
        guest.write_all(b"SSH-2.0-Hostile\r\n").await.unwrap();
        guest.write_all(&packet).await.unwrap();
        let _ = guest.read_to_end(&mut Vec::new()).await;
    });
    let error =
        Session::connect(&address, &login([]), &KnownHosts::default(), &patience(), &Redactor::default())
            .await
            .unwrap_err();
    let ConnectError::HungUp { phase: Phase::KeyExchange, why: Some(Lost::Disconnected(said)) } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(said, "go \\u{1b}]52;c;YQ==\\u{7}\\u{202e}\\u{200b}\\u{a}away");
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_have_different_errors() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = address_of(listener.local_addr().unwrap());
    drop(listener);
    let none = KnownHosts::default();
    let error =
        Session::connect(&closed, &login([]), &none, &patience(), &Redactor::default()).await.unwrap_err();
    let is_refused = |source: &io::Error| source.kind() == io::ErrorKind::ConnectionRefused;
    assert!(matches!(&error, ConnectError::Unreachable { source, .. } if is_refused(source)), "{error:?}");

    let nowhere = ServerAddress::new("nowhere.invalid", 22);
    let error =
        Session::connect(&nowhere, &login([]), &none, &patience(), &Redactor::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_closed_connection_is_reported() {
    let server = TestServer::new();
    let (ours, theirs) = duplex(1 << 16);
    let wire = crate::ssh::wire::Wire::over(theirs);
    let hang_up = wire.tap();
    tokio::spawn(server.clone().serve(wire));
    let address = ServerAddress::new("pretend", 22);
    let session = Session::over(
        ours,
        &address,
        &server.login(),
        &server.known(&address),
        &patience(),
        &Redactor::default(),
    )
    .await
    .unwrap();
    let mut channel = session.exec("cat").await.unwrap();
    hang_up.cut();
    assert_eq!(session.closed().await, Lost::Closed);
    assert!(matches!(channel.reader.next().await, Err(ChannelError::Lost(_))));
    let sent = channel.writer.send(Bytes::from(vec![0; 64 << 20])).await;
    assert!(matches!(sent, Err(ChannelError::Lost(_))), "{sent:?}");
    assert!(matches!(session.exec("true").await, Err(ChannelError::Lost(_))));
}

/// Each channel that a host opens would take memory until the host closes it.
#[tokio::test]
async fn a_host_that_opens_a_channel_is_left() {
    let server = TestServer { opens_channels: true, ..TestServer::new() };
    let address = server.listen().await;
    let session = Session::connect(
        &address,
        &server.login(),
        &server.known(&address),
        &patience(),
        &Redactor::default(),
    )
    .await
    .unwrap();
    let _channel = session.exec("sleep 1000").await.unwrap();
    assert_eq!(session.closed().await, Lost::Intrusive);
}

/// A proxy that forwards bytes until it is told to stop. It then keeps both connections
/// open, so that the network seems to be cut.
async fn flaky(to: ServerAddress) -> (ServerAddress, oneshot::Sender<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = address_of(listener.local_addr().unwrap());
    let (cut, is_cut) = oneshot::channel();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect((to.host.as_str(), to.port)).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = is_cut => std::future::pending().await,
        }
    });
    (address, cut)
}

#[tokio::test]
async fn a_cut_network_is_detected() {
    let server = TestServer::new();
    let (address, cut) = flaky(server.listen().await).await;
    let timeouts = Timeouts { keepalive: Duration::from_millis(500), unanswered: 2, ..patience() };
    let session =
        Session::connect(&address, &server.login(), &server.known(&address), &timeouts, &Redactor::default())
            .await
            .unwrap();
    let mut channel = session.exec("cat").await.unwrap();
    cut.send(()).unwrap();
    let start = Instant::now();
    assert_eq!(session.closed().await, Lost::Silent);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(matches!(channel.reader.next().await, Err(ChannelError::Lost(_))));
}

#[tokio::test]
async fn a_network_cut_while_sending_is_detected() {
    let server = TestServer::new();
    let (address, cut) = flaky(server.listen().await).await;
    let timeouts = Timeouts { keepalive: Duration::from_millis(500), unanswered: 2, ..patience() };
    let session =
        Session::connect(&address, &server.login(), &server.known(&address), &timeouts, &Redactor::default())
            .await
            .unwrap();
    let mut channel = session.exec("cat >/dev/null").await.unwrap();
    cut.send(()).unwrap();
    let sent = channel.writer.send(Bytes::from(vec![0; 64 << 20])).await;
    assert!(matches!(sent, Err(ChannelError::Lost(_))), "{sent:?}");
}
