//! Large files: read once, in constant memory, whatever their size.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{countersign, openssl, slow, stderr, succeed};

/// What may be in memory at most beside the file: `docs/architecture.md`. Unoptimized, the code of the clouds' SDKs takes as much again.
const MAX_PEAK_KIB: u64 = if cfg!(debug_assertions) { 32 } else { 16 } * 1024;
/// What eight times the file may add: the noise of one run.
const MAX_GROWTH_KIB: u64 = 4 * 1024;

/// The peak resident size in KiB of a running process, from its own account; its parent's memory is not in it.
fn watch(mut child: Child) -> (u64, std::process::Output) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(2));
    }
    (peak, child.wait_with_output().unwrap())
}

fn start(command: &mut Command, directory: &Path) -> Child {
    command.current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn signs_and_verifies_a_large_file_in_constant_memory() {
    let Some(mut openssl) = openssl() else { return };
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    succeed(
        openssl
            .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key"])
            .current_dir(at),
    );
    succeed(countersign().args(["public-key", "--key", "key", "--outfile", "pub"]).current_dir(at));
    // A sparse file is read in full; it only takes no disk.
    let bytes = if slow() { 4 << 30 } else { 512 << 20 };
    let peaks = [("small", bytes / 8), ("large", bytes)].map(|(name, bytes)| {
        File::create(at.join(name)).unwrap().set_len(bytes).unwrap();
        let sign = ["sign-blob", "--key", "key", "--tlog-upload=false", name];
        let verify = ["verify-blob", "--key", "pub", "--insecure-ignore-tlog", name];
        [&sign[..], &verify].map(|arguments| {
            let (peak, output) = watch(start(countersign().args(arguments), at));
            assert!(output.status.success(), "{}", stderr(&output));
            assert!((1..=MAX_PEAK_KIB).contains(&peak), "{} of {bytes} bytes took {peak} KiB", arguments[0]);
            peak
        })
    });
    for (small, large) in peaks[0].iter().zip(peaks[1]) {
        assert!(
            large <= small + MAX_GROWTH_KIB,
            "{small} KiB for {} bytes, {large} KiB for {bytes}",
            bytes / 8
        );
    }
}
