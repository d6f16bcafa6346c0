//! Tests of fetching: what a host does if it downloads a file itself, with curl and with wget.

use super::http::{Answer, Server};
use super::*;
use crate::artifact::HostDownload;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::Arc;

const TOOLS: [&str; 2] = ["curl", "wget"];
const TAU: &str = "/tb/bin/tau";

/// A host with only one of the two programs.
fn host_with(tool: &str) -> FakeHost {
    let host = FakeHost::new();
    TOOLS.iter().filter(|other| **other != tool).for_each(|other| host.remove_command(other));
    host
}

/// A file that isn't the same everywhere.
fn tau() -> Vec<u8> {
    (0..200_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn download(urls: &[String], file: &[u8]) -> HostDownload {
    let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
    HostDownload { urls, sha256: Sha256::of(file), packed: false, size: Some(file.len() as u64) }
}

/// What the host says if it fetches the file with this content, and the requests that the server
/// got: either it has the file, or the reason why not.
fn fetch(host: &FakeHost, content: &[u8], download: HostDownload) -> Result<Outcome, String> {
    let file = staged(TAU, content, host);
    host.fetch(&Action::Fetch { file, download: Arc::new(download) })
}

#[track_caller]
fn is_fetched(host: &FakeHost, content: &[u8], download: HostDownload) {
    assert_eq!(fetch(host, content, download), Ok(Outcome::Done));
    let name = staged(TAU, content, host).staged_path();
    assert_eq!(host.list("/tb/bin"), [name.trim_start_matches("/tb/bin/")]);
    assert!(std::fs::read(host.at(&name)).unwrap() == content);
    assert_eq!(host.mode(&name), 0o640);
}

#[test]
fn a_host_downloads_a_file_once() {
    for tool in TOOLS {
        let host = host_with(tool);
        let server = Server::start("127.0.0.1:0", [("/tau", vec![Answer::File(tau())])]);
        let one = download(&[server.url("/tau?key=a&x={1}")], &tau());
        is_fetched(&host, &tau(), one.clone());
        assert_eq!(server.requests(), ["/tau?key=a&x=%7b1%7d"], "{tool}");
        assert_eq!(fetch(&host, &tau(), one), Ok(Outcome::Already));
        assert!(server.requests().is_empty());
    }
}

#[test]
fn the_next_url_is_tried() {
    for tool in TOOLS {
        let host = host_with(tool);
        let answers = [
            ("/other", vec![Answer::File(b"<html>".to_vec())]),
            ("/gone", vec![Answer::Status(500)]),
            ("/tau", vec![Answer::File(tau())]),
        ];
        let server = Server::start("127.0.0.1:0", answers);
        let urls = ["/none", "/other", "/gone", "/tau"].map(|path| server.url(path));
        is_fetched(&host, &tau(), download(&urls, &tau()));
        assert_eq!(server.requests(), ["/none", "/other", "/gone", "/tau"], "{tool}");
    }
}

/// Nothing that isn't the file is ever given a name under which it could be used, and the reasons
/// show no query and no user name.
#[test]
fn why_a_host_cannot() {
    let big = [tau(), tau()].concat();
    for tool in TOOLS {
        let host = host_with(tool);
        let answers =
            [("/other", vec![Answer::File(b"<html>".to_vec())]), ("/big", vec![Answer::File(big.clone())])];
        let server = Server::start("127.0.0.1:0", answers);
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let urls = [
            server.url("/none?token=quartz"),
            server.url("/other?token=quartz"),
            server.url("/big"),
            format!("http://{closed}/tau?token=quartz"),
            "http://nowhere.invalid/tau".to_owned(),
        ];
        let why = fetch(&host, &tau(), download(&urls, &tau())).unwrap_err();
        let (sha256, other) = (Sha256::of(&tau()).to_string(), Sha256::of(b"<html>").to_string());
        let [none, wrong, big, refused, unknown] = &why.split("; ").collect::<Vec<_>>()[..] else {
            panic!("{why}")
        };
        assert!(none.starts_with(&format!("{}?...: HTTP 404", server.url("/none"))), "{why}");
        let wrong_digest = format!("another file: expected sha256 {}, got {}", &sha256[..12], &other[..12]);
        assert_eq!(*wrong, format!("{}?...: {wrong_digest}", server.url("/other")));
        assert!(big.contains("larger than 800000 bytes"), "{tool}: {why}");
        assert!(refused.to_ascii_lowercase().contains("connect") || refused.contains("refused"), "{why}");
        assert!(unknown.contains("esolve host"), "{why}");
        assert!(!why.contains("quartz"), "{why}");
        // What is left of a download is removed when the file is sent.
        host.list("/tb/bin").iter().for_each(|name| assert!(name.ends_with(".part"), "{name}"));
    }
    let host = host_with("neither");
    let why = fetch(&host, &tau(), download(&["http://127.0.0.1/".to_owned()], &tau()));
    assert_eq!(why.unwrap_err(), "it has neither curl nor wget");
}

#[test]
fn an_interrupted_download_is_resumed() {
    for tool in TOOLS {
        let host = host_with(tool);
        let tau = tau();
        let answers = vec![
            Answer::UpTo(100_000, tau.clone()),
            Answer::UpTo(300_000, tau.clone()),
            Answer::File(tau.clone()),
        ];
        let server = Server::start("127.0.0.1:0", [("/tau", answers)]);
        is_fetched(&host, &tau, download(&[server.url("/tau")], &tau));
        assert_eq!(server.requests(), ["/tau", "/tau from 100000", "/tau from 300000"], "{tool}");
    }
}

/// What an earlier apply has left is resumed if it is part of the file.
#[test]
fn a_part_that_was_left() {
    let tau = tau();
    let name = part_path(TAU, &Sha256::of(&tau));
    for tool in TOOLS {
        for (part, mode, server, requests) in [
            (&tau[..5000], 0o600, Answer::File(tau.clone()), &["/tau from 5000"][..]),
            (&tau[..], 0o600, Answer::File(tau.clone()), &[]),
            (b"other", 0o600, Answer::File(tau.clone()), &["/tau from 5", "/tau"]),
            (&tau[..5000], 0o644, Answer::File(tau.clone()), &["/tau"]),
            (&[7; 900_000], 0o600, Answer::File(tau.clone()), &["/tau from 900000", "/tau"]),
        ] {
            let host = host_with(tool);
            let server = Server::start("127.0.0.1:0", [("/tau", vec![server])]);
            host.write(&name, part);
            host.chmod(&name, mode);
            is_fetched(&host, &tau, download(&[server.url("/tau")], &tau));
            assert_eq!(server.requests(), requests, "{tool}: {} {mode:o}", part.len());
        }
    }
}

#[test]
fn a_server_that_never_resumes() {
    let tau = tau();
    for tool in TOOLS {
        let host = host_with(tool);
        let server = Server::start("127.0.0.1:0", [("/tau", vec![Answer::Whole(tau.clone())])]);
        host.write(&part_path(TAU, &Sha256::of(&tau)), &tau[..5000]);
        host.chmod(&part_path(TAU, &Sha256::of(&tau)), 0o600);
        is_fetched(&host, &tau, download(&[server.url("/tau")], &tau));
    }
}

#[test]
fn a_server_that_falls_silent() {
    for tool in TOOLS {
        let host = host_with(tool);
        let server = Server::start("127.0.0.1:0", [("/tau", vec![Answer::Silence])]);
        let file = staged(TAU, &tau(), &host);
        let download = Arc::new(download(&[server.url("/tau")], &tau()));
        let action = Action::Fetch { file, download };
        let patience = Patience { stall: Duration::from_secs(1), ..patience() };
        let why = host.fetch_within(&action, &patience).unwrap_err();
        assert!(
            why.contains("timed out") || why.contains("too slow") || why.contains("Giving up"),
            "{tool}: {why}"
        );
        let half = Answer::StallAt(100_000, tau());
        let server = Server::start("127.0.0.1:0", [("/tau", vec![half])]);
        let download = Arc::new(self::download(&[server.url("/tau")], &tau()));
        let resumed = Action::Fetch { file: staged(TAU, &tau(), &host), download };
        assert_eq!(host.fetch_within(&resumed, &patience), Ok(Outcome::Done), "{tool}");
        assert_eq!(server.requests(), ["/tau", "/tau from 100000"], "{tool}");
        std::fs::remove_file(host.at(&staged(TAU, &tau(), &host).staged_path())).unwrap();
        let patience = Patience { fetch: Duration::from_secs(1), ..self::patience() };
        let why = host.fetch_within(&action, &patience).unwrap_err();
        assert!(why.ends_with("the download took longer than 1 s"), "{tool}: {why}");
    }
}

#[test]
fn an_archive_is_unpacked() {
    let tau = tau();
    let gzip = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    let tar = |members: &[(&str, &[u8])]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o755);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        gzip(&builder.into_inner().unwrap())
    };
    let host = FakeHost::new();
    for archive in [
        tar(&[("LICENSE", b"free"), ("tau", &tau)]),
        tar(&[("tau_1/LICENSE", b"free"), ("tau_1/tau", &tau), ("tau_1/taut", b"x")]),
        gzip(&tau),
    ] {
        let server = Server::start("127.0.0.1:0", [("/tau", vec![Answer::File(archive.clone())])]);
        let packed =
            HostDownload { packed: true, size: Some(800_000), ..download(&[server.url("/tau")], &archive) };
        is_fetched(&host, &tau, packed);
        std::fs::remove_file(host.at(&staged(TAU, &tau, &host).staged_path())).unwrap();
    }
    for archive in [tar(&[("LICENSE", b"free")]), tar(&[("tau", &tau), ("x/tau", &tau)]), tau.clone()] {
        let server = Server::start("127.0.0.1:0", [("/tau", vec![Answer::File(archive.clone())])]);
        let urls = [server.url("/tau"), server.url("/mirror")];
        let packed = HostDownload { packed: true, size: Some(800_000), ..download(&urls, &archive) };
        let why = fetch(&host, &tau, packed).unwrap_err();
        // The digest was right, so no URL is to blame, and no other is tried.
        assert!(why.starts_with("it can't be unpacked here"), "{why}");
        assert_eq!(server.requests(), ["/tau"]);
        host.list("/tb/bin").iter().for_each(|name| assert!(name.ends_with(".part"), "{name}"));
    }
}

