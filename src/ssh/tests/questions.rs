//! Servers that ask questions (`keyboard-interactive`).

use russh::MethodKind;
use tokio::sync::mpsc::unbounded_channel;

use super::patience;
use super::server::{PASSWORD, TestServer, login, password};
use crate::resource::Redactor;
use crate::ssh::*;

/// Logs in as someone who answers these questions in this order.
async fn answering(
    server: &TestServer,
    login: Login,
    answers: &'static [(&'static str, bool, &'static str)],
) -> Result<Session, ConnectError> {
    let address = server.listen().await;
    let route = Route::direct(Server::new(address.clone(), server.known(&address), vec![login]));
    let (needs, mut needed) = unbounded_channel();
    let dialer = Dialer::new(patience(), Redactor::default()).attended(Attendant::new(needs));
    let person = async {
        let mut answers = answers.iter();
        while let Some(need) = needed.recv().await {
            let Need::Answer { prompt, echo, reply, .. } = need else { panic!("{need:?}") };
            let Some((expected, shown, answer)) = answers.next() else { continue };
            assert_eq!((prompt.to_string().as_str(), echo), (*expected, *shown));
            reply.send(SecretText::new((*answer).to_owned())).unwrap();
        }
        assert!(answers.next().is_none(), "it wasn't asked");
    };
    let log_in = async {
        let session = dialer.log_in(&route).await;
        drop(dialer);
        session
    };
    tokio::join!(log_in, person).0
}

fn server(questions: &[(&'static str, bool, &'static str)]) -> TestServer {
    let methods = vec![MethodKind::KeyboardInteractive];
    TestServer { methods, questions: vec![questions.to_vec()], ..TestServer::new() }
}

#[tokio::test]
async fn the_password_and_a_code_are_asked_for() {
    const CODE: (&str, bool, &str) = ("Verification code:", true, "123456");
    let asks_both = server(&[("Password for planter: ", false, PASSWORD), CODE]);
    let known = || login([password(PASSWORD)]);
    answering(&asks_both, known(), &[CODE]).await.unwrap();
    // One after the other, and a message without a question.
    let rounds = vec![vec![("(planter@h1) Password: ", false, PASSWORD)], vec![], vec![CODE]];
    let asks_in_turn = TestServer { questions: rounds, ..asks_both.clone() };
    answering(&asks_in_turn, known(), &[CODE]).await.unwrap();

    // The password answers only questions for it, and only once.
    for (asked, shown) in [("PIN: ", "PIN:"), ("One-time password: ", "One-time password:")] {
        let error = answering(&server(&[(asked, false, "1")]), known(), &[]).await.unwrap_err();
        let ConnectError::Refused { tried, .. } = error else { panic!("{error:?}") };
        assert_eq!(tried, [Tried::Unanswered { prompt: shown.into() }]);
    }
    let again = TestServer { questions: vec![vec![("Password: ", false, "other")]; 2], ..asks_both };
    let error = answering(&again, known(), &[]).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Refused { tried, .. } if *tried == [Tried::Password]),
        "{error:?}"
    );
}

/// After the key, the server asks for a code that is in no folder.
#[tokio::test]
async fn a_second_factor_is_asked_for() {
    let code = ("One-time password (OATH): ", false, "755224");
    let server = TestServer { two_factors: true, ..server(&[code]) };
    let server =
        TestServer { methods: vec![MethodKind::PublicKey, MethodKind::KeyboardInteractive], ..server };
    let asked = &[("One-time password (OATH):", false, "755224")];
    answering(&server, server.login(), asked).await.unwrap();
    let error = answering(&server, server.login(), &[]).await.unwrap_err();
    let ConnectError::Refused { tried, partly: true, .. } = error else { panic!("{error:?}") };
    assert!(matches!(&tried[..], [Tried::Key { .. }, Tried::Unanswered { .. }]), "{tried:?}");
}
