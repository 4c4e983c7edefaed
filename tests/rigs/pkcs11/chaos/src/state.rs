//! What the module remembers between calls, behind one mutex.
//!
//! Nothing waits, sleeps or signs while it holds the mutex; the only calls of the wrapped module under it are
//! those that close sessions. Session handles are our own: a handle that died stays dead, whatever numbers
//! the wrapped module hands out again.

use std::collections::HashMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cryptoki_sys::{
    CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CK_USER_TYPE, CKR_OK,
    CKR_OPERATION_NOT_INITIALIZED, CKR_PIN_INCORRECT, CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN,
    CKU_USER,
};

use crate::module::real;
use crate::rules::Key;

/// How long a new session waits for calls in dead sessions to return.
const DRAIN: Duration = Duration::from_secs(5);

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);
static LEFT: Condvar = Condvar::new();

#[derive(Default)]
pub(crate) struct State {
    sessions: HashMap<CK_SESSION_HANDLE, Session>,
    last_handle: CK_SESSION_HANDLE,
    /// Who is logged in at a slot.
    pub(crate) logins: HashMap<CK_SLOT_ID, Login>,
    pub(crate) counters: HashMap<Key, Counter>,
    /// While the token is out: what calls with a session answer.
    pub(crate) removed: Option<CK_RV>,
}

/// The user type and the PIN of the last good login. The PIN is held for `always-authenticate` alone.
pub(crate) struct Login {
    pub(crate) user: CK_USER_TYPE,
    pub(crate) pin: Vec<u8>,
}

/// The counters of one rule.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) seen: u64,
    pub(crate) seen_back: u64,
    pub(crate) phase: Phase,
}

/// Where a rule that fires once stands.
#[derive(Default, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    #[default]
    Armed,
    Fired,
    Over,
}

pub(crate) struct Session {
    real: CK_SESSION_HANDLE,
    slot: CK_SLOT_ID,
    /// Calls of the wrapped module under way in this session.
    inside: u32,
    /// No caller may use it again; the real session closes when the last call has left it.
    dead: bool,
    /// The objects that a rewritten search has still to hand out.
    pub(crate) search: Option<Vec<CK_OBJECT_HANDLE>>,
    pub(crate) signing: Option<Signing>,
}

/// A signature operation between `C_SignInit` and its end.
#[derive(Clone, Copy)]
pub(crate) struct Signing {
    /// The key asks for a login of its own that has not happened yet.
    pub(crate) needs_login: bool,
}

/// Takes the mutex. A panic elsewhere does not poison it for good: one broken call is enough.
pub(crate) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call that is under way in a session.
pub(crate) struct Entered {
    handle: CK_SESSION_HANDLE,
    pub(crate) real: CK_SESSION_HANDLE,
    pub(crate) slot: CK_SLOT_ID,
}

impl Entered {
    /// Runs `work` on the session; `None` if it died meanwhile.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        lock().sessions.get_mut(&self.handle).filter(|session| !session.dead).map(work)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut state = lock();
        if let Some(session) = state.sessions.get_mut(&self.handle) {
            session.inside -= 1;
            if session.dead && session.inside == 0 {
                state.sessions.remove(&self.handle);
                real!(C_CloseSession, self.real);
                LEFT.notify_all();
            }
        }
    }
}

/// Enters a session by the caller's handle.
pub(crate) fn enter(handle: CK_SESSION_HANDLE) -> Result<Entered, CK_RV> {
    let mut state = lock();
    if let Some(code) = state.removed {
        return Err(code);
    }
    match state.sessions.get_mut(&handle) {
        Some(session) if !session.dead => {
            session.inside += 1;
            Ok(Entered { handle, real: session.real, slot: session.slot })
        }
        _ => Err(CKR_SESSION_HANDLE_INVALID),
    }
}

/// Waits until no call is left in a dead session: only then is the login of the wrapped module gone.
pub(crate) fn wait_for_dead_sessions() {
    let held = LEFT.wait_timeout_while(lock(), DRAIN, |state| state.sessions.values().any(|s| s.dead));
    drop(held.unwrap_or_else(PoisonError::into_inner));
}

impl State {
    /// How many live sessions a slot has.
    pub(crate) fn open_sessions(&self, slot: CK_SLOT_ID) -> usize {
        self.sessions.values().filter(|session| !session.dead && session.slot == slot).count()
    }

    /// Adds a session of the wrapped module; returns the handle for the caller.
    pub(crate) fn add_session(&mut self, real: CK_SESSION_HANDLE, slot: CK_SLOT_ID) -> CK_SESSION_HANDLE {
        self.last_handle += 1;
        let session = Session { real, slot, inside: 0, dead: false, search: None, signing: None };
        self.sessions.insert(self.last_handle, session);
        self.last_handle
    }

    /// Forgets a session that the wrapped module has closed; the last one of a slot takes the login with it.
    pub(crate) fn forget_session(&mut self, session: &Entered) {
        self.sessions.remove(&session.handle);
        LEFT.notify_all();
        if self.open_sessions(session.slot) == 0 {
            self.logins.remove(&session.slot);
        }
    }

    /// Forgets all sessions of a slot, or of all slots, that the wrapped module has closed.
    pub(crate) fn forget_sessions(&mut self, slot: Option<CK_SLOT_ID>) {
        self.sessions.retain(|_, session| session.dead || slot.is_some_and(|slot| session.slot != slot));
        self.logins.retain(|at, _| slot.is_some_and(|slot| *at != slot));
    }

    /// Notes a good login, unless the session died while the wrapped module took it.
    pub(crate) fn log_in(&mut self, session: &Entered, login: Login) {
        if self.sessions.get(&session.handle).is_some_and(|found| !found.dead) {
            self.logins.insert(session.slot, login);
        }
    }

    /// Emulates C_Login(CKU_CONTEXT_SPECIFIC) against the PIN of the last good user login.
    pub(crate) fn log_in_to_operation(&mut self, session: &Entered, pin: Option<&[u8]>) -> CK_RV {
        let Some(login) = self.logins.get(&session.slot).filter(|login| login.user == CKU_USER) else {
            return CKR_USER_NOT_LOGGED_IN;
        };
        let right = pin == Some(login.pin.as_slice());
        match self.sessions.get_mut(&session.handle).and_then(|found| found.signing.as_mut()) {
            None => CKR_OPERATION_NOT_INITIALIZED,
            Some(_) if !right => CKR_PIN_INCORRECT,
            Some(signing) => {
                signing.needs_login = false;
                CKR_OK
            }
        }
    }

    /// Kills all sessions: their handles are invalid from now on, and nobody is logged in.
    pub(crate) fn kill_sessions(&mut self) {
        self.sessions.retain(|_, session| {
            session.dead = true;
            if session.inside == 0 {
                real!(C_CloseSession, session.real);
            }
            session.inside > 0
        });
        self.logins.clear();
    }
}
