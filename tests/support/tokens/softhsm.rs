//! SoftHSM, as `softhsm/up` makes it. That takes seconds, so it runs once in a test program; each token is a copy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::super::{stdout, succeed, tool};
use super::{Rig, exports, root, text};

/// A token with the keys of `softhsm/README.md`. One process may use it at a time.
pub(crate) struct SoftHsm {
    directory: TempDir,
    module: PathBuf,
}

struct Template {
    /// Below the directory: name and content.
    files: Vec<(PathBuf, Vec<u8>)>,
    module: PathBuf,
}

impl SoftHsm {
    /// `None` where SoftHSM or OpenSSL is missing, which was said aloud.
    pub(crate) fn new() -> Option<Self> {
        let template = template()?;
        let token = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
            module: template.module.clone(),
        };
        for (name, content) in &template.files {
            let path = token.directory().join(name);
            fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a new directory");
            fs::write(path, content).expect("a new file");
        }
        let tokens = text(&token.directory().join("tokens"));
        let lines =
            format!("directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n");
        fs::write(token.directory().join("softhsm2.conf"), lines).expect("a new file");
        Some(token)
    }

    /// Holds `softhsm2.conf`, `tokens` and `public`.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The public key of that label in PEM, as OpenSSL wrote it.
    pub(crate) fn public_key(&self, label: &str) -> PathBuf {
        self.directory().join("public").join(format!("{label}.pem"))
    }
}

impl Rig for SoftHsm {
    fn environment(&self) -> Vec<(String, String)> {
        vec![
            ("SOFTHSM2_CONF".to_owned(), text(&self.directory().join("softhsm2.conf"))),
            ("COSIGN_PKCS11_MODULE_PATH".to_owned(), text(&self.module)),
        ]
    }

    fn module(&self) -> &Path {
        &self.module
    }
}

fn template() -> Option<&'static Template> {
    static TEMPLATE: OnceLock<Option<Template>> = OnceLock::new();
    let make = || {
        tool("softhsm2-util", &["--version"])?;
        tool("openssl", &["version"])?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut up = Command::new(root().join("softhsm/up"));
        let printed = succeed(up.arg(directory.path()).stdin(Stdio::null()));
        let mut variables = exports(&stdout(&printed)).into_iter();
        let module =
            variables.find(|(name, _)| name == "COSIGN_PKCS11_MODULE_PATH").expect("softhsm/up tells it");
        let mut files = Vec::new();
        for part in ["tokens", "public"] {
            collect(directory.path(), &directory.path().join(part), &mut files);
        }
        Some(Template { files, module: module.1.into() })
    };
    TEMPLATE.get_or_init(make).as_ref()
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory).expect("a directory of the token") {
        let path = entry.expect("its entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_owned();
            files.push((name, fs::read(path).expect("a file of the token")));
        }
    }
}
