//! Slots and tokens: finds the one token that a URI means, and says what excluded the others.

use countersign_core::error::{Error, ErrorKind, Result};
use cryptoki::context::{Function, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::slot::{Slot, SlotInfo, TokenInfo};

use crate::errors::failed;
use crate::uri::Pkcs11Uri;

/// How often the slot list is asked for: SoftHSM answers CKR_GENERAL_ERROR while another process writes its token.
const SCANS: usize = 5;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// A slot with a token in it.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) slot: Slot,
    /// What is known of the slot; some modules do not tell.
    pub(crate) slot_info: Option<SlotInfo>,
    /// What is known of the token; `cryptoki` cannot read what some modules tell.
    pub(crate) info: Option<TokenInfo>,
}

impl Token {
    /// The URI attributes that name this token: its label and serial number, or else its slot.
    pub(crate) fn uri(&self) -> Pkcs11Uri {
        match &self.info {
            Some(info) => Pkcs11Uri {
                token: Some(unpadded(info.label()).into()),
                serial: Some(unpadded(info.serial_number()).into()),
                ..Pkcs11Uri::default()
            },
            None => Pkcs11Uri { slot_id: Some(self.slot.id()), ..Pkcs11Uri::default() },
        }
    }

    /// Whether a login is needed before private objects show. Unknown counts as yes.
    pub(crate) fn needs_login(&self) -> bool {
        self.info.as_ref().is_none_or(TokenInfo::login_required)
    }

    fn is_blank(&self) -> bool {
        self.info.as_ref().is_some_and(|info| !info.token_initialized())
    }
}

/// PKCS#11 pads with blanks; some modules with NULs.
pub(crate) fn unpadded(text: &str) -> &str {
    text.trim_end_matches([' ', '\0'])
}

/// Every token, and the slots that failed to answer with what they said.
pub(crate) fn scan(module: &Pkcs11) -> Result<(Vec<Token>, Vec<String>)> {
    let mut scans = 1;
    loop {
        let scanned = scan_once(module);
        let again = matches!(&scanned, Err(cause) if is_general(cause))
            || matches!(&scanned, Ok((_, silent)) if !silent.is_empty());
        match scanned {
            _ if again && scans < SCANS => {
                std::thread::sleep(PAUSE);
                scans += 1;
            }
            scanned => return scanned.map_err(|cause| failed("cannot list the tokens", cause)),
        }
    }
}

fn is_general(cause: &ModuleError) -> bool {
    matches!(cause, ModuleError::Pkcs11(RvError::GeneralError, _))
}

fn scan_once(module: &Pkcs11) -> Result<(Vec<Token>, Vec<String>), ModuleError> {
    let (mut tokens, mut silent) = (Vec::new(), Vec::new());
    for slot in module.get_slots_with_token()? {
        let info = match module.get_token_info(slot) {
            Ok(info) => Some(info),
            // The module answered; only the answer cannot be read.
            Err(cause) if !matches!(cause, ModuleError::Pkcs11(..)) => None,
            Err(ModuleError::Pkcs11(RvError::TokenNotPresent, Function::GetTokenInfo)) => continue,
            Err(cause) => {
                silent.push(failed(format!("slot {}", slot.id()), cause).to_string());
                continue;
            }
        };
        tokens.push(Token { slot, slot_info: module.get_slot_info(slot).ok(), info });
    }
    Ok((tokens, silent))
}

