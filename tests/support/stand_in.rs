//! What the stand-ins for web services share: a server on this machine that answers requests with JSON, one state for all.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;

use super::exchange::Message;

/// Status and body; a `null` with 204 is no body.
pub(crate) type Reply = (u16, Value);

pub(crate) struct StandIn<S> {
    address: String,
    state: Arc<Mutex<S>>,
}

impl<S: Default + Send + 'static> StandIn<S> {
    pub(crate) fn new(answer: fn(&Message, &mut S) -> Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its number").to_string();
        let state = Arc::new(Mutex::new(S::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared, answer));
            }
        });
        Self { address, state }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve<S>(mut stream: TcpStream, state: &Mutex<S>, answer: fn(&Message, &mut S) -> Reply) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    while let Some(request) = Message::read(&mut reader, false) {
        let (status, body) = answer(&request, &mut state.lock().unwrap_or_else(PoisonError::into_inner));
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