#[test]
fn proxies_of_the_host_are_used() {
    for tool in TOOLS {
        let host = host_with(tool);
        let url = "http://tau.invalid/tau";
        let proxy = Server::start("127.0.0.1:0", [(url, vec![Answer::File(tau())])]);
        let address = proxy.url("");
        host.write("/etc/environment", format!("# x\nLANG=C\nhttp_proxy=\"{address}\"\n").as_bytes());
        is_fetched(&host, &tau(), download(&[url.to_owned()], &tau()));
        assert_eq!(proxy.requests(), [url], "{tool}");
    }
}

/// A URL may contain a token, and every user of a host can see the arguments of its processes.
#[test]
fn no_url_is_an_argument() {
    for tool in TOOLS {
        let host = host_with(tool);
        let real = host.real(tool);
        host.stand_in(tool, &format!("echo \"$*\" >>\"$SPORE_ROOT/arguments\"; exec {real} \"$@\""));
        let server = Server::start("127.0.0.1:0", [("/tau", vec![Answer::File(tau())])]);
        is_fetched(&host, &tau(), download(&[server.url("/tau?token=quartz")], &tau()));
        let arguments = host.read("/arguments");
        assert!(arguments.contains("tau") && !arguments.contains("http://"), "{arguments}");
        assert!(!arguments.contains("quartz"), "{arguments}");
        // Nor does wget write to a home.
        assert_eq!(arguments.contains("--no-hsts --input-file"), tool == "wget", "{arguments}");
    }
}
