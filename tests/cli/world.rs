//! What the tests of the command line share: a directory of its own for each test, the binary in it without a terminal,
//! and what holds for every run whatever it does: no secret shows, no temporary file stays, none runs for ever.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

pub(super) use super::ended::Ended;
use crate::support;

/// Against hanging only; no run takes nearly as long.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);
/// The password of [`World::sealed_key`]. It may show nowhere.
pub(super) const PASSWORD: &str = "rusty-bolt-under-the-blue-boat";
/// A password that opens nothing, and may show nowhere either.
pub(super) const WRONG_PASSWORD: &str = "tin-whistle-behind-the-green-door";
/// What every `sign-blob` here needs to say until logs are built.
pub(super) const SIGN: [&str; 2] = ["sign-blob", "--tlog-upload=false"];
/// The same for `verify-blob`.
pub(super) const VERIFY: [&str; 2] = ["verify-blob", "--insecure-ignore-tlog"];

/// A directory of its own, with plain keys in it: `key.pem` and `key.pub` (P-256), `other.pem` and `other.pub`.
pub(super) struct World {
    directory: TempDir,
    secrets: Vec<String>,
}

struct Keys {
    plain: [String; 2],
    public: [String; 2],
    sealed: String,
}

/// Made once for all tests; `None` without OpenSSL, which was said aloud.
fn keys() -> Option<&'static Keys> {
    static KEYS: OnceLock<Option<Keys>> = OnceLock::new();
    KEYS.get_or_init(|| {
        support::openssl()?;
        let plain = [(); 2].map(|()| genpkey(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]));
        let public = plain.each_ref().map(|key| openssl(&["pkey", "-pubout"], key));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut import = support::countersign();
        import.args(["import-key-pair", "--key", "plain", "--output-key-prefix", "new"]);
        fs::write(directory.path().join("plain"), &plain[0]).expect("a new file");
        support::succeed(import.current_dir(&directory).env("COSIGN_PASSWORD", PASSWORD));
        let sealed = fs::read_to_string(directory.path().join("new.key")).expect("the imported key");
        Some(Keys { plain, public, sealed })
    })
    .as_ref()
}

/// A new private key, PKCS#8 in PEM.
pub(super) fn genpkey(arguments: &[&str]) -> String {
    openssl(&[&["genpkey"], arguments].concat(), "")
}

