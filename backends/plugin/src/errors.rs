//! What a plugin answers when it does not do what was asked, as the core's kinds.
//!
//! Protocol v1 knows no codes, only a text. One table on its words decides the kind; the text is told as it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitStatus;

use countersign_core::error::{Error, ErrorKind, Result};
use serde::de::IgnoredAny;

use crate::protocol::{Answer, Method, VERSION};

/// The longest text of a plugin that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// Words in lower case, and what they mean in the mouths of the services' own libraries. The first that is there decides.
const WORDS: [(&str, ErrorKind); 19] = [
    ("protocol version", ErrorKind::Unsupported),
    ("protocolversion", ErrorKind::Unsupported),
    ("unsupported", ErrorKind::Unsupported),
    ("not supported", ErrorKind::Unsupported),
    ("unimplemented", ErrorKind::Unsupported),
    ("not found", ErrorKind::NotFound),
    ("notfound", ErrorKind::NotFound),
    ("no such", ErrorKind::NotFound),
    ("does not exist", ErrorKind::NotFound),
    ("unauthenticated", ErrorKind::Unauthenticated),
    ("unauthorized", ErrorKind::Unauthenticated),
    ("credential", ErrorKind::Unauthenticated),
    ("permission", ErrorKind::Denied),
    ("denied", ErrorKind::Denied),
    ("forbidden", ErrorKind::Denied),
    ("deadline exceeded", ErrorKind::Timeout),
    ("timed out", ErrorKind::Timeout),
    ("too many requests", ErrorKind::Throttled { after: None }),
    ("throttl", ErrorKind::Throttled { after: None }),
];

/// The answer, if the plugin ended well, said nothing against it, and wrote one JSON object.
///
/// # Errors
/// The kind that the plugin's message means, [`ErrorKind::Unavailable`] for one that the table does not know and for an exit
/// status other than 0, whatever was written; [`ErrorKind::Integrity`] for an answer that is none.
pub(crate) fn answer(
    program: &Path,
    method: Method<'_>,
    status: ExitStatus,
    bytes: &[u8],
    act: &str,
) -> Result<Answer> {
    let what = format!("cannot {act}");
    let shown = program.display();
    // An object first: serde takes a list for one, its members in order.
    let parsed = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(bytes)
        .and_then(|_| serde_json::from_slice::<Answer>(bytes));
    if let Some(message) = parsed.as_ref().ok().map(|it| &it.error_message).filter(|text| !text.is_empty()) {
        return Err(refusal(message, program, method, what));
    }
    // Cosign does not look at it: a plugin that failed half-way would count as one that signed.
    if !status.success() {
        return Err(Error::new(ErrorKind::Unavailable, what)
            .why(format!("the plugin {shown} ended with {status}, without saying why in its answer"))
            .hint("see what it wrote above"));
    }
    parsed.map_err(|cause| {
        Error::new(ErrorKind::Integrity, what)
            .why(format!(
                "the answer of {shown} is not that of a plugin, at line {} column {}",
                cause.line(),
                cause.column()
            ))
            .hint(format!(
                "it must write one JSON object of protocol {VERSION} to standard output, and nothing else"
            ))
    })
}

/// What the plugin says.
fn refusal(message: &str, program: &Path, method: Method<'_>, what: String) -> Error {
    let said = words(message);
    let lower = said.to_lowercase();
    let kind =
        WORDS.iter().find(|(word, _)| lower.contains(word)).map_or(ErrorKind::Unavailable, |(_, kind)| *kind);
    let error = Error::new(kind, what).why(format!("the plugin {} says: {said}", program.display()));
    if lower.contains("protocol version") || lower.contains("protocolversion") {
        return error
            .hint(format!("countersign speaks {VERSION}: install a version of the plugin that does"));
    }
    match (kind, method) {
        (ErrorKind::NotFound, Method::PublicKey) => {
            error.hint("if the key is to be made there: countersign generate-key-pair --kms URI")
        }
        (ErrorKind::Unauthenticated, _) => {
            error.hint("the plugin's own page says by which variables it takes credentials")
        }
        _ => error,
    }
}

/// The plugin's own words, without line breaks and control characters, and no longer than fits a line or two.
fn words(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(MAX_SHOWN).collect()
}

/// An answer without the member that was asked for.
pub(crate) fn nothing(program: &Path, method: Method<'_>, act: &str) -> Error {
    Error::new(ErrorKind::Integrity, format!("cannot {act}")).why(format!(
        "the answer of {} has no \"{}\" that can be read",
        program.display(),
        method.name()
    ))
}

/// An answer beyond the limit.
pub(crate) fn too_long(program: &Path, limit: u64, act: &str) -> Error {
    Error::new(ErrorKind::Integrity, format!("cannot {act}"))
        .why(format!("the plugin {} writes more than {limit} bytes, and was stopped", program.display()))
}

/// The time was up, or the user gave up, while the plugin worked.
pub(crate) fn late(error: Error, program: &Path) -> Error {
    let why = error.cause().unwrap_or_default().to_owned();
    error.why(format!("{why} while the plugin {} worked, which was stopped", program.display()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(message: &str) -> ErrorKind {
        refusal(message, Path::new("/p"), Method::PublicKey, "cannot x".to_owned()).kind()
    }

    #[test]
    fn the_words_of_services_have_kinds() {
        for (message, expected) in [
            ("rpc error: code = NotFound desc = key k", ErrorKind::NotFound),
            ("open /k: no such file or directory", ErrorKind::NotFound),
            ("AccessDenied: User is not authorized", ErrorKind::Denied),
            ("unsupported protocol version: v1", ErrorKind::Unsupported),
            ("context deadline exceeded", ErrorKind::Timeout),
            ("the moon is in the wrong house", ErrorKind::Unavailable),
        ] {
            assert_eq!(kind(message), expected, "{message}");
        }
    }

    #[test]
    fn a_plugin_draws_nothing_on_the_terminal() {
        let said = words(&format!("a\u{1b}[2J\r\n  b\u{7} {}", "x".repeat(1000)));
        assert!(said.starts_with("a [2J b x") && said.chars().count() == MAX_SHOWN, "{said}");
    }

    #[test]
    fn an_answer_is_one_object_and_nothing_else() {
        let read = |text: &str| {
            answer(Path::new("/p"), Method::PublicKey, ExitStatus::default(), text.as_bytes(), "x")
        };
        assert!(read(r#" {"publicKey":{"publicKeyPEM":"eA=="},"later":1} "#).is_ok());
        for text in ["", "null", "[]", "{}{}", r#"{"errorMessage":1}"#, r#"{"publicKey":{}}"#, "\u{feff}{}"] {
            assert_eq!(read(text).err().map(|error| error.kind()), Some(ErrorKind::Integrity), "{text}");
        }
        assert_eq!(
            read(r#"{"errorMessage":"x"}"#).err().map(|error| error.kind()),
            Some(ErrorKind::Unavailable)
        );
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(text in "\\PC{0,60}|\\{\"[a-zA-Z]{1,12}\":[\\[\\]{}\":a-z0-9,]{0,20}\\}") {
            let _ = answer(Path::new("/p"), Method::PublicKey, ExitStatus::default(), text.as_bytes(), "x");
        }
    }
}
