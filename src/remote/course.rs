//! What a failure means for what comes after it. It is decided here, and
//! nowhere else:
//!
//! - A host that can't be staged, or that fails, is left out from then on.
//! - Failures in a wave end the apply after that wave, unless as many are
//!   allowed; where an elder or a canary failed, nothing follows, and where
//!   anything did, nothing is removed: it may be missed.
//! - Without an elder that is up, nothing begins that would dial one.
//! - A rotation begins on all hosts or on none, and goes on whatever happens:
//!   nodes with the old secret and with the new one can't talk, so that once
//!   some have the new one, the others must get it. One that was ended half-way
//!   all the same is finished wherever it can be.

use super::Failure;
use crate::plan::{Plan, Rank, Rotation, Wave};
use crate::resource::HostName;
use std::collections::{BTreeMap, BTreeSet};

/// By host, what went wrong there.
pub(super) type Failed = BTreeMap<HostName, Failure>;

/// How an apply goes, told what has failed until then.
#[derive(Debug)]
pub(super) struct Course<'a> {
    plan: &'a Plan,
    max_failures: usize,
    unstaged: usize,
    goes_on: bool,
    /// While secrets are rotated: who had failed before that began.
    rotating_without: Option<BTreeSet<HostName>>,
    /// Whether a wave has begun that dials elders.
    dials: bool,
    /// Whether it ended for want of an elder.
    pub(super) without_elder: bool,
}

impl<'a> Course<'a> {
    pub(super) fn new(plan: &'a Plan, max_failures: usize) -> Self {
        Self {
            plan,
            max_failures,
            unstaged: 0,
            goes_on: true,
            rotating_without: None,
            dials: false,
            without_elder: false,
        }
    }

    /// Everything is staged, but for what failed.
    pub(super) fn staged(&mut self, failed: &Failed) {
        self.unstaged = failed.len();
        self.goes_on = failed.is_empty() || self.plan.rotation != Some(Rotation::Begins);
    }

    /// Whether a wave begins. `stop`: somebody has asked for an end.
    pub(super) fn begins(&mut self, wave: &Wave, failed: &Failed, stop: bool) -> bool {
        if self.rotating_without.is_some() && wave.rank.is_rotation() {
            return true;
        }
        self.rotating_without = None;
        let begins_rotation = wave.rank.is_rotation() && self.plan.rotation == Some(Rotation::Begins);
        self.goes_on &= !stop && (failed.is_empty() || !begins_rotation);
        self.goes_on &= wave.rank != Rank::Remove || failed.len() == self.unstaged;
        if self.goes_on && wave.rank.dials() && !self.dials {
            // Those that came up are up, whatever fails on their hosts from now on.
            self.dials = true;
            let has_failed = |host| failed.contains_key(host);
            self.without_elder =
                self.plan.elders.as_ref().is_some_and(|elders| elders.iter().all(has_failed));
            self.goes_on = !self.without_elder;
        }
        if self.goes_on && wave.rank.is_rotation() {
            self.rotating_without = Some(failed.keys().cloned().collect());
        }
        self.goes_on
    }

    /// Whether a host takes part in the wave that has begun.
    pub(super) fn takes_part(&self, host: &HostName, failed: &Failed) -> bool {
        match &self.rotating_without {
            Some(without) => !without.contains(host),
            None => !failed.contains_key(host),
        }
    }

    /// A wave has ended; `before` it, so many hosts had failed.
    pub(super) fn ended(&mut self, wave: &Wave, before: usize, failed: &Failed) {
        let failures = failed.len();
        self.goes_on &=
            failures - self.unstaged <= self.max_failures && !(failures > before && wave.rank.is_decisive());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &str) -> BTreeSet<HostName> {
        names.split_whitespace().filter_map(|name| name.parse().ok()).collect()
    }

    /// The waves that begin, and who takes part: `e` is an elder's host, `m` and
    /// `n` are others. Who fails is said by wave, counted from one; zero is the
    /// stage.
    fn course(
        ranks: &[(Rank, &str)],
        elders: Option<&str>,
        max_failures: usize,
        fails: &[(usize, &str)],
    ) -> String {
        rotation(Rotation::Begins, ranks, elders, max_failures, fails)
    }

    fn rotation(
        rotation: Rotation,
        ranks: &[(Rank, &str)],
        elders: Option<&str>,
        max_failures: usize,
        fails: &[(usize, &str)],
    ) -> String {
        let wave = |(rank, names): &(Rank, &str)| Wave {
            rank: *rank,
            hosts: hosts(names).into_iter().map(|host| (host, Vec::new())).collect(),
        };
        let plan = Plan {
            waves: ranks.iter().map(wave).collect(),
            elders: elders.map(hosts),
            rotation: ranks.iter().any(|(rank, _)| rank.is_rotation()).then_some(rotation),
            ..Plan::default()
        };
        let fail = |failed: &mut Failed, at: usize, took_part: &BTreeSet<HostName>| {
            let here = fails.iter().filter(|(wave, _)| *wave == at).flat_map(|(_, names)| hosts(names));
            let failure = Failure { action: None, change: None, what: String::new(), is_stale: false };
            failed.extend(here.filter(|host| took_part.contains(host)).map(|host| (host, failure.clone())));
        };
        let mut failed = Failed::new();
        let mut course = Course::new(&plan, max_failures);
        fail(&mut failed, 0, &hosts("e f m n"));
        course.staged(&failed);
        let mut begun = Vec::new();
        for (i, wave) in plan.waves.iter().enumerate() {
            if !course.begins(wave, &failed, false) {
                continue;
            }
            let take_part: BTreeSet<HostName> =
                wave.hosts.keys().filter(|host| course.takes_part(host, &failed)).cloned().collect();
            let names: Vec<&str> = take_part.iter().map(HostName::as_str).collect();
            begun.push(format!("{:?} {}", wave.rank, names.join(" ")).trim().to_owned());
            let before = failed.len();
            fail(&mut failed, i + 1, &take_part);
            course.ended(wave, before, &failed);
        }
        if course.without_elder {
            begun.push("no elder".to_owned());
        }
        begun.join(", ")
    }

