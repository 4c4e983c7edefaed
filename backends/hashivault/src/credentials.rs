//! Where the token comes from: a variable, a login, the token helper, or the file that a login at the terminal leaves.
//!
//! What the user set for this run goes before what lies about. Nothing is asked of a metadata service.

use std::path::{Path, PathBuf};

use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::SecretBody;
use countersign_core::{Secret, TrustLevel};
use serde_json::json;

use crate::settings::{Settings, path};

/// Where Kubernetes puts a pod's own token.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A token or JWT in a file: those of clouds with many groups reach some kilobytes.
const MAX_TOKEN_BYTES: u64 = 16 * 1024;

/// What becomes a token.
pub(crate) enum Credential {
    /// A token as it is, and where it was found.
    Token(Secret, String),
    /// A login at `auth/MOUNT/login`.
    Login { mount: String, proof: Proof },
}

/// What a login shows.
pub(crate) enum Proof {
    AppRole {
        role_id: String,
        secret_id: Option<Secret>,
    },
    Jwt {
        role: String,
        jwt: Secret,
    },
    /// Read at each login, since such files are renewed.
    JwtFile {
        role: String,
        file: PathBuf,
    },
}

impl Proof {
    /// The JSON of the login.
    pub(crate) fn body(&self, settings_deadline: Option<std::time::Instant>) -> Result<SecretBody> {
        let read;
        let value = match self {
            Self::AppRole { role_id, secret_id: None } => json!({ "role_id": role_id }),
            Self::AppRole { role_id, secret_id: Some(secret) } => {
                return secret_json("role_id", role_id, "secret_id", secret);
            }
            Self::Jwt { role, jwt } => return secret_json("role", role, "jwt", jwt),
            Self::JwtFile { role, file } => {
                read = read_secret(file, settings_deadline)?;
                return secret_json("role", role, "jwt", &read);
            }
        };
        Ok(SecretBody::new(value.to_string().into_bytes()))
    }
}

/// Two members of an object, the second secret: written without a copy that would stay in memory.
fn secret_json(name: &str, value: &str, secret_name: &str, secret: &Secret) -> Result<SecretBody> {
    let text = std::str::from_utf8(secret.expose()).map_err(|_| {
        Error::new(ErrorKind::Unauthenticated, "cannot log in").why(format!("the {secret_name} is not text"))
    })?;
    let mut body = SecretBody::new(Vec::with_capacity(2 * text.len() + value.len() + 64));
    let internal = |cause: serde_json::Error| Error::internal(format!("cannot write JSON: {cause}"));
    body.extend_from_slice(format!("{{{}:{},{}:", json!(name), json!(value), json!(secret_name)).as_bytes());
    serde_json::to_writer(&mut *body, text).map_err(internal)?;
    body.push(b'}');
    Ok(body)
}

/// Finds what to authenticate with; no call is made.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] with every source that was looked at; what the system says of a file that is there and
/// cannot be read.
pub(crate) fn find(settings: &Settings<'_, '_>) -> Result<Credential> {
    let method = settings.text("AUTH_METHOD");
    let role_id = || settings.text("ROLE_ID").map(|(_, role)| role);
    match method.as_ref().map(|(_, method)| method.as_str()) {
        None => {}
        Some("token") => return token(settings)?.ok_or_else(|| nothing(settings)),
        Some("approle") => {
            let role_id = role_id().ok_or_else(|| lacks(settings, "approle", "ROLE_ID"))?;
            return app_role(settings, role_id);
        }
        Some("jwt") => {
            let proof = jwt(settings, "jwt")?.ok_or_else(|| lacks(settings, "jwt", "JWT"))?;
            return login(settings, "jwt", proof);
        }
        Some("kubernetes") => return kubernetes(settings),
        Some(other) => {
            return Err(Error::new(ErrorKind::Unsupported, "cannot log in")
                .why(format!("{} is \"{other}\"", settings.name("AUTH_METHOD")))
                .hint(
                    "there are: token, approle, jwt, kubernetes; for others log in first and set the token",
                ));
        }
    }
    if let Some((name, token)) = settings.secret("TOKEN") {
        return Ok(Credential::Token(token, name));
    }
    if let Some(role_id) = role_id() {
        return app_role(settings, role_id);
    }
    if let Some(proof) = jwt(settings, "jwt")? {
        return login(settings, "jwt", proof);
    }
    if settings.text("ROLE").is_some() && Path::new(SERVICE_ACCOUNT).exists() {
        return kubernetes(settings);
    }
    token(settings)?.ok_or_else(|| nothing(settings))
}

