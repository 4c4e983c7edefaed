//! Keeps credentials as `docker login` does: with the helper that the file names, else in the file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::whole_file::{self, WriteOptions};
use countersign_core::{OpenContext, Secret, bounded};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{MAX_BYTES, docker_file, helper};

/// Keeps a name and a password. Gives who keeps them, for people.
///
/// # Errors
/// Those of the file and of the helper.
pub fn keep(host: &str, name: &str, password: &Secret, context: &OpenContext<'_>) -> Result<String> {
    let path = docker_file(context)?;
    let damaged = || {
        Error::new(ErrorKind::Integrity, format!("cannot keep credentials in {}", path.display()))
            .why("it is no JSON object")
            .hint("mend it or move it away")
    };
    let mut file = match bounded::read(&path, MAX_BYTES, context.deadline) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            serde_json::from_slice::<Map<String, Value>>(&bytes).map_err(|_| damaged())?
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(cause) => return Err(Error::io("read the credentials in", path.display(), cause)),
    };
    let key = if host == "index.docker.io" { "https://index.docker.io/v1/" } else { host };
    let named = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let helper = named(file.get("credHelpers").and_then(|helpers| helpers.get(host)));
    if let Some(helper) = helper.or_else(|| named(file.get("credsStore")).filter(|name| !name.is_empty())) {
        helper::store(&helper, key, name, password, context)?;
        return Ok(format!("docker-credential-{helper}"));
    }
    let pair = Zeroizing::new([name.as_bytes(), b":", password.expose()].concat());
    let auths = file.entry("auths").or_insert_with(|| json!({}));
    let auths = auths.as_object_mut().ok_or_else(damaged)?;
    auths.insert(key.to_owned(), json!({ "auth": STANDARD.encode(&*pair) }));
    let text = Zeroizing::new(serde_json::to_vec_pretty(&file).map_err(|_| damaged())?);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|cause| Error::io("make", folder.display(), cause))?;
    }
    whole_file::write(&path, &text, WriteOptions { mode: 0o600, overwrite: true, flush: true })?;
    Ok(path.display().to_string())
}
