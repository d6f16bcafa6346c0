//! The YAML, checked against tau's Go types, with Go's messages for values of the wrong type.
//!
//! Unknown keys are ignored, null counts as absent, any scalar is accepted as a string, but
//! a string isn't accepted as a number.

use serde::Deserialize as _;
use serde_yaml::{Mapping, Value};

use crate::refusal::Refusal;

/// The contents of a configuration file.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) private_key: String,
    pub(crate) swarm_key: String,
    pub(crate) services: Vec<String>,
    pub(crate) listen: Vec<String>,
    /// `None` if the list is absent, which is rejected; an empty list isn't rejected.
    pub(crate) announce: Option<Vec<String>>,
    pub(crate) lite: i64,
    pub(crate) peers: Vec<String>,
    pub(crate) domain_private: String,
    pub(crate) domain_public: String,
    pub(crate) tenancy: Tenancy,
}

/// The owner of the network.
#[derive(Default)]
pub(crate) struct Tenancy {
    pub(crate) owner: String,
    pub(crate) app: TenancyApp,
}

/// The owner's application credential.
#[derive(Default)]
pub(crate) struct TenancyApp {
    pub(crate) client_id: String,
    pub(crate) key: String,
}

/// The first document of a text, with merge keys resolved.
pub(super) fn document(text: &str) -> Result<Value, serde_yaml::Error> {
    let Some(first) = serde_yaml::Deserializer::from_str(text).next() else { return Ok(Value::Null) };
    let mut value = Value::deserialize(first)?;
    value.apply_merge()?;
    Ok(value)
}

/// Parses a configuration. The error lists all values of the wrong type.
pub(super) fn parse(text: &str) -> Result<Source, Refusal> {
    let value = document(text).map_err(|e| syntax(&e))?;
    let mut errors = Errors::default();
    let source = errors.mapping(Some(&value), "config.Source").map(|m| errors.source(m)).unwrap_or_default();
    match errors.0[..] {
        [] => Ok(source),
        _ => Err(Refusal::new(format!("yaml: unmarshal errors:\n  {}", errors.0.join("\n  ")))),
    }
}

