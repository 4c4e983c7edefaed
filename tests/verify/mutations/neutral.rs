//! Changes that change nothing that anybody may rely on. Each says why; a bundle so changed may be accepted, and must then prove
//! nothing that the good one does not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode, Encode};
use serde_json::Value;

use super::variants::Change::{self, Cased, Doubled, Emptied, Nulled, Removed, Reversed, Swapped};
use super::variants::Variant;

/// A class of changes.
pub(super) struct Neutral {
    /// Where; `*` stands for one step.
    place: &'static str,
    /// Which, by what stood there and what stands there now.
    is: fn(Change, &Value, &Value) -> bool,
    pub(super) why: &'static str,
}

const LOST: [Change; 3] = [Removed, Nulled, Emptied];

/// All of them.
#[rustfmt::skip]
pub(super) const NEUTRAL: &[Neutral] = &[
    Neutral {
        place: "/verificationMaterial/publicKey",
        is: |change, _, _| change == Emptied,
        why: "without a hint, the key is the one that was given",
    },
    Neutral {
        place: "/verificationMaterial/publicKey/hint",
        is: |_, _, now| !now.as_str().is_some_and(is_fingerprint),
        why: "a hint that is no fingerprint names nobody",
    },
    Neutral {
        place: "/messageSignature/messageDigest",
        is: |change, _, _| LOST.contains(&change),
        why: "signature and log entry are about the artifact without it",
    },
    Neutral {
        place: "/messageSignature/messageDigest/algorithm",
        is: |change, _, _| change == Cased,
        why: "the same hash",
    },
    Neutral {
        place: "/dsseEnvelope/signatures/0/keyid",
        is: |_, _, now| !now.as_str().is_some_and(is_fingerprint),
        why: "a name of a key that is no fingerprint names nobody",
    },
    Neutral {
        place: "/verificationMaterial/tlogEntries",
        is: |change, _, _| [Doubled, Reversed].contains(&change),
        why: "logs are counted once, in any order",
    },
    Neutral {
        place: "/verificationMaterial/timestampVerificationData/rfc3161Timestamps",
        is: |change, _, _| [Doubled, Reversed].contains(&change),
        why: "authorities are counted once, in any order",
    },
    Neutral {
        place: "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/*/signedTimestamp",
        is: |_, before, now| token(before).is_some_and(|before| token(now) == Some(before)),
        why: "of a token only content, signed attributes, signature and the signer's name are used",
    },
    Neutral {
        place: "/verificationMaterial/tlogEntries/*/inclusionPromise",
        is: |change, _, _| LOST.contains(&change),
        why: "from version 0.2 a proof is demanded; a promise only gives the time, which a key or a timestamp makes needless",
    },
    Neutral {
        place: "/verificationMaterial/tlogEntries/*/inclusionProof/checkpoint/envelope",
        is: |_, before, now| signed(before).is_some_and(|before| signed(now) == Some(before)),
        why: "a name before a signature is not signed, and witnesses count for nothing; the log's key must have signed",
    },
    Neutral {
        place: "/mediaType",
        is: |_, _, now| now.as_str().is_some_and(|now| now.starts_with("application/vnd.dev.sigstore.bundle")),
        why: "another version that is known may demand the proof in place of the promise, and the bundle has both",
    },
    Neutral {
        place: "/verificationMaterial/tlogEntries/0/inclusionProof",
        is: |change, _, _| LOST.contains(&change),
        why: "in version 0.1 the promise is demanded",
    },
    Neutral {
        place: "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint",
        is: |change, _, _| LOST.contains(&change),
        why: "in version 0.1 the promise is demanded, and a proof without checkpoint proves nothing",
    },
    Neutral {
        place: "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope",
        is: |change, _, _| LOST.contains(&change),
        why: "the same, one step below",
    },
    Neutral {
        place: "/verificationMaterial/x509CertificateChain/certificates",
        is: |change, _, _| change == Doubled,
        why: "of a chain the first is read; the others come from the trusted root",
    },
    Neutral {
        place: "/cert",
        is: |_, before, now| lost(now) || printed(before) == printed(now),
        why: "beside a given key it is not needed, and the line endings of PEM say nothing",
    },
    Neutral {
        place: "/rekorBundle/Payload/logID",
        is: |_, before, now| before.as_str().zip(now.as_str()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b)),
        why: "the same number in hexadecimal",
    },
    Neutral {
        place: "/verificationMaterial/timestampVerificationData",
        is: |change, before, _| [Removed, Nulled, Emptied, Swapped].contains(&change) && stamps(before) == 0,
        why: "there was no timestamp in it",
    },
    Neutral {
        place: "/verificationMaterial/timestampVerificationData/rfc3161Timestamps",
        is: |change, before, _| LOST.contains(&change) && before.as_array().is_some_and(Vec::is_empty),
        why: "there was no timestamp in it",
    },
    Neutral {
        place: "/verificationMaterial/tlogEntries/*/inclusionProof/*",
        is: |change, before, _| change == Removed && (before == "0" || before.as_array().is_some_and(Vec::is_empty)),
        why: "protobuf leaves out what is zero or empty",
    },
];

impl Neutral {
    pub(super) fn covers(&self, good: &Value, variant: &Variant) -> bool {
        let (own, other) = (self.place.split('/'), variant.place.split('/'));
        let same = own.clone().count() == other.clone().count()
            && own.zip(other).all(|(own, other)| own == "*" || own == other);
        let at = |bundle: &Value| bundle.pointer(&variant.place).cloned().unwrap_or_default();
        same && (self.is)(variant.change, &at(good), &at(&variant.bundle))
    }
}

fn lost(value: &Value) -> bool {
    value.as_str().is_none_or(str::is_empty)
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default()
}

/// PEM without its white space.
fn printed(value: &Value) -> Vec<u8> {
    decoded(value).into_iter().filter(u8::is_ascii_graphic).collect()
}

fn stamps(value: &Value) -> usize {
    value["rfc3161Timestamps"].as_array().map_or(0, Vec::len)
}

fn is_fingerprint(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// What of a checkpoint is signed.
fn signed(value: &Value) -> Option<&str> {
    value.as_str()?.split_once("\n\n").map(|(text, _)| text)
}

/// The parts of a timestamp that are used.
fn token(value: &Value) -> Option<Vec<Vec<u8>>> {
    // The token is the second of two in a response.
    let response: Vec<der::Any> = Vec::from_der(&decoded(value)).ok()?;
    let token: ContentInfo = response.get(1)?.decode_as().ok()?;
    let data: SignedData = token.content.decode_as().ok()?;
    let mut parts = vec![data.encap_content_info.to_der().ok()?];
    for signer in data.signer_infos.0.iter() {
        parts.push(signer.sid.to_der().ok()?);
        parts.push(signer.digest_alg.to_der().ok()?);
        parts.push(signer.signed_attrs.to_der().ok()?);
        parts.push(signer.signature.to_der().ok()?);
    }
    Some(parts)
}
