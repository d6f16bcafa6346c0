//! `spore lsp`: serves an editor over standard input and output, in the Language Server Protocol.
//!
//! The crate lsp-server frames the messages, and lsp-types has their forms. There is one thread for the work:
//! a request is answered from what the editor has at that time, and findings are published as soon as the
//! editor has been silent for a moment. What is answered is computed in `editor`, and put into words in
//! `render`. A message of the editor contains what is being written, which may be a secret, so nothing of
//! it is ever printed.

mod answers;
mod folder;
mod text;

use super::args::{Args, LspOptions};
use super::{CommandError, Exit, folder as folders};
use crate::editor::Cursor;
use crate::network::{Outside, Secrets};
use folder::{Document, Documents, Folder, Snapshot, holding, real};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
    DidSaveTextDocument, Exit as ExitNotification, Initialized, Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    CodeActionRequest, Completion, GotoDefinition, HoverRequest, References, RegisterCapability,
    Request as _, Shutdown,
};
use lsp_types::{InitializeParams, TextDocumentPositionParams, Url};
use serde::Serialize;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use text::{Encoding, Text};

/// How long the editor must be silent before the folder is checked, and how long that may be put off.
const SILENCE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &Args, options: &LspOptions) -> miette::Result<Exit> {
    let named = args.network.as_ref().map(|_| folders::find(args.network.as_deref())).transpose()?;
    // A panic's message may quote a text. Only where it happened is printed.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        super::terminal::note(&format!("spore lsp: internal error at {place}; please report it"));
    }));
    let (connection, threads) = Connection::stdio();
    let broken = || {
        let help = "an editor starts `spore lsp`, and speaks the Language Server Protocol with it";
        CommandError::new("standard input has no message of an editor", help)
    };
    let (id, params) = connection.initialize_start().map_err(|_| broken())?;
    let params: InitializeParams = serde_json::from_value(params).map_err(|_| broken())?;
    let encoding = Encoding::among(answers::encodings(&params));
    let capabilities = answers::capabilities(encoding);
    let mut server = Server {
        connection,
        encoding,
        client: answers::Client::new(&params),
        named: named.map(|path| (path.canonicalize().unwrap_or_else(|_| path.clone()), path)),
        secrets: if options.without_secrets { Secrets::Elsewhere } else { Secrets::Needed },
        outside: options.folder.outside(),
        documents: Documents::new(),
        folders: BTreeMap::new(),
        changed: None,
        is_shut_down: false,
    };
    server.send(Response::new_ok(id, capabilities));
    let ended = server.serve();
    drop(server);
    // The editor sends nothing more, so the threads end as soon as everything is written.
    threads.join().ok();
    Ok(ended)
}

struct Server {
    connection: Connection,
    encoding: Encoding,
    client: answers::Client,
    /// The folder that the command names, without symbolic links and as it is named.
    named: Option<(PathBuf, PathBuf)>,
    secrets: Secrets,
    outside: Outside,
    documents: Documents,
    folders: BTreeMap<PathBuf, Folder>,
    /// When the first of the changes was made since the last check.
    changed: Option<Instant>,
    is_shut_down: bool,
}

/// Why a request has no result.
type Refused = (ErrorCode, String);

impl Server {
    /// Answers until the editor ends the session.
    fn serve(&mut self) -> Exit {
        loop {
            let message = match self.changed {
                None => self.connection.receiver.recv().map_err(|_| ()),
                Some(first) => {
                    let due = (Instant::now() + SILENCE).min(first + PATIENCE);
                    let timeout = due.saturating_duration_since(Instant::now());
                    match self.connection.receiver.recv_timeout(timeout) {
                        Ok(message) => Ok(message),
                        Err(error) if error.is_timeout() => {
                            self.changed = None;
                            guarded(|| self.publish());
                            continue;
                        }
                        Err(_) => Err(()),
                    }
                }
            };
            match message {
                Ok(Message::Request(request)) => self.request(request),
                Ok(Message::Notification(notification))
                    if notification.method == ExitNotification::METHOD =>
                {
                    return if self.is_shut_down { Exit::Done } else { Exit::Failed };
                }
                Ok(Message::Notification(notification)) => {
                    guarded(|| self.notice(notification));
                }
                Ok(Message::Response(_)) => {}
                // The editor is gone.
                Err(()) => return Exit::Failed,
            }
        }
    }

