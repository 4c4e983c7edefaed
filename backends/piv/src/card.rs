//! One card: its connection, what it says it is, and commands whose every answer is checked for its form.

use std::time::{Duration, Instant};

use countersign_core::OpenContext;
use countersign_core::context::{self, Event};
use countersign_core::error::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use crate::apdu::{self, Command, Status};
use crate::errors;
use crate::link::{Link, LinkError};
use crate::patience::Patience;
use crate::tlv;
use crate::transport::{Transport, TransportError};

const SELECT: u8 = 0xa4;
const GET_RESPONSE: u8 = 0xc0;
/// Yubico's own instructions.
const GET_VERSION: u8 = 0xfd;
const GET_SERIAL: u8 = 0xf8;

/// SP 800-73-4 Part 1 2.2, without the version at its end.
const PIV: [u8; 9] = [0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];
/// Yubico's OTP application: where devices before firmware 5 tell their serial number.
const OTP: [u8; 7] = [0xa0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01];

/// All parts of one answer: certificates and RSA keys are a few kilobytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// The firmware of a YubiKey: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Firmware(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl std::fmt::Display for Firmware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// What the card says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `None`: no YubiKey.
    pub(crate) firmware: Option<Firmware>,
    pub(crate) serial: Option<u32>,
    /// The reader it is in.
    pub(crate) reader: String,
}

impl Identity {
    /// Whether it is a YubiKey of at least this firmware.
    pub(crate) fn since(&self, major: u8, minor: u8, patch: u8) -> bool {
        self.firmware.is_some_and(|firmware| firmware >= Firmware(major, minor, patch))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.firmware, self.serial) {
            (Some(_), Some(serial)) => write!(f, "YubiKey {serial}"),
            (Some(_), None) => write!(f, "the YubiKey in \"{}\"", self.reader),
            (None, _) => write!(f, "the PIV card in \"{}\"", self.reader),
        }
    }
}

/// An answer: its data, and how the card ended it.
pub(crate) struct Reply {
    pub(crate) data: Zeroizing<Vec<u8>>,
    pub(crate) status: Status,
}

/// What a silent card may be waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The command takes its time; no touch is asked for.
    Work,
    /// Perhaps a touch: tell the user.
    Touch,
}

/// A card, from its selection on. Commands go out within [`Card::exclusive`] only.
pub(crate) struct Card<'a> {
    link: Link,
    context: OpenContext<'a>,
    identity: Identity,
}

impl<'a> Card<'a> {
    /// Selects the PIV application and asks what the card is. `None`: it has no PIV application.
    pub(crate) fn recognise(
        transport: Box<dyn Transport>,
        reader: &str,
        context: OpenContext<'a>,
    ) -> Result<Option<Self>> {
        let identity = Identity { firmware: None, serial: None, reader: reader.to_owned() };
        let mut card = Self { link: Link::new(transport), context, identity };
        let found = card.exclusive(Self::introduce)?;
        Ok(found.then_some(card))
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn context(&self) -> OpenContext<'a> {
        self.context
    }

