//! The calls to the server, each with its path, its token and its failure.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{self, Answer, Client, Method, Options, Request, SecretBody, encode_segment};
use countersign_core::{Events, OpenContext, Secret};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answers::{Envelope, Key, Login, Names, SealStatus, Signed, Token};
use crate::credentials::{self, Credential};
use crate::errors::{self, Capability, Place};
use crate::settings::Settings;
use crate::tls;
use crate::uri::VaultUri;

/// Variables of Vault's own tools that would make TLS trust everybody.
const NOT_HONOURED: [(&str, &str); 1] = [("SKIP_VERIFY", "TLS is checked all the same")];

/// A server, and who we are to it.
pub(crate) struct Vault<'a> {
    http: Client<'a>,
    mount: String,
    namespace: Option<String>,
    credential: Credential,
    /// The token of a login, taken when the first call needs it.
    held: Mutex<Option<Held>>,
}

struct Held {
    token: Arc<Secret>,
    expires: Option<Instant>,
}

impl<'a> Vault<'a> {
    /// Reads where the server is and what to authenticate with. Makes no call yet.
    pub(crate) fn new(uri: &VaultUri, context: &OpenContext<'a>) -> Result<Self> {
        let settings = Settings::read(uri, context)?;
        for (suffix, instead) in NOT_HONOURED {
            if let Some((name, _)) = settings.text(suffix) {
                warn(context.events, format!("{name} is not honoured: {instead}"));
            }
        }
        let (certificates, identity) = (tls::certificates(&settings)?, tls::identity(&settings)?);
        let credential = credentials::find(&settings)?;
        let options = Options {
            certificates,
            certificates_variable: "VAULT_CACERT",
            identity,
            identity_named_by: Some(tls::IDENTITY),
            server_name: settings.text("TLS_SERVER_NAME").map(|(_, name)| name),
            is_transient: errors::is_transient,
            ..Options::default()
        };
        let http = Client::new(settings.endpoint.clone(), options, context)?;
        Ok(Self {
            http,
            mount: settings.mount,
            namespace: settings.namespace,
            credential,
            held: Mutex::default(),
        })
    }

    pub(crate) fn endpoint(&self) -> &http::Endpoint {
        self.http.endpoint()
    }

