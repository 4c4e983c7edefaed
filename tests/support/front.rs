//! A server that sees every request to a registry and may answer in its place.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::exchange::{Message, forward};

/// What it does: with a request and how many came before it. `None`: the registry answers.
pub(crate) type Rule = dyn Fn(&Message, usize) -> Option<Message> + Send + Sync;

/// The server. Its threads end with the test program.
pub(crate) struct Front {
    address: String,
    seen: Arc<Mutex<Vec<Message>>>,
}

impl Front {
    /// In front of a registry (`host:port`, or nothing where the rule answers everything).
    pub(crate) fn new(
        backend: &str,
        rule: impl Fn(&Message, usize) -> Option<Message> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its number").to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (shared, backend, rule): (_, _, Arc<Rule>) =
            (Arc::clone(&seen), backend.to_owned(), Arc::new(rule));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, backend, rule) = (Arc::clone(&shared), backend.clone(), Arc::clone(&rule));
                thread::spawn(move || serve(stream, &backend, &shared, &*rule));
            }
        });
        Self { address, seen }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What was asked so far; begins anew.
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, method and path.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.take().iter().map(|request| request.start.trim_end_matches(" HTTP/1.1").to_owned()).collect()
    }
}

fn serve(mut stream: TcpStream, backend: &str, seen: &Mutex<Vec<Message>>, rule: &Rule) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    while let Some(request) = Message::read(&mut reader, false) {
        let number = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(request.clone());
            seen.len() - 1
        };
        let mut answer = rule(&request, number).unwrap_or_else(|| forward(backend, &request));
        answer.start = answer.start.replacen("HTTP/1.0", "HTTP/1.1", 1);
        answer.headers.retain(|(name, _)| name != "connection");
        // An answer with no status: the connection is cut.
        if answer.start.is_empty() || answer.write(&mut stream).is_err() {
            return;
        }
    }
}

/// An answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Message {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Message { start: format!("HTTP/1.1 {status} Status"), headers, body: body.to_vec() }
}

/// The connection is cut.
pub(crate) fn cut() -> Message {
    Message::default()
}
