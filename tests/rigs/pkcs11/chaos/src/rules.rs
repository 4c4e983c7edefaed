//! What the control file asks for, as types. `parse.rs` reads them, `triggers.rs` counts for them.

use cryptoki_sys::{CK_FLAGS, CK_MECHANISM_TYPE, CK_RV, CK_USER_TYPE};

/// Every rule of the control file at one moment.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rules {
    pub(crate) faults: Vec<Keyed<FaultRule>>,
    pub(crate) removals: Vec<Keyed<Removal>>,
    pub(crate) losses: Vec<Keyed<Trigger>>,
    pub(crate) point: Option<PointForm>,
    pub(crate) label: Option<String>,
    pub(crate) no_id: Option<NoId>,
    pub(crate) always_authenticate: Option<AlwaysAuthenticate>,
    pub(crate) max_sessions: Option<usize>,
    pub(crate) hidden_mechanisms: Vec<CK_MECHANISM_TYPE>,
    pub(crate) flags_set: CK_FLAGS,
    pub(crate) flags_clear: CK_FLAGS,
    pub(crate) hide_public: Option<HidePublic>,
    pub(crate) hide_private_info: bool,
    pub(crate) cannot_sign: bool,
    pub(crate) garbage_time: bool,
    pub(crate) nul_label: bool,
    pub(crate) token_info_fails: Option<SlotFault>,
    pub(crate) slot_info_fails: Option<SlotFault>,
}

/// A rule with counters. They belong to the text of its line: a line that goes and comes back starts afresh.
#[derive(Debug, PartialEq)]
pub(crate) struct Keyed<T> {
    pub(crate) key: Key,
    pub(crate) rule: T,
}

/// The text of a line, and how many equal lines stand before it.
pub(crate) type Key = (String, usize);

#[derive(Debug, PartialEq)]
pub(crate) struct FaultRule {
    pub(crate) function: String,
    pub(crate) fault: Fault,
    /// Calls to let through first.
    pub(crate) after: u64,
    /// Calls to hit after those.
    pub(crate) times: u64,
    /// `C_Login` only: hit this user type alone.
    pub(crate) user: Option<CK_USER_TYPE>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    Return(CK_RV),
    Hang,
    Crash,
    Sleep { milliseconds: u64 },
    Corrupt,
    Short,
}

/// Fires once `after` calls of `of` have been let through.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trigger {
    pub(crate) after: u64,
    pub(crate) of: String,
}

/// The token goes at `out`, comes back at `back` (or when the line goes).
#[derive(Debug, PartialEq)]
pub(crate) struct Removal {
    pub(crate) out: Trigger,
    pub(crate) back: Option<Trigger>,
    /// What calls with a session answer meanwhile.
    pub(crate) code: CK_RV,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PointForm {
    Raw,
    Octet,
    Bit,
    Compressed,
    CompressedRaw,
    OffCurve,
    Garbage,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NoId {
    Empty,
    Invalid,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AlwaysAuthenticate {
    /// A refused `C_Sign` ends the operation, as PKCS#11 v2.40 5.2 has it.
    Ends,
    /// A refused `C_Sign` leaves the operation open, as some tokens do.
    Keeps,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum HidePublic {
    UntilLogin,
    Always,
}

/// A return value for the first `first` slots that hold a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SlotFault {
    pub(crate) code: CK_RV,
    pub(crate) first: usize,
}

impl Rules {
    /// Whether a line with counters still stands in the file.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.faults.iter().any(|r| r.key == *key)
            || self.removals.iter().any(|r| r.key == *key)
            || self.losses.iter().any(|r| r.key == *key)
    }

    /// Whether any rule changes what attributes read.
    pub(crate) fn change_attributes(&self) -> bool {
        self.point.is_some()
            || self.label.is_some()
            || self.no_id.is_some()
            || self.always_authenticate.is_some()
            || self.hide_private_info
            || self.cannot_sign
    }
}
