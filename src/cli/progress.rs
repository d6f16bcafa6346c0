//! Shows the progress of an apply. The entry point is [`show`]. Each action that ends gets
//! a line. Staging has many actions, so without `--verbose` each host that is staged gets
//! one line instead. On a terminal, long actions get a bar or a spinner; otherwise a line
//! at regular intervals reports what the apply is waiting for.

use super::events::EventLog;
use super::terminal;
use crate::plan::Plan;
use crate::plan::action::Action;
use crate::plan::scheduler::Next;
use crate::plan::wire::ActionReport;
use crate::remote::{ApplyEvent, ApplyEventKind};
use crate::render::{self, Moved, Style, Tone};
use crate::resource::HostName;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval};

/// The state of the display: its settings, and the actions that are running.
pub(super) struct Watched {
    style: Style,
    waves: usize,
    /// The current wave, from zero.
    wave: Option<usize>,
    /// For each host, the number of stage actions that haven't ended. Empty after staging,
    /// and with `--verbose`.
    staging: BTreeMap<HostName, usize>,
    verbose: bool,
    bars: Option<MultiProgress>,
    bar_of: BTreeMap<HostName, ProgressBar>,
    /// For each host, the running action, and how much of its file has been moved.
    running: BTreeMap<HostName, (Action, Option<Moved>)>,
    /// When the current stage or wave began.
    since: Instant,
}

/// Shows each event until the sender is dropped. During a long stage or wave, reports after
/// every `remind` interval what the apply is waiting for.
/// `log`, if there is one, gets the same events. Returns the log.
pub(super) async fn show(
    mut events: UnboundedReceiver<ApplyEvent>,
    mut watched: Watched,
    mut log: Option<EventLog>,
    remind: Duration,
) -> Option<EventLog> {
    let mut reminders = interval(remind.max(Duration::from_millis(10)));
    reminders.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return log };
                if let Some(log) = &mut log {
                    log.tell(&event);
                }
                let ApplyEvent { at: _, kind } = event;
                if matches!(kind, ApplyEventKind::Began(_)) {
                    reminders.reset();
                    watched.since = Instant::now();
                }
                watched.show(kind);
            }
            _ = reminders.tick() => watched.remind(),
        }
    }
}

/// The maximum number of hosts that a reminder names.
const NAMED: usize = 8;

impl Watched {
    pub(super) fn new(plan: &Plan, style: Style, verbose: bool) -> Self {
        let staging = plan.stage.iter().filter(|_| !verbose);
        Self {
            style,
            waves: plan.waves.len(),
            wave: None,
            staging: staging.map(|(host, actions)| (host.clone(), actions.len())).collect(),
            verbose,
            bars: terminal::shows_progress().then(MultiProgress::new),
            bar_of: BTreeMap::new(),
            running: BTreeMap::new(),
            since: Instant::now(),
        }
    }

    /// `  … still waiting after 20 s: h3 (restart tau@worker.service, until healthy), h4 (install docker.io)`
    fn remind(&self) {
        if self.bars.is_some() || self.running.is_empty() {
            return;
        }
        let named = self.running.iter().take(NAMED);
        let mut waiting: Vec<String> = named
            .map(|(host, (action, sent))| format!("{host} ({})", render::waiting(action, *sent)))
            .collect();
        if let more @ 1.. = self.running.len() - waiting.len() {
            waiting.push(format!("and {more} more"));
        }
        let seconds = self.since.elapsed().as_secs();
        self.line(&format!("  … still waiting after {seconds} s: {}", waiting.join(", ")));
    }

