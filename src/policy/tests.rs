//! Policy files that are whole, and those that are refused.

use super::*;

const SIGNERS: &str = "version: 1\nsigners:\n  a: {key: a.pub}\n  b: {key: b.pub}\n  c: {key: c.pub}\n";

fn refused(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err()
}

fn rule(text: &str) -> std::result::Result<Rule, String> {
    parse(
        format!("{SIGNERS}require: {text}\nattestations: [{{type: custom, by: {{all: [a, b, c]}}}}]\n")
            .as_bytes(),
    )
    .map(|policy| policy.require.unwrap())
}

#[test]
fn counts_nobody_twice() {
    let two = rule("{at-least: 2, of: [a, b, c]}").unwrap();
    // Pairs of a signer and of who it was.
    assert!(two.is_satisfied(&[(0, 0), (1, 1)]).unwrap());
    assert!(!two.is_satisfied(&[(0, 0)]).unwrap());
    assert!(!two.is_satisfied(&[(0, 0), (1, 0), (2, 0)]).unwrap(), "one person under three names");
    assert!(!two.is_satisfied(&[]).unwrap());
    let nested = rule("{all: [a, {any: [b, c]}]}").unwrap();
    assert!(nested.is_satisfied(&[(0, 0), (2, 1)]).unwrap());
    assert!(!nested.is_satisfied(&[(0, 0), (2, 0)]).unwrap());
    assert!(!nested.is_satisfied(&[(1, 0), (2, 1)]).unwrap());
    // Which of several people stands for whom is found out: the first choice for `a` is the only one for `b`.
    let both = rule("{all: [a, b]}").unwrap();
    assert!(both.is_satisfied(&[(0, 0), (0, 1), (1, 0)]).unwrap());
}

#[test]
fn refuses_rules_that_cannot_be_meant() {
    for (text, why) in [
        ("{any: []}", "is empty"),
        ("{all: []}", "is empty"),
        ("{at-least: 0, of: [a, b]}", "at least 0 of 2"),
        ("{at-least: 3, of: [a, b]}", "at least 3 of 2"),
        ("{at-least: 1}", "expected one of any, all, or at-least with of"),
        ("{any: [a], all: [b]}", "expected one of any, all"),
        ("{at-least: 2, of: [a, a]}", "stands there twice"),
        ("d", "there is no signer d"),
        ("{any: [a, d]}", "there is no signer d"),
    ] {
        let found = rule(text).unwrap_err();
        assert!(found.contains(why), "{text}: {found}");
    }
    let deep = (0..20).fold("a".to_owned(), |inner, _| format!("{{any: [{inner}]}}"));
    assert!(rule(&deep).unwrap_err().contains("deeper"));
}

#[test]
fn refuses_what_is_no_policy() {
    let identity = "version: 1\nrequire: a\nsigners:\n  a: ";
    for (text, why) in [
        ("version: 2\nrequire: a\nsigners:\n  a: {key: k}", "version 2"),
        ("version: 1\nsigners:\n  a: {key: k}", "demands nothing"),
        ("version: 1\nrequire: a\nsigners: {}", "0 signers"),
        ("version: 1\nrequire: a\nsigners:\n  a: {key: k}\n  b: {key: k}", "the signer b is in no rule"),
        ("version: 1\nrequire: a\nsigners:\n  a: {key: k}\nmore: 1", "more"),
        ("version: 1\nrequire: a\nsigners:\n  a: {key: k, more: 1}", "more"),
        ("version: 1\nrequire: a\nsigners:\n  a: {key: k}\n  a: {key: l}", "a"),
        (&format!("{identity}{{key: ''}}"), "empty"),
        (&format!("{identity}{{}}"), "names neither"),
        (&format!("{identity}{{identity: x}}"), "issuer is missing"),
        (&format!("{identity}{{issuer: x}}"), "identity is missing"),
        (&format!("{identity}{{identity: '', issuer: x}}"), "identity is empty"),
        (&format!("{identity}{{identity: x, identity-pattern: y, issuer: z}}"), "leave one"),
        (&format!("{identity}{{identity-pattern: '', issuer: z}}"), "matches everybody"),
        (&format!("{identity}{{identity-pattern: '(', issuer: z}}"), "identity-pattern is none"),
        (&format!("{identity}{{key: k, issuer: z}}"), "leave one"),
        (
            &format!("{identity}{{identity: x, issuer: y, extensions: {{nobody: z}}}}"),
            "nobody is no extension",
        ),
        (
            &format!("{identity}{{identity: x, issuer: y, valid-until: 2026-01-01T00:00:00Z}}"),
            "go with a key",
        ),
        (&format!("{identity}{{key: k, valid-until: tomorrow}}"), "tomorrow is no time"),
        (
            &format!(
                "{identity}{{key: k, valid-from: 2027-01-01T00:00:00Z, valid-until: 2026-01-01T00:00:00Z}}"
            ),
            "after valid-until",
        ),
        ("version: 1\nattestations: [{type: what, by: a}]\nsigners:\n  a: {key: k}", "what"),
        ("- 1", ""),
        ("", ""),
    ] {
        let found = refused(text);
        assert!(found.contains(why), "{text}: {found}");
    }
    assert!(parse(&[0xff]).unwrap_err().contains("UTF-8"));
}

#[test]
fn demands_evidence_of_certificates_by_default() {
    let policy = parse(format!("{SIGNERS}require: {{any: [a, b, c]}}").as_bytes()).unwrap();
    assert_eq!(policy.keys, [Evidence::NONE]);
    assert_eq!(policy.certificates.len(), 2);
    assert!(
        policy.certificates.iter().all(|one| one.certificate_logs == 1 && one.logs + one.timestamps == 1)
    );
    let text = format!(
        "{SIGNERS}require: {{any: [a, b, c]}}\nevidence: {{keys: {{logs: 2}}, certificates: {{logs: 1, timestamps: 1, certificate-logs: 0}}}}"
    );
    let policy = parse(text.as_bytes()).unwrap();
    assert_eq!(policy.keys, [Evidence { logs: 2, timestamps: 0, certificate_logs: 0 }]);
    assert_eq!(policy.certificates, [Evidence { logs: 1, timestamps: 1, certificate_logs: 0 }]);
}
