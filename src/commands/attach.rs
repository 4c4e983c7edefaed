//! `attach`: puts what was signed elsewhere beside an image, in the older layout.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand, ValueEnum};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Digest, bounded, certificate};
use serde_json::Value;

use super::Run;
use super::flags::beside::{read_signature, read_timestamp};
use super::flags::key::PasswordFlags;
use super::flags::predicate::{now, read as read_input};
use super::flags::registry::{Place, ReferrersMode, RegistryFlags};
use crate::artifact::Measured;
use crate::bundle;
use crate::exit::Failure;
use crate::image::tags::{self, Ending, Layer};
use crate::image::write::claims;
use crate::image::{artifacts, bundles, fetch};
use crate::json;
use crate::oci::manifest::Annotations;
use crate::oci::{Access, Manifest, Reference};
use crate::verify::{Claims, Envelope, Material, Statement};

/// The largest signature, certificate, timestamp or log entry read.
const MAX_PART_BYTES: u64 = 1024 * 1024;
/// The largest envelope, bundle or SBOM read.
const MAX_CONTENT_BYTES: u64 = bundle::MAX_BUNDLE_BYTES;

/// Put signatures, attestations or SBOMs beside an image that were made elsewhere
#[derive(Debug, Args)]
pub(crate) struct Attach {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put a signature beside an image
    Signature(Signature),
    /// Put attestations beside an image: bundles as they are, envelopes in the older layout
    Attestation(Attestation),
    /// Put an SBOM beside an image; it is not signed: attest --type spdxjson or cyclonedx signs it
    Sbom(Sbom),
}

#[derive(Debug, Args)]
struct Signature {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// The signature: a file with base64, or the base64 itself; - is standard input
    #[arg(long, value_name = "SIGNATURE")]
    signature: String,

    /// The claims that it is over; else those that generate prints
    #[arg(long, alias = "bundle", value_name = "FILE")]
    payload: Option<PathBuf>,

    /// The certificate of the key that signed, in PEM
    #[arg(long, alias = "cert", value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// Those above it, in PEM, the root last
    #[arg(long, alias = "cert-chain", value_name = "FILE")]
    certificate_chain: Option<PathBuf>,

    /// What the log answered: an entry of Rekor version 1, or its promise as signatures carry it
    #[arg(long, value_name = "FILE")]
    rekor_response: Option<PathBuf>,

    /// What the timestamp authority answered: an RFC 3161 response, or Cosign's JSON around one
    #[arg(long, value_name = "FILE")]
    tsr: Option<PathBuf>,

    #[command(flatten)]
    registry: RegistryFlags,
}

#[derive(Debug, Args)]
struct Attestation {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// A bundle, an envelope, or envelopes one a line; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    attestation: Vec<PathBuf>,

    #[command(flatten)]
    registry: RegistryFlags,
}

#[derive(Debug, Args)]
struct Sbom {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// The SBOM
    #[arg(long, value_name = "FILE")]
    sbom: PathBuf,

    /// What it is
    #[arg(long = "type", value_name = "TYPE", default_value = "spdx")]
    kind: SbomKind,

    /// How it is written: json, xml or text; else as usual for its kind
    #[arg(long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    input_format: String,

    /// Where it goes: under a tag made of the image's digest, or with oci-1-1 into an artifact that refers to the image
    #[arg(long, value_name = "MODE", default_value = "legacy")]
    registry_referrers_mode: ReferrersMode,

    #[command(flatten)]
    registry: RegistryFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SbomKind {
    /// SPDX
    Spdx,
    /// CycloneDX
    Cyclonedx,
    /// Syft's own
    Syft,
}

impl Attach {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        match self.what {
            What::Signature(one) => one.execute(run),
            What::Attestation(one) => one.execute(run),
            What::Sbom(one) => one.execute(run),
        }
    }
}

/// The image, its manifest, and where its signatures go.
struct Target<'a> {
    place: Place<'a>,
    reference: Reference,
    manifest: Manifest,
    name: String,
}

impl<'a> Target<'a> {
    fn new(
        image: &str,
        flags: &RegistryFlags,
        context: &countersign_core::OpenContext<'a>,
    ) -> Result<Self, Failure> {
        let reference = Reference::parse(image)?;
        let place = flags.place(context)?;
        let manifest = fetch(&place.image(&reference, Access::Pull), &reference)?;
        Ok(Self { place, reference, manifest, name: image.to_owned() })
    }

