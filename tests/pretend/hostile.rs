//! A hostile host's reports on its actions can't keep an apply from ending, fill the
//! controller's memory, or make the controller count actions that it didn't request. The
//! cases are the files in `fixtures/hostile-reports`.

use crate::world::{APPLY, World};
use spore_drive::plan::action::{Action, Fallback, Running, Staged};
use spore_drive::plan::wire::{ActionReport, Outcome};
use spore_drive::plan::{Holder, HostError};
use spore_drive::pretend::{Fleet, here};
use spore_drive::remote::{Connection, Payload, Payloads, RemoteLimits, Run, Stop, TimeOut};
use spore_drive::render;
use spore_drive::resource::{Access, FileSource, Redactor, Sha256};
use spore_drive::ssh::{Credential, Dialer, KnownHosts, Login, Route, Server, key};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How much longer than its time-out a case may take.
const SOON: Duration = Duration::from_secs(30);

/// The maximum peak memory of this process, including other tests.
const MEMORY: u64 = 500 << 20;

struct Case {
    name: String,
    reports: String,
    expected: String,
    told: usize,
    limits: RemoteLimits,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile-reports");
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|p| case(&p))
        .collect()
}

fn case(path: &Path) -> Case {
    let reports = fs::read_to_string(path).unwrap();
    let value = |name: &str| {
        let line = reports.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(str::to_owned)
    };
    let patience = value("patience").unwrap_or("30".to_owned());
    Case {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        expected: value("expect").unwrap(),
        told: value("told").unwrap().parse().unwrap(),
        limits: limits(&["action=", &patience].concat()),
        reports,
    }
}

fn limits(time_out: &str) -> RemoteLimits {
    RemoteLimits::with(&[time_out.parse::<TimeOut>().unwrap()])
}

/// Replaces `sh` on all hosts of a fleet with the hostile one, which is hostile only on
/// hosts that have a file `reports`.
fn poison(fleet: &Path) {
    let sh = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pretend/hostile/sh");
    let to = fleet.join("stand-ins/sh");
    assert!(Command::new("cp").arg(sh).arg(&to).status().unwrap().success());
    assert!(Command::new("chmod").arg("755").arg(&to).status().unwrap().success());
}

/// The actions that the README of the cases lists, and their files.
fn actions() -> (Vec<Action>, Payloads) {
    let mut payloads = Payloads::default();
    let mut stage = |path: &str, content: &'static str| {
        let sha256 = Sha256::of(content.as_bytes());
        let source = FileSource::Plugin(path.to_owned());
        payloads.files.insert(source.clone(), Payload::Bytes(content.into()));
        Action::Stage(Staged { path: path.to_owned(), sha256, access: Access::root(0o600), source })
    };
    let files = [stage("/tb/a", "one"), stage("/tb/b", "two")];
    let directory = |path: &str| Action::MakeDirectory { path: path.to_owned(), access: Access::root(0o750) };
    let start = Action::Start {
        unit: "a.service".to_owned(),
        before: Running::Stopped,
        health: None,
        fallback: Fallback::Leave,
    };
    (files.into_iter().chain([directory("/tb"), directory("/tb/bin"), start]).collect(), payloads)
}

async fn connect(
    host: &spore_drive::pretend::SimulatedHost,
    login: &Login,
    known: &KnownHosts,
    limits: &RemoteLimits,
) -> Connection {
    let server = Server::new(host.address().clone(), known.clone(), vec![login.clone()]);
    let dialer = Dialer::new(limits.ssh, Redactor::default());
    Connection::connect(host.name().clone(), &Route::direct(server), &dialer, limits).await.unwrap()
}

/// Runs the actions, and returns how the run ended and the number of reports.
async fn outcome(
    host: &spore_drive::pretend::SimulatedHost,
    login: &Login,
    known: &KnownHosts,
    limits: &RemoteLimits,
    stop: &Stop,
    mut tell: impl FnMut(&ActionReport) + Send,
) -> (Result<Run, HostError>, usize) {
    let connected = connect(host, login, known, limits).await;
    let mut locked = connected.lock(&Holder::default()).await.unwrap();
    let (actions, payloads) = actions();
    let mut told = 0;
    let mut count = |report: ActionReport| {
        // Reports of the progress of sending aren't counted, because their number varies.
        told += usize::from(!matches!(report, ActionReport::Sent { .. }));
        tell(&report);
    };
    let run = locked.run(&actions, &payloads, stop, &mut count).await;
    (run, told)
}

struct Hosts {
    fleet: Fleet,
    login: Login,
    known: KnownHosts,
}

/// Simulated hosts with these names and these reports.
async fn hosts(reports: impl IntoIterator<Item = (&str, &str)>) -> Hosts {
    let mut fleet = Fleet::begin().unwrap();
    poison(fleet.directory());
    for (name, reports) in reports {
        let host = fleet.add(&name.parse().unwrap(), here()).await.unwrap();
        fs::write(host.root().join("reports"), reports).unwrap();
    }
    let user_key = key::load(Path::new("key"), &fleet.user_key().unwrap(), &mut |_: &Path| Ok(None)).unwrap();
    let login = Login { user: "root".to_owned(), credentials: vec![Credential::Key(user_key)] };
    let known = KnownHosts::parse(Path::new("known"), &fleet.known_hosts());
    Hosts { fleet, login, known }
}

