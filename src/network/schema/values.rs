//! The values in the folder's files, as far as a schema can describe them.
//!
//! The reader takes a number or a boolean for its text, such as `version: 1.5`. So do these schemas, except
//! where a number can't be meant.

use super::misspelt;
use crate::daemon::tau::SERVICES;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// Defines a type that is only its schema, which each use repeats.
macro_rules! value {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

/// The characters of the names of hosts and shapes, which become parts of paths.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]*$";
/// A name that tau uses as a regular expression, and that means the same as text.
const DOMAIN: &str = r"^[^()\[\]{}*+?|\\^$]*[^()\[\]{}*+?|\\^$\s][^()\[\]{}*+?|\\^$]*$";

value! {
    /// Text that isn't blank.
    Text, { "type": ["string", "number", "boolean"], "pattern": r"\S" }
}
value! {
    /// The path of a file that others receive.
    VisiblePath, { "type": ["string", "number", "boolean"], "pattern": VISIBLE }
}
value! {
    /// The name of a domain below which tau creates others. It must not mean anything else as a regular expression.
    DomainName, { "type": ["string", "number", "boolean"], "pattern": DOMAIN }
}
value! {
    /// A TCP port, in decimal digits without quotes.
    Port, { "type": "integer", "minimum": 1, "maximum": 65535 }
}
value! {
    /// A number, quoted or not.
    Number, { "type": ["number", "string"], "pattern": r"^\s*[-+0-9.eE]+\s*$" }
}
value! {
    /// The size of a file.
    Size, { "type": ["integer", "string"], "minimum": 1, "pattern": r"^\+?0*[1-9][0-9]*$" }
}
/// An IPv4 address, with or without the length of its prefix.
const IPV4: &str = concat!(
    r"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}",
    r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(/0*([0-9]|[12][0-9]|3[0-2]))?$",
);
/// Text that isn't blank, without the characters that are invisible in most editors.
const VISIBLE: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*",
    r"[^\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]",
    r"[^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*$",
);

value! {
    /// An IP address, with or without the length of its prefix.
    Address, { "type": "string", "anyOf": [
        { "pattern": IPV4 },
        { "pattern": r"^[0-9A-Fa-f]*:[0-9A-Fa-f:]*(:[0-9.]+)?(/0*([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?$" },
    ] }
}
value! {
    /// The IP address or the name of an sshd: without a user, a port, a scheme or brackets.
    SshAddress, { "type": "string", "anyOf": [
        { "pattern": r"^[A-Za-z0-9_.-]+(/[0-9]+)?$" },
        { "pattern": r"^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?(/[0-9]+)?$" },
    ] }
}
value! {
    /// `[user@]host[:port]`.
    Jump, { "type": ["string", "number"], "pattern": r"^[A-Za-z0-9_.@\\+:%\[/-][A-Za-z0-9_.@\\+:%\[\]/-]*$" }
}
value! {
    /// The name of a login in `auth.yaml` (`keys.yaml`).
    Login, { "type": ["string", "number", "boolean"], "pattern": r"\S" }
}
value! {
    /// A user.
    UserName, { "type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*$" }
}
value! {
    /// The name of a host in `hosts.yaml`.
    HostName, { "type": ["string", "number", "boolean"], "pattern": NAME }
}
value! {
    /// `name@version`.
    Plugin, { "type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9][A-Za-z0-9_.@-]*$" }
}
value! {
    /// A node's private key: an ed25519 key in base64, as libp2p encodes it.
    Key, { "type": "string", "pattern": r"^\s*CAESQ[A-Za-z0-9+/]{86}=\s*$" }
}
value! {
    /// A node's peer id.
    PeerId, { "type": "string", "pattern": "^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$" }
}
value! {
    /// The SHA-256 of a file, in hexadecimal digits.
    Digest, { "type": ["string", "number"], "pattern": "^[0-9A-Fa-f]{64}$" }
}
value! {
    /// A version.
    Version, { "type": ["string", "number", "boolean"], "pattern": r"^[A-Za-z0-9.+_~-]+$" }
}
value! {
    /// The address of a file, without a password.
    WebAddress, { "type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+([/?#].*)?$", "allOf": [{ "pattern": VISIBLE }] }
}
value! {
    /// Who downloads a file for a host.
    Fetch, { "enum": ["send", "hosts"] }
}