fn app_role(settings: &Settings<'_, '_>, role_id: String) -> Result<Credential> {
    let secret_id = settings.secret("SECRET_ID").map(|(_, secret)| secret);
    login(settings, "approle", Proof::AppRole { role_id, secret_id })
}

/// The JWT of another issuer, if one is set.
fn jwt(settings: &Settings<'_, '_>, method: &str) -> Result<Option<Proof>> {
    let (jwt, file) = (settings.secret("JWT"), settings.file("JWT_FILE"));
    if jwt.is_none() && file.is_none() {
        return Ok(None);
    }
    // A default role may be set at the server.
    let role = settings.text("ROLE").map(|(_, role)| role).ok_or_else(|| lacks(settings, method, "ROLE"))?;
    Ok(match (jwt, file) {
        (Some((_, jwt)), _) => Some(Proof::Jwt { role, jwt }),
        (None, Some((_, file))) => Some(Proof::JwtFile { role, file }),
        (None, None) => None,
    })
}

fn kubernetes(settings: &Settings<'_, '_>) -> Result<Credential> {
    let proof = match jwt(settings, "kubernetes")? {
        Some(proof) => proof,
        None => {
            let role = settings.text("ROLE").ok_or_else(|| lacks(settings, "kubernetes", "ROLE"))?.1;
            Proof::JwtFile { role, file: SERVICE_ACCOUNT.into() }
        }
    };
    login(settings, "kubernetes", proof)
}

fn login(settings: &Settings<'_, '_>, default_mount: &str, proof: Proof) -> Result<Credential> {
    let mount = match settings.text("AUTH_PATH") {
        Some((name, value)) => path(&value, &name)?,
        None => default_mount.to_owned(),
    };
    Ok(Credential::Login { mount, proof })
}

/// A token: the variable, the token helper, the file of the command line's login.
fn token(settings: &Settings<'_, '_>) -> Result<Option<Credential>> {
    if let Some((name, token)) = settings.secret("TOKEN") {
        return Ok(Some(Credential::Token(token, name)));
    }
    let context = settings.context;
    let Some(home) = context.environment.variable("HOME").filter(|home| !home.is_empty()) else {
        return Ok(None);
    };
    let home = PathBuf::from(home);
    if let Some(helper) = token_helper(settings, &home)? {
        // A program is the user's own to name, not a policy's.
        if context.trust == TrustLevel::Operator {
            let token = context.prompt.command(&[helper.clone(), "get".to_owned()])?.without_line_ending();
            if !token.is_empty() {
                return Ok(Some(Credential::Token(token, format!("the token helper {helper}"))));
            }
        }
    }
    let file = home.join(".vault-token");
    if !file.exists() {
        return Ok(None);
    }
    let token = read_secret(&file, context.deadline)?;
    Ok((!token.is_empty()).then(|| Credential::Token(token, file.display().to_string())))
}

/// The program in `token_helper = "…"` of the command line's configuration, `~/.vault`.
fn token_helper(settings: &Settings<'_, '_>, home: &Path) -> Result<Option<String>> {
    let file = settings.file("CONFIG_PATH").map_or_else(|| home.join(".vault"), |(_, file)| file);
    if !file.is_file() {
        return Ok(None);
    }
    let text = bounded::read(&file, MAX_TOKEN_BYTES, settings.context.deadline)
        .map_err(|cause| Error::io("read", file.display(), cause))?;
    Ok(String::from_utf8_lossy(&text).lines().find_map(|line| {
        let value = line.trim().strip_prefix("token_helper")?.trim_start().strip_prefix('=')?.trim();
        value.strip_prefix('"')?.strip_suffix('"').map(str::to_owned).filter(|helper| !helper.is_empty())
    }))
}

