//! Logs in to a server with a user's credentials: [`authenticate`].
//!
//! Each credential is tried at most once per connection, and a password answers a question of
//! `keyboard-interactive` only if the server doesn't accept passwords, so that it is checked only once.

use super::attendant::{Attendant, Deadline};
use super::connect::Handle;
use super::session::Observer;
use super::sign::{Signer, SigningKey};
use super::{
    Algorithm, Certified, ConnectError, Credential, Login, Lost, Phase, PublicKey, SecretText, Timeouts,
    Tried,
};
use crate::resource::{Printable, Redactor};
use russh::client::{AuthResult, KeyboardInteractiveAuthResponse as Asked};
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKeyWithHashAlg};
use russh::{AgentAuthError, MethodKind, MethodSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::DuplexStream;

/// How many times a server may ask in one `keyboard-interactive` login.
const MOST_QUESTIONS: usize = 10;

/// Who is logged in to, and who may be needed for that.
pub(super) struct Attempt<'a> {
    pub(super) server: &'a str,
    pub(super) user: &'a str,
    pub(super) timeouts: &'a Timeouts,
    pub(super) redactor: &'a Redactor,
    pub(super) attendant: &'a Attendant,
    pub(super) deadline: Deadline,
}

/// How trying one credential ended.
enum Answered {
    /// The server has accepted or refused it.
    By(AuthResult),
    /// It couldn't be tried after all.
    Not(Tried),
}

/// Tries the credentials one after the other. The time in which a person is needed doesn't count
/// for the time-out of the login.
pub(super) async fn authenticate(
    handle: &mut Handle,
    login: &Login,
    attempt: &Attempt<'_>,
    observer: &Observer,
) -> Result<(), ConnectError> {
    let after = attempt.timeouts.login;
    let mut tried = Vec::new();
    let mut offered = None;
    let mut partly = false;
    let mut cut_off = None;
    // If the server wants more than the credentials, it may have questions.
    let credentials = login.credentials.iter().map(Some).chain([None]);
    for credential in credentials {
        let method = match credential {
            Some(Credential::Password(_)) => MethodKind::Password,
            Some(_) => MethodKind::PublicKey,
            None if partly => MethodKind::KeyboardInteractive,
            None => break,
        };
        if !worth_trying(method, offered.as_ref()) {
            continue;
        }
        let trying = attempt.deadline.limit(attempt.with(handle, credential, offered.as_ref())).await;
        match trying.ok_or(ConnectError::TimedOut { phase: Phase::Login, after })? {
            // The server still waits for the answer.
            Ok(Answered::Not(what @ Tried::Unanswered { .. })) => {
                tried.push(what);
                break;
            }
            Ok(Answered::Not(what)) => tried.push(what),
            Ok(Answered::By(AuthResult::Success)) => return Ok(()),
            Ok(Answered::By(AuthResult::Failure { remaining_methods, partial_success }))
                if !handle.is_closed() =>
            {
                tried.push(credential.map_or(Tried::Questions, describe));
                partly |= partial_success;
                offered = Some(remaining_methods);
            }
            // The host closed the connection, for instance after too many attempts.
            _ => match observer.end.lost() {
                Lost::Disconnected(said) => {
                    tried.push(credential.map_or(Tried::Questions, describe));
                    cut_off = Some(said);
                    break;
                }
                why => return Err(ConnectError::HungUp { phase: Phase::Login, why: Some(why) }),
            },
        }
    }
    let offered = offered.iter().flat_map(|methods| methods.iter());
    Err(ConnectError::Refused {
        user: login.user.clone(),
        tried,
        offered: offered.map(|method| attempt.redactor.line(<&str>::from(method))).collect(),
        partly,
        cut_off,
        before: None,
    })
}

/// Whether the server may accept this method. `offered` is `None` until the server has
/// listed its methods.
fn worth_trying(method: MethodKind, offered: Option<&MethodSet>) -> bool {
    offered.is_none_or(|offered| {
        offered.contains(&method)
            || method == MethodKind::Password && offered.contains(&MethodKind::KeyboardInteractive)
    })
}

/// A credential without its secret part.
pub(super) fn describe(credential: &Credential) -> Tried {
    match credential {
        Credential::Key(key) => tried_key(key.public_key(), false),
        Credential::Agent(key) => match key.certificate() {
            Some(certificate) => tried_certificate(certificate, true),
            None => tried_key(&key.public(), true),
        },
        Credential::Certificate(certificate, key) => {
            tried_certificate(certificate, matches!(key, Certified::InAgent(_)))
        }
        Credential::Password(_) => Tried::Password,
    }
}

fn tried_key(key: &PublicKey, in_agent: bool) -> Tried {
    Tried::Key { algorithm: key.algorithm(), fingerprint: fingerprint(key), in_agent }
}

