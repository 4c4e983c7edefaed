//! The layout of Cosign 1 and 2: signatures are layers of an image under the tag `sha256-HEX.sig`, attestations under
//! `sha256-HEX.att` (Cosign's SIGNATURE_SPEC and ATTESTATION_SPEC).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Digest;
use countersign_core::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::budget::Reading;
use super::{Found, Kind, Layout};
use crate::bundle::{Bundle, LegacyBundle};
use crate::json;
use crate::oci::manifest::{Annotations, Content, DOCKER_MANIFEST, Descriptor, OCI_MANIFEST};
use crate::oci::{Manifest, Remote, fallback_tag};
use crate::verify::{Envelope, Material, Origin};

/// A layer with claims.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// A layer with an envelope.
pub const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// The notes on a layer: the signature, base64.
pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// The certificate, PEM.
pub const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
/// Its issuers, PEM.
pub const CHAIN: &str = "dev.sigstore.cosign/chain";
/// The log's promise and entry, JSON.
pub const BUNDLE: &str = "dev.sigstore.cosign/bundle";
/// The timestamp, JSON.
pub const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// What an attestation says.
pub const PREDICATE_TYPE: &str = "predicateType";

const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// What stands under a tag of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Signatures.
    Signatures,
    /// Attestations.
    Attestations,
    /// Bills of materials, unsigned.
    Sboms,
}

impl Ending {
    /// Where the older layout keeps what is looked for.
    pub fn of(kind: Kind<'_>) -> Self {
        match kind {
            Kind::Signature => Self::Signatures,
            Kind::Attestation(_) => Self::Attestations,
        }
    }

    /// The tag.
    pub fn tag(self, image: &Digest) -> String {
        let ending = match self {
            Self::Signatures => "sig",
            Self::Attestations => "att",
            Self::Sboms => "sbom",
        };
        format!("{}.{ending}", fallback_tag(image))
    }
}

/// Reads one layer: the place of it is what is asked for and its number there. What cannot be fetched or is wrong with it stands
/// in what is handed over.
pub(super) fn read<T>(
    reading: &Reading<'_>,
    (wanted, number): (&str, usize),
    layer: &Descriptor,
    take: &dyn Fn(Found) -> T,
) -> T {
    let _held = reading.budget.take(layer.size);
    let place = format!("{} (layer {})", reading.source.name_of(wanted), number + 1);
    let annotations = layer.annotations.clone().unwrap_or_default();
    let (content, material) = match reading.source.blob(layer, reading.max_layer_bytes) {
        Ok(content) => {
            let material = material(&content, layer);
            (content, material.map_err(|error| error.within(format!("cannot use {place}"))))
        }
        Err(error) => (Vec::new(), Err(error)),
    };
    take(Found { place, layout: Layout::Layer, content, annotations, material })
}

/// A signature that was never in a registry, base64 or not, over these claims.
pub fn detached(signature: &[u8], claims: Vec<u8>) -> Found {
    let text = std::str::from_utf8(signature.trim_ascii()).ok();
    let text = text.filter(|text| STANDARD.decode(text).is_ok());
    let text = text.map_or_else(|| STANDARD.encode(signature), str::to_owned);
    let annotations: Annotations = [(SIGNATURE.to_owned(), text)].into();
    let layer =
        Descriptor { annotations: Some(annotations.clone()), ..Descriptor::of(SIMPLE_SIGNING, &claims) };
    let material = material(&claims, &layer);
    Found { place: "--signature".to_owned(), layout: Layout::Layer, content: claims, annotations, material }
}

