//! What many jobs come to: each in the report, and one failure for all.

use super::Run;
use crate::exit::{FAILURE, Failure};
use crate::report::{Item, Problem};

/// What became of so many jobs.
pub(super) struct Tally {
    total: usize,
    done: usize,
    /// How many failed.
    pub(super) failed: usize,
    last: Option<Failure>,
}

impl Tally {
    /// Puts each into the report, in their order; `None` is one that was not begun. `tells` says that a failure among several is
    /// told here.
    pub(super) fn report(
        run: &mut Run<'_>,
        jobs: impl Iterator<Item = String>,
        results: Vec<Option<Result<Item, Failure>>>,
        tells: bool,
    ) -> Self {
        let mut tally = Self { total: results.len(), done: 0, failed: 0, last: None };
        for (artifact, result) in jobs.zip(results) {
            tally.done += usize::from(result.is_some());
            run.report.item(match result {
                None => Item { artifact, outcome: "skipped", ..Item::default() },
                Some(Ok(item)) => item,
                Some(Err(failure)) => {
                    tally.failed += 1;
                    if tells && tally.total > 1 {
                        run.output.failure_of_one(&failure);
                    }
                    let problem = Some(Problem::from(&failure));
                    tally.last = Some(failure);
                    Item { artifact, outcome: "failed", failure: problem, ..Item::default() }
                }
            });
        }
        tally
    }

    /// How many were not begun.
    pub(super) fn left(&self) -> usize {
        self.total - self.done
    }

    /// The failure of all together; that of a single one as it is. `act` and `what` are words, as in "sign" and "files".
    pub(super) fn outcome(self, act: &'static str, what: &'static str) -> Result<(), Failure> {
        let Self { total, done, failed, last } = self;
        match last {
            _ if done < total => Err(Failure::Interrupted { done, total, what }),
            Some(failure) if total == 1 => Err(failure),
            Some(_) => Err(Failure::Batch { failed, total, act, what, code: FAILURE }),
            None => Ok(()),
        }
    }
}
