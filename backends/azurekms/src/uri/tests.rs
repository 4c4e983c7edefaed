//! What the grammar takes, and what it refuses.

use proptest::prelude::*;

use super::*;

const VERSION: &str = "78deebed173b48e48f55abf87ed4cf71";

fn parse(text: &str) -> Result<AzureUri> {
    AzureUri::parse(&KeyUri::parse(text)?)
}

#[test]
fn reads_cosigns_forms() {
    for host in [
        "team.vault.azure.net",
        "team.managedhsm.azure.net",
        "honk-vault.vault.usgovcloudapi.net",
        "127.0.0.1:8443",
    ] {
        let parsed = parse(&format!("azurekms://{host}/honk-key")).unwrap();
        assert_eq!((parsed.host.as_str(), parsed.key.as_str(), &parsed.version), (host, "honk-key", &None));
        let text = format!("azurekms://{host}/honk-key/{VERSION}");
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.version.as_deref(), Some(VERSION));
        assert_eq!(parsed.to_string(), text);
    }
    assert_eq!(parse("azurekms://127.0.0.1:8443/k").unwrap().host_name(), "127.0.0.1");
    assert_eq!(
        parse("azurekms://Team.Vault.Azure.NET/Key").unwrap().to_string(),
        "azurekms://team.vault.azure.net/Key"
    );
    assert_eq!(parse("azurekms://h/k/").unwrap(), parse("azurekms://h/k").unwrap());
    for all in ["azurekms://h", "azurekms://h/"] {
        assert_eq!(parse(all).unwrap().key, "");
    }
}

#[test]
fn refuses_what_is_unclear() {
    let long = format!("h/{}", "k".repeat(128));
    let long_version = format!("h/k/{}", "1".repeat(65));
    for rest in [
        "",
        "/k",
        "//k",
        "h//v",
        "h/k/V",
        "h/k/v/w",
        "h/k//",
        "h/k?x=y",
        "h/k#x",
        "h?x/k",
        "h/a_b",
        "h/a.b",
        "h/..",
        "h/../k",
        "h/a%2fb",
        "h/k/..",
        "a b/k",
        "u@h/k",
        "h:/k",
        "h:0/k",
        "h:70000/k",
        "h:+1/k",
        "h.:1/k",
        ".h/k",
        "-h/k",
        "h-/k",
        "[::1]/k",
        "h\\x/k",
        "hé/k",
        &long,
        &long_version,
    ] {
        let error = parse(&format!("azurekms://{rest}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadUri, "{rest}");
    }
    let said = parse("azurekms://h/a_b").unwrap_err();
    assert!(said.cause().unwrap().contains("at byte 13"), "{said}");
}

proptest! {
    #[test]
    fn what_parses_prints_in_a_form_that_parses_to_the_same(rest in "[a-zA-Z0-9./:-]{0,40}") {
        if let Ok(uri) = parse(&format!("azurekms://{rest}")) {
            prop_assert_eq!(parse(&uri.to_string()).unwrap(), uri);
        }
    }
}
