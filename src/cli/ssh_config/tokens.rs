//! The tokens and variables that `ssh -G` leaves in paths and jump hosts: [`Tokens`].

use super::folder;
use crate::network::Jump;
use crate::ssh::expand_tokens;
use sha1::{Digest as _, Sha1};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// What tokens stand for.
pub(super) struct Tokens<'a> {
    /// The name that `ssh` was asked about.
    pub(super) original: &'a str,
    /// `HostName`.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    /// `HostKeyAlias`.
    pub(super) alias: Option<&'a str>,
    pub(super) has_jumps: bool,
}

impl Tokens<'_> {
    /// A path with `~`, tokens and variables replaced as ssh does; `None` if it contains one that
    /// isn't known.
    pub(super) fn path(&self, path: &str) -> Option<PathBuf> {
        // The replacements may contain anything, so both kinds are replaced in one pass.
        let mut expanded = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}')?;
            expanded.push_str(&self.replaced(before)?);
            expanded.push_str(&std::env::var(name).ok()?);
            rest = after;
        }
        expanded.push_str(&self.replaced(rest)?);
        Some(folder::expand(Path::new(&expanded)))
    }

    fn replaced(&self, text: &str) -> Option<String> {
        expand_tokens(text, |token| self.of_path(token)).ok()
    }

    /// The jump hosts of a `ProxyJump`.
    pub(super) fn jumps(&self, hops: &str) -> Option<Vec<Jump>> {
        let expanded = expand_tokens(hops, |token| self.of_server(token)).ok()?;
        expanded.split(',').map(|hop| Jump::parse(hop.trim())).collect()
    }

    fn of_server(&self, token: char) -> Option<String> {
        match token {
            'h' => Some(self.host.to_owned()),
            'n' => Some(self.original.to_owned()),
            'p' => Some(self.port.to_string()),
            'r' => Some(self.user.to_owned()),
            _ => None,
        }
    }

    fn of_path(&self, token: char) -> Option<String> {
        match token {
            'd' => Some(folder::home()?.display().to_string()),
            'i' => Some(rustix::process::getuid().as_raw().to_string()),
            'k' => Some(self.alias.unwrap_or(self.original).to_owned()),
            'L' => Some(LOCAL_HOST.split('.').next()?.to_owned()),
            'l' => Some(LOCAL_HOST.clone()),
            'u' => Some(LOCAL_USER.clone()),
            // Newer versions of ssh add the jump host.
            'C' if !self.has_jumps => Some(self.digest()),
            _ => self.of_server(token),
        }
    }

    /// `%C`.
    fn digest(&self) -> String {
        let parts = [&*LOCAL_HOST, self.host, &self.port.to_string(), self.user];
        let digest = Sha1::digest(parts.concat().as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

static LOCAL_USER: LazyLock<String> = LazyLock::new(|| answer("id", "-un"));

static LOCAL_HOST: LazyLock<String> = LazyLock::new(|| answer("uname", "-n"));

/// The name of the user who runs spore.
pub(crate) fn local_user() -> String {
    LOCAL_USER.clone()
}

fn answer(program: &str, option: &str) -> String {
    let answer = Command::new(program).arg(option).stdin(Stdio::null()).output();
    answer.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
}
