//! Many jobs on a few threads: the results come back in the order of the jobs.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `work` on each job until `stop` says so. `None` stands for a job that was not begun.
pub fn run<J: Sync, T: Send>(
    jobs: &[J],
    threads: usize,
    stop: &(dyn Fn() -> bool + Sync),
    work: &(dyn Fn(&J) -> T + Sync),
) -> Vec<Option<T>> {
    if threads <= 1 || jobs.len() <= 1 {
        return jobs.iter().map(|job| (!stop()).then(|| work(job))).collect();
    }
    let results: Vec<Mutex<Option<T>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()) {
            scope.spawn(|| {
                while !stop() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(number) else { break };
                    let done = work(job);
                    *results[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
                }
            });
        }
    });
    results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_and_stops_when_told() {
        let jobs: Vec<usize> = (0..1000).collect();
        for threads in [1, 8] {
            let doubled = run(&jobs, threads, &|| false, &|job| job * 2);
            assert!(doubled.iter().enumerate().all(|(number, done)| *done == Some(number * 2)));
            let begun = AtomicUsize::new(0);
            let done = run(&jobs, threads, &|| begun.load(Ordering::SeqCst) >= 10, &|_| {
                begun.fetch_add(1, Ordering::SeqCst)
            });
            let count = done.iter().flatten().count();
            assert!((10..10 + threads).contains(&count), "{count} of {threads} threads");
            assert!(done.iter().take(count).all(Option::is_some), "those at the front are done");
        }
    }
}
