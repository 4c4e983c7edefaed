//! `clean`: takes signatures, attestations and SBOMs of an image away.

use clap::{Args, ValueEnum};

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::registry::RegistryFlags;
use crate::exit::Failure;
use crate::image::beside::{Beside, Tie, beside, take_away, tidy};
use crate::image::resolve;
use crate::image::tags::Ending;
use crate::oci::{Access, Reference};
use crate::verify::SIGNATURE;

/// Take signatures, attestations and SBOMs of an image away
#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// What goes
    #[arg(long = "type", value_name = "TYPE", default_value = "all")]
    kind: What,

    /// Do not ask
    #[arg(long, short = 'f')]
    force: bool,

    #[command(flatten)]
    registry: RegistryFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Signatures, in both layouts
    Signature,
    /// Attestations, in both layouts
    Attestation,
    /// SBOMs of the older layout
    Sbom,
    /// Bundles that refer to the image, whatever they say
    Referrer,
    /// All of these
    All,
}

impl What {
    fn holds(self, one: &Beside) -> bool {
        let is_bundle = one
            .manifest
            .content
            .artifact_type
            .as_deref()
            .is_some_and(|kind| kind.starts_with(crate::image::bundles::FAMILY));
        match (self, &one.tie) {
            (Self::All | Self::Signature, Tie::Tag(Ending::Signatures, _))
            | (Self::All | Self::Attestation, Tie::Tag(Ending::Attestations, _))
            | (Self::All | Self::Sbom, Tie::Tag(Ending::Sboms, _)) => true,
            // What others attached in other forms is theirs.
            (Self::All | Self::Referrer, Tie::Referrer(_)) => is_bundle,
            (Self::Signature, Tie::Referrer(what)) => is_bundle && what == SIGNATURE,
            (Self::Attestation, Tie::Referrer(what)) => is_bundle && what != SIGNATURE,
            _ => false,
        }
    }
}

impl Clean {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let reference = Reference::parse(&self.image)?;
        let world = PasswordFlags::default().world(run, true);
        let context = world.context();
        let place = self.registry.place(&context)?;
        let digest = resolve(&place.image(&reference, Access::Pull), &reference)?;
        let remote = place.beside(&reference, Access::Delete);
        let mut found = beside(&remote, &digest, &|ending| place.tag(ending, &digest))?;
        found.retain(|one| self.kind.holds(one));
        if found.is_empty() {
            run.output.note(format!("There is nothing of that kind beside {}", self.image));
            return Ok(());
        }
        let names: Vec<String> =
            found.iter().map(|one| name(&remote.repository().to_string(), one)).collect();
        run.output.note(format!("These go from {}:", remote.repository()));
        for name in &names {
            run.output.note(format!("  {name}"));
        }
        let question = format!("They cannot be brought back. Take {} away?", names.len());
        if !self.force && !context.prompt.confirm(&question)? {
            return Err(Failure::usage_with_hint(
                "nothing was taken away: nobody agreed to that",
                "pass --force to agree",
            ));
        }
        for (one, name) in found.iter().zip(&names) {
            take_away(&remote, one, &digest)?;
            run.output.note(format!("Took {name} away"));
        }
        Ok(tidy(&remote, &digest)?)
    }
}

fn name(repository: &str, one: &Beside) -> String {
    match &one.tie {
        Tie::Tag(_, tag) => format!("{repository}:{tag}"),
        Tie::Referrer(what) => format!("{repository}@{} ({what})", one.manifest.digest),
    }
}
