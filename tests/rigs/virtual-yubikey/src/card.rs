//! The card: applications, command and response chaining (ISO 7816-4 5.1.1 and 5.3.4), faults, the log.

use std::time::Instant;

use crate::apdu::{self, Command};
use crate::management::{self, Application};
use crate::piv::Piv;
use crate::status::{self, Status};
use crate::{Algorithm, Config, Fault, FaultKind, PinPolicy, Sensor, TouchBehaviour, TouchPolicy};

/// Most that one answer brings in a short APDU.
const SHORT_ANSWER: usize = 256;
/// Most bytes of a command over all its links.
const MAX_CHAIN_BYTES: usize = 0xffff;
const CHAINING: u8 = 0x10;
const VERIFY: u8 = 0x20;
const SELECT: u8 = 0xa4;
const GET_RESPONSE: u8 = 0xc0;
/// A card with T=1 and nothing else to say, for PIV cards of other makers.
const PLAIN_ATR: [u8; 5] = [0x3b, 0x80, 0x80, 0x01, 0x01];

/// A card that is powered and waits for commands.
pub struct Card {
    config: Config,
    sensor: Sensor,
    piv: Piv,
    selected: Option<Application>,
    chain: Option<Command>,
    pending: Vec<u8>,
    faults: Vec<Fault>,
    removed: bool,
    log: Vec<Vec<u8>>,
}

impl Card {
    /// The answer to reset of a YubiKey 5: T=1, with "YubiKey" in the historical bytes.
    pub const ATR: [u8; 23] =
        *b"\x3b\xfd\x13\x00\x00\x81\x31\xfe\x15\x80\x73\xc0\x21\xc0\x57\x59\x75\x62\x69\x4b\x65\x79\x40";

    /// A card as it leaves the factory. Its keys live in memory.
    pub fn new(config: Config) -> Self {
        Self {
            sensor: Sensor::new(config.touch),
            piv: Piv::new(&config),
            selected: None,
            chain: None,
            pending: Vec::new(),
            faults: config.faults.clone(),
            removed: false,
            log: Vec::new(),
            config,
        }
    }

    /// This card's answer to reset: [`Self::ATR`], or a bare one for a card of another maker.
    pub fn atr(&self) -> &[u8] {
        if self.config.yubico { &Self::ATR } else { &PLAIN_ATR }
    }

    /// What the card was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes a command APDU, short or extended, and gives the answer with SW1 SW2 at its end. Without the extended form,
    /// answers past 256 bytes come in parts by 61xx and GET RESPONSE; Le is not looked at, as a YubiKey does. An empty
    /// answer: the card is gone.
    pub fn transmit(&mut self, apdu: &[u8]) -> Vec<u8> {
        if self.removed {
            return Vec::new();
        }
        self.log.push(apdu::blanked(apdu));
        let mut struck = Vec::new();
        for fault in &mut self.faults {
            struck.extend(fault.strike(apdu.get(1).copied()));
        }
        self.faults.retain(|fault| !fault.is_over());
        for kind in &struck {
            match kind {
                FaultKind::Slow(delay) => std::thread::sleep(*delay),
                FaultKind::Removed => {
                    self.remove();
                    return Vec::new();
                }
                FaultKind::Status(word) => return word.to_be_bytes().to_vec(),
                FaultKind::Short(_)
                | FaultKind::Garbage
                | FaultKind::GarbageData
                | FaultKind::ExtraStatus => {}
            }
        }
        let mut answer = self.answer(apdu);
        for kind in struck {
            kind.spoil(&mut answer);
        }
        answer
    }

    /// What a reset or a new connection does: nothing is selected, PIN and management key are forgotten. Tries, keys,
    /// objects and a touch of the last 15 s stay.
    pub fn reset(&mut self) {
        self.selected = None;
        self.chain = None;
        self.pending.clear();
        self.piv.end_session();
    }

    /// Pulls the card out: [`Self::transmit`] gives nothing from here on.
    pub fn remove(&mut self) {
        self.reset();
        self.piv.forget_touch();
        self.removed = true;
    }

    /// Puts it back, as after a reset.
    pub fn insert(&mut self) {
        self.reset();
        self.removed = false;
    }

    /// Whether it is out, by [`Self::remove`] or by a fault.
    pub fn is_removed(&self) -> bool {
        self.removed
    }

    /// Orders a fault, beside those that wait already.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Forgets the faults that wait.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// All APDUs that came in, as sent; PIN, PUK, new management keys and imported keys are replaced by `*`.
    pub fn log(&self) -> &[Vec<u8>] {
        &self.log
    }

    /// How many APDUs with this instruction byte came in.
    pub fn count(&self, instruction: u8) -> usize {
        self.log.iter().filter(|apdu| apdu.get(1) == Some(&instruction)).count()
    }

