//! `bundle upgrade`: writes an older Sigstore bundle as one of version 0.3.

use std::path::PathBuf;

use clap::Args;
use countersign_core::bounded;
use countersign_core::error::{Error, ErrorKind};

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::out::OutFlag;
use super::flags::services::PUBLIC_LOG;
use crate::bundle::{self, Bundle, MAX_BUNDLE_BYTES, MEDIA_TYPE, Sigstore};
use crate::exit::Failure;
use crate::services::look_up::at_index;

/// Write a bundle of version 0.1 or 0.2 as one of version 0.3
///
/// Nothing is verified. A proof that the bundle lacks comes from the log.
#[derive(Debug, Args)]
pub(super) struct Upgrade {
    /// The bundle
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,

    /// The transparency log to ask for inclusion proofs that are missing
    #[arg(long, value_name = "URL", default_value = PUBLIC_LOG)]
    rekor_url: String,

    #[command(flatten)]
    out: OutFlag,
}

impl Upgrade {
    pub(super) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let path = self.bundle.display();
        let bytes = bounded::read(&self.bundle, MAX_BUNDLE_BYTES, run.global.deadline())
            .map_err(|cause| Error::io("read the bundle", &path, cause))?;
        let named = |error: Error| error.with_what(|_| format!("cannot upgrade the bundle {path}"));
        let bundle = match bundle::parse(&bytes).map_err(named)? {
            Bundle::Sigstore(bundle) => *bundle,
            Bundle::Legacy(_) => {
                return Err(Failure::usage_with_hint(
                    format!("{path} is Cosign's own older bundle, of which no version can be upgraded"),
                    "make a new one with: countersign bundle create --bundle FILE --artifact FILE",
                ));
            }
        };
        if is_newest(&bundle) {
            run.output.note("It is of version 0.3 already");
            let text = String::from_utf8(bytes).map_err(|_| Error::internal("JSON that is no UTF-8"))?;
            return self.out.write(run, "bundle", text.trim_end());
        }
        let world = PasswordFlags::default().world(run, false);
        let context = world.context();
        let mut entries = bundle.entries.clone();
        for entry in entries.iter_mut().filter(|entry| entry.proof.is_none()) {
            let found = at_index(&self.rekor_url, entry.index, &context)?;
            if found.body != entry.body || found.log_id != entry.log_id {
                return Err(Failure::Error(
                    Error::new(ErrorKind::Integrity, format!("cannot upgrade the bundle {path}"))
                        .why(format!(
                            "the log {} holds something else at index {}",
                            self.rekor_url, entry.index
                        ))
                        .hint("name the log that the bundle's entry is in with --rekor-url"),
                ));
            }
            entry.proof = found.proof;
        }
        let json = bundle::upgrade(bundle, &entries).map_err(named)?;
        let json = String::from_utf8(json).map_err(|_| Error::internal("JSON that is no UTF-8"))?;
        self.out.write(run, "bundle", &json)
    }
}

/// Both spellings of version 0.3 are.
fn is_newest(bundle: &Sigstore) -> bool {
    let version = bundle.parts.media_type.as_str();
    version == MEDIA_TYPE || version == "application/vnd.dev.sigstore.bundle+json;version=0.3"
}
