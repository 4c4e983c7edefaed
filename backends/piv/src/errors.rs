//! What readers and cards answer, as the core's kinds: one table for the layers below the card, one for its status words.

use countersign_core::error::{Error, ErrorKind};

use crate::apdu::Status;
use crate::transport::TransportError;

/// The failure of a layer below the card; `what` names the act and its object.
pub(crate) fn failed(what: impl Into<String>, cause: &TransportError) -> Error {
    use TransportError as T;
    let (kind, why, hint) = match cause {
        T::NoLibrary => (
            ErrorKind::Unavailable,
            "the PC/SC library (libpcsclite.so.1) is not installed",
            Some(
                "install it: libpcsclite1 and pcscd (Debian, Ubuntu), pcsc-lite (Fedora, Arch), pcsc-lite-libs (Alpine)",
            ),
        ),
        T::NoService => (
            ErrorKind::Unavailable,
            "the PC/SC service does not run",
            Some("start it: systemctl start pcscd (package pcscd on Debian and Ubuntu, pcsc-lite on Fedora)"),
        ),
        T::NoReader => (ErrorKind::NotPresent, "the reader is gone", Some("plug the device in again")),
        T::NoCard => (ErrorKind::NotPresent, "the card was pulled out", Some("plug the card in again")),
        T::Broken => (
            ErrorKind::SessionLost,
            "the connection to the card broke",
            Some("the card was pulled out, or has a bad contact: plug it in again"),
        ),
        T::Reset => (ErrorKind::SessionLost, "another program reset the card", None),
        T::Shared => (
            ErrorKind::Busy,
            "another program holds the card for itself",
            Some(
                "GnuPG's scdaemon often does: stop it with gpgconf --kill scdaemon, and close other programs that use the card",
            ),
        ),
        T::Mute => (
            ErrorKind::Unavailable,
            "the card does not answer the reader",
            Some("pull it out and plug it in again"),
        ),
        T::Other(why) => {
            return Error::new(ErrorKind::Io, what).why(why.clone());
        }
    };
    let error = Error::new(kind, what).why(why);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A card refused a command. The words for SP 800-73-4 Part 2 table 6, and what to do about it.
pub(crate) fn refused(what: impl Into<String>, status: Status) -> Error {
    let (kind, why, hint) = match status {
        Status::SECURITY => (ErrorKind::Denied, "the card asks for an authentication first", None),
        Status::BLOCKED => (
            ErrorKind::PinLocked,
            "its PIN or PUK is locked after too many wrong tries",
            Some("unblock the PIN with: countersign piv-tool unblock"),
        ),
        Status::CONDITIONS => (ErrorKind::KeyState, "the card is not in a state that allows it", None),
        Status::WRONG_DATA => (ErrorKind::Unsupported, "the card does not take the data", None),
        Status::NOT_FOUND => (ErrorKind::NotFound, "the card has no such object", None),
        Status::NO_REFERENCE => (ErrorKind::NotFound, "the card has no such key", None),
        Status::NO_ROOM => (ErrorKind::Denied, "the card has no room left", Some("delete a certificate")),
        Status::WRONG_P1_P2 => (ErrorKind::Unsupported, "the card does not know the key or algorithm", None),
        Status::NO_INSTRUCTION | Status::NO_CLASS => {
            (ErrorKind::Unsupported, "the card does not know the command", None)
        }
        _ => (ErrorKind::Integrity, "the card refused", None),
    };
    let error = Error::new(kind, what).why(format!("{why} (status {status})"));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A card answered something that no card may answer.
pub(crate) fn garbled(what: impl Into<String>, found: &str) -> Error {
    Error::new(ErrorKind::Integrity, what)
        .why(format!("the card's answer is garbled: {found}"))
        .hint("pull the card out, plug it in again, and try another port or reader if it stays so")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_package_is_missing_and_which_program_may_hold_the_card() {
        let missing = failed("cannot look for cards", &TransportError::NoLibrary);
        assert_eq!(missing.kind(), ErrorKind::Unavailable);
        assert!(missing.next_step().unwrap().contains("libpcsclite1"));
        assert!(failed("x", &TransportError::NoService).next_step().unwrap().contains("pcscd"));
        let held = failed("x", &TransportError::Shared);
        assert_eq!(held.kind(), ErrorKind::Busy);
        assert!(held.next_step().unwrap().contains("scdaemon"));
    }

    #[test]
    fn a_status_is_named_as_the_standard_writes_it() {
        let error = refused("cannot sign", Status::NO_REFERENCE);
        assert_eq!(error.to_string(), "cannot sign: the card has no such key (status 6A88)");
        assert_eq!(refused("x", Status(0x6f00)).kind(), ErrorKind::Integrity);
    }
}
