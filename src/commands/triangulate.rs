//! `triangulate`: says where the older layout keeps something of an image.

use clap::{Args, ValueEnum};

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::registry::RegistryFlags;
use crate::exit::Failure;
use crate::image::resolve;
use crate::image::tags::Ending;
use crate::oci::{Access, Reference};

/// Say where the older layout keeps an image's signatures, attestations or SBOMs
#[derive(Debug, Args)]
pub(crate) struct Triangulate {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// What of
    #[arg(long = "type", value_name = "TYPE", default_value = "signature")]
    kind: Kind,

    #[command(flatten)]
    registry: RegistryFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Signatures
    Signature,
    /// Attestations
    Attestation,
    /// SBOMs, unsigned
    Sbom,
    /// The image itself, by its digest
    Digest,
}

impl Triangulate {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let reference = Reference::parse(&self.image)?;
        let world = PasswordFlags::default().world(run, false);
        let place = self.registry.place(&world.context())?;
        let digest = resolve(&place.image(&reference, Access::Pull), &reference)?;
        let repository = place.repository_of(&reference);
        let tag = |ending| format!("{repository}:{}", place.tag(ending, &digest));
        run.output.line(match self.kind {
            Kind::Signature => tag(Ending::Signatures),
            Kind::Attestation => tag(Ending::Attestations),
            Kind::Sbom => tag(Ending::Sboms),
            Kind::Digest => format!("{}@{digest}", reference.repository),
        })?;
        Ok(())
    }
}
