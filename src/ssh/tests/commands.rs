//! Running commands over a connection.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::server::TestServer;
use super::{connect, listen};
use crate::ssh::*;

#[tokio::test]
async fn output_and_exit_status_arrive() {
    let server = TestServer::new();
    let session = connect(&server, &server.login()).await.unwrap();
    let mut channel = session.exec("echo out; echo err >&2; exit 3").await.unwrap();
    let (out, err, exit) = listen(&mut channel.reader).await.unwrap();
    assert_eq!(out, b"out\n");
    assert_eq!(err, b"err\n");
    assert_eq!(exit, Some(Exit::Status(3)));
    assert_eq!(channel.reader.next().await, Ok(None), "the end is reported again");
    assert!(!session.is_closed());
    session.close().await;
}

#[tokio::test]
async fn channels_do_not_wait_for_each_other() {
    let server = TestServer::new();
    let session = connect(&server, &server.login()).await.unwrap();
    let mut patient = session.exec("cat").await.unwrap();
    // This output is never read, and is larger than the buffer that russh has for a
    // channel.
    let _unread = session.exec("seq 100000").await.unwrap();
    let mut quick = session.exec("echo quick").await.unwrap();
    let (out, ..) = listen(&mut quick.reader).await.unwrap();
    assert_eq!(out, b"quick\n");
    patient.writer.send(Bytes::from("slow")).await.unwrap();
    patient.writer.eof().await.unwrap();
    let (out, _, exit) = listen(&mut patient.reader).await.unwrap();
    assert_eq!((out.as_slice(), exit), (&b"slow"[..], Some(Exit::Status(0))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_megabytes_arrive_intact() {
    let server = TestServer::new();
    let session = connect(&server, &server.login()).await.unwrap();
    let payload = Bytes::from((0..100_u32 << 20).map(|i| (i ^ (i >> 8)) as u8).collect::<Vec<_>>());
    let digest = Sha256::digest(&payload);
    let expected = digest.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let start = Instant::now();
    let Channel { mut writer, mut reader } = session.exec("sha256sum").await.unwrap();
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

#[expect(clippy::print_stderr, reason = "the transfer rate, visible with --nocapture")]
fn eprint_rate(taken: Duration) {
    eprintln!("100 MiB in {taken:?}");
}

#[tokio::test]
async fn a_command_that_exits_early_stops_the_sender() {
    let server = TestServer { window: 1 << 16, ..TestServer::new() };
    let session = connect(&server, &server.login()).await.unwrap();
    let mut channel = session.exec("head -c 10; echo full >&2; exit 1").await.unwrap();
    let sent = channel.writer.send(Bytes::from(vec![b'x'; 64 << 20])).await;
    assert_eq!(sent, Err(ChannelError::Ended));
    let again = channel.writer.send(Bytes::from("more")).await;
    assert_eq!(again, Err(ChannelError::Ended));
    let (out, err, exit) = listen(&mut channel.reader).await.unwrap();
    assert_eq!((out.as_slice(), err.as_slice()), (&b"xxxxxxxxxx"[..], &b"full\n"[..]));
    assert_eq!(exit, Some(Exit::Status(1)));
    assert!(!session.is_closed(), "the session stays open");
}

#[tokio::test]
async fn sending_can_be_cancelled() {
    let server = TestServer::new();
    let session = connect(&server, &server.login()).await.unwrap();
    let Channel { mut writer, mut reader } = session.exec("echo $$; exec sleep 1000").await.unwrap();
    let event = tokio::select! {
        _ = writer.send(Bytes::from(vec![0; 64 << 20])) => panic!("`sleep` read its input"),
        event = reader.next() => event,
    };
    let Ok(Some(Event::Stdout(process))) = event else { panic!("{event:?}") };
    drop((writer, reader));
    let kill = format!("kill {} && echo next", String::from_utf8_lossy(&process).trim());
    let mut next = session.exec(&kill).await.unwrap();
    assert_eq!(listen(&mut next.reader).await.unwrap().0, b"next\n");
}

#[tokio::test]
async fn dropping_the_reader_ends_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let server = TestServer::new();
    let session = connect(&server, &server.login()).await.unwrap();
    let mut channel =
        session.exec(&format!("mkfifo {0}; echo ready; cat >{0}", fifo.display())).await.unwrap();
    channel.reader.next().await.unwrap();
    let opened = tokio::fs::File::open(&fifo).await.unwrap();
    drop(channel);
    let mut opened = opened;
    assert_eq!(opened.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_host_that_refuses_commands_is_reported() {
    let server = TestServer { runs: false, ..TestServer::new() };
    let session = connect(&server, &server.login()).await.unwrap();
    let mut channel = session.exec("true").await.unwrap();
    assert_eq!(channel.reader.next().await, Err(ChannelError::NotStarted));
    assert_eq!(channel.reader.next().await, Err(ChannelError::NotStarted));
}