/// What a layer holds, with what its notes say.
fn material(content: &[u8], layer: &Descriptor) -> Result<Material> {
    let note = |name: &str| layer.annotation(name).filter(|text| !text.is_empty());
    let damaged = |why: String| Error::new(ErrorKind::Integrity, "cannot read the layer").why(why);
    let parsed =
        |name: &str| note(name).map(|text| json::parse(text.as_bytes()).map_err(damaged)).transpose();
    // The notes are what the older bundle of a file holds.
    let beside = LegacyBundle {
        base64_signature: note(SIGNATURE).unwrap_or_default().to_owned(),
        cert: note(CERTIFICATE).map(str::to_owned),
        rekor_bundle: parsed(BUNDLE)?,
    };
    let is_envelope = layer.media_type == ENVELOPE;
    if !is_envelope && layer.media_type != SIMPLE_SIGNING {
        return Err(damaged(format!(
            "it is {}, which is neither a signature nor an attestation",
            layer.media_type
        )));
    }
    if !is_envelope && beside.base64_signature.is_empty() {
        return Err(damaged(format!("it has no {SIGNATURE}")));
    }
    let mut material = Material::from_bundle(&Bundle::Legacy(beside))?;
    if is_envelope {
        let envelope = Envelope::parse(content)?;
        let Material { key, certificate, entries, .. } = material;
        material =
            Material { key, certificate, entries, ..Material::enveloped(Origin::LegacyBundle, envelope) };
    } else {
        material.claims = Some(content.to_vec());
    }
    if let Some(stamp) = parsed(TIMESTAMP)? {
        let text = stamp.get("SignedRFC3161Timestamp").and_then(Value::as_str);
        let text = text.ok_or_else(|| damaged(format!("{TIMESTAMP} has no SignedRFC3161Timestamp")))?;
        material.timestamps.push(STANDARD.decode(text).map_err(|cause| damaged(cause.to_string()))?);
    }
    Ok(material)
}

/// A layer to be added.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What it is.
    pub media_type: &'static str,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Its notes.
    pub annotations: Annotations,
}

impl Layer {
    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor {
            annotations: Some(self.annotations.clone()),
            ..Descriptor::of(self.media_type, &self.content)
        }
    }
}

/// Adds a layer under an image's tag, after those that are there: some readers look at the last one only. `docker`: in
/// Docker's media types; `created` is RFC 3339. `replaces` says which layers it takes the place of.
///
/// # Errors
/// Those of the registry.
pub fn append(
    remote: &Remote<'_>,
    tag: &str,
    layer: &Layer,
    docker: bool,
    created: Option<&str>,
    replaces: &dyn Fn(&Descriptor) -> bool,
) -> Result<()> {
    let added = layer.descriptor();
    remote.put_blob(&added, &layer.content)?;
    remote.merge(tag, &|current| {
        let content = current.as_ref().map(|current| current.content.clone()).unwrap_or_default();
        let mut layers = content.layers.clone().unwrap_or_default();
        if layers.iter().any(|one| one.digest == added.digest && one.annotations == added.annotations) {
            return Ok(None);
        }
        layers.retain(|one| !replaces(one));
        layers.push(added.clone());
        let (kind, config_kind) = match docker {
            true => (DOCKER_MANIFEST, DOCKER_CONFIG),
            false => (OCI_MANIFEST, OCI_CONFIG),
        };
        let config = config(&layers, created);
        let described = Descriptor::of(config_kind, &config);
        remote.put_blob(&described, &config)?;
        Manifest::write(kind, Content { config: Some(described), layers: Some(layers), ..content }).map(Some)
    })
}

/// The configuration that an image must have, of one that runs nowhere.
pub(super) fn config(layers: &[Descriptor], created: Option<&str>) -> Vec<u8> {
    const NEVER: &str = "0001-01-01T00:00:00Z";
    let created = created.unwrap_or(NEVER);
    let history: Vec<_> = layers.iter().map(|_| json!({"created": NEVER})).collect();
    let digests: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    let config = json!({
        "architecture": "", "created": created, "history": history, "os": "",
        "rootfs": {"type": "layers", "diff_ids": digests}, "config": {},
    });
    config.to_string().into_bytes()
}