    /// How many VERIFYs came in that carried a PIN; those without data only ask for the tries.
    pub fn pins_sent(&self) -> usize {
        let carries_pin = |apdu: &&Vec<u8>| {
            Command::parse(apdu)
                .is_ok_and(|command| command.instruction == VERIFY && !command.data.is_empty())
        };
        self.log.iter().filter(carries_pin).count()
    }

    /// Empties the log.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }

    /// Changes what the finger does.
    pub fn set_touch(&mut self, behaviour: TouchBehaviour) {
        self.sensor.set(behaviour);
    }

    /// The sensor, to be used while [`Self::transmit`] waits for a touch.
    pub fn sensor(&self) -> Sensor {
        self.sensor.clone()
    }

    /// Puts a new key into a slot without a command, policies as the slot has them by default, with a self-signed
    /// certificate (`CN=Virtual PIV 9a`) on demand. Returns the public key (SubjectPublicKeyInfo, DER).
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn preset_key(&mut self, slot: u8, algorithm: Algorithm, with_certificate: bool) -> Vec<u8> {
        self.preset_key_with(
            slot,
            algorithm,
            PinPolicy::default_of(slot),
            TouchPolicy::Never,
            with_certificate,
        )
    }

    /// [`Self::preset_key`] with policies.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn preset_key_with(
        &mut self,
        slot: u8,
        algorithm: Algorithm,
        pin: PinPolicy,
        touch: TouchPolicy,
        with_certificate: bool,
    ) -> Vec<u8> {
        let preset = self.piv.preset(slot, algorithm, pin, touch, with_certificate);
        preset.unwrap_or_else(|| panic!("a PIV card has no slot {slot:02x} for keys"))
    }

    /// Puts a data object on the card without a command: what stands inside tag 53.
    pub fn preset_object(&mut self, id: u32, value: &[u8]) {
        self.piv.preset_object(id, value);
    }

    /// Sets the PIN (at most 8 bytes) with full tries, without a command.
    pub fn preset_pin(&mut self, pin: &str) {
        self.piv.preset_pin(pin);
    }

    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let result = Command::parse(bytes).and_then(|command| self.run_link(command));
        match result {
            Ok((mut data, extended)) => {
                if !extended && data.len() > SHORT_ANSWER {
                    self.pending = data.split_off(SHORT_ANSWER);
                }
                let word = match self.pending.len() {
                    0 => status::OK,
                    waiting @ 1..=0xff => status::MORE_DATA | waiting as u16,
                    _ => status::MORE_DATA,
                };
                data.extend(word.to_be_bytes());
                data
            }
            Err(Status(word)) => word.to_be_bytes().to_vec(),
        }
    }

    /// Runs a command, or keeps a link of a chain.
    fn run_link(&mut self, mut command: Command) -> Result<(Vec<u8>, bool), Status> {
        if command.class & !CHAINING != 0 {
            return Err(Status::UNKNOWN_CLASS);
        }
        if command.instruction == GET_RESPONSE {
            if self.pending.is_empty() {
                return Err(Status::CONDITIONS_NOT_SATISFIED);
            }
            return Ok((std::mem::take(&mut self.pending), command.extended));
        }
        self.pending.clear();
        let is_last = command.class & CHAINING == 0;
        // SELECT begins afresh, whatever the client before left open.
        if let Some(mut chain) = self.chain.take().filter(|_| command.instruction != SELECT) {
            let same =
                (chain.instruction, chain.p1, chain.p2) == (command.instruction, command.p1, command.p2);
            if !same {
                return Err(Status::LAST_OF_CHAIN_EXPECTED);
            }
            chain.data.append(&mut command.data);
            command.data = chain.data;
        }
        if command.data.len() > MAX_CHAIN_BYTES {
            return Err(Status::WRONG_LENGTH);
        }
        let extended = command.extended;
        if !is_last {
            self.chain = Some(command);
            return Ok((Vec::new(), extended));
        }
        self.run(&command).map(|data| (data, extended))
    }

    fn run(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        if command.instruction == SELECT {
            return self.select(command);
        }
        match self.selected {
            Some(Application::Piv) => self.piv.run(command, &self.config, &self.sensor, Instant::now()),
            Some(Application::Management) => management::run_management(command, &self.config),
            Some(Application::Otp) => management::run_otp(command, &self.config),
            None => Err(Status::UNKNOWN_INSTRUCTION),
        }
    }

    /// SELECT by AID. What was verified in the application before is forgotten, even if it is the same.
    fn select(&mut self, command: &Command) -> Result<Vec<u8>, Status> {
        if command.p1 != 4 {
            return Err(Status::INCORRECT_P1_P2);
        }
        let application = Application::by_aid(&command.data, self.config.yubico).ok_or(Status::NOT_FOUND)?;
        self.piv.end_session();
        self.selected = Some(application);
        Ok(management::select_answer(application, &self.config))
    }
}
