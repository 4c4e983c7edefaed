//! Stands in front of a server on this machine, counts what is asked, and spoils the answers that it was told to spoil. It
//! serves as a proxy for https too, and lets that pass as it is.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::exchange::{Message, forward};

/// What becomes of one request.
pub(crate) enum Fault {
    /// It is answered by the server.
    Pass,
    /// It is answered so, and the server never sees it.
    Answer { status: &'static str, headers: Vec<(&'static str, String)>, body: String },
    /// The server's answer, changed.
    Change(Box<dyn Fn(String) -> String + Send>),
    /// The first half of the server's answer, then nothing for so long.
    Slow(Duration),
    /// The connection is cut before an answer.
    Cut,
    /// The connection is cut in the middle of the answer.
    CutInside,
}

impl Fault {
    /// A status with the errors of a Vault server.
    pub(crate) fn status(status: &'static str, error: &str) -> Self {
        let body = format!("{{\"errors\":[\"{error}\"]}}");
        Self::Answer { status, headers: Vec::new(), body }
    }

    /// The same with one header.
    pub(crate) fn with_header(status: &'static str, name: &'static str, value: &str) -> Self {
        let headers = vec![(name, value.to_owned())];
        Self::Answer { status, headers, body: r#"{"errors":[]}"#.to_owned() }
    }

    /// The server's answer with one text in place of another.
    pub(crate) fn replace(old: &str, new: &str) -> Self {
        let (old, new) = (old.to_owned(), new.to_owned());
        Self::Change(Box::new(move |body| {
            assert!(body.contains(&old), "there is no {old} in {body}");
            body.replacen(&old, &new, 1)
        }))
    }
}

/// Faults for requests whose path holds a word, one a request, in order.
struct Rule {
    word: &'static str,
    faults: VecDeque<Fault>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    requests: Vec<Message>,
    connections: usize,
}

/// The proxy, on a port of its own. Its threads end with the test program.
pub(crate) struct FaultProxy {
    address: String,
    state: Arc<Mutex<State>>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FaultProxy {
    /// In front of `server`, as `host:port`.
    pub(crate) fn new(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its number").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, server) = (Arc::clone(&state), server.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, server) = (Arc::clone(&shared), server.clone());
                thread::spawn(move || serve(stream, &server, &shared));
            }
        });
        Self { address, state }
    }

    /// Its own address, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on spoils the answers to requests with `word` in their path, or in what AWS has in its place.
    pub(crate) fn spoil(&self, word: &'static str, faults: impl IntoIterator<Item = Fault>) {
        locked(&self.state).rules.push(Rule { word, faults: faults.into_iter().collect() });
    }

    /// What was asked since the last call, and over how many new connections; ends all faults.
    pub(crate) fn take(&self) -> (Vec<Message>, usize) {
        let state = std::mem::take(&mut *locked(&self.state));
        (state.requests, state.connections)
    }

    /// The operations that AWS was asked for since the last call; ends all faults.
    pub(crate) fn operations(&self) -> Vec<String> {
        let name = |request: &Message| request.header("x-amz-target")?.split('.').nth(1).map(str::to_owned);
        self.take().0.iter().map(|request| name(request).unwrap_or_else(|| request.start.clone())).collect()
    }

    /// Method and path of what was asked since the last call; ends all faults.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.take().0.iter().map(|request| request.start.trim_end_matches(" HTTP/1.1").to_owned()).collect()
    }
}

/// AWS names the operation in a header; its path says nothing.
fn asks(request: &Message, word: &str) -> bool {
    let target = request.header("x-amz-target").unwrap_or_default();
    request.path().contains(word) || target.contains(word)
}

/// One connection, for as many requests as come.
fn serve(mut stream: TcpStream, server: &str, state: &Mutex<State>) {
    locked(state).connections += 1;
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    while let Some(request) = Message::read(&mut reader, false) {
        if request.start.starts_with("CONNECT ") {
            locked(state).requests.push(request);
            return tunnel(stream, server);
        }
        let fault = {
            let mut state = locked(state);
            state.requests.push(request.clone());
            let mut rules = state.rules.iter_mut().filter(|rule| asks(&request, rule.word));
            rules.find_map(|rule| rule.faults.pop_front()).unwrap_or(Fault::Pass)
        };
        if answer(&mut stream, server, &request, fault).is_none() {
            // It has ended already when the program went away.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// What is asked of a proxy for https: from here on bytes go to and fro, to the server whatever name was asked for.
fn tunnel(mut stream: TcpStream, server: &str) {
    let mut to = TcpStream::connect(server).unwrap_or_else(|cause| panic!("{server}: {cause}"));
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("whoever asked waits");
    let pass = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            // Either side may go first, by whatever end.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        })
    };
    let copies = (stream.try_clone().expect("a second handle"), to.try_clone().expect("a second handle"));
    let there = pass(copies.0, copies.1);
    let _ = std::io::copy(&mut to, &mut stream);
    let _ = stream.shutdown(Shutdown::Both);
    there.join().expect("a copy that ends");
}

/// `None` ends the connection.
fn answer(stream: &mut TcpStream, server: &str, request: &Message, fault: Fault) -> Option<()> {
    let passed = || {
        let mut answer = forward(server, request);
        answer.start = answer.start.replacen("HTTP/1.0", "HTTP/1.1", 1);
        answer.headers.retain(|(name, _)| name != "connection");
        answer
    };
    let half = |stream: &mut TcpStream| {
        let answer = passed();
        let head = format!("{}\r\ncontent-length: {}\r\n\r\n", answer.start, answer.body.len());
        let half = &answer.body[..answer.body.len() / 2];
        stream.write_all(&[head.as_bytes(), half].concat()).ok()
    };
    match fault {
        Fault::Pass => passed().write(stream).ok(),
        Fault::Answer { status, headers, body } => {
            let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            Message { start: format!("HTTP/1.1 {status}"), headers, body: body.into_bytes() }
                .write(stream)
                .ok()
        }
        Fault::Change(change) => {
            let mut answer = passed();
            answer.body =
                change(String::from_utf8(answer.body).expect("the server answers text")).into_bytes();
            answer.write(stream).ok()
        }
        Fault::Slow(time) => {
            half(stream)?;
            thread::sleep(time);
            None
        }
        Fault::Cut => None,
        Fault::CutInside => half(stream).and(None),
    }
}