    fn send(&self, message: impl Into<Message>) {
        // If the editor is gone, the next message isn't received either.
        self.connection.sender.send(message.into()).ok();
    }

    fn request(&mut self, request: Request) {
        let id = request.id.clone();
        let answer = match self.is_shut_down {
            true => Err((ErrorCode::InvalidRequest, "the session has ended".to_owned())),
            false => guarded(|| self.answer(request))
                .unwrap_or_else(|| Err((ErrorCode::InternalError, "spore has a defect".to_owned()))),
        };
        self.send(match answer {
            Ok(result) => Response::new_ok(id, result),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        });
    }

    fn answer(&mut self, request: Request) -> Result<serde_json::Value, Refused> {
        match request.method.as_str() {
            HoverRequest::METHOD => {
                let params = asked::<HoverRequest>(request)?;
                let found = self.at(&params.text_document_position_params, |server, cursor, text| {
                    answers::hover(&cursor, text, server.client.reads_markdown)
                });
                result(found.flatten())
            }
            Completion::METHOD => {
                let params = asked::<Completion>(request)?;
                result(self.at(&params.text_document_position, |_, cursor, text| {
                    answers::completions(&cursor, text)
                }))
            }
            GotoDefinition::METHOD => {
                let params = asked::<GotoDefinition>(request)?;
                result(self.at(&params.text_document_position_params, |server, cursor, _| {
                    server.locations(cursor.definition())
                }))
            }
            References::METHOD => {
                let params = asked::<References>(request)?;
                result(self.at(&params.text_document_position, |server, cursor, _| {
                    server.locations(cursor.references(params.context.include_declaration))
                }))
            }
            CodeActionRequest::METHOD => {
                let params = asked::<CodeActionRequest>(request)?;
                let at = TextDocumentPositionParams {
                    text_document: params.text_document.clone(),
                    position: params.range.start,
                };
                result(self.at(&at, |server, cursor, text| server.actions(&cursor, text, &params)))
            }
            Shutdown::METHOD => {
                self.is_shut_down = true;
                Ok(serde_json::Value::Null)
            }
            method => Err((ErrorCode::MethodNotFound, format!("spore has no `{method}`"))),
        }
    }

    fn notice(&mut self, notification: Notification) -> Option<()> {
        match notification.method.as_str() {
            Initialized::METHOD => self.watch(),
            DidOpenTextDocument::METHOD => {
                let opened = known::<DidOpenTextDocument>(notification)?.text_document;
                let path = opened.uri.to_file_path().ok()?;
                let text = Text::new(opened.text, self.encoding);
                let document = Document { path: real(&path), text, version: opened.version };
                self.documents.insert(opened.uri, document);
                self.enter(&path);
                self.change();
            }
            DidChangeTextDocument::METHOD => {
                let changed = known::<DidChangeTextDocument>(notification)?;
                let document = self.documents.get_mut(&changed.text_document.uri)?;
                for change in changed.content_changes {
                    document.text.change(change.range, &change.text);
                }
                document.version = changed.text_document.version;
                // Only now may it be that the folder has a network.
                let path = document.path.clone();
                self.enter(&path);
                self.change();
            }
            DidCloseTextDocument::METHOD => {
                self.documents.remove(&known::<DidCloseTextDocument>(notification)?.text_document.uri);
                self.change();
            }
            DidSaveTextDocument::METHOD | DidChangeWatchedFiles::METHOD => self.change(),
            // What is cancelled has been answered by then, and other notices may be ignored.
            _ => {}
        }
        Some(())
    }

