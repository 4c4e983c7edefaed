//! Readers with virtual cards in them. Each card is a process that connects to us as it does to pcscd's driver, and is told what
//! to do over its control socket; the rig's README has both protocols.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use countersign_core::conformance::World;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Backend, Digest, HashAlgorithm, Input, KeyUri, OpenContext, Signer};
use countersign_piv::{Exchange, PivBackend, Reader, Readers, Transport, TransportError};

pub(crate) const PIN: &[u8] = b"123456";
const RESET: u8 = 2;

/// Serial numbers differ from test to test: PINs that a card refused are remembered for the whole run.
static SERIAL: AtomicU32 = AtomicU32::new(5_000_000);

/// Readers, the cards in them, and a backend that knows no others.
pub(crate) struct Rig {
    pub(crate) backend: PivBackend,
    pub(crate) cards: Vec<VirtualCard>,
}

/// One card and the process that plays it.
pub(crate) struct VirtualCard {
    pub(crate) serial: u32,
    control: PathBuf,
    slot: Arc<Slot>,
    child: Child,
    _directory: tempfile::TempDir,
}

struct Slot {
    name: String,
    listener: TcpListener,
    connection: Mutex<Option<TcpStream>>,
    /// Raised by each reset of another program.
    resets: AtomicU32,
    /// Another program has it for itself.
    held: AtomicBool,
    /// Changes the signature in an answer.
    spoil: Mutex<Option<Spoil>>,
    /// One transaction at a time.
    transaction: Mutex<()>,
}

/// A signature, and what another card would make of it.
pub(crate) type Spoil = fn(&[u8]) -> Vec<u8>;

struct Bench(Vec<Arc<Slot>>);

impl Rig {
    /// One card of this firmware, as `5.4.3`, or `plain`.
    pub(crate) fn new(firmware: &str) -> Self {
        Self::with(&[firmware])
    }

    pub(crate) fn with(firmwares: &[&str]) -> Self {
        let cards: Vec<_> =
            firmwares.iter().enumerate().map(|(at, firmware)| VirtualCard::start(firmware, at)).collect();
        let bench = Bench(cards.iter().map(|card| Arc::clone(&card.slot)).collect());
        Self { backend: PivBackend::with_readers(Box::leak(Box::new(bench))), cards }
    }

    pub(crate) fn card(&self) -> &VirtualCard {
        &self.cards[0]
    }

    /// A URI of the first card.
    pub(crate) fn uri(&self, slot: &str) -> KeyUri {
        KeyUri::parse(&format!("piv:slot={slot};serial={}", self.card().serial)).unwrap()
    }

    pub(crate) fn open<'a>(&self, uri: &KeyUri, world: &'a World) -> Result<Box<dyn Signer + 'a>, Error> {
        self.backend.open_signer(uri, &world.context())
    }

    pub(crate) fn refusal(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Error {
        self.backend.open_signer(uri, context).err().unwrap_or_else(|| panic!("{uri} opens"))
    }
}

