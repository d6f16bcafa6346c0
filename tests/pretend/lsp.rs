//! Tests of `spore lsp` with the client of the crate async-lsp, over pipes, and with Neovim.

use crate::page::installed;
use crate::world::{Run, spore};
use async_lsp::lsp_types::{
    ClientCapabilities, CodeActionContext, CodeActionOrCommand, CodeActionParams, CompletionParams,
    CompletionResponse, CompletionTextEdit, Diagnostic, DidChangeTextDocumentParams,
    DidChangeWatchedFilesParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DidSaveTextDocumentParams, GeneralClientCapabilities, GotoDefinitionParams, GotoDefinitionResponse,
    HoverClientCapabilities, HoverContents, HoverParams, InitializeParams, InitializeResult,
    InitializedParams, Location, MarkupKind, NumberOrString, Position, PositionEncodingKind,
    PublishDiagnosticsParams, Range, ReferenceContext, ReferenceParams, TextDocumentClientCapabilities,
    TextDocumentContentChangeEvent, TextDocumentIdentifier, TextDocumentItem, TextDocumentPositionParams,
    TextEdit, Url, VersionedTextDocumentIdentifier, notification, request,
};
use async_lsp::router::Router;
use async_lsp::{LanguageServer, MainLoop, ServerSocket};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An editor, and the texts that it has.
struct Editor {
    runtime: Runtime,
    server: ServerSocket,
    child: Child,
    published: UnboundedReceiver<PublishDiagnosticsParams>,
    /// The findings of each file, as they were last published.
    found: BTreeMap<Url, Vec<Diagnostic>>,
    texts: BTreeMap<Url, (i32, String)>,
    folder: PathBuf,
    utf8: bool,
}

/// A network with an elder on h1 and a member on h2, which has no errors.
fn network() -> TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("network");
    let folder = folder.to_str().unwrap();
    let run = |words: &[&str]| Run::of(&mut spore(words)).exits(0);
    run(&["init", "example.org", folder, "--user", "root", "--key", "~/.ssh/id"]);
    run(&["-n", folder, "host", "add", "h1", "--addr", "192.0.2.1", "--shape", "elders"]);
    run(&["-n", folder, "host", "add", "h2", "--addr", "192.0.2.2", "--shape", "all"]);
    run(&["-n", folder, "bootstrap", "add", "elders@h1"]);
    scratch
}

