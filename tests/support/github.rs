//! A stand-in for GitHub, as its public reference describes the secrets of Actions: it opens what is sealed for it and tells only
//! names. Imports nothing that is tested; Cosign makes keys against it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_box::SecretKey;
use serde_json::{Value, json};

use super::exchange::Message;
use super::stand_in::{Reply, StandIn};

/// What it accepts as a token.
pub(crate) const TOKEN: &str = "ghp_not-a-real-token";

const OWNERS: [&str; 3] = ["repos/acme/tools", "repos/acme/other", "orgs/acme"];
/// Any 32 bytes are a private key.
const SECRET: [u8; 32] = [7; 32];
const KEY_ID: &str = "568250167242549743";

#[derive(Default)]
pub(crate) struct State {
    /// By `OWNER/NAME`: the opened value, and the visibility.
    secrets: BTreeMap<String, (Vec<u8>, Value)>,
    asked: Vec<String>,
    /// The next such request to a path with this word is answered so.
    refusals: Vec<(&'static str, &'static str, u16, Value)>,
}

pub(crate) struct Github(StandIn<State>);

impl Github {
    pub(crate) fn new() -> Self {
        Self(StandIn::new(answer))
    }

    pub(crate) fn address(&self) -> &str {
        self.0.address()
    }

    /// Method and path of what was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.state().asked)
    }

    pub(crate) fn refuse(&self, method: &'static str, word: &'static str, status: u16, body: Value) {
        self.0.state().refusals.push((method, word, status, body));
    }

    /// A secret's value, as a workflow gets it.
    pub(crate) fn value(&self, path: &str) -> Option<String> {
        self.0.state().secrets.get(path).map(|(value, _)| String::from_utf8(value.clone()).expect("text"))
    }

    pub(crate) fn visibility(&self, path: &str) -> Value {
        self.0.state().secrets.get(path).map(|(_, visibility)| visibility.clone()).unwrap_or_default()
    }
}

fn answer(request: &Message, state: &mut State) -> Reply {
    let method = request.start.split(' ').next().unwrap_or_default().to_owned();
    let path = request.path().to_owned();
    state.asked.push(format!("{method} {path}"));
    let message = |status: u16, text: &str| (status, json!({ "message": text }));
    if let Some(at) = state.refusals.iter().position(|(m, word, ..)| *m == method && path.contains(word)) {
        let (.., status, body) = state.refusals.remove(at);
        return (status, body);
    }
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return message(401, "Bad credentials");
    }
    let Some((owner, name)) =
        path.strip_prefix("/api/v3/").and_then(|path| path.split_once("/actions/secrets/"))
    else {
        return message(404, "Not Found");
    };
    if !OWNERS.contains(&owner) {
        return message(404, "Not Found");
    }
    let key = SecretKey::from_bytes(SECRET);
    let place = format!("{owner}/{name}");
    match (method.as_str(), name) {
        ("GET", "public-key") => {
            (200, json!({ "key_id": KEY_ID, "key": STANDARD.encode(key.public_key().as_bytes()) }))
        }
        ("GET", _) if state.secrets.contains_key(&place) => (200, json!({ "name": name })),
        ("PUT", _) => {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let sealed = STANDARD.decode(body["encrypted_value"].as_str().unwrap_or_default());
            let opened = sealed.ok().and_then(|sealed| key.unseal(&sealed).ok());
            let Some(opened) = opened.filter(|_| body["key_id"] == KEY_ID) else {
                return message(422, "Bad request - cannot decrypt");
            };
            // The reference demands it of organizations and knows it nowhere else.
            if owner.starts_with("orgs/") == body["visibility"].is_null() {
                return message(422, "Invalid request: visibility");
            }
            state.secrets.insert(place, (opened, body["visibility"].clone()));
            (201, json!({}))
        }
        ("DELETE", _) if state.secrets.remove(&place).is_some() => (204, Value::Null),
        _ => message(404, "Not Found"),
    }
}