impl VirtualCard {
    fn start(firmware: &str, at: usize) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let spec = if firmware == "plain" { firmware.to_owned() } else { format!("{firmware}:{serial}") };
        let child = Command::new(program())
            .args(["serve", "--touch-timeout", "300", "--port", &port.to_string(), "--control"])
            .arg(directory.path())
            .arg(spec)
            .spawn()
            .unwrap();
        let slot = Arc::new(Slot {
            name: format!("Virtual reader {at} of {serial}"),
            listener,
            connection: Mutex::new(None),
            resets: AtomicU32::new(0),
            held: AtomicBool::new(false),
            spoil: Mutex::new(None),
            transaction: Mutex::new(()),
        });
        let card =
            Self { serial, control: directory.path().join("control"), slot, child, _directory: directory };
        until(|| card.control.exists() && card.slot.is_occupied());
        card
    }

    /// Sends a line to the card's control socket and returns what it prints.
    pub(crate) fn control(&self, line: &str) -> Vec<String> {
        let mut stream = UnixStream::connect(&self.control).unwrap();
        writeln!(stream, "{line}").unwrap();
        let mut printed = Vec::new();
        for answer in BufReader::new(stream).lines() {
            match answer.unwrap() {
                done if done == "ok" => return printed,
                error if error.starts_with("error: ") => panic!("{line}: {error}"),
                text => printed.push(text),
            }
        }
        panic!("{line}: no answer");
    }

    pub(crate) fn pins_sent(&self) -> usize {
        self.control("pins")[0].parse().unwrap()
    }

    /// How many commands with this instruction came in.
    pub(crate) fn count(&self, instruction: &str) -> usize {
        self.control(&format!("count {instruction}"))[0].parse().unwrap()
    }

    pub(crate) fn reader(&self) -> &str {
        &self.slot.name
    }

    /// Pulls the card out.
    pub(crate) fn remove(&self) {
        self.control("remove");
        until(|| !self.slot.is_occupied());
    }

    /// Puts it back.
    pub(crate) fn insert(&self) {
        self.control("insert");
        until(|| self.slot.is_occupied());
    }

    /// What another program does that resets the card.
    pub(crate) fn reset_by_another(&self) {
        let connection = self.slot.connection.lock().unwrap();
        connection.as_ref().unwrap().write_all(&[0, 1, RESET]).unwrap();
        self.slot.resets.fetch_add(1, Ordering::SeqCst);
    }

    /// Another program takes the card for itself, or lets it go.
    pub(crate) fn hold(&self, held: bool) {
        self.slot.held.store(held, Ordering::SeqCst);
    }

    /// Has each signature changed on its way.
    pub(crate) fn spoil(&self, spoil: Spoil) {
        *self.slot.spoil.lock().unwrap() = Some(spoil);
    }

    /// A command of another program, between two of ours.
    pub(crate) fn transmit(&self, apdu: &[u8]) -> Vec<u8> {
        self.slot.transmit(apdu).unwrap()
    }
}

trait WriteShared {
    fn write_all(&self, bytes: &[u8]) -> std::io::Result<()>;
}

impl WriteShared for TcpStream {
    fn write_all(&self, bytes: &[u8]) -> std::io::Result<()> {
        Write::write_all(&mut &*self, bytes)
    }
}

impl Drop for VirtualCard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Slot {
    /// Takes a card that connects, and notices one that went.
    fn is_occupied(&self) -> bool {
        let mut connection = self.connection.lock().unwrap();
        if let Some(stream) = connection.as_ref() {
            stream.set_nonblocking(true).unwrap();
            let gone = matches!(stream.peek(&mut [0]), Ok(0)) || stream.take_error().unwrap().is_some();
            stream.set_nonblocking(false).unwrap();
            if gone {
                *connection = None;
            }
        }
        if connection.is_none()
            && let Ok((stream, _)) = self.listener.accept()
        {
            stream.set_nonblocking(false).unwrap();
            stream.set_nodelay(true).unwrap();
            self.resets.fetch_add(1, Ordering::SeqCst);
            *connection = Some(stream);
        }
        connection.is_some()
    }

    fn transmit(&self, apdu: &[u8]) -> Result<Vec<u8>, TransportError> {
        let mut stream = match self.connection.lock().unwrap().as_ref() {
            Some(stream) => stream.try_clone().unwrap(),
            None => return Err(TransportError::NoCard),
        };
        let exchange = |stream: &mut TcpStream| {
            let mut message = (apdu.len() as u16).to_be_bytes().to_vec();
            message.extend(apdu);
            Write::write_all(stream, &message)?;
            let mut size = [0; 2];
            stream.read_exact(&mut size)?;
            let mut answer = vec![0; usize::from(u16::from_be_bytes(size))];
            stream.read_exact(&mut answer)?;
            Ok(answer)
        };
        exchange(&mut stream).map_err(|_: std::io::Error| TransportError::NoCard)
    }
}

