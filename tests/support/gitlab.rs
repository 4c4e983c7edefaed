//! A stand-in for GitLab, as its public reference describes projects, groups and their variables. Imports nothing that is
//! tested; Cosign signs, verifies and makes keys against it.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

use super::exchange::Message;

/// What both of us accept as a token.
pub(crate) const TOKEN: &str = "glpat-not-a-real-token";

/// A project, a project of the same number as a group, and a group: paths as they stand in requests.
const PROJECTS: [&str; 3] = ["acme%2Ftools", "acme%2Fsub%2Ftools", "7"];
const GROUPS: [&str; 3] = ["acme", "acme%2Fsub", "7"];

#[derive(Default)]
struct State {
    /// By `projects/PATH/NAME`.
    variables: BTreeMap<String, Value>,
    asked: Vec<String>,
    /// Paths with this in them are answered with this status once for each entry.
    refusals: Vec<(&'static str, &'static str, u16)>,
}

pub(crate) struct Gitlab {
    address: String,
    state: Arc<Mutex<State>>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gitlab {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its number").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Method and path of what was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.state).asked)
    }

    /// Answers the next `method` request to a path with `word` with `status`.
    pub(crate) fn refuse(&self, method: &'static str, word: &'static str, status: u16) {
        locked(&self.state).refusals.push((method, word, status));
    }

    /// A variable as it is kept, by `projects/PATH/NAME`.
    pub(crate) fn variable(&self, path: &str) -> Option<Value> {
        locked(&self.state).variables.get(path).cloned()
    }

    /// Changes one member of a variable behind everybody's back; `Null` as the whole takes it away.
    pub(crate) fn set(&self, path: &str, variable: Value) {
        let mut state = locked(&self.state);
        if variable.is_null() {
            state.variables.remove(path);
        } else {
            state.variables.insert(path.to_owned(), variable);
        }
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    while let Some(request) = Message::read(&mut reader, false) {
        let (status, body) = answer(&request, &mut locked(state));
        let reply = Message {
            start: format!("HTTP/1.1 {status} Status"),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: if status == 204 { Vec::new() } else { body.to_string().into_bytes() },
        };
        if reply.write(&mut stream).is_err() {
            return;
        }
    }
}

fn answer(request: &Message, state: &mut State) -> (u16, Value) {
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