#[test]
fn a_report_that_does_not_fit_ends_the_connection() {
    Runtime::new().unwrap().block_on(async {
        let cases = cases();
        let Hosts { fleet, login, known } =
            hosts(cases.iter().map(|case| (case.name.as_str(), case.reports.as_str()))).await;
        let mut running = JoinSet::new();
        for case in cases {
            let (login, known) = (login.clone(), known.clone());
            let host = fleet.host(&case.name.parse().unwrap()).unwrap().clone();
            running.spawn(async move {
                let begun = Instant::now();
                let (run, told) =
                    outcome(&host, &login, &known, &case.limits, &Stop::default(), |_| {}).await;
                let ended = match run {
                    Ok(Run::Done) => "done".to_owned(),
                    Ok(Run::Interrupted) => "interrupted".to_owned(),
                    Ok(Run::Stopped { at, outcome }) => format!("stopped at {at}: {}", text(&outcome)),
                    Err(error) => render::host_error(&error),
                };
                let is_soon = begun.elapsed() < case.limits.action + SOON;
                let is_right = is_soon && ended == case.expected && told == case.told;
                (!is_right).then(|| format!("{}: {ended} (told {told}, {:?})", case.name, begun.elapsed()))
            });
        }
        let wrong: Vec<String> = running.join_all().await.into_iter().flatten().collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak << 10 < MEMORY, "{peak} kB");
}

fn text(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Differs(differs) => &differs.what,
        Outcome::NoContent { path } => path,
        Outcome::Failed { text } => text,
        Outcome::Done | Outcome::Already => "",
    }
}

/// One request to stop is enough, whether the host is silent or never stops sending.
#[test]
fn after_an_interrupt_a_host_is_waited_for_no_longer_than_the_grace() {
    Runtime::new().unwrap().block_on(async {
        let hosts = hosts([("silent", "say 0 began\nhang\n")]).await;
        let limits = limits("interrupt=0.5");
        let stop = Stop::default();
        let host = hosts.fleet.host(&"silent".parse().unwrap()).unwrap();
        let mut asked = None;
        let (run, _) = outcome(host, &hosts.login, &hosts.known, &limits, &stop, |_| {
            stop.ask();
            asked = Some(Instant::now());
        })
        .await;
        let error = render::host_error(&run.unwrap_err());
        assert_eq!(error, "still running this action 0.5 s after the interrupt");
        let waited = asked.unwrap().elapsed();
        assert!(waited < Duration::from_secs(20), "{waited:?}");
    });
}

/// This also holds when nodes are checked, and for a host that doesn't even read its
/// script.
#[test]
fn after_an_interrupt_no_request_outlasts_the_grace() {
    Runtime::new().unwrap().block_on(async {
        let reports = [("silent", "hang\n"), ("mute", "hang\n"), ("deaf", "deaf\n")];
        let Hosts { fleet, login, known } = hosts(reports).await;
        let limits = limits("interrupt=0.5");
        let locked = async |name: &str| {
            let host = fleet.host(&name.parse().unwrap()).unwrap();
            let host = connect(host, &login, &known, &limits).await;
            host.lock(&Holder::default()).await.unwrap()
        };

        let (mut silent, stop) = (locked("silent").await, Stop::default());
        let begun = Instant::now();
        let units = ["a.service".to_owned()];
        let (seen, ()) = tokio::join!(biased; silent.watch(&units, &stop), async { stop.ask() });
        assert_eq!(
            render::host_error(&seen.unwrap_err()),
            "still collecting facts 0.5 s after the interrupt"
        );
        // A request that begins after the interrupt has the same grace period.
        let mut mute = locked("mute").await;
        assert!(matches!(mute.watch(&units, &stop).await, Err(HostError::Abandoned { .. })));

        let (mut deaf, stop) = (locked("deaf").await, Stop::default());
        // This is more data than the connection buffers for a host that doesn't read.
        let directory = |n| {
            let path = format!("/tb/{n}{}", "x".repeat(3000));
            Action::MakeDirectory { path, access: Access::root(0o750) }
        };
        let actions: Vec<Action> = (0..4000).map(directory).collect();
        let (payloads, mut tell) = (Payloads::default(), |_| {});
        let run = deaf.run(&actions, &payloads, &stop, &mut tell);
        let (run, ()) = tokio::join!(biased; run, async { stop.ask() });
        assert_eq!(
            render::host_error(&run.unwrap_err()),
            "still starting this action 0.5 s after the interrupt"
        );
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    });
}

/// The real program names the hostile host, applies the plan on the other hosts, and fails.
#[test]
fn an_apply_names_the_hostile_host() {
    let world = World::hostile("say 0 began\nrepeat 200000 0 done\n");
    let run = world.spore(&[APPLY, &["--max-failures", "1"]].concat()).exits(1);
    run.says("✗ h4 ").says(": unexpected answer while starting this action: `0 done` (expected `1 began`);");
    run.says("✓ h1 staged");
    assert!(!run.text.contains("200000"), "{run}");
}

#[test]
fn one_interrupt_ends_an_apply_whose_host_does_not_answer() {
    let world = World::hostile("say 0 began\nhang\n");
    let words = ["--timeout", "remind=0.2", "--timeout", "interrupt=1"];
    let mut apply = world.command(&[APPLY, &words].concat());
    let mut apply = apply.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(apply.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("still waiting") && line.contains("h4 (")));
    let begun = Instant::now();
    assert!(Command::new("kill").args(["-INT", &apply.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(apply.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let said = "still running this action 1 s after the interrupt";
    assert!(rest.iter().any(|line| line.contains("✗ h4 ") && line.contains(said)), "{rest:?}");
    let mut errors = String::new();
    apply.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(errors.contains("interrupted: finishing running actions, for at most 1 s"), "{errors}");
}

impl World {
    /// A world in which h4 answers with these reports.
    fn hostile(reports: &str) -> Self {
        let world = Self::new();
        let root = world.host("h4").root();
        poison(root.parent().and_then(Path::parent).unwrap());
        fs::write(root.join("reports"), reports).unwrap();
        world
    }
}
