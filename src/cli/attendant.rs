//! Asks the person at the terminal for what logins need from someone.

use super::terminal;
use crate::ssh::{Attendant, Need, SecretText};
use tokio::sync::mpsc::unbounded_channel;

/// The person at the terminal. Must be called within the runtime.
pub(crate) fn attendant() -> Attendant {
    let (needs, mut waiting) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(need) = waiting.recv().await {
            match need {
                Need::Touch { server } => terminal::urgent(&format!("touch the key for {server}")),
                Need::Answer { server, instructions, prompt, echo, reply } => {
                    let intro = match instructions.is_empty() {
                        true => String::new(),
                        false => format!("{server}: {instructions}\n"),
                    };
                    let question = format!("{intro}{server}: {prompt}");
                    let answer = tokio::task::spawn_blocking(move || answer(&question, echo)).await;
                    if let Ok(Some(answer)) = answer {
                        // Nobody waits for it if the login has ended.
                        let _ = reply.send(answer);
                    }
                }
            }
        }
    });
    Attendant::new(needs)
}

fn answer(question: &str, echo: bool) -> Option<SecretText> {
    if !terminal::is_attended() {
        return None;
    }
    let question = question.trim_end_matches(':');
    let answer = match echo {
        true => terminal::ask_openly(question),
        false => terminal::ask_secret(question).ok()?,
    };
    Some(SecretText::new(answer))
}
