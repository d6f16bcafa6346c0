//! Random YAML files in every style. Each key, scalar and comment is unique, so that it can be
//! found again.

/// A generator of random numbers, the same for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'p>(&mut self, items: &[&'p str]) -> &'p str {
        items[self.below(items.len())]
    }
}

/// Writes one file.
pub(super) struct Writer<'r> {
    random: &'r mut Random,
    text: String,
    count: usize,
    anchors: Vec<String>,
    /// Whether the file has anchors and aliases.
    pub(super) shares: bool,
    indent: usize,
    indentless: bool,
    compact: bool,
}

impl<'r> Writer<'r> {
    pub(super) fn new(random: &'r mut Random) -> Self {
        let (shares, indent) = (random.one_in(4), 1 + random.below(4));
        let (indentless, compact) = (random.one_in(2), random.one_in(2));
        Self {
            random,
            text: String::new(),
            count: 0,
            anchors: Vec::new(),
            shares,
            indent,
            indentless,
            compact,
        }
    }

    pub(super) fn file(mut self) -> String {
        self.comments(0);
        if self.random.one_in(8) {
            self.text.push_str("---\n");
            self.comments(0);
        }
        match self.random.below(12) {
            0 => {
                self.flow(3, 0);
                self.end_of_line();
            }
            1 => {}
            _ => self.mapping(0, 3),
        }
        self.comments(0);
        if self.random.one_in(16) && !self.text.trim().is_empty() {
            self.text.push_str("...\n");
        }
        let mut text = self.text;
        if self.random.one_in(5) {
            text.truncate(text.trim_end().len());
        }
        if self.random.one_in(5) {
            text = text.replace('\n', "\r\n");
        }
        if self.random.one_in(8) {
            text.insert(0, '\u{feff}');
        }
        text
    }

    fn unique(&mut self) -> String {
        self.count += 1;
        format!("{}z", self.count)
    }

    fn comments(&mut self, indent: usize) {
        while self.random.one_in(4) {
            match self.random.below(3) {
                0 => self.text.push('\n'),
                n => {
                    let (margin, unique) = (indent * (n % 2), self.unique());
                    let about = self.random.pick(&["", "key: value ", "- it's \"x\" ", "{", "'"]);
                    self.text.push_str(&format!("{}# {about}c{unique}\n", " ".repeat(margin)));
                }
            }
        }
    }

    fn end_of_line(&mut self) {
        if self.random.one_in(4) {
            let (gap, unique) = (self.random.pick(&[" ", "  ", "\t", "     "]), self.unique());
            self.text.push_str(&format!("{gap}# {}c{unique}", self.random.pick(&["", "a: b ", "[", "\" "])));
        } else if self.random.one_in(20) {
            self.text.push(' ');
        }
        self.text.push('\n');
    }

    fn key(&mut self) -> String {
        let unique = self.unique();
        match self.random.below(12) {
            0 => format!("'k{unique}'"),
            1 => format!("\"k: {unique}\""),
            2 => format!("k {unique}"),
            3 => format!("0{}", self.count),
            4 => format!("{}", self.count),
            _ => format!("k{unique}"),
        }
    }

    fn mapping(&mut self, column: usize, depth: usize) {
        for i in 0..1 + self.random.below(4) {
            // The first entry of a list item follows its dash.
            if i > 0 || self.text.is_empty() || self.text.ends_with('\n') {
                self.comments(column);
                self.text.push_str(&" ".repeat(column));
            }
            if self.shares
                && !self.anchors.is_empty()
                && self.random.one_in(8)
                && !self.text.ends_with("<<: ")
            {
                let anchor = self.random.below(self.anchors.len());
                if self.anchors[anchor].starts_with("map") && i == 0 {
                    self.text.push_str(&format!("<<: *{}", self.anchors[anchor]));
                    self.end_of_line();
                    continue;
                }
            }
            let key = self.key();
            self.text.push_str(&key);
            self.text.push(':');
            self.value(column, depth);
        }
    }

