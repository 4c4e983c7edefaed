//! Kryoptic, built from `tests/rigs/pkcs11/kryoptic`. Its token is one SQLite file, made once in a test program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;

use super::super::{succeed, tool};
use super::{PIN, Rig, SO_PIN, TOKEN, build, text};

/// A key: label, `CKA_ID` in hexadecimal, and what `openssl genpkey` is told.
struct Key(&'static str, &'static str, [&'static str; 2]);

/// The keys and IDs of SoftHSM's token, but Ed25519: the module's build for OpenSSL 3.0 has none.
const KEYS: [Key; 6] = [
    Key("p256", "01", ["EC", "ec_paramgen_curve:P-256"]),
    Key("p384", "02", ["EC", "ec_paramgen_curve:P-384"]),
    Key("p521", "03", ["EC", "ec_paramgen_curve:P-521"]),
    Key("rsa2048", "04", ["RSA", "rsa_keygen_bits:2048"]),
    Key("rsa3072", "05", ["RSA", "rsa_keygen_bits:3072"]),
    Key("rsa4096", "06", ["RSA", "rsa_keygen_bits:4096"]),
];

/// A token that several processes may use at once, and that locks after ten wrong PINs.
pub(crate) struct Kryoptic {
    directory: TempDir,
    module: &'static Path,
}

struct Template {
    token: Vec<u8>,
    /// In the order of [`KEYS`], PEM.
    public: Vec<Vec<u8>>,
}

impl Kryoptic {
    /// `None` where a tool or a header is missing, which was said aloud.
    pub(crate) fn new() -> Option<Self> {
        let template = template()?;
        let kryoptic = Self::empty(module()?);
        fs::write(kryoptic.directory().join("token.sql"), &template.token).expect("a new file");
        for (Key(label, ..), pem) in KEYS.iter().zip(&template.public) {
            fs::write(kryoptic.public_key(label), pem).expect("a new file");
        }
        Some(kryoptic)
    }

    /// With a configuration and no token.
    fn empty(module: &'static Path) -> Self {
        let kryoptic = Self { directory: tempfile::tempdir().expect("a temporary directory"), module };
        let database = text(&kryoptic.directory().join("token.sql"));
        let lines = format!("[[slots]]\nslot = 42\ndbtype = \"sqlite\"\ndbargs = {database:?}\n");
        fs::write(kryoptic.directory().join("kryoptic.conf"), lines).expect("a new file");
        kryoptic
    }

    /// Holds `kryoptic.conf`, `token.sql` and the public keys.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The public key of that label in PEM, as OpenSSL wrote it.
    pub(crate) fn public_key(&self, label: &str) -> PathBuf {
        self.directory().join(format!("{label}.pub"))
    }
}

impl Rig for Kryoptic {
    fn environment(&self) -> Vec<(String, String)> {
        vec![
            ("KRYOPTIC_CONF".to_owned(), text(&self.directory().join("kryoptic.conf"))),
            ("COSIGN_PKCS11_MODULE_PATH".to_owned(), text(self.module)),
        ]
    }

    fn module(&self) -> &Path {
        self.module
    }
}

fn module() -> Option<&'static Path> {
    static MODULE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MODULE.get_or_init(|| build("kryoptic")).as_deref()
}

fn template() -> Option<&'static Template> {
    static TEMPLATE: OnceLock<Option<Template>> = OnceLock::new();
    let make = || {
        tool("softhsm2-util", &["--version"])?;
        tool("openssl", &["version"])?;
        let kryoptic = Kryoptic::empty(module()?);
        fill(&kryoptic);
        let read = |path| fs::read(path).expect("a file just made");
        Some(Template {
            token: read(kryoptic.directory().join("token.sql")),
            public: KEYS.iter().map(|Key(label, ..)| read(kryoptic.public_key(label))).collect(),
        })
    };
    TEMPLATE.get_or_init(make).as_ref()
}

/// Initialises the token and takes in keys that OpenSSL makes, all at once since RSA takes seconds.
fn fill(kryoptic: &Kryoptic) {
    let (module, environment) = (text(kryoptic.module), kryoptic.environment());
    let private = |label: &str| text(&kryoptic.directory().join(label));
    let openssl = |arguments: &[&str]| {
        succeed(Command::new("openssl").args(arguments).stdin(Stdio::null()));
    };
    thread::scope(|scope| {
        for Key(label, _, [algorithm, option]) in &KEYS {
            scope.spawn(move || {
                openssl(&["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", &private(label)]);
                openssl(&[
                    "pkey",
                    "-in",
                    &private(label),
                    "-pubout",
                    "-out",
                    &text(&kryoptic.public_key(label)),
                ]);
            });
        }
    });
    // SoftHSM's tool serves other modules too.
    let run = |arguments: &[&str]| {
        let mut util = Command::new("softhsm2-util");
        succeed(
            util.args(["--module", &module])
                .args(arguments)
                .envs(environment.iter().cloned())
                .stdin(Stdio::null()),
        );
    };
    run(&["--init-token", "--slot", "42", "--label", TOKEN, "--so-pin", SO_PIN, "--pin", PIN]);
    for Key(label, id, _) in &KEYS {
        run(&["--import", &private(label), "--token", TOKEN, "--label", label, "--id", id, "--pin", PIN]);
    }
}
