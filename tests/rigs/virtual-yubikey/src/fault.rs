//! Faults: what a broken, slow or vanishing card does, on order.

use std::time::Duration;

use rand_core::{OsRng, RngCore};

/// A fault and when it strikes. Without more it strikes once, at the next APDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    instruction: Option<u8>,
    after: u32,
    times: u32,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The answer is cut to this many bytes, the status word with it.
    Short(usize),
    /// The answer is as long as the true one and random.
    Garbage,
    /// The data is random, the status word true.
    GarbageData,
    /// The status word 9000 follows the answer once more.
    ExtraStatus,
    /// The command is not done and this status word is all of the answer.
    Status(u16),
    /// The answer comes this much later.
    Slow(Duration),
    /// The card is gone before it does the command: no answer, and none until [`Card::insert`](crate::Card::insert).
    Removed,
}

impl Fault {
    /// A fault that strikes once, at the next APDU.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, instruction: None, after: 0, times: 1 }
    }

    /// Counts and strikes APDUs with this instruction byte only.
    pub fn on(mut self, instruction: u8) -> Self {
        self.instruction = Some(instruction);
        self
    }

    /// Lets this many of them through first.
    pub fn after(mut self, count: u32) -> Self {
        self.after = count;
        self
    }

    /// Strikes this many in a row; `u32::MAX` for all.
    pub fn times(mut self, count: u32) -> Self {
        self.times = count;
        self
    }

    /// Counts an APDU; what strikes it, if anything.
    pub(crate) fn strike(&mut self, instruction: Option<u8>) -> Option<FaultKind> {
        if (self.instruction.is_some() && self.instruction != instruction) || self.times == 0 {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        if self.times != u32::MAX {
            self.times -= 1;
        }
        Some(self.kind)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.times == 0
    }
}

impl FaultKind {
    /// Changes a true answer.
    pub(crate) fn spoil(self, answer: &mut Vec<u8>) {
        match self {
            Self::Short(size) => answer.truncate(size),
            Self::Garbage => OsRng.fill_bytes(answer),
            Self::GarbageData => {
                let data = answer.len().saturating_sub(2);
                OsRng.fill_bytes(&mut answer[..data]);
            }
            Self::ExtraStatus => answer.extend([0x90, 0x00]),
            Self::Status(_) | Self::Slow(_) | Self::Removed => {}
        }
    }
}