    use Rank::{
        Canary, Remove, Rotate, RotateBootstrap, Settle, Start, StartBootstrap, Update, UpdateBootstrap,
    };

    const FIRST: &[(Rank, &str)] = &[(Settle, "e m n"), (StartBootstrap, "e f"), (Start, "m n")];
    const UPDATE: &[(Rank, &str)] = &[(UpdateBootstrap, "e"), (Canary, "m"), (Update, "n"), (Remove, "f")];
    const ROTATION: &[(Rank, &str)] =
        &[(Settle, "e m"), (RotateBootstrap, "e f"), (Rotate, "e m n"), (Start, "n"), (Remove, "m")];

    #[test]
    fn who_fails_is_left_out_and_what_follows_waits() {
        assert_eq!(course(UPDATE, None, 0, &[]), "UpdateBootstrap e, Canary m, Update n, Remove f");
        assert_eq!(course(UPDATE, None, 0, &[(0, "n")]), "UpdateBootstrap e, Canary m, Update, Remove f");
        assert_eq!(course(UPDATE, None, 0, &[(3, "n")]), "UpdateBootstrap e, Canary m, Update n");
        assert_eq!(course(UPDATE, None, 1, &[(3, "n")]), "UpdateBootstrap e, Canary m, Update n");
        // Whatever is allowed.
        assert_eq!(course(UPDATE, None, 9, &[(1, "e")]), "UpdateBootstrap e");
        assert_eq!(course(UPDATE, None, 9, &[(2, "m")]), "UpdateBootstrap e, Canary m");
    }

    #[test]
    fn without_an_elder_nothing_starts_that_dials_one() {
        let all = "Settle e m n, StartBootstrap e f, Start m n";
        assert_eq!(course(FIRST, Some("e f"), 0, &[]), all);
        // Another one comes up.
        let other = "Settle m n, StartBootstrap f, Start m n";
        assert_eq!(course(FIRST, Some("e f"), 0, &[(0, "e")]), other);
        let none = "Settle m n, StartBootstrap, no elder";
        assert_eq!(course(FIRST, Some("e f"), 0, &[(0, "e f")]), none);
        assert_eq!(course(FIRST, Some("e"), 1, &[(1, "e")]), "Settle e m n, StartBootstrap f, no elder");
        // What else fails on its host doesn't take it down.
        let shared: &[(Rank, &str)] = &[(StartBootstrap, "e"), (Start, "e m"), (Canary, "n")];
        assert_eq!(course(shared, Some("e"), 1, &[(2, "e")]), "StartBootstrap e, Start e m, Canary n");
        // One is up already.
        assert_eq!(course(FIRST, None, 0, &[(0, "e f")]), "Settle m n, StartBootstrap, Start m n");
        // None can come up.
        assert_eq!(course(&[(Canary, "m"), (Remove, "n")], Some(""), 0, &[]), "no elder");
    }

    #[test]
    fn a_rotation_begins_on_all_hosts_or_on_none() {
        assert_eq!(course(ROTATION, None, 9, &[(0, "n")]), "");
        assert_eq!(course(ROTATION, None, 9, &[(1, "m")]), "Settle e m");
    }

    #[test]
    fn a_rotation_is_never_stopped_half_way_and_nothing_follows_a_failed_elder() {
        let rotated = "Settle e m, RotateBootstrap e f, Rotate e m n";
        assert_eq!(course(ROTATION, None, 0, &[(2, "e f")]), rotated);
        assert_eq!(course(ROTATION, None, 9, &[(2, "e")]), rotated);
        assert_eq!(course(ROTATION, None, 0, &[(3, "m")]), rotated);
        assert_eq!(course(ROTATION, None, 1, &[(3, "n")]), format!("{rotated}, Start"));
    }

    #[test]
    fn a_rotation_that_was_begun_is_finished_wherever_it_can_be() {
        let finish = |fails: &[(usize, &str)]| rotation(Rotation::Finishes, ROTATION, None, 1, fails);
        let rest = "Settle e m, RotateBootstrap e f, Rotate e m, Start, Remove m";
        assert_eq!(finish(&[(0, "n")]), rest);
        assert_eq!(finish(&[(1, "m")]), "Settle e m, RotateBootstrap e f, Rotate e n, Start n");
    }
}
