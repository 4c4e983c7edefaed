//! Changing what stands under a tag that others change too.
//!
//! Registries have no way to change a tag only if nobody else did. So what was added is looked for again once every other
//! writer who might have read the tag before is done, and added again if it is gone. Two writers that both do so lose nothing;
//! one that does not may still take away what was added after it looked.

use std::time::{Duration, Instant};

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::random;

use super::manifest::Manifest;
use super::remote::Remote;

/// How often what somebody overwrote is written again.
const MAX_MERGES: usize = 30;
/// How long a writer waits at least before it looks again.
const SETTLING: Duration = Duration::from_millis(200);
/// At most.
const MAX_SETTLING: Duration = Duration::from_secs(5);

impl Remote<'_> {
    /// Brings what stands under `tag` to what `change` wants: it is given what is there, and gives what should be, or `None`
    /// where nothing is left to change.
    ///
    /// # Errors
    /// Those of the registry and of `change`; [`ErrorKind::Unavailable`] where others write over it every time.
    pub fn merge(
        &self,
        tag: &str,
        change: &dyn Fn(Option<Manifest>) -> Result<Option<Manifest>>,
    ) -> Result<()> {
        for _ in 0..MAX_MERGES {
            let began = Instant::now();
            let Some(wanted) = change(self.manifest(tag)?)? else { return Ok(()) };
            self.put_manifest(Some(tag), &wanted)?;
            // Who read the tag before this was written needs about as long as this took to write over it.
            let settling = (began.elapsed() * 3).clamp(SETTLING, MAX_SETTLING);
            let [byte] = random::bytes()?;
            std::thread::sleep(settling + (settling / 4).mul_f64(f64::from(byte) / 255.0));
        }
        Err(Error::new(ErrorKind::Unavailable, format!("cannot change {}:{tag}", self.repository()))
            .why(format!("somebody else wrote over it {MAX_MERGES} times"))
            .hint("what stands there now is not complete: run it again when nobody else writes there"))
    }
}
