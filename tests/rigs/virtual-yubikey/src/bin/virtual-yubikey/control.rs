//! The control channel: the Unix socket `control` in a directory. Each line is a command; the answer is its lines, then
//! `ok` or `error: ...`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::command;
use crate::slot::Slot;

/// Where `up` says that the socket is.
const DIRECTORY: &str = "COUNTERSIGN_VYK_CONTROL";
const SOCKET: &str = "control";

/// Serves slots and socket until the process is ended.
pub(crate) fn serve(directory: &Path, slots: Vec<Arc<Slot>>) -> Result<(), String> {
    let path = directory.join(SOCKET);
    let listener =
        UnixListener::bind(&path).map_err(|why| format!("cannot listen at {}: {why}", path.display()))?;
    for slot in &slots {
        let slot = Arc::clone(slot);
        std::thread::spawn(move || slot.serve());
    }
    for client in listener.incoming() {
        let client =
            client.map_err(|why| format!("cannot take a connection at {}: {why}", path.display()))?;
        let slots = slots.clone();
        // A client that goes away is no matter of ours.
        std::thread::spawn(move || converse(&client, &slots));
    }
    Ok(())
}

fn converse(client: &UnixStream, slots: &[Arc<Slot>]) -> std::io::Result<()> {
    let mut writer = client;
    for line in BufReader::new(client).lines() {
        let answer = match command::run(&line?, slots) {
            Ok(lines) => format!("{lines}ok\n"),
            Err(why) => format!("error: {why}\n"),
        };
        writer.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// Sends one line; the answer without its `ok`, or what went wrong.
pub(crate) fn send(line: &str) -> Result<String, String> {
    let directory = std::env::var_os(DIRECTORY).ok_or(format!("{DIRECTORY} is not set; `up` sets it"))?;
    let path = PathBuf::from(directory).join(SOCKET);
    let exchange = || {
        let mut stream = UnixStream::connect(&path)?;
        writeln!(stream, "{line}")?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer: String =
        exchange().map_err(|why: std::io::Error| format!("cannot reach {}: {why}", path.display()))?;
    match answer.strip_suffix("ok\n") {
        Some(lines) => Ok(lines.to_owned()),
        None => Err(answer.trim_start_matches("error: ").trim_end().to_owned()),
    }
}
