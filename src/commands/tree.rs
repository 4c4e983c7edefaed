//! `tree`: shows what stands beside an image.

use clap::Args;

use super::Run;
use super::flags::key::PasswordFlags;
use super::flags::registry::{ReferrersMode, RegistryFlags};
use crate::exit::Failure;
use crate::image::beside::{Tie, beside};
use crate::image::resolve;
use crate::image::tags::Ending;
use crate::oci::{Access, Reference};

/// Show signatures, attestations and SBOMs of an image
#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,

    /// Taken as in Cosign: what refers to the image is always shown
    #[arg(long, default_value = "true", hide = true)]
    experimental_oci11: bool,

    /// Taken as in Cosign: both are always shown
    #[arg(long, value_name = "MODE", hide = true)]
    registry_referrers_mode: Option<ReferrersMode>,

    #[command(flatten)]
    registry: RegistryFlags,
}

impl Tree {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let reference = Reference::parse(&self.image)?;
        let world = PasswordFlags::default().world(run, false);
        let place = self.registry.place(&world.context())?;
        let digest = resolve(&place.image(&reference, Access::Pull), &reference)?;
        let remote = place.beside(&reference, Access::Pull);
        let found = beside(&remote, &digest, &|ending| place.tag(ending, &digest))?;
        run.output
            .line(format!("📦 Supply Chain Security Related artifacts for an image: {}", self.image))?;
        if found.is_empty() {
            run.output.line("└── none: nothing refers to it, and it has no tag with signatures")?;
        }
        let repository = remote.repository();
        for one in &found {
            run.output.line(match &one.tie {
                Tie::Tag(Ending::Signatures, tag) => {
                    format!("└── 🔐 Signatures for an image tag: {repository}:{tag}")
                }
                Tie::Tag(Ending::Attestations, tag) => {
                    format!("└── 💾 Attestations for an image tag: {repository}:{tag}")
                }
                Tie::Tag(Ending::Sboms, tag) => format!("└── 📦 SBOMs for an image tag: {repository}:{tag}"),
                Tie::Referrer(what) => {
                    format!("└── 🔗 {what} artifacts via OCI referrer: {repository}@{}", one.manifest.digest)
                }
            })?;
            for layer in one.manifest.layers() {
                run.output.line(format!("   └── 🍒 {}", layer.digest))?;
            }
        }
        let items = found.iter().map(|one| {
            let (tie, name) = match &one.tie {
                Tie::Tag(_, tag) => ("tag", tag.clone()),
                Tie::Referrer(what) => ("referrer", what.clone()),
            };
            let layers: Vec<_> = one.manifest.layers().iter().map(|layer| layer.digest.clone()).collect();
            serde_json::json!({"tie": tie, "name": name, "digest": one.manifest.digest.to_string(), "layers": layers})
        });
        run.report
            .data(serde_json::json!({"image": digest.to_string(), "beside": items.collect::<Vec<_>>()}));
        Ok(())
    }
}