    fn show(&mut self, kind: ApplyEventKind) {
        match kind {
            ApplyEventKind::Began(Next::Stage(_)) => self.line(&self.style.paint(Tone::Strong, "stage")),
            ApplyEventKind::Began(Next::Run { wave, hosts: _ }) => {
                self.staging.clear();
                let rest = if self.wave.replace(wave) == Some(wave) { ", continued" } else { "" };
                let heading = format!("wave {} of {}{rest}", wave + 1, self.waves);
                self.line(&self.style.paint(Tone::Strong, heading));
            }
            ApplyEventKind::Began(Next::Look(_)) if self.verbose => {
                self.line("  … checking that the nodes are still up");
            }
            ApplyEventKind::Began(Next::Wait(hosts)) if self.verbose => {
                let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
                self.line(&format!("  … waiting until these have stayed healthy: {}", hosts.join(", ")));
            }
            ApplyEventKind::Began(Next::Look(_) | Next::Wait(_) | Next::Finished)
            | ApplyEventKind::Started(_)
            | ApplyEventKind::Ended(_) => {}
            ApplyEventKind::Skipped(skipped) => {
                for line in render::skips(&skipped) {
                    self.line(&format!("  {} skipped {line}", self.style.paint(Tone::Faint, "–")));
                }
            }
            ApplyEventKind::Died(node) => {
                let sign = self.style.paint(Tone::Bad, "✗");
                self.line(&format!("  {sign} {} {}", node.host, render::died(&node)));
            }
            ApplyEventKind::Action {
                report: ActionReport::Runs { .. } | ActionReport::Settles { .. },
                ..
            } => {}
            ApplyEventKind::Action { host, action, report: ActionReport::NotReached { .. }, .. } => {
                self.line(&format!("  … {host} {}: {}", render::action(&action.action), render::NOT_REACHED));
            }
            ApplyEventKind::Action { host, action, report: ActionReport::Began { .. }, .. } => {
                self.running.insert(host.clone(), (action.action.clone(), None));
                self.began(host, &action.action);
            }
            ApplyEventKind::Action { host, report: ActionReport::Sent { sent, total, .. }, .. } => {
                if let Some((_, bytes)) = self.running.get_mut(&host) {
                    *bytes = Some(Moved::Sent { sent, total });
                }
                self.moved(host, sent, Some(total));
            }
            ApplyEventKind::Action { host, action, report: ActionReport::Got { bytes, .. }, .. } => {
                if let Some((_, moved)) = self.running.get_mut(&host) {
                    *moved = Some(Moved::Downloaded(bytes));
                }
                let total = match &action.action {
                    Action::Fetch { download, .. } => download.size.filter(|_| !download.packed),
                    _ => None,
                };
                self.moved(host, bytes, total);
            }
            ApplyEventKind::Action { host, action, report: ActionReport::NotFetched { why, .. }, .. } => {
                if let Some(bar) = self.bar_of.remove(&host) {
                    bar.finish_and_clear();
                }
                self.line(&format!("  … {host} {}", render::not_fetched(&action.action, &why)));
            }
            ApplyEventKind::Action { host, wave, action, report: ActionReport::Ended { outcome, .. } } => {
                self.clear(&host);
                let of_wave = self.of_wave(wave);
                match self.staging.get_mut(&host).filter(|_| outcome.is_good()) {
                    Some(left) if *left > 1 => *left -= 1,
                    Some(_) => {
                        self.line(&format!("  {} {host} staged", self.style.paint(Tone::Good, "✓")));
                    }
                    None => {
                        let text = render::ended(&host, &action.action, &outcome, self.style);
                        self.line(&format!("{}{of_wave}", text.trim_end_matches('\n')));
                    }
                }
            }
            ApplyEventKind::Lost { host, wave, action, error } => {
                self.clear(&host);
                let sign = self.style.paint(Tone::Bad, "✗");
                let what = action.map(|action| format!(" {}", render::action(&action.action)));
                let what = what.unwrap_or_default();
                self.line(&format!(
                    "  {sign} {host}{what}: {}; {}{}",
                    render::host_error(&error),
                    render::host_help(&error),
                    self.of_wave(wave)
                ));
            }
        }
    }

    /// What is added to a line if it isn't about the current wave.
    fn of_wave(&self, wave: Option<usize>) -> String {
        match wave.filter(|wave| Some(*wave) != self.wave) {
            Some(wave) => self.style.paint(Tone::Faint, format!(" (wave {})", wave + 1)).to_string(),
            None => String::new(),
        }
    }

    fn line(&self, text: &str) {
        let text = format!("{text}\n");
        match &self.bars {
            Some(bars) => bars.suspend(|| terminal::out(&text)),
            None => terminal::out(&text),
        }
    }

    /// Shows that an action begins, if it is one that may take minutes.
    fn began(&mut self, host: HostName, action: &Action) {
        if !matches!(
            action,
            Action::Install { .. } | Action::Start { .. } | Action::Await { .. } | Action::Stop { .. }
        ) {
            return;
        }
        let text = format!("{host} {}", render::action(action));
        match &self.bars {
            Some(bars) => {
                let bar = bars.add(ProgressBar::new_spinner().with_message(text));
                if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(100));
                self.bar_of.insert(host, bar);
            }
            None if self.verbose => self.line(&format!("  … {text}")),
            None => {}
        }
    }

    fn moved(&mut self, host: HostName, bytes: u64, total: Option<u64>) {
        let Some(bars) = &self.bars else { return };
        let bar = self.bar_of.entry(host).or_insert_with_key(|host| {
            let bar = bars.add(ProgressBar::new(total.unwrap_or_default()));
            let template = match total {
                Some(_) => "  {msg} {bar:30} {bytes}/{total_bytes}",
                None => "  {msg} {bytes}",
            };
            // The template is valid. If it weren't, the default style would do.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(host.to_string());
            bar
        });
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
    }

    fn clear(&mut self, host: &HostName) {
        self.running.remove(host);
        if let Some(bar) = self.bar_of.remove(host) {
            bar.finish_and_clear();
        }
    }
}