    fn digest(&self) -> &Digest {
        &self.manifest.digest
    }

    fn append(&self, run: &Run<'_>, ending: Ending, layer: &Layer, alone: bool) -> Result<(), Failure> {
        let remote = self.place.beside(&self.reference, Access::Push);
        let tag = self.place.tag(ending, self.digest());
        tags::append(&remote, &tag, layer, self.place.docker_types, None, &|_| alone)?;
        self.wrote(run, &remote.repository().tagged(tag));
        Ok(())
    }

    fn wrote(&self, run: &Run<'_>, place: &Reference) {
        run.output.note(format!("Wrote it for {} to {place}", self.name));
    }
}

impl Signature {
    fn execute(&self, run: &mut Run<'_>) -> Result<(), Failure> {
        let world = PasswordFlags::default().world(run, self.signature != "-");
        let context = world.context();
        let part = |path: &Path| read(path, MAX_PART_BYTES, &context);
        let signature = match self.signature.as_str() {
            "-" => read_input("-", "signature", context.deadline)?,
            text => read_signature(text, context.deadline)?,
        };
        let signature = String::from_utf8_lossy(signature.trim_ascii()).into_owned();
        if STANDARD.decode(&signature).map_or(true, |bytes| bytes.is_empty()) {
            return Err(Failure::usage("--signature is neither a file nor base64 of a signature"));
        }
        let mut annotations: Annotations = [(tags::SIGNATURE.to_owned(), signature)].into();
        for (path, name) in [(&self.certificate, tags::CERTIFICATE), (&self.certificate_chain, tags::CHAIN)] {
            let Some(path) = path else { continue };
            let pem = part(path)?;
            certificate::read_all(&pem)
                .map_err(|error| error.within(format!("cannot attach {}", path.display())))?;
            annotations.insert(name.to_owned(), String::from_utf8_lossy(&pem).into_owned());
        }
        if let Some(path) = &self.rekor_response {
            annotations.insert(tags::BUNDLE.to_owned(), promise(&part(path)?, path)?.to_string());
        }
        if let Some(path) = &self.tsr {
            let stamp = bundle::timestamp_json(&read_timestamp(path, context.deadline)?);
            annotations.insert(tags::TIMESTAMP.to_owned(), String::from_utf8_lossy(&stamp).into_owned());
        }
        let target = Target::new(&self.image, &self.registry, &context)?;
        let payload = match &self.payload {
            Some(path) => part(path)?,
            None => claims(&target.reference.repository.to_string(), target.digest(), &Annotations::new()),
        };
        let refused = |refusal| Failure::Refused { artifact: "--payload".to_owned(), refusal };
        let stated = Claims::parse(&payload).map_err(refused)?;
        if stated.digest != *target.digest() {
            return Err(Failure::usage(format!(
                "--payload is about {}, and {} is {}",
                stated.digest,
                self.image,
                target.digest()
            )));
        }
        let layer = Layer { media_type: tags::SIMPLE_SIGNING, content: payload, annotations };
        target.append(run, Ending::Signatures, &layer, false)
    }
}

impl Attestation {
    fn execute(&self, run: &mut Run<'_>) -> Result<(), Failure> {
        let world = PasswordFlags::default().world(run, false);
        let context = world.context();
        let mut contents = Vec::new();
        for path in &self.attestation {
            contents.push((path, read(path, MAX_CONTENT_BYTES, &context)?));
        }
        let target = Target::new(&self.image, &self.registry, &context)?;
        let measured = Measured { digests: vec![*target.digest()], message: None };
        let mut found = Vec::new();
        for (path, content) in &contents {
            let named = |error: Error| error.within(format!("cannot attach {}", path.display()));
            let refused = |refusal| Failure::Refused { artifact: path.display().to_string(), refusal };
            let envelopes = match is_bundle(content) {
                true => vec![(content.as_slice(), envelope_of(content).map_err(named)?)],
                false => lines(content)
                    .into_iter()
                    .map(|line| Ok((line, Envelope::parse(line).map_err(named)?)))
                    .collect::<Result<_, Error>>()?,
            };
            for (content, envelope) in envelopes {
                let statement = Statement::parse(&envelope.payload).map_err(refused)?;
                statement.check(&measured).map_err(refused)?;
                found.push((content.to_vec(), statement.predicate_type));
            }
        }
        // All were found good before the first is written.
        for (content, predicate_type) in found {
            if is_bundle(&content) {
                let remote = target.place.beside(&target.reference, Access::Push);
                let manifest =
                    bundles::manifest(&content, &target.manifest.as_subject(), &predicate_type, &now())?;
                let digest = bundles::attach(&remote, &content, &manifest, target.digest())?;
                target.wrote(run, &remote.repository().at(&digest));
                continue;
            }
            let notes = [(tags::SIGNATURE, String::new()), (tags::PREDICATE_TYPE, predicate_type)];
            let annotations = notes.map(|(name, value)| (name.to_owned(), value)).into();
            let layer = Layer { media_type: tags::ENVELOPE, content, annotations };
            target.append(run, Ending::Attestations, &layer, false)?;
        }
        Ok(())
    }
}