fn tried_certificate(certificate: &Certificate, in_agent: bool) -> Tried {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let fingerprint = certificate.public_key().fingerprint(HashAlg::Sha256).to_string();
    let is_expired = now >= certificate.valid_before();
    Tried::Certificate { algorithm: certificate.algorithm(), fingerprint, in_agent, is_expired }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The hash for signatures with an RSA key. `ssh-rsa`, the algorithm without a hash, means
/// SHA-1, which isn't secure.
async fn rsa_hash(handle: &Handle, algorithm: &Algorithm) -> Option<HashAlg> {
    match algorithm {
        Algorithm::Rsa { .. } => {
            handle.best_supported_rsa_hash().await.ok().flatten().flatten().or(Some(HashAlg::Sha512))
        }
        _ => None,
    }
}

impl Attempt<'_> {
    /// Tries a credential; `None` lets the server ask. `offered` are the methods that it has listed.
    async fn with(
        &self,
        handle: &mut Handle,
        credential: Option<&Credential>,
        offered: Option<&MethodSet>,
    ) -> Result<Answered, russh::Error> {
        match credential {
            Some(Credential::Key(key)) => {
                let hash = rsa_hash(handle, &key.algorithm()).await;
                let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
                handle.authenticate_publickey(self.user, key).await.map(Answered::By)
            }
            Some(Credential::Certificate(certificate, Certified::InFile(key))) => {
                self.with_certificate(handle, certificate, SigningKey::InFile(key)).await
            }
            Some(Credential::Certificate(certificate, Certified::InAgent(key))) => {
                self.with_certificate(handle, certificate, SigningKey::InAgent(key)).await
            }
            Some(Credential::Agent(key)) => match key.certificate() {
                Some(certificate) => {
                    self.with_certificate(handle, certificate, SigningKey::InAgent(key)).await
                }
                None => {
                    let public = key.public();
                    let hash = rsa_hash(handle, &public.algorithm()).await;
                    let signer = Signer::new(SigningKey::InAgent(key), self);
                    let log_in = async |agent: &mut AgentClient<DuplexStream>| {
                        handle.authenticate_publickey_with(self.user, public, hash, agent).await
                    };
                    answered(signer.during(log_in).await, &signer)
                }
            },
            Some(Credential::Password(password))
                if offered.is_some_and(|offered| !offered.contains(&MethodKind::Password)) =>
            {
                self.questions(handle, Some(password)).await
            }
            Some(Credential::Password(password)) => self.with_password(handle, password).await,
            None => self.questions(handle, None).await,
        }
    }

    async fn with_certificate(
        &self,
        handle: &mut Handle,
        certificate: &Certificate,
        key: SigningKey<'_>,
    ) -> Result<Answered, russh::Error> {
        let hash = rsa_hash(handle, &certificate.algorithm()).await;
        let signer = Signer::new(key, self);
        let log_in = async |agent: &mut AgentClient<DuplexStream>| {
            handle.authenticate_certificate_with(self.user, certificate.clone(), hash, agent).await
        };
        answered(signer.during(log_in).await, &signer)
    }

    async fn with_password(
        &self,
        handle: &mut Handle,
        password: &SecretText,
    ) -> Result<Answered, russh::Error> {
        let answer = handle.authenticate_password(self.user, password.expose()).await?;
        let AuthResult::Failure { remaining_methods: offered, .. } = &answer else {
            return Ok(Answered::By(answer));
        };
        // Some servers accept a password only through `keyboard-interactive`.
        if offered.contains(&MethodKind::Password) || !offered.contains(&MethodKind::KeyboardInteractive) {
            return Ok(Answered::By(answer));
        }
        self.questions(handle, Some(password)).await
    }

    /// Answers the server's questions. The first that asks for a password is answered with the
    /// password; a person answers the others. A one-time code would be wasted on the password, and too
    /// many wrong codes lock an account.
    async fn questions(
        &self,
        handle: &mut Handle,
        mut password: Option<&SecretText>,
    ) -> Result<Answered, russh::Error> {
        let mut asked = handle.authenticate_keyboard_interactive_start(self.user, None).await?;
        for _ in 0..MOST_QUESTIONS {
            let (instructions, prompts) = match asked {
                Asked::Success => return Ok(Answered::By(AuthResult::Success)),
                Asked::Failure { remaining_methods, partial_success } => {
                    return Ok(Answered::By(AuthResult::Failure { remaining_methods, partial_success }));
                }
                Asked::InfoRequest { instructions, prompts, .. } => (instructions, prompts),
            };
            let instructions = self.redactor.line(instructions.trim());
            let mut answers = Vec::new();
            for question in prompts {
                let is_password = !question.echo && asks_for_password(&question.prompt);
                let prompt = self.redactor.line(question.prompt.trim());
                let answer = match password.take_if(|_| is_password) {
                    Some(password) => Some(password.clone()),
                    None => self.ask(&instructions, prompt.clone(), question.echo).await,
                };
                match answer {
                    Some(answer) => answers.push(answer.expose().to_owned()),
                    None => return Ok(Answered::Not(Tried::Unanswered { prompt })),
                }
            }
            asked = handle.authenticate_keyboard_interactive_respond(answers).await?;
        }
        Ok(Answered::Not(Tried::Questions))
    }

    async fn ask(&self, instructions: &Printable, prompt: Printable, echo: bool) -> Option<SecretText> {
        let answer = self.attendant.answer(self.server, instructions, prompt, echo);
        self.attendant.needed(&self.deadline, answer).await
    }
}

/// Whether a question asks for the user's password, and not for a code.
fn asks_for_password(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    let names = |words: &[&str]| words.iter().any(|word| prompt.contains(word));
    names(&["password", "passwort", "mot de passe", "contraseña"])
        && !names(&["one-time", "one time", "otp", "code", "token", "new password"])
}

/// The result of a login with a signature. If there is no signature, another credential may do.
fn answered(
    answer: Result<AuthResult, AgentAuthError>,
    signer: &Signer<'_>,
) -> Result<Answered, russh::Error> {
    match answer {
        Ok(answer) => Ok(Answered::By(answer)),
        Err(AgentAuthError::Send(_)) => Err(russh::Error::SendError),
        Err(AgentAuthError::Key(_)) => Ok(Answered::Not(signer.unsigned())),
    }
}
