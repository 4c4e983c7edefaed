//! `download`: prints what stands beside an image, as it stands there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{Certificate, Digest};
use serde_json::{Value, json};

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::registry::{Place, RegistryFlags};
use crate::exit::{self, Failure};
use crate::image::budget::Kept;
use crate::image::tags::{self, Ending};
use crate::image::{Found, Kind, Layout, artifacts, fetch, resolve};
use crate::oci::{Access, Manifest, Reference, Remote};
use crate::verify::SIGNATURE;

/// Objects fetched at once.
const THREADS: usize = 8;

/// Print signatures, attestations or SBOMs of an image
#[derive(Debug, Args)]
pub(crate) struct Download {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the signatures: bundles, or Cosign's JSON of the older layout
    Signature(Image),
    /// Print the attestations: bundles, or envelopes of the older layout
    Attestation(Attestation),
    /// Print the SBOM of the older layout; it is not signed
    Sbom(Sbom),
}

#[derive(Debug, Args)]
struct Image {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    #[command(flatten)]
    registry: RegistryFlags,
}

#[derive(Debug, Args)]
struct Attestation {
    #[command(flatten)]
    image: Image,

    /// Those of this predicate type only
    #[arg(long, value_name = "TYPE", default_value = "", hide_default_value = true)]
    predicate_type: String,

    /// Those of the image for this platform, as OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM", default_value = "", hide_default_value = true)]
    platform: String,
}

#[derive(Debug, Args)]
struct Sbom {
    #[command(flatten)]
    image: Image,

    /// That of the image for this platform, as OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM", default_value = "", hide_default_value = true)]
    platform: String,
}

impl Download {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        match self.what {
            What::Signature(image) => image.found(run, "", Kind::Signature),
            What::Attestation(one) => {
                let kind = match one.predicate_type.as_str() {
                    "" => None,
                    named => Some(crate::attest::predicate::predicate_type(named)?),
                };
                one.image.found(run, &one.platform, Kind::Attestation(kind))
            }
            What::Sbom(one) => one.image.sbom(run, &one.platform),
        }
    }
}

impl Image {
    fn found(&self, run: &mut Run<'_>, platform: &str, kind: Kind<'_>) -> Result<(), Failure> {
        let world = PasswordFlags::default().world(run, false);
        let place = self.registry.place(&world.context())?;
        let (reference, image) = self.resolved(&place, platform)?;
        let remote = place.beside(&reference, Access::Pull);
        let (search, kept) = (place.search(&image, kind, THREADS), Kept::default());
        let keep = |found| kept.keep(found);
        let mut found = search.referrers(&remote, &keep)?;
        found.extend(search.tags(&remote, &place.tag(Ending::of(kind), &image), &keep)?);
        // An image's signature is a statement too, and no attestation.
        found.retain(|one| kind == Kind::Signature || !is_signature(one));
        if found.is_empty() {
            let what = if kind == Kind::Signature { "signatures" } else { "attestations" };
            return Err(nothing(&self.image, what));
        }
        for one in found {
            if one.content.is_empty() {
                one.material?;
                continue;
            }
            match (one.layout, kind) {
                (Layout::Layer, Kind::Signature) => run.output.line(older(&one)?.to_string())?,
                _ => run.output.line(String::from_utf8_lossy(&one.content).trim_end())?,
            }
        }
        Ok(())
    }

    fn sbom(&self, run: &mut Run<'_>, platform: &str) -> Result<(), Failure> {
        let world = PasswordFlags::default().world(run, false);
        let place = self.registry.place(&world.context())?;
        let (reference, image) = self.resolved(&place, platform)?;
        let remote = place.beside(&reference, Access::Pull);
        let mut found: Vec<_> = remote.manifest(&place.tag(Ending::Sboms, &image))?.into_iter().collect();
        if found.is_empty() {
            found = artifacts::sboms(&remote, &image)?;
        }
        if found.is_empty() {
            return Err(nothing(&self.image, "SBOM"));
        }
        run.warning(
            "an SBOM of the older layout is not signed: anybody who may write there may have changed it",
        );
        for layer in found.iter().flat_map(Manifest::layers) {
            run.output.note(format!("Found SBOM of media type: {}", layer.media_type));
            run.output.bytes(&remote.blob(layer, place.max_layer_bytes)?)?;
        }
        Ok(())
    }

    fn resolved(&self, place: &Place<'_>, platform: &str) -> Result<(Reference, Digest), Failure> {
        let reference = Reference::parse(&self.image)?;
        let remote = place.image(&reference, Access::Pull);
        let digest = match platform {
            "" => resolve(&remote, &reference)?,
            platform => of_platform(&remote, &reference, platform)?,
        };
        Ok((reference, digest))
    }
}

/// The image of an index for a platform.
fn of_platform(remote: &Remote<'_>, reference: &Reference, platform: &str) -> Result<Digest, Failure> {
    let index = fetch(remote, reference)?;
    let wanted: Vec<&str> = platform.split('/').collect();
    let mut offered = Vec::new();
    for part in index.manifests() {
        let Some(own) = part.others.get("platform") else { continue };
        let text = |name: &str| own.get(name).and_then(Value::as_str);
        let own: Vec<&str> =
            [text("os"), text("architecture"), text("variant")].into_iter().flatten().collect();
        if own == wanted || (wanted.len() == 2 && own.starts_with(&wanted)) {
            return Ok(part.digest()?);
        }
        offered.push(own.join("/"));
    }
    let why = match index.is_index() {
        true => format!("it has images for {}", offered.join(", ")),
        false => "it is one image, not an index".to_owned(),
    };
    Err(Error::new(ErrorKind::NotFound, format!("cannot find {reference} for {platform}")).why(why).into())
}

fn nothing(image: &str, what: &str) -> Failure {
    Failure::Image {
        code: exit::NO_SIGNATURE,
        message: format!("{image} has no {what}"),
        hint: Some(format!("countersign tree {image} shows what is there")),
    }
}

fn is_signature(one: &Found) -> bool {
    let material = one.material.as_ref().ok();
    if material.is_some_and(|material| material.claims.is_some()) {
        return true;
    }
    let statement = material.and_then(|material| material.envelope.as_ref());
    let statement = statement.and_then(|envelope| crate::verify::Statement::parse(&envelope.payload).ok());
    statement.is_some_and(|statement| statement.predicate_type == SIGNATURE)
}

/// A signature of the older layout as Cosign prints it; certificates by their bytes.
fn older(one: &Found) -> Result<Value, Error> {
    let note = |name: &str| one.annotations.get(name).filter(|text| !text.is_empty());
    let certificates = |name: &str| -> Result<Vec<Value>, Error> {
        let pem = note(name).map(String::as_bytes).unwrap_or_default();
        let chain = if pem.is_empty() { Vec::new() } else { countersign_core::certificate::read_all(pem)? };
        chain
            .iter()
            .map(|der| Ok(json!({"Raw": STANDARD.encode(Certificate::from_der(der)?.der())})))
            .collect()
    };
    let document = |name: &str| note(name).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let chain = certificates(tags::CHAIN)?;
    Ok(json!({
        "Base64Signature": note(tags::SIGNATURE),
        "Payload": STANDARD.encode(&one.content),
        "Cert": certificates(tags::CERTIFICATE)?.into_iter().next(),
        "Chain": if chain.is_empty() { Value::Null } else { Value::Array(chain) },
        "Bundle": document(tags::BUNDLE),
        "RFC3161Timestamp": document(tags::TIMESTAMP),
    }))
}
