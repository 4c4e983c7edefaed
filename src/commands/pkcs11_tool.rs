//! `pkcs11-tool`: the tokens of a module and the keys of a token, as Cosign lists them. No PIN is asked for, and none shows.

use clap::{Args, Subcommand};
use countersign_core::KeyUri;
use countersign_core::hexadecimal::hex;
use serde_json::json;

use super::Run;
use super::flags::key::PasswordFlags;
use crate::backends;
use crate::exit::Failure;

/// List the tokens of a PKCS#11 module and the keys of a token
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Pkcs11Tool {
    #[command(subcommand)]
    command: Pkcs11ToolCommand,

    /// Taken as Cosign takes it; nothing is asked here
    #[arg(long, short = 'f', global = true, hide = true)]
    no_input: bool,
}

#[derive(Debug, Subcommand)]
enum Pkcs11ToolCommand {
    /// List the tokens of a module
    ListTokens {
        /// The module, an absolute path; else COSIGN_PKCS11_MODULE_PATH
        #[arg(long, value_name = "FILE", default_value = "")]
        module_path: String,
    },
    /// List the keys of a token, each with a URI to sign with
    ListKeysUris {
        /// The module, an absolute path; else COSIGN_PKCS11_MODULE_PATH
        #[arg(long, value_name = "FILE", default_value = "")]
        module_path: String,

        /// The token's slot; left out, every token
        #[arg(long, value_name = "NUMBER")]
        slot_id: Option<u64>,

        /// Taken as Cosign takes it; listing needs no PIN
        #[arg(long, value_name = "PIN", hide = true, default_value = "")]
        pin: String,
    },
}

impl Pkcs11Tool {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let password = PasswordFlags::default();
        match self.command {
            Pkcs11ToolCommand::ListTokens { module_path } => {
                let uri = uri(None, &module_path)?;
                let store = backends::key_store(&uri)?;
                let tokens = password.with_context(run, false, |context| Ok(store.tokens(&uri, context)?))?;
                run.output.line("")?;
                run.output.line(format!("Listing tokens of PKCS11 module '{}'", shown(run, &module_path)))?;
                for token in &tokens {
                    run.output.line(format!("Token in slot {}", token.slot))?;
                    run.output.line(format!("\tLabel: {}", token.label))?;
                    run.output.line(format!("\tManufacturer: {}", token.manufacturer))?;
                    run.output.line(format!("\tModel: {}", token.model))?;
                    run.output.line(format!("\tS/N: {}", token.serial))?;
                    run.output.line("")?;
                }
                let rows = tokens.iter().map(|token| {
                    json!({ "slot": token.slot, "label": token.label, "manufacturer": token.manufacturer,
                            "model": token.model, "serial": token.serial })
                });
                run.report.data(json!({ "tokens": rows.collect::<Vec<_>>() }));
            }
            Pkcs11ToolCommand::ListKeysUris { module_path, slot_id, pin: _ } => {
                let uri = uri(slot_id, &module_path)?;
                let store = backends::key_store(&uri)?;
                let keys = password.with_context(run, false, |context| Ok(store.list(&uri, context)?))?;
                let slot = slot_id.map_or_else(|| "any".to_owned(), |slot| slot.to_string());
                run.output.line("")?;
                run.output.line(format!(
                    "Listing URIs of keys in slot '{slot}' of PKCS11 module '{}'",
                    shown(run, &module_path)
                ))?;
                for (number, key) in keys.iter().enumerate() {
                    run.output.line(format!("Object {number}"))?;
                    run.output.line(format!("\tLabel: {}", key.label.as_deref().unwrap_or_default()))?;
                    run.output.line(format!("\tID: {}", hex(key.id.as_deref().unwrap_or_default())))?;
                    run.output.line(format!("\tURI: {}", key.uri))?;
                }
                let rows = keys.iter().map(|key| json!({ "label": key.label, "uri": key.uri }));
                run.report.data(json!({ "keys": rows.collect::<Vec<_>>() }));
            }
        }
        Ok(())
    }
}

/// The URI that leaves what the flags leave.
fn uri(slot: Option<u64>, module: &str) -> Result<KeyUri, Failure> {
    let slot = slot.map_or_else(String::new, |slot| format!("slot-id={slot}"));
    // RFC 7512 2.3: what would end the value or be decoded in it is encoded.
    let module = module.replace('%', "%25").replace('&', "%26").replace('#', "%23").replace(';', "%3B");
    let module = if module.is_empty() { module } else { format!("?module-path={module}") };
    Ok(KeyUri::parse(&format!("pkcs11:{slot}{module}"))?)
}

/// The module as the user named it.
fn shown(run: &Run<'_>, module: &str) -> String {
    if !module.is_empty() {
        return module.to_owned();
    }
    let variable = run.environment.variable("COSIGN_PKCS11_MODULE_PATH");
    variable.map_or_else(|| "p11-kit".to_owned(), |path| path.to_string_lossy().into_owned())
}
