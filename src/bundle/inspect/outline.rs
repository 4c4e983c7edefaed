//! The indented lines that a description is made of. All text from a bundle passes through here, where it is escaped.

use std::fmt::{Display, Write};

/// The lines so far and the depth of the next.
#[derive(Default)]
pub(super) struct Outline {
    text: String,
    depth: usize,
}

impl Outline {
    /// Adds `- Label: value`, or `- Label:` when the value is empty.
    pub(super) fn line(&mut self, label: &str, value: impl Display) {
        let value = value.to_string();
        self.text.extend(std::iter::repeat_n("  ", self.depth));
        self.text.push_str("- ");
        self.push_escaped(label);
        self.text.push(':');
        if !value.is_empty() {
            self.text.push(' ');
            self.push_escaped(&value);
        }
        self.text.push('\n');
    }

    /// Adds a line, and below it what `fill` adds.
    pub(super) fn group(&mut self, label: &str, value: impl Display, fill: impl FnOnce(&mut Self)) {
        self.line(label, value);
        self.depth += 1;
        fill(self);
        self.depth -= 1;
    }

    /// Adds a line about something that a bundle should not do.
    pub(super) fn warning(&mut self, text: &str) {
        self.line("[!] WARNING", text);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn push_escaped(&mut self, text: &str) {
        for char in text.chars() {
            if is_unsafe(char) {
                self.text.extend(char.escape_default());
            } else {
                self.text.push(char);
            }
        }
    }
}

/// Characters that command a terminal, break a line or reorder what stands beside them: a stranger's name with them
/// could pass for lines of ours.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// The value of a field that cannot be parsed.
pub(super) fn unreadable(why: impl Display) -> String {
    format!("unreadable ({why})")
}

/// The value of a field of which only the size is told.
pub(super) fn present(size_bytes: usize) -> String {
    format!("Present ({size_bytes} bytes)")
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // into a string: cannot fail
        text
    })
}
