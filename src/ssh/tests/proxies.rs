//! Connections over a `ProxyCommand`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::patience;
use super::server::{TestServer, login};
use crate::resource::Redactor;
use crate::ssh::*;

fn server(command: &str, address: &ServerAddress, server: &TestServer) -> Route {
    let proxy = ProxyCommand::new(command, address, "h1", "planter").unwrap();
    let server = Server::new(address.clone(), server.known(address), vec![server.login()]);
    Route::direct(Server { proxy: Some(proxy), ..server })
}

/// A command that writes its process id to a file, and then runs `then`.
fn noted(file: &Path, then: &str) -> String {
    format!("sh -c 'echo $$ >{}; {then}'", file.display())
}

/// Waits until the process in the file has ended and was reaped.
async fn is_gone(file: &Path) {
    let pid = fs::read_to_string(file).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    tokio::time::timeout(Duration::from_secs(20), async {
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[test]
fn tokens_are_replaced() {
    let address = ServerAddress::new("192.0.2.1", 2222);
    let command = |template: &str| ProxyCommand::new(template, &address, "h1", "ana");
    let started = command("x %h %p %n %r %%h").unwrap();
    assert_eq!(started.command(), "x 192.0.2.1 2222 h1 ana %h");
    assert_eq!(command("x %C").unwrap_err(), ProxyCommandError::UnknownToken("%C".to_owned()));
    assert_eq!(command("x %").unwrap_err(), ProxyCommandError::UnknownToken("%".to_owned()));
    assert!(!format!("{started:?}").contains("192"));
    // A backslash is special to the shell that runs the command.
    let command = |template: &str| ProxyCommand::new(template, &address, "h1", "lab\\ana");
    let refused = command("x %r").unwrap_err().to_string();
    assert!(refused.starts_with("the user `lab\\ana` can't become the %r"), "{refused}");
    assert_eq!(command("x %%r %h").unwrap().command(), "x %r 192.0.2.1");
}

#[tokio::test]
async fn a_silent_command_is_ended_by_the_connect_time_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let address = ServerAddress::new("192.0.2.1", 22);
    let route = server(&noted(&file, "echo no route >&2; sleep 1000"), &address, &TestServer::new());
    let timeouts = Timeouts { connect: Duration::from_millis(500), ..patience() };
    let failed = Dialer::new(timeouts, Redactor::default()).log_in(&route).await.unwrap_err();
    let expected =
        "ByProxy { said: Printable(\"no route\"), error: TimedOut { phase: Connect, after: 500ms } }";
    assert_eq!(format!("{failed:?}"), expected);
    is_gone(&file).await;
}

/// A command that ignores the hang-up is killed together with its children.
#[tokio::test]
async fn the_commands_processes_end_with_the_session() {
    let target = TestServer::new();
    let address = target.listen().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, child) = (folder.path().join("pid"), folder.path().join("child"));
    let port = address.port;
    let script = format!(
        "trap \"\" HUP; sleep 1000 & echo $! >{}; exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3; sleep 1000",
        child.display()
    );
    let command = format!("bash -c 'echo $$ >{}; {script}'", file.display());
    let dialer = Dialer::new(patience(), Redactor::default());
    let session = dialer.log_in(&server(&command, &address, &target)).await.unwrap();
    super::routes::works(&session).await;
    session.close().await;
    is_gone(&file).await;
    is_gone(&child).await;
}

/// It may have logged in somewhere itself, so it isn't tried again.
#[tokio::test]
async fn a_command_that_fails_is_quoted() {
    let address = ServerAddress::new("192.0.2.1", 22);
    let dialer = Dialer::new(patience(), Redactor::default());
    let command = "sh -c 'printf \"x: \\033[31mcannot connect to %h\" >&2; exit 1'";
    let failed = dialer.log_in(&server(command, &address, &TestServer::new())).await.unwrap_err();
    let said = "x: \\\\u{1b}[31mcannot connect to 192.0.2.1";
    let expected =
        format!("ByProxy {{ said: Printable(\"{said}\"), error: HungUp {{ phase: Greeting, why: None }} }}");
    assert_eq!(format!("{failed:?}"), expected);
    assert_eq!(dialer.retries(), 0);
}

/// The command gets none of spore's secrets, and its host key is checked as well.
#[tokio::test]
async fn the_host_key_is_checked_behind_a_command() {
    let target = TestServer::new();
    let address = target.listen().await;
    let command = format!("bash -c 'exec 3<>/dev/tcp/%h/{}; cat <&3 & exec cat >&3'", address.port);
    let mut route = server(&command, &address, &target);
    let dialer = Dialer::new(patience(), Redactor::default());
    dialer.log_in(&route).await.unwrap();
    let stranger = Server { known: KnownHosts::default(), logins: vec![login([])], ..(*route.host).clone() };
    route.host = stranger.into();
    let failed = dialer.log_in(&route).await.unwrap_err();
    assert!(matches!(failed, ConnectError::HostKeyUnknown { .. }), "{failed:?}");
}