impl Editor {
    fn new(folder: &Path, arguments: &[&str], encodings: Option<Vec<PositionEncodingKind>>) -> Self {
        let runtime = Runtime::new().unwrap();
        let (publish, published) = unbounded_channel();
        let words = [&["lsp"], arguments].concat();
        let mut command = tokio::process::Command::from(spore(&words));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).current_dir("/");
        let mut child = runtime.block_on(async { command.spawn() }).unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (main, mut server) = MainLoop::new_client(|_| {
            let mut router = Router::new(());
            router
                .notification::<notification::PublishDiagnostics>(move |_, found| {
                    // The test may have ended.
                    let _ = publish.send(found);
                    ControlFlow::Continue(())
                })
                .request::<request::RegisterCapability, _>(|_, _| async { Ok(()) });
            router
        });
        runtime.spawn(async move { main.run_buffered(stdout.compat(), stdin.compat_write()).await });
        let is_utf8 = |offered: &Vec<PositionEncodingKind>| offered.contains(&PositionEncodingKind::UTF8);
        let utf8 = encodings.as_ref().is_some_and(is_utf8);
        let general = GeneralClientCapabilities { position_encodings: encodings, ..Default::default() };
        let hover = HoverClientCapabilities {
            content_format: Some(vec![MarkupKind::Markdown]),
            ..Default::default()
        };
        let text = TextDocumentClientCapabilities { hover: Some(hover), ..Default::default() };
        let capabilities =
            ClientCapabilities { general: Some(general), text_document: Some(text), ..Default::default() };
        let params = InitializeParams { capabilities, ..Default::default() };
        let InitializeResult { capabilities, server_info } =
            runtime.block_on(server.initialize(params)).unwrap();
        assert_eq!(server_info.unwrap().name, "spore");
        let expected = if utf8 { PositionEncodingKind::UTF8 } else { PositionEncodingKind::UTF16 };
        assert_eq!(capabilities.position_encoding, Some(expected));
        server.initialized(InitializedParams {}).unwrap();
        let (found, texts) = (BTreeMap::new(), BTreeMap::new());
        Self { runtime, server, child, published, found, texts, folder: folder.to_owned(), utf8 }
    }

    fn url(&self, file: &str) -> Url {
        Url::from_file_path(self.folder.join(file)).unwrap()
    }

    /// Opens a file with what it contains.
    fn open(&mut self, file: &str) {
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let uri = self.url(file);
        self.texts.insert(uri.clone(), (1, text.clone()));
        let text_document = TextDocumentItem { uri, language_id: "yaml".to_owned(), version: 1, text };
        self.server.did_open(DidOpenTextDocumentParams { text_document }).unwrap();
    }

    fn text(&self, file: &str) -> &str {
        &self.texts[&self.url(file)].1
    }

    /// The position of an offset, as this editor counts.
    fn position(&self, text: &str, offset: usize) -> Position {
        let before = &text[..offset];
        let line = before.rsplit('\n').next().unwrap();
        let character = if self.utf8 { line.len() } else { line.encode_utf16().count() };
        Position { line: before.matches('\n').count() as u32, character: character as u32 }
    }

    fn offset(&self, text: &str, position: Position) -> usize {
        let offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        offsets.into_iter().find(|at| self.position(text, *at) == position).unwrap()
    }

    /// What a range contains.
    fn at(&self, file: &str, range: Range) -> String {
        let text = match self.texts.get(&self.url(file)) {
            Some((_, text)) => text.clone(),
            None => fs::read_to_string(self.folder.join(file)).unwrap(),
        };
        text[self.offset(&text, range.start)..self.offset(&text, range.end)].to_owned()
    }

    /// Writes without saving: replaces `from`, which occurs once.
    fn write(&mut self, file: &str, from: &str, to: &str) {
        let text = self.text(file);
        assert_eq!(text.matches(from).count(), 1, "{from}:\n{text}");
        let at = text.find(from).unwrap();
        let range = Range { start: self.position(text, at), end: self.position(text, at + from.len()) };
        self.change(file, range, to);
    }

    fn change(&mut self, file: &str, range: Range, to: &str) {
        let uri = self.url(file);
        let text = self.text(file).to_owned();
        let (start, end) = (self.offset(&text, range.start), self.offset(&text, range.end));
        let (version, own) = self.texts.get_mut(&uri).unwrap();
        *version += 1;
        own.replace_range(start..end, to);
        let text_document = VersionedTextDocumentIdentifier { uri, version: *version };
        let change =
            TextDocumentContentChangeEvent { range: Some(range), range_length: None, text: to.to_owned() };
        let params = DidChangeTextDocumentParams { text_document, content_changes: vec![change] };
        self.server.did_change(params).unwrap();
    }

    /// Waits until the findings of a file are such.
    #[track_caller]
    fn wait(&mut self, file: &str, are: impl Fn(&[Diagnostic]) -> bool) -> Vec<Diagnostic> {
        let uri = self.url(file);
        loop {
            if let Some(found) = self.found.get(&uri)
                && are(found)
            {
                return found.clone();
            }
            let next = async { tokio::time::timeout(PATIENCE, self.published.recv()).await };
            match self.runtime.block_on(next) {
                Ok(Some(published)) => {
                    if let (Some(version), Some((own, _))) =
                        (published.version, self.texts.get(&published.uri))
                    {
                        assert!(version <= *own);
                    }
                    self.found.insert(published.uri, published.diagnostics);
                }
                ended => panic!("{ended:?}: the findings of {file} are {:#?}", self.found.get(&uri)),
            }
        }
    }

    fn place(&self, file: &str, needle: &str) -> TextDocumentPositionParams {
        let text = self.text(file);
        let offset = match needle.split_once('|') {
            Some((before, after)) => text.find(&format!("{before}{after}")).unwrap() + before.len(),
            None => text.find(needle).unwrap(),
        };
        let position = self.position(text, offset);
        TextDocumentPositionParams { text_document: TextDocumentIdentifier { uri: self.url(file) }, position }
    }

    /// The hover text; `|` in `needle` is the cursor.
    fn hover(&mut self, file: &str, needle: &str) -> Option<String> {
        let text_document_position_params = self.place(file, needle);
        let params =
            HoverParams { text_document_position_params, work_done_progress_params: Default::default() };
        let hover = self.runtime.block_on(self.server.hover(params)).unwrap()?;
        let HoverContents::Markup(markup) = hover.contents else { panic!("{hover:?}") };
        assert_eq!(markup.kind, MarkupKind::Markdown);
        Some(markup.value)
    }

    /// The files and texts of the definitions.
    fn definition(&mut self, file: &str, needle: &str) -> Vec<(String, String)> {
        let params = GotoDefinitionParams {
            text_document_position_params: self.place(file, needle),
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
        };
        match self.runtime.block_on(self.server.definition(params)).unwrap() {
            Some(GotoDefinitionResponse::Array(locations)) => self.shown(locations),
            other => panic!("{other:?}"),
        }
    }

    fn references(&mut self, file: &str, needle: &str) -> Vec<(String, String)> {
        let params = ReferenceParams {
            text_document_position: self.place(file, needle),
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
            context: ReferenceContext { include_declaration: false },
        };
        let locations = self.runtime.block_on(self.server.references(params)).unwrap().unwrap();
        self.shown(locations)
    }

    fn shown(&self, locations: Vec<Location>) -> Vec<(String, String)> {
        let shown = |Location { uri, range }: Location| {
            let path = uri.to_file_path().unwrap();
            let file = path.strip_prefix(&self.folder).unwrap().to_str().unwrap().to_owned();
            let text = self.at(&file, range);
            (file, text)
        };
        locations.into_iter().map(shown).collect()
    }

    /// What is offered, with the text of the line if it is chosen.
    fn completions(&mut self, file: &str, needle: &str) -> BTreeMap<String, String> {
        let place = self.place(file, needle);
        let position = place.position;
        let params = CompletionParams {
            text_document_position: place,
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
            context: None,
        };
        let Some(CompletionResponse::Array(items)) =
            self.runtime.block_on(self.server.completion(params)).unwrap()
        else {
            panic!("no completions")
        };
        let text = self.text(file);
        let line = text.lines().nth(position.line as usize).unwrap_or_default();
        let chosen = |edit: TextEdit| {
            assert_eq!(edit.range.start.line, position.line);
            let [start, end] = [edit.range.start, edit.range.end]
                .map(|at| self.offset(line, Position { line: 0, character: at.character }));
            format!("{}{}{}", &line[..start], edit.new_text, &line[end..])
        };
        let chosen = |edit| match edit {
            Some(CompletionTextEdit::Edit(edit)) => chosen(edit),
            other => panic!("{other:?}"),
        };
        items.into_iter().map(|item| (item.label, chosen(item.text_edit))).collect()
    }

    /// Applies the fix with this title of a finding.
    fn fix(&mut self, file: &str, diagnostic: &Diagnostic, title: &str) {
        let params = CodeActionParams {
            text_document: TextDocumentIdentifier { uri: self.url(file) },
            range: diagnostic.range,
            context: CodeActionContext { diagnostics: vec![diagnostic.clone()], ..Default::default() },
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
        };
        let actions = self.runtime.block_on(self.server.code_action(params)).unwrap().unwrap();
        let [CodeActionOrCommand::CodeAction(action)] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!(action.title, title);
        assert_eq!(action.diagnostics.as_deref(), Some(&[diagnostic.clone()][..]));
        let changes = action.edit.clone().unwrap().changes.unwrap();
        let [edit] = &changes[&self.url(file)][..] else { panic!("{changes:?}") };
        self.change(file, edit.range, &edit.new_text);
    }

    /// Ends the session, and returns the exit code.
    fn end(mut self) -> Option<i32> {
        self.runtime.block_on(self.server.shutdown(())).unwrap();
        self.server.exit(()).unwrap();
        let ended = async { tokio::time::timeout(PATIENCE, self.child.wait()).await };
        self.runtime.block_on(ended).unwrap().unwrap().code()
    }
}

