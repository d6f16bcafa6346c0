//! The hostile hosts that `fixtures/answers/README.md` describes, and the conditions that
//! must hold for each. Several tests use this file, and so does `tests/fuzz`.

use spore_drive::desired::{ArtifactRef, Supplies};
use spore_drive::facts;
use spore_drive::network::Network;
use spore_drive::plan::{Holder, Options, Plan, Planner, Probed, Unplanned};
use spore_drive::render::{self, Style};
use spore_drive::resource::{DigestKey, HostName, Redactor, SecretBytes, Sha256, Untrusted, is_hidden};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const FOLDER: &str = "fixtures/plans/first/folder";
const CASES: &str = "fixtures/answers";
/// The host that sends the answers, and another host of the network.
const HOSTILE: &str = "h4";
const OTHER: &str = "h5";

/// The maximum CPU time for one host. A debug build needs ten times as long.
pub(crate) const SOON: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// One of the files in `hostile`.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Words that the line about the host must contain; `None` if the host is planned.
    pub(crate) says: Option<String>,
    /// What the host sends.
    pub(crate) answer: String,
}

pub(crate) fn cases() -> Vec<Case> {
    let mut paths: Vec<_> =
        fs::read_dir(format!("{CASES}/hostile")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| case(&path.file_stem().unwrap().to_string_lossy(), &fs::read_to_string(path).unwrap()))
        .collect()
}

fn case(name: &str, text: &str) -> Case {
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("# ")), "{name} doesn't say what it is about");
    let says = match lines.next() {
        Some("says nothing") => None,
        Some(line) => Some(line.strip_prefix("says: ").unwrap().to_owned()),
        None => panic!("{name} is empty"),
    };
    let mut answer = String::new();
    for line in lines {
        let line = unescaped(line);
        let directive = line.strip_prefix('@').and_then(|rest| rest.split_once(' ').or(Some((rest, ""))));
        match directive {
            Some(("base", "")) => answer.push_str(base().strip_suffix("end\n").unwrap()),
            Some(("swap", rest)) => {
                let (old, new) = rest.split_once(" => ").unwrap();
                assert!(answer.contains(old), "{name}: nothing says `{old}`");
                answer = answer.replace(old, new);
            }
            Some(("fill", rest)) => {
                let (times, text) = rest.split_once(' ').unwrap();
                answer += &text.repeat(times.parse().unwrap());
                answer.push('\n');
            }
            Some((times, text)) if times.parse::<usize>().is_ok() => {
                for n in 0..times.parse().unwrap() {
                    answer += &text.replace("{n}", &n.to_string());
                    answer.push('\n');
                }
            }
            _ => {
                answer += &line;
                answer.push('\n');
            }
        }
    }
    Case { name: name.to_owned(), says, answer }
}

/// The valid answer from which hostile answers are made.
pub(crate) fn base() -> String {
    let network = Network::read(FOLDER.as_ref()).unwrap();
    let text = fs::read_to_string(format!("{CASES}/base.answer")).unwrap();
    text.replace("@key@", &fingerprint(&network, HOSTILE))
}

/// What a host's answer says of the key of its digests.
pub(crate) fn fingerprint(network: &Network, host: &str) -> String {
    DigestKey::derive(network.swarm_key.here().unwrap().line(), host).fingerprint().to_string()
}

/// The texts to put into fields.
pub(crate) fn strings() -> Vec<String> {
    fs::read_to_string(format!("{CASES}/strings.txt")).unwrap().lines().map(unescaped).collect()
}

fn unescaped(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        text += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("u{") {
            let (digits, after) = after.split_once('}').unwrap();
            text.push(char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap());
            rest = after;
        } else {
            let c = rest.chars().next().unwrap();
            text.push(match c {
                'e' => '\u{1b}',
                'r' => '\r',
                'n' => '\n',
                't' => '\t',
                c => c,
            });
            rest = &rest[c.len_utf8()..];
        }
    }
    text + rest
}

/// A network with a hostile host.
pub(crate) struct World {
    planner: Planner,
    /// The answer of the other host.
    bare: String,
    /// Masks `KEY` and `PASSWORD`.
    redactor: Redactor,
}

