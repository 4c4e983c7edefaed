//! ministack, which stands in for AWS KMS, as `tests/rigs/awskms/up` starts it. One server serves all tests that run at the same
//! time; each that changes something does so with a key of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::tokens::exports;
use super::{missing, run, stderr, stdout};

/// What `up` returns when a part is not installed.
const NOT_INSTALLED: i32 = 2;

/// The aliases of the keys.
pub(crate) const KEYS: [&str; 7] = ["p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519"];

/// A server on this machine.
pub(crate) struct Ministack {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

fn script(name: &str) -> Command {
    let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rigs/awskms");
    let mut command = Command::new(rigs.join(name));
    command.stdin(Stdio::null());
    command
}

impl Ministack {
    /// The server of all tests; `None` where a part is missing, which was said aloud.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Ministack>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::new("plain")?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server for one test: `plain`, `auth`, which checks who asks, or `tls`.
    pub(crate) fn new(mode: &str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let owner = std::process::id().to_string();
        let output = run(script("up").arg(directory.path().join("kms")).arg(owner).arg(mode));
        if output.status.code() == Some(NOT_INSTALLED) {
            missing(&format!("ministack\n{}", stderr(&output)));
            return None;
        }
        assert!(output.status.success(), "up: {}\n{}", output.status, stderr(&output));
        Some(Self { directory, variables: exports(&stdout(&output)) })
    }

    /// A variable that `up` printed.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(have, _)| have == name);
        &found.unwrap_or_else(|| panic!("up prints no {name}")).1
    }

    /// All of them.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.variable("AWS_ENDPOINT_URL").split_once("://").expect("a URL").1
    }

    /// Asks KMS as the account's owner; a refusal fails the test.
    pub(crate) fn call(&self, operation: &str, body: Value) -> Value {
        let target = format!("x-amz-target: TrentService.{operation}");
        let text = self.curl(
            "kms",
            &["-H", "content-type: application/x-amz-json-1.1", "-H", &target],
            &body.to_string(),
        );
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Asks IAM the same way; the answer is XML.
    pub(crate) fn iam(&self, form: &str) -> String {
        self.curl("iam", &[], form)
    }

    fn curl(&self, service: &str, more: &[&str], body: &str) -> String {
        let user =
            format!("{}:{}", self.variable("AWS_ACCESS_KEY_ID"), self.variable("AWS_SECRET_ACCESS_KEY"));
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--insecure",
            "--noproxy",
            "*",
            "--max-time",
            "60",
        ]);
        curl.args(["--aws-sigv4", &format!("aws:amz:us-east-1:{service}"), "--user", &user]).args(more);
        curl.args(["--data", body, &format!("{}/", self.variable("AWS_ENDPOINT_URL"))]);
        let output = run(&mut curl);
        assert!(output.status.success(), "{body}: {} {}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// Makes a key of this type under an alias, and returns its id.
    pub(crate) fn make_key(&self, alias: &str, spec: &str, usage: &str) -> String {
        let made = self.call("CreateKey", json!({ "KeySpec": spec, "KeyUsage": usage }));
        let id = made["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned();
        self.call("CreateAlias", json!({ "AliasName": alias, "TargetKeyId": id }));
        id
    }

    /// Ends the server, as when its machine goes away.
    pub(crate) fn end(&self) {
        let output = run(script("down").arg(self.directory.path().join("kms")));
        assert!(output.status.success(), "down: {}\n{}", output.status, stderr(&output));
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let place = self.directory.path().join("kms");
        if !place.exists() {
            return;
        }
        let output = run(script("down").arg(place));
        // A second panic would hide the first.
        if !output.status.success() {
            eprintln!("down: {}\n{}", output.status, stderr(&output));
        }
    }
}
