//! The rows of the table: which commands run side by side, and the budget each is held against.
//!
//! Both tools get the same key, the same files and the same environment. Cosign's key file is the one both read, and
//! both verify the bundle that Cosign wrote.

mod of_images;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::keyless::{self, Keyless};
use crate::measure::{Figures, Program, run, side_by_side};
use crate::{Result, Tools, token};

/// The rows by name, in the order of the table.
pub(crate) const NAMES: [&str; 16] = [
    "start",
    "generate-key-pair",
    "unlock",
    "sign",
    "sign-plain",
    "verify",
    "keyless",
    "keyless-many",
    "sign-large",
    "verify-large",
    "many",
    "token",
    "token-many",
    "image",
    "image-many",
    "image-index",
];

/// The rows that the budget of another row is made of.
pub(crate) const NEEDED_FOR_SCRYPT: [&str; 2] = ["start", "unlock"];
pub(crate) const ROWS_WITH_SCRYPT: [&str; 3] = ["sign", "sign-large", "many"];

const PASSWORD: &str = "benchmark";
const SMALL_BYTES: usize = 1024;
const MANY_FILES: u32 = 1000;
const TOKEN_FILES: u32 = 500;
const KEYLESS_FILES: u32 = 500;
const GIB: u64 = 1 << 30;

/// One line of the table. A tool that cannot do the row has no figures.
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) ours: Option<Figures>,
    pub(crate) cosign: Option<Figures>,
    pub(crate) budget: Option<Budget>,
    /// A line for below the table: what the columns have no place for.
    pub(crate) note: Option<String>,
}

/// What ours may use at most: CPU in milliseconds, memory in MiB, and where the CPU figure comes from.
pub(crate) struct Budget {
    pub(crate) cpu_ms: f64,
    pub(crate) peak_mib: Option<f64>,
    pub(crate) made_of: &'static str,
}

/// The world that the commands run in: a directory of its own, with keys and files.
pub(crate) struct Bench<'a> {
    tools: &'a Tools,
    dir: &'a Path,
    log: PathBuf,
    quick: bool,
    large_gib: u64,
    start: Option<(Figures, Figures)>,
    keyed: Option<Keyed>,
    /// The variables that lead to the token; empty until a row wants it.
    token: Vec<(String, String)>,
}

/// Unlocking and signing, ours and Cosign: measured in the same rounds, because one is taken from the other.
#[derive(Clone, Copy)]
struct Keyed {
    unlock: (Figures, Figures),
    sign: (Figures, Figures),
}

