//! Reads the tenancy, `tenancy.yaml`, and the configuration of the `accounts` service,
//! `accounts.yaml`.

use super::fields::{Fields, Item};
use super::files::Files;
use super::problem::{ProblemReport, Read};
use super::{At, Secret, TenancyDraft, secret};
use crate::finding::{Expected, NetworkKey, Owner};
use crate::resource::SecretBytes;
use crate::yaml::{Content, mapping, plain};
use serde_yaml::Value;
use std::fmt;

/// The owner of the repositories that the network serves.
#[derive(Clone, Debug)]
pub struct Tenancy {
    /// The provider of the repositories: `github`.
    pub provider: At<String>,
    /// The owner at the provider.
    pub owner: At<String>,
    /// The application that acts for the owner. Only `auth` reads it.
    pub app: Option<App>,
}

/// The credentials of an application. `auth` is the only service that reads them; they may
/// be insufficient for it.
#[derive(Clone, Debug)]
pub struct App {
    /// The application's client id.
    pub client_id: Option<At<String>>,
    /// The application's private key, in PEM.
    pub key: Option<At<Secret<SecretBytes>>>,
}

/// The contents of `accounts.yaml`. Every scalar counts as a secret.
#[derive(Clone, PartialEq)]
pub struct Accounts {
    document: Value,
    scalars: Vec<SecretBytes>,
}

impl Accounts {
    /// The document itself, for the configuration.
    pub fn expose(&self) -> &Value {
        &self.document
    }

    /// The document's texts and numbers. Numbers are listed both as they are written and as
    /// hosts receive them: `1e8` becomes `100000000.0`.
    pub fn scalars(&self) -> &[SecretBytes] {
        &self.scalars
    }
}

fn scalars(content: &Content<'_>) -> Vec<SecretBytes> {
    match content.resolved() {
        Content::Scalar { text, plain: true } => match plain(text) {
            // `true` and `false` aren't secrets: they occur in too many other texts.
            Value::Bool(_) => Vec::new(),
            Value::Number(number) => {
                vec![SecretBytes::new(text.as_bytes()), SecretBytes::new(number.to_string())]
            }
            _ => vec![SecretBytes::new(text.as_bytes())],
        },
        Content::Scalar { text, .. } | Content::Tagged { text, .. } => {
            vec![SecretBytes::new(text.as_bytes())]
        }
        Content::List(items) => items.iter().flat_map(|item| scalars(&item.content)).collect(),
        Content::Map(entries) => entries.iter().flat_map(|entry| scalars(&entry.value.content)).collect(),
        Content::Null | Content::Broken | Content::Shared(_) => Vec::new(),
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts(")?;
        shape(&self.document, f)?;
        f.write_str(")")
    }
}

/// Writes the keys, and `***` for everything else.
fn shape(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Mapping(entries) => {
            f.write_str("{")?;
            for (i, (key, value)) in entries.iter().enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                write!(f, "{comma}{}: ", key.as_str().unwrap_or("***"))?;
                shape(value, f)?;
            }
            f.write_str("}")
        }
        Value::Sequence(items) => {
            f.write_str("[")?;
            for (i, value) in items.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                shape(value, f)?;
            }
            f.write_str("]")
        }
        _ => f.write_str("***"),
    }
}

/// Reads the tenancy.
pub(super) fn read(
    mut fields: Fields<'_>,
    files: &Files,
    report: &mut ProblemReport,
) -> Option<TenancyDraft> {
    // If the tenancy is a folder, each entry is a file, and the whole has no place.
    let place = fields.place.clone().or_else(|| Some(fields.slots.first()?.place.clone()))?;
    let provider = fields.need("provider", "provider: github").and_then(|item| text(item, report)).ok();
    let owner = fields.need("owner", "owner: an-organisation").and_then(|item| text(item, report)).ok();
    let app = fields.take("app").and_then(|item| {
        let mut fields = item.fields(Owner::Path("app"), report).ok()?;
        let client_id = fields.take("client-id").and_then(|item| text(item, report).ok());
        let as_key = (Expected::PrivateKey, NetworkKey::App);
        let owner = Owner::Path("app");
        let key = secret::take(&mut fields, ["key", "key_file"], as_key, &owner, files, report);
        let key = key.and_then(|(item, key)| Some(item.at(key.ok()?)));
        fields.finish(report);
        Some(App { client_id, key })
    });
    fields.finish(report);
    Some(TenancyDraft { provider, owner, app, place })
}

/// The file that the tenancy names as the key of its application, as written.
pub(super) fn key_file(mut fields: Fields<'_>, report: &mut ProblemReport) -> Option<String> {
    let mut app = fields.take("app")?.fields(Owner::Path("app"), report).ok()?;
    app.take("key_file")?.text(Expected::PathOfFile, report).ok().map(str::to_owned)
}

fn text(item: Item<'_>, report: &mut ProblemReport) -> Read<At<String>> {
    Ok(item.at(item.text(Expected::Name, report)?.to_owned()))
}

/// Reads the document without interpreting it.
pub(super) fn read_accounts(fields: &Fields<'_>) -> Option<At<Accounts>> {
    let first = fields.slots.first()?;
    let place = fields.place.clone().unwrap_or_else(|| first.place.clone());
    let entries = fields.slots.iter().map(|slot| (slot.name, &slot.item.node.content));
    let scalars = fields.slots.iter().flat_map(|slot| scalars(&slot.item.node.content)).collect();
    Some(At { value: Accounts { document: mapping(entries), scalars }, place })
}