fn has(found: &[Diagnostic], text: &str) -> bool {
    found.iter().any(|diagnostic| diagnostic.message.contains(text))
}

fn errors(found: &[Diagnostic]) -> usize {
    found
        .iter()
        .filter(|found| found.severity == Some(async_lsp::lsp_types::DiagnosticSeverity::ERROR))
        .count()
}

#[test]
fn findings_follow_what_is_written_and_are_fixed_without_saving() {
    for encodings in [None, Some(vec![PositionEncodingKind::UTF8, PositionEncodingKind::UTF16])] {
        let scratch = network();
        let folder = scratch.path().join("network");
        let mut editor = Editor::new(&folder, &[], encodings);
        let saved = fs::read_to_string(folder.join("shapes.yaml")).unwrap();
        editor.open("shapes.yaml");
        editor.write("shapes.yaml", "elders:", "odd: {\"ä😀\": 1, prts: {main: 4242}}\nelders:");
        let found = editor.wait("shapes.yaml", |found| has(found, "prts"));
        let misspelt = found.iter().find(|found| found.message.contains("prts")).unwrap().clone();
        assert_eq!(misspelt.code, Some(NumberOrString::String("field/misspelt".to_owned())));
        assert!(misspelt.message.ends_with("help: did you mean `ports`?"), "{misspelt:?}");
        assert_eq!(editor.at("shapes.yaml", misspelt.range), "prts");
        editor.fix("shapes.yaml", &misspelt, "Replace with `ports`");
        assert!(editor.text("shapes.yaml").contains("{\"ä😀\": 1, ports: {main: 4242}}"));
        let found = editor.wait("shapes.yaml", |found| !has(found, "prts") && has(found, "no field"));
        let unknown = found.iter().find(|found| found.message.contains("no field")).unwrap().clone();
        editor.fix("shapes.yaml", &unknown, "Remove this");
        editor.wait("shapes.yaml", |found| !has(found, "no field"));
        assert!(editor.text("shapes.yaml").starts_with(&saved[..saved.find("elders:").unwrap()]));
        assert!(editor.text("shapes.yaml").contains("odd: {ports: {main: 4242}}\n"));
        // Another file names a shape that is only in the editor, and then isn't any more.
        editor.open("hosts.yaml");
        editor.write("hosts.yaml", "elders: ", "odd: ");
        editor.wait("cloud.yaml", |found| has(found, "h1"));
        editor.write("hosts.yaml", "odd: ", "elders: ");
        editor.wait("cloud.yaml", |found| errors(found) == 0);
        assert_eq!(fs::read_to_string(folder.join("shapes.yaml")).unwrap(), saved);
        // A file that isn't open any more counts as it was saved.
        let text_document = TextDocumentIdentifier { uri: editor.url("shapes.yaml") };
        editor.write("shapes.yaml", "elders:", "prts: 1\nelders:");
        editor.wait("shapes.yaml", |found| errors(found) > 0);
        editor.server.did_close(DidCloseTextDocumentParams { text_document }).unwrap();
        editor.wait("shapes.yaml", |found| errors(found) == 0);
        assert_eq!(editor.end(), Some(0));
    }
}