impl Sbom {
    fn execute(&self, run: &mut Run<'_>) -> Result<(), Failure> {
        let world = PasswordFlags::default().world(run, false);
        let context = world.context();
        let media_type = match (self.kind, self.input_format.as_str()) {
            (SbomKind::Spdx, "" | "text") => "text/spdx",
            (SbomKind::Spdx, "json") => "text/spdx+json",
            (SbomKind::Cyclonedx, "" | "xml") => "application/vnd.cyclonedx+xml",
            (SbomKind::Cyclonedx, "json") => "application/vnd.cyclonedx+json",
            (SbomKind::Syft, "" | "json") => "application/vnd.syft+json",
            (_, format) => {
                return Err(Failure::usage(format!(
                    "--input-format {format} does not go with that kind of SBOM"
                )));
            }
        };
        let content = read(&self.sbom, MAX_CONTENT_BYTES, &context)?;
        let target = Target::new(&self.image, &self.registry, &context)?;
        run.warning("an SBOM attached so is not signed: attest --type spdxjson or cyclonedx signs it");
        let layer = Layer { media_type, content, annotations: Annotations::new() };
        if self.registry_referrers_mode == ReferrersMode::Tags {
            return target.append(run, Ending::Sboms, &layer, true);
        }
        let remote = target.place.beside(&target.reference, Access::Push);
        let digest = artifacts::attach(&remote, &layer, artifacts::SBOM, &target.manifest.as_subject())?;
        target.wrote(run, &remote.repository().at(&digest));
        Ok(())
    }
}

fn read(path: &Path, limit: u64, context: &countersign_core::OpenContext<'_>) -> Result<Vec<u8>, Error> {
    bounded::read(path, limit, context.deadline).map_err(|cause| Error::io("read", path.display(), cause))
}

fn is_bundle(content: &[u8]) -> bool {
    serde_json::from_slice::<Value>(content).is_ok_and(|value| value.get("mediaType").is_some())
}

/// The envelope in a bundle.
fn envelope_of(content: &[u8]) -> Result<Envelope, Error> {
    let material = Material::from_bundle(&bundle::parse(content)?)?;
    material.envelope.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "cannot use the bundle").why("it holds no attestation")
    })
}

/// One envelope, however it is broken into lines, or one a line.
fn lines(content: &[u8]) -> Vec<&[u8]> {
    let whole = content.trim_ascii();
    if serde_json::from_slice::<Value>(whole).is_ok() {
        return vec![whole];
    }
    whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect()
}

/// The promise as signatures carry it: as it is, or out of what Rekor answers.
fn promise(bytes: &[u8], path: &Path) -> Result<Value, Error> {
    let damaged = |why: String| {
        Error::new(ErrorKind::Integrity, format!("cannot attach the log's answer {}", path.display()))
            .why(why)
    };
    let value = json::parse(bytes).map_err(damaged)?;
    if value.get("SignedEntryTimestamp").is_some() && value.get("Payload").is_some() {
        return Ok(value);
    }
    // Rekor names its entry by the entry's own identifier.
    let entry = match value.as_object() {
        Some(map) if map.len() == 1 => map.values().next().cloned().unwrap_or_default(),
        _ => value,
    };
    let part = |pointer: &str| {
        entry.pointer(pointer).cloned().ok_or_else(|| damaged(format!("it has no {pointer}")))
    };
    Ok(serde_json::json!({
        "SignedEntryTimestamp": part("/verification/signedEntryTimestamp")?,
        "Payload": {
            "body": part("/body")?,
            "integratedTime": part("/integratedTime")?,
            "logIndex": part("/logIndex")?,
            "logID": part("/logID")?,
        },
    }))
}
