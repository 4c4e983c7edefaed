//! `verify`: holds images against their signatures, and those against a key or an identity.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use countersign_core::bounded;
use countersign_core::error::Error;
use serde_json::{Map, Value, json};

use super::Run;
use super::flags::beside::read_signature;
use super::images::{Demand, Detached, Image, ImageFlags, Passed};
use super::sign::MAX_CLAIMS_BYTES;
use crate::exit::Failure;
use crate::image::{Kind, Layout, tags};
use crate::verify::{Proven, SIGNATURE};

/// Verify the signatures of images
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    images: ImageFlags,

    /// What the signature must say of the image, as NAME=VALUE; may be given several times
    #[arg(long, short = 'a', value_name = "NAME=VALUE", value_delimiter = ',')]
    annotations: Vec<String>,

    /// A signature that is not taken from the registry: a file, or the base64 itself
    #[arg(long, value_name = "SIGNATURE", conflicts_with = "policy_file")]
    signature: Option<String>,

    /// The claims that it is over: a file; else those that generate prints
    #[arg(long, value_name = "FILE", requires = "signature")]
    payload: Option<PathBuf>,

    /// Verify what is attached to the image in its place: its SBOM, with the signatures of that
    #[arg(long, value_name = "WHAT", conflicts_with = "local_image")]
    attachment: Option<Attachment>,

    /// How signatures that verify are printed
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "json")]
    output: Form,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A JSON list for each image
    Json,
    /// A line of JSON for each signature
    Text,
}

/// What is attached to an image and signed for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Attachment {
    /// The SBOM of the older layout
    Sbom,
}

impl Verify {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let annotations = parse_annotations(&self.annotations)?;
        let annotations: Vec<_> = annotations.into_iter().collect();
        if !annotations.is_empty() && !self.images.check_claims {
            return Err(Failure::usage_with_hint(
                "--annotations are part of the claims, and --check-claims=false does not look at those",
                "leave one of them out",
            ));
        }
        let demand = Demand {
            kind: Kind::Signature,
            predicate_type: SIGNATURE,
            annotations: &annotations,
            asked: &|_, _| Ok(Vec::new()),
            detached: self.detached(run)?,
            of_sboms: self.attachment == Some(Attachment::Sbom),
        };
        self.images.verify_all(run, &demand, &|run, image, passed| {
            tell(run, image, passed);
            let shown: Vec<Value> = passed.iter().map(|one| shown(image, one)).collect();
            match self.output {
                Form::Json => run.output.line(format!("\n{}", Value::Array(shown)))?,
                Form::Text => {
                    for one in shown {
                        run.output.line(one.to_string())?;
                    }
                }
            }
            Ok(())
        })
    }
}

impl Verify {
    fn detached(&self, run: &Run<'_>) -> Result<Option<Detached>, Failure> {
        let Some(signature) = &self.signature else { return Ok(None) };
        let deadline = run.global.deadline();
        let payload = self.payload.as_deref().map(|path| {
            bounded::read(path, MAX_CLAIMS_BYTES, deadline)
                .map_err(|cause| Error::io("read the claims", path.display(), cause))
        });
        Ok(Some(Detached { signature: read_signature(signature, deadline)?, payload: payload.transpose()? }))
    }
}

/// Reads `NAME=VALUE`; a value may hold further equals signs.
pub(super) fn parse_annotations(
    given: &[String],
) -> Result<std::collections::BTreeMap<String, String>, Failure> {
    let mut annotations = std::collections::BTreeMap::new();
    for text in given {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let Some((name, value)) = pair else {
            return Err(Failure::usage(format!("the annotation \"{text}\" is not of the form NAME=VALUE")));
        };
        if annotations.insert(name.to_owned(), value.to_owned()).is_some_and(|before| before != value) {
            return Err(Failure::usage(format!("the annotation {name} is given twice, with two values")));
        }
    }
    Ok(annotations)
}

/// What was checked, on standard error.
pub(super) fn tell(run: &Run<'_>, image: &Image<'_>, passed: &[Passed]) {
    run.output.note(format!("\nVerification for {} --", image.name));
    run.output.note("The following checks were performed on each of these signatures:");
    for (number, one) in passed.iter().enumerate() {
        if passed.len() > 1 {
            run.output.note(format!("  {}:", one.found.place));
        }
        for fact in &one.judged.proven {
            run.output.note(format!("  - {fact}"));
        }
        for fact in &one.judged.not_proven {
            run.output.note(format!("  - not proven: {fact}"));
        }
        if number + 1 == passed.len() {
            break;
        }
    }
}

/// A signature as Cosign prints it, whatever its layout.
fn shown(image: &Image<'_>, passed: &Passed) -> Value {
    let claims = passed.proven.as_ref().and_then(|proven| proven.claims.as_ref());
    let (reference, kind, mut optional) = match claims {
        Some(claims) => (claims.reference.clone(), crate::verify::SIMPLE_SIGNING, claims.annotations.clone()),
        None => (image.name.clone(), SIGNATURE, said(image, passed)),
    };
    if let (Layout::Layer, Some(proven)) = (passed.found.layout, &passed.proven) {
        beside(&mut optional, passed, proven);
    }
    json!({
        "critical": {
            "identity": { "docker-reference": reference },
            "image": { "docker-manifest-digest": image.digest.to_string() },
            "type": kind,
        },
        "optional": optional,
    })
}

/// What a statement says of the image.
fn said(image: &Image<'_>, passed: &Passed) -> Map<String, Value> {
    let statement = passed.proven.as_ref().and_then(|proven| proven.statement.as_ref());
    let (name, hex) = (image.digest.algorithm().name(), image.digest.hex());
    let about = statement.and_then(|statement| {
        let mut subjects = statement.subjects.iter();
        subjects.find(|subject| subject.digests.iter().any(|(own, value)| own == name && *value == hex))
    });
    about.map(|subject| subject.annotations.clone()).unwrap_or_default()
}

/// What Cosign adds to the claims of the older layout: the signer, and what proves the time.
fn beside(optional: &mut Map<String, Value>, passed: &Passed, proven: &Proven) {
    for (name, key) in [(tags::BUNDLE, "Bundle"), (tags::TIMESTAMP, "RFC3161Timestamp")] {
        let note = passed.found.annotations.get(name).and_then(|text| serde_json::from_str(text).ok());
        optional.extend(note.map(|note: Value| (key.to_owned(), note)));
    }
    let Some(holder) = &proven.holder else { return };
    if let Some(issuer) = &holder.issuer {
        optional.insert("Issuer".to_owned(), json!(issuer));
    }
    if let Some((_, name)) = holder.names.first() {
        optional.insert("Subject".to_owned(), json!(name));
    }
    for (name, value) in &holder.extensions {
        optional.insert((*name).to_owned(), json!(value));
    }
}
