//! HTTP by hand, for what stands around the program under test: nothing here shares code with its client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Against hanging only.
const LIMIT: Duration = Duration::from_secs(60);

/// A request or answer: the first line without its end, headers as they came, the body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status line")
    }

    /// The path of a request.
    pub(crate) fn path(&self) -> &str {
        self.start.split(' ').nth(1).expect("a request line")
    }

    /// Reads one; `None` when the other side is done.
    pub(crate) fn read(stream: &mut BufReader<TcpStream>, body_to_end: bool) -> Option<Self> {
        Self::read_of(stream, body_to_end, false)
    }

    fn read_of(stream: &mut BufReader<TcpStream>, body_to_end: bool, has_no_body: bool) -> Option<Self> {
        let mut line = || {
            let mut text = String::new();
            stream.read_line(&mut text).ok().filter(|read| *read > 0)?;
            Some(text.trim_end().to_owned())
        };
        let mut message = Self { start: line()?, ..Self::default() };
        while let Some((name, value)) = line()?.split_once(':') {
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        match message.header("content-length").and_then(|length| length.parse().ok()) {
            _ if has_no_body => {}
            Some(length) => {
                message.body.resize(length, 0);
                stream.read_exact(&mut message.body).ok()?;
            }
            None if body_to_end => {
                stream.read_to_end(&mut message.body).ok()?;
            }
            None => {}
        }
        Some(message)
    }

    /// Writes it with the length of its body.
    pub(crate) fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-length") {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\n\r\n", self.body.len());
        stream.write_all(&[text.as_bytes(), &self.body].concat())
    }
}

/// Sends a request to `host:port` and reads the answer. HTTP/1.0, so that the body ends with the connection.
pub(crate) fn exchange(address: &str, method: &str, path: &str, token: &str, body: &[u8]) -> Message {
    let stream = connect(address);
    let headers =
        vec![("host".to_owned(), address.to_owned()), ("x-vault-token".to_owned(), token.to_owned())];
    send(stream, &Message { start: format!("{method} {path} HTTP/1.0"), headers, body: body.to_vec() })
}

/// Sends a request as it stands.
pub(crate) fn send_to(address: &str, request: &Message) -> Message {
    send(connect(address), request)
}

/// Hands a request on as it came. Not the namespace: the one that a test of headers makes up is on no server.
pub(crate) fn forward(address: &str, request: &Message) -> Message {
    let start = request.start.replace("HTTP/1.1", "HTTP/1.0");
    let mut headers = request.headers.clone();
    headers.retain(|(name, _)| name != "connection" && name != "x-vault-namespace");
    send(connect(address), &Message { start, headers, body: request.body.clone() })
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|cause| panic!("{address}: {cause}"));
    stream.set_read_timeout(Some(LIMIT)).expect("a limit above zero");
    stream
}

fn send(mut stream: TcpStream, request: &Message) -> Message {
    request.write(&mut stream).unwrap_or_else(|cause| panic!("{}: {cause}", request.start));
    let mut reader = BufReader::new(stream);
    // What answers HEAD has a length and no body.
    let body_to_end = !request.start.starts_with("HEAD ");
    Message::read_of(&mut reader, body_to_end, !body_to_end)
        .unwrap_or_else(|| panic!("{} is answered with nothing", request.start))
}
