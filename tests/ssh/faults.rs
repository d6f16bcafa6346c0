//! A real sshd whose connections break.

use crate::pretend::{APPLY, Run, World};
use crate::world::{Front, kill};
use spore_drive::artifact::{Pin, Pins, Source};
use spore_drive::pretend::{here, program};
use spore_drive::resource::Sha256;
use spore_drive::ssh::Timeouts;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// What becomes of the bytes of one side, of which so many were forwarded.
pub(crate) enum Then {
    Forward,
    Cut,
    /// They are read and dropped.
    Lose,
}

/// A port that forwards connections to another. `of_server` and `of_client` decide about the bytes
/// of each side.
pub(crate) fn cable(
    to: u16,
    of_server: impl Fn(usize) -> Then + Send + Sync + 'static,
    of_client: impl Fn(usize) -> Then + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (of_server, of_client) = (Arc::new(of_server), Arc::new(of_client));
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (of_server, of_client) = (Arc::clone(&of_server), Arc::clone(&of_client));
            let (near, far) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || forward(server, client, &*of_server));
            thread::spawn(move || forward(near, far, &*of_client));
        }
    });
    port
}

fn forward(mut from: TcpStream, mut to: TcpStream, decide: &dyn Fn(usize) -> Then) {
    let (mut buffer, mut all) = ([0; 1 << 14], 0);
    // The version of each side is always forwarded.
    while from.read_exact(&mut buffer[..1]).is_ok()
        && to.write_all(&buffer[..1]).is_ok()
        && buffer[0] != b'\n'
    {}
    while let Ok(read) = from.read(&mut buffer) {
        all += read;
        match decide(all) {
            Then::Forward if read > 0 && to.write_all(&buffer[..read]).is_ok() => {}
            Then::Lose if read > 0 => {}
            _ => break,
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Leads the way to h4 through a cable.
pub(crate) fn through(world: &World, key: &str, cable: u16) {
    world.know(&format!("[127.0.0.1]:{cable} {key}\n"));
    world.set_ssh(&format!("addr: 127.0.0.1, port: {cable}"));
}

pub(crate) fn closed_during_the_key_exchange() {
    let world = World::new();
    let sshd = world.front(Front::default());
    // In the second packet.
    let cut = |all| if all > 1200 { Then::Cut } else { Then::Forward };
    through(&world, &sshd.key(), cable(sshd.port, cut, |_| Then::Forward));
    let plan = world.spore(&["plan"]).exits(3);
    plan.says(
        "h4: not planned: the host closed the connection while exchanging keys; the host rejects connections: \
         there are too many at once (`MaxStartups`), or it bans this address (fail2ban, TCP wrappers)\n",
    );
}

pub(crate) fn a_flood_is_cut_off() {
    for flood in ["yes", "cat /dev/zero"] {
        flooded(flood);
    }
}

fn flooded(command: &str) {
    let world = World::new();
    let _sshd = world.front(Front { more: &format!("ForceCommand {command}"), ..Front::default() });
    let help = "spore closed the connection; find out what on the host writes such output: the user's start files \
                (`.bashrc`), or a `ForceCommand` in its sshd_config\n";
    world.spore(&["plan"]).exits(3).says(&format!(
        "h4: not planned: unexpected answer while starting a shell: more than 1048576 bytes of unexpected output; \
         {help}"
    ));
}

pub(crate) fn a_session_that_dies_is_reported() {
    let world = World::new();
    let sshd = world.front(Front { more: "ForceCommand kill -9 $PPID", ..Front::default() });
    let plan = world.spore(&["plan"]).exits(3);
    plan.says("h4: not planned: connection lost while ")
        .says(": the host closed the connection; check the network and try again\n");
    assert_eq!(sshd.logged("Accepted publickey"), 1);
}

/// The process of sshd that serves the session stops, so nothing on the host answers any more.
pub(crate) fn a_dead_host_is_detected() {
    assert!(Timeouts::default().silence() <= Duration::from_secs(30));
    let world = World::new();
    let file = world.file("pid");
    let more = format!("ForceCommand echo $PPID >{}; kill -STOP $PPID; exec cat >/dev/null", file.display());
    let _sshd = world.front(Front { more: &more, ..Front::default() });
    let begun = Instant::now();
    let plan = world.spore(&["plan", "--timeout", "keepalive=0.3"]);
    let took = begun.elapsed();
    kill("KILL", fs::read_to_string(file).unwrap().trim());
    plan.exits(3)
        .says("h4: not planned: connection lost while ")
        .says(": the host stopped responding; check the network and try again\n");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// A program that is far larger than what is sent before it.
pub(crate) fn big_tau(world: &World) {
    let mut state = 7_u64;
    let mut tau = program(here(), "big");
    // It can't be compressed.
    tau.extend((0..4 << 20).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    }));
    let pin = Pin::new(Source::Path("tau".to_owned()), Sha256::of(&tau));
    fs::write(world.file("tau.yaml"), Pins([(here(), pin)].into()).to_yaml()).unwrap();
    fs::write(world.file("tau"), tau).unwrap();
}

pub(crate) fn a_session_that_dies_during_an_upload() {
    let world = World::new();
    big_tau(&world);
    let sshd = world.front(Front::default());
    let process = sshd.process();
    let children = move || fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    let die = move |all| {
        if all > 1 << 20 {
            for child in children().split_whitespace() {
                kill("KILL", child);
            }
        }
        Then::Forward
    };
    through(&world, &sshd.key(), cable(sshd.port, |_| Then::Forward, die));
    let apply = world.spore(APPLY).exits(1);
    apply.says("connection lost while ").says(" this action: the host closed the connection");
    apply.says("the action may not have completed; `spore plan` shows what is left");
    let left = world.sh("h4", "find \"$SPORE_ROOT/tb/bin\" -name tau");
    assert_eq!(left, "", "half a program is never in place");
    world.set_ssh(&format!("addr: 127.0.0.1, port: {}", sshd.port));
    world.spore(&[APPLY, &["--lock-wait", "100"]].concat()).exits(0);
    world.spore(&["plan"]).exits(0).says("plan: nothing to do");
}

pub(crate) fn too_many_connections() {
    let world = World::new();
    let sshd = world.front(Front { more: "MaxStartups 1:100:1", ..Front::default() });
    // The one with which the test waited for sshd may still count.
    let other = loop {
        let other = TcpStream::connect(("127.0.0.1", sshd.port)).unwrap();
        let mut line = String::new();
        BufReader::new(&other).read_line(&mut line).unwrap();
        if line.starts_with("SSH-2.0-OpenSSH") {
            break other;
        }
    };
    world.spore(&["plan"]).exits(3).says(
        "h4: not planned: the host closed the connection while waiting for the SSH banner: Exceeded MaxStartups; \
         the host rejects connections: there are too many at once (`MaxStartups`), or it bans this address \
         (fail2ban, TCP wrappers)\n",
    );
    drop(other);
    world.spore(&["plan"]).exits(2);
}

/// Ctrl-C, once and twice, while the program is being staged.
pub(crate) fn interrupts() {
    for times in [1, 2] {
        let world = World::new();
        let slow = world.file("slow");
        fs::create_dir(&slow).unwrap();
        let [began, go] = ["began", "go"].map(|name| world.file(name));
        for fifo in [&began, &go] {
            assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
        }
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *.spore-tau-*) echo >{}; read -r _ <{} ;; esac\nexec /bin/chmod \"$@\"\n",
            began.display(),
            go.display()
        );
        fs::write(slow.join("chmod"), script).unwrap();
        fs::set_permissions(slow.join("chmod"), fs::Permissions::from_mode(0o755)).unwrap();
        let _sshd = world.front(Front { path: &format!("{}:", slow.display()), ..Front::default() });
        let mut apply = world.command(APPLY);
        let mut apply = apply.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        fs::read(&began).unwrap();
        let mut said = BufReader::new(apply.stderr.take().unwrap()).lines().map(Result::unwrap);
        kill("INT", &apply.id().to_string());
        let first = said.find(|line| line.starts_with("interrupted")).unwrap();
        assert_eq!(
            first,
            "interrupted: finishing running actions, for at most 60 s (a rotation of the swarm key is finished in \
             any case); press Ctrl-C again to abort"
        );
        let release = || OpenOptions::new().write(true).open(&go).unwrap().write_all(b"\n").unwrap();
        if times == 1 {
            release();
        } else {
            kill("INT", &apply.id().to_string());
        }
        let out = apply.wait_with_output().unwrap();
        let run = Run { code: out.status.code(), text: String::from_utf8(out.stdout).unwrap() }.exits(130);
        match times {
            1 => run.says("skipped").says("resume with"),
            _ => run.says(
                "apply: aborted; hosts may finish a running action, and stay locked for about a minute; resume with: \
                 spore apply --yes --timeout 'settle=0.5' --lock-wait 120\n",
            ),
        };
        assert!(!world.host("h4").root().join("tb/bin/tau").exists(), "{run}");
        if times == 2 {
            release();
        }
    }
}
