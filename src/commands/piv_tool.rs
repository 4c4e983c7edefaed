//! `piv-tool`: what guards the keys of a card, with Cosign's commands and flags. Where a secret is left out, the factory's
//! is meant for what is there now, and the terminal is asked for what comes.

use clap::{Args, Subcommand};
use countersign_core::context::SecretPurpose;
use countersign_core::device::{Device, NewManagementKey};
use countersign_core::{KeyUri, OpenContext, Secret};
use serde_json::json;

use super::Run;
use super::flags::card::WhichCard;
use super::keys_attest::Attestation;
use super::piv_generate::GenerateKey;
use crate::backends;
use crate::exit::Failure;

/// Make keys on a YubiKey, and change its PIN, PUK and management key
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct PivTool {
    #[command(subcommand)]
    command: PivToolCommand,

    /// Do not ask before something is lost
    #[arg(long, short = 'f', global = true)]
    no_input: bool,
}

#[derive(Debug, Subcommand)]
enum PivToolCommand {
    Attestation(Attestation),
    GenerateKey(GenerateKey),
    /// Remove every key and certificate, and restore the factory's PIN, PUK and management key
    Reset {
        #[command(flatten)]
        card: WhichCard,
    },
    /// Change the management key, which opens a card for changes
    SetManagementKey {
        #[command(flatten)]
        card: WhichCard,

        /// The present one, hexadecimal; left out, the one behind the PIN or the factory's
        #[arg(long, value_name = "HEX", default_value = "", hide_default_value = true)]
        old_key: String,

        /// The new one, hexadecimal, 16, 24 or 32 bytes
        #[arg(long, value_name = "HEX", conflicts_with = "random_management_key")]
        new_key: Option<String>,

        /// Take random bytes; they are printed, once, unless --protect keeps them on the card
        #[arg(long)]
        random_management_key: bool,

        /// Keep the random key on the card behind its PIN, so that the PIN alone suffices for changes
        #[arg(long, requires = "random_management_key")]
        protect: bool,
    },
    /// Change the PIN
    SetPin {
        #[command(flatten)]
        card: WhichCard,

        /// The present PIN; left out, the factory's
        #[arg(long, value_name = "PIN", default_value = "", hide_default_value = true)]
        old_pin: String,

        /// The new PIN, 6 to 8 characters; left out, the terminal asks
        #[arg(long, value_name = "PIN", default_value = "", hide_default_value = true)]
        new_pin: String,
    },
    /// Change the PUK, which unblocks the PIN
    SetPuk {
        #[command(flatten)]
        card: WhichCard,

        /// The present PUK; left out, the factory's
        #[arg(long, value_name = "PUK", default_value = "", hide_default_value = true)]
        old_puk: String,

        /// The new PUK, 6 to 8 characters; left out, the terminal asks
        #[arg(long, value_name = "PUK", default_value = "", hide_default_value = true)]
        new_puk: String,
    },
    /// Set a new PIN with the PUK, after too many wrong tries
    Unblock {
        #[command(flatten)]
        card: WhichCard,

        /// The PUK; left out, the factory's
        #[arg(long, value_name = "PUK", default_value = "", hide_default_value = true)]
        puk: String,

        /// The new PIN, 6 to 8 characters; left out, the terminal asks
        #[arg(long = "new-PIN", value_name = "PIN", default_value = "", hide_default_value = true)]
        new_pin: String,
    },
}

impl PivTool {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let sure = self.no_input;
        match self.command {
            PivToolCommand::Attestation(command) => command.execute(run),
            PivToolCommand::GenerateKey(command) => command.execute(run, sure),
            PivToolCommand::Reset { card } => {
                change(run, &card, "reset", |device, uri, context| device.reset(uri, sure, context))
            }
            PivToolCommand::SetManagementKey { card, old_key, new_key, random_management_key, protect } => {
                let new = match new_key.filter(|key| !key.is_empty()) {
                    _ if random_management_key => NewManagementKey::Random { protected: protect },
                    Some(key) => NewManagementKey::Given(Secret::new(key.into_bytes())),
                    None => {
                        return Err(Failure::usage_with_hint(
                            "there is no new management key",
                            "pass --new-key or --random-management-key; Cosign would set the factory's again",
                        ));
                    }
                };
                let uri = card.uri(None)?;
                let device = backends::device(&uri)?;
                let printed = card.password.with_context(run, true, |context| {
                    Ok(device.set_management_key(&uri, given(old_key), new, context)?)
                })?;
                run.output.note("The management key is changed");
                if let Some(key) = printed {
                    run.output.note("The new management key follows; nothing else knows it:");
                    run.output.bytes(&[key.expose(), b"\n"].concat())?;
                }
                run.report.data(json!({ "changed": "management-key" }));
                Ok(())
            }
            PivToolCommand::SetPin { card, old_pin, new_pin } => {
                change(run, &card, "pin", |device, uri, context| {
                    let new = new_secret(new_pin, "the new PIN", context)?;
                    device.set_pin(uri, given(old_pin), &new, context)
                })
            }
            PivToolCommand::SetPuk { card, old_puk, new_puk } => {
                change(run, &card, "puk", |device, uri, context| {
                    let new = new_secret(new_puk, "the new PUK", context)?;
                    device.set_puk(uri, given(old_puk), &new, context)
                })
            }
            PivToolCommand::Unblock { card, puk, new_pin } => {
                change(run, &card, "pin", |device, uri, context| {
                    let new = new_secret(new_pin, "the new PIN", context)?;
                    device.unblock(uri, given(puk), &new, context)
                })
            }
        }
    }
}

/// Changes one thing of the one card, and says so.
fn change(
    run: &mut Run<'_>,
    card: &WhichCard,
    what: &str,
    act: impl FnOnce(&dyn Device, &KeyUri, &OpenContext<'_>) -> countersign_core::error::Result<()>,
) -> Result<(), Failure> {
    let uri = card.uri(None)?;
    let device = backends::device(&uri)?;
    card.password.with_context(run, true, |context| Ok(act(device, &uri, context)?))?;
    run.output.note(match what {
        "reset" => "The card is as the factory made it".to_owned(),
        what => format!("The {} is changed", what.to_uppercase()),
    });
    run.report.data(json!({ "changed": what }));
    Ok(())
}

/// An empty value stands for the factory's, as in Cosign.
pub(super) fn given(text: String) -> Option<Secret> {
    (!text.is_empty()).then(|| Secret::new(text.into_bytes()))
}

/// What comes is asked for twice where it is not given; Cosign would set the factory's again.
fn new_secret(
    text: String,
    name: &str,
    context: &OpenContext<'_>,
) -> countersign_core::error::Result<Secret> {
    match given(text) {
        Some(secret) => Ok(secret),
        None => context.prompt.secret(name, SecretPurpose::Protect),
    }
}
