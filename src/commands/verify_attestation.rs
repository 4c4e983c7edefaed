//! `verify-attestation`: holds images against signed statements about them.

use std::path::PathBuf;

use clap::Args;
use countersign_core::error::Error;
use serde_json::json;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Run;
use super::images::{Demand, ImageFlags};
use super::verify::{Form, tell};
use crate::attest::policies::Policies;
use crate::attest::predicate::predicate_type;
use crate::exit::Failure;
use crate::image::Kind;
use crate::verify::Envelope;

/// Verify attestations about images
#[derive(Debug, Args)]
pub(crate) struct VerifyAttestation {
    #[command(flatten)]
    images: ImageFlags,

    /// The predicate's type: a short name such as slsaprovenance1, spdxjson or cyclonedx, or a URI
    #[arg(long = "type", value_name = "TYPE", default_value = "custom")]
    predicate_type: String,

    /// What the statement must satisfy: a file of Rego (.rego) or CUE (.cue); may be given several times
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,

    /// Taken as in Cosign: attestations are printed as JSON, one a line
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "json")]
    output: Form,
}

impl VerifyAttestation {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let kind = predicate_type(&self.predicate_type)?;
        let world = self.images.signer.password.world(run, false);
        let policies = Policies::read(&self.policy, &world.context())?;
        let demand = Demand {
            kind: Kind::Attestation(Some(kind)),
            predicate_type: kind,
            annotations: &[],
            asked: &|material, context| {
                let statement =
                    material.envelope.as_ref().map(|envelope| &*envelope.payload).unwrap_or_default();
                let refused = |refusal| Failure::Refused { artifact: "the attestation".to_owned(), refusal };
                policies.check(statement, context)?.map_err(refused)
            },
            detached: None,
            of_sboms: false,
        };
        self.images.verify_all(run, &demand, &|run, image, passed| {
            tell(run, image, passed);
            for one in passed {
                let material =
                    one.found.material.as_ref().map_err(|_| Error::internal("it was read before"))?;
                if let Some(envelope) = &material.envelope {
                    run.output.line(shown(envelope))?;
                }
            }
            Ok(())
        })
    }
}

/// An envelope as Cosign prints it.
pub(super) fn shown(envelope: &Envelope) -> String {
    let mut signature = json!({ "sig": STANDARD.encode(&envelope.signature) });
    if !envelope.key_id.is_empty() {
        signature["keyid"] = json!(envelope.key_id);
    }
    json!({
        "payload": STANDARD.encode(&envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [signature],
    })
    .to_string()
}
