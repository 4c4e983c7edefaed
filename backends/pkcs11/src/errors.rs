//! What a module returns, as the core's kinds: one table on (code, function).

use countersign_core::error::{Error, ErrorKind};
use cryptoki::context::Function;
use cryptoki::error::{Error as ModuleError, RvError};

/// The failure of one call into the module; `what` names the act and its object.
pub(crate) fn failed(what: impl Into<String>, cause: ModuleError) -> Error {
    let why = match &cause {
        ModuleError::Pkcs11(code, function) => format!("C_{function:?} returned {}", code_name(code)),
        ModuleError::LibraryLoading(cause) => cause.to_string(),
        other => other.to_string(),
    };
    let error = Error::new(kind(&cause), what).why(why);
    match hint(&cause) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// `CKR_PIN_INCORRECT` for `PinIncorrect`: the standard's own spelling, which users search for.
fn code_name(code: &RvError) -> String {
    match code {
        RvError::VendorDefined(code) => format!("the vendor's code 0x{code:x}"),
        RvError::UnknownErrorCode(code) => format!("the unknown code 0x{code:x}"),
        code => {
            let mut name = "CKR".to_owned();
            for letter in format!("{code:?}").chars() {
                if letter.is_ascii_uppercase() {
                    name.push('_');
                }
                name.push(letter.to_ascii_uppercase());
            }
            name
        }
    }
}

/// PKCS#11 v3.0 5.1: return values.
fn kind(cause: &ModuleError) -> ErrorKind {
    use RvError as R;
    let ModuleError::Pkcs11(code, function) = cause else {
        return match cause {
            ModuleError::LibraryLoading(_) | ModuleError::MissingSymbol(_) => ErrorKind::Unsupported,
            ModuleError::NullFunctionPointer | ModuleError::NotSupported => ErrorKind::Unsupported,
            _ => ErrorKind::Integrity,
        };
    };
    match (code, function) {
        (R::PinIncorrect | R::PinInvalid | R::PinLenRange, _) => ErrorKind::WrongPin { tries_left: None },
        (R::PinLocked, _) => ErrorKind::PinLocked,
        (R::PinExpired | R::UserPinNotInitialized, _) => ErrorKind::KeyState,
        (R::UserNotLoggedIn, _) => ErrorKind::PinRequired,
        // A login that failed without a reason may have used a try: it is never repeated.
        (R::GeneralError | R::FunctionFailed | R::DeviceError, Function::Login) => ErrorKind::Unauthenticated,
        (R::TokenNotPresent | R::TokenNotRecognized | R::SlotIdInvalid, _) => ErrorKind::NotPresent,
        (R::SessionHandleInvalid | R::SessionClosed | R::DeviceRemoved | R::CryptokiNotInitialized, _) => {
            ErrorKind::SessionLost
        }
        // Handles die with their session, and some modules say so only of the handle.
        (R::KeyHandleInvalid | R::ObjectHandleInvalid, _) => ErrorKind::SessionLost,
        (R::SessionCount, _) => ErrorKind::Busy,
        (R::MechanismInvalid | R::MechanismParamInvalid | R::CurveNotSupported, _) => ErrorKind::Unsupported,
        (R::FunctionNotSupported | R::KeySizeRange, _) => ErrorKind::Unsupported,
        (R::KeyFunctionNotPermitted | R::ActionProhibited | R::TokenWriteProtected, _) => ErrorKind::Denied,
        (R::SessionReadOnly | R::FunctionRejected | R::FunctionCanceled, _) => ErrorKind::Denied,
        (R::DeviceError | R::DeviceMemory | R::HostMemory, _) => ErrorKind::Unavailable,
        (R::GeneralError | R::FunctionFailed, _) => ErrorKind::Unavailable,
        _ => ErrorKind::Integrity,
    }
}

fn hint(cause: &ModuleError) -> Option<&'static str> {
    match cause {
        ModuleError::LibraryLoading(_) | ModuleError::MissingSymbol(_) => {
            Some("name the vendor's PKCS#11 library, a shared object that exports C_GetFunctionList")
        }
        ModuleError::Pkcs11(RvError::GeneralError, Function::Initialize) => {
            Some("check the module's own configuration, as SOFTHSM2_CONF for SoftHSM")
        }
        ModuleError::Pkcs11(RvError::UserPinNotInitialized, _) => {
            Some("set the user PIN with the vendor's tool")
        }
        ModuleError::Pkcs11(RvError::PinExpired, _) => Some("change the PIN with the vendor's tool"),
        ModuleError::Pkcs11(RvError::PinLocked, _) => {
            Some("unblock it with the vendor's tool and the SO PIN")
        }
        ModuleError::Pkcs11(RvError::KeyFunctionNotPermitted, _) => {
            Some("the key was made without CKA_SIGN; use another key")
        }
        _ => None,
    }
}

/// Whether opening the token anew may help. Wider than the kind: while signing, a token that is gone or a login that
/// is forgotten means the same loss.
pub(crate) fn is_lost(cause: &ModuleError) -> bool {
    kind(cause) == ErrorKind::SessionLost
        || matches!(cause, ModuleError::Pkcs11(RvError::TokenNotPresent | RvError::UserNotLoggedIn, _))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_means_different_things_in_different_calls() {
        let of = |code, function| failed("cannot sign", ModuleError::Pkcs11(code, function));
        let login = of(RvError::GeneralError, Function::Login);
        assert_eq!(login.kind(), ErrorKind::Unauthenticated);
        assert_eq!(login.to_string(), "cannot sign: C_Login returned CKR_GENERAL_ERROR");
        assert_eq!(of(RvError::GeneralError, Function::Sign).kind(), ErrorKind::Unavailable);
        assert_eq!(
            of(RvError::PinIncorrect, Function::Login).kind(),
            ErrorKind::WrongPin { tries_left: None }
        );
        assert_eq!(of(RvError::DeviceRemoved, Function::Sign).kind(), ErrorKind::SessionLost);
    }
}