impl<'a> Bench<'a> {
    /// Makes the keys and the small files in `dir`. Big files are sparse: they cost no disk, and a reader cannot tell.
    pub(crate) fn prepare(tools: &'a Tools, dir: &'a Path, quick: bool, large_gib: u64) -> Result<Self> {
        let log = dir.join("stderr");
        let bench = Self { tools, dir, log, quick, large_gib, start: None, keyed: None, token: Vec::new() };
        let small: Vec<u8> = (0..SMALL_BYTES).map(|index| index.to_le_bytes()[0]).collect();
        fs::write(dir.join("small"), small)?;
        run(&mut bench.cosign("generate-key-pair", &[]), &bench.log)?;
        run(&mut bench.cosign_sign("small.cosign.json", "small"), &bench.log)?;
        let plain = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "plain.key"];
        run(&mut bench.openssl("genpkey", &plain), &bench.log)?;
        let public = ["-in", "plain.key", "-pubout", "-out", "plain.pub"];
        run(&mut bench.openssl("pkey", &public), &bench.log)?;
        Ok(bench)
    }

    /// Measures the row of that name.
    pub(crate) fn measure(&mut self, name: &str) -> Result<Row> {
        match name {
            "start" => self.start(),
            "generate-key-pair" => self.generate_key_pair(),
            "unlock" => self.unlock(),
            "sign" => self.sign(),
            "sign-plain" => self.sign_plain(),
            "verify" => self.verify(),
            "keyless" => self.keyless(),
            "keyless-many" => self.keyless_many(),
            "sign-large" => self.sign_large(),
            "verify-large" => self.verify_large(),
            "many" => self.many(),
            "token" => self.token(),
            "token-many" => self.token_many(),
            "image" => self.image(),
            "image-many" => self.image_many(),
            "image-index" => self.image_index(),
            other => Err(format!("no row is called {other}; there are {}", NAMES.join(", ")).into()),
        }
    }

    fn start(&mut self) -> Result<Row> {
        let (ours, cosign) = self.pair(20, |_| self.ours("version", &[]), |_| self.cosign("version", &[]))?;
        self.start = Some((ours, cosign));
        Ok(Row::both("start (`version`)", ours, cosign, Budget::of(3.0, Some(12.0), "3 ms")))
    }

    fn generate_key_pair(&self) -> Result<Row> {
        let (ours, cosign) = self.pair(
            10,
            |round| self.ours("generate-key-pair", &["--output-key-prefix", &format!("ours-{round}")]),
            |round| self.cosign("generate-key-pair", &["--output-key-prefix", &format!("cosign-{round}")]),
        )?;
        Ok(Row::both("generate-key-pair, encrypted", ours, cosign, None))
    }

    fn unlock(&mut self) -> Result<Row> {
        let (ours, cosign) = self.keyed()?.unlock;
        Ok(Row::both("unlock (`public-key`): start + scrypt", ours, cosign, None))
    }

    fn sign(&mut self) -> Result<Row> {
        let (ours, cosign) = self.keyed()?.sign;
        let (our_scrypt_ms, cosign_scrypt_ms) = self.scrypt_ms();
        let budget = Budget::of(our_scrypt_ms + 5.0, None, "scrypt + 5 ms");
        let note = format!(
            "sign-blob 1 KiB beyond scrypt, CPU: ours {:.1} ms, Cosign {:.1} ms. scrypt is taken to be `public-key` less \
             `version`: {our_scrypt_ms:.1} and {cosign_scrypt_ms:.1} ms.",
            ours.cpu_median_ms - our_scrypt_ms,
            cosign.cpu_median_ms - cosign_scrypt_ms,
        );
        let row = Row::both("sign-blob 1 KiB, encrypted key", ours, cosign, budget);
        Ok(Row { note: Some(note), ..row })
    }

    fn keyed(&mut self) -> Result<Keyed> {
        if let Some(keyed) = self.keyed {
            return Ok(keyed);
        }
        let unlock = ["--key", "cosign.key"];
        let figures = side_by_side(
            &self.log,
            self.runs(15),
            true,
            &mut [
                Box::new(|_| self.ours("public-key", &unlock)),
                Box::new(|_| self.cosign("public-key", &unlock)),
                Box::new(|_| self.ours_sign("cosign.key", &["--bundle", "small.ours.json", "small"])),
                Box::new(|_| self.cosign_sign("small.cosign.json", "small")),
            ],
        )?;
        // What was timed is a signature only if the other side says so.
        run(&mut self.cosign_verify("small.ours.json", "small"), &self.log)?;
        let keyed = Keyed { unlock: (figures[0], figures[1]), sign: (figures[2], figures[3]) };
        self.keyed = Some(keyed);
        Ok(keyed)
    }

    fn sign_plain(&self) -> Result<Row> {
        let ours = |_| self.ours_sign("plain.key", &["--bundle", "plain.ours.json", "small"]);
        let figures = side_by_side(&self.log, self.runs(15), true, &mut [Box::new(ours)])?;
        self.exists("plain.ours.json")?;
        let title = "sign-blob 1 KiB, key without password: all but scrypt".to_owned();
        let (ours, budget) = (figures.first().copied(), Budget::of(5.0, None, "5 ms"));
        Ok(Row { title, ours, cosign: None, budget: Some(budget), note: None })
    }

    fn verify(&self) -> Result<Row> {
        let (ours, cosign) = self.pair(
            20,
            |_| self.ours_verify("small.cosign.json", "small"),
            |_| self.cosign_verify("small.cosign.json", "small"),
        )?;
        Ok(Row::both("verify-blob 1 KiB, key", ours, cosign, Budget::of(3.0, None, "3 ms")))
    }

    fn keyless(&self) -> Result<Row> {
        let one = Keyless::new(self.dir)?.one();
        let one = strings(&one);
        let (ours, cosign) =
            self.pair(20, |_| self.ours("verify-blob", &one), |_| self.cosign("verify-blob", &one))?;
        Ok(Row::both("verify-blob, certificate and log", ours, cosign, Budget::of(3.0, Some(12.0), "3 ms")))
    }

    fn keyless_many(&self) -> Result<Row> {
        let keyless = Keyless::new(self.dir)?;
        let all: Vec<_> =
            keyless.arguments().into_iter().chain(keyless.copies(self.dir, KEYLESS_FILES)?).collect();
        let (all, one) = (strings(&all), keyless.one());
        let one = strings(&one);
        let program = std::env::current_exe().unwrap_or_default();
        let count = KEYLESS_FILES.to_string();
        let figures = side_by_side(
            &self.log,
            self.runs(10),
            true,
            &mut [
                Box::new(|_| self.command(&program, keyless::FLOOR, &[&count])),
                Box::new(|_| self.ours("verify-blob", &all)),
                Box::new(|_| self.cosign("verify-blob", &one)),
            ],
        )?;
        let (floor, ours) = (figures[0].per_item(KEYLESS_FILES), figures[1].per_item(KEYLESS_FILES));
        let note = format!(
            "keyless-many: the signatures of one bundle checked by themselves: CPU {:.2} ms. Ours runs at {:.0} % of that rate.",
            floor.cpu_median_ms,
            100.0 * floor.cpu_median_ms / ours.cpu_median_ms,
        );
        let budget =
            Budget::of(floor.cpu_median_ms / 0.8, None, "80 % of the rate of the signature checks alone");
        let title =
            format!("{KEYLESS_FILES} such bundles, per bundle: one call of ours, single calls of Cosign");
        Ok(Row { note: Some(note), ..Row::both(&title, ours, figures[2], budget) })
    }

    fn sign_large(&self) -> Result<Row> {
        let ours = |_| self.ours_sign("cosign.key", &["--bundle", "large.ours.json", "large"]);
        let cosign = |_| self.cosign_sign("large.cosign.json", "large");
        let figures = self.against_openssl(Box::new(ours), Box::new(cosign))?;
        self.exists("large.ours.json")?;
        let budget = figures[0].cpu_median_ms * 1.1 + self.scrypt_ms().0;
        let budget = Budget::of(budget, Some(80.0), "`openssl dgst -sha256` + 10 % + scrypt");
        let title = format!("sign-blob {} GiB, encrypted key", self.large_gib);
        Ok(Self::beside_openssl(&title, &figures, budget))
    }

    fn verify_large(&self) -> Result<Row> {
        self.make_large()?;
        run(&mut self.cosign_sign("large.cosign.json", "large"), &self.log)?;
        let ours = |_| self.ours_verify("large.cosign.json", "large");
        let cosign = |_| self.cosign_verify("large.cosign.json", "large");
        let figures = self.against_openssl(Box::new(ours), Box::new(cosign))?;
        let budget = Budget::of(figures[0].cpu_median_ms * 1.1, Some(16.0), "`openssl dgst -sha256` + 10 %");
        let title = format!("verify-blob {} GiB, key", self.large_gib);
        Ok(Self::beside_openssl(&title, &figures, budget))
    }

    fn many(&self) -> Result<Row> {
        let names: Vec<String> = (0..MANY_FILES).map(|index| format!("many-{index}")).collect();
        for name in &names {
            fs::write(self.dir.join(name), name)?;
        }
        let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
        let (ours, cosign) = self.pair(
            20,
            |_| self.ours_sign("cosign.key", &arguments),
            |round| self.cosign_sign("many.cosign.json", &names[round % names.len()]),
        )?;
        let last = names.len() - 1;
        run(&mut self.cosign_verify(&format!("many-{last}.sigstore.json"), &names[last]), &self.log)?;
        let count = f64::from(MANY_FILES);
        let budget = Budget::of(self.scrypt_ms().0 / count + 0.2, None, "one scrypt + 0.2 ms each");
        let title = format!("{MANY_FILES} files, per file: one call of ours, single calls of Cosign");
        Ok(Row::both(&title, ours.per_item(MANY_FILES), cosign, budget))
    }

    fn beside_openssl(title: &str, figures: &[Figures], budget: Budget) -> Row {
        let note = format!(
            "{title}, beside it `openssl dgst -sha256` of the same file: CPU {:.0} / {:.0} ms, wall {:.0} ms, peak {:.1} MiB.",
            figures[0].cpu_min_ms, figures[0].cpu_median_ms, figures[0].wall_median_ms, figures[0].peak_mib,
        );
        Row { note: Some(note), ..Row::both(title, figures[1], figures[2], budget) }
    }

    fn token(&mut self) -> Result<Row> {
        self.make_token()?;
        let key = "pkcs11:object=p256";
        let figures = side_by_side(
            &self.log,
            self.runs(20),
            true,
            &mut [
                Box::new(|_| self.floor("p256", 1)),
                Box::new(|_| self.ours_sign(key, &["--bundle", "token.json", "small"])),
                Box::new(|_| self.cosign_token("p256", "small")),
            ],
        )?;
        let floor = figures[0];
        let note = format!(
            "token: C_Initialize, C_Login, one C_Sign and a verification by themselves: CPU {:.1} ms.",
            floor.cpu_median_ms
        );
        let budget = Budget::of(floor.cpu_median_ms + 3.0, None, "the same calls by themselves + 3 ms");
        Ok(Row {
            note: Some(note),
            ..Row::both("sign-blob 1 KiB, P-256 on SoftHSM", figures[1], figures[2], budget)
        })
    }

    fn token_many(&mut self) -> Result<Row> {
        self.make_token()?;
        let names: Vec<String> = (0..TOKEN_FILES).map(|index| format!("token-{index}")).collect();
        for name in &names {
            fs::write(self.dir.join(name), name)?;
        }
        let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
        let figures = side_by_side(
            &self.log,
            self.runs(10),
            true,
            &mut [
                Box::new(|_| self.floor("rsa2048", TOKEN_FILES)),
                Box::new(|_| self.ours_sign("pkcs11:object=rsa2048", &arguments)),
                Box::new(|round| self.cosign_token("rsa2048", &names[round % names.len()])),
            ],
        )?;
        let (floor, ours) = (figures[0].per_item(TOKEN_FILES), figures[1].per_item(TOKEN_FILES));
        let note = format!(
            "token-many: one C_Sign and a verification by themselves, in a loop of {TOKEN_FILES}: CPU {:.2} ms, wall {:.2} ms. \
             Ours runs at {:.0} % of that rate.",
            floor.cpu_median_ms,
            floor.wall_median_ms,
            100.0 * floor.wall_median_ms / ours.wall_median_ms,
        );
        let budget =
            Budget::of(1.1 * floor.cpu_median_ms + 0.2, None, "C_Sign + verify, + 10 %, + 0.2 ms each");
        let title = format!(
            "{TOKEN_FILES} files, RSA-2048 on SoftHSM, per file: one call of ours, single calls of Cosign"
        );
        Ok(Row { note: Some(note), ..Row::both(&title, ours, figures[2], budget) })
    }

    fn make_token(&mut self) -> Result<()> {
        if self.token.is_empty() {
            self.token = token::make(self.dir)?;
        }
        Ok(())
    }

    fn floor(&self, label: &str, count: u32) -> Command {
        let program = std::env::current_exe().unwrap_or_default();
        self.command(&program, token::FLOOR, &[label, &count.to_string()])
    }

    fn cosign_token(&self, label: &str, file: &str) -> Command {
        let module = self.token.iter().find(|(name, _)| name == "COSIGN_PKCS11_MODULE_PATH");
        let module = module.map_or("", |(_, path)| path);
        let key =
            format!("pkcs11:token=countersign;object={label}?module-path={module}&pin-value={}", token::PIN);
        let offline = ["--use-signing-config=false", "--tlog-upload=false", "-y", "--key", &key];
        let mut command = self.cosign("sign-blob", &offline);
        command.args(["--bundle", "token.cosign.json", file]);
        command
    }

    /// The scrypt part, CPU median of ours and of Cosign: what unlocking the key costs beyond the start of the program.
    /// Reading the key file and deriving the public key count with it; row `sign-plain` has no such doubt.
    fn scrypt_ms(&self) -> (f64, f64) {
        let (Some(start), Some(Keyed { unlock, .. })) = (self.start, self.keyed) else { return (0.0, 0.0) };
        let scrypt = |unlock: Figures, start: Figures| (unlock.cpu_median_ms - start.cpu_median_ms).max(0.0);
        (scrypt(unlock.0, start.0), scrypt(unlock.1, start.1))
    }

    fn runs(&self, runs: usize) -> usize {
        if self.quick { runs.div_ceil(5) } else { runs }
    }

    fn pair<'p>(
        &'p self,
        runs: usize,
        ours: impl FnMut(usize) -> Command + 'p,
        cosign: impl FnMut(usize) -> Command + 'p,
    ) -> Result<(Figures, Figures)> {
        let figures =
            side_by_side(&self.log, self.runs(runs), true, &mut [Box::new(ours), Box::new(cosign)])?;
        Ok((figures[0], figures[1]))
    }

    /// Figures of `openssl dgst -sha256`, ours and Cosign, in this order, so that openssl warms the page cache.
    fn against_openssl<'p>(&'p self, ours: Program<'p>, cosign: Program<'p>) -> Result<Vec<Figures>> {
        self.make_large()?;
        let openssl: Program<'p> = Box::new(|_| self.openssl("dgst", &["-sha256", "large"]));
        run(&mut self.openssl("dgst", &["-sha256", "large"]), &self.log)?;
        side_by_side(&self.log, self.runs(5), false, &mut [openssl, ours, cosign])
    }

    fn make_large(&self) -> Result<()> {
        Ok(File::create(self.dir.join("large"))?.set_len(self.large_gib * GIB)?)
    }

    fn exists(&self, name: &str) -> Result<()> {
        if self.dir.join(name).is_file() { Ok(()) } else { Err(format!("no run wrote {name}").into()) }
    }

    fn ours_sign(&self, key: &str, arguments: &[&str]) -> Command {
        let mut command = self.ours("sign-blob", &["--key", key, "--tlog-upload=false", "-y"]);
        command.args(arguments);
        command
    }

    fn ours_verify(&self, bundle: &str, file: &str) -> Command {
        self.ours("verify-blob", &["--key", "cosign.pub", "--insecure-ignore-tlog", "--bundle", bundle, file])
    }

    fn cosign_sign(&self, bundle: &str, file: &str) -> Command {
        let offline = ["--use-signing-config=false", "--tlog-upload=false", "-y"];
        let mut command = self.cosign("sign-blob", &offline);
        command.args(["--key", "cosign.key", "--bundle", bundle, file]);
        command
    }

    fn cosign_verify(&self, bundle: &str, file: &str) -> Command {
        self.cosign(
            "verify-blob",
            &["--key", "cosign.pub", "--insecure-ignore-tlog", "--bundle", bundle, file],
        )
    }

    fn ours(&self, name: &str, arguments: &[&str]) -> Command {
        self.command(&self.tools.ours, name, arguments)
    }

    fn cosign(&self, name: &str, arguments: &[&str]) -> Command {
        self.command(&self.tools.cosign, name, arguments)
    }

    fn openssl(&self, name: &str, arguments: &[&str]) -> Command {
        self.command(&self.tools.openssl, name, arguments)
    }

    /// An environment of its own: no variable of the caller changes what a tool does, no file of the caller is read.
    fn command(&self, program: &Path, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg(name).args(arguments).current_dir(self.dir);
        command.env_clear().env("HOME", self.dir).env("COSIGN_PASSWORD", PASSWORD);
        command.envs(self.token.iter().cloned()).env("COSIGN_PKCS11_PIN", token::PIN);
        command
    }
}

fn strings(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

impl Row {
    fn both(title: &str, ours: Figures, cosign: Figures, budget: impl Into<Option<Budget>>) -> Self {
        Self {
            title: title.to_owned(),
            ours: Some(ours),
            cosign: Some(cosign),
            budget: budget.into(),
            note: None,
        }
    }
}

impl Budget {
    fn of(cpu_ms: f64, peak_mib: Option<f64>, made_of: &'static str) -> Self {
        Self { cpu_ms, peak_mib, made_of }
    }

    /// Whether ours stays within it. The smallest CPU time is not enough: the median has to fit.
    pub(crate) fn is_met_by(&self, ours: &Figures) -> bool {
        ours.cpu_median_ms <= self.cpu_ms && self.peak_mib.is_none_or(|most| ours.peak_mib <= most)
    }
}
