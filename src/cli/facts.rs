//! `spore facts`: shows what is on the hosts, or saves it, so that a plan can be made later
//! without contacting them.

use super::args::{Args, FactsOptions};
use super::survey::{self, Subject};
use super::{Exit, folder, saved, terminal};
use crate::facts::file::{FORMAT, FactsFile};
use crate::network::Secrets;
use crate::plan::{Options, Probed};
use crate::render;
use crate::resource::Printable;

pub(crate) async fn run(args: Args, options: FactsOptions) -> miette::Result<Exit> {
    terminal::set_up_reports(&args);
    let folder = folder::read(&args, options.hosts.folder.outside(), Secrets::Needed)?;
    let subject = Subject::of(folder, None, Options::default())?;
    let (mut basis, _) = survey::probe_some(&subject, &options.hosts).await?;
    if options.out.is_some() {
        basis.leave_out_unsaved();
    }
    let (mut answered, mut silent) = (0, 0);
    for (host, probed) in basis.probed() {
        match probed {
            Probed::Facts(facts) => {
                answered += 1;
                if options.out.is_none() {
                    terminal::out(&render::facts(host, facts));
                }
            }
            Probed::Nothing(why) => {
                silent += 1;
                terminal::out(&format!("{host}: {}; {}\n", render::why(why), render::help(why)));
            }
        }
    }
    let mut conclusion = format!("facts: {}", render::counted(answered, "host"));
    if silent > 0 {
        conclusion += &format!("; no facts for {}", render::counted(silent, "host"));
    }
    if let Some(out) = &options.out {
        let network = Printable::line(&subject.network.domain.root.value);
        let file = FactsFile { spore_facts: FORMAT.to_owned(), network, facts: basis.gathered() };
        saved::write(out, &file.to_bytes())?;
        conclusion += &format!("; saved to {}", out.display());
    }
    terminal::out(&format!("{conclusion}\n"));
    Ok(if silent > 0 { Exit::Unplanned } else { Exit::Done })
}
