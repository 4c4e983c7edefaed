//! The way of every call: read the rules, judge, perhaps sleep, hang, crash or refuse; else do the work; log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cryptoki_sys::{CK_RV, CK_SESSION_HANDLE, CK_USER_TYPE, CKR_GENERAL_ERROR, CKR_VENDOR_DEFINED};

use crate::rules::Rules;
use crate::state::{self, Entered};
use crate::triggers::{self, End, Verdict};
use crate::{log, parse, signing};

/// What every call returns while the control file does not parse.
const BAD_RULES: CK_RV = CKR_VENDOR_DEFINED | 0xbad;

/// One call of a function of the list.
pub(crate) struct Call {
    function: &'static str,
    counts: bool,
    user: Option<CK_USER_TYPE>,
    session: Option<CK_SESSION_HANDLE>,
    notes: Notes,
}

/// What the log line says after the return value.
#[derive(Default)]
pub(crate) struct Notes(String);

impl Notes {
    pub(crate) fn add(&mut self, note: impl AsRef<str>) {
        self.0.push(' ');
        self.0.push_str(note.as_ref());
    }
}

/// What a call sees of its surroundings.
pub(crate) struct Context<'a> {
    pub(crate) rules: Rules,
    pub(crate) corrupt: bool,
    pub(crate) short: bool,
    pub(crate) notes: &'a mut Notes,
}

impl Call {
    pub(crate) fn new(function: &'static str) -> Self {
        Call { function, counts: true, user: None, session: None, notes: Notes::default() }
    }

    /// Half of a two-part call (a length query): no rule counts it or hits it.
    pub(crate) fn uncounted_if(mut self, uncounted: bool) -> Self {
        self.counts = !uncounted;
        self
    }

    pub(crate) fn user(mut self, user: CK_USER_TYPE) -> Self {
        self.user = Some(user);
        self
    }

    pub(crate) fn note(mut self, note: impl AsRef<str>) -> Self {
        self.notes.add(note);
        self
    }

    /// Runs a call that takes no session.
    pub(crate) fn run(mut self, work: impl FnOnce(&mut Context) -> CK_RV) -> CK_RV {
        let mut notes = std::mem::take(&mut self.notes);
        // A panic must not cross into the C caller.
        let result = catch_unwind(AssertUnwindSafe(|| self.judge_and_work(&mut notes, work)));
        let rv = result.unwrap_or(CKR_GENERAL_ERROR);
        log::write(&format!("{} {rv:#x}{}", self.function, notes.0));
        rv
    }

    /// Runs a call in a session: the handle must be one of ours, alive, and the token in its place.
    pub(crate) fn run_in(
        mut self,
        session: CK_SESSION_HANDLE,
        work: impl FnOnce(&mut Context, &Entered) -> CK_RV,
    ) -> CK_RV {
        self.session = Some(session);
        self.note(format!("session={session}")).run(|context| match state::enter(session) {
            Ok(entered) => work(context, &entered),
            Err(rv) => rv,
        })
    }

    fn judge_and_work(&self, notes: &mut Notes, work: impl FnOnce(&mut Context) -> CK_RV) -> CK_RV {
        let (rules, verdict) = {
            let mut state = state::lock();
            // Read under the mutex, so that no thread brings older rules than another has seen.
            let rules = match parse::load_rules() {
                Ok(rules) => rules,
                Err(why) => {
                    eprintln!("chaos: bad control file: {why}");
                    notes.add(format!("bad-rules: {why}"));
                    return BAD_RULES;
                }
            };
            let verdict = if self.counts {
                triggers::judge(&mut state, &rules, self.function, self.user)
            } else {
                Verdict::default()
            };
            (rules, verdict)
        };
        if verdict.sleep_milliseconds > 0 {
            std::thread::sleep(Duration::from_millis(verdict.sleep_milliseconds));
        }
        match verdict.end {
            Some(End::Return(code)) => {
                if let Some(session) = self.session {
                    signing::end_after_fault(self.function, session, code);
                }
                return code;
            }
            Some(End::Hang) => self.hang(notes),
            Some(End::Crash) => self.crash(notes),
            None => {}
        }
        work(&mut Context { rules, corrupt: verdict.corrupt, short: verdict.short, notes })
    }

    fn hang(&self, notes: &Notes) -> ! {
        log::write(&format!("{} hang{}", self.function, notes.0));
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }

    fn crash(&self, notes: &Notes) -> ! {
        log::write(&format!("{} crash{}", self.function, notes.0));
        let nowhere = std::ptr::without_provenance_mut::<u8>(1);
        // SAFETY: none, and that is the purpose: page zero is never mapped, so this ends the process with
        // SIGSEGV, as a module with a bug would. The volatile write keeps the compiler from dropping it.
        unsafe { nowhere.write_volatile(0) };
        std::process::abort()
    }
}
