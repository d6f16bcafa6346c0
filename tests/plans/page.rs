//! A plan as a snapshot: the text for the operator, followed by every action.

use crate::simulate::in_order;
use spore_drive::plan::Plan;
use spore_drive::plan::action::Action;
use spore_drive::plan::wire::Outcome;
use spore_drive::render::{self, Style};
use spore_drive::resource::HostName;
use std::fmt::Write as _;

pub(crate) fn page(about: &str, plan: &Plan) -> String {
    let mut page = format!("# {}\n\n{}", about.trim(), render::plan(plan, Style::Plain));
    let mut last = None;
    for ordered in in_order(plan) {
        if last != Some(ordered.wave) {
            last = Some(ordered.wave);
            match ordered.wave {
                None => page.push_str("\nstage\n"),
                Some(wave) => {
                    let _ = write!(page, "\nwave {wave}\n");
                }
            }
        }
        page.push_str(&one_line(ordered.host, ordered.action));
    }
    page
}

/// An action as `spore apply` reports it, without the tick.
fn one_line(host: &HostName, action: &Action) -> String {
    render::ended(host, action, &Outcome::Done, Style::Plain).replace("✓ ", "")
}
