//! What guards the keys of a card, and how it is changed: PIN, PUK, management key, policies.
//!
//! Only cards have this; a backend without it answers `None` to [`Backend::device`](crate::Backend::device).

use crate::algorithm::Algorithm;
use crate::backend::Created;
use crate::context::OpenContext;
use crate::error::Result;
use crate::key_uri::KeyUri;
use crate::secret::Secret;

/// When a key of a card asks for the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinPolicy {
    /// Never.
    Never,
    /// Once after the card was opened.
    Once,
    /// Before each signature.
    Always,
}

/// When a key of a card asks for a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchPolicy {
    /// Never.
    Never,
    /// For each signature.
    Always,
    /// Once, which then holds for 15 seconds.
    Cached,
}

/// A key to be made on a card.
pub struct NewKey {
    /// What it will sign with; its key type is what is made.
    pub algorithm: Algorithm,
    /// `None`: the card's own choice for the slot.
    pub pin_policy: Option<PinPolicy>,
    /// `None`: the card's own choice for the slot.
    pub touch_policy: Option<TouchPolicy>,
    /// Opens the card for changes. `None`: the one that the card keeps behind its PIN, else the factory's.
    pub management_key: Option<Secret>,
}

/// What the management key becomes.
pub enum NewManagementKey {
    /// This one, hexadecimal.
    Given(Secret),
    /// One of random bytes; kept on the card behind the PIN when `protected`.
    Random {
        /// Whether the card keeps it, so that the PIN alone suffices for changes from then on.
        protected: bool,
    },
}

/// Changes what guards a card. Each method acts on exactly one card; secrets that are `None` are the factory's, used with
/// a warning. A secret that the card refused is never sent to it again in this run.
pub trait Device: Sync {
    /// Makes a key in the URI's slot. An existing one is kept unless `overwrite` is set or the prompt confirms.
    fn make_key(
        &self,
        uri: &KeyUri,
        key: &NewKey,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created>;

    /// Changes the PIN.
    fn set_pin(
        &self,
        uri: &KeyUri,
        old: Option<Secret>,
        new: &Secret,
        context: &OpenContext<'_>,
    ) -> Result<()>;

    /// Changes the PUK, which unblocks the PIN.
    fn set_puk(
        &self,
        uri: &KeyUri,
        old: Option<Secret>,
        new: &Secret,
        context: &OpenContext<'_>,
    ) -> Result<()>;

    /// Sets a new PIN with the PUK, after too many wrong tries.
    fn unblock(
        &self,
        uri: &KeyUri,
        puk: Option<Secret>,
        new: &Secret,
        context: &OpenContext<'_>,
    ) -> Result<()>;

    /// Changes the management key. Returns it, hexadecimal, when it is random and the card does not keep it.
    fn set_management_key(
        &self,
        uri: &KeyUri,
        old: Option<Secret>,
        new: NewManagementKey,
        context: &OpenContext<'_>,
    ) -> Result<Option<Secret>>;

    /// Removes every key and certificate and restores the factory's PIN, PUK and management key. Asks, and names the card,
    /// unless `sure`.
    fn reset(&self, uri: &KeyUri, sure: bool, context: &OpenContext<'_>) -> Result<()>;
}
