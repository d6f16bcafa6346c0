//! Tests of making pins.

use std::fs;
use std::path::Path;

use super::server::{Answer, Server};
use super::{Place, amd64, elf, gzip, pinned, release};
use crate::artifact::{
    Architecture, FetchError, FileError, NotAProgram, NotTau, Pin, Sha256, Source, UrlError, pin,
};

#[test]
fn a_pin_of_an_address_is_what_fetch_wants() {
    let place = Place::new();
    let server = Server::start([Answer::File(release().to_vec())]);
    let url = server.url("tau.tar.gz?version=1");
    let (architecture, pin) = pin(&url, place.path(), &place.cache(), &mut |_| {}).unwrap();
    assert_eq!(architecture, Architecture::Amd64);
    let version = Some("v1.2.3".parse().unwrap());
    let (binary, size) = (Some(Sha256::of(&amd64())), Some(amd64().len() as u64));
    assert_eq!(pin, Pin { binary, version, size, ..pinned(&url, &release()) });
    place.fetch(&pin).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_pin_of_a_file_moves_with_the_folder() {
    let (place, elsewhere) = (Place::new(), Place::new());
    fs::create_dir(place.path().join("bin")).unwrap();
    let inside = place.path().join("bin/../bin/tau");
    let outside = elsewhere.path().join("tau.gz");
    fs::write(&inside, amd64()).unwrap();
    fs::write(&outside, gzip(&amd64())).unwrap();
    let pin_of = |path: &Path| pin(path.to_str().unwrap(), place.path(), &place.cache(), &mut |_| {});
    let version = Some("v1.2.3".parse().unwrap());
    let size = Some(amd64().len() as u64);
    assert_eq!(pin_of(&inside).unwrap().1, Pin { version, size, ..pinned("bin/tau", &amd64()) });
    let (_, absolute) = pin_of(&outside).unwrap();
    assert_eq!(absolute.source, Source::Path(outside.canonicalize().unwrap().to_str().unwrap().to_owned()));
    assert_eq!(absolute.binary, Some(Sha256::of(&amd64())));
    place.fetch(&absolute).unwrap();

    let error = pin_of(&place.path().join("none")).unwrap_err();
    assert_eq!(error.help().as_deref(), Some("check the path"));
    assert!(matches!(error, FetchError::File(_, FileError::Read(_))), "{error:?}");
    let error = pin("ssh://host/tau", place.path(), &place.cache(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Url(_, UrlError::Scheme)), "{error:?}");
}

#[test]
fn only_a_program_is_pinned() {
    let place = Place::new();
    let server = Server::start([Answer::File(b"<!doctype html>".to_vec())]);
    let error = pin(&server.url("tau"), place.path(), &place.cache(), &mut |_| {}).unwrap_err();
    assert!(error.help().unwrap().contains("not of the page"), "{:?}", error.help());
    assert!(matches!(error, FetchError::NotAProgram(_, NotAProgram::Other(_))), "{error:?}");
    let (other, server) = (elf(Architecture::Amd64), Server::start([Answer::File(elf(Architecture::Amd64))]));
    let error = pin(&server.url("tau"), place.path(), &place.cache(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::NotTau(_, NotTau::NoBuildInfo)), "{error:?}");
    fs::write(place.path().join("ls"), other).unwrap();
    let ls = place.path().join("ls");
    let error = pin(ls.to_str().unwrap(), place.path(), &place.cache(), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "ls can't be used as tau");
    assert_eq!(place.kept(), 0);
}
