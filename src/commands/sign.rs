//! `sign`: signs images in their registries.

use std::path::PathBuf;

use clap::Args;
use countersign_core::bounded;
use countersign_core::error::Error;

use super::Run;
use super::flags::registry::ReferrersMode;
use super::sign_images::{Format, SignImagesFlags, What};
use super::verify::{Attachment, parse_annotations};
use crate::exit::Failure;

/// The largest claims read from a file.
pub(super) const MAX_CLAIMS_BYTES: u64 = 1024 * 1024;

/// Sign images and write the signatures into their registries
#[derive(Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    images: SignImagesFlags,

    /// What to say of the image, as NAME=VALUE; may be given several times
    #[arg(long, short = 'a', value_name = "NAME=VALUE", value_delimiter = ',')]
    annotations: Vec<String>,

    /// Write the signature into the registry
    #[arg(long, default_value = "true")]
    upload: bool,

    /// In the older layout: the repository to name in the claims, in place of the image's own
    #[arg(long, value_name = "NAME")]
    sign_container_identity: Option<String>,

    /// In the older layout: claims about the image, to be signed as they stand
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,

    /// In the older layout: write the claims to this file
    #[arg(long, value_name = "FILE")]
    output_payload: Option<PathBuf>,

    /// In the older layout: where the signature goes, oci-1-1 into an artifact that refers to the image
    #[arg(long, value_name = "MODE", default_value = "legacy")]
    registry_referrers_mode: ReferrersMode,

    /// Sign what is attached to the image in its place: its SBOM
    #[arg(long, value_name = "WHAT")]
    attachment: Option<Attachment>,

    /// In the older layout: write the signature to this file, base64
    #[arg(long, value_name = "FILE")]
    output_signature: Option<PathBuf>,
}

impl Sign {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let older = [
            ("sign-container-identity", self.sign_container_identity.is_some()),
            ("payload", self.payload.is_some()),
            ("output-payload", self.output_payload.is_some()),
            ("output-signature", self.output_signature.is_some()),
        ];
        let named = older.into_iter().find(|(_, is_given)| *is_given);
        if let (Format::Bundle, Some((flag, _))) = (self.images.format(), named) {
            return Err(Failure::usage_with_hint(
                format!("--{flag} belongs to the older layout, and a bundle is to be written"),
                "leave it out, or pass --format legacy",
            ));
        }
        if self.images.images.len() > 1 || self.images.recursive {
            let one =
                [self.payload.is_some(), self.output_payload.is_some(), self.output_signature.is_some()];
            if one.contains(&true) {
                return Err(Failure::usage(
                    "--payload, --output-payload and --output-signature belong to one image",
                ));
            }
        }
        let annotations = parse_annotations(&self.annotations)?;
        let payload = self.payload.as_ref().map(|path| {
            bounded::read(path, MAX_CLAIMS_BYTES, run.global.deadline())
                .map_err(|cause| Error::io("read the claims", path.display(), cause))
        });
        let payload = payload.transpose()?;
        let what = What::Signature {
            annotations: &annotations,
            identity: self.sign_container_identity.as_deref(),
            payload: payload.as_deref(),
            payload_file: self.output_payload.as_deref(),
            signature_file: self.output_signature.as_deref(),
            refers: self.registry_referrers_mode == ReferrersMode::Kept,
            of_sboms: self.attachment == Some(Attachment::Sbom),
        };
        self.images.sign_all(run, "signing", "dsse", self.upload, &what)
    }
}
