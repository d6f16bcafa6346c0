//! Looks up fields in the schemas of the folder's files.

use super::Step;
use crate::finding::Component;
use crate::network::FileSchema;
use serde_json::Value;
use std::sync::LazyLock;

/// The schema of a component.
pub(super) struct Schema(Value);

/// A field in a schema.
pub(super) struct Field<'s> {
    pub(super) name: &'s str,
    pub(super) meaning: &'s str,
    pub(super) schema: &'s Value,
    /// One of these fields is required; the field itself if there is only one.
    pub(super) required: Vec<&'s str>,
}

impl Schema {
    pub(super) fn of(component: Component) -> Option<&'static Self> {
        // They never change, and it takes longer to make one than to look something up in it.
        static ALL: LazyLock<Vec<(Component, Schema)>> = LazyLock::new(|| {
            let schema = |component: Component| {
                let file = format!("{}.yaml", component.names().first()?);
                Some((component, Schema(FileSchema::of(&file)?.value())))
            };
            Component::ALL.into_iter().filter_map(schema).collect()
        });
        ALL.iter().find(|(of, _)| *of == component).map(|(_, schema)| schema)
    }

    /// A schema with those that it refers to, and those among which it leaves a choice.
    fn forms<'s>(&'s self, schema: &'s Value) -> Vec<&'s Value> {
        let mut forms = vec![schema];
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/definitions/"));
        forms.extend(name.into_iter().flat_map(|name| self.forms(&self.0["definitions"][name])));
        for choice in ["anyOf", "allOf"] {
            let choices = schema[choice].as_array().into_iter().flatten();
            forms.extend(choices.flat_map(|schema| self.forms(schema)));
        }
        forms
    }

    /// The schemas of what is at the end of a way.
    pub(super) fn at<'s>(&'s self, path: &[Step]) -> Vec<&'s Value> {
        path.iter().fold(self.forms(&self.0), |forms, step| {
            let next = forms.into_iter().filter_map(|form| match step {
                Step::Key(key) => described(form, key).or_else(|| form.get("additionalProperties")),
                Step::Item(index) => match form.get("items")? {
                    Value::Array(items) => items.get(*index),
                    items => Some(items),
                },
            });
            next.flat_map(|schema| self.forms(schema)).collect()
        })
    }

    /// The fields of the mapping at the end of a way.
    pub(super) fn fields(&self, path: &[Step]) -> Vec<Field<'_>> {
        let mut fields: Vec<Field<'_>> = Vec::new();
        for form in self.at(path) {
            for name in form["properties"].as_object().into_iter().flat_map(|all| all.keys()) {
                if !fields.iter().any(|field| field.name == name) {
                    fields.extend(self.field(form, name));
                }
            }
        }
        fields
    }

    /// The field at the end of a way; `None` if the last step isn't a field but a name or an item.
    pub(super) fn field_at(&self, path: &[Step]) -> Option<Field<'_>> {
        let (Step::Key(name), parent) = path.split_last()? else { return None };
        self.at(parent).into_iter().find_map(|form| self.field(form, name))
    }

    fn field<'s>(&'s self, form: &'s Value, name: &str) -> Option<Field<'s>> {
        let (name, schema) = form["properties"].as_object()?.get_key_value(name)?;
        let own = list(&form["required"]).find(|required| required == name);
        let choices = form["allOf"].as_array().into_iter().flatten().filter_map(|condition| {
            let choices = condition["anyOf"].as_array()?;
            let names: Vec<&str> = choices.iter().flat_map(|choice| list(&choice["required"])).collect();
            names.contains(&name.as_str()).then_some(names)
        });
        let required = own.map(|name| vec![name]).or_else(|| choices.into_iter().next()).unwrap_or_default();
        Some(Field { name, meaning: schema["description"].as_str()?, schema, required })
    }

    /// The values of which a schema allows, or suggests, one.
    pub(super) fn values(&self, path: &[Step]) -> Vec<&str> {
        self.at(path).into_iter().flat_map(|form| list(&form["enum"])).collect()
    }

    /// The names that the mapping at the end of a way may have.
    pub(super) fn names(&self, path: &[Step]) -> Vec<&str> {
        self.at(path).into_iter().flat_map(|form| list(&form["propertyNames"]["enum"])).collect()
    }

    /// Whether a value can be written on the line of its key.
    pub(super) fn is_inline(&self, schema: &Value) -> bool {
        let is_mapping = |form: &&Value| form["type"] == "object" || form["properties"].is_object();
        let is_other = |form: &&Value| {
            form.get("enum").is_some()
                || form["type"].as_str().is_some_and(|name| !matches!(name, "object" | "null"))
                || form["type"].is_array()
        };
        let forms = self.forms(schema);
        forms.iter().any(is_other) || !forms.iter().any(is_mapping)
    }
}

/// The schema of a field. Conditions have properties, too, but describe none.
fn described<'s>(form: &'s Value, name: &str) -> Option<&'s Value> {
    form["properties"].get(name).filter(|schema| schema["description"].is_string())
}

fn list(texts: &Value) -> impl Iterator<Item = &str> {
    texts.as_array().into_iter().flatten().filter_map(Value::as_str)
}
