//! Nodes that don't become healthy, and their fallbacks.

use super::{
    Action, Done, Fallback, HostState, Impossible, OrderedAction, PathFact, Simulation, kept_path, node,
    staged_path,
};
use spore_drive::daemon::tau;
use spore_drive::desired::Desired;
use spore_drive::plan::action::Replaced;

/// The number of steps of a fallback. A host may be cut off after each step.
pub(crate) fn steps_of(fallback: &Fallback) -> usize {
    match fallback {
        Fallback::Leave => 0,
        Fallback::Stop => 1,
        Fallback::Revert { files, health: _ } => files.len() + 1,
    }
}

impl Simulation {
    /// Does an action that starts or awaits a node, lets the node die repeatedly, and does
    /// the first `cut` steps of its fallback.
    ///
    /// # Errors
    /// Where the host would refuse it.
    pub(crate) fn fail(
        &mut self,
        ordered: OrderedAction<'_>,
        desired: &Desired,
        cut: usize,
    ) -> Result<(), Impossible> {
        self.now_ns += super::SECOND;
        let refused =
            |why| Impossible { host: ordered.host.clone(), action: Box::new(ordered.action.clone()), why };
        let Some(facts) = self.hosts.get_mut(ordered.host) else {
            return Err(refused("nothing is known of this host".to_owned()));
        };
        let mut host = HostState { name: ordered.host, facts, desired, now_ns: self.now_ns };
        host.fail(ordered.action, cut).map_err(refused)
    }
}

impl HostState<'_> {
    fn fail(&mut self, action: &Action, cut: usize) -> Done {
        let (unit, fallback) = match action {
            Action::Start { unit, before, health: _, fallback } => {
                self.before_start(unit, before, true)?;
                (unit, fallback)
            }
            Action::Await { unit, health: _, fallback } => (unit, fallback),
            _ => return Err("it starts nothing".to_owned()),
        };
        self.switched(fallback)?;
        self.crash(unit);
        match fallback {
            Fallback::Leave => Ok(()),
            Fallback::Stop => {
                if cut > 0 {
                    node::set(self.unit(unit), "inactive", "dead");
                }
                Ok(())
            }
            Fallback::Revert { files, health: _ } => {
                files.iter().take(cut).try_for_each(|file| self.put_back(file))?;
                if cut <= files.len() {
                    return Ok(());
                }
                if files.iter().any(|file| file.path == tau::template().path()) {
                    self.reload();
                }
                let shape = super::node::shape_of_unit(unit).ok_or("it is no node's")?;
                self.start_node(unit, &shape)?;
                self.discard_kept(fallback);
                Ok(())
            }
        }
    }

    /// The node dies, and systemd starts it again.
    fn crash(&mut self, unit: &str) {
        self.silence(unit);
        let now_ns = self.now_ns;
        let unit = self.unit(unit);
        node::set(unit, "activating", "auto-restart");
        "exit-code".clone_into(&mut unit.result);
        unit.invocation = Some(format!("start-{now_ns}"));
        unit.pid = None;
        unit.restarts = 2;
        unit.healthy = false;
    }

    /// Checks that every file that the fallback restores has been replaced.
    pub(super) fn switched(&self, fallback: &Fallback) -> Done {
        let Fallback::Revert { files, health: _ } = fallback else { return Ok(()) };
        files.iter().try_for_each(|file| match self.facts.paths.get(&file.path) {
            Some(PathFact::File(found)) if found.sha256 == Some(file.new) => Ok(()),
            other => Err(format!("{} is {other:?}", file.path)),
        })
    }

    pub(super) fn discard_kept(&mut self, fallback: &Fallback) {
        let Fallback::Revert { files, health: _ } = fallback else { return };
        for file in files {
            let kept = kept_path(&file.path, &file.old);
            self.facts.paths.remove(&kept);
            self.facts.texts.remove(&kept);
        }
    }

    fn put_back(&mut self, file: &Replaced) -> Done {
        let (path, kept) = (&file.path, kept_path(&file.path, &file.old));
        let old = match self.facts.paths.get(&kept) {
            Some(PathFact::File(old)) if old.sha256 == Some(file.old) => old.clone(),
            other => return Err(format!("{kept} is {other:?}")),
        };
        let new = self.facts.paths.insert(path.clone(), PathFact::File(old));
        if let Some(new) = new {
            self.facts.paths.insert(staged_path(path, &file.new), new);
        }
        match self.facts.texts.get(&kept).cloned() {
            Some(text) => self.facts.texts.insert(path.clone(), text),
            None => self.facts.texts.remove(path),
        };
        if path == tau::template().path() {
            self.unit_file_changed();
        }
        Ok(())
    }
}
