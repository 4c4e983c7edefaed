//! Slots, token information and mechanisms.

use std::cell::Cell;

use cryptoki_sys::{
    CK_BBOOL, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_RV, CK_SLOT_ID, CK_SLOT_INFO, CK_TOKEN_INFO, CK_TRUE,
    CK_ULONG, CK_UTF8CHAR, CKF_CLOCK_ON_TOKEN, CKF_TOKEN_PRESENT, CKR_ARGUMENTS_BAD, CKR_BUFFER_TOO_SMALL,
    CKR_MECHANISM_INVALID, CKR_OK, CKR_TOKEN_NOT_PRESENT,
};

use crate::call::{Call, Context};
use crate::module::real;
use crate::rules::SlotFault;
use crate::state;

thread_local! {
    /// Whether this thread's last C_GetSlotList asked for the count alone.
    static ASKED_FOR_COUNT: Cell<bool> = const { Cell::new(false) };
}

/// A count query and the call that fetches the list are one scan: rules count the first of them, and the
/// token neither goes nor comes back between the two.
pub(crate) unsafe extern "C" fn C_GetSlotList(
    present: CK_BBOOL,
    list: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    let second_half = ASKED_FOR_COUNT.replace(list.is_null()) && !list.is_null();
    let mut call = Call::new("C_GetSlotList").uncounted_if(second_half);
    if list.is_null() {
        call = call.note("query");
    }
    call.run(|_| {
        if present != 0 && state::lock().removed.is_some() {
            if count.is_null() {
                return CKR_ARGUMENTS_BAD;
            }
            // SAFETY: not null (above), and the caller vouches for the rest.
            unsafe { *count = 0 };
            return CKR_OK;
        }
        real!(C_GetSlotList, present, list, count)
    })
}

pub(crate) unsafe extern "C" fn C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) -> CK_RV {
    Call::new("C_GetSlotInfo").note(format!("slot={slot}")).run(|context| {
        if let Some(code) = slot_fault(context.rules.slot_info_fails, slot) {
            return code;
        }
        let rv = real!(C_GetSlotInfo, slot, info);
        if rv == CKR_OK && state::lock().removed.is_some() {
            // SAFETY: the wrapped module has just filled it.
            unsafe { (*info).flags &= !CKF_TOKEN_PRESENT };
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) -> CK_RV {
    with_token("C_GetTokenInfo", slot, |context| {
        if let Some(code) = slot_fault(context.rules.token_info_fails, slot) {
            return code;
        }
        let rv = real!(C_GetTokenInfo, slot, info);
        // SAFETY: null, or filled by the wrapped module.
        if let (CKR_OK, Some(info)) = (rv, unsafe { info.as_mut() }) {
            change_token_info(context, info);
        }
        rv
    })
}

fn change_token_info(context: &Context, info: &mut CK_TOKEN_INFO) {
    let rules = &context.rules;
    info.flags = (info.flags | rules.flags_set) & !rules.flags_clear;
    if let Some(max) = rules.max_sessions {
        info.ulMaxSessionCount = max as CK_ULONG;
        info.ulMaxRwSessionCount = max as CK_ULONG;
    }
    if rules.garbage_time {
        info.utcTime = [b'x'; 16];
        info.flags |= CKF_CLOCK_ON_TOKEN;
    }
    if rules.nul_label {
        for byte in info.label.iter_mut().rev().take_while(|byte| **byte == b' ') {
            *byte = 0;
        }
    }
}

pub(crate) unsafe extern "C" fn C_GetMechanismList(
    slot: CK_SLOT_ID,
    list: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    with_token("C_GetMechanismList", slot, |context| {
        if context.rules.hidden_mechanisms.is_empty() {
            return real!(C_GetMechanismList, slot, list, count);
        }
        // SAFETY: null, or valid by the caller's word.
        let Some(count) = (unsafe { count.as_mut() }) else { return CKR_ARGUMENTS_BAD };
        let mut length = 0;
        let rv = real!(C_GetMechanismList, slot, std::ptr::null_mut(), &mut length);
        if rv != CKR_OK {
            return rv;
        }
        let mut mechanisms = vec![0; length as usize];
        let rv = real!(C_GetMechanismList, slot, mechanisms.as_mut_ptr(), &mut length);
        if rv != CKR_OK {
            return rv;
        }
        mechanisms.truncate(length as usize);
        mechanisms.retain(|mechanism| !context.rules.hidden_mechanisms.contains(mechanism));
        let room = std::mem::replace(count, mechanisms.len() as CK_ULONG);
        if list.is_null() {
            return CKR_OK;
        }
        if room < *count {
            return CKR_BUFFER_TOO_SMALL;
        }
        // SAFETY: the caller has room for `room` mechanisms, which is enough.
        unsafe { list.copy_from_nonoverlapping(mechanisms.as_ptr(), mechanisms.len()) };
        CKR_OK
    })
}

pub(crate) unsafe extern "C" fn C_GetMechanismInfo(
    slot: CK_SLOT_ID,
    mechanism: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    with_token("C_GetMechanismInfo", slot, |context| {
        context.notes.add(format!("mechanism={mechanism:#x}"));
        if context.rules.hidden_mechanisms.contains(&mechanism) {
            return CKR_MECHANISM_INVALID;
        }
        real!(C_GetMechanismInfo, slot, mechanism, info)
    })
}

pub(crate) unsafe extern "C" fn C_InitToken(
    slot: CK_SLOT_ID,
    pin: *mut CK_UTF8CHAR,
    pin_length: CK_ULONG,
    label: *mut CK_UTF8CHAR,
) -> CK_RV {
    with_token("C_InitToken", slot, |_| real!(C_InitToken, slot, pin, pin_length, label))
}

/// Runs a call that needs the token in the slot.
fn with_token(function: &'static str, slot: CK_SLOT_ID, work: impl FnOnce(&mut Context) -> CK_RV) -> CK_RV {
    Call::new(function).note(format!("slot={slot}")).run(|context| {
        if state::lock().removed.is_some() {
            return CKR_TOKEN_NOT_PRESENT;
        }
        work(context)
    })
}

/// The code of a slot fault, if the slot is among the first ones that hold a token.
fn slot_fault(fault: Option<SlotFault>, slot: CK_SLOT_ID) -> Option<CK_RV> {
    let fault = fault?;
    let mut count = 0;
    if real!(C_GetSlotList, CK_TRUE, std::ptr::null_mut(), &mut count) != CKR_OK {
        return None;
    }
    let mut slots = vec![0; count as usize];
    if real!(C_GetSlotList, CK_TRUE, slots.as_mut_ptr(), &mut count) != CKR_OK {
        return None;
    }
    slots.truncate((count as usize).min(fault.first));
    slots.contains(&slot).then_some(fault.code)
}
