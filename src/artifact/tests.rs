//! Tests of fetching, with a server on this machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pinning;
mod server;

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use self::server::{Answer, Server};
use super::download::Limits;
use super::fetch::fetch_within;
use super::*;

/// The smallest program with an architecture: a header, and one segment that is the whole
/// file.
pub(super) fn elf(architecture: Architecture) -> Vec<u8> {
    let (machine, wide) = match architecture {
        Architecture::Amd64 => (62u8, true),
        Architecture::Arm64 => (183, true),
        Architecture::Riscv64 => (243, true),
        Architecture::Arm => (40, false),
        Architecture::I386 => (3, false),
    };
    let (length, table, entry, number, file_size, header) =
        if wide { (120, 32, 54, 56, 32, 64) } else { (84, 28, 42, 44, 16, 52) };
    let mut bytes = vec![0; length];
    bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1]);
    bytes[16] = 2;
    bytes[18] = machine;
    bytes[table] = header;
    bytes[entry] = u8::try_from(length).unwrap() - header;
    bytes[number] = 1;
    bytes[usize::from(header) + file_size] = u8::try_from(length).unwrap();
    bytes
}

pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    super::compress(&Bytes::copy_from_slice(bytes), super::Encoding::Gzip)
}

pub(super) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        // `append_data` would refuse or clean some of the names that archives have.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The smallest program that is recognized as tau.
fn tau(architecture: Architecture) -> Vec<u8> {
    let mut bytes = elf(architecture);
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    bytes.extend_from_slice(&build_info("v1.2.3"));
    bytes
}

fn amd64() -> Vec<u8> {
    tau(Architecture::Amd64)
}

fn release() -> Bytes {
    gzip(&tar(&[("LICENSE", b"free"), ("tau", &amd64())]))
}

/// A folder for the network, with the cache in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn cache(&self) -> Cache {
        Cache::at(self.path().join("cache"))
    }

    fn kept(&self) -> usize {
        fs::read_dir(self.path().join("cache")).map_or(0, Iterator::count)
    }

    fn fetch(&self, pin: &Pin) -> Result<Artifact, FetchError> {
        let limits = Limits { size: 1 << 20, silence: Duration::from_secs(20), ..Limits::default() };
        fetch_within(Architecture::Amd64, pin, self.path(), &self.cache(), &limits, &mut |_| {})
    }
}

fn pinned(source: &str, file: &[u8]) -> Pin {
    Pin::new(source.parse().unwrap(), Sha256::of(file))
}

#[test]
fn a_download_is_made_once() {
    let place = Place::new();
    let server = Server::start([Answer::File(amd64())]);
    let pin = pinned(&server.url("tau"), &amd64());
    let mut heard = Vec::new();
    let artifact =
        fetch(Architecture::Amd64, &pin, place.path(), &place.cache(), &mut |p| heard.push(p)).unwrap();
    assert_eq!(artifact.sha256(), pin.sha256);
    assert_eq!(artifact.bytes(), &amd64());
    assert_eq!(artifact.architecture(), Some(Architecture::Amd64));
    assert!(
        matches!(heard[..], [FetchEvent::Received { bytes, total: Some(total) }] if bytes == total),
        "{heard:?}"
    );

    // The server has no second answer.
    let again = place.fetch(&pin).unwrap();
    assert_eq!(again.sha256(), pin.sha256);
    assert_eq!(server.requests(), ["GET /tau"]);
}