    /// What follows may take until then.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.context.deadline = deadline;
    }

    /// "cannot ACT YubiKey 5551234": what failed, for an error.
    pub(crate) fn cannot(&self, act: &str) -> String {
        format!("cannot {act} {}", self.identity)
    }

    fn patience(&self) -> Patience<'a> {
        Patience::of(&self.context)
    }

    /// Runs `work` while no other program can use the card.
    pub(crate) fn exclusive<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let patience = self.patience();
        let (events, who) = (self.context.events, self.identity.to_string());
        let mut waits =
            || events.event(Event::Warning(format!("another program is using {who}: waiting for it")));
        self.link.begin(patience, &mut waits).map_err(|cause| self.lost("use", cause))?;
        let done = work(self);
        let ended = self.link.end(patience).map_err(|cause| self.lost("use", cause));
        // The work's own error says more than that the end failed too; a work that is done is done.
        match (done, ended) {
            (Ok(done), _) => Ok(done),
            (Err(error), _) => Err(error),
        }
    }

    /// As [`Self::exclusive`], after a pause in which another program may have selected another application.
    pub(crate) fn exclusive_selected<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.exclusive(|card| {
            card.select_again()?;
            work(card)
        })
    }

    /// Selects the application that was there before.
    pub(crate) fn select_again(&mut self) -> Result<()> {
        if self.select()? {
            Ok(())
        } else {
            Err(self.refused("select the PIV application of", Status::NOT_FOUND))
        }
    }

    /// Selects the application anew, so that no other program can use the PIN that was verified here. Takes a moment at most, and no
    /// notice of a card that is gone.
    pub(crate) fn forget_pin(&mut self) {
        /// Longer than any card takes; shorter than anybody waits at the end.
        const MOMENT: Duration = Duration::from_secs(1);
        let patience = Patience { deadline: Some(Instant::now() + MOMENT), ..self.patience() };
        if self.link.begin(patience, &mut || ()).is_ok() {
            for apdu in Command::new(SELECT, 4, 0, PIV).links() {
                let _ = self.link.transmit(apdu, patience, &mut || ());
            }
            let _ = self.link.end(patience);
        }
    }

    fn introduce(&mut self) -> Result<bool> {
        if !self.select()? {
            return Ok(false);
        }
        let version = self.send("ask for the version of", Command::new(GET_VERSION, 0, 0, []))?;
        self.identity.firmware = match (version.status, version.data.as_slice()) {
            // Some cards of other makers know no better than to agree.
            (Status::OK, []) => None,
            (Status::OK, [major, minor, patch]) => Some(Firmware(*major, *minor, *patch)),
            (Status::OK, _) => return Err(self.garbled("ask for the version of", "it is not three bytes")),
            _ => None,
        };
        if self.identity.since(5, 0, 0) {
            let serial = self.send("ask for the serial number of", Command::new(GET_SERIAL, 0, 0, []))?;
            self.identity.serial = self.serial_number(&serial)?;
        } else if self.identity.firmware.is_some() {
            let otp = self.send("ask for the serial number of", Command::new(SELECT, 4, 0, OTP))?;
            if otp.status == Status::OK {
                // Yubico's OTP application: slot command, serial number.
                let serial = self.send("ask for the serial number of", Command::new(0x01, 0x10, 0, []))?;
                self.identity.serial = self.serial_number(&serial)?;
            }
            return self.select();
        }
        Ok(true)
    }

    /// `None` where the device does not tell: its owner may have switched that off.
    fn serial_number(&self, reply: &Reply) -> Result<Option<u32>> {
        match (reply.status, reply.data.first_chunk::<4>()) {
            (Status::OK, Some(bytes)) if reply.data.len() == 4 => Ok(Some(u32::from_be_bytes(*bytes))),
            (Status::OK, _) => Err(self.garbled("ask for the serial number of", "it is not four bytes")),
            _ => Ok(None),
        }
    }

    /// SP 800-73-4 Part 2 3.1.1. Forgets a verified PIN.
    pub(crate) fn select(&mut self) -> Result<bool> {
        let reply = self.send("select the PIV application of", Command::new(SELECT, 4, 0, PIV))?;
        match reply.status {
            Status::OK if tlv::only(0x61, &reply.data).is_some() => Ok(true),
            Status::OK => {
                Err(self.garbled("select the PIV application of", "no application property template"))
            }
            _ => Ok(false),
        }
    }

    /// Sends a command and gathers the whole answer.
    pub(crate) fn send(&mut self, act: &str, command: Command) -> Result<Reply> {
        self.send_and_watch(act, command, Silence::Work)
    }

    /// The data of a command that must succeed.
    pub(crate) fn ask(&mut self, act: &str, command: Command) -> Result<Zeroizing<Vec<u8>>> {
        let reply = self.send(act, command)?;
        if reply.status == Status::OK { Ok(reply.data) } else { Err(self.refused(act, reply.status)) }
    }

    /// A command that changes the card and must succeed. Where its answer is lost or garbled, the error says what may have come of
    /// it.
    pub(crate) fn change(&mut self, act: &str, command: Command, doubt: &str) -> Result<Zeroizing<Vec<u8>>> {
        match self.send(act, command) {
            Ok(reply) if reply.status == Status::OK => Ok(reply.data),
            // A refusal carries no data: a status behind data is a piece of a broken answer.
            Ok(reply) if reply.data.is_empty() && reply.status.changed_nothing() => {
                Err(self.refused(act, reply.status))
            }
            Ok(reply) => Err(doubtful(self.refused(act, reply.status), doubt)),
            Err(error) => Err(doubtful(error, doubt)),
        }
    }

    /// As [`Self::send`]; a silence that may mean a touch is told to the user.
    pub(crate) fn send_and_watch(&mut self, act: &str, command: Command, silence: Silence) -> Result<Reply> {
        let links = command.links();
        let last = links.len() - 1;
        let mut data = Zeroizing::new(Vec::new());
        for (at, link) in links.into_iter().enumerate() {
            let part = self.transmit(act, link, silence)?;
            let (piece, mut status) = self.split(act, &part)?;
            if at < last {
                if status != Status::OK {
                    return Ok(Reply { data, status });
                }
                if !piece.is_empty() {
                    return Err(self.garbled(act, "it came before the command was whole"));
                }
                continue;
            }
            grow(&mut data, piece);
            while let Some(more) = status.more() {
                let link = Zeroizing::new(vec![0, GET_RESPONSE, 0, 0, more]);
                let part = self.transmit(act, link, Silence::Work)?;
                let (piece, next) = self.split(act, &part)?;
                if piece.is_empty() && next.more().is_some() {
                    return Err(self.garbled(act, "a part of it is empty"));
                }
                if data.len() + piece.len() > MAX_ANSWER_BYTES {
                    return Err(self.garbled(act, &format!("it is longer than {MAX_ANSWER_BYTES} bytes")));
                }
                grow(&mut data, piece);
                status = next;
            }
            return Ok(Reply { data, status });
        }
        Err(Error::internal("a command without an APDU"))
    }

    fn transmit(
        &mut self,
        act: &str,
        apdu: Zeroizing<Vec<u8>>,
        silence: Silence,
    ) -> Result<Zeroizing<Vec<u8>>> {
        // A card that goes on answering must not outlast the deadline.
        self.context.time_left(&format!("{act} {}", self.identity))?;
        let (events, patience) = (self.context.events, self.patience());
        let mut silent = || {
            if silence == Silence::Touch {
                events.event(Event::TouchNeeded);
            }
        };
        match self.link.transmit(apdu, patience, &mut silent) {
            Ok(answer) => Ok(Zeroizing::new(answer)),
            Err(cause) => Err(self.lost(act, cause)),
        }
    }

    fn split<'b>(&self, act: &str, answer: &'b [u8]) -> Result<(&'b [u8], Status)> {
        match apdu::split(answer) {
            Some(split) => Ok(split),
            None if answer.is_empty() => Err(errors::failed(self.cannot(act), &TransportError::NoCard)),
            None => Err(self.garbled(act, "it has no status word")),
        }
    }

    pub(crate) fn refused(&self, act: &str, status: Status) -> Error {
        errors::refused(self.cannot(act), status)
    }

    pub(crate) fn garbled(&self, act: &str, found: &str) -> Error {
        errors::garbled(self.cannot(act), found)
    }

    fn lost(&self, act: &str, cause: LinkError) -> Error {
        match cause {
            LinkError::Transport(cause) => errors::failed(self.cannot(act), &cause),
            LinkError::GivenUp => match self.context.time_left(&format!("{act} {}", self.identity)) {
                Err(error) => error,
                Ok(_) => context::timed_out(&format!("{act} {}", self.identity)),
            },
            LinkError::Stuck => Error::new(ErrorKind::Timeout, self.cannot(act))
                .why("the time limit passed before it answered an earlier command"),
        }
    }
}

/// Adds what may have come of a command whose answer is not known.
pub(crate) fn doubtful(error: Error, doubt: &str) -> Error {
    let why = format!("{}; {doubt} all the same", error.cause().unwrap_or("there is no answer"));
    error.why(why)
}

/// Moves into a larger buffer so that the smaller one is wiped.
fn grow(data: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    let mut larger = Zeroizing::new(Vec::with_capacity(data.len() + piece.len()));
    larger.extend(data.iter());
    larger.extend(piece);
    *data = larger;
}

#[cfg(test)]
mod tests;
