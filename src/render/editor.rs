//! What an editor shows: the words for what is under the cursor, for a finding, and for a fix.

use super::problems::counted;
use super::{Wording, explain, wording};
use crate::editor::{About, Completion, Fixing, Named, Need, Offered, Requires, Scope};
use crate::finding::Finding;
use crate::resource::Printable;

/// Markdown about what is under the cursor.
pub fn hover(about: &About) -> String {
    let mut parts = Vec::new();
    match about {
        About::Field { path, meaning, need, requires } => {
            parts.push(format!("**{}**", code(&path.join("."))));
            let need = match need {
                Need::OneOf(names) if names.len() > 1 => {
                    let names: Vec<String> = names.iter().map(|name| code(name)).collect();
                    format!(" Required: {}.", names.join(" or "))
                }
                Need::OneOf(_) => " Required.".to_owned(),
                Need::Optional => " Optional.".to_owned(),
            };
            parts.push(format!("{meaning}{need}"));
            parts.extend(requires.map(|requires| format!("A change {}.", needs(requires))));
        }
        About::Shape { name, services, main, hosts } => {
            parts.push(format!("**shape {}**", code(name)));
            let services = match services.is_empty() {
                true => "no services".to_owned(),
                false => codes(services),
            };
            let port = main.map_or_else(String::new, |port| format!("; port {port}"));
            parts.push(format!("{services}{port}"));
            parts.push(among(hosts));
        }
        About::Host { name, addresses, shapes } => {
            parts.push(format!("**host {}**", code(name)));
            parts.extend((!addresses.is_empty()).then(|| codes(addresses)));
            parts.push(match shapes.is_empty() {
                true => "no nodes".to_owned(),
                false => format!("{}: {}", counted(shapes.len(), "node"), codes(shapes)),
            });
        }
        About::Login { name, user, hosts } => {
            parts.push(format!("**login {}**", code(name)));
            parts.extend(user.as_ref().map(|user| format!("user {}", code(user))));
            parts.push(among(hosts));
        }
    }
    parts.join("\n\n")
}

/// What a change needs, as the rest of a sentence.
fn needs(requires: Requires) -> String {
    match requires {
        Requires::Nothing => "restarts nothing".to_owned(),
        Requires::Restart { scope, only_trusted } => {
            let nodes = match scope {
                Scope::Network => "the nodes of the network",
                Scope::Shape => "the nodes of this shape",
                Scope::Host => "the nodes on this host",
                Scope::Node => "this node",
            };
            let which = if only_trusted { " that run `auth`" } else { "" };
            format!("restarts {nodes}{which}, in waves")
        }
        Requires::RestartUnlessHalfHolds => {
            "restarts a node only if fewer than half of the elders that it was started with are left"
                .to_owned()
        }
        Requires::RestartTogether => "restarts all nodes at once".to_owned(),
        Requires::Program => {
            "restarts all nodes of this architecture, in waves, if it leads to another tau".to_owned()
        }
    }
}

/// Text from the folder, which may contain anything.
fn code(text: &str) -> String {
    format!("`{}`", Printable::line(text).to_string().replace('`', "'"))
}

/// The most names that are listed.
const MOST: usize = 12;

fn codes(texts: &[String]) -> String {
    let shown: Vec<String> = texts.iter().take(MOST).map(|text| code(text)).collect();
    let more = texts.len().saturating_sub(MOST);
    format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

fn among(hosts: &[String]) -> String {
    match hosts.is_empty() {
        true => "on no host".to_owned(),
        false => format!("on {}: {}", counted(hosts.len(), "host"), codes(hosts)),
    }
}

/// The message of a finding with its help, the id of its check, and its labelled places.
pub fn diagnosis(finding: &Finding) -> (String, &'static str, Wording) {
    let words = wording(finding);
    let help = if words.help.is_empty() { String::new() } else { format!("\nhelp: {}", words.help) };
    (format!("{}{help}", words.message), explain::id(finding), words)
}

/// The title of a fix.
pub fn fix(what: &Fixing) -> String {
    match what {
        Fixing::Replace(text) => format!("Replace with `{}`", Printable::line(text)),
        Fixing::Remove => "Remove this".to_owned(),
        Fixing::Add(line) => format!("Add `{line}`"),
        Fixing::Swap => "Swap latitude and longitude".to_owned(),
        Fixing::Space => "Write a space here".to_owned(),
        Fixing::Quote => "Put the name in quotes".to_owned(),
    }
}

/// A short description of what is offered, and its meaning.
pub fn offered(completion: &Completion) -> (&'static str, Option<&str>) {
    match &completion.what {
        Offered::Field(meaning) => ("field", Some(meaning)),
        Offered::Name(Named::Host) => ("host", None),
        Offered::Name(Named::Shape) => ("shape", None),
        Offered::Name(Named::Login) => ("login", None),
        Offered::Name(Named::File) => ("plugin", None),
        Offered::Service => ("service", None),
        Offered::Value => ("value", None),
    }
}