/// A long secret, which no page may contain.
pub(crate) const KEY: &str = "SECRETsecretSECRETsecret";
/// A short secret, which no quoted text of a host may contain.
pub(crate) const PASSWORD: &str = "hunter2";

impl World {
    pub(crate) fn new() -> Self {
        let network = Network::read(FOLDER.as_ref()).unwrap();
        let mut supplies = Supplies::default();
        for architecture in spore_drive::artifact::Architecture::ALL {
            let artifact = ArtifactRef { sha256: Sha256::of(b"tau"), size: Some(100) };
            supplies.tau.insert(architecture, artifact);
        }
        let options = Options { purge_storage: true, ..Options::default() };
        let planner = Planner::new(&network, &supplies, options).unwrap();
        let bare = fs::read_to_string("fixtures/plans/answers/debian-12.answer").unwrap();
        let bare = bare.replacen("asked\t", &format!("key\t{}\nasked\t", fingerprint(&network, OTHER)), 1);
        let redactor = Redactor::new(&[KEY, PASSWORD].map(SecretBytes::new), [""; 0]);
        Self { planner, bare, redactor }
    }

    /// Plans the network with this answer of the hostile host, and returns everything that
    /// is shown of the plan.
    ///
    /// # Errors
    /// If a condition doesn't hold, a description of it.
    pub(crate) fn judge(&self, answer: &str) -> Result<String, String> {
        let begun = cpu();
        let (plan, page) =
            catch_unwind(AssertUnwindSafe(|| self.page(answer))).map_err(|_| "a panic".to_owned())?;
        let took = cpu() - begun;
        is_harmless(&page)?;
        if KEY.as_bytes().windows(12).any(|piece| page.as_bytes().windows(12).any(|shown| shown == piece)) {
            return Err(format!("a key is shown:\n{page}"));
        }
        if took > SOON {
            return Err(format!("it took {took:?} of CPU time"));
        }
        let other: HostName = OTHER.parse().unwrap();
        if !plan.changes.iter().any(|(id, _)| id.host == other) {
            return Err(format!("{OTHER} isn't planned:\n{page}"));
        }
        if page.len() > 1 << 20 {
            return Err(format!("{} bytes are shown", page.len()));
        }
        Ok(page)
    }

    fn page(&self, answer: &str) -> (Plan, String) {
        let silent = || Probed::Nothing(Unplanned::NoLogin(Vec::new()));
        let mut probed: BTreeMap<HostName, Probed> =
            self.planner.hosts().keys().map(|name| (name.clone(), silent())).collect();
        let mut holder = None;
        for (name, answer) in [(OTHER, self.bare.as_str()), (HOSTILE, answer)] {
            let host = match facts::parse(&Untrusted::new(answer), &self.redactor) {
                Ok(facts) => {
                    holder = facts.holder.as_ref().map(|text| Holder::parse(text, &self.redactor));
                    Probed::Facts(Box::new(facts))
                }
                Err(error) => Probed::Nothing(Unplanned::Answer(error)),
            };
            probed.insert(name.parse().unwrap(), host);
        }
        let plan = self.planner.plan(&probed).unwrap();
        let locked = plan.nodes.keys().next().map(|node| &node.host).into_iter();
        let locked = locked.filter_map(|host| Some((host.clone(), holder.clone()?))).collect();
        let words = render::page(&plan, &locked);
        let mut page = render::header(&words, "") + &render::text(&words, Style::Plain);
        let waves = plan.waves.iter().flat_map(|wave| wave.hosts.values());
        for planned in plan.stage.values().chain(waves).flatten() {
            page += &render::action(&planned.action);
            page.push('\n');
        }
        (plan, page)
    }
}

/// Checks that a terminal shows the text unchanged.
///
/// # Errors
/// If the text has a control character or an invisible one, the line with it.
pub(crate) fn is_harmless(text: &str) -> Result<(), String> {
    match text.split('\n').find(|line| line.contains(is_hidden)) {
        Some(line) => Err(format!("shown as it is: {line:?}")),
        None => Ok(()),
    }
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
