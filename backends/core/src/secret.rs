//! PINs, passwords, tokens and private keys, from the moment they are read.
//!
//! A [`Secret`] is wiped when dropped, cannot be cloned, printed or serialised, and compares in constant time. The
//! first one made switches core dumps off for the rest of the process, since a dump would hold it.

use std::fmt;
use std::sync::Once;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

/// Bytes that must not leave the process.
pub struct Secret(Zeroizing<Vec<u8>>);

static NO_CORE_DUMPS: Once = Once::new();

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        NO_CORE_DUMPS.call_once(|| {
            use rustix::process::{Resource, Rlimit, setrlimit};
            // Lowering one's own limit needs no right; where a system refuses, the secret is still wiped on drop.
            let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        });
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one call that needs them. The name makes each use easy to find.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are no bytes at all. An empty password is a password: Cosign allows it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Cuts one line ending (LF or CRLF) off the end: what an editor or `echo` adds to a password.
    pub fn without_line_ending(mut self) -> Self {
        if self.0.last() == Some(&b'\n') {
            self.0.pop();
            if self.0.last() == Some(&b'\r') {
                self.0.pop();
            }
        }
        self
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_a_mark_only() {
        assert_eq!(format!("{:?}", Secret::new(b"hunter2".to_vec())), "Secret(***)");
    }

    #[test]
    fn cuts_one_line_ending_only() {
        assert_eq!(Secret::new(b"pw\r\n".to_vec()).without_line_ending().expose(), b"pw");
        assert_eq!(Secret::new(b"pw\n\n".to_vec()).without_line_ending().expose(), b"pw\n");
        assert_eq!(Secret::new(b" pw ".to_vec()).without_line_ending().expose(), b" pw ");
    }

    #[test]
    fn core_dumps_are_off_while_a_secret_lives() {
        let _secret = Secret::new(vec![1]);
        assert_eq!(rustix::process::getrlimit(rustix::process::Resource::Core).current, Some(0));
    }
}