/// Runs OpenSSL with `input` and takes what it prints.
pub(super) fn openssl(arguments: &[&str], input: &str) -> String {
    let mut command = support::openssl().expect("it was there when the keys were made");
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("openssl starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("openssl reads its input");
    let output = child.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl {arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("PEM is text")
}

impl World {
    /// `None` when OpenSSL is missing.
    pub(super) fn new() -> Option<Self> {
        let keys = keys()?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut secrets = vec![PASSWORD.to_owned(), WRONG_PASSWORD.to_owned()];
        // A line of each private key: the first is the same in all keys of a type.
        secrets.extend(keys.plain.iter().map(|pem| pem.lines().nth(2).expect("a PEM body").to_owned()));
        let world = Self { directory, secrets };
        for (at, name) in ["key", "other"].into_iter().enumerate() {
            world.write(&format!("{name}.pem"), &keys.plain[at]);
            world.write(&format!("{name}.pub"), &keys.public[at]);
            chmod(&world.path(&format!("{name}.pem")), 0o600);
        }
        Some(world)
    }

    /// A world that has `cosign.key` and `blob` too.
    pub(super) fn sealed() -> Option<Self> {
        let world = Self::new()?;
        world.sealed_key();
        world.write("blob", "blob");
        Some(world)
    }

    /// Writes `cosign.key`: the key of `key.pem`, sealed with [`PASSWORD`].
    pub(super) fn sealed_key(&self) -> &'static str {
        self.write("cosign.key", &keys().expect("made with the world").sealed);
        "cosign.key"
    }

    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a file in a temporary directory");
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// A program for password sources and the like; its path is absolute.
    pub(super) fn script(&self, name: &str, text: &str) -> String {
        // By another process: while ours holds the file open for writing, a fork elsewhere would make it busy.
        let made = Command::new("sh")
            .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 700 "$1""#, "sh", name, text])
            .current_dir(self.root())
            .status();
        assert!(made.expect("sh starts").success(), "cannot write {name}");
        self.path(name).to_str().expect("a UTF-8 path").to_owned()
    }

    pub(super) fn fifo(&self, name: &str) -> PathBuf {
        let made = Command::new("mkfifo").arg(self.path(name)).status();
        assert!(made.expect("mkfifo starts").success());
        self.path(name)
    }

    /// Signs `name` with the plain key, and checks that it went well.
    pub(super) fn sign(&self, name: &str) {
        self.run(&[&SIGN[..], &["--key", "key.pem", name]].concat()).ok();
    }

    /// The binary with these arguments: no terminal (`setsid` takes it away), no input, an empty environment.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(env!("CARGO_BIN_EXE_countersign")).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(self.root());
        support::stay_here(&mut command);
        support::hide_cards(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ended {
        self.end(&mut self.command(arguments))
    }

    /// Runs the command to its end.
    pub(super) fn end(&self, command: &mut Command) -> Ended {
        let child = command.spawn().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
        self.wait(child, &format!("{command:?}"))
    }

    /// Runs it with `input` on a pipe.
    pub(super) fn end_with_input(&self, command: &mut Command, input: &[u8]) -> Ended {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(input).expect("less than the pipe holds");
        drop(writer);
        self.end(command.stdin(reader))
    }

    /// Waits for a command that was started, and checks what holds for all.
    pub(super) fn wait(&self, child: std::process::Child, command: &str) -> Ended {
        let pid = child.id();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = receiver.recv_timeout(DEADLINE) else {
            signal(pid, "KILL");
            panic!("{command} still runs after {DEADLINE:?}");
        };
        self.check(&output.expect("a child can be waited for"), command)
    }

    fn check(&self, output: &Output, command: &str) -> Ended {
        let ended = Ended {
            code: output.status.code(),
            stdout: support::stdout(output),
            stderr: support::stderr(output),
            command: command.to_owned(),
        };
        for secret in &self.secrets {
            let shown = ended.stdout.contains(secret) || ended.stderr.contains(secret);
            assert!(!shown, "{command} shows a secret:\n{}", ended.stderr);
        }
        let left: Vec<_> = self.files().into_keys().filter(|name| name.contains(".countersign-")).collect();
        assert!(left.is_empty(), "{command} leaves {left:?}");
        ended
    }

    /// Runs what must be refused: with exit code 1, words on what, why and what next (each of `words`), both error lines,
    /// and every file as it was.
    pub(super) fn refuse(&self, arguments: &[&str], words: &[&str]) -> Ended {
        self.refuse_command(&mut self.command(arguments), words)
    }

    pub(super) fn refuse_command(&self, command: &mut Command, words: &[&str]) -> Ended {
        let before = self.files();
        let ended = self.end(command).failed(words);
        let after = self.files();
        assert!(before == after, "{} changes files: {:?}", ended.command, difference(&before, &after));
        ended
    }

    /// Each file under the root, with its content where that is short.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(self.root(), self.root(), &mut files);
        files
    }
}

fn difference<'a>(
    before: &'a BTreeMap<String, Vec<u8>>,
    after: &'a BTreeMap<String, Vec<u8>>,
) -> Vec<&'a str> {
    let names = before.keys().chain(after.keys()).map(String::as_str);
    names.filter(|name| before.get(*name) != after.get(*name)).collect()
}

fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).expect("a directory of the test") {
        let path = entry.expect("its entry").path();
        let name = path.strip_prefix(root).expect("below the root").display().to_string();
        let metadata = path.symlink_metadata().expect("an entry that stays");
        if metadata.is_dir() {
            collect(root, &path, files);
        }
        let content = if metadata.is_file() && metadata.len() <= 1 << 20 {
            fs::read(&path).expect("a file that stays")
        } else {
            format!("{:?}, {} bytes", metadata.file_type(), metadata.len()).into_bytes()
        };
        files.insert(name, content);
    }
}

pub(super) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode of our own file");
}

/// Sends a signal, as in `INT`, to a process that the test started.
pub(super) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.expect("kill starts").success(), "cannot send {name} to {pid}");
}
