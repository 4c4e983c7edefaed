//! A stand-in for GitLab, as its public reference describes projects, groups and their variables. Imports nothing that is
//! tested; Cosign signs, verifies and makes keys against it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::exchange::Message;
use super::stand_in::{Reply, StandIn};

/// What both of us accept as a token.
pub(crate) const TOKEN: &str = "glpat-not-a-real-token";

/// A project, a project of the same number as a group, and a group: paths as they stand in requests.
const PROJECTS: [&str; 3] = ["acme%2Ftools", "acme%2Fsub%2Ftools", "7"];
const GROUPS: [&str; 3] = ["acme", "acme%2Fsub", "7"];

#[derive(Default)]
pub(crate) struct State {
    /// By `projects/PATH/NAME`.
    variables: BTreeMap<String, Value>,
    asked: Vec<String>,
    /// Paths with this in them are answered with this status once for each entry.
    refusals: Vec<(&'static str, &'static str, u16)>,
}

pub(crate) struct Gitlab(StandIn<State>);

impl Gitlab {
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

    /// Answers the next `method` request to a path with `word` with `status`.
    pub(crate) fn refuse(&self, method: &'static str, word: &'static str, status: u16) {
        self.0.state().refusals.push((method, word, status));
    }

    /// A variable as it is kept, by `projects/PATH/NAME`.
    pub(crate) fn variable(&self, path: &str) -> Option<Value> {
        self.0.state().variables.get(path).cloned()
    }

    /// Changes one member of a variable behind everybody's back; `Null` as the whole takes it away.
    pub(crate) fn set(&self, path: &str, variable: Value) {
        let mut state = self.0.state();
        if variable.is_null() {
            state.variables.remove(path);
        } else {
            state.variables.insert(path.to_owned(), variable);
        }
    }
}

fn answer(request: &Message, state: &mut State) -> Reply {
    let method = request.start.split(' ').next().unwrap_or_default().to_owned();
    let path = request.path().to_owned();
    state.asked.push(format!("{method} {path}"));
    let refused = |status: u16, text: &str| (status, json!({ "message": text }));
    if let Some(at) = state.refusals.iter().position(|(m, word, _)| *m == method && path.contains(word)) {
        return refused(state.refusals.remove(at).2, "refused");
    }
    if request.header("private-token") != Some(TOKEN) {
        return refused(401, "401 Unauthorized");
    }
    let parts: Vec<&str> = path.trim_start_matches("/api/v4/").split('/').collect();
    let owned = |kind: &str, name: &str| match kind {
        "projects" => PROJECTS.contains(&name),
        "groups" => GROUPS.contains(&name),
        _ => false,
    };
    if parts.len() < 2 || !owned(parts[0], parts[1]) {
        return refused(404, "404 Not Found");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let place = |name: &str| format!("{}/{}/{name}", parts[0], parts[1]);
    match (method.as_str(), &parts[2..]) {
        ("GET", []) => (200, json!({ "id": 7, "name": parts[1] })),
        ("POST", ["variables"]) => {
            let name = body["key"].as_str().unwrap_or_default();
            if state.variables.contains_key(&place(name)) {
                return refused(400, "(COSIGN) has already been taken");
            }
            state.variables.insert(place(name), body.clone());
            (201, body)
        }
        (method, ["variables", name]) => {
            let Some(variable) = state.variables.get_mut(&place(name)) else {
                return refused(404, "404 Variable Not Found");
            };
            match method {
                "GET" => (200, variable.clone()),
                "PUT" => {
                    *variable = body;
                    (200, variable.clone())
                }
                "DELETE" => {
                    state.variables.remove(&place(name));
                    (204, Value::Null)
                }
                _ => refused(405, "405 Method Not Allowed"),
            }
        }
        _ => refused(405, "405 Method Not Allowed"),
    }
}
