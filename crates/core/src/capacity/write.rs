//! The parts of a report as plain text and as markdown.

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// The title.
    Title(String),
    /// A heading within it.
    Heading(&'static str),
    /// A paragraph.
    Line(String),
    /// Lines, each a point of its own.
    List(Vec<String>),
    /// Lines with numbers.
    Steps(Vec<String>),
    /// Rows of cells, the first with names.
    Table(Vec<Vec<String>>),
}

/// As plain text: columns in line, for a terminal and a mail.
pub fn text(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        match block {
            Block::Title(title) => text.push_str(&format!("{title}\n")),
            Block::Heading(heading) => text.push_str(&format!("\n{heading}\n")),
            Block::Line(line) => text.push_str(&format!("\n{line}\n")),
            Block::List(lines) => text.push_str(&points(lines, str::to_owned)),
            Block::Steps(lines) => text.push_str(&numbered(lines, str::to_owned)),
            Block::Table(rows) => text.push_str(&columns(rows)),
        }
    }
    text
}

/// As markdown.
pub fn markdown(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        match block {
            Block::Title(title) => text.push_str(&format!("# {}\n", escaped(title))),
            Block::Heading(heading) => text.push_str(&format!("\n## {heading}\n\n")),
            Block::Line(line) => text.push_str(&format!("\n{}\n", escaped(line))),
            Block::List(lines) => text.push_str(&points(lines, escaped)),
            Block::Steps(lines) => text.push_str(&numbered(lines, escaped)),
            Block::Table(rows) => text.push_str(&table(rows)),
        }
    }
    text
}

fn points(lines: &[String], write: impl Fn(&str) -> String) -> String {
    lines.iter().map(|line| format!("- {}\n", write(line))).collect::<Vec<_>>().concat()
}

fn numbered(lines: &[String], write: impl Fn(&str) -> String) -> String {
    let lines = lines.iter().enumerate();
    lines.map(|(i, line)| format!("{}. {}\n", i + 1, write(line))).collect::<Vec<_>>().concat()
}

/// The first column to the left, the others to the right.
fn columns(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") }
        });
        text.push_str(cells.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

fn table(rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        text.push_str(&line(row.iter().map(|cell| escaped(cell)).collect()));
        if number == 0 {
            let rule = (0..row.len()).map(|column| if column == 0 { "---" } else { "---:" });
            text.push_str(&line(rule.map(str::to_owned).collect()));
        }
    }
    text
}

/// Text that markdown shows as it is; code between backticks stays code.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut is_code = false;
    let has_code = text.matches('`').count() == 2;
    if text.starts_with(['+', '-']) {
        escaped.push('\\'); // else it begins a list
    }
    for letter in text.chars() {
        is_code ^= has_code && letter == '`';
        let special = match letter {
            '|' => true,
            '`' => !has_code,
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => !is_code,
            _ => false,
        };
        if special {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
