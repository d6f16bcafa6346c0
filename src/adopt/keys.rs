//! What a folder needs of its network's keys: which hosts have it ([`wanted`]), the request for it
//! ([`request`]), the answer ([`read`]), and what results ([`Pieces::of`]).
//!
//! spore can't configure a network without its swarm key and its public validation key. The private
//! one is asked for where a host has it: spore removes it from hosts that don't need it, so that the
//! folder may have the only copy. The key of the tenancy's app and the accounts are asked for only if
//! nodes need them.

use super::{Adopted, Refusal};
use crate::daemon::tau;
use crate::daemon::tau::described::hand_over;
use crate::identity::{SwarmKey, ValidationKeys};
use crate::resource::{HostName, Printable, Redactor, SecretBytes, Sha256, Untrusted};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_yaml::Value;
use std::collections::BTreeMap;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// The swarm key.
    Swarm,
    /// The public validation key.
    Public,
    /// The private validation key.
    Private,
    /// The key of the tenancy's app, which is in a configuration.
    AppKey,
    /// The configuration of accounts, which is in that of a node.
    Accounts,
}

/// A file of a host that has a piece.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// What it is.
    pub piece: Piece,
    /// The host.
    pub host: HostName,
    /// The path of the file.
    pub path: String,
}

/// What the folder gets.
#[derive(Clone, Default)]
pub struct Pieces {
    /// The line of the swarm key.
    pub swarm: Option<String>,
    /// The public validation key, in PEM.
    pub public: Option<String>,
    /// The private validation key, in PEM.
    pub private: Option<String>,
    /// The key of the tenancy's app, in PEM.
    pub app_key: Option<String>,
    /// The configuration of accounts, in YAML.
    pub accounts: Option<String>,
}

/// Keys that the user has put into the folder: the swarm key, and the private validation key.
#[derive(Clone, Debug, Default)]
pub struct There {
    /// The file with the swarm key.
    pub swarm: Option<SecretBytes>,
    /// The file with the private validation key.
    pub private: Option<SecretBytes>,
}

/// The files to ask hosts for: one for each piece, or several if they aren't equal byte by byte. The
/// hosts aren't asked for keys that are there.
pub fn wanted(adopted: &Adopted, there: &There) -> Vec<Wanted> {
    let mut wanted: BTreeMap<(Piece, Option<Sha256>), Wanted> = BTreeMap::new();
    // A digest says that the file in the folder is that of the host.
    let is_there = |piece: Piece, digest: Sha256| match piece {
        Piece::Swarm => there.swarm.as_ref().is_some_and(|bytes| is_of(bytes, digest)),
        Piece::Private => there.private.as_ref().is_some_and(|bytes| is_of(bytes, digest)),
        Piece::Public | Piece::AppKey | Piece::Accounts => false,
    };
    for (node, described) in &adopted.nodes {
        let mut want = |piece: Piece, digest: Option<Sha256>, path: String| {
            wanted.entry((piece, digest)).or_insert(Wanted { piece, host: node.host.clone(), path });
        };
        let keys = [
            (Piece::Swarm, &described.swarm_key),
            (Piece::Public, &described.public),
            // A node without `auth` may have it in its directory, and not name it.
            (Piece::Private, &described.private.clone().or_else(|| Some(tau::VALIDATION_PRIVATE.to_owned()))),
        ];
        for (piece, path) in keys {
            let Some(path) = path else { continue };
            if let Some(digest) = adopted.digest(&node.host, path).filter(|digest| !is_there(piece, *digest))
            {
                want(piece, Some(digest), path.clone());
            }
        }
        // All have the same, as the probe's digests tell.
        let config = || node.daemon.config_path(&node.shape);
        if described.trusted && described.tenancy.key.is_some() {
            want(Piece::AppKey, None, config());
        }
        if described.needs_accounts && !described.accounts.is_empty() {
            want(Piece::Accounts, None, config());
        }
    }
    wanted.into_values().collect()
}

/// Whether a host's file with this digest is this key.
fn is_of(bytes: &SecretBytes, digest: Sha256) -> bool {
    let line = SwarmKey::parse(bytes.expose()).ok().map(|key| key.line().clone());
    let forms = [Some(bytes), line.as_ref()].into_iter().flatten();
    forms
        .map(|form| form.expose().trim_ascii_end())
        .any(|form| Sha256::of(form) == digest || Sha256::of(&[form, b"\n"].concat()) == digest)
        || Sha256::of(bytes.expose()) == digest
}

/// The script that asks one host for these of its files. It changes nothing.
pub fn request<'w>(wanted: impl IntoIterator<Item = &'w Wanted>) -> SecretBytes {
    let mut text = format!("(\nLC_ALL=C\nexport LC_ALL\nroot=${{SPORE_ROOT-}}\n{}\n", hand_over());
    for (number, Wanted { piece, path, .. }) in wanted.into_iter().enumerate() {
        let function = match piece {
            Piece::Swarm | Piece::Public | Piece::Private => "hand_over_key",
            Piece::AppKey | Piece::Accounts => "hand_over_config",
        };
        let path = shlex::try_quote(path).unwrap_or_default();
        text.push_str(&format!("{function} {number} {path}\n"));
    }
    SecretBytes::new(text + "echo end\n) </dev/null\n")
}

