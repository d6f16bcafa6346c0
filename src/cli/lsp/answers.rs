//! What the editor is told, in the protocol's terms.

use super::folder::{Documents, Folder};
use super::text::{Encoding, Text};
use crate::editor::{Cursor, Fix, Offered, Spot, fixes};
use crate::finding::{Finding, Severity};
use crate::network::Place;
use crate::render;
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOptions, CodeActionParams, CodeActionProviderCapability,
    CompletionItem, CompletionItemKind, CompletionOptions, CompletionTextEdit, Diagnostic,
    DiagnosticRelatedInformation, DiagnosticSeverity, DidChangeWatchedFilesRegistrationOptions,
    Documentation, FileSystemWatcher, GlobPattern, Hover, HoverContents, HoverProviderCapability,
    InitializeParams, InitializeResult, Location, MarkupContent, MarkupKind, NumberOrString, OneOf,
    PositionEncodingKind, PublishDiagnosticsParams, Registration, RegistrationParams, ServerCapabilities,
    ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, TextEdit, Url,
    WorkspaceEdit,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// What the editor can do.
pub(super) struct Client {
    pub(super) reads_markdown: bool,
    pub(super) watches_files: bool,
    /// It shows further places of a finding.
    shows_related: bool,
}

impl Client {
    pub(super) fn new(params: &InitializeParams) -> Self {
        let text = params.capabilities.text_document.as_ref();
        let workspace = params.capabilities.workspace.as_ref();
        let formats = text.and_then(|text| text.hover.as_ref()?.content_format.as_ref());
        let watching = workspace.and_then(|workspace| workspace.did_change_watched_files.as_ref());
        let publishing = text.and_then(|text| text.publish_diagnostics.as_ref());
        Self {
            reads_markdown: formats.is_some_and(|formats| formats.contains(&MarkupKind::Markdown)),
            watches_files: watching.and_then(|watching| watching.dynamic_registration).unwrap_or_default(),
            shows_related: publishing
                .and_then(|publishing| publishing.related_information)
                .unwrap_or_default(),
        }
    }
}

/// The encodings of positions that the editor offers.
pub(super) fn encodings(params: &InitializeParams) -> Option<&[PositionEncodingKind]> {
    params.capabilities.general.as_ref()?.position_encodings.as_deref()
}

pub(super) fn capabilities(encoding: Encoding) -> InitializeResult {
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(true.into()),
        ..TextDocumentSyncOptions::default()
    };
    let begin_a_value = [" ", "{", "[", ","].map(str::to_owned).to_vec();
    let capabilities = ServerCapabilities {
        position_encoding: Some(encoding.name()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(begin_a_value),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        ..ServerCapabilities::default()
    };
    let info = ServerInfo { name: "spore".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) };
    InitializeResult { capabilities, server_info: Some(info) }
}

/// The files of which the editor is to report changes: any of them may be one that the folder names.
pub(super) fn watched() -> RegistrationParams {
    let watchers =
        vec![FileSystemWatcher { glob_pattern: GlobPattern::String("**/*".to_owned()), kind: None }];
    let options = DidChangeWatchedFilesRegistrationOptions { watchers };
    let registration = Registration {
        id: "files".to_owned(),
        method: "workspace/didChangeWatchedFiles".to_owned(),
        register_options: serde_json::to_value(options).ok(),
    };
    RegistrationParams { registrations: vec![registration] }
}

pub(super) fn hover(cursor: &Cursor<'_>, text: &Text, is_markdown: bool) -> Option<Hover> {
    let (span, about) = cursor.about()?;
    let value = render::editor::hover(&about);
    let markup = match is_markdown {
        true => MarkupContent { kind: MarkupKind::Markdown, value },
        false => {
            MarkupContent { kind: MarkupKind::PlainText, value: value.replace("**", "").replace('`', "") }
        }
    };
    Some(Hover { contents: HoverContents::Markup(markup), range: Some(text.range(&span)) })
}

pub(super) fn completions(cursor: &Cursor<'_>, text: &Text) -> Vec<CompletionItem> {
    let Some((word, offered)) = cursor.completions() else { return Vec::new() };
    let range = text.range(&word);
    let item = |offered: crate::editor::Completion| {
        let (detail, meaning) = render::editor::offered(&offered);
        let kind = match offered.what {
            Offered::Field(_) => CompletionItemKind::PROPERTY,
            Offered::Name(_) => CompletionItemKind::REFERENCE,
            Offered::Service => CompletionItemKind::ENUM_MEMBER,
            Offered::Value => CompletionItemKind::VALUE,
        };
        CompletionItem {
            kind: Some(kind),
            detail: Some(detail.to_owned()),
            documentation: meaning.map(|meaning| Documentation::String(meaning.to_owned())),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: offered.text })),
            label: offered.label,
            ..CompletionItem::default()
        }
    };
    offered.into_iter().map(item).collect()
}