#[test]
fn a_damaged_cache_is_mended() {
    let place = Place::new();
    let server = Server::start([Answer::File(amd64()), Answer::File(amd64())]);
    let pin = pinned(&server.url("tau"), &amd64());
    place.fetch(&pin).unwrap();
    let kept = place.path().join("cache").join(pin.sha256.to_string());
    fs::write(&kept, &amd64()[..50]).unwrap();
    place.fetch(&pin).unwrap();
    assert_eq!(fs::read(kept).unwrap(), amd64());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_cache_that_cannot_be_written_is_no_obstacle() {
    let place = Place::new();
    fs::write(place.path().join("cache"), "a file where the folder should be").unwrap();
    let server = Server::start([Answer::File(amd64())]);
    let mut heard = Vec::new();
    let pin = pinned(&server.url("tau"), &amd64());
    fetch(Architecture::Amd64, &pin, place.path(), &place.cache(), &mut |p| heard.push(p)).unwrap();
    assert!(heard.iter().any(|p| matches!(p, FetchEvent::NotKept(_))), "{heard:?}");
}

#[test]
fn other_bytes_than_pinned_are_not_used() {
    let place = Place::new();
    let page = b"<html>Sign in to the hotel's network</html>".to_vec();
    let server = Server::start([Answer::File(page.clone())]);
    let pin = pinned(&server.url("tau"), &amd64());
    let error = place.fetch(&pin).unwrap_err();
    let (expected, got) = (Sha256::of(&amd64()), Sha256::of(&page));
    assert_eq!(
        error.to_string(),
        format!("{} isn't the pinned file: expected sha256 {expected}, found {got}", pin.source)
    );
    assert!(error.help().unwrap().contains("an HTML page"), "{:?}", error.help());
    assert_eq!(place.kept(), 0);
}

#[test]
fn what_servers_do_wrong() {
    let silence = Duration::from_millis(300);
    let limits = Limits { size: 1 << 20, silence, ..Limits::default() };
    let failure = |answers: Vec<Answer>, limits: Limits| {
        let place = Place::new();
        let server = Server::start(answers);
        let pin = pinned(&server.url("tau"), &amd64());
        let error =
            fetch_within(Architecture::Amd64, &pin, place.path(), &place.cache(), &limits, &mut |_| {})
                .unwrap_err();
        assert_eq!(place.kept(), 0);
        match error {
            FetchError::Download(_, e) => e,
            other => panic!("{other:?}"),
        }
    };
    let smaller = amd64().len() as u64 - 1;
    let patient = Limits { silence: Duration::from_secs(20), ..limits };
    let e = failure(vec![Answer::Status(404)], patient);
    assert!(matches!(e, DownloadError::Status(404)), "{e:?}");
    let e = failure(vec![Answer::Truncated(amd64())], patient);
    assert!(matches!(e, DownloadError::CutShort { received, expected } if received == expected / 2), "{e:?}");
    let e = failure(vec![Answer::Stalled(amd64())], limits);
    assert!(matches!(e, DownloadError::Silence(_)), "{e:?}");
    let e = failure(vec![Answer::Mute], limits);
    assert!(matches!(e, DownloadError::Silence(_)), "{e:?}");
    let e = failure(vec![Answer::Stalled(amd64())], Limits { total: silence, ..patient });
    assert!(matches!(e, DownloadError::TooSlow(total) if total == silence), "{e:?}");
    let e = failure(vec![Answer::File(amd64())], Limits { size: smaller, ..patient });
    assert!(matches!(e, DownloadError::TooLarge(limit) if limit == smaller), "{e:?}");
    let e = failure(vec![Answer::Unsized(amd64())], Limits { size: smaller, ..patient });
    assert!(matches!(e, DownloadError::TooLarge(limit) if limit == smaller), "{e:?}");
    let e = failure(vec![Answer::Redirect("http://169.254.169.254/latest/meta-data")], patient);
    assert!(matches!(e, DownloadError::Inward { reach: Reach::LinkLocal, .. }), "{e:?}");
    let e = failure(vec![Answer::Redirect("/mirror"), Answer::Redirect("http://10.0.0.1/tau")], patient);
    assert!(matches!(e, DownloadError::Inward { reach: Reach::Private, .. }), "{e:?}");
    let e = failure(vec![Answer::Redirect("https://127.0.0.1:1/tau")], patient);
    assert_eq!(e.to_string(), "the server redirected from http to https");
    let e = failure(vec![Answer::Redirect("/tau"); 11], patient);
    assert!(matches!(e, DownloadError::Connection(_)), "{e:?}");
    let e = failure(vec![], patient);
    assert!(matches!(e, DownloadError::Connection(_)), "{e:?}");
}

#[test]
fn a_redirect_is_followed_and_a_body_without_size_read() {
    let place = Place::new();
    let server = Server::start([Answer::Redirect("/mirror/tau"), Answer::Unsized(amd64())]);
    place.fetch(&pinned(&server.url("tau"), &amd64())).unwrap();
    assert_eq!(server.requests(), ["GET /tau", "GET /mirror/tau"]);
}

#[test]
fn a_release_is_unpacked() {
    let place = Place::new();
    let server = Server::start([Answer::File(release().to_vec())]);
    let mut pin = pinned(&server.url("tau_linux_amd64.tar.gz"), &release());
    assert_eq!(place.fetch(&pin).unwrap().sha256(), Sha256::of(&amd64()));
    pin.binary = Some(Sha256::of(&amd64()));
    assert_eq!(place.fetch(&pin).unwrap().bytes(), &amd64());

    pin.binary = Some(Sha256::of(b"another"));
    let error = place.fetch(&pin).unwrap_err();
    assert!(matches!(error, FetchError::MismatchInside { .. }), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_binary_that_a_plan_believed_in_must_be_what_comes() {
    let place = Place::new();
    fs::write(place.path().join("tau"), release()).unwrap();
    let error = place.fetch(&pinned("tau", &release())).unwrap_err();
    let help = error.help().unwrap();
    assert!(matches!(error, FetchError::Undeclared { .. }), "{error:?}");
    assert_eq!(help, format!("add `binary: {}` to the pin", Sha256::of(&amd64())));
}

#[test]
fn a_program_for_other_hosts_is_refused() {
    let place = Place::new();
    let arm64 = tau(Architecture::Arm64);
    fs::write(place.path().join("tau"), &arm64).unwrap();
    let error = place.fetch(&pinned("tau", &arm64)).unwrap_err();
    assert_eq!(error.to_string(), "tau is pinned for amd64, but is a program for arm64");
    let other = elf(Architecture::Amd64);
    fs::write(place.path().join("tau"), &other).unwrap();
    let error = place.fetch(&pinned("tau", &other)).unwrap_err();
    assert!(matches!(error, FetchError::NotTau(_, NotTau::NoBuildInfo)), "{error:?}");
    assert!(open(&place.path().join("tau")).is_err());
    fs::write(place.path().join("tau"), amd64()).unwrap();
    let mut pin = pinned("tau", &amd64());
    pin.version = Some("v1.2.3".parse().unwrap());
    assert_eq!(place.fetch(&pin).unwrap().version(), pin.version.as_ref());
    pin.version = Some("v1.2.4".parse().unwrap());
    let error = place.fetch(&pin).unwrap_err();
    assert_eq!(error.to_string(), "tau is pinned as version v1.2.4, but reports v1.2.3");
    fs::write(place.path().join("tau"), "#!/bin/sh").unwrap();
    let error = place.fetch(&pinned("tau", b"#!/bin/sh")).unwrap_err();
    assert!(matches!(error, FetchError::NotAProgram(_, NotAProgram::Other(FileKind::Script))), "{error:?}");
}

#[test]
fn local_files_are_read_where_they_are() {
    let place = Place::new();
    fs::create_dir(place.path().join("bin")).unwrap();
    fs::write(place.path().join("bin/tau"), amd64()).unwrap();
    place.fetch(&pinned("bin/tau", &amd64())).unwrap();
    let absolute = place.path().join("bin/tau");
    place.fetch(&pinned(absolute.to_str().unwrap(), &amd64())).unwrap();
    assert_eq!(place.kept(), 0);
    assert_eq!(open(&absolute).unwrap().sha256(), Sha256::of(&amd64()));

    let error = place.fetch(&pinned("bin", &amd64())).unwrap_err();
    assert!(matches!(error, FetchError::File(_, FileError::NotAFile)), "{error:?}");
    let error = place.fetch(&pinned("bin/none", &amd64())).unwrap_err();
    assert_eq!(error.to_string(), format!("can't use {}", place.path().join("bin/none").display()));
    assert!(matches!(error, FetchError::File(_, FileError::Read(_))), "{error:?}");
}

#[test]
fn a_plugin_need_not_be_a_program() {
    let place = Place::new();
    let path = place.path().join("plugin");
    fs::write(&path, "anything").unwrap();
    let plugin = Artifact::from_file(&path).unwrap();
    assert_eq!((plugin.sha256(), plugin.architecture()), (Sha256::of(b"anything"), None));
    fs::write(&path, release()).unwrap();
    assert_eq!(Artifact::from_file(&path).unwrap().bytes(), &release());
}
