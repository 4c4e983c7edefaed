//! What the TUF client refuses, in our words.

use countersign_core::error::{Error, ErrorKind};
use jiff::Timestamp;
use sigstore_tuf::Error as Cause;

use super::mirror::Mirror;

/// What it found in a mirror or in the cache.
pub(super) fn of(cause: Cause, mirror: &Mirror, now: Timestamp) -> Error {
    let what = match mirror {
        Mirror::Cache(cache) => {
            format!("cannot use what is cached of the TUF repository {}", cache.address())
        }
        _ => format!("cannot use the TUF repository {}", mirror.address()),
    };
    let error = |kind, why: String| Error::new(kind, what.clone()).why(why);
    let damaged = "what is served there is not what its owners signed: try another network, and ask them";
    match cause {
        Cause::Expired { role, expires } => error(
            ErrorKind::Integrity,
            format!("its {role} metadata was valid until {expires}, and the clock here says {now}"),
        )
        .hint("check the clock; if it is right, the repository is not kept up, or somebody holds back newer metadata"),
        Cause::Rollback { role, trusted, new } => error(
            ErrorKind::Integrity,
            format!("version {new} of its {role} was offered, and version {trusted} was seen before: it went back"),
        )
        .hint(damaged),
        Cause::BadRootVersion { trusted, new } => error(
            ErrorKind::Integrity,
            format!("the root after version {trusted} says it is version {new}"),
        )
        .hint(damaged),
        Cause::ThresholdNotMet { role, found, threshold } => error(
            ErrorKind::Integrity,
            format!("its {role} metadata has {found} valid signatures of the keys that count, and needs {threshold}"),
        )
        .hint(damaged),
        Cause::DuplicateSignature { role, key_id } => {
            error(ErrorKind::Integrity, format!("its {role} metadata is signed twice by the key {key_id}")).hint(damaged)
        }
        Cause::IntegrityMismatch(why) => error(ErrorKind::Integrity, why).hint(damaged),
        Cause::TargetNotFound(name) => error(ErrorKind::NotFound, format!("it has no {name}"))
            .hint("ask who runs it; or name the file itself with --trusted-root or --signing-config"),
        Cause::Transport { message, .. } => match mirror {
            Mirror::Cache(_) => error(ErrorKind::NotFound, message),
            _ => error(ErrorKind::NotFound, message).hint("check the address"),
        },
        other => {
            // The layers below say more than the first line does.
            let mut why = other.to_string();
            let mut below = std::error::Error::source(&other);
            while let Some(cause) = below {
                why = format!("{why}: {cause}");
                below = cause.source();
            }
            error(ErrorKind::Integrity, why).hint("check the address, and the root that was named")
        }
    }
}

/// A root that no careful owner would sign.
pub(super) fn bad_root(mirror: &Mirror, why: String) -> Error {
    Error::new(ErrorKind::Integrity, format!("cannot use the TUF repository {}", mirror.address()))
        .why(why)
        .hint("ask its owners: such a root lets fewer people decide than it says")
}
