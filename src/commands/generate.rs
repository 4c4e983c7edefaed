//! `generate`: prints the claims that the older layout signs, for tools that sign themselves.

use clap::Args;

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::registry::RegistryFlags;
use super::verify::parse_annotations;
use crate::exit::Failure;
use crate::image::resolve;
use crate::image::write::claims;
use crate::oci::{Access, Reference};

/// Print the claims about an image that the older layout signs
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// What to say of the image, as NAME=VALUE; may be given several times
    #[arg(long, short = 'a', value_name = "NAME=VALUE", value_delimiter = ',')]
    annotations: Vec<String>,

    #[command(flatten)]
    registry: RegistryFlags,
}

impl Generate {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let reference = Reference::parse(&self.image)?;
        let annotations = parse_annotations(&self.annotations)?;
        let world = PasswordFlags::default().world(run, false);
        let place = self.registry.place(&world.context())?;
        let digest = resolve(&place.image(&reference, Access::Pull), &reference)?;
        // Signed as they stand: no line ending.
        Ok(run.output.bytes(&claims(&reference.repository.to_string(), &digest, &annotations))?)
    }
}
