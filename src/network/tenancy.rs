//! Whose network it is, `tenancy.yaml`, and what the `accounts` service is
//! given, `accounts.yaml`.

use super::At;
use crate::resource::Secret;
use std::fmt;

/// Whose repositories the network serves.
#[derive(Clone, Debug)]
pub struct Tenancy {
    /// Who hosts the repositories: `github`.
    pub provider: At<String>,
    /// The owner there.
    pub owner: At<String>,
    /// The application that acts for the owner. Only `auth` reads it.
    pub app: Option<App>,
}

/// An application's credential. Whether it is enough for `auth` is for others
/// to say: no other service reads it.
#[derive(Clone, Debug)]
pub struct App {
    /// Its client id.
    pub client_id: Option<At<String>>,
    /// Its private key, in PEM.
    pub key: Option<At<Secret>>,
}

/// What `accounts.yaml` says. Every scalar of it counts as a secret.
#[derive(Clone, PartialEq)]
pub struct Accounts(serde_yaml::Value);

impl Accounts {
    /// Takes the document over.
    pub fn new(document: serde_yaml::Value) -> Self {
        Self(document)
    }

    /// The document itself: for the configuration.
    pub fn expose(&self) -> &serde_yaml::Value {
        &self.0
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts(")?;
        shape(&self.0, f)?;
        f.write_str(")")
    }
}

/// The keys, and `***` for everything else.
fn shape(value: &serde_yaml::Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        serde_yaml::Value::Mapping(entries) => {
            f.write_str("{")?;
            for (i, (key, value)) in entries.iter().enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                write!(f, "{comma}{}: ", key.as_str().unwrap_or("***"))?;
                shape(value, f)?;
            }
            f.write_str("}")
        }
        serde_yaml::Value::Sequence(items) => {
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
