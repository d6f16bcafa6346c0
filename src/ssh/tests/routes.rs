//! Several addresses, jump hosts, and connections that are tried again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::server::{TestServer, address_of, login, password};
use super::{listen, patience};
use crate::resource::Redactor;
use crate::ssh::*;

fn dialer() -> Dialer {
    Dialer::new(patience(), Redactor::default())
}

/// The server at an address, with a key that is known.
fn at(address: &ServerAddress, server: &TestServer) -> Server {
    Server::new(address.clone(), server.known(address), vec![server.login()])
}

fn behind(jumps: &[&Arc<Server>], host: Server) -> Route {
    Route { jumps: jumps.iter().map(|jump| Arc::clone(jump)).collect(), host: Arc::new(host) }
}

/// A port on which nothing listens, and which nothing else gets while the socket exists.
fn closed_port() -> (TcpSocket, ServerAddress) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = address_of(socket.local_addr().unwrap());
    (socket, address)
}

pub(super) async fn works(session: &Session) {
    let mut channel = session.exec("echo works").await.unwrap();
    assert_eq!(listen(&mut channel.reader).await.unwrap().0, b"works\n");
}

#[tokio::test]
async fn hosts_share_the_connection_to_their_jump_host() {
    let (outer, inner, host) = (TestServer::new(), TestServer::new(), TestServer::new());
    let outer_at = outer.listen().await;
    let jump = Arc::new(at(&outer_at, &outer));
    let next = Arc::new(at(&inner.listen().await, &inner));
    let host_at = host.listen().await;
    let dialer = dialer();
    let route = behind(&[&jump, &next], at(&host_at, &host));
    let direct = behind(&[&jump], at(&host_at, &host));
    let sessions = tokio::join!(
        dialer.log_in(&route),
        dialer.log_in(&route),
        dialer.log_in(&direct),
        dialer.log_in(&direct)
    );
    let (a, b, c, d) = sessions;
    for session in [a, b, c, d] {
        works(&session.unwrap()).await;
    }
    let connections = |server: &TestServer| server.connections.load(Ordering::Relaxed);
    // A jump host's check that the port is open counts as well.
    assert_eq!((connections(&outer), connections(&inner)), (1, 2));
    assert_eq!(dialer.retries(), 0);

    // A connection to a jump host lives as long as one to a host behind it.
    let session = dialer.log_in(&route).await.unwrap();
    drop(dialer);
    works(&session).await;
}

#[tokio::test]
async fn a_failure_names_the_hop() {
    let (jump, host) = (TestServer::new(), TestServer::new());
    let jump_at = jump.listen().await;
    let (_socket, closed) = closed_port();
    let dialer = dialer();
    let good = Arc::new(at(&jump_at, &jump));
    let failed = dialer.log_in(&behind(&[&good], at(&closed, &host))).await.unwrap_err();
    let ConnectError::Through { jump: through, error } = &failed else { panic!("{failed:?}") };
    assert_eq!(*through, jump_at.to_string());
    assert!(
        matches!(&**error, ConnectError::NotForwarded { address, why: NotOpened::Refused } if *address == closed)
    );

    // The host key of a jump host is checked like any other.
    let unknown = Arc::new(Server { known: KnownHosts::default(), ..at(&jump_at, &jump) });
    let other = Dialer::new(patience(), Redactor::default());
    let failed = other.log_in(&behind(&[&unknown], at(&closed, &host))).await.unwrap_err();
    assert!(
        matches!(&failed, ConnectError::AtJump { jump, .. } if *jump == jump_at.to_string()),
        "{failed:?}"
    );
    assert!(matches!(failed.innermost(), ConnectError::HostKeyUnknown { .. }), "{failed:?}");
}

/// A jump host that refuses the login is asked once, however many hosts are behind it, so that the
/// account isn't locked.
#[tokio::test]
async fn a_refused_login_is_not_tried_again() {
    let (jump, host) = (TestServer::new(), TestServer::new());
    let jump_at = jump.listen().await;
    let wrong = Server { logins: vec![login([password("wrong")])], ..at(&jump_at, &jump) };
    let wrong = Arc::new(wrong);
    let host = at(&host.listen().await, &host);
    let dialer = dialer();
    for _ in 0..3 {
        let failed = dialer.log_in(&behind(&[&wrong], host.clone())).await.unwrap_err();
        assert!(matches!(failed.innermost(), ConnectError::Refused { .. }), "{failed:?}");
    }
    assert_eq!((jump.connections.load(Ordering::Relaxed), dialer.retries()), (1, 0));
}

