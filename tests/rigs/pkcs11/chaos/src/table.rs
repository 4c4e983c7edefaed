//! The function list that callers get.

use cryptoki_sys::{CK_FUNCTION_LIST, CK_VERSION};

use crate::{forward, objects, sessions, signing, token};

/// Defines the list, and the names in it for the rule parser.
macro_rules! function_list {
    ($($module:ident::$name:ident),* $(,)?) => {
        pub(crate) static LIST: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            // PKCS#11 v2.40
            version: CK_VERSION { major: 2, minor: 40 },
            C_GetFunctionList: Some(crate::C_GetFunctionList),
            $($name: Some($module::$name),)*
        };
        pub(crate) const NAMES: &[&str] = &["C_GetFunctionList", $(stringify!($name)),*];
    };
}

function_list! {
    sessions::C_Initialize,
    sessions::C_Finalize,
    forward::C_GetInfo,
    token::C_GetSlotList,
    token::C_GetSlotInfo,
    token::C_GetTokenInfo,
    token::C_GetMechanismList,
    token::C_GetMechanismInfo,
    token::C_InitToken,
    forward::C_InitPIN,
    forward::C_SetPIN,
    sessions::C_OpenSession,
    sessions::C_CloseSession,
    sessions::C_CloseAllSessions,
    forward::C_GetSessionInfo,
    forward::C_GetOperationState,
    forward::C_SetOperationState,
    sessions::C_Login,
    sessions::C_Logout,
    forward::C_CreateObject,
    forward::C_CopyObject,
    forward::C_DestroyObject,
    forward::C_GetObjectSize,
    objects::C_GetAttributeValue,
    forward::C_SetAttributeValue,
    objects::C_FindObjectsInit,
    objects::C_FindObjects,
    objects::C_FindObjectsFinal,
    forward::C_EncryptInit,
    forward::C_Encrypt,
    forward::C_EncryptUpdate,
    forward::C_EncryptFinal,
    forward::C_DecryptInit,
    forward::C_Decrypt,
    forward::C_DecryptUpdate,
    forward::C_DecryptFinal,
    forward::C_DigestInit,
    forward::C_Digest,
    forward::C_DigestUpdate,
    forward::C_DigestKey,
    forward::C_DigestFinal,
    signing::C_SignInit,
    signing::C_Sign,
    signing::C_SignUpdate,
    signing::C_SignFinal,
    forward::C_SignRecoverInit,
    forward::C_SignRecover,
    forward::C_VerifyInit,
    forward::C_Verify,
    forward::C_VerifyUpdate,
    forward::C_VerifyFinal,
    forward::C_VerifyRecoverInit,
    forward::C_VerifyRecover,
    forward::C_DigestEncryptUpdate,
    forward::C_DecryptDigestUpdate,
    forward::C_SignEncryptUpdate,
    forward::C_DecryptVerifyUpdate,
    forward::C_GenerateKey,
    signing::C_GenerateKeyPair,
    forward::C_WrapKey,
    forward::C_UnwrapKey,
    forward::C_DeriveKey,
    forward::C_SeedRandom,
    forward::C_GenerateRandom,
    forward::C_GetFunctionStatus,
    forward::C_CancelFunction,
    forward::C_WaitForSlotEvent,
}