/// An attribute of padded text: what the URI wants, and what the token or its slot tells.
type Field = (&'static str, fn(&Pkcs11Uri) -> Option<&[u8]>, fn(&Token) -> Option<&str>);

/// In the order in which they exclude tokens.
#[rustfmt::skip]
const FIELDS: [Field; 6] = [
    ("token", |uri| uri.token.as_deref(), |token| token.info.as_ref().map(TokenInfo::label)),
    ("serial", |uri| uri.serial.as_deref(), |token| token.info.as_ref().map(TokenInfo::serial_number)),
    ("manufacturer", |uri| uri.manufacturer.as_deref(), |token| token.info.as_ref().map(TokenInfo::manufacturer_id)),
    ("model", |uri| uri.model.as_deref(), |token| token.info.as_ref().map(TokenInfo::model)),
    ("slot-manufacturer", |uri| uri.slot_manufacturer.as_deref(), |token| token.slot_info.as_ref().map(SlotInfo::manufacturer_id)),
    ("slot-description", |uri| uri.slot_description.as_deref(), |token| token.slot_info.as_ref().map(SlotInfo::slot_description)),
];

/// The tokens that the URI's attributes leave, in the module's order.
///
/// # Errors
/// [`ErrorKind::NotPresent`] with the attribute that excluded the last one and what is there.
pub(crate) fn matching(module: &Pkcs11, uri: &Pkcs11Uri) -> Result<Vec<Token>> {
    check_library(module, uri)?;
    let (tokens, silent) = scan(module)?;
    let present = || tokens.iter().filter(|token| !token.is_blank());
    let mut left: Vec<&Token> = present().collect();
    let mut excluded_by = None;
    let mut keep = |name, fits: &dyn Fn(&Token) -> bool| {
        if !left.is_empty() {
            left.retain(|token| fits(token));
            excluded_by = left.is_empty().then_some(name);
        }
    };
    if let Some(slot) = uri.slot_id {
        keep("slot-id", &|token| token.slot.id() == slot);
    }
    for (name, wanted, found) in FIELDS {
        if let Some(wanted) = wanted(uri) {
            let wanted = String::from_utf8_lossy(wanted);
            keep(name, &|token| found(token).is_some_and(|found| unpadded(found) == unpadded(&wanted)));
        }
    }
    if !left.is_empty() {
        return Ok(left.into_iter().cloned().collect());
    }
    let there: Vec<_> = present().map(|token| token.uri().to_string()).collect();
    let why = match excluded_by {
        Some(name) => format!("no token has this {name}"),
        None => "the module shows no initialised token".to_owned(),
    };
    let mut hints = Vec::new();
    if !there.is_empty() {
        hints.push(format!("there are: {}", there.join(", ")));
    }
    if !silent.is_empty() {
        hints.push(format!("without an answer: {}", silent.join("; ")));
    }
    if hints.is_empty() {
        hints.push("plug the token in, or check the module's configuration".to_owned());
    }
    Err(Error::new(ErrorKind::NotPresent, "cannot find the token").why(why).hint(hints.join("; ")))
}

/// The only one of the tokens that are left.
///
/// # Errors
/// [`ErrorKind::Ambiguous`] with the URIs of all.
pub(crate) fn only(mut tokens: Vec<Token>) -> Result<Token> {
    if tokens.len() == 1 {
        return Ok(tokens.remove(0));
    }
    let uris: Vec<_> = tokens.iter().map(|token| token.uri().to_string()).collect();
    Err(Error::new(ErrorKind::Ambiguous, "cannot choose a token")
        .why(format!("{} match: {}", uris.len(), uris.join(", ")))
        .hint("add token=LABEL or serial=NUMBER to the URI"))
}

/// The attributes that name the module itself.
fn check_library(module: &Pkcs11, uri: &Pkcs11Uri) -> Result<()> {
    if uri.library_manufacturer.is_none()
        && uri.library_description.is_none()
        && uri.library_version.is_none()
    {
        return Ok(());
    }
    let info =
        module.get_library_info().map_err(|cause| failed("cannot ask the module for its name", cause))?;
    let version = info.library_version();
    let text = |wanted: &Option<Vec<u8>>, found: &str| {
        wanted.as_ref().is_none_or(|wanted| *wanted == unpadded(found).as_bytes())
    };
    for (name, fits) in [
        ("library-manufacturer", text(&uri.library_manufacturer, info.manufacturer_id())),
        ("library-description", text(&uri.library_description, info.library_description())),
        (
            "library-version",
            uri.library_version.is_none_or(|wanted| wanted == (version.major(), version.minor())),
        ),
    ] {
        if !fits {
            return Err(Error::new(ErrorKind::NotPresent, "cannot find the token").why(format!(
                "the module has another {name}: it is \"{}\", \"{}\", version {}.{}",
                info.manufacturer_id(),
                info.library_description(),
                version.major(),
                version.minor()
            )));
        }
    }
    Ok(())
}
