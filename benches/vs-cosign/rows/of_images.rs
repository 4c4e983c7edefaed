//! The rows about images in a registry in memory.

use std::path::Path;
use std::process::Command;

use super::{Bench, Budget, Row, strings};
use crate::Result;
use crate::images::{self, Registry};
use crate::measure::{run, side_by_side};

const IMAGES: u32 = 200;
const PLATFORMS: u32 = 20;

impl Bench<'_> {
    pub(super) fn image(&self) -> Result<Row> {
        let registry = Registry::start()?;
        let images = registry.images(1)?;
        run(&mut self.sign_images(&images), &self.log)?;
        let (ours, cosign) = self.pair(
            20,
            |_| self.verify_images(&self.tools.ours, &images),
            |_| self.verify_images(&self.tools.cosign, &images),
        )?;
        Ok(Row::both("verify an image by digest, key, a registry in memory", ours, cosign, None))
    }

    pub(super) fn image_many(&self) -> Result<Row> {
        let registry = Registry::start()?;
        let images = registry.images(IMAGES)?;
        run(&mut self.sign_images(&images), &self.log)?;
        let program = std::env::current_exe().unwrap_or_default();
        let figures = side_by_side(
            &self.log,
            self.runs(10),
            true,
            &mut [
                Box::new(|_| self.command(&program, images::FLOOR, &strings(&images))),
                Box::new(|_| self.verify_images(&self.tools.ours, &images)),
                Box::new(|round| self.verify_images(&self.tools.cosign, &images[round..=round])),
            ],
        )?;
        let (floor, ours) = (figures[0].per_item(IMAGES), figures[1].per_item(IMAGES));
        let note = format!(
            "image-many: the same objects fetched one after the other and not looked at: CPU {:.2} ms, wall {:.2} ms an image. \
             Ours verifies {:.0} times as many a second as Cosign in single calls.",
            floor.cpu_median_ms,
            floor.wall_median_ms,
            figures[2].wall_median_ms / ours.wall_median_ms,
        );
        let budget = Budget::of(figures[2].cpu_median_ms / 10.0, None, "a tenth of Cosign's");
        let title = format!("{IMAGES} images, per image: one call of ours, single calls of Cosign");
        Ok(Row { note: Some(note), ..Row::both(&title, ours, figures[2], budget) })
    }

    /// An index signed with all its images, a new one each time. A signature by the key may cost one unlock of it or many.
    pub(super) fn image_index(&self) -> Result<Row> {
        let registry = Registry::start()?;
        let runs = self.runs(10);
        let index = |who: &str, round| registry.index(&format!("{who}-{round}"), PLATFORMS);
        let ours: Vec<String> = (0..=runs).map(|round| index("ours", round)).collect::<Result<_>>()?;
        let theirs: Vec<String> = (0..=runs).map(|round| index("theirs", round)).collect::<Result<_>>()?;
        let sign = ["-r", "--tlog-upload=false", "-y", "--key", "cosign.key"];
        let (ours, cosign) = self.pair(
            10,
            |round| self.ours("sign", &[&sign[..], &[&ours[round]]].concat()),
            |round| {
                self.cosign("sign", &[&sign[..], &["--use-signing-config=false", &theirs[round]]].concat())
            },
        )?;
        let note = format!(
            "image-index: wall {:.0} ms, Cosign {:.0} ms; every image of it is signed and written.",
            ours.wall_median_ms, cosign.wall_median_ms
        );
        let title = format!("sign an index of {PLATFORMS} platforms with all its images, encrypted key");
        Ok(Row { note: Some(note), ..Row::both(&title, ours, cosign, None) })
    }

    fn sign_images(&self, images: &[String]) -> Command {
        let mut command = self.ours("sign", &["--key", "plain.key", "--tlog-upload=false", "-y"]);
        command.args(images);
        command
    }

    fn verify_images(&self, tool: &Path, images: &[String]) -> Command {
        let mut command = self.command(tool, "verify", &["--key", "plain.pub", "--insecure-ignore-tlog"]);
        command.args(images);
        command
    }
}
