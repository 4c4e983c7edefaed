//! The client against servers of the test, each a thread on this machine that plays one part.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use super::*;
use crate::conformance::World;
use crate::{Cancellation, Secret};

/// Answers each connection with the next of `answers`, and returns what was asked once all are given.
fn serve(answers: Vec<String>) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).unwrap();
            asked.push(String::from_utf8_lossy(&request[..read]).into_owned());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (address, thread)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn client<'a>(address: SocketAddr, context: &OpenContext<'a>) -> Client<'a> {
    let endpoint = Endpoint::parse(&format!("http://{address}"), "ADDRESS").unwrap();
    let options = Options { certificates_variable: "CA", max_answer_bytes: 64, ..Options::default() };
    Client::new(endpoint, options, context).unwrap()
}

fn get<'a>(credentials: &'a [(&'static str, &'a Secret)]) -> Request<'a> {
    Request { method: Method::Get, path: "/v1/x", headers: &[], credentials, body: None }
}

#[test]
fn tries_again_what_may_pass_and_tells_it() {
    let (address, served) = serve(vec![
        answer("500 Oops", "", ""),
        // A connection that is cut before an answer.
        String::new(),
        answer("429 Slow", "retry-after: 0\r\n", ""),
        answer("200 OK", "", "fine"),
    ]);
    let world = World::default();
    let client = client(address, &world.context());
    let got = client.send("ask", &get(&[])).unwrap();
    assert_eq!((got.status, got.body.as_slice(), client.requests()), (200, &b"fine"[..], 4));
    assert_eq!(world.events().len(), 3);
    assert_eq!(served.join().unwrap().len(), 4);
}

#[test]
fn never_repeats_a_refusal_and_gives_up_in_the_end() {
    let world = World::default();
    let (address, served) = serve(vec![answer("403 No", "", "denied")]);
    let refused = client(address, &world.context()).send("ask", &get(&[])).unwrap();
    assert_eq!(refused.status, 403);
    assert_eq!(served.join().unwrap().len(), 1);
    let (address, served) = serve(vec![answer("503 Down", "", ""); 4]);
    assert_eq!(client(address, &world.context()).send("ask", &get(&[])).unwrap().status, 503);
    assert_eq!(served.join().unwrap().len(), 4);
}

#[test]
fn a_pause_beyond_the_deadline_is_not_begun() {
    let (address, served) = serve(vec![answer("429 Slow", "retry-after: 50\r\n", "")]);
    let world = World::default();
    let deadline = Instant::now().checked_add(Duration::from_secs(20));
    let context = OpenContext { deadline, ..world.context() };
    let got = client(address, &context).send("ask", &get(&[])).unwrap();
    assert_eq!((got.status, got.retry_after), (429, Some(Duration::from_secs(50))));
    assert_eq!(served.join().unwrap().len(), 1);
}

#[test]
fn a_date_to_come_back_at_counts_from_the_answers_own_date() {
    // Years ago by our clock.
    let headers = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:57 GMT\r\n";
    let (address, served) = serve(vec![answer("503 Down", headers, "")]);
    let world = World::default();
    let deadline = Instant::now().checked_add(Duration::from_secs(10));
    let context = OpenContext { deadline, ..world.context() };
    let got = client(address, &context).send("ask", &get(&[])).unwrap();
    assert_eq!((got.status, got.retry_after), (503, Some(Duration::from_secs(20))));
    assert_eq!(served.join().unwrap().len(), 1);
}

#[test]
fn ends_at_the_deadline_and_when_cancelled() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::default();
    let soon = Instant::now().checked_add(Duration::from_millis(150));
    let late = OpenContext { deadline: soon, ..world.context() };
    let error = client(address, &late).send("ask", &get(&[])).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let cancelled = Cancellation::default();
    let context = OpenContext { cancellation: &cancelled, ..world.context() };
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            cancelled.cancel();
        });
        client(address, &context).send("ask", &get(&[])).err().unwrap()
    });
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[test]
fn a_credential_stays_with_its_host() {
    let secret = Secret::new(b"s.sesame".to_vec());
    let credentials = [("x-token", &secret)];
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    foreign.set_nonblocking(true).unwrap();
    let location = format!("location: http://{}/v1/x\r\n", foreign.local_addr().unwrap());
    let (address, served) = serve(vec![answer("307 There", &location, "")]);
    let world = World::default();
    let error = client(address, &world.context()).send("ask", &get(&credentials)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(served.join().unwrap()[0].contains("x-token: s.sesame"));
    assert!(foreign.accept().is_err(), "nobody may come to the other host");
    let (address, served) =
        serve(vec![answer("307 There", "location: /v1/y\r\n", ""), answer("200 OK", "", "")]);
    assert_eq!(client(address, &world.context()).send("ask", &get(&credentials)).unwrap().status, 200);
    assert!(served.join().unwrap()[1].starts_with("GET /v1/y"));
}

#[test]
fn an_answer_beyond_the_limit_is_refused() {
    let (address, _served) = serve(vec![answer("200 OK", "", &"x".repeat(65))]);
    let world = World::default();
    let error = client(address, &world.context()).send("ask", &get(&[])).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Integrity);
}

#[test]
fn plain_http_leaves_this_machine_only_when_asked() {
    let make = |world: &World| {
        let endpoint = Endpoint::parse("http://vault.example.com:8200", "ADDRESS").unwrap();
        Client::new(endpoint, Options::default(), &world.context()).map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(make(&World::default()), Err(ErrorKind::Denied));
    assert_eq!(make(&World::default().set(PLAIN_HTTP, "other, vault.example.com")), Ok(()));
    assert_eq!(make(&World::default().set(PLAIN_HTTP, "example.com")), Err(ErrorKind::Denied));
}

#[test]
fn waiting_inside_async_code_is_an_error() {
    let world = World::default();
    let context = world.context();
    let nested = wait(&context, "ask", async || wait(&context, "ask", async || 1)).unwrap();
    assert_eq!(nested.unwrap_err().kind(), ErrorKind::Internal);
    assert!(runtime::has_started());
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|n| scope.spawn(move || wait(&World::default().context(), "ask", async || n).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers, (0..32).collect::<Vec<_>>());
}
