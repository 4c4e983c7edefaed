//! Runs a program and reads what it used: CPU time, wall time, peak memory.
//!
//! `rows` decides what to run; this file only runs it and sums up. A child's peak memory starts at the size of the
//! process that started it, so this program reads no big file and keeps nothing but numbers.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

use crate::Result;

/// What one run used. Children that the program waited for count with it.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    cpu: Duration,
    wall: Duration,
    peak_bytes: u64,
}

/// What the runs of one program used, in milliseconds and MiB.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) cpu_min_ms: f64,
    pub(crate) cpu_median_ms: f64,
    pub(crate) wall_median_ms: f64,
    /// The largest of the runs: a bound on memory holds for each run, not for the middle one.
    pub(crate) peak_mib: f64,
}

impl Figures {
    fn of(usages: &[Usage]) -> Self {
        let cpu = sorted_ms(usages, |usage| usage.cpu);
        let wall = sorted_ms(usages, |usage| usage.wall);
        let peak_bytes = usages.iter().map(|usage| usage.peak_bytes).max().unwrap_or(0);
        Self {
            cpu_min_ms: cpu.first().copied().unwrap_or(0.0),
            cpu_median_ms: median(&cpu),
            wall_median_ms: median(&wall),
            peak_mib: peak_bytes as f64 / f64::from(1 << 20),
        }
    }

    /// The share of one item, where one run handled `count` of them. Memory is not shared out.
    pub(crate) fn per_item(self, count: u32) -> Self {
        let count = f64::from(count);
        Self {
            cpu_min_ms: self.cpu_min_ms / count,
            cpu_median_ms: self.cpu_median_ms / count,
            wall_median_ms: self.wall_median_ms / count,
            peak_mib: self.peak_mib,
        }
    }
}

/// One program of a row: makes the command of run `n`, counted from 0.
pub(crate) type Program<'a> = Box<dyn FnMut(usize) -> Command + 'a>;

/// Runs the programs in turns, `runs` times each, and returns their figures in the same order.
///
/// Every second round goes backwards, so that no program always follows the same other one. With `warm_up` each
/// program runs once uncounted before. Fails, with the program's own words, at the first run that does not exit with 0.
pub(crate) fn side_by_side(
    log: &Path,
    runs: usize,
    warm_up: bool,
    programs: &mut [Program<'_>],
) -> Result<Vec<Figures>> {
    let mut usages = vec![Vec::with_capacity(runs); programs.len()];
    let first = usize::from(!warm_up);
    for round in first..=runs {
        let mut order: Vec<usize> = (0..programs.len()).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for index in order {
            let usage = run(&mut programs[index](round), log)?;
            if round > 0 {
                usages[index].push(usage);
            }
        }
    }
    Ok(usages.iter().map(|usages| Figures::of(usages)).collect())
}

/// Runs one command to its end; `log` takes its stderr, so that a full pipe never stops it.
pub(crate) fn run(command: &mut Command, log: &Path) -> Result<Usage> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("cannot start {}: {error}", name(command)))?;
    let used = child.wait4()?;
    let wall = start.elapsed();
    if !used.status.success() {
        let words = fs::read(log)?;
        let words = String::from_utf8_lossy(&words);
        return Err(format!("{} ended with {}:\n{}", name(command), used.status, words.trim_end()).into());
    }
    let rusage = used.rusage;
    Ok(Usage { cpu: rusage.utime + rusage.stime, wall, peak_bytes: rusage.maxrss })
}

/// The program and its first words; a row of many files has a thousand more.
fn name(command: &Command) -> String {
    let words = command.get_args().take(8).map(|word| word.to_string_lossy());
    let words: Vec<_> = std::iter::once(command.get_program().to_string_lossy()).chain(words).collect();
    words.join(" ")
}

fn sorted_ms(usages: &[Usage], field: impl Fn(&Usage) -> Duration) -> Vec<f64> {
    let mut values: Vec<f64> = usages.iter().map(|usage| field(usage).as_secs_f64() * 1e3).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}
