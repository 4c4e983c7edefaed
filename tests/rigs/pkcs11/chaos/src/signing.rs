//! Signing, with keys that ask for a login of their own, damaged signatures and hidden mechanisms.

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG,
    CKO_PRIVATE_KEY, CKR_BUFFER_TOO_SMALL, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID, CKR_OK,
    CKR_USER_NOT_LOGGED_IN,
};

use crate::attributes;
use crate::call::{Call, Context};
use crate::module::real;
use crate::rules::AlwaysAuthenticate;
use crate::state::{self, Entered, Signing};

/// Room for the signature of an operation that is ended on the caller's behalf.
const SCRATCH: usize = 64 * 1024;

pub(crate) unsafe extern "C" fn C_SignInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    Call::new("C_SignInit").run_in(session, |context, at| {
        if let Some(code) = note_mechanism(context, mechanism) {
            return code;
        }
        let rules = &context.rules;
        let asks = rules.cannot_sign || rules.always_authenticate.is_some();
        let private = asks && attributes::class(at.real, key) == Some(CKO_PRIVATE_KEY);
        if private && rules.cannot_sign {
            return CKR_KEY_FUNCTION_NOT_PERMITTED;
        }
        let rv = real!(C_SignInit, at.real, mechanism, key);
        if rv == CKR_OK {
            let needs_login = private && rules.always_authenticate.is_some();
            at.with(|session| session.signing = Some(Signing { needs_login }));
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_GenerateKeyPair(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    public_template: *mut CK_ATTRIBUTE,
    public_count: CK_ULONG,
    private_template: *mut CK_ATTRIBUTE,
    private_count: CK_ULONG,
    public_key: *mut CK_OBJECT_HANDLE,
    private_key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    Call::new("C_GenerateKeyPair").run_in(session, |context, at| {
        if let Some(code) = note_mechanism(context, mechanism) {
            return code;
        }
        real!(
            C_GenerateKeyPair,
            at.real,
            mechanism,
            public_template,
            public_count,
            private_template,
            private_count,
            public_key,
            private_key
        )
    })
}

/// Logs the mechanism; refuses one that is hidden.
fn note_mechanism(context: &mut Context, mechanism: *mut CK_MECHANISM) -> Option<CK_RV> {
    // SAFETY: null, or a mechanism by the caller's word.
    let mechanism = unsafe { mechanism.as_ref() }?.mechanism;
    context.notes.add(format!("mechanism={mechanism:#x}"));
    context.rules.hidden_mechanisms.contains(&mechanism).then_some(CKR_MECHANISM_INVALID)
}

pub(crate) unsafe extern "C" fn C_Sign(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    data_length: CK_ULONG,
    signature: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    output_call("C_Sign", signature).run_in(session, |context, at| {
        if needs_login(at) {
            return refuse(context, at);
        }
        let rv = real!(C_Sign, at.real, data, data_length, signature, length);
        finish(context, at, rv, signature, length)
    })
}

pub(crate) unsafe extern "C" fn C_SignUpdate(
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    part_length: CK_ULONG,
) -> CK_RV {
    Call::new("C_SignUpdate").run_in(session, |context, at| {
        if needs_login(at) {
            return refuse(context, at);
        }
        let rv = real!(C_SignUpdate, at.real, part, part_length);
        if rv != CKR_OK {
            at.with(|session| session.signing = None);
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_SignFinal(
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    output_call("C_SignFinal", signature).run_in(session, |context, at| {
        if needs_login(at) {
            return refuse(context, at);
        }
        let rv = real!(C_SignFinal, at.real, signature, length);
        finish(context, at, rv, signature, length)
    })
}

/// A length query is answered without the device, so no rule counts it or hits it.
fn output_call(function: &'static str, signature: *mut CK_BYTE) -> Call {
    let query = signature.is_null();
    let call = Call::new(function).uncounted_if(query);
    if query { call.note("query") } else { call }
}

fn needs_login(at: &Entered) -> bool {
    at.with(|session| session.signing.is_some_and(|signing| signing.needs_login)) == Some(true)
}

/// Refuses to sign before the login of the operation.
fn refuse(context: &Context, at: &Entered) -> CK_RV {
    if context.rules.always_authenticate != Some(AlwaysAuthenticate::Keeps) {
        end_operation(at);
    }
    CKR_USER_NOT_LOGGED_IN
}

/// Ends the operation of a signature call that a rule made fail, as PKCS#11 v2.40 5.2 has it: else the
/// next C_SignInit would meet an operation that the caller rightly takes for dead.
pub(crate) fn end_after_fault(function: &str, session: CK_SESSION_HANDLE, code: CK_RV) {
    let ends = ["C_Sign", "C_SignUpdate", "C_SignFinal"].contains(&function);
    if !ends || [CKR_OK, CKR_BUFFER_TOO_SMALL].contains(&code) {
        return;
    }
    if let Ok(at) = state::enter(session) {
        end_operation(&at);
    }
}

/// Version 2.40 has no call that cancels an operation, so it runs to its end into a buffer that is thrown
/// away: as one of many parts, and if the mechanism knows none, as one of a single part.
fn end_operation(at: &Entered) {
    if at.with(|session| session.signing.take().is_some()) != Some(true) {
        return;
    }
    let (mut data, mut scratch) = ([0u8; 32], vec![0u8; SCRATCH]);
    let mut room = SCRATCH as CK_ULONG;
    real!(C_SignFinal, at.real, scratch.as_mut_ptr(), &mut room);
    room = SCRATCH as CK_ULONG;
    real!(C_Sign, at.real, data.as_mut_ptr(), data.len() as CK_ULONG, scratch.as_mut_ptr(), &mut room);
}

/// Closes the books on a signature call, and damages the signature if a rule asks for it.
fn finish(
    context: &Context,
    at: &Entered,
    rv: CK_RV,
    signature: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // PKCS#11 v2.40 5.2: these two leave the operation open.
    let open = rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && signature.is_null());
    if !open {
        at.with(|session| session.signing = None);
    }
    if rv == CKR_OK && !signature.is_null() {
        // SAFETY: the wrapped module has just written through both.
        let (bytes, length) = unsafe {
            let length = &mut *length;
            (std::slice::from_raw_parts_mut(signature, *length as usize), length)
        };
        let middle = bytes.len() / 2;
        if let (true, Some(byte)) = (context.corrupt, bytes.get_mut(middle)) {
            *byte ^= 1;
        }
        if context.short {
            *length = length.saturating_sub(1);
        }
    }
    rv
}