#[test]
fn a_cursor_is_told_what_it_is_on_and_where_else_that_is() {
    let scratch = network();
    let folder = scratch.path().join("network");
    let mut editor = Editor::new(&folder, &[], None);
    for file in ["shapes.yaml", "hosts.yaml", "cloud.yaml", "auth.yaml"] {
        editor.open(file);
    }
    let port = editor.hover("shapes.yaml", "ma|in: 4242").unwrap();
    for text in
        ["`ports.main`", "The port that other nodes dial.", "Required.", "restarts the nodes of this shape"]
    {
        assert!(port.contains(text), "{text}: {port}");
    }
    let ssh = editor.hover("hosts.yaml", "ss|h: {addr: 192.0.2.1").unwrap();
    assert!(ssh.contains("A change restarts nothing."), "{ssh}");
    let swarm = editor.hover("cloud.yaml", "swa|rm: {").unwrap();
    assert!(swarm.contains("A change restarts all nodes at once."), "{swarm}");
    let elders = editor.hover("hosts.yaml", "elde|rs: {id").unwrap();
    assert!(elders.contains("shape `elders`") && elders.contains("on 1 host: `h1`"), "{elders}");
    assert_eq!(editor.hover("shapes.yaml", "#"), None);

    let at = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    assert_eq!(editor.definition("hosts.yaml", "elde|rs: {id"), [at("shapes.yaml", "elders")]);
    assert_eq!(editor.definition("cloud.yaml", "[|h1"), [at("hosts.yaml", "h1")]);
    assert_eq!(editor.definition("hosts.yaml", "auth: [|admin"), [at("auth.yaml", "admin")]);
    let key = editor.definition("hosts.yaml", "key_file: keys|/elders");
    assert_eq!(key, [at("keys/elders@h1.key", "")]);
    assert_eq!(
        editor.references("shapes.yaml", "elde|rs:\n"),
        [at("cloud.yaml", "elders"), at("hosts.yaml", "elders")]
    );
    let uses = [at("hosts.yaml", "admin"), at("hosts.yaml", "admin")];
    assert_eq!(editor.references("auth.yaml", "admin|:"), uses);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn what_is_missing_is_offered_while_the_file_is_broken() {
    let scratch = network();
    let folder = scratch.path().join("network");
    let mut editor = Editor::new(&folder, &[], None);
    for file in ["shapes.yaml", "hosts.yaml", "cloud.yaml"] {
        editor.open(file);
    }
    let end = editor.text("shapes.yaml").to_owned();
    let last = end.lines().last().unwrap().to_owned();
    editor.write("shapes.yaml", &format!("{last}\n"), &format!("{last}\nmore:\n  services: [tns, \n"));
    editor.wait("shapes.yaml", |found| errors(found) > 0);
    let services = editor.completions("shapes.yaml", "[tns, |\n");
    assert_eq!(services["hoarder"], "  services: [tns, hoarder");
    assert!(!services.contains_key("tns"), "{services:?}");
    editor.write("shapes.yaml", "[tns, \n", "[tns]\n  po\n");
    let fields = editor.completions("shapes.yaml", "  po|\n");
    assert_eq!(fields["ports"], "  ports:");
    assert!(!fields.contains_key("services") && fields.contains_key("plugins"), "{fields:?}");
    editor.write("shapes.yaml", "  po\n", "  ports: {main: 4243}\n");
    editor.wait("shapes.yaml", |found| errors(found) == 0);

    let end = editor.text("hosts.yaml").to_owned();
    let last = end.lines().last().unwrap().to_owned();
    editor.write("hosts.yaml", &format!("{last}\n"), &format!("{last}\nh9:\n  shapes: {{m}}\n"));
    let shapes = editor.completions("hosts.yaml", "{m|}");
    assert_eq!(shapes["more"], "  shapes: {more: }");
    editor.write("hosts.yaml", "  shapes: {m}\n", "  ssh:\n    \n");
    let fields = editor.completions("hosts.yaml", "ssh:\n    |\n");
    assert_eq!(fields["port"], "    port: ");
    editor.write("hosts.yaml", "  ssh:\n    \n", "  ssh: {auth: }\n");
    assert_eq!(editor.completions("hosts.yaml", "{auth: |}").len(), 1);
    editor.write("cloud.yaml", "[h1]", "[h1, ]");
    let hosts = editor.completions("cloud.yaml", "[h1, |]");
    // Only hosts with a node of the shape, and not the one that is listed.
    assert!(hosts.is_empty(), "{hosts:?}");
    assert_eq!(editor.end(), Some(0));
}

/// Whatever is written, the server goes on, and tells no secret.
#[test]
fn nothing_that_is_written_ends_the_session_or_reveals_a_secret() {
    let scratch = network();
    let folder = scratch.path().join("network");
    let mut editor = Editor::new(&folder, &[], None);
    let key = Run::of(&mut spore(&["key", "node"])).exits(0).text.trim().to_owned();
    editor.open("hosts.yaml");
    let whole = format!(
        "{}h9: {{addr: 192.0.2.9, ssh: [x], shapes: {{elders: {{key: {key}x, kye: {key}}}}}}}\n",
        editor.text("hosts.yaml")
    );
    let mut said = String::new();
    let all = |editor: &Editor| {
        let text = editor.text("hosts.yaml");
        Range { start: Position::default(), end: editor.position(text, text.len()) }
    };
    let step = 1 + whole.len() / 40;
    for end in (0..whole.len()).step_by(step).chain([whole.len()]) {
        for rest in ["", "\n\t: [", "\0", "&a *a", "? - {", "<<: *x"] {
            let range = all(&editor);
            editor.change(
                "hosts.yaml",
                range,
                &format!("{}{rest}", &whole[..whole.floor_char_boundary(end)]),
            );
            let at = editor.place("hosts.yaml", "");
            for position in [at.position, all(&editor).end] {
                let place = TextDocumentPositionParams { position, ..at.clone() };
                let params = HoverParams {
                    text_document_position_params: place,
                    work_done_progress_params: Default::default(),
                };
                said.extend(
                    editor
                        .runtime
                        .block_on(editor.server.hover(params))
                        .unwrap()
                        .map(|found| format!("{found:?}")),
                );
            }
        }
    }
    let range = all(&editor);
    editor.change("hosts.yaml", range, &whole);
    let found = editor.wait("hosts.yaml", |found| has(found, "`kye`"));
    said.push_str(&format!("{found:?}"));
    said.push_str(&editor.hover("hosts.yaml", "kye: CAESQ|").unwrap_or_default());
    said.push_str(&editor.hover("hosts.yaml", "{key: CAESQ|").unwrap_or_default());
    assert!(!said.contains(&key[8..24]), "{said}");
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn the_folder_is_found_and_changes_on_disk_count() {
    let scratch = network();
    let folder = scratch.path().join("network");
    // A file of another program with the name of a file of a network.
    let other = scratch.path().join("playbooks");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("hosts.yaml"), "all: [1\n").unwrap();
    let mut editor = Editor::new(&folder, &[], None);
    editor.open("../playbooks/hosts.yaml");
    editor.open("shapes.yaml");
    let hosts = fs::read_to_string(folder.join("hosts.yaml")).unwrap();
    fs::write(folder.join("hosts.yaml"), hosts.replace("elders:", "eldres:")).unwrap();
    editor.server.did_change_watched_files(DidChangeWatchedFilesParams { changes: Vec::new() }).unwrap();
    editor.wait("hosts.yaml", |found| has(found, "eldres"));
    fs::write(folder.join("hosts.yaml"), &hosts).unwrap();
    let text_document = TextDocumentIdentifier { uri: editor.url("shapes.yaml") };
    editor.server.did_save(DidSaveTextDocumentParams { text_document, text: None }).unwrap();
    editor.wait("hosts.yaml", |found| !has(found, "eldres"));
    assert!(editor.found.keys().all(|url| !url.path().contains("playbooks")), "{:?}", editor.found.keys());
    // A network that is being written, none of whose files exists.
    let new = scratch.path().join("new");
    fs::create_dir(&new).unwrap();
    editor.folder = new;
    editor.open("cloud.yaml");
    editor.wait("cloud.yaml", |found| has(found, "no `hosts.yaml`"));
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn options_are_those_of_check() {
    let scratch = network();
    let folder = scratch.path().join("network");
    fs::remove_file(folder.join("keys/swarm.key")).unwrap();
    let mut editor = Editor::new(&folder, &[], None);
    editor.open("cloud.yaml");
    editor.wait("cloud.yaml", |found| has(found, "swarm.key") && errors(found) > 0);
    assert_eq!(editor.end(), Some(0));
    let named = folder.to_str().unwrap();
    let mut editor = Editor::new(&folder, &["-n", named, "--without-secrets"], None);
    editor.open("cloud.yaml");
    editor.wait("cloud.yaml", |found| has(found, "missing") && errors(found) == 0);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn an_editor_that_leaves_or_is_none_ends_it() {
    let run = Run::of(spore(&["lsp"]).stdin(Stdio::null())).exits(1);
    run.says("standard input has no message of an editor");
    let mut child =
        spore(&["lsp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"swarm\": \"not-a-secret\"}\n").unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert!(out.status.code() == Some(1) && !said.contains("not-a-secret"), "{said}");
    // The session begins, and the editor dies.
    let mut child =
        spore(&["lsp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#;
    let message = format!("Content-Length: {}\r\n\r\n{text}", text.len());
    child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let answer = String::from_utf8(out.stdout).unwrap();
    assert!(
        answer.starts_with("Content-Length: ") && answer.contains("\"positionEncoding\":\"utf-16\""),
        "{answer}"
    );
    assert_eq!((out.status.code(), String::from_utf8(out.stderr).unwrap().as_str()), (Some(1), ""));
}

/// Neovim with the recipe: it shows findings, a hover text and a fix.
#[test]
fn neovim_is_served_with_the_recipe() {
    let test = "lsp::neovim_is_served_with_the_recipe";
    let Some(program) = installed(&["nvim"], test) else { return };
    let scratch = network();
    let folder = scratch.path().join("network");
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recipes");
    let shapes = folder.join("shapes.yaml");
    let script = scratch.path().join("test.lua");
    fs::write(&script, include_str!("lsp/neovim.lua")).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_spore")).parent().unwrap();
    let path = std::env::join_paths(
        [bin.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let mut nvim = std::process::Command::new(program);
    nvim.args(["--headless", "-n", "-u", "NONE", "-i", "NONE", "--cmd", "filetype on", "-S"])
        .arg(&script)
        .env("PATH", path)
        .env("HOME", scratch.path())
        .env("XDG_CONFIG_HOME", scratch.path())
        .env("XDG_STATE_HOME", scratch.path())
        .env("SPORE_TEST_RECIPE", recipes.join("neovim.lua"))
        .env("SPORE_TEST_FILE", &shapes)
        .env_remove("SPORE_NETWORK")
        .stdin(Stdio::null());
    let before = fs::read_to_string(&shapes).unwrap();
    let run = Run::of(&mut nvim);
    run.says("finding: ")
        .says("did you mean `ports`?")
        .says("hover: ")
        .says("restarts the nodes of this shape");
    run.says("fixed: ");
    assert_eq!(fs::read_to_string(&shapes).unwrap(), before);
}
