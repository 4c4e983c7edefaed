//! Initialisation, sessions and logins.

use std::os::raw::c_void;
use std::os::unix::ffi::OsStringExt;

use cryptoki_sys::{
    CK_C_INITIALIZE_ARGS, CK_FLAGS, CK_NOTIFY, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG, CK_USER_TYPE,
    CK_UTF8CHAR, CKF_PROTECTED_AUTHENTICATION_PATH, CKF_RW_SESSION, CKR_ARGUMENTS_BAD, CKR_FUNCTION_CANCELED,
    CKR_OK, CKR_SESSION_COUNT, CKR_TOKEN_NOT_PRESENT, CKU_CONTEXT_SPECIFIC,
};

use crate::call::{Call, Context};
use crate::module::real;
use crate::state::{self, Entered, Login};

pub(crate) unsafe extern "C" fn C_Initialize(arguments: *mut c_void) -> CK_RV {
    let given = arguments.cast::<CK_C_INITIALIZE_ARGS>();
    // SAFETY: null, or the structure that the standard prescribes.
    let note = match unsafe { given.as_ref() } {
        Some(given) => format!("flags={:#x}", given.flags),
        None => "flags=none".to_owned(),
    };
    Call::new("C_Initialize").note(note).run(|_| real!(C_Initialize, arguments))
}

pub(crate) unsafe extern "C" fn C_Finalize(reserved: *mut c_void) -> CK_RV {
    Call::new("C_Finalize").run(|_| {
        let rv = real!(C_Finalize, reserved);
        if rv == CKR_OK {
            state::lock().forget_sessions(None);
        }
        rv
    })
}

/// The notification callback is not passed on: it would get the handle of the wrapped module.
pub(crate) unsafe extern "C" fn C_OpenSession(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    _application: *mut c_void,
    _notify: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    let mode = if flags & CKF_RW_SESSION != 0 { "RW" } else { "RO" };
    Call::new("C_OpenSession").note(mode).note(format!("slot={slot}")).run(|context| {
        if session.is_null() {
            return CKR_ARGUMENTS_BAD;
        }
        if state::lock().removed.is_some() {
            return CKR_TOKEN_NOT_PRESENT;
        }
        state::wait_for_dead_sessions();
        let mut opened = 0;
        let rv = real!(C_OpenSession, slot, flags, std::ptr::null_mut(), None, &mut opened);
        if rv != CKR_OK {
            return rv;
        }
        // The limit is checked as the session is added, so that threads cannot pass it together.
        let mut state = state::lock();
        let full = context.rules.max_sessions.is_some_and(|max| state.open_sessions(slot) >= max);
        if state.removed.is_some() || full {
            real!(C_CloseSession, opened);
            return if full { CKR_SESSION_COUNT } else { CKR_TOKEN_NOT_PRESENT };
        }
        let handle = state.add_session(opened, slot);
        context.notes.add(format!("session={handle}"));
        // SAFETY: not null (above), and the caller vouches for the rest.
        unsafe { *session = handle };
        CKR_OK
    })
}

pub(crate) unsafe extern "C" fn C_CloseSession(session: CK_SESSION_HANDLE) -> CK_RV {
    Call::new("C_CloseSession").run_in(session, |_, at| {
        let rv = real!(C_CloseSession, at.real);
        if rv == CKR_OK {
            state::lock().forget_session(at);
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_CloseAllSessions(slot: CK_SLOT_ID) -> CK_RV {
    Call::new("C_CloseAllSessions").note(format!("slot={slot}")).run(|_| {
        if state::lock().removed.is_some() {
            return CKR_TOKEN_NOT_PRESENT;
        }
        let rv = real!(C_CloseAllSessions, slot);
        if rv == CKR_OK {
            state::lock().forget_sessions(Some(slot));
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_Login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    pin_length: CK_ULONG,
) -> CK_RV {
    // SAFETY: the caller owes `pin_length` readable bytes at a `pin` that is not null.
    let given = (!pin.is_null()).then(|| unsafe { std::slice::from_raw_parts(pin, pin_length as usize) });
    // The length alone goes to the log, never the PIN.
    let length = given.map_or("null".to_owned(), |pin| pin.len().to_string());
    Call::new("C_Login").user(user).note(format!("user={user}")).note(format!("pin-length={length}")).run_in(
        session,
        |context, at| {
            let protected = context.rules.flags_set & CKF_PROTECTED_AUTHENTICATION_PATH != 0;
            let pin = match given {
                Some(pin) => Some(pin.to_vec()),
                None if protected => match std::env::var_os("CHAOS_PAD_PIN") {
                    Some(pin) => Some(pin.into_vec()),
                    // Nobody stands at the pad.
                    None => return CKR_FUNCTION_CANCELED,
                },
                None => None,
            };
            log_in(context, at, user, pin)
        },
    )
}

fn log_in(context: &Context, at: &Entered, user: CK_USER_TYPE, pin: Option<Vec<u8>>) -> CK_RV {
    if user == CKU_CONTEXT_SPECIFIC && context.rules.always_authenticate.is_some() {
        return state::lock().log_in_to_operation(at, pin.as_deref());
    }
    let (pointer, length) = match &pin {
        Some(pin) => (pin.as_ptr().cast_mut(), pin.len() as CK_ULONG),
        None => (std::ptr::null_mut(), 0),
    };
    let rv = real!(C_Login, at.real, user, pointer, length);
    if rv == CKR_OK && user != CKU_CONTEXT_SPECIFIC {
        state::lock().log_in(at, Login { user, pin: pin.unwrap_or_default() });
    }
    rv
}

pub(crate) unsafe extern "C" fn C_Logout(session: CK_SESSION_HANDLE) -> CK_RV {
    Call::new("C_Logout").run_in(session, |_, at| {
        let rv = real!(C_Logout, at.real);
        if rv == CKR_OK {
            state::lock().logins.remove(&at.slot);
        }
        rv
    })
}
