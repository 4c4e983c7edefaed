//! How much of what strangers wrote is held at once: what stands beside images is read and judged in parallel, and each may be
//! as large as a bill of materials is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use countersign_core::error::{Error, ErrorKind, Result};

use super::Found;
use crate::oci::{Descriptor, Manifest, Source};

/// Bytes read and judged at once, over all images of a command. What is larger comes alone.
const AT_ONCE: usize = 16 * 1024 * 1024;
/// Bytes kept of one image where all of it is wanted together.
const KEPT: usize = 128 * 1024 * 1024;

/// What may be held at once.
#[derive(Debug)]
pub struct Budget {
    left: Mutex<usize>,
    freed: Condvar,
}

/// A part of it, given back when this is let go.
pub(super) struct Share<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: Mutex::new(AT_ONCE), freed: Condvar::new() }
    }
}

impl Budget {
    /// Waits until so many bytes are free.
    pub(super) fn take(&self, bytes: u64) -> Share<'_> {
        let bytes = usize::try_from(bytes).unwrap_or(AT_ONCE).min(AT_ONCE);
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left =
            self.freed.wait_while(left, |left| *left < bytes).unwrap_or_else(PoisonError::into_inner);
        *left -= bytes;
        Share { budget: self, bytes }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.left.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.budget.freed.notify_all();
    }
}

/// Where something is read, and how much of it.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) source: &'a dyn Source,
    /// The largest layer taken, in bytes.
    pub(super) max_layer_bytes: usize,
    pub(super) budget: &'a Budget,
}

impl Reading<'_> {
    /// The manifest of what is listed as referring to the image.
    ///
    /// # Errors
    /// Those of the place; [`ErrorKind::NotFound`] where it is listed and not there.
    pub(super) fn listed(&self, descriptor: &Descriptor) -> Result<Manifest> {
        let digest = descriptor.digest()?.to_string();
        self.source.manifest(&digest)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("cannot read {}", self.source.name_of(&digest)))
                .why("it is listed as referring to the image, and is not there")
        })
    }
}

/// What is kept of one image.
#[derive(Debug, Default)]
pub struct Kept(AtomicUsize);

impl Kept {
    /// Keeps it as it is, or only its name and why where there is too much.
    pub fn keep(&self, found: Found) -> Found {
        let before = self.0.fetch_add(found.content.len(), Ordering::Relaxed);
        if before + found.content.len() <= KEPT {
            return found;
        }
        let error = Error::new(ErrorKind::Unsupported, format!("cannot use {}", found.place))
            .why(format!("more than {KEPT} bytes of signatures and attestations stand beside the image"))
            .hint("countersign clean takes away what is not needed any more");
        Found { content: Vec::new(), material: Err(error), ..found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Layout;

    #[test]
    fn no_more_is_held_than_was_agreed() {
        let (budget, held, most) = (Budget::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let sizes: Vec<u64> = (0..64).map(|number| (number % 7) << 20).chain([u64::MAX, 1 << 30]).collect();
        crate::batch::run(&sizes, 16, &|| false, &|bytes| {
            let share = budget.take(*bytes);
            let now = held.fetch_add(share.bytes, Ordering::SeqCst) + share.bytes;
            most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            held.fetch_sub(share.bytes, Ordering::SeqCst);
        });
        assert!(most.into_inner() <= AT_ONCE);
        assert_eq!(*budget.left.lock().unwrap(), AT_ONCE, "all of it came back");
    }

    #[test]
    fn what_is_too_much_is_named_and_not_kept() {
        let kept = Kept::default();
        let found = |bytes| Found {
            place: "p".to_owned(),
            layout: Layout::Bundle,
            content: vec![0; bytes],
            annotations: Default::default(),
            material: Err(Error::new(ErrorKind::Integrity, "as it was")),
        };
        assert_eq!(kept.keep(found(KEPT)).content.len(), KEPT);
        let gone = kept.keep(found(1));
        assert!(gone.content.is_empty());
        assert_eq!(gone.material.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
