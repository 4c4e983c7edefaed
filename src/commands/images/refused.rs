//! Why none of an image's signatures passed.

use std::collections::BTreeMap;

use countersign_core::error::ErrorKind;

use super::{Demand, Image};
use crate::exit::{self, FAILURE, Failure};
use crate::image::Kind;
use crate::verify::Check;

/// Refusals named when none of an image's signatures passes.
const MAX_REASONS: usize = 6;

/// Why an image's signatures did not pass.
#[derive(Default)]
pub(super) struct Refused {
    reasons: Vec<String>,
    /// How often each check refused.
    checks: BTreeMap<&'static str, usize>,
    hint: Option<String>,
    /// What could not be fetched: then nobody knows what there is.
    failure: Option<String>,
}

impl Refused {
    pub(super) fn by(&mut self, place: &str, refusal: &crate::verify::Refusal) {
        *self.checks.entry(refusal.check()).or_default() += 1;
        self.hint = self.hint.take().or_else(|| refusal.hint());
        self.reasons.push(format!("{place}: {refusal}"));
    }

    pub(super) fn unreadable(&mut self, place: &str, error: &countersign_core::Error) {
        if !matches!(error.kind(), ErrorKind::Integrity | ErrorKind::Unsupported) {
            self.failure = Some(error.to_string());
        }
        self.reasons.push(format!("{place}: {error}"));
    }

    pub(super) fn failure(mut self, image: &Image<'_>, demand: &Demand<'_>) -> Failure {
        let what = match demand.kind {
            Kind::Signature => "signature",
            Kind::Attestation(_) => "attestation",
        };
        if self.reasons.is_empty() {
            return self.nothing(image, what);
        }
        let more = self.reasons.len().saturating_sub(MAX_REASONS);
        self.reasons.truncate(MAX_REASONS);
        if more > 0 {
            self.reasons.push(format!("and {more} more"));
        }
        let without_certificate = self.checks.get(Check::Certificate.name()).copied().unwrap_or_default();
        let is_all = without_certificate > 0 && self.checks.len() == 1 && self.failure.is_none();
        let code = match (&self.failure, is_all) {
            (Some(_), _) => FAILURE,
            (None, true) => exit::NO_CERTIFICATE,
            (None, false) => exit::NO_MATCHING_SIGNATURE,
        };
        Failure::Image {
            code,
            message: format!(
                "cannot verify {}: no matching {what}s: {}",
                image.name,
                self.reasons.join("; ")
            ),
            hint: self.hint,
        }
    }

    pub(super) fn nothing(self, image: &Image<'_>, what: &str) -> Failure {
        Failure::Image {
            code: exit::NO_SIGNATURE,
            message: format!("cannot verify {}: no {what}s found", image.name),
            hint: Some(match image.repository {
                None => {
                    "the files hold the image without any: cosign save takes its signatures along".to_owned()
                }
                Some(_) => format!("countersign tree {} shows what is there", image.name),
            }),
        }
    }
}
