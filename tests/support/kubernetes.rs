//! A stand-in for the secrets of a Kubernetes API server, as its public reference describes them. Imports nothing that is
//! tested; Cosign signs, verifies and makes keys against it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::exchange::Message;
use super::stand_in::{Reply, StandIn};

pub(crate) const TOKEN: &str = "sesame-of-a-service-account";

#[derive(Default)]
pub(crate) struct State {
    /// By `NAMESPACE/NAME`.
    secrets: BTreeMap<String, Value>,
    version: u64,
    asked: Vec<String>,
    refusals: Vec<(&'static str, u16)>,
    is_open: bool,
}

pub(crate) struct Kubernetes(StandIn<State>);

impl Kubernetes {
    pub(crate) fn new() -> Self {
        Self(StandIn::new(answer))
    }

    /// A kubeconfig for it, as `kubectl config` writes them.
    pub(crate) fn kubeconfig(&self, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters:\n- cluster:\n    server: http://{}\n  \
             name: stand-in\ncontexts:\n- context:\n    cluster: stand-in\n    user: robot\n  name: test\nusers:\n\
             - name: robot\n  user:\n    {user}\n",
            self.0.address()
        )
    }

    /// Method and path of what was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.state().asked)
    }

    /// Answers the next such request with `status`.
    pub(crate) fn refuse(&self, method: &'static str, status: u16) {
        self.0.state().refusals.push((method, status));
    }

    /// Asks nobody for a token any more: Kubernetes' own client, in Cosign, shows none over plain http.
    pub(crate) fn open(&self) {
        self.0.state().is_open = true;
    }

    pub(crate) fn secret(&self, path: &str) -> Value {
        self.0.state().secrets.get(path).cloned().unwrap_or_default()
    }

    /// Puts a secret there behind everybody's back.
    pub(crate) fn set(&self, path: &str, secret: Value) {
        self.0.state().secrets.insert(path.to_owned(), secret);
    }
}

fn answer(request: &Message, state: &mut State) -> Reply {
    let method = request.start.split(' ').next().unwrap_or_default().to_owned();
    let path = request.path().split('?').next().unwrap_or_default().to_owned();
    state.asked.push(format!("{method} {path}"));
    let failure = |code: u16, reason: &str, message: &str| {
        (
            code,
            json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                    "reason": reason, "code": code }),
        )
    };
    if let Some(at) = state.refusals.iter().position(|(m, _)| *m == method) {
        return failure(state.refusals.remove(at).1, "Forbidden", "secrets is forbidden: robot cannot");
    }
    if !state.is_open && request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return failure(401, "Unauthorized", "Unauthorized");
    }
    if path == "/version" {
        return (200, json!({ "major": "1", "minor": "37", "gitVersion": "v1.37.2" }));
    }
    let parts: Vec<&str> = path.split('/').collect();
    let ["", "api", "v1", "namespaces", namespace, "secrets", name @ ..] = &parts[..] else {
        return failure(404, "NotFound", "the server could not find the requested resource");
    };
    let sent = || match request.body.strip_prefix(b"k8s\0") {
        Some(protobuf) => protobuf_secret(protobuf),
        None => serde_json::from_slice(&request.body).unwrap_or_default(),
    };
    state.version += 1;
    let number = state.version.to_string();
    match (method.as_str(), name) {
        ("POST", []) => {
            let mut secret: Value = sent();
            let place = format!("{namespace}/{}", secret["metadata"]["name"].as_str().unwrap_or_default());
            if state.secrets.contains_key(&place) {
                return failure(409, "AlreadyExists", "secrets already exists");
            }
            secret["metadata"]["resourceVersion"] = json!(number);
            state.secrets.insert(place, secret.clone());
            (201, secret)
        }
        (method, [name]) => {
            let place = format!("{namespace}/{name}");
            let Some(secret) = state.secrets.get_mut(&place) else {
                return failure(404, "NotFound", &format!("secrets \"{name}\" not found"));
            };
            match method {
                "GET" => (200, secret.clone()),
                "PUT" => {
                    let mut next = sent();
                    let named = &next["metadata"]["resourceVersion"];
                    if !named.is_null() && *named != secret["metadata"]["resourceVersion"] {
                        return failure(409, "Conflict", "the object has been modified");
                    }
                    if secret["immutable"] == true {
                        return failure(422, "Invalid", "field is immutable when `immutable` is set");
                    }
                    next["metadata"]["resourceVersion"] = json!(number);
                    *secret = next.clone();
                    (200, next)
                }
                "DELETE" => {
                    state.secrets.remove(&place);
                    (200, json!({ "kind": "Status", "status": "Success" }))
                }
                _ => failure(405, "MethodNotAllowed", "no"),
            }
        }
        _ => failure(405, "MethodNotAllowed", "no"),
    }
}

/// The fields of a protobuf message that have a length, and varints as their bytes (Protocol Buffers, "Encoding").
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a whole number");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = varint(&mut bytes);
        if tag & 7 == 2 {
            let (content, rest) = bytes.split_at(usize::try_from(value).expect("a length"));
            bytes = rest;
            found.push((tag >> 3, content.to_vec()));
        } else {
            found.push((tag >> 3, value.to_be_bytes().to_vec()));
        }
    }
    found
}

/// `runtime.Unknown` around `v1.Secret`, as generated.proto of Kubernetes numbers their fields.
fn protobuf_secret(bytes: &[u8]) -> Value {
    let part = |fields: &[(u64, Vec<u8>)], number: u64| {
        fields.iter().find(|(have, _)| *have == number).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let secret = fields(&part(&fields(bytes), 2));
    let metadata = fields(&part(&secret, 1));
    let data: BTreeMap<String, String> = secret
        .iter()
        .filter(|(number, _)| *number == 2)
        .map(|(_, entry)| fields(entry))
        .map(|entry| (text(part(&entry, 1)), STANDARD.encode(part(&entry, 2))))
        .collect();
    json!({ "apiVersion": "v1", "kind": "Secret", "data": data, "immutable": part(&secret, 5).last() == Some(&1),
            "metadata": { "name": text(part(&metadata, 1)), "namespace": text(part(&metadata, 3)) } })
}
