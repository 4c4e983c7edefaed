//! Reading and finding objects.

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKO_CERTIFICATE, CKO_PUBLIC_KEY,
    CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL, CKR_OK,
    CKR_OPERATION_ACTIVE, CKR_SESSION_HANDLE_INVALID,
};

use crate::attributes::{self, View};
use crate::call::{Call, Context};
use crate::module::real;
use crate::rules::{HidePublic, Rules};
use crate::state::{self, Entered};

/// How many handles one inner C_FindObjects asks for.
const BATCH: usize = 64;

pub(crate) unsafe extern "C" fn C_GetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    Call::new("C_GetAttributeValue").run_in(session, |context, at| {
        let rules = &context.rules;
        let class = if rules.change_attributes() { attributes::class(at.real, object) } else { None };
        let Some(class) = class.filter(|_| !template.is_null()) else {
            return real!(C_GetAttributeValue, at.real, object, template, count);
        };
        // SAFETY: not null, and the caller owes `count` attributes to the standard.
        let wanted = unsafe { std::slice::from_raw_parts_mut(template, count as usize) };
        let views: Vec<Option<View>> =
            wanted.iter().map(|one| attributes::view(rules, at.real, object, class, one.type_)).collect();
        fill(at, object, wanted, &views)
    })
}

/// Answers the attributes that have a view from it, and the others from the wrapped module.
fn fill(
    at: &Entered,
    object: CK_OBJECT_HANDLE,
    wanted: &mut [CK_ATTRIBUTE],
    views: &[Option<View>],
) -> CK_RV {
    let mut passed: Vec<CK_ATTRIBUTE> =
        wanted.iter().zip(views).filter(|(_, view)| view.is_none()).map(|(one, _)| *one).collect();
    let mut rv = CKR_OK;
    if !passed.is_empty() {
        rv = real!(C_GetAttributeValue, at.real, object, passed.as_mut_ptr(), passed.len() as CK_ULONG);
        // PKCS#11 v2.40 5.7: with these the rest of the template is filled in none the less.
        let filled = [CKR_OK, CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL];
        if !filled.contains(&rv) {
            return rv;
        }
    }
    let mut passed = passed.iter();
    for (one, view) in wanted.iter_mut().zip(views) {
        match view {
            None => one.ulValueLen = passed.next().map_or(0, |done| done.ulValueLen),
            Some(view) => {
                let answer = attributes::answer(one, view);
                rv = if rv == CKR_OK { answer } else { rv };
            }
        }
    }
    rv
}

/// Searches that no rule touches go straight on. For the others the whole search happens here: the wrapped
/// module matches the attributes that no rule changes, and the rest is matched by what they now read.
pub(crate) unsafe extern "C" fn C_FindObjectsInit(
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    Call::new("C_FindObjectsInit").run_in(session, |context, at| {
        let wanted: &[CK_ATTRIBUTE] = if template.is_null() || count == 0 {
            &[]
        } else {
            // SAFETY: not null, and the caller owes `count` attributes to the standard.
            unsafe { std::slice::from_raw_parts(template, count as usize) }
        };
        let (changed, mut passed): (Vec<CK_ATTRIBUTE>, Vec<CK_ATTRIBUTE>) =
            wanted.iter().partition(|one| attributes::is_changed(&context.rules, one.type_));
        let hide = hides_public(context, at);
        if changed.is_empty() && !hide {
            return real!(C_FindObjectsInit, at.real, template, count);
        }
        if at.with(|session| session.search.is_some()) == Some(true) {
            return CKR_OPERATION_ACTIVE;
        }
        let found = match find(at, &mut passed) {
            Ok(found) => found,
            Err(rv) => return rv,
        };
        let matches = |object: &CK_OBJECT_HANDLE| matches(&context.rules, at, *object, &changed, hide);
        let found = found.into_iter().filter(matches).collect();
        match at.with(|session| session.search = Some(found)) {
            Some(()) => CKR_OK,
            None => died(),
        }
    })
}

fn hides_public(context: &Context, at: &Entered) -> bool {
    match context.rules.hide_public {
        None => false,
        Some(HidePublic::Always) => true,
        Some(HidePublic::UntilLogin) => !state::lock().logins.contains_key(&at.slot),
    }
}

/// Runs a whole search in the wrapped module.
fn find(at: &Entered, template: &mut [CK_ATTRIBUTE]) -> Result<Vec<CK_OBJECT_HANDLE>, CK_RV> {
    let rv = real!(C_FindObjectsInit, at.real, template.as_mut_ptr(), template.len() as CK_ULONG);
    if rv != CKR_OK {
        return Err(rv);
    }
    let mut found = Vec::new();
    let result = loop {
        let mut batch = [0; BATCH];
        let mut count = 0;
        let rv = real!(C_FindObjects, at.real, batch.as_mut_ptr(), BATCH as CK_ULONG, &mut count);
        if rv != CKR_OK {
            break Err(rv);
        }
        if count == 0 {
            break Ok(());
        }
        found.extend_from_slice(&batch[..count as usize]);
    };
    real!(C_FindObjectsFinal, at.real);
    result.map(|()| found)
}

fn matches(
    rules: &Rules,
    at: &Entered,
    object: CK_OBJECT_HANDLE,
    changed: &[CK_ATTRIBUTE],
    hide: bool,
) -> bool {
    let Some(class) = attributes::class(at.real, object) else { return false };
    if hide && [CKO_CERTIFICATE, CKO_PUBLIC_KEY].contains(&class) {
        return false;
    }
    changed.iter().all(|one| {
        let reads = match attributes::view(rules, at.real, object, class, one.type_) {
            Some(View::Bytes(bytes)) => Some(bytes),
            Some(View::Invalid) => None,
            None => attributes::read(at.real, object, one.type_),
        };
        let wanted: &[u8] = if one.pValue.is_null() {
            &[]
        } else {
            // SAFETY: not null, and the caller owes `ulValueLen` readable bytes to the standard.
            unsafe { std::slice::from_raw_parts(one.pValue.cast(), one.ulValueLen as usize) }
        };
        reads.as_deref() == Some(wanted)
    })
}

/// What a call answers whose session died under it.
fn died() -> CK_RV {
    state::lock().removed.unwrap_or(CKR_SESSION_HANDLE_INVALID)
}

pub(crate) unsafe extern "C" fn C_FindObjects(
    session: CK_SESSION_HANDLE,
    objects: *mut CK_OBJECT_HANDLE,
    max: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    Call::new("C_FindObjects").run_in(session, |_, at| {
        if objects.is_null() || count.is_null() {
            return CKR_ARGUMENTS_BAD;
        }
        let ours = at.with(|session| {
            let search = session.search.as_mut()?;
            Some(search.drain(..search.len().min(max as usize)).collect::<Vec<_>>())
        });
        match ours {
            None => died(),
            Some(None) => real!(C_FindObjects, at.real, objects, max, count),
            Some(Some(handles)) => {
                // SAFETY: neither is null (above), and there are at most `max` handles.
                unsafe {
                    objects.copy_from_nonoverlapping(handles.as_ptr(), handles.len());
                    *count = handles.len() as CK_ULONG;
                }
                CKR_OK
            }
        }
    })
}

pub(crate) unsafe extern "C" fn C_FindObjectsFinal(session: CK_SESSION_HANDLE) -> CK_RV {
    Call::new("C_FindObjectsFinal").run_in(session, |_, at| match at.with(|session| session.search.take()) {
        None => died(),
        Some(Some(_)) => CKR_OK,
        Some(None) => real!(C_FindObjectsFinal, at.real),
    })
}