    /// The editor reports files that other programs change, if it can.
    fn watch(&self) {
        if self.client.watches_files {
            let id = RequestId::from("watch".to_owned());
            self.send(Request::new(id, RegisterCapability::METHOD.to_owned(), answers::watched()));
        }
    }

    fn change(&mut self) {
        self.changed.get_or_insert_with(Instant::now);
        self.folders.values_mut().for_each(Folder::forget);
    }

    /// Takes the folder that a file is part of into the session.
    fn enter(&mut self, path: &std::path::Path) {
        let found = match &self.named {
            Some((folder, shown)) => {
                let is_in_it = real(path).starts_with(folder);
                is_in_it.then(|| (folder.clone(), shown.canonicalize().unwrap_or_else(|_| shown.clone())))
            }
            None => holding(path, &self.documents),
        };
        if let Some((folder, shown)) = found {
            self.folders.entry(folder.clone()).or_insert_with(|| Folder::new(folder, shown));
        }
    }

    fn snapshot<'s>(&'s self, folder: &'s Folder) -> &'s Snapshot {
        folder.read(&self.documents, self.secrets, &self.outside)
    }

    /// Calls `answer` with the position, if it is in a file of a folder.
    fn at<R>(
        &self,
        at: &TextDocumentPositionParams,
        answer: impl FnOnce(&Located<'_>, Cursor<'_>, &Text) -> R,
    ) -> Option<R> {
        let document = self.documents.get(&at.text_document.uri)?;
        let found = self.folders.values().filter_map(|folder| Some((folder, folder.path_of(document)?)));
        let (folder, file) = found.max_by_key(|(folder, _)| folder.path.as_os_str().len())?;
        let Snapshot { files, draft } = self.snapshot(folder);
        let cursor = Cursor { files, draft, file, offset: document.text.offset(at.position) };
        let located = Located { server: self, folder, client: &self.client };
        Some(answer(&located, cursor, &document.text))
    }

    /// Checks every folder, and tells the editor what was found.
    fn publish(&mut self) {
        let mut folders = std::mem::take(&mut self.folders);
        for folder in folders.values_mut() {
            folder.read(&self.documents, self.secrets, &self.outside);
            folder.check_binaries();
            let found = answers::diagnostics(folder, &self.documents, self.encoding, &self.client);
            for params in found {
                self.send(Notification::new(PublishDiagnostics::METHOD.to_owned(), params));
            }
        }
        self.folders = folders;
    }
}

/// A folder, with the server that has it.
struct Located<'s> {
    server: &'s Server,
    folder: &'s Folder,
    client: &'s answers::Client,
}

impl Located<'_> {
    fn file(&self, file: &str) -> Option<(Url, Text)> {
        self.folder.file(file, &self.server.documents, self.server.encoding)
    }

    fn locations(&self, spots: Vec<crate::editor::Spot>) -> Vec<lsp_types::Location> {
        answers::locations(spots, |file| self.file(file))
    }

    fn actions(
        &self,
        cursor: &Cursor<'_>,
        text: &Text,
        params: &lsp_types::CodeActionParams,
    ) -> Vec<lsp_types::CodeAction> {
        let findings = self.folder.findings();
        answers::actions(cursor, text, params, &findings, |file| self.file(file))
    }
}

/// Runs something that must not end the session, whatever a text does to the libraries that read it.
fn guarded<R>(work: impl FnOnce() -> R) -> Option<R> {
    panic::catch_unwind(AssertUnwindSafe(work)).ok()
}

fn asked<R: lsp_types::request::Request>(request: Request) -> Result<R::Params, Refused> {
    // The error might quote the parameters.
    let refused = |_| (ErrorCode::InvalidParams, "the parameters have another form".to_owned());
    serde_json::from_value(request.params).map_err(refused)
}

fn known<N: lsp_types::notification::Notification>(notification: Notification) -> Option<N::Params> {
    serde_json::from_value(notification.params).ok()
}

fn result(result: impl Serialize) -> Result<serde_json::Value, Refused> {
    serde_json::to_value(result).map_err(|_| (ErrorCode::InternalError, "spore has a defect".to_owned()))
}
