//! Adds logins.

use super::{Dialect, Edits, Impossible, one_or_list};
use crate::edit::New;
use crate::network::Component;

/// A login to be added.
#[derive(Clone, Debug)]
pub struct NewLogin {
    /// The name that hosts refer to.
    pub name: String,
    /// The SSH user.
    pub user: String,
    /// The paths of private keys. Without one, the keys of the user's agent are tried.
    pub keys: Vec<String>,
    /// The path of a file with the password.
    pub password_file: Option<String>,
}

impl Edits<'_> {
    /// Adds a login.
    ///
    /// # Errors
    /// There is such a login, or the file can't be edited safely.
    pub fn add_login(&mut self, login: &NewLogin) -> Result<(), Impossible> {
        let others = self.entries(Component::Logins)?;
        let (user, files, list) = match self.dialect_by(&others, &["user"], &["username"]) {
            Dialect::Manual => ("user", "files", true),
            Dialect::Upstream => ("username", "key", false),
        };
        let mut fields = vec![(user, New::text(&login.user))];
        if !login.keys.is_empty() {
            fields.push((files, one_or_list(&login.keys, list)));
        }
        fields.extend(login.password_file.as_ref().map(|file| ("password_file", New::text(file))));
        self.add_entry(Component::Logins, &login.name, New::map(fields))
    }
}
