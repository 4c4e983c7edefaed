//! A PKCS#11 2.40 module that wraps a real one and injects the faults that a control file asks for.
//!
//! Begin reading at `call.rs`: every function of the list runs through it. `README.md` has the grammar of
//! the control file and the format of the call log. The duties:
//!
//! - `rules` and `parse`: what the control file asks for;
//! - `triggers`: which fault hits this call, from the counters of each rule;
//! - `state`: sessions, logins and counters behind one mutex;
//! - `table` and `forward`: the function list, and the functions that only forward;
//! - `sessions`, `token`, `objects`, `attributes`, `point`, `signing`: the functions that rules change;
//! - `module`: the wrapped module; `log`: the call log.

#![allow(non_snake_case, reason = "exported and internal functions bear the names of the standard")]

mod attributes;
mod call;
mod forward;
mod log;
mod module;
mod objects;
mod parse;
mod point;
mod rules;
mod sessions;
mod signing;
mod state;
mod table;
mod token;
mod triggers;

use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_OK};

/// The only symbol that callers look up. `C_GetInterface` is absent on purpose: callers then take the 2.40 list.
///
/// # Safety
/// `list` is null or valid for one write, as PKCS#11 asks of the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    call::Call::new("C_GetFunctionList").run(|_| {
        if list.is_null() {
            return CKR_ARGUMENTS_BAD;
        }
        if module::list().is_none() {
            return CKR_GENERAL_ERROR;
        }
        // SAFETY: not null (above), and the caller vouches for the rest. Nobody writes through the pointer to
        // the static: the standard gives callers a list to read.
        unsafe { *list = (&raw const table::LIST).cast_mut() };
        CKR_OK
    })
}
