//! Spellings that Cosign still takes: single dashes before long names, double before short ones, old flag names.

use std::ffi::OsString;

/// Old names of flags, each with today's (Cosign v3.1.3 cmd/cosign/cli/commands.go).
pub const ALIASES: [(&str, &str); 5] = [
    ("cert", "certificate"),
    ("cert-chain", "certificate-chain"),
    ("cert-identity", "certificate-identity"),
    ("cert-oidc-issuer", "certificate-oidc-issuer"),
    ("output-cert", "output-certificate"),
];

/// Rewrites `-key` to `--key`, `--o` to `-o` and `-version` to `version`, with a warning for each. Words after `--` and the
/// values `-` stay as they are; so does a short flag with its value attached (`-t90s`) if the rest is no name.
pub fn rewrite(arguments: Vec<OsString>) -> (Vec<OsString>, Vec<String>) {
    let mut warnings = Vec::new();
    let mut only_values = false;
    let rewritten = arguments.into_iter().enumerate().map(|(at, argument)| {
        let Some(text) = argument.to_str().filter(|_| at > 0 && !only_values) else { return argument };
        only_values = text == "--";
        if at == 1 && text == "--version" {
            return "version".into();
        }
        let Some(new) = new_spelling(text) else { return argument };
        warnings.push(format!("{text} is an old spelling: write {new}"));
        new.into()
    });
    (rewritten.collect(), warnings)
}

fn new_spelling(text: &str) -> Option<String> {
    let name = |text: &str| {
        text.split('=').next().is_some_and(|name| {
            name.len() > 1
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && name.starts_with(|c: char| c.is_ascii_alphabetic())
        })
    };
    if let Some(long) = text.strip_prefix("--") {
        // One letter after two dashes.
        return (long.len() == 1 && name(&format!("{long}x"))).then(|| format!("-{long}"));
    }
    let long = text.strip_prefix('-').filter(|long| name(long))?;
    // `-t90s` is a short flag with its value; no long flag has a digit in second place.
    if long.as_bytes()[1].is_ascii_digit() {
        return None;
    }
    Some(if long == "version" { "version".to_owned() } else { format!("--{long}") })
}

/// What to use instead of a flag that Cosign means to remove.
pub fn deprecation(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "b64" | "output-signature" | "output" | "signature" => "a bundle (--bundle) holds the signature",
        "new-bundle-format" => "the new bundle format is the only one of its future versions",
        "signature-digest-algorithm" => "a bundle names its digest algorithm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(arguments: &[&str]) -> (Vec<String>, usize) {
        let arguments = ["countersign"].iter().chain(arguments).map(OsString::from).collect();
        let (arguments, warnings) = rewrite(arguments);
        (arguments.iter().skip(1).map(|a| a.to_str().unwrap().to_owned()).collect(), warnings.len())
    }

    #[test]
    fn takes_the_old_dashes() {
        assert_eq!(
            rewritten(&["sign-blob", "-key", "k"]),
            (vec!["sign-blob".into(), "--key".into(), "k".into()], 1)
        );
        assert_eq!(
            rewritten(&["-tlog-upload=false", "--y"]),
            (vec!["--tlog-upload=false".into(), "-y".into()], 2)
        );
        assert_eq!(rewritten(&["-version"]), (vec!["version".into()], 1));
        assert_eq!(rewritten(&["--version"]), (vec!["version".into()], 0));
    }

    #[test]
    fn leaves_everything_else_alone() {
        for argument in ["-", "-y", "--key", "-t90s", "file-name", "--", "-5"] {
            assert_eq!(rewritten(&[argument]), (vec![argument.to_owned()], 0));
        }
        assert_eq!(rewritten(&["--", "-key"]).1, 0);
    }
}
