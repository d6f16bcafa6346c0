//! `spore identity rotate`: gives a node another key and id, and shows the plan for that, with what it
//! means for all nodes that know the old id. Where the key is, the new one is as well: in the folder,
//! or only on the node's host.

use super::args::{Args, EditOptions, IdentityCommand, PlanArgs, PlanFormat, PlanOptions, RotateOptions};
use super::{CommandError, Exit, edit, folder, node_keys, plan, terminal};
use crate::identity::{PeerId, public_half_of_peer_id};
use crate::network::{Keeper, Network, Secrets};
use crate::resource::NodeName;
use tokio::task::block_in_place;

pub(crate) async fn run(args: Args, command: IdentityCommand) -> miette::Result<Exit> {
    let IdentityCommand::Rotate(RotateOptions { node, dry_run, folder, connection }) = command;
    let node = node.0;
    terminal::set_up_reports(&args);
    let (network, _) = folder::read(&args, folder.outside(), Secrets::Needed)?;
    let (old, keeper) = identity(&network, &node)?;
    match keeper {
        Keeper::Folder => {
            let options = EditOptions { dry_run, without_secrets: false, folder: folder.clone() };
            block_in_place(|| edit::renew(&args, &options, &node, &old))?;
        }
        Keeper::Host | Keeper::Unknown if public_half_of_peer_id(&old).is_none() => {
            let what =
                format!("the id of {node} isn't that of an ed25519 key, so its host can't have generated it");
            return Err(
                CommandError::new(what, "write a key for it into the folder (`spore key node`)").into()
            );
        }
        Keeper::Host | Keeper::Unknown if dry_run => {
            terminal::out(&format!(
                "dry run: nothing was done; {} would generate the key, and its id would replace {old}\n",
                node.host
            ));
        }
        Keeper::Host | Keeper::Unknown => {
            node_keys::renew(&args, network, &node, old, &folder, &connection).await?;
        }
    }
    if dry_run {
        return Ok(Exit::Done);
    }
    terminal::note("this replaces the node's identity: `spore apply --allow-destructive` makes the change");
    let plan = PlanOptions { folder, connection, ..PlanOptions::default() };
    let format = PlanFormat::Report(super::args::Format::Text);
    plan::run(args, PlanArgs { plan, out: None, facts: None, without_secrets: false, format }).await
}

/// The id of a node, and who has its key.
fn identity(network: &Network, node: &NodeName) -> miette::Result<(PeerId, Keeper)> {
    let found = network.hosts.get(&node.host).and_then(|host| host.nodes.get(&node.shape));
    let Some(identity) = found else {
        let what = format!("the folder has no node {node}");
        return Err(CommandError::new(what, "name a node of the folder, as SHAPE@HOST").into());
    };
    let Some(id) = &identity.id else {
        let what = format!("{node} has no key yet");
        return Err(CommandError::new(what, "`spore apply` has its host generate one").into());
    };
    Ok((id.value, identity.keeper))
}
