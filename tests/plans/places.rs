//! Where a plan's changes are described in the folder: `snapshots/places/<case>.txt` has it
//! for each case with `places: true`.

use crate::case::{Case, World};
use spore_drive::daemon::Daemon;
use spore_drive::desired::Goal;
use spore_drive::diff::{Change, FieldChange, Reason};
use spore_drive::network::Place;
use spore_drive::plan::Plan;
use spore_drive::resource::{Content, HostName, Resource};
use std::fmt::Write as _;

/// Every change, and each field of it, with the place and the beginning of what is written
/// there.
pub(crate) fn page(case: &Case, plan: &Plan) -> String {
    let mut page = format!("# {}\n", case.about.trim());
    let mut last = None;
    for (id, change) in plan.changes.iter() {
        if last != Some(&id.host) {
            last = Some(&id.host);
            let _ = write!(page, "\n{}\n", id.host);
        }
        let gone = if matches!(change, Change::Remove(_)) { ", removed" } else { "" };
        line(&mut page, &format!("  {}{gone}", id.key), plan.place(id, change));
        match change {
            Change::File(file) => {
                fields(&mut page, plan, &id.host, id.key.path().unwrap_or_default(), &file.fields);
            }
            Change::Service(service) => {
                for reason in &service.reasons {
                    if let Reason::Input { path, fields: changed } = reason {
                        fields(&mut page, plan, &id.host, path, changed);
                    }
                }
            }
            _ => {}
        }
    }
    page
}

/// Otherwise a new field of the configuration would have the place of its node.
pub(crate) fn every_field_has_a_setting(world: &World) -> Result<(), String> {
    for (id, goal) in world.desired().goals.iter() {
        let Some((daemon, _)) = id.key.path().and_then(Daemon::of_config) else { continue };
        if let Goal::Have(Resource::File(file)) = goal
            && let Content::Document(document) = &file.content
            && let Some(field) = document.fields.keys().find(|field| daemon.setting(field).is_none())
        {
            return Err(format!("{field} has no setting"));
        }
    }
    Ok(())
}

fn fields(page: &mut String, plan: &Plan, host: &HostName, path: &str, fields: &[FieldChange]) {
    for field in fields {
        line(page, &format!("    {}", field.path), plan.place_of_field(host, path, field));
    }
}

fn line(page: &mut String, what: &str, place: Option<&Place>) {
    let Some(place) = place else {
        let _ = writeln!(page, "{what:<40} -");
        return;
    };
    let text = place.source().text().get(place.underlined()).unwrap_or_default();
    let text: String = text.lines().next().unwrap_or_default().chars().take(40).collect();
    let line = format!("{what:<40} {:<22} {text}", place.to_string());
    let _ = writeln!(page, "{}", line.trim_end());
}
