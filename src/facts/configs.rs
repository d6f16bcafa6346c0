//! A host's configurations, parsed.

use crate::daemon::Daemon;
use crate::resource::{Document, HostText};
use std::cell::RefCell;
use std::sync::Arc;

/// Parses a host's configurations, each text once: a configuration on the disk is usually the
/// same as the one in the record of its node's start, and both are needed several times.
#[derive(Default)]
pub(super) struct Configs<'a> {
    parsed: RefCell<Vec<Parsed<'a>>>,
}

struct Parsed<'a> {
    daemon: Daemon,
    text: &'a str,
    document: Option<Arc<Document>>,
}

impl<'a> Configs<'a> {
    /// The configuration that a text is, as [`Daemon::config`] parses it.
    pub(super) fn parse(&self, daemon: Daemon, text: &'a HostText) -> Option<Arc<Document>> {
        let mut parsed = self.parsed.borrow_mut();
        let known = parsed.iter().find(|known| known.daemon == daemon && known.text == text.expose());
        if let Some(known) = known {
            return known.document.clone();
        }
        let document = daemon.config(text).map(Arc::new);
        parsed.push(Parsed { daemon, text: text.expose(), document: document.clone() });
        document
    }
}