/// A service. Which ones there are depends on the tau, and a shape that no host uses may have any, so a
/// list is only suggested.
pub(super) struct Service;

impl JsonSchema for Service {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Service".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known: Vec<&str> = SERVICES.iter().map(|service| service.name).chain(["node"]).collect();
        json_schema!({ "anyOf": [{ "enum": known }, { "type": ["string", "number", "boolean"], "pattern": r"\S" }] })
    }
}

/// One value, or a list of them.
pub(super) struct OneOrMore<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMore_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// The names of a mapping whose entries all have the same form.
pub(super) trait Names {
    const NAME: &'static str;
    /// The schema of a name.
    fn schema() -> Value;
}

/// Names of hosts or shapes.
pub(super) struct Name;

impl Names for Name {
    const NAME: &'static str = "Name";

    fn schema() -> Value {
        // YAML's merge key isn't a name.
        json!({ "anyOf": [{ "pattern": NAME }, { "const": "<<" }] })
    }
}

/// Names that may be anything.
pub(super) struct AnyName;

impl Names for AnyName {
    const NAME: &'static str = "AnyName";

    fn schema() -> Value {
        json!(true)
    }
}

/// Names of architectures.
pub(super) struct Architecture;

impl Names for Architecture {
    const NAME: &'static str = "Architecture";

    fn schema() -> Value {
        let names = crate::artifact::Architecture::ALL.into_iter().map(crate::artifact::Architecture::name);
        json!({ "enum": names.chain(["<<"]).collect::<Vec<_>>() })
    }
}

/// A mapping from names to values of one form.
pub(super) struct Entries<N, T>(PhantomData<(N, T)>);

impl<N: Names, T: JsonSchema> JsonSchema for Entries<N, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Entries_{}_{}", N::NAME, T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entry = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "propertyNames": N::schema(), "additionalProperties": entry })
    }
}

/// Of these fields, at least one has a value.
pub(super) fn any_of(schema: &mut Schema, names: &[&str]) {
    let has: Vec<Value> = names.iter().map(|name| has(name)).collect();
    and(schema, json!({ "anyOf": has }));
}

/// Of these fields, at most one has a value.
pub(super) fn not_both(schema: &mut Schema, names: [&str; 2]) {
    and(schema, json!({ "not": { "allOf": names.map(has) } }));
}

/// A host with nodes has addresses, and the first is IPv4. If there are no nodes, it is enough that the host
/// has some `addr` if it has `shapes`.
pub(super) fn announced(schema: &mut Schema) {
    let addresses = json!({ "anyOf": [
        { "type": "string", "pattern": IPV4 },
        { "type": "array", "minItems": 1, "items": [{ "pattern": IPV4 }] },
    ] });
    let has_nodes = json!({ "type": "object", "minProperties": 1 });
    and(schema, json!({ "if": has("shapes"), "then": has("addr") }));
    and(
        schema,
        json!({
            "if": { "required": ["shapes"], "properties": { "shapes": has_nodes } },
            "then": { "properties": { "addr": addresses } },
        }),
    );
}

/// The field has a value: null counts as absent.
fn has(name: &str) -> Value {
    json!({ "required": [name], "properties": { name: { "not": { "type": "null" } } } })
}

fn and(schema: &mut Schema, condition: Value) {
    let all = schema.ensure_object().entry("allOf").or_insert_with(|| json!([]));
    if let Value::Array(all) = all {
        all.push(condition);
    }
}

/// Rejects misspelt fields of a mapping. Other unknown fields are allowed, because upstream's tool ignores
/// them, and so does spore, with a warning.
pub(super) fn no_misspelt(schema: &mut Schema) {
    let names: BTreeMap<String, ()> = match schema.get("properties") {
        Some(Value::Object(properties)) => properties.keys().map(|name| (name.clone(), ())).collect(),
        _ => return,
    };
    let names: Vec<&str> = names.keys().map(String::as_str).collect();
    let misspelt = misspelt::pattern(&names);
    schema.insert(
        "propertyNames".to_owned(),
        json!({ "anyOf": [{ "enum": names }, { "not": { "pattern": misspelt } }] }),
    );
}
