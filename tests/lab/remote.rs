//! Shells, actions and locks on real hosts.

#![expect(clippy::unwrap_used, reason = "a test that meets something else fails there")]

use std::{
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use spore_drive::{
    plan::{
        Holder, HostError,
        action::{Action, Fallback, Running, Staged},
        wire::{ActionReport, Outcome},
    },
    remote::{Connection, Locked, NotLocked, Payload, Payloads, Program, RemoteLimits, Run, Stop},
    render,
    resource::{
        Access, FileSource, Health, Port, Printable, Redactor, SecretBytes, Sha256, Transport, Untrusted,
    },
    ssh::{self, Credential, Dialer, KnownHosts, Login, Route, Server, ServerAddress},
};

use crate::host::{self, Lab, Suite, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A unit that becomes healthy on port 2222, and its health check.
const UNIT: &str = "[Service]\nExecStart=/bin/sh -c 'echo started! with id: 7; exec /usr/sbin/sshd -D -p 2222'\n\
    ExecStartPre=/bin/sh -c 'umask 077; d=/run/spore/probe/$INVOCATION_ID; mkdir -p $d; cd /tb/config && sha256sum probe.yaml >$d/digests'\n\
    [Install]\nWantedBy=multi-user.target\n";

pub(crate) fn acts(lab: &Lab) {
    let hosts = lab.up([("bookworm", Suite::Bookworm.machine()), ("trixie", Suite::Trixie.machine())]);
    block_on(async {
        let [bookworm, trixie] = &hosts;
        for (host, user) in [(bookworm, "root"), (trixie, "tau")] {
            let mut connected = connect(lab, host, user, &RemoteLimits::default()).await;
            let who = SecretBytes::new("hostname; id -u; printf 'no break'");
            let said = format!("{}\n0\nno break", host.name());
            assert_eq!(connected.ask(&who).await.unwrap(), Untrusted::new(said));
            assert_eq!(left_behind(host), "", "a probe leaves nothing behind");
            let mut locked = lock(connected, "spore apply").await;
            plants(&mut locked, host).await;
            dies(&mut locked).await;
            lets_in(&mut locked).await;
            let mut connected = locked.unlock().await.unwrap();
            assert_eq!(left_behind(host), "probe\n");
            let again = SecretBytes::new("echo again");
            assert_eq!(connected.ask(&again).await.unwrap(), Untrusted::new("again\n"));
            connected.close().await;
        }
        let error =
            connect(lab, trixie, "plain", &RemoteLimits::default()).await.ask(&SecretBytes::new("id")).await;
        assert!(matches!(error, Err(HostError::NoSudo { .. })), "{error:?}");
        trixie.sh("rm /usr/bin/sudo");
        let error =
            connect(lab, trixie, "tau", &RemoteLimits::default()).await.ask(&SecretBytes::new("id")).await;
        assert_eq!(render::host_error(&error.unwrap_err()), "no password-less sudo: sudo is not installed");
        trixie.sh("chsh -s /usr/sbin/nologin tau");
        let error =
            connect(lab, trixie, "tau", &RemoteLimits::default()).await.ask(&SecretBytes::new("id")).await;
        assert!(render::host_error(&error.unwrap_err()).starts_with("no usable shell: This account"));
        bookworm.sh("echo 'echo welcome; echo to you >&2' >>/root/.bashrc");
        let mut connected = connect(lab, bookworm, "root", &RemoteLimits::default()).await;
        assert_eq!(
            connected.ask(&SecretBytes::new("echo hi")).await.unwrap(),
            Untrusted::new("hi\n"),
            "a greeting is ignored"
        );
    });
}

/// Files of all kinds are staged and placed, and a unit is started. If the same actions are
/// run again, they are reported as already done.
async fn plants(locked: &mut Locked, host: &host::LabHost) {
    let mut payloads = Payloads::default();
    let program: Vec<u8> = (0..3_u32 << 20).map(|i| (i ^ (i >> 9)) as u8).collect();
    let file = |path: &str, content: &[u8], mode| Staged {
        path: path.to_owned(),
        sha256: Sha256::of(content),
        access: Access::root(mode),
        source: FileSource::Plugin(path.to_owned()),
    };
    let binary = file("/tb/bin/probe", &program, 0o755);
    payloads.files.insert(binary.source.clone(), Payload::Artifact(Arc::new(Program::new(program.into()))));
    let config = file("/tb/config/probe.yaml", b"secret", 0o600);
    payloads.files.insert(config.source.clone(), Payload::Secret(SecretBytes::new("secret")));
    let unit = file("/etc/systemd/system/tau@probe.service", UNIT.as_bytes(), 0o644);
    payloads.files.insert(unit.source.clone(), Payload::Bytes(UNIT.into()));

    let directory = |path: &str| Action::MakeDirectory { path: path.to_owned(), access: Access::root(0o750) };
    let place = |file: &Staged| Action::Place { file: file.clone(), before: None, keep: false };
    let actions = vec![
        directory("/tb"),
        directory("/tb/bin"),
        directory("/tb/config"),
        Action::Stage(binary.clone()),
        Action::Stage(config.clone()),
        Action::Stage(unit.clone()),
        place(&binary),
        place(&config),
        place(&unit),
        Action::Reload { files: [(unit.path.clone(), Some(unit.sha256))].into() },
        Action::Enable { unit: "tau@probe.service".to_owned() },
        start(Running::Stopped),
    ];
    let first = run(locked, &actions, &payloads).await;
    assert_eq!(first, vec![Outcome::Done; actions.len()]);
    let (pid, inode) = (host.pid_of("tau@probe.service"), host.stat("/tb/bin/probe"));
    let expected = vec![Outcome::Already; actions.len()];
    assert_eq!(run(locked, &actions, &payloads).await, expected);
    assert_eq!((host.pid_of("tau@probe.service"), host.stat("/tb/bin/probe")), (pid, inode), "untouched");
    let restart = start(Running::Invocation(host.invocation("tau@probe.service")));
    assert_eq!(run(locked, std::slice::from_ref(&restart), &payloads).await, [Outcome::Done]);
    assert_ne!(host.pid_of("tau@probe.service"), pid);
    assert_eq!(run(locked, &[restart], &payloads).await, [Outcome::Already]);
}

/// If a unit exits, its start fails before the time-out, with lines of its journal.
async fn dies(locked: &mut Locked) {
    let broken = "systemctl stop tau@probe; mkdir -p /run/systemd/system/tau@probe.service.d\n\
        printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c \"echo hunter2 is wrong; exit 3\"\\nRestart=always\\nRestartSec=1\\n' \
        >/run/systemd/system/tau@probe.service.d/x.conf; systemctl daemon-reload";
    locked.ask(&SecretBytes::new(broken)).await.unwrap();
    let begun = Instant::now();
    let ended = locked
        .run(&[start(Running::Stopped)], &Payloads::default(), &Stop::default(), &mut |_| {})
        .await
        .unwrap();
    let Run::Stopped { at: 0, outcome: Outcome::Failed { text } } = ended else { panic!("{ended:?}") };
    assert!(
        text.starts_with("tau@probe.service is not healthy: it crashed 2 times with status 3 (exit-code)"),
        "{text}"
    );
    assert!(text.contains("*** is wrong") && !text.contains("hunter2"), "{text}");
    let stop = Action::Stop { unit: "tau@probe.service".to_owned(), before: Running::Failing };
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(run(locked, &[stop], &Payloads::default()).await, [Outcome::Done]);
}

async fn lets_in(locked: &mut Locked) {
    let port = Port { number: 5242, transport: Transport::Tcp };
    let actions = [Action::Allow(port), Action::Allow(port), Action::Disallow(port), Action::Disallow(port)];
    let outcomes = run(locked, &actions, &Payloads::default()).await;
    assert_eq!(outcomes, [Outcome::Done, Outcome::Already, Outcome::Done, Outcome::Already]);
    let install = Action::Install { package: "docker.io".to_owned(), unfinished: false };
    let outcomes = run(locked, &[install.clone(), install], &Payloads::default()).await;
    assert_eq!(outcomes, [Outcome::Done, Outcome::Already]);
}

/// If the lock is held, a second attempt reports the holder, and can be repeated.
pub(crate) fn locks(lab: &Lab) {
    let [host] = lab.up([("host", Suite::Bookworm.machine())]);
    block_on(async {
        let first = lock(connect(lab, &host, "tau", &RemoteLimits::default()).await, "spore apply").await;
        let second = connect(lab, &host, "root", &RemoteLimits::default()).await;
        let NotLocked { error, connection: second } = *second.lock(&holder("other")).await.unwrap_err();
        let said = render::host_error(&error);
        assert!(said.starts_with("locked by someone@here (process 1, `spore apply`) since 2"), "{said}");
        first.unlock().await.unwrap();
        let mut second = lock(second.unwrap(), "other").await;
        // A process that an action leaves running doesn't keep the lock.
        second.ask(&SecretBytes::new("setsid sleep 1000 >/dev/null 2>&1 &")).await.unwrap();
        let second = second.unlock().await.unwrap();
        lock(second, "again").await.unlock().await.unwrap();
        assert_eq!(left_behind(&host), "");
    });
}

/// The lock of a lost controller is released after the time-out, but not before the
/// processes that the controller has started are gone.
pub(crate) fn lets_go(lab: &Lab) {
    let [host] = lab.up([("host", Suite::Trixie.machine())]);
    let limits = RemoteLimits {
        beat: Duration::from_millis(300),
        let_go: Duration::from_secs(3),
        ..RemoteLimits::default()
    };
    let hang = || Action::Verify {
        command: ["/bin/sh", "-c", "exec sleep 1000", "-p", "/tb/config/a.yaml"]
            .map(ToOwned::to_owned)
            .to_vec(),
        staged: [("/etc/passwd".to_owned(), "/etc/passwd".to_owned())].into(),
        version: None,
    };
    let sleeps = || host.try_sh("pgrep -x sleep -a | grep 1000").is_ok();
    for cut in [false, true] {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let locked =
            runtime.block_on(async { lock(connect(lab, &host, "tau", &limits).await, "spore apply").await });
        runtime.spawn(async move {
            let mut locked = locked;
            locked.run(&[hang()], &Payloads::default(), &Stop::default(), &mut |_| {}).await
        });
        wait_until(SOON, "it runs", sleeps);
        // The heartbeat keeps the lock for longer than the time-out.
        let begun = Instant::now();
        wait_until(SOON, "time passes", || begun.elapsed() > limits.let_go * 2);
        assert!(sleeps() && left_behind(&host).contains("spore-beat-"));
        if cut {
            host.cut();
        }
        let begun = Instant::now();
        runtime.shutdown_background();
        wait_until(SOON, "it lets go", || !left_behind(&host).contains("spore-beat-"));
        assert!(!sleeps(), "the running action was killed");
        assert!(begun.elapsed() > limits.let_go / 2, "{:?}", begun.elapsed());
        host.heal();
        // It takes a moment until the network works again.
        wait_until(SOON, "it can be reached", || TcpStream::connect((host.addr(), 22)).is_ok());
        block_on(async {
            let next = lock(connect(lab, &host, "root", &limits).await, "next").await;
            next.unlock().await.unwrap();
        });
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

async fn connect(lab: &Lab, host: &host::LabHost, user: &str, limits: &RemoteLimits) -> Connection {
    let text = std::fs::read_to_string(lab.key()).unwrap();
    let key = ssh::key::load(&lab.key(), &text, &mut |_: &Path| Ok(None)).unwrap();
    let known = KnownHosts::parse(Path::new("known"), &host.known_hosts());
    let address = ServerAddress::new(host.addr().to_string(), 22);
    let login = Login { user: user.to_owned(), credentials: vec![Credential::Key(key)] };
    let redactor = Redactor::new(&[SecretBytes::new("hunter2")], [""; 0]);
    let name = "host".parse().unwrap();
    let server = Server::new(address, known, vec![login]);
    let dialer = Dialer::new(limits.ssh, redactor);
    Connection::connect(name, &Route::direct(server), &dialer, limits).await.unwrap()
}

fn holder(command: &str) -> Holder {
    Holder {
        who: "someone@here".into(),
        pid: 1,
        command: Printable::line(command),
        plan: "".into(),
        since: "".into(),
    }
}

async fn lock(connection: Connection, command: &str) -> Locked {
    connection.lock(&holder(command)).await.unwrap()
}

fn start(before: Running) -> Action {
    let says = "started! with id: 7".to_owned();
    let health = Health { says, listens: vec![2222], within: Duration::from_secs(30), handshake: None };
    let fallback = Fallback::Leave;
    Action::Start { unit: "tau@probe.service".to_owned(), before, health: Some(health), fallback }
}

/// The outcomes of the actions.
async fn run(locked: &mut Locked, actions: &[Action], payloads: &Payloads) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut tell = |report| {
        if let ActionReport::Ended { index, outcome } = report {
            outcomes.push((index, outcome));
        }
    };
    locked.run(actions, payloads, &Stop::default(), &mut tell).await.unwrap();
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The files of spore in /run, except the lock file.
fn left_behind(host: &host::LabHost) -> String {
    host.sh("ls -A /run/spore 2>/dev/null | grep -vx .lock || true; ls -A /run | grep spore- || true")
}
