//! `keys doctor`: the server, who we are there, what we may do, and the state of the key, without changing anything.

use countersign_core::backend::{Finding, Severity};
use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext};

use crate::answers::Key;
use crate::client::Vault;
use crate::signer::{connect, refuse_state};
use crate::uri::VaultUri;

pub(crate) fn diagnose(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) {
    if let Err(error) = look(uri, context, found) {
        found(error.into());
    }
}

fn look(uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let (parsed, vault) = connect(uri, context)?;
    let namespace = vault.namespace().map_or_else(String::new, |name| format!(", namespace {name}"));
    found(Finding::good(format!(
        "server {}, transit engine at {}{namespace}",
        vault.endpoint(),
        vault.mount()
    )));
    if vault.endpoint().is_plain() && !vault.endpoint().is_loopback() {
        found(warning("plain http: everybody on the way can read the token", "use https"));
    }
    let status = vault.seal_status("ask the server for its state")?;
    if status.sealed {
        found(Finding {
            severity: Severity::Problem,
            text: "the server is sealed".to_owned(),
            hint: Some("somebody who holds its keys must unseal it: bao operator unseal".to_owned()),
        });
        return Ok(());
    }
    found(Finding::good(format!("it answers, version {}", status.version)));
    who(&vault, found);
    rights(&parsed, &vault, found)?;
    let key = vault.key(&parsed.key, &format!("read the key {}", parsed.key))?;
    state(&parsed, &key, found)
}

fn who(vault: &Vault<'_>, found: &mut dyn FnMut(Finding)) {
    match vault.who_am_i("ask who the token is") {
        Ok(token) => {
            let lasts = match token.ttl {
                0 => "it does not expire".to_owned(),
                seconds => format!("{seconds} s left"),
            };
            found(Finding::good(format!(
                "we are {}, by {}: policies {}, {lasts}",
                token.display_name,
                vault.credential(),
                token.policies.join(", ")
            )));
            if token.policies.iter().any(|policy| policy == "root") {
                found(warning(
                    "the token is root's: it may do everything",
                    "sign with one that has the policy below",
                ));
            }
        }
        // Signing does not need it.
        Err(error) => found(Finding { severity: Severity::Warning, ..error.into() }),
    }
}

/// The least policy, and what of it is missing.
fn rights(uri: &VaultUri, vault: &Vault<'_>, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let paths = [vault.path(&["keys", &uri.key])?, vault.path(&["sign", &uri.key])?];
    let needed = ["read", "update"];
    let policy = paths
        .iter()
        .zip(needed)
        .map(|(path, needed)| format!("path \"{path}\" {{ capabilities = [\"{needed}\"] }}"))
        .collect::<Vec<_>>()
        .join(" ");
    let refs: Vec<&str> = paths.iter().map(String::as_str).collect();
    let have = match vault.capabilities(&refs, "ask what the token may do") {
        Ok(have) => have,
        Err(error) => {
            found(Finding { severity: Severity::Warning, ..error.into() });
            return Ok(());
        }
    };
    for ((path, needed), have) in paths.iter().zip(needed).zip(have) {
        if have.iter().any(|name| name == needed || name == "root") {
            found(Finding::good(format!("it may {needed} {path}")));
        } else {
            found(Finding {
                severity: Severity::Problem,
                text: format!("it may not {needed} {path}: it has {}", have.join(", ")),
                hint: Some(format!("the least policy that signs: {policy}")),
            });
        }
    }
    found(Finding::good(format!("the least policy that signs: {policy}")));
    Ok(())
}

fn state(uri: &VaultUri, key: &Key, found: &mut dyn FnMut(Finding)) -> Result<()> {
    let what = format!("cannot sign with {uri}");
    let version = uri.version.unwrap_or(key.latest_version);
    let public_key = key.public_key(version, &what)?;
    refuse_state(key, version, &what)?;
    let names: Vec<_> = key.versions().iter().map(u32::to_string).collect();
    found(Finding::good(format!(
        "the key is {}, version {version} of {}, {}",
        public_key.key_type(),
        names.join(", "),
        public_key.fingerprint()
    )));
    for (set, text) in [
        (key.exportable, "the key is exportable: whoever may export it can sign anywhere"),
        (key.allow_plaintext_backup, "the key may be backed up in the clear"),
        (key.deletion_allowed, "the key may be deleted"),
    ] {
        if set {
            found(Finding { severity: Severity::Warning, text: text.to_owned(), hint: None });
        }
    }
    Ok(())
}

fn warning(text: &str, hint: &str) -> Finding {
    Finding { severity: Severity::Warning, text: text.to_owned(), hint: Some(hint.to_owned()) }
}
