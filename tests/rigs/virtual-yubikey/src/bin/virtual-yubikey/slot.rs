//! One slot of vpcd: the connection of its card to pcscd. vpcd (pcscd's driver) listens; a connected card is an inserted
//! one. Each message is two bytes of length, big-endian, and that many bytes; of one byte it is about power, else an APDU.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt;
use virtual_yubikey::{Card, Config, Sensor};

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GET_ATR: u8 = 4;
/// While nobody listens yet.
const CONNECT_AGAIN: Duration = Duration::from_millis(20);

/// A slot with its card.
pub(crate) struct Slot {
    port: u16,
    card: Mutex<Card>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    inserted: bool,
    connection: Option<TcpStream>,
    /// Outside the card, which is locked while it waits for a touch.
    sensor: Sensor,
    serial: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    pub(crate) fn new(config: Config, port: u16) -> Self {
        let serial = config.serial;
        let card = Card::new(config);
        let state = State { inserted: true, connection: None, sensor: card.sensor(), serial };
        Self { port, card: Mutex::new(card), state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The card; waits while it does a command.
    pub(crate) fn card(&self) -> MutexGuard<'_, Card> {
        lock(&self.card)
    }

    pub(crate) fn sensor(&self) -> Sensor {
        lock(&self.state).sensor.clone()
    }

    pub(crate) fn serial(&self) -> u32 {
        lock(&self.state).serial
    }

    /// A card as it leaves the factory in place of this one; faults and log are gone, too.
    pub(crate) fn replace(&self) {
        self.remove();
        let mut card = self.card();
        *card = Card::new(card.config().clone());
        let sensor = card.sensor();
        drop(card);
        lock(&self.state).sensor = sensor;
        self.insert();
    }

    /// Pulls the card, out of the midst of a command too.
    pub(crate) fn remove(&self) {
        let mut state = lock(&self.state);
        state.inserted = false;
        if let Some(connection) = state.connection.take() {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        self.card().remove();
    }

    /// Puts it back, and waits until it is connected.
    pub(crate) fn insert(&self) {
        self.card().insert();
        let mut state = lock(&self.state);
        state.inserted = true;
        self.changed.notify_all();
        while state.inserted && state.connection.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Serves the card whenever it is in, for ever.
    pub(crate) fn serve(&self) {
        loop {
            let mut state = lock(&self.state);
            while !state.inserted {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Ok(connection) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
                drop(state);
                std::thread::sleep(CONNECT_AGAIN);
                continue;
            };
            let Ok(kept) = connection.try_clone() else { continue };
            state.connection = Some(kept);
            self.changed.notify_all();
            drop(state);
            // However it ended: pcscd is gone, or the card.
            let _ = self.converse(connection);
            let mut state = lock(&self.state);
            state.connection = None;
            if self.card().is_removed() {
                state.inserted = false;
            }
        }
    }

    fn converse(&self, mut connection: TcpStream) -> std::io::Result<()> {
        connection.set_nodelay(true)?;
        loop {
            let mut size = [0; 2];
            read(&mut connection, &mut size)?;
            let mut message = vec![0; usize::from(u16::from_be_bytes(size))];
            read(&mut connection, &mut message)?;
            let answer = match message.as_slice() {
                [] => continue,
                [POWER_OFF | POWER_ON | RESET] => {
                    self.card().reset();
                    continue;
                }
                [GET_ATR] => self.card().atr().to_vec(),
                apdu => {
                    let mut card = self.card();
                    let answer = card.transmit(apdu);
                    // Without a byte vpcd would wait for ever; a reader reports an error then, as pcscd does when
                    // the connection ends. A card that is still in connects again, as after a reset.
                    if answer.is_empty() {
                        card.reset();
                        return Ok(());
                    }
                    answer
                }
            };
            let size = u16::try_from(answer.len()).map_err(|_| ErrorKind::InvalidData)?;
            let mut message = size.to_be_bytes().to_vec();
            message.extend(answer);
            connection.write_all(&message)?;
        }
    }
}

/// vpcd sends length and bytes apart: without an acknowledgement at once, Nagle's algorithm holds the second back for
/// 40 ms. The option does not stay set, so it is set before each read.
fn read(connection: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
    sockopt::set_tcp_quickack(&*connection, true)?;
    connection.read_exact(buffer)
}
