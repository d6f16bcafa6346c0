//! `spore tau pin`

use super::args::{Args, TauCommand};
use super::{Exit, Failure, folder, supplies, terminal};
use crate::artifact::{self, Architecture, Cache, Pin, Pins, Source};
use crate::check;
use crate::network::{Diagnostic, Secrets};
use crate::render;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) async fn run(args: &Args, command: &TauCommand) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let TauCommand::Pin { sources } = command;
    let folder = folder::find(args.network.as_deref())?;
    // What else is wrong with the folder may be mended later.
    let draft = check::read(&folder, Secrets::Elsewhere);
    let problems: Vec<Diagnostic> =
        draft.problems().into_iter().filter(|problem| problem.is_error() && problem.is_in(FILE)).collect();
    if !problems.is_empty() {
        terminal::note(render::problems(&problems, terminal::error_style(args)).trim_end());
        return Err(Failure::new(
            format!("what {FILE} already says can't be kept"),
            "mend it, or remove the file and pin anew",
        )
        .into());
    }
    tokio::task::block_in_place(|| pin(&folder, draft.tau, sources))
}

const FILE: &str = "tau.yaml";

fn pin(folder: &Path, pinned: BTreeMap<Architecture, Pin>, sources: &[String]) -> miette::Result<Exit> {
    let mut pins = Pins(pinned);
    for source in sources {
        let (architecture, pin) = artifact::pin(source, folder, &Cache::of_user(), &mut supplies::show)
            .map_err(supplies::failure)?;
        let digest = pin.binary().unwrap_or(pin.sha256);
        terminal::out(&format!("{architecture}: {} (tau's sha256 {digest})\n", pin.source));
        if let Source::Path(path) = &pin.source
            && Path::new(path).is_absolute()
        {
            terminal::note(&format!(
                "note: {path} is outside of the folder: who has the folder elsewhere needs it there, too; a URL, or a file in the folder, goes along"
            ));
        }
        pins.0.insert(architecture, pin);
    }
    let path = folder.join(FILE);
    write(folder, &path, &pins.to_yaml())
        .map_err(|error| Failure::because(format!("{} can't be written", path.display()), None, error))?;
    terminal::out(&format!("written to {}\n", path.display()));
    Ok(Exit::Done)
}

/// In place of what was there, at once or not at all.
fn write(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    // A temporary file is its owner's alone; this one is as public as the rest.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