/// The files in a host's answer to [`request`], in the order of the request.
pub fn read(answer: &Untrusted, count: usize) -> Vec<Option<SecretBytes>> {
    // There is nothing to mask yet: this is how the secrets become known.
    let answer = Redactor::default().open(answer);
    let mut pieces = vec![None; count];
    for line in answer.expose().lines().filter_map(|line| line.strip_prefix("piece\t")) {
        let found = line.split_once('\t').and_then(|(number, text)| {
            Some((number.parse::<usize>().ok()?, BASE64_STANDARD.decode(text).ok()?))
        });
        if let Some((number, bytes)) = found
            && let Some(piece) = pieces.get_mut(number).filter(|_| !bytes.is_empty())
        {
            *piece = Some(SecretBytes::new(bytes));
        }
    }
    pieces
}

impl Pieces {
    /// What results from the files of hosts and those that were there.
    ///
    /// # Errors
    /// A file is missing or isn't what it should be, or two contradict each other.
    pub fn of(there: &There, found: &[(Wanted, Option<SecretBytes>)]) -> Result<Self, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut pieces = Self::default();
        let folder = "the folder".to_owned();
        let mut all: Vec<(Piece, String, &str, &SecretBytes)> = Vec::new();
        for (wanted, bytes) in found {
            match bytes {
                Some(bytes) => all.push((wanted.piece, wanted.host.to_string(), &wanted.path, bytes)),
                None => refusals.push(Refusal::Unreadable(
                    wanted.host.clone(),
                    Printable::line(&wanted.path),
                    "can't be read, or is empty",
                )),
            }
        }
        let own = [(Piece::Swarm, &there.swarm), (Piece::Private, &there.private)];
        for (piece, bytes) in own {
            all.extend(bytes.iter().map(|bytes| (piece, folder.clone(), "its file", bytes)));
        }
        let mut swarm = Values::new("the swarm key");
        let mut pairs = Values::new("the validation key");
        let (mut private, mut public) = (None, None);
        for (piece, by, path, bytes) in all {
            let text = String::from_utf8_lossy(bytes.expose());
            let problem = match piece {
                Piece::Swarm => match SwarmKey::parse(bytes.expose()) {
                    Ok(key) => {
                        let line = String::from_utf8_lossy(key.line().expose()).trim_end().to_owned();
                        swarm.add(line.clone(), &by);
                        pieces.swarm = Some(line + "\n");
                        None
                    }
                    Err(error) => Some(error.to_string()),
                },
                Piece::Public | Piece::Private => {
                    let is_private = piece == Piece::Private;
                    let halves =
                        if is_private { (Some(bytes.expose()), None) } else { (None, Some(bytes.expose())) };
                    match ValidationKeys::new(halves.0, halves.1) {
                        Ok(keys) => {
                            pairs.add(
                                keys.public().trim().to_owned(),
                                &format!("{by} ({})", Printable::line(path)),
                            );
                            let file = Some(text.into_owned());
                            if is_private {
                                private = file
                            } else {
                                public = file
                            }
                            None
                        }
                        Err(error) => Some(error.to_string()),
                    }
                }
                Piece::AppKey => match below(&text, &["tenancy", "app", "key"]) {
                    Some(Value::String(key)) => {
                        pieces.app_key = Some(key);
                        None
                    }
                    _ => Some("it has no tenancy.app.key any more".to_owned()),
                },
                Piece::Accounts => {
                    match below(&text, &["accounts"]).map(|value| serde_yaml::to_string(&value)) {
                        Some(Ok(accounts)) => {
                            pieces.accounts = Some(accounts);
                            None
                        }
                        _ => Some("it has no accounts any more".to_owned()),
                    }
                }
            };
            if let Some(problem) = problem {
                refusals.push(Refusal::Unusable(format!("{by}, {path}"), Printable::line(&problem)));
            }
        }
        refusals.extend([swarm, pairs].into_iter().filter_map(Values::differ));
        (pieces.public, pieces.private) = (public, private);
        if refusals.is_empty() { Ok(pieces) } else { Err(refusals) }
    }
}

/// Values that have to be the same. They aren't shown.
struct Values {
    what: &'static str,
    by: BTreeMap<String, Vec<String>>,
}

impl Values {
    fn new(what: &'static str) -> Self {
        Self { what, by: BTreeMap::new() }
    }

    fn add(&mut self, value: String, by: &str) {
        self.by.entry(value).or_default().push(by.to_owned());
    }

    fn differ(self) -> Option<Refusal> {
        if self.by.len() < 2 {
            return None;
        }
        let names = ["one key", "another"];
        let values = self.by.into_values().enumerate();
        let values = values.map(|(i, by)| (Printable::from(names[i.min(1)]), by));
        Some(Refusal::Differs { what: self.what.to_owned(), values: values.collect() })
    }
}

/// The value at a path of a configuration.
fn below(text: &str, path: &[&str]) -> Option<Value> {
    let whole: Value = serde_yaml::from_str(text).ok()?;
    path.iter().try_fold(&whole, |value, key| value.get(*key)).cloned()
}
