//! Flags that say where the signature is, and what comes with it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use countersign_core::certificate::Certificate;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::{OpenContext, PublicKey, bounded};

use crate::artifact::Artifact;
use crate::bundle::{self, Bundle};
use crate::exit::Failure;
use crate::services::look_up::look_up;
use crate::sign::plan::bundle_path;
use crate::verify::{CertificateTimestamp, Material, Origin};

/// The largest signature, certificate or timestamp read: RSA 4096 in base64 has under a kilobyte, a timestamp six.
const MAX_PART_BYTES: u64 = 64 * 1024;
/// The largest envelope read: one of an SBOM reaches some tens of megabytes.
const MAX_ENVELOPE_BYTES: u64 = bundle::MAX_BUNDLE_BYTES;

/// The bundle, or the signature and its parts one by one.
#[derive(Debug, Args)]
pub struct BesideFlags {
    /// The bundle of a single file; left out, FILE.sigstore.json is read for each. Several with --policy-file
    #[arg(long, value_name = "FILE")]
    pub bundle: Vec<PathBuf>,

    /// A signature without bundle: a file (of an attestation, its DSSE envelope), or the base64 itself
    #[arg(long, value_name = "SIGNATURE", conflicts_with = "bundle")]
    pub signature: Option<String>,

    /// The signer's certificate beside a signature: PEM, DER or base64 of either
    #[arg(long, alias = "cert", value_name = "FILE")]
    pub certificate: Option<PathBuf>,

    /// A signed timestamp beside a signature: an RFC 3161 response, or Cosign's JSON around one
    #[arg(long, value_name = "FILE")]
    pub rfc3161_timestamp: Option<PathBuf>,

    /// What a log of certificates said of the certificate, where that does not stand in it: the log's JSON (RFC 6962 4.1)
    #[arg(long, value_name = "FILE")]
    pub sct: Option<PathBuf>,

    /// Ask this log of Rekor version 1 for the entry of a signature that comes without one
    #[arg(long, value_name = "URL")]
    pub rekor_url: Option<String>,

    /// Read bundles of either format; false takes the old one only, as Cosign does
    #[arg(long, default_value = "true")]
    pub new_bundle_format: bool,

    /// Taken as in Cosign: chains in bundles are always read, and never trusted
    #[arg(long)]
    pub allow_certificate_chain: bool,

    /// Taken as in Cosign: it is about images
    #[arg(long, hide = true)]
    pub experimental_oci11: bool,
}

impl BesideFlags {
    /// Whether a flag speaks of one artifact alone.
    pub(crate) fn belongs_to_one(&self) -> bool {
        let parts = [&self.certificate, &self.rfc3161_timestamp, &self.sct].iter().any(|part| part.is_some());
        parts || !self.bundle.is_empty() || self.signature.is_some()
    }

    /// The signature of an artifact and what stands beside it.
    ///
    /// # Errors
    /// Those of reading the files; a usage failure where the artifact has no name to derive the bundle's from, and
    /// where the same thing is given twice and differs.
    pub(crate) fn material(
        &self,
        artifact: &Artifact,
        deadline: Option<Instant>,
    ) -> Result<Material, Failure> {
        let mut material = match &self.signature {
            Some(signature) => Material::detached(&read_signature(signature, deadline)?)?,
            None => match &self.bundle[..] {
                [] => self.read_bundle(&beside(artifact)?, deadline)?,
                [path] => self.read_bundle(path, deadline)?,
                _ => {
                    return Err(Failure::usage_with_hint(
                        "several bundles for one file are several signatures, and one is asked for",
                        "name one --bundle, or say with --policy-file how many must have signed",
                    ));
                }
            },
        };
        if let Some(path) = &self.certificate {
            let certificate = read_certificate(path, deadline)?;
            let other = material.certificate.as_ref().is_some_and(|other| other.der() != certificate.der());
            if other || material.key.as_ref().is_some_and(|key| key != certificate.public_key()) {
                return Err(Failure::usage_with_hint(
                    format!("the bundle has another certificate or key than {}", path.display()),
                    "leave --certificate out, or verify another bundle",
                ));
            }
            material.certificate = Some(certificate);
        }
        if let Some(path) = &self.rfc3161_timestamp {
            material.timestamps.push(read_timestamp(path, deadline)?);
        }
        if let Some(path) = &self.sct {
            if material.certificate.is_none() {
                return Err(Failure::usage_with_hint(
                    "--sct speaks of a certificate, and there is none",
                    "name the certificate with --certificate, or leave --sct out",
                ));
            }
            material.certificate_timestamp = Some(read_sct(path, deadline)?);
        }
        Ok(material)
    }

    /// Every signature of an artifact, each with its name.
    ///
    /// # Errors
    /// Those of [`BesideFlags::material`].
    pub(crate) fn materials(
        &self,
        artifact: &Artifact,
        deadline: Option<Instant>,
    ) -> Result<Vec<(String, Material)>, Failure> {
        if self.bundle.len() < 2 {
            let name = self
                .bundle
                .first()
                .map_or_else(|| "the signature".to_owned(), |path| path.display().to_string());
            return Ok(vec![(name, self.material(artifact, deadline)?)]);
        }
        let read = |path: &PathBuf| Ok((path.display().to_string(), self.read_bundle(path, deadline)?));
        self.bundle.iter().map(read).collect()
    }

