//! A virtual YubiKey for tests: the PIV application and what of the others a PIV client touches, as a card that answers
//! APDUs. It needs no transport: [`Card::transmit`] takes a command and gives the answer. The program of the same name
//! puts cards into a reader of pcscd.
//!
//! Begin at [`Card`] and [`Config`]; the instructions are in `piv`.

mod algorithm;
mod apdu;
mod card;
mod certificate;
mod config;
mod fault;
mod key;
mod management;
mod piv;
mod policy;
mod status;
mod tlv;
mod touch;

pub use algorithm::Algorithm;
pub use card::Card;
pub use certificate::attestation_root;
pub use config::Config;
pub use fault::{Fault, FaultKind};
pub use policy::{PinPolicy, TouchPolicy};
pub use touch::{Sensor, TouchBehaviour};

/// The PIN of a new card, as typed.
pub const DEFAULT_PIN: &str = "123456";
/// The PUK of a new card, as typed.
pub const DEFAULT_PUK: &str = "12345678";
/// The management key of a new card: 24 bytes, for 3DES or AES-192 as the firmware has it.
pub const DEFAULT_MANAGEMENT_KEY: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];