    /// What follows a key, up to the end of the line.
    fn value(&mut self, column: usize, depth: usize) {
        let kind = self.random.below(if depth == 0 { 6 } else { 10 });
        let anchor = |kind: &str, writer: &mut Self| {
            if writer.shares && writer.random.one_in(3) {
                let name = format!("{kind}{}", writer.unique());
                writer.text.push_str(&format!(" &{name}"));
                return Some(name);
            }
            None
        };
        match kind {
            0 => {
                let null = self.random.pick(&["", "", " ~", " null"]);
                self.text.push_str(null);
                self.end_of_line();
            }
            1 if self.shares && !self.anchors.is_empty() => {
                let anchor = self.random.below(self.anchors.len());
                self.text.push_str(&format!(" *{}", self.anchors[anchor]));
                self.end_of_line();
            }
            2 if self.random.one_in(3) => self.block_scalar(column),
            1..=3 => {
                let anchor = anchor("s", self);
                self.text.push(' ');
                if self.random.one_in(20) {
                    self.text.push_str("!!str ");
                }
                let scalar = self.scalar(false);
                self.text.push_str(&scalar);
                self.end_of_line();
                self.anchors.extend(anchor);
            }
            4 | 5 => {
                self.text.push(' ');
                self.flow(2, column);
                self.end_of_line();
            }
            6..=8 => {
                let anchor = anchor("map", self);
                self.end_of_line();
                self.mapping(column + self.indent, depth - 1);
                // A value can't contain its own alias.
                self.anchors.extend(anchor);
            }
            _ => {
                let anchor = anchor("l", self);
                self.end_of_line();
                let column = column + if self.indentless { 0 } else { self.indent };
                self.list(column, depth - 1);
                self.anchors.extend(anchor);
            }
        }
    }

    fn list(&mut self, column: usize, depth: usize) {
        for _ in 0..1 + self.random.below(3) {
            self.comments(column);
            self.text.push_str(&format!("{}-", " ".repeat(column)));
            if depth > 0 && self.compact && self.random.one_in(4) {
                self.text.push(' ');
                self.mapping(column + 2, depth - 1);
            } else if self.random.one_in(10) {
                self.text.push('\n');
            } else {
                self.text.push(' ');
                match self.random.below(4) {
                    0 => self.flow(1, column),
                    _ => {
                        let scalar = self.scalar(false);
                        self.text.push_str(&scalar);
                    }
                }
                self.end_of_line();
            }
        }
    }

    fn block_scalar(&mut self, column: usize) {
        let header = self.random.pick(&["|", ">", "|-", ">-", "|+"]);
        self.text.push_str(&format!(" {header}\n"));
        for _ in 0..1 + self.random.below(3) {
            let unique = self.unique();
            let line = self.random.pick(&["x", "# no comment ", "a: ", "- "]);
            self.text.push_str(&format!("{}{line}v{unique}\n", " ".repeat(column + self.indent)));
        }
    }

    fn scalar(&mut self, flow: bool) -> String {
        let unique = self.unique();
        match self.random.below(10) {
            0 => format!("'v{unique} it''s: # x'"),
            1 => format!("\"v{unique} \\\"x\\\" \\u00e9 # x\""),
            2 => format!("{}", 1000 + self.count),
            3 => format!("{}.5", 1000 + self.count),
            4 => format!("v {unique} x"),
            5 => format!("v{unique}\u{e9}\u{1f600}"),
            6 if !flow => format!("v{unique}, [x] {{y}}#z"),
            _ => format!("v{unique}"),
        }
    }

    /// A collection in brackets, on one or several lines.
    fn flow(&mut self, depth: usize, column: usize) {
        let is_list = self.random.one_in(2);
        let lines = self.random.one_in(4);
        let [open, close] = if is_list { ["[", "]"] } else { ["{", "}"] };
        let gap = self.random.pick(&["", "", " "]);
        self.text.push_str(open);
        self.text.push_str(gap);
        let count = self.random.below(4);
        for i in 0..count {
            if lines {
                if self.random.one_in(4) {
                    let unique = self.unique();
                    self.text.push_str(&format!(" # c{unique}"));
                }
                self.text.push_str(&format!("\n{}", " ".repeat(column + self.indent)));
            }
            if !is_list {
                let key = self.key();
                self.text.push_str(&key);
                self.text.push_str(": ");
            }
            if depth > 0 && self.random.one_in(4) {
                self.flow(depth - 1, column + self.indent);
            } else {
                let scalar = self.scalar(true);
                self.text.push_str(&scalar);
            }
            if i + 1 < count || self.random.one_in(6) {
                self.text.push(',');
                if !lines {
                    self.text.push_str(self.random.pick(&[" ", " ", "  "]));
                }
            }
        }
        if lines && count > 0 {
            self.text.push_str(&format!("\n{}", " ".repeat(column + 1)));
        }
        self.text.push_str(gap);
        self.text.push_str(close);
    }
}
