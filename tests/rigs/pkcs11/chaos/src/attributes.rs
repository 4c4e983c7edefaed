//! What attributes read under the rules.

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_FALSE, CK_OBJECT_CLASS, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE,
    CK_TRUE, CK_ULONG, CK_UNAVAILABLE_INFORMATION, CKA_ALWAYS_AUTHENTICATE, CKA_CLASS, CKA_EC_POINT, CKA_ID,
    CKA_LABEL, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PUBLIC_KEY_INFO, CKA_SIGN, CKO_PRIVATE_KEY,
    CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL, CKR_OK,
};

use crate::module::real;
use crate::point;
use crate::rules::{NoId, Rules};

/// What a rule makes an attribute read.
pub(crate) enum View {
    Bytes(Vec<u8>),
    Invalid,
}

/// Whether a rule may change this attribute on some object.
pub(crate) fn is_changed(rules: &Rules, attribute: CK_ATTRIBUTE_TYPE) -> bool {
    match attribute {
        CKA_LABEL => rules.label.is_some(),
        CKA_ID => rules.no_id.is_some(),
        CKA_SIGN => rules.cannot_sign,
        CKA_ALWAYS_AUTHENTICATE => rules.always_authenticate.is_some(),
        CKA_EC_POINT => rules.point.is_some() || rules.hide_private_info,
        CKA_PUBLIC_KEY_INFO | CKA_MODULUS | CKA_PUBLIC_EXPONENT => rules.hide_private_info,
        _ => false,
    }
}

/// What an attribute of an object of `class` reads under the rules; `None` leaves it to the wrapped module.
pub(crate) fn view(
    rules: &Rules,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    class: CK_OBJECT_CLASS,
    attribute: CK_ATTRIBUTE_TYPE,
) -> Option<View> {
    if !is_changed(rules, attribute) {
        return None;
    }
    let private = class == CKO_PRIVATE_KEY;
    match attribute {
        CKA_LABEL => rules.label.as_ref().map(|label| View::Bytes(label.clone().into_bytes())),
        CKA_ID => rules.no_id.map(|form| match form {
            NoId::Empty => View::Bytes(Vec::new()),
            NoId::Invalid => View::Invalid,
        }),
        CKA_SIGN if private => Some(View::Bytes(vec![CK_FALSE])),
        CKA_ALWAYS_AUTHENTICATE if private => Some(View::Bytes(vec![CK_TRUE])),
        CKA_EC_POINT | CKA_PUBLIC_KEY_INFO | CKA_MODULUS | CKA_PUBLIC_EXPONENT
            if private && rules.hide_private_info =>
        {
            Some(View::Invalid)
        }
        CKA_EC_POINT => {
            let stored = read(session, object, attribute)?;
            rules.point.map(|form| View::Bytes(point::recode(&stored, form)))
        }
        _ => None,
    }
}

/// Fills one attribute of a caller's template from a view; the return value is what PKCS#11 v2.40 5.7 asks for.
pub(crate) fn answer(attribute: &mut CK_ATTRIBUTE, view: &View) -> CK_RV {
    let View::Bytes(bytes) = view else {
        attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    };
    let length = bytes.len() as CK_ULONG;
    if !attribute.pValue.is_null() {
        if attribute.ulValueLen < length {
            attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
            return CKR_BUFFER_TOO_SMALL;
        }
        // SAFETY: the caller has room for `ulValueLen` bytes, which is enough.
        unsafe { attribute.pValue.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }
    attribute.ulValueLen = length;
    CKR_OK
}

/// Reads an attribute from the wrapped module; `None` if the object does not have it or does not show it.
pub(crate) fn read(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attribute: CK_ATTRIBUTE_TYPE,
) -> Option<Vec<u8>> {
    let mut one = CK_ATTRIBUTE { type_: attribute, pValue: std::ptr::null_mut(), ulValueLen: 0 };
    if real!(C_GetAttributeValue, session, object, &mut one, 1) != CKR_OK
        || one.ulValueLen == CK_UNAVAILABLE_INFORMATION
    {
        return None;
    }
    let mut value = vec![0u8; one.ulValueLen as usize];
    one.pValue = value.as_mut_ptr().cast();
    if real!(C_GetAttributeValue, session, object, &mut one, 1) != CKR_OK {
        return None;
    }
    value.truncate(one.ulValueLen as usize);
    Some(value)
}

/// The class of an object; `None` if there is no such object.
pub(crate) fn class(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Option<CK_OBJECT_CLASS> {
    let bytes = read(session, object, CKA_CLASS)?;
    Some(CK_OBJECT_CLASS::from_ne_bytes(bytes.try_into().ok()?))
}
