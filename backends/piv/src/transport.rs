//! How APDUs reach a card: two traits, and what they fail with. PC/SC implements them in `pcsc.rs`; tests put a card in
//! process behind them.

use std::time::Duration;

/// A reader of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Its name, as the system gives it.
    pub name: String,
    /// Whether a card is in it.
    pub has_card: bool,
}

/// The readers of the system.
pub trait Readers: Sync {
    /// Those that are plugged in, in the system's order. None is no error.
    fn list(&self) -> Result<Vec<Reader>, TransportError>;

    /// Connects to the card in the reader of this name. Other programs may do so too.
    fn connect(&self, reader: &str) -> Result<Box<dyn Transport>, TransportError>;

    /// Waits until a reader or card comes or goes, at most this long.
    fn wait(&self, most: Duration);
}

/// A connection to one card.
pub trait Transport: Send {
    /// Keeps other programs off the card while `work` runs. Blocks while another program does the same.
    fn exclusive(&mut self, work: &mut dyn FnMut(&mut dyn Exchange)) -> Result<(), TransportError>;
}

/// A connection that no other program can disturb.
pub trait Exchange {
    /// Sends one command APDU (ISO/IEC 7816-4 5.1) and returns the answer: data, SW1, SW2. Nothing about the answer is
    /// checked here.
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransportError>;
}

/// What goes wrong below the card's own answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The PC/SC library is not installed.
    NoLibrary,
    /// The PC/SC service does not run.
    NoService,
    /// There is no reader of that name any more.
    NoReader,
    /// There is no card in the reader, or it was pulled out.
    NoCard,
    /// The card stopped answering in the midst of a command: pulled out, most often, before the system took note of it.
    Broken,
    /// Another program reset the card.
    Reset,
    /// Another program has the card for itself.
    Shared,
    /// The card gives no sign of life, or none that the reader understands.
    Mute,
    /// Anything else, in the words of the layer below.
    Other(String),
}
