//! Times countersign against the real Cosign, side by side on this machine, and prints a Markdown table.
//!
//! `cargo bench --bench vs-cosign [-- --quick] [--large] [--rows NAME,..]`; `README.md` beside this folder says what
//! the rows are and what is needed. Begin reading in `rows`; `measure` runs a program and reads what it used.

#![allow(clippy::disallowed_methods, reason = "a benchmark runs by itself and reads its own variables")]

mod images;
mod keyless;
mod measure;
mod rows;
mod token;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use measure::Figures;
use rows::{Bench, NAMES, NEEDED_FOR_SCRYPT, ROWS_WITH_SCRYPT, Row};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The programs that are compared.
struct Tools {
    ours: PathBuf,
    cosign: PathBuf,
    openssl: PathBuf,
}

#[derive(Default)]
struct Options {
    quick: bool,
    large: bool,
    rows: Vec<String>,
}

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr leaves the exit code to tell.
            let _ = writeln!(io::stderr(), "vs-cosign: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench() -> Result<()> {
    if let [_, mode, label, count] = &env::args().collect::<Vec<_>>()[..]
        && mode == token::FLOOR
    {
        return token::floor(label, count.parse()?);
    }
    if let [_, mode, count] = &env::args().collect::<Vec<_>>()[..]
        && mode == keyless::FLOOR
    {
        return keyless::floor(count.parse()?);
    }
    if let [_, mode, images @ ..] = &env::args().collect::<Vec<_>>()[..]
        && mode == images::FLOOR
    {
        return images::floor(images);
    }
    let options = parse_options(env::args().skip(1))?;
    let tools = find_tools()?;
    let dir = tempfile::tempdir()?;
    let large_gib = if options.large { 4 } else { 1 };
    let mut bench = Bench::prepare(&tools, dir.path(), options.quick, large_gib)?;

    let mut out = io::stdout().lock();
    write!(out, "{}", preamble(&tools)?)?;
    writeln!(out, "{HEADINGS}")?;
    let mut notes = Vec::new();
    for name in NAMES {
        let shown = options.rows.is_empty() || options.rows.iter().any(|row| row == name);
        if shown || is_needed(name, &options.rows) {
            let row = bench.measure(name)?;
            writeln!(out, "{}", line(&row))?;
            out.flush()?;
            notes.extend(row.note);
        }
    }
    notes.push(format!(
        "Peak memory cannot read below {}, the peak of the program that starts the others.",
        own_peak()
    ));
    writeln!(out)?;
    for note in notes {
        writeln!(out, "- {note}")?;
    }
    Ok(())
}

/// `start` and `unlock` are measured too where the budget of an asked row takes scrypt from them.
fn is_needed(name: &str, asked: &[String]) -> bool {
    NEEDED_FOR_SCRYPT.contains(&name) && asked.iter().any(|row| ROWS_WITH_SCRYPT.contains(&row.as_str()))
}

fn parse_options(arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // `cargo bench` passes it to every bench target.
            "--bench" => {}
            "--quick" => options.quick = true,
            "--large" => options.large = true,
            "--rows" => {
                let names = arguments.next().ok_or("--rows wants names, separated by commas")?;
                options.rows = names.split(',').map(str::to_owned).collect();
            }
            other => {
                return Err(format!("unknown flag {other}; there are --quick, --large and --rows").into());
            }
        }
    }
    if let Some(name) = options.rows.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("no row is called {name}; there are {}", NAMES.join(", ")).into());
    }
    Ok(options)
}

fn find_tools() -> Result<Tools> {
    let ours = env::var_os("COUNTERSIGN_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_countersign").into());
    let cosign = env::var_os("COUNTERSIGN_TEST_COSIGN")
        .map(PathBuf::from)
        .or_else(|| on_path("cosign"))
        .or_else(in_go_bin)
        .ok_or("no cosign on PATH or in GOPATH/bin: install v3.1.3, or name it in COUNTERSIGN_TEST_COSIGN")?;
    let openssl = on_path("openssl").ok_or("no openssl on PATH")?;
    // The runs have a working directory of their own, so a relative name would not be found there.
    Ok(Tools { ours: std::path::absolute(ours)?, cosign: std::path::absolute(cosign)?, openssl })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_absolute() && file.is_file())
}

fn in_go_bin() -> Option<PathBuf> {
    let answer = Command::new("go").args(["env", "GOPATH"]).output().ok()?;
    let gopath = String::from_utf8(answer.stdout).ok()?;
    let file = Path::new(gopath.trim()).join("bin/cosign");
    file.is_file().then_some(file)
}

/// Whose figures these are: versions, processor, load. A busy machine shows in the load.
fn preamble(tools: &Tools) -> Result<String> {
    let mut text = String::new();
    let (ours, cosign, openssl) = (version(&tools.ours)?, version(&tools.cosign)?, version(&tools.openssl)?);
    writeln!(text, "ours: {ours}; Cosign: {cosign}; {openssl}")?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    writeln!(
        text,
        "{}, {cores} cores, load average {load} at the start",
        model.trim_matches([' ', '\t', ':'])
    )?;
    writeln!(text)?;
    Ok(text)
}

/// A child begins with the peak of its parent, so this is the floor of every reading.
fn own_peak() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map_or_else(|| "what is unknown here".to_owned(), |kib: f64| format!("{:.1} MiB", kib / 1024.0))
}

/// The line that Cosign's layout calls `GitVersion`, or the first one.
fn version(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("version")
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let labelled = text.lines().find_map(|line| line.strip_prefix("GitVersion:"));
    Ok(labelled.or_else(|| text.lines().next()).unwrap_or("unknown version").trim().to_owned())
}

const HEADINGS: &str = "\
| row | ours: CPU ms min / median | wall ms | peak MiB | Cosign: CPU ms min / median | wall ms | peak MiB \
| Cosign / ours, CPU | budget: CPU ms, peak MiB | kept |
|---|---:|---:|---:|---:|---:|---:|---:|---|---|";

fn line(row: &Row) -> String {
    let ratio = match (&row.ours, &row.cosign) {
        (Some(ours), Some(cosign)) => format!("{:.1}", cosign.cpu_median_ms / ours.cpu_median_ms),
        _ => "-".to_owned(),
    };
    let (budget, kept) = match (&row.budget, &row.ours) {
        (Some(budget), Some(ours)) => {
            let peak = budget.peak_mib.map(|peak| format!(", {peak:.0} MiB")).unwrap_or_default();
            let kept = if budget.is_met_by(ours) { "yes" } else { "**no**" };
            (format!("{}{peak} ({})", number(budget.cpu_ms), budget.made_of), kept)
        }
        _ => ("-".to_owned(), "-"),
    };
    let (ours, cosign) = (cells(row.ours.as_ref()), cells(row.cosign.as_ref()));
    format!("| {} | {ours} | {cosign} | {ratio} | {budget} | {kept} |", row.title)
}

fn cells(figures: Option<&Figures>) -> String {
    figures.map_or_else(
        || "- | - | -".to_owned(),
        |figures| {
            let (min, median) = (number(figures.cpu_min_ms), number(figures.cpu_median_ms));
            format!("{min} / {median} | {} | {:.1}", number(figures.wall_median_ms), figures.peak_mib)
        },
    )
}

/// Three digits where that says something: 0.214, 3.1, 179.
fn number(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.3}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