    pub(crate) fn mount(&self) -> &str {
        &self.mount
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Where the token is from, for people.
    pub(crate) fn credential(&self) -> String {
        match &self.credential {
            Credential::Token(_, from) => format!("the token in {from}"),
            Credential::Login { mount, .. } => format!("a login at auth/{mount}"),
        }
    }

    /// The key with the public halves of its versions.
    pub(crate) fn key(&self, name: &str, act: &str) -> Result<Key> {
        let path = self.path(&["keys", name])?;
        let key: Envelope<Key> = self.read(act, &path, Capability::Read)?;
        if key.data.name == name {
            return Ok(key.data);
        }
        Err(Error::new(ErrorKind::Integrity, format!("cannot {act}")).why(format!(
            "the server answers for another key: expected {name}, found {}",
            key.data.name.escape_debug()
        )))
    }

    /// The names of the engine's keys.
    pub(crate) fn names(&self, act: &str) -> Result<Vec<String>> {
        let path = self.path(&["keys"])?;
        match self.read::<Envelope<Names>>(act, &path, Capability::List) {
            Ok(names) => Ok(names.data.keys),
            // That is how an engine without keys answers.
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && error.cause().is_some_and(|why| why == errors::no_such_key(&self.mount)) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Has the server sign.
    pub(crate) fn sign(&self, name: &str, body: &Value, act: &str) -> Result<Signed> {
        let path = self.path(&["sign", name])?;
        self.update::<Envelope<Signed>>(act, &path, body).map(|signed| signed.data)
    }

    /// Makes a key of the server's type, if there is none of that name.
    pub(crate) fn create(&self, name: &str, key_type: &str, act: &str) -> Result<()> {
        let path = self.path(&["keys", name])?;
        let body = body_of(&json!({ "type": key_type }));
        let answer = self.authenticated(act, Method::Post, &path, Some(&body))?;
        if answer.is_success() { Ok(()) } else { Err(self.judge(act, &answer, &path, Capability::Update)) }
    }

    /// Whether the server takes calls at all; needs no token.
    pub(crate) fn seal_status(&self, act: &str) -> Result<SealStatus> {
        let answer = self.send(act, Method::Get, "sys/seal-status", None, None)?;
        self.parse(act, &answer, "sys/seal-status", Capability::Read)
    }

    /// Who the token is.
    pub(crate) fn who_am_i(&self, act: &str) -> Result<Token> {
        let answer = self.authenticated(act, Method::Get, "auth/token/lookup-self", None)?;
        if !answer.is_success() {
            return Err(errors::refused(
                &format!("cannot {act}"),
                &answer,
                self.place("auth/token/lookup-self", Capability::Read),
            ));
        }
        self.parse::<Envelope<Token>>(act, &answer, "auth/token/lookup-self", Capability::Read)
            .map(|token| token.data)
    }

    /// What the token may do on each of `paths`, in their order.
    pub(crate) fn capabilities(&self, paths: &[&str], act: &str) -> Result<Vec<Vec<String>>> {
        let path = "sys/capabilities-self";
        let found: Envelope<Value> = self.update(act, path, &json!({ "paths": paths }))?;
        let of = |path: &&str| {
            let names = found.data[*path].as_array().map(Vec::as_slice).unwrap_or_default();
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Ok(paths.iter().map(of).collect())
    }

    /// A path below the mount, as policies write it; the names in it are checked.
    pub(crate) fn path(&self, names: &[&str]) -> Result<String> {
        let mut path = self.mount.clone();
        for name in names {
            path.push('/');
            path.push_str(&encode_segment(name)?);
        }
        Ok(path)
    }

    fn read<T: DeserializeOwned>(&self, act: &str, path: &str, capability: Capability) -> Result<T> {
        let answer = match capability {
            // RFC 9110 knows no method LIST; the server takes this in its place.
            Capability::List => self.authenticated(act, Method::Get, &format!("{path}?list=true"), None)?,
            Capability::Read | Capability::Update => self.authenticated(act, Method::Get, path, None)?,
        };
        self.parse(act, &answer, path, capability)
    }

    fn update<T: DeserializeOwned>(&self, act: &str, path: &str, body: &Value) -> Result<T> {
        let answer = self.authenticated(act, Method::Post, path, Some(&body_of(body)))?;
        self.parse(act, &answer, path, Capability::Update)
    }

    fn parse<T: DeserializeOwned>(
        &self,
        act: &str,
        answer: &Answer,
        path: &str,
        capability: Capability,
    ) -> Result<T> {
        if !answer.is_success() {
            return Err(self.judge(act, answer, path, capability));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|cause| errors::unreadable(&format!("cannot {act}"), &cause))
    }

    fn place<'p>(&'p self, path: &'p str, capability: Capability) -> Place<'p> {
        Place { path, capability, mount: &self.mount }
    }

    /// What a refusal means. The server says "permission denied" both of a token that it does not know and of one that may
    /// not: the token's own entry tells, for one more call.
    fn judge(&self, act: &str, answer: &Answer, path: &str, capability: Capability) -> Error {
        let what = format!("cannot {act}");
        let error = errors::refused(&what, answer, self.place(path, capability));
        if error.kind() != ErrorKind::Denied {
            return error;
        }
        match self.authenticated(act, Method::Get, "auth/token/lookup-self", None) {
            Ok(answer) if answer.status == 403 => errors::not_known(&what),
            Ok(_) | Err(_) => error,
        }
    }

    fn authenticated(
        &self,
        act: &str,
        method: Method,
        path: &str,
        body: Option<&SecretBody>,
    ) -> Result<Answer> {
        let held;
        let token = match &self.credential {
            Credential::Token(token, _) => token,
            Credential::Login { .. } => {
                held = self.logged_in(act)?;
                &*held
            }
        };
        self.send(act, method, path, Some(token), body)
    }

    /// The token of a login: kept until it ends, so that a batch logs in once.
    fn logged_in(&self, act: &str) -> Result<Arc<Secret>> {
        let Credential::Login { mount, proof } = &self.credential else {
            return Err(Error::internal("a login without anything to log in with"));
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_ref().filter(|held| held.expires.is_none_or(|end| Instant::now() < end)) {
            return Ok(Arc::clone(&held.token));
        }
        let began = Instant::now();
        let path = format!("auth/{mount}/login");
        let body = proof.body(self.http.context().deadline)?;
        let what = format!("cannot log in at auth/{mount}");
        let answer = self.send(act, Method::Post, &path, None, Some(&body))?;
        if !answer.is_success() {
            return Err(match errors::refused(&what, &answer, self.place(&path, Capability::Update)) {
                // Nobody's policies are asked at a login: whatever was shown is not accepted.
                error if matches!(answer.status, 400 | 403) => Error::new(ErrorKind::Unauthenticated, what)
                    .why(
                        error
                            .cause()
                            .filter(|_| answer.status == 400)
                            .unwrap_or("the server refuses what was shown")
                            .to_owned(),
                    )
                    .hint("look at role, secret and the login's mount"),
                error => error,
            });
        }
        let login: Login =
            serde_json::from_slice(&answer.body).map_err(|cause| errors::unreadable(&what, &cause))?;
        let token = Arc::new(Secret::new(login.auth.client_token.into_bytes()));
        // A tenth early, so that no call takes a token that ends on the way.
        let lasts = Duration::from_secs(login.auth.lease_duration).mul_f64(0.9);
        let expires = (login.auth.lease_duration > 0).then(|| began.checked_add(lasts)).flatten();
        *held = Some(Held { token: Arc::clone(&token), expires });
        Ok(token)
    }

    fn send(
        &self,
        act: &str,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<&SecretBody>,
    ) -> Result<Answer> {
        let path = format!("/v1/{path}");
        // What Vault Agent asks for, as a proof that no browser was tricked into the request.
        let mut headers = vec![("x-vault-request", "true")];
        headers.extend(self.namespace.as_deref().map(|namespace| ("x-vault-namespace", namespace)));
        let credentials: Vec<_> = token.map(|token| ("x-vault-token", token)).into_iter().collect();
        self.http
            .send(act, &Request { method, path: &path, headers: &headers, credentials: &credentials, body })
    }
}

fn body_of(value: &Value) -> SecretBody {
    SecretBody::new(value.to_string().into_bytes())
}

fn warn(events: &dyn Events, text: String) {
    events.event(countersign_core::context::Event::Warning(text));
}
