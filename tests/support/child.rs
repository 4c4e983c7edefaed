//! A test in a process of its own. A PKCS#11 module reads its configuration from the environment of the process, and a
//! process initialises a module once; so a test that calls the library in process, rather than the binary, starts itself
//! again with the environment of its rig.

use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::tokens::Rig;

/// Against hanging only.
const DEADLINE: Duration = Duration::from_secs(300);
/// Holds the test's name in the child.
const MARK: &str = "COUNTERSIGN_CHILD_TEST";
/// What a developer may have set for tokens of their own.
const FOREIGN: [&str; 5] = [
    "COSIGN_PKCS11_IGNORE_CERTIFICATE",
    "COSIGN_PKCS11_MODULE_PATH",
    "COSIGN_PKCS11_PIN",
    "COSIGN_PASSWORD",
    "COSIGN_KEY",
];

/// Whether this is the child that runs `test`. If not, the child is started, and has passed when this returns.
///
/// `test` is the name as the test program lists it, without the program's own:
///
/// ```ignore
/// #[test]
/// fn signs() {
///     if !in_child("pkcs11::signing::signs", &[("SOFTHSM2_CONF".into(), path)]) {
///         return;
///     }
///     // Here the environment is that.
/// }
/// ```
pub(crate) fn in_child(test: &str, environment: &[(String, String)]) -> bool {
    if std::env::var(MARK).is_ok_and(|name| name == test) {
        return true;
    }
    let mut output = tempfile::tempfile().expect("a temporary file");
    let copy = || output.try_clone().expect("a second handle of an open file");
    let mut command = Command::new(std::env::current_exe().expect("the path of the test program"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    command.envs(environment.iter().cloned()).env(MARK, test);
    command.stdin(Stdio::null()).stdout(copy()).stderr(copy());
    let mut child = command.spawn().expect("the test program starts again");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            break Some(status);
        }
        if began.elapsed() > DEADLINE {
            // It may end in this moment, which is as good.
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = Vec::new();
    output.rewind().expect("a file can be rewound");
    output.read_to_end(&mut said).expect("what the child wrote");
    let said = String::from_utf8_lossy(&said);
    let Some(status) = status else { panic!("{test} still runs after {DEADLINE:?} in its child:\n{said}") };
    assert!(status.success(), "{test} fails in its child, {status}:\n{said}");
    assert!(said.contains(" 1 passed"), "no test has the name {test}:\n{said}");
    eprintln!("{said}");
    false
}

/// The same with a rig that only the parent starts, and ends when the child is done. A rig that is missing skips the test,
/// or fails it: `if !in_child_with("pkcs11::signing::signs", SoftHsm::new) { return; }`
pub(crate) fn in_child_with<R: Rig>(test: &str, start: impl FnOnce() -> Option<R>) -> bool {
    if std::env::var(MARK).is_ok_and(|name| name == test) {
        return true;
    }
    start().is_some_and(|rig| in_child(test, &rig.environment()))
}