/// Go's parser and this one are both ports of libyaml, so their messages are the same,
/// except for the line. Go reports the line of the context, if there is one, and counts
/// lines from zero for errors of the parser (but not of the scanner).
fn syntax(error: &serde_yaml::Error) -> Refusal {
    let text = error.to_string();
    if text.contains("duplicate entry") {
        return Refusal::new(format!("yaml: unmarshal errors:\n  {text} already defined"));
    }
    let mut parts = text.split(" at line ");
    let what = parts.next().unwrap_or(&text);
    let lines: Vec<usize> = parts
        .filter_map(|part| part.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .map(|line: usize| line.saturating_sub(1))
        .collect();
    let line = lines.iter().rev().find(|line| **line != 0).copied().unwrap_or_default();
    let line = if text.contains("while parsing") { line } else { line + 1 };
    Refusal::new(if line == 0 { format!("yaml: {what}") } else { format!("yaml: line {line}: {what}") })
}

#[derive(Default)]
struct Errors(Vec<String>);

impl Errors {
    fn source(&mut self, all: &Mapping) -> Source {
        let ports = self.mapping(all.get("ports"), "config.Ports");
        for name in ["main", "ipfs"] {
            self.integer(ports.and_then(|m| m.get(name)));
        }
        let location = self.mapping(all.get("location"), "seer.Location");
        for name in ["lat", "long"] {
            self.float(location.and_then(|m| m.get(name)));
        }
        let plugins = self.mapping(all.get("plugins"), "config.Plugins");
        self.texts(plugins.and_then(|m| m.get("plugins")), "[]config.Plugin");
        for name in ["network-fqdn", "cluster"] {
            self.text(all.get(name));
        }
        self.mapping(all.get("accounts"), "config.Accounts");
        let domains = self.mapping(all.get("domains"), "config.Domains");
        let domain = |name: &str| domains.and_then(|m| m.get(name));
        self.texts(domain("aliases"), "[]string");
        self.text(domain("generated"));
        for value in self.mapping(domain("hosts"), "map[string]string").into_iter().flat_map(Mapping::values)
        {
            self.text(Some(value));
        }
        let key = self.mapping(domain("key"), "config.DVKey");
        let tenancy = self.mapping(all.get("tenancy"), "config.Tenancy");
        self.text(tenancy.and_then(|m| m.get("provider")));
        let app = self.mapping(tenancy.and_then(|m| m.get("app")), "config.TenancyApp");
        Source {
            private_key: self.text(all.get("privatekey")),
            swarm_key: self.text(all.get("swarmkey")),
            services: self.texts(all.get("services"), "[]string").unwrap_or_default(),
            listen: self.texts(all.get("p2p-listen"), "[]string").unwrap_or_default(),
            announce: self.texts(all.get("p2p-announce"), "[]string"),
            lite: self.integer(ports.and_then(|m| m.get("lite"))),
            peers: self.texts(all.get("peers"), "[]string").unwrap_or_default(),
            domain_private: self.text(key.and_then(|m| m.get("private"))),
            domain_public: self.text(key.and_then(|m| m.get("public"))),
            tenancy: Tenancy {
                owner: self.text(tenancy.and_then(|m| m.get("owner"))),
                app: TenancyApp {
                    client_id: self.text(app.and_then(|m| m.get("client-id"))),
                    key: self.text(app.and_then(|m| m.get("key"))),
                },
            },
        }
    }

    fn mapping<'a>(&mut self, value: Option<&'a Value>, into: &str) -> Option<&'a Mapping> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::Mapping(mapping)) => Some(mapping),
            Some(other) => self.wrong(other, into),
        }
    }

    fn texts(&mut self, value: Option<&Value>, into: &str) -> Option<Vec<String>> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::Sequence(items)) => Some(items.iter().map(|item| self.text(Some(item))).collect()),
            Some(other) => self.wrong(other, into),
        }
    }

    fn text(&mut self, value: Option<&Value>) -> String {
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(truth)) => truth.to_string(),
            Some(other) => self.wrong(other, "string").unwrap_or_default(),
        }
    }

    fn integer(&mut self, value: Option<&Value>) -> i64 {
        match value {
            None | Some(Value::Null) => 0,
            #[expect(clippy::cast_possible_truncation, reason = "tau takes 5242.5 for 5242")]
            Some(Value::Number(n)) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)).unwrap_or_default(),
            Some(other) => self.wrong(other, "int").unwrap_or_default(),
        }
    }

    fn float(&mut self, value: Option<&Value>) {
        match value {
            None | Some(Value::Null | Value::Number(_)) => {}
            Some(other) => drop(self.wrong::<()>(other, "float32")),
        }
    }

    fn wrong<T>(&mut self, value: &Value, into: &str) -> Option<T> {
        let what = match value {
            Value::Null => "!!null".to_owned(),
            Value::Bool(truth) => format!("!!bool `{truth}`"),
            Value::Number(number) => format!("!!int `{number}`"),
            Value::String(text) if text.len() > 10 => {
                format!("!!str `{}...`", text.chars().take(7).collect::<String>())
            }
            Value::String(text) => format!("!!str `{text}`"),
            Value::Sequence(_) => "!!seq".to_owned(),
            Value::Mapping(_) => "!!map".to_owned(),
            Value::Tagged(tagged) => tagged.tag.to_string(),
        };
        self.0.push(format!("cannot unmarshal {what} into {into}"));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).map_or_else(|e| e.to_string(), |_| "accepted".to_owned())
    }

    #[test]
    fn kinds_are_gos() {
        assert!(refused("plugins: [p1]").ends_with("cannot unmarshal !!seq into config.Plugins"));
        assert!(refused("location: {lat: '1.25'}").ends_with("cannot unmarshal !!str `1.25` into float32"));
        assert!(refused("services: tns").ends_with("cannot unmarshal !!str `tns` into []string"));
        assert!(refused("ports: {main: '5242'}").ends_with("cannot unmarshal !!str `5242` into int"));
        assert!(refused("- a").ends_with("cannot unmarshal !!seq into config.Source"));
        for fine in
            ["", "plugins:", "network-fqdn: 12", "ports: {main: 5242.5}", "surprise: 1", "a: 1\n---\n- b"]
        {
            assert_eq!(refused(fine), "accepted", "{fine:?}");
        }
    }

    #[test]
    fn syntax_is_refused_with_its_line() {
        assert_eq!(refused("privatekey: [unclosed\n"), "yaml: line 1: did not find expected ',' or ']'");
        assert!(
            refused("a: 1\nb:\n\tc: 1\n").ends_with("line 3: found character that cannot start any token")
        );
        assert!(refused("a: 1\na: 2").contains("already defined"));
    }

    #[test]
    fn an_empty_list_is_not_an_absent_one() -> Result<(), Refusal> {
        assert_eq!(parse("p2p-announce: []")?.announce, Some(vec![]));
        assert_eq!(parse("p2p-announce:")?.announce, None);
        Ok(())
    }
}
