//! What is read of a key, and refused.

use std::time::Duration;

use azure_core::json::from_json;
use countersign_core::local_key::LocalKey;

use super::*;

const KID: &str = "https://t.vault.azure.net/keys/k/78deebed173b48e48f55abf87ed4cf71";

fn uri(text: &str) -> AzureUri {
    AzureUri::parse(&KeyUri::parse(text).unwrap()).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    azure_core::base64::encode_url_safe(bytes)
}

/// A point of P-256 as the SPKI ends with it, its halves without leading zeros.
fn halves(key: &PublicKey) -> (Vec<u8>, Vec<u8>) {
    let point = &key.spki_der()[key.spki_der().len() - 64..];
    let short = |half: &[u8]| half.iter().copied().skip_while(|byte| *byte == 0).collect();
    (short(&point[..32]), short(&point[32..]))
}

/// Some encoders leave leading zeros out, which happens once in 128 keys: here it does.
#[test]
fn short_coordinates_are_padded() {
    let mut seen = 0;
    while seen < 2 {
        let key = LocalKey::generate(KeyType::P256).unwrap();
        let (x, y) = halves(key.public_key());
        if x.len() == 32 && y.len() == 32 {
            continue;
        }
        seen += 1;
        let body = format!(
            r#"{{"key":{{"kid":"{KID}","kty":"EC","crv":"P-256","x":"{}","y":"{}"}}}}"#,
            base64(&x),
            base64(&y)
        );
        let answer: Key = from_json(body.as_bytes()).unwrap();
        let opened = parse(answer, &uri("azurekms://t.vault.azure.net/k"), "x", UNIX_EPOCH).unwrap();
        assert_eq!(&opened.public_key, key.public_key());
        assert_eq!(opened.pinned.to_string(), KID.replace("https", "azurekms").replace("/keys/", "/"));
    }
}

#[test]
fn an_id_must_be_the_keys_own() {
    let newest = uri("azurekms://t.vault.azure.net/K");
    assert!(pin(KID, &newest).is_some(), "names are not told apart by case");
    assert!(pin(&KID.replace("t.vault.azure.net", "T.vault.azure.net:443"), &newest).is_some());
    for other in [
        "",
        "https://t.vault.azure.net/keys/k",
        "https://t.vault.azure.net/keys/k/",
        "https://t.vault.azure.net/keys/k/V",
        "https://t.vault.azure.net/keys/k/v/w",
        "https://t.vault.azure.net/keys/l/v",
        "https://u.vault.azure.net/keys/k/v",
        "http://t.vault.azure.net/keys/k/v",
        "https://t.vault.azure.net:8443/keys/k/v",
        "https://t.vault.azure.net/secrets/k/v",
        "https://t.vault.azure.net/keys/k/v?x",
        "https://me@t.vault.azure.net/keys/k/v",
    ] {
        assert!(pin(other, &newest).is_none(), "{other}");
    }
    let version = uri("azurekms://t.vault.azure.net/k/1");
    assert!(pin("https://t.vault.azure.net/keys/k/1", &version).is_some());
    assert!(pin("https://t.vault.azure.net/keys/k/2", &version).is_none());
}

#[test]
fn a_key_signs_between_its_dates() {
    let key: JsonWebKey = from_json(br#"{"key_ops":["sign","verify"]}"#).unwrap();
    let pinned = uri("azurekms://t.vault.azure.net/k/1");
    let at = |attributes: &str, seconds: u64| {
        let attributes: KeyAttributes = from_json(attributes.as_bytes()).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        refusal(&key, Some(&attributes), &pinned, now).map(|(kind, why, _)| (kind, why))
    };
    let between = r#"{"enabled":true,"nbf":1000,"exp":2000}"#;
    for (attributes, now, word) in [
        (between, 999, "not yet valid"),
        (between, 2000, "expired"),
        (r#"{"exp":-5}"#, 1, "expired"),
        (r#"{"enabled":false}"#, 1, "disabled"),
    ] {
        let (kind, why) = at(attributes, now).unwrap();
        assert!(kind == ErrorKind::KeyState && why.contains(word), "{why}");
    }
    for (attributes, now) in [(between, 1000), (between, 1999), ("{}", 0), (r#"{"nbf":-5}"#, 0)] {
        assert!(at(attributes, now).is_none(), "{attributes} {now}");
    }
    let any: JsonWebKey = from_json(b"{}").unwrap();
    assert!(refusal(&any, None, &pinned, UNIX_EPOCH).is_none(), "a key without key_ops may all");
}

#[test]
fn the_quota_is_kept_from_the_start() {
    let rate = |key_type: KeyType, kty: &str| {
        let key = LocalKey::generate(key_type).unwrap();
        Opened {
            pinned: uri("azurekms://t.vault.azure.net/k/1"),
            kid: KID.to_owned(),
            public_key: key.public_key().clone(),
            is_hardware: kty.ends_with("-HSM"),
            refusal: None,
        }
        .max_rate()
        .map(NonZeroU32::get)
    };
    assert_eq!(rate(KeyType::P256, "EC"), Some(320));
    assert_eq!(rate(KeyType::P384, "EC-HSM"), Some(160));
    assert_eq!(rate(KeyType::Rsa3072, "RSA"), Some(80));
}
