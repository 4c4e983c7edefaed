//! The only place where async begins: one runtime for the process, started by the first call that needs it.
//!
//! One worker thread, so that pooled connections and refreshed tokens go on while nobody waits; a runtime on the caller's
//! thread would stand still. It is never shut down: nothing is left to flush when the process ends.

use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

use crate::context::{OpenContext, timed_out};
use crate::error::{Error, Result};

/// How often a waiting caller looks whether the user gave up.
const TICK: Duration = Duration::from_millis(50);

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

/// Names the one cryptography that TLS uses, ours.
pub(super) fn install_crypto_provider() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // It fails when one is installed already, which then is the same one: the build has no other.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

fn runtime() -> Result<&'static Runtime> {
    let start = || {
        install_crypto_provider();
        // Names are looked up on blocking threads: eight serve many callers of few hosts.
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .max_blocking_threads(8)
            .thread_name("network")
            .build()
            .map_err(|cause| cause.to_string())
    };
    RUNTIME.get_or_init(start).as_ref().map_err(|why| {
        Error::new(crate::ErrorKind::Unavailable, "cannot use the network")
            .why(format!("no thread can be started: {why}"))
            .hint("raise the limit of processes and threads")
    })
}

/// Runs `work` to its end on the calling thread, at most until the context's deadline. `act` completes "cannot …".
///
/// A closure is taken, not a future: what makes a future may need the runtime around it already.
///
/// # Errors
/// [`crate::ErrorKind::Timeout`] at the deadline or when cancelled; [`crate::ErrorKind::Internal`] when called from async code, where
/// it would wait for itself.
pub fn wait<T>(context: &OpenContext<'_>, act: &str, work: impl AsyncFnOnce() -> T) -> Result<T> {
    if Handle::try_current().is_ok() {
        return Err(Error::internal(format!("cannot {act}: waiting inside async code")));
    }
    context.time_left(act)?;
    runtime()?.block_on(async {
        let mut work = pin!(work());
        loop {
            let left = context.time_left(act)?;
            let tick = left.map_or(TICK, |left| left.min(TICK));
            if let Ok(done) = timeout(tick, work.as_mut()).await {
                return Ok(done);
            }
            if context.deadline.is_some_and(|deadline| std::time::Instant::now() >= deadline) {
                return Err(timed_out(act));
            }
        }
    })
}

/// Whether anything has started it.
#[cfg(test)]
pub(super) fn has_started() -> bool {
    RUNTIME.get().is_some()
}
