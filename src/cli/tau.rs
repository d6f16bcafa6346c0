//! `spore tau pin`

use super::args::{Args, TauCommand};
use super::{Exit, Failure, folder, supplies, terminal};
use crate::artifact::{self, Cache, Pins};
use crate::network::Network;
use std::path::Path;

pub(crate) async fn run(args: &Args, command: &TauCommand) -> miette::Result<Exit> {
    terminal::set_up_reports(args);
    let TauCommand::Pin { sources } = command;
    let folder = folder::find(args.network.as_deref())?;
    let network = folder::read(args, &folder)?;
    tokio::task::block_in_place(|| pin(&folder, &network, sources))
}

fn pin(folder: &Path, network: &Network, sources: &[String]) -> miette::Result<Exit> {
    let mut pins = Pins(network.tau.clone());
    for source in sources {
        let (architecture, pin) = artifact::pin(source, folder, &Cache::of_user(), &mut supplies::show)
            .map_err(supplies::failure)?;
        let digest = pin.binary().unwrap_or(pin.sha256);
        terminal::out(&format!("{architecture}: {} (tau's sha256 {digest})\n", pin.source));
        pins.0.insert(architecture, pin);
    }
    let path = folder.join("tau.yaml");
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