fn read_secret(file: &Path, deadline: Option<std::time::Instant>) -> Result<Secret> {
    bounded::read(file, MAX_TOKEN_BYTES, deadline)
        .map(|bytes| Secret::new(bytes).without_line_ending())
        .map_err(|cause| Error::io("read the token in", file.display(), cause))
}

fn lacks(settings: &Settings<'_, '_>, method: &str, suffix: &str) -> Error {
    let name = settings.name(suffix);
    Error::new(ErrorKind::Unauthenticated, format!("cannot log in with {method}"))
        .why(format!("{name} is not set"))
        .hint(format!("set {name}"))
}

fn nothing(settings: &Settings<'_, '_>) -> Error {
    let [token, role_id, jwt, role] = ["TOKEN", "ROLE_ID", "JWT", "ROLE"].map(|suffix| settings.name(suffix));
    Error::new(ErrorKind::Unauthenticated, format!("cannot authenticate to {}", settings.endpoint))
        .why(format!(
            "there is no token: looked at {token}, {role_id} (AppRole), {jwt} and {jwt}_FILE, {role} with \
             {SERVICE_ACCOUNT} (Kubernetes), the token helper in ~/.vault, and ~/.vault-token"
        ))
        .hint(format!("set {token}, or log in, as with: bao login, or vault login"))
}

#[cfg(test)]
mod tests {
    use countersign_core::KeyUri;
    use countersign_core::conformance::World;

    use super::*;
    use crate::uri::VaultUri;

    fn kind(world: World) -> String {
        let world = world.set("VAULT_ADDR", "https://vault");
        let context = world.context();
        let uri = VaultUri::parse(&KeyUri::parse("hashivault://k").unwrap()).unwrap();
        match find(&Settings::read(&uri, &context).unwrap()) {
            Ok(Credential::Token(_, from)) => from,
            Ok(Credential::Login { mount, proof }) => {
                let proof = match proof {
                    Proof::AppRole { .. } => "approle",
                    Proof::Jwt { .. } => "jwt",
                    Proof::JwtFile { .. } => "file",
                };
                format!("{proof} at {mount}")
            }
            Err(error) => format!("{:?}: {error}", error.kind()),
        }
    }

    #[test]
    fn what_is_set_goes_before_what_lies_about() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".vault-token"), "s.file\n").unwrap();
        let world = || World::default().set("HOME", home.path());
        assert!(kind(world()).ends_with(".vault-token"));
        assert_eq!(kind(world().set("VAULT_TOKEN", "s.x")), "VAULT_TOKEN");
        let role = || world().set("VAULT_ROLE_ID", "r").set("VAULT_SECRET_ID", "s");
        assert_eq!(kind(role()), "approle at approle");
        assert_eq!(kind(role().set("VAULT_TOKEN", "s.x")), "VAULT_TOKEN");
        assert_eq!(
            kind(role().set("VAULT_TOKEN", "s.x").set("VAULT_AUTH_METHOD", "approle")),
            "approle at approle"
        );
        assert_eq!(kind(role().set("VAULT_AUTH_PATH", "team/approle")), "approle at team/approle");
        assert_eq!(kind(world().set("VAULT_JWT", "j").set("VAULT_ROLE", "r")), "jwt at jwt");
        assert_eq!(
            kind(world().set("VAULT_ROLE", "r").set("VAULT_AUTH_METHOD", "kubernetes")),
            "file at kubernetes"
        );
        assert!(kind(world().set("VAULT_JWT", "j")).contains("VAULT_ROLE is not set"));
        assert!(kind(world().set("VAULT_AUTH_METHOD", "ldap")).starts_with("Unsupported"));
        assert!(kind(World::default()).contains("looked at VAULT_TOKEN"));
    }

    #[test]
    fn a_login_is_well_formed_json() {
        let secret = Secret::new(b"a\"b\\c".to_vec());
        let proof = Proof::AppRole { role_id: "r\"".to_owned(), secret_id: Some(secret) };
        let body: serde_json::Value = serde_json::from_slice(&proof.body(None).unwrap()).unwrap();
        assert_eq!(body, json!({ "role_id": "r\"", "secret_id": "a\"b\\c" }));
    }
}