#[tokio::test]
async fn the_next_address_is_tried() {
    let server = TestServer::new();
    let good = server.listen().await;
    let (_socket, closed) = closed_port();
    let unknown = ServerAddress::new("nowhere.invalid", 22);
    let all = vec![closed.clone(), unknown.clone(), good.clone()];
    let host = Server { addresses: all, ..at(&good, &server) };
    works(&dialer().log_in(&Route::direct(host)).await.unwrap()).await;

    let host = Server { addresses: vec![closed, unknown], ..at(&good, &server) };
    let failed = dialer().log_in(&Route::direct(host)).await.unwrap_err();
    let ConnectError::NoneReached(errors) = &failed else { panic!("{failed:?}") };
    assert!(matches!(
        errors[..],
        [(_, ConnectError::Unreachable { .. }), (_, ConnectError::NotFound { .. })]
    ));
}

#[tokio::test]
async fn ipv6_works() {
    let listener = match TcpListener::bind("[::1]:0").await {
        Ok(listener) => listener,
        // The machine has no IPv6.
        Err(_) => return,
    };
    let server = TestServer::new();
    let address = address_of(listener.local_addr().unwrap());
    tokio::spawn(server.clone().accept(listener, 0));
    works(&dialer().log_in(&Route::direct(at(&address, &server))).await.unwrap()).await;
}

#[tokio::test]
async fn a_dropped_connection_is_opened_again() {
    let server = TestServer::new();
    let address = server.listen_and_drop(2).await;
    let dialer = dialer();
    works(&dialer.log_in(&Route::direct(at(&address, &server))).await.unwrap()).await;
    assert_eq!(dialer.retries(), 2);

    // But not for ever.
    let address = server.listen_and_drop(usize::MAX).await;
    let begun = Instant::now();
    let failed = dialer.log_in(&Route::direct(at(&address, &server))).await.unwrap_err();
    assert!(matches!(failed, ConnectError::HungUp { .. }), "{failed:?}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_port_that_opens_later_is_found() {
    let server = TestServer::new();
    let (socket, address) = closed_port();
    let dialer = Arc::new(dialer());
    let route = Route::direct(at(&address, &server));
    let connecting = tokio::spawn({
        let dialer = Arc::clone(&dialer);
        async move { dialer.log_in(&route).await }
    });
    while dialer.retries() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::spawn(server.clone().accept(socket.listen(8).unwrap(), 0));
    works(&connecting.await.unwrap().unwrap()).await;
}

/// OpenSSH looks up an alias without a port.
#[tokio::test]
async fn an_alias_is_looked_up_instead_of_the_address() {
    let server = TestServer::new();
    let address = server.listen().await;
    let known = server.known(&ServerAddress::new("alias.test", 22));
    let host = Server { known, ..at(&address, &server) };
    let failed = dialer().log_in(&Route::direct(host.clone())).await.unwrap_err();
    assert!(matches!(failed, ConnectError::HostKeyUnknown { .. }), "{failed:?}");
    let host = Server { alias: Some("alias.test".to_owned()), ..host };
    works(&dialer().log_in(&Route::direct(host)).await.unwrap()).await;
}

/// A name may have addresses at which nothing listens.
#[tokio::test]
async fn all_addresses_of_a_name_are_tried() {
    let server = TestServer::new();
    let address = ServerAddress::new("localhost", server.listen().await.port);
    works(&dialer().log_in(&Route::direct(at(&address, &server))).await.unwrap()).await;
}

/// sshd drops connections if it has too many that aren't logged in.
#[tokio::test]
async fn few_logins_to_one_server_go_on_at_the_same_time() {
    let server = TestServer::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = address_of(listener.local_addr().unwrap());
    let dialer = Arc::new(dialer());
    let route = Route::direct(at(&address, &server));
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let (dialer, route) = (Arc::clone(&dialer), route.clone());
        all.spawn(async move { dialer.log_in(&route).await });
    }
    // Nothing is accepted before the time has passed in which others would have come.
    let mut waiting = Vec::new();
    while let Ok(accepted) = timeout(Duration::from_millis(300), listener.accept()).await {
        waiting.push(accepted.unwrap().0);
    }
    assert_eq!(waiting.len(), 8);
    for stream in waiting {
        tokio::spawn(server.clone().serve(stream));
    }
    tokio::spawn(server.clone().accept(listener, 0));
    for session in all.join_all().await {
        works(&session.unwrap()).await;
    }
}
