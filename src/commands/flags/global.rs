//! The flags of every command.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct GlobalFlags {
    /// Write standard output to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub output_file: Option<PathBuf>,

    /// Give up on one artifact or service after this time, as in 90s or 3m0s
    #[arg(long, short = 't', global = true, value_name = "DURATION", default_value = "3m0s", value_parser = parse_duration)]
    pub timeout: Duration,

    /// Say more on standard error
    #[arg(long, short = 'd', global = true)]
    pub verbose: bool,

    /// Write what was done, proven, not proven and refused as JSON, to standard output or FILE
    #[arg(long, global = true, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub report: Option<Option<PathBuf>>,
}

impl GlobalFlags {
    /// When the work that begins now has to end.
    pub fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.timeout)
    }
}

/// Reads a Go duration: numbers with units `ns`, `us`, `ms`, `s`, `m`, `h`, written one after another.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no duration such as 90s, 3m0s or 1h");
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        total += Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        rest = &rest[unit..];
    }
    if total.is_zero() { Err(format!("\"{text}\" leaves no time at all")) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_go_durations() {
        assert_eq!(parse_duration("3m0s"), Ok(Duration::from_secs(180)));
        assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "3", "s", "-1s", "3 m", "1d", "0s", "99999999999999999999h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
