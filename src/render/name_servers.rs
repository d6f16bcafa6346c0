//! What name servers say of a network's DNS records.

use super::{counted, some_of};
use crate::dns::{Checked, Said};
use crate::resource::Printable;

/// Each record with what is wrong and where, and the last line.
pub fn name_servers(checked: &[Checked], root: &str) -> (String, String) {
    let mut text = String::new();
    let mut counts = [0; 4];
    for Checked { record, said } in checked {
        let worst = said.keys().map(State::of).max().unwrap_or(State::Unknown);
        counts[worst as usize] += 1;
        let values = record.data.values().join(" ");
        text += &format!("{:<8} {} {} {values}\n", worst.word(), record.name, record.data.kind());
        for (said, servers) in said.iter().filter(|(said, _)| **said != Said::Right) {
            let servers = some_of(servers.iter().map(|server| Printable::line(&server.to_string()).into()));
            text += &format!("         {servers}: {}\n", Printable::line(&words(said)));
        }
    }
    let worst_first = [State::Wrong, State::Missing, State::Unknown, State::Right].into_iter();
    let counts = worst_first.map(|state| (counts[state as usize], state.word()));
    let counts: Vec<String> =
        counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let what = counted(checked.len(), "record set");
    (text, format!("dns: {} for {}: {}", what, Printable::line(root), counts.join(", ")))
}

/// The worst that a server says of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Right,
    Unknown,
    Missing,
    Wrong,
}

impl State {
    fn of(said: &Said) -> Self {
        match said {
            Said::Right => Self::Right,
            Said::Nothing(_) => Self::Unknown,
            Said::Differs { others, .. } if others.is_empty() => Self::Missing,
            Said::Differs { .. } => Self::Wrong,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        }
    }
}

fn words(said: &Said) -> String {
    match said {
        Said::Right => "right".to_owned(),
        Said::Nothing(why) => why.clone(),
        Said::Differs { missing, others } => {
            let missing = (!missing.is_empty()).then(|| format!("{} is missing", missing.join(" ")));
            let others = (!others.is_empty()).then(|| format!("it has {}", others.join(", ")));
            missing.into_iter().chain(others).collect::<Vec<_>>().join("; ")
        }
    }
}