impl Readers for Bench {
    fn list(&self) -> Result<Vec<Reader>, TransportError> {
        Ok(self
            .0
            .iter()
            .map(|slot| Reader { name: slot.name.clone(), has_card: slot.is_occupied() })
            .collect())
    }

    fn connect(&self, reader: &str) -> Result<Box<dyn Transport>, TransportError> {
        let slot = self.0.iter().find(|slot| slot.name == reader).ok_or(TransportError::NoReader)?;
        if slot.held.load(Ordering::SeqCst) {
            return Err(TransportError::Shared);
        }
        if !slot.is_occupied() {
            return Err(TransportError::NoCard);
        }
        let resets = slot.resets.load(Ordering::SeqCst);
        Ok(Box::new(Connection { slot: Arc::clone(slot), resets }))
    }

    fn wait(&self, most: Duration) {
        std::thread::sleep(most.min(Duration::from_millis(20)));
    }
}

struct Connection {
    slot: Arc<Slot>,
    resets: u32,
}

impl Transport for Connection {
    fn exclusive(&mut self, work: &mut dyn FnMut(&mut dyn Exchange)) -> Result<(), TransportError> {
        if !self.slot.is_occupied() {
            return Err(TransportError::NoCard);
        }
        if self.slot.resets.load(Ordering::SeqCst) != self.resets {
            return Err(TransportError::Reset);
        }
        let slot = Arc::clone(&self.slot);
        let _transaction = slot.transaction.lock().unwrap();
        work(&mut Line(&slot));
        Ok(())
    }
}

struct Line<'a>(&'a Slot);

impl Exchange for Line<'_> {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.0.transmit(apdu)?;
        match (*self.0.spoil.lock().unwrap(), apdu.get(1), answer.as_slice()) {
            // 7C L 82 L signature 9000, all of it short.
            (Some(spoil), Some(0x87), [0x7c, _, 0x82, length, rest @ ..])
                if rest.len() == usize::from(*length) + 2 =>
            {
                let signature = spoil(&rest[..usize::from(*length)]);
                let length = signature.len() as u8;
                Ok([&[0x7c, length + 2, 0x82, length], &signature[..], &[0x90, 0]].concat())
            }
            _ => Ok(answer),
        }
    }
}

/// Builds the rig's program once, with the settings of its own manifest.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let manifest =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/rigs/virtual-yubikey/Cargo.toml");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("rigs");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(&manifest)
            .arg("--target-dir")
            .arg(&target)
            .status()
            .unwrap();
        assert!(built.success(), "the virtual YubiKey does not build");
        target.join("debug/virtual-yubikey")
    })
}

/// The root of the rig's attestations, DER.
pub(crate) fn attestation_root() -> Vec<u8> {
    Command::new(program()).arg("attestation-root").output().unwrap().stdout
}

/// Waits for what must come soon.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn digest(text: &str) -> Digest {
    HashAlgorithm::Sha256.digest(text.as_bytes())
}

/// Signs with the key's own algorithm, SHA-256.
pub(crate) fn sign(signer: &dyn Signer, text: &str) -> Result<Vec<u8>, Error> {
    let algorithm = signer.info().public_key.key_type().default_algorithm();
    let digest = algorithm.hash().unwrap().digest(text.as_bytes());
    signer.sign(algorithm, Input::Digest(&digest)).map(|signature| signature.bytes().to_vec())
}

/// That an error is of a kind, and that its text or its hint has these words.
#[track_caller]
pub(crate) fn says(error: &Error, kind: ErrorKind, words: &str) {
    let text = format!("{error} / {}", error.next_step().unwrap_or_default());
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(words), "\"{words}\" is not in: {text}");
    assert!(!text.contains("123456"), "the PIN shows: {text}");
}
