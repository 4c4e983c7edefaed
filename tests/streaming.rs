//! Large files: read once, in constant memory, whatever their size.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{countersign, openssl, slow, stderr, succeed};

/// What may be in memory at most beside the file: `docs/architecture.md`.
const MAX_PEAK_KIB: u64 = 16 * 1024;

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
    File::create(at.join("large")).unwrap().set_len(bytes).unwrap();

    let sign = ["sign-blob", "--key", "key", "--tlog-upload=false", "large"];
    let (peak, output) = watch(start(countersign().args(sign), at));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!((1..=MAX_PEAK_KIB).contains(&peak), "signing {bytes} bytes took {peak} KiB");

    let verify = ["verify-blob", "--key", "pub", "--insecure-ignore-tlog", "large"];
    let (peak, output) = watch(start(countersign().args(verify), at));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!((1..=MAX_PEAK_KIB).contains(&peak), "verifying {bytes} bytes took {peak} KiB");
}
