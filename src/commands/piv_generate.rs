//! `piv-tool generate-key`: a key that never leaves its card.

use clap::{Args, ValueEnum};
use countersign_core::device::{NewKey, NewManagementKey, PinPolicy, TouchPolicy};
use countersign_core::{Algorithm, KeyType};
use serde_json::json;

use super::Run;
use super::flags::card::WhichCard;
use super::flags::key::parse_algorithm;
use super::piv_tool::given;
use crate::backends;
use crate::exit::Failure;

/// Make a signing key on the card; an earlier one in the slot is lost
#[derive(Debug, Args)]
pub(crate) struct GenerateKey {
    #[command(flatten)]
    card: WhichCard,

    /// The slot: signature (9c, if left out), authentication (9a), key-management (9d), card-authentication (9e), or 82 to 95
    #[arg(long, value_name = "SLOT", default_value = "", hide_default_value = true)]
    slot: String,

    /// Make a key for this algorithm of Sigstore's registry; P-256 if left out
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm)]
    signing_algorithm: Option<Algorithm>,

    /// When it asks for the PIN; left out, what suits the slot
    #[arg(long, value_name = "POLICY", ignore_case = true)]
    pin_policy: Option<Pin>,

    /// When it asks for a touch; left out, what suits the slot
    #[arg(long, value_name = "POLICY", ignore_case = true)]
    touch_policy: Option<Touch>,

    /// The management key, hexadecimal; left out, the one behind the PIN or the factory's
    #[arg(long, value_name = "HEX", default_value = "", hide_default_value = true)]
    management_key: String,

    /// Change the management key to random bytes before, and keep them on the card behind its PIN
    #[arg(long)]
    random_management_key: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pin {
    Never,
    Once,
    Always,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Touch {
    Never,
    Always,
    Cached,
}

/// What Cosign sets where the user says nothing: slot, name, policies.
const SUITS: [(&str, &str, PinPolicy, TouchPolicy); 4] = [
    ("9a", "authentication", PinPolicy::Once, TouchPolicy::Cached),
    ("9c", "signature", PinPolicy::Always, TouchPolicy::Always),
    ("9d", "key-management", PinPolicy::Once, TouchPolicy::Cached),
    ("9e", "card-authentication", PinPolicy::Never, TouchPolicy::Never),
];

impl GenerateKey {
    pub(crate) fn execute(self, run: &mut Run<'_>, sure: bool) -> Result<(), Failure> {
        let slot = if self.slot.is_empty() { "9c" } else { self.slot.as_str() };
        let suits = SUITS.iter().find(|(number, name, ..)| [*number, *name].contains(&slot));
        let uri = self.card.uri(Some(slot))?;
        let device = backends::device(&uri)?;
        let pin_policy = match self.pin_policy {
            Some(Pin::Never) => Some(PinPolicy::Never),
            Some(Pin::Once) => Some(PinPolicy::Once),
            Some(Pin::Always) => Some(PinPolicy::Always),
            None => suits.map(|(_, _, pin, _)| *pin),
        };
        let touch_policy = match self.touch_policy {
            Some(Touch::Never) => Some(TouchPolicy::Never),
            Some(Touch::Always) => Some(TouchPolicy::Always),
            Some(Touch::Cached) => Some(TouchPolicy::Cached),
            None => suits.map(|(_, _, _, touch)| *touch),
        };
        let algorithm = self.signing_algorithm.unwrap_or_else(|| KeyType::P256.default_algorithm());
        let created = self.card.password.with_context(run, true, |context| {
            let mut management_key = given(self.management_key);
            if self.random_management_key {
                // Kept behind the PIN, the card hands it to the next step and to every later one.
                let new = NewManagementKey::Random { protected: true };
                device.set_management_key(&uri, management_key.take(), new, context)?;
            }
            let key = NewKey { algorithm, pin_policy, touch_policy, management_key };
            Ok(device.make_key(&uri, &key, sure, context)?)
        })?;
        run.output.note(format!("The key was made: sign with --key '{}'", created.uri));
        run.output.bytes(created.public_key.to_pem().as_bytes())?;
        run.report.verifying_key(created.uri.clone(), &created.public_key);
        run.report.data(json!({ "made": created.uri }));
        Ok(())
    }
}