pub(super) fn locations(spots: Vec<Spot>, file: impl Fn(&str) -> Option<(Url, Text)>) -> Vec<Location> {
    let location = |spot: Spot| {
        let (uri, text) = file(&spot.file)?;
        Some(Location { uri, range: text.range(&spot.span) })
    };
    spots.into_iter().filter_map(location).collect()
}

pub(super) fn actions(
    cursor: &Cursor<'_>,
    text: &Text,
    params: &CodeActionParams,
    findings: &[Finding],
    file: impl Fn(&str) -> Option<(Url, Text)>,
) -> Vec<CodeAction> {
    let is_wanted =
        |kind: &CodeActionKind| *kind == CodeActionKind::EMPTY || *kind == CodeActionKind::QUICKFIX;
    if params.context.only.as_ref().is_some_and(|only| !only.iter().any(is_wanted)) {
        return Vec::new();
    }
    let range = text.offset(params.range.start)..text.offset(params.range.end);
    let mut actions = Vec::new();
    for finding in findings.iter().filter(|finding| cursor.is_about(finding, &range)) {
        let (message, ..) = render::editor::diagnosis(finding);
        let shown = params.context.diagnostics.iter().filter(|shown| shown.message == message).cloned();
        let shown: Vec<Diagnostic> = shown.collect();
        for Fix { what, spot, text: new_text } in fixes(finding, cursor.files) {
            let Some((url, text)) = file(&spot.file) else { continue };
            let edit = TextEdit { range: text.range(&spot.span), new_text };
            actions.push(CodeAction {
                title: render::editor::fix(&what),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(shown.clone()).filter(|shown| !shown.is_empty()),
                edit: Some(WorkspaceEdit {
                    changes: Some(HashMap::from([(url, vec![edit])])),
                    ..WorkspaceEdit::default()
                }),
                is_preferred: Some(true),
                ..CodeAction::default()
            });
        }
    }
    actions
}

/// The findings of a folder by file, and no findings for the files that had some before.
pub(super) fn diagnostics(
    folder: &mut Folder,
    documents: &Documents,
    encoding: Encoding,
    client: &Client,
) -> Vec<PublishDiagnosticsParams> {
    let mut texts = Texts { folder, documents, encoding, known: BTreeMap::new() };
    let mut found: BTreeMap<Url, Vec<Diagnostic>> = BTreeMap::new();
    for finding in texts.folder.findings() {
        if let Some((url, diagnostic)) = diagnostic(&finding, &mut texts, client) {
            found.entry(url).or_default().push(diagnostic);
        }
    }
    let before = std::mem::take(&mut folder.published);
    folder.published = found.keys().cloned().collect();
    let clear: BTreeSet<Url> = before.difference(&folder.published).cloned().collect();
    let all = found.into_iter().chain(clear.into_iter().map(|url| (url, Vec::new())));
    let version = |url: &Url| documents.get(url).map(|document| document.version);
    all.map(|(uri, diagnostics)| PublishDiagnosticsParams { version: version(&uri), uri, diagnostics })
        .collect()
}

/// The texts in which findings have their places.
struct Texts<'f> {
    folder: &'f Folder,
    documents: &'f Documents,
    encoding: Encoding,
    known: BTreeMap<String, Option<(Url, Rc<Text>)>>,
}

impl Texts<'_> {
    fn of(&mut self, file: &str) -> Option<(Url, Rc<Text>)> {
        let Self { folder, documents, encoding, known } = self;
        let found = known.entry(file.to_owned()).or_insert_with(|| {
            folder.file(file, documents, *encoding).map(|(url, text)| (url, Rc::new(text)))
        });
        found.clone()
    }

    fn location(&mut self, place: &Place) -> Option<Location> {
        let (uri, text) = self.of(place.file())?;
        Some(Location { uri, range: text.range(&place.underlined()) })
    }

    /// Where a finding is shown that is about no file: at the beginning of the file that every network has.
    fn first(&mut self) -> Option<Location> {
        let file = self.folder.main()?;
        let (uri, text) = self.of(&file)?;
        Some(Location { uri, range: text.range(&(0..0)) })
    }
}

fn diagnostic(finding: &Finding, texts: &mut Texts<'_>, client: &Client) -> Option<(Url, Diagnostic)> {
    let (message, id, words) = render::editor::diagnosis(finding);
    let Location { uri, range } = match finding.places().first() {
        Some(place) => texts.location(place)?,
        None => texts.first()?,
    };
    let mut related = Vec::new();
    for (place, label) in words.labels.iter().skip(1).filter(|_| client.shows_related) {
        if let Some(location) = texts.location(place) {
            related.push(DiagnosticRelatedInformation { location, message: label.clone() });
        }
    }
    let severity = match finding.severity() {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Note => DiagnosticSeverity::INFORMATION,
    };
    let diagnostic = Diagnostic {
        range,
        severity: Some(severity),
        code: Some(NumberOrString::String(id.to_owned())),
        source: Some("spore".to_owned()),
        message,
        related_information: Some(related).filter(|related| !related.is_empty()),
        ..Diagnostic::default()
    };
    Some((uri, diagnostic))
}