    /// Asks the log of `--rekor-url` for the entry of a signature of an older form that comes without one.
    ///
    /// # Errors
    /// Those of [`look_up`].
    pub(crate) fn look_up(
        &self,
        material: &mut Material,
        artifact: &Artifact,
        key: Option<&PublicKey>,
        context: &OpenContext<'_>,
    ) -> Result<(), Error> {
        let Some(url) = &self.rekor_url else { return Ok(()) };
        if material.origin == Origin::Bundle || !material.entries.is_empty() {
            return Ok(());
        }
        let beside = material.certificate.as_ref().map(Certificate::public_key).or(material.key.as_ref());
        let Some(key) = key.or(beside) else { return Ok(()) };
        material.entries = look_up(url, material, artifact, key, context)?;
        Ok(())
    }

    /// No flag given, and Cosign's own bundles alone are read.
    pub(crate) fn older() -> Self {
        Self {
            bundle: Vec::new(),
            signature: None,
            certificate: None,
            rfc3161_timestamp: None,
            sct: None,
            rekor_url: None,
            new_bundle_format: false,
            allow_certificate_chain: false,
            experimental_oci11: false,
        }
    }

    fn read_bundle(&self, path: &Path, deadline: Option<Instant>) -> Result<Material, Failure> {
        let bundle = bundle::load(path, deadline)?;
        if !self.new_bundle_format && matches!(bundle, Bundle::Sigstore(_)) {
            return Err(Failure::usage_with_hint(
                format!("{} is a bundle of the new format", path.display()),
                "leave --new-bundle-format=false out",
            ));
        }
        let in_this_bundle = |error: Error| error.within(format!("cannot use the bundle {}", path.display()));
        Ok(Material::from_bundle(&bundle).map_err(in_this_bundle)?)
    }
}

/// The bundle beside a file.
fn beside(artifact: &Artifact) -> Result<PathBuf, Failure> {
    match artifact {
        Artifact::Path(file) => Ok(bundle_path(file, None)),
        Artifact::Stdin | Artifact::Digest(..) => {
            Err(Failure::usage("name the bundle of this artifact with --bundle, or its --signature"))
        }
    }
}

/// A file's content; where there is no such file, the text itself, as Cosign reads it.
pub(in crate::commands) fn read_signature(
    signature: &str,
    deadline: Option<Instant>,
) -> Result<Vec<u8>, Error> {
    match bounded::read(Path::new(signature), MAX_ENVELOPE_BYTES, deadline) {
        Ok(bytes) => Ok(bytes),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && looks_like_base64(signature) => {
            Ok(signature.as_bytes().to_vec())
        }
        Err(cause) => {
            let error = Error::io("read the signature", signature, cause);
            let is_missing = error.kind() == ErrorKind::NotFound;
            Err(if is_missing { error.hint("name a file, or pass the base64 itself") } else { error })
        }
    }
}

/// Long enough for the shortest signature and of base64's letters: else it is the name of a missing file.
fn looks_like_base64(text: &str) -> bool {
    text.len() >= 80 && text.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
}

/// `--output-certificate` of Cosign writes base64 of PEM.
pub(in crate::commands) fn read_certificate(
    path: &Path,
    deadline: Option<Instant>,
) -> Result<Certificate, Error> {
    let bytes = bounded::read(path, MAX_PART_BYTES, deadline)
        .map_err(|cause| Error::io("read the certificate", path.display(), cause))?;
    let bytes = STANDARD.decode(bytes.trim_ascii()).unwrap_or(bytes);
    Certificate::from_pem_or_der(&bytes)
        .map_err(|error| error.with_what(|_| format!("cannot read the certificate {}", path.display())))
}

pub(in crate::commands) fn read_sct(
    path: &Path,
    deadline: Option<Instant>,
) -> Result<CertificateTimestamp, Error> {
    let bytes = bounded::read(path, MAX_PART_BYTES, deadline)
        .map_err(|cause| Error::io("read the certificate timestamp", path.display(), cause))?;
    CertificateTimestamp::parse(&bytes).map_err(|why| {
        Error::new(ErrorKind::Integrity, format!("cannot read the certificate timestamp {}", path.display()))
            .why(why)
            .hint("it is the JSON that the log answered to add-chain")
    })
}

/// Cosign's `--rfc3161-timestamp` holds base64 in JSON; a timestamp authority answers in DER.
pub(in crate::commands) fn read_timestamp(path: &Path, deadline: Option<Instant>) -> Result<Vec<u8>, Error> {
    let bytes = bounded::read(path, MAX_PART_BYTES, deadline)
        .map_err(|cause| Error::io("read the timestamp", path.display(), cause))?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Ok(bytes);
    }
    let damaged = |why: String| {
        Error::new(ErrorKind::Integrity, format!("cannot read the timestamp {}", path.display())).why(why)
    };
    let value = crate::json::parse(&bytes).map_err(damaged)?;
    let text = value.get("SignedRFC3161Timestamp").and_then(serde_json::Value::as_str);
    let text = text.ok_or_else(|| damaged("it has no SignedRFC3161Timestamp".to_owned()))?;
    STANDARD.decode(text).map_err(|cause| damaged(cause.to_string()))
}
