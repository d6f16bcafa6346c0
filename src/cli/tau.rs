//! `spore tau pin`: records the location and the digest of tau in `tau.yaml`.

use super::args::{Args, TauCommand};
use super::{CommandError, Exit, folder, supplies, terminal};
use crate::artifact::{self, Architecture, Cache, Pin, Pins, Source};
use crate::network::{Draft, Finding, Links, Secrets};
use crate::render;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) async fn run(args: &Args, command: &TauCommand) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let TauCommand::Pin { sources } = command;
    let folder = folder::find(args.network.as_deref())?;
    // Only errors in tau.yaml matter here. The rest of the folder doesn't, and neither do
    // the binaries that are pinned now, because the new pins may replace them.
    let draft = Draft::read(&folder, Secrets::Elsewhere, Links::Inside);
    let problems: Vec<Finding> =
        draft.problems().into_iter().filter(|problem| problem.is_error() && problem.is_in(FILE)).collect();
    if !problems.is_empty() {
        terminal::note(render::problems(&problems, terminal::error_style(args)).trim_end());
        return Err(CommandError::new(
            format!("{FILE} has errors, so its other pins can't be preserved"),
            "fix it, or remove it and pin every architecture again",
        )
        .into());
    }
    let pinned = draft.tau.into_iter().map(|(architecture, pin)| (architecture, pin.value)).collect();
    tokio::task::block_in_place(|| pin(&folder, pinned, sources))
}

const FILE: &str = "tau.yaml";

fn pin(folder: &Path, pinned: BTreeMap<Architecture, Pin>, sources: &[String]) -> miette::Result<Exit> {
    let mut pins = Pins(pinned);
    for source in sources {
        let (architecture, pin) = artifact::pin(source, folder, &Cache::of_user(), &mut supplies::show)
            .map_err(supplies::failure)?;
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
        let before = pins.0.remove(&architecture);
        pins.0.insert(architecture, keep_wishes(pin, before));
    }
    let path = folder.join(FILE);
    write(folder, &path, &pins.to_yaml()).map_err(|error| {
        CommandError::because(format!("can't write {}", path.display()), None, Some(error.to_string()))
    })?;
    terminal::out(&format!("written to {}\n", path.display()));
    Ok(Exit::Done)
}

/// Adds to a new pin what the user had written into the one before: the mirrors if they have
/// the same file, and who fetches it if it has a URL.
fn keep_wishes(pin: Pin, before: Option<Pin>) -> Pin {
    let Some(before) = before else { return pin };
    let mirrors = if before.sha256 == pin.sha256 { before.mirrors } else { Vec::new() };
    let has_url = matches!(pin.source, Source::Url(_)) || !mirrors.is_empty();
    Pin { mirrors, fetch: if has_url { before.fetch } else { pin.fetch }, ..pin }
}

/// Replaces the file atomically.
fn write(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    // A temporary file is readable only by its owner, but tau.yaml isn't secret.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
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
            let Pin { mirrors, fetch, .. } =
                keep_wishes(Pin::new(source, Sha256::of(tau)), Some(old.clone()));
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
