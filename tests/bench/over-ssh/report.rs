//! The table of results, printed and written to a file as it grows.

use std::fs;
use std::path::{Path, PathBuf};

/// A Markdown document with the results.
pub(crate) struct Report {
    file: PathBuf,
    text: String,
}

impl Report {
    pub(crate) fn new(file: &Path) -> Self {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{error}"));
        }
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("unknown", |(_, model)| model);
        let mut report = Self { file: file.to_owned(), text: String::new() };
        report.add(&format!("All hosts on one machine: {cores} cores, {model}."));
        report
    }

    /// Begins a section.
    pub(crate) fn section(&mut self, name: &str) {
        self.add(&format!("\n### {name}\n"));
    }

    /// Adds a line of text.
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    pub(crate) fn add(&mut self, line: &str) {
        println!("{line}");
        self.text += line;
        self.text.push('\n');
        fs::write(&self.file, &self.text).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Adds a table of what each tool took, with its ratio to the first one.
    pub(crate) fn compare(&mut self, what: &str, rows: &[(&str, f64)]) {
        self.add(&format!("| {what} | seconds | spore / this |\n|---|---|---|"));
        let first = rows.first().map_or(0.0, |(_, first)| *first);
        for (tool, seconds) in rows {
            self.add(&format!("| {tool} | {seconds:.2} | {:.2} |", first / seconds));
        }
    }
}
