//! `spore tau pin`: records the location and the digest of tau in `tau.yaml`.

use super::args::{Args, TauCommand};
use super::replace::Locked;
use super::{CommandError, Exit, edit, folder, supplies, terminal};
use crate::artifact::{self, Architecture, Cache, Pin, Source};
use crate::author::Edits;
use crate::network::{Draft, Files, Finding, Links, Secrets};
use crate::render;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) async fn run(args: &Args, command: &TauCommand) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let TauCommand::Pin { sources } = command;
    let folder = folder::find(args.network.as_deref())?;
    // Before anything is downloaded.
    pinned(args, &read(&folder)?)?;
    tokio::task::block_in_place(|| {
        let pins = sources.iter().map(|source| fetch(&folder, source)).collect::<miette::Result<Vec<_>>>()?;
        write(args, &folder, pins)
    })
}

fn read(folder: &Path) -> miette::Result<Files> {
    Files::read(folder, &Links::Inside.into()).map_err(|error| failed("read", folder, &error))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> miette::Report {
    CommandError::because(format!("can't {what} {}", path.display()), None, Some(error.to_string())).into()
}

/// The pins of the folder.
///
/// # Errors
/// One of them has an error. The rest of the folder doesn't matter here, and neither do the binaries
/// that are pinned now, because the new pins may replace them.
fn pinned(args: &Args, files: &Files) -> miette::Result<BTreeMap<Architecture, Pin>> {
    let draft = Draft::from_files(files, Secrets::Elsewhere);
    let is_pins = |file: &str| ["tau.yaml", "tau.yml"].contains(&file) || file.starts_with("tau/");
    let is_of_pins = |problem: &Finding| problem.is_error() && problem.is_in(is_pins);
    let problems: Vec<Finding> = draft.problems().into_iter().filter(is_of_pins).collect();
    if !problems.is_empty() {
        terminal::note(render::problems(&problems, terminal::error_style(args)).trim_end());
        return Err(CommandError::new(
            "tau.yaml has errors, so its other pins can't be preserved",
            "fix it, or remove it and pin every architecture again",
        )
        .into());
    }
    Ok(draft.tau.into_iter().map(|(architecture, pin)| (architecture, pin.value)).collect())
}

/// Reads or downloads a tau, and says what it is.
fn fetch(folder: &Path, source: &str) -> miette::Result<(Architecture, Pin)> {
    let (architecture, pin) =
        artifact::pin(source, folder, &Cache::of_user(), &mut supplies::show).map_err(supplies::failure)?;
    let digest = pin.binary().unwrap_or(pin.sha256);
    let version = pin.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    terminal::out(&format!("{architecture}: tau{version}, sha256 {digest}, from {}\n", pin.source));
    if let Source::Url(url) = &pin.source
        && !url.is_https()
    {
        terminal::note(&format!(
            "note: {url} isn't https: anyone on the network path could have replaced the file; compare its digest with the publisher's"
        ));
    }
    if let Source::Path(path) = &pin.source
        && Path::new(path).is_absolute()
    {
        terminal::note(&format!(
            "note: {path} is outside the folder; other users need this file too; use a URL or put it in the folder"
        ));
    }
    Ok((architecture, pin))
}

/// Writes the pins, while no other spore edits the folder.
fn write(args: &Args, folder: &Path, pins: Vec<(Architecture, Pin)>) -> miette::Result<Exit> {
    let locked = Locked::new(folder).map_err(|error| failed("lock", folder, &error))?;
    let files = read(folder)?;
    let mut before = pinned(args, &files)?;
    let mut edits = Edits::new(&files);
    for (architecture, pin) in pins {
        let pin = keep_wishes(pin, before.get(&architecture));
        edits.pin(architecture, &pin).map_err(|error| edit::impossible(&error))?;
        before.insert(architecture, pin);
    }
    let changes = edits.finish();
    edit::write(&locked, &changes)?;
    match changes.first() {
        Some(change) => terminal::out(&format!("written to {}\n", folder.join(&change.path).display())),
        None => terminal::out("pinned already; nothing to change\n"),
    }
    Ok(Exit::Done)
}

/// Adds to a new pin what the user had written into the one before: the mirrors if they have
/// the same file, and who fetches it if it has a URL.
fn keep_wishes(pin: Pin, before: Option<&Pin>) -> Pin {
    let Some(before) = before else { return pin };
    let mirrors = if before.sha256 == pin.sha256 { before.mirrors.clone() } else { Vec::new() };
    let has_url = matches!(pin.source, Source::Url(_)) || !mirrors.is_empty();
    Pin { mirrors, fetch: if has_url { before.fetch } else { pin.fetch }, ..pin }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::artifact::Fetch;
    use crate::resource::Sha256;

    #[test]
    fn a_new_pin_keeps_what_still_holds() {
        let url = |text: &str| Source::Url(text.parse().unwrap());
        let mirrors = vec!["https://example.net/tau".parse().unwrap()];
        let old =
            Pin { fetch: Fetch::Hosts, mirrors, ..Pin::new(url("https://a.example"), Sha256::of(b"1")) };
        let kept = |source: Source, tau: &[u8]| {
            let Pin { mirrors, fetch, .. } = keep_wishes(Pin::new(source, Sha256::of(tau)), Some(&old));
            (mirrors.len(), fetch)
        };
        let path = || Source::Path("tau".to_owned());
        assert_eq!(kept(url("https://b.example"), b"1"), (1, Fetch::Hosts));
        assert_eq!(kept(url("https://b.example"), b"2"), (0, Fetch::Hosts));
        assert_eq!(kept(path(), b"1"), (1, Fetch::Hosts));
        // Hosts couldn't fetch it.
        assert_eq!(kept(path(), b"2"), (0, Fetch::Send));
    }
}
