//! `initialize`: fetches the trusted root of a TUF repository, and remembers the repository for all commands.

use std::path::Path;

use clap::Args;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::hexadecimal::hex;
use countersign_core::http::{Client, Endpoint, Method, Options, Request};
use countersign_core::{HashAlgorithm, OpenContext, bounded};

use super::Run;
use super::flags::key::PasswordFlags;
use crate::exit::Failure;
use crate::trust::{MAX_ROOT_BYTES, Repository, SIGNING_CONFIG, SIGSTORE, STAGING, TRUSTED_ROOT};
use crate::verify::Trust;

/// Fetches the trusted root of Sigstore or of another instance, for verifying and signing
///
/// Everything is verified from a root on: the one that is built in, or the one that --root names. What was fetched lies in
/// ~/.sigstore/root, or in the directory that TUF_ROOT names; verify with --offline to use nothing else.
#[derive(Debug, Args)]
pub(crate) struct Initialize {
    /// The TUF repository: an https address, or file:///DIRECTORY
    #[arg(long, value_name = "URL", default_value = SIGSTORE, conflicts_with = "staging")]
    mirror: String,

    /// The root to begin from: a file, or an https address
    #[arg(long, value_name = "FILE", conflicts_with = "staging")]
    root: Option<String>,

    /// Its digest: SHA-256 in hex, or sha512:HEX
    #[arg(long, value_name = "DIGEST", requires = "root")]
    root_checksum: Option<String>,

    /// Take Sigstore's staging instance
    #[arg(long)]
    staging: bool,
}

impl Initialize {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let world = PasswordFlags::default().world(run, false);
        let context = world.context();
        let root = self.root.as_deref().map(|root| self.read_root(root, run, &context)).transpose()?;
        let address = if self.staging { STAGING } else { &self.mirror };
        let repository = Repository::at(address, root, context.environment)?;
        // A trusted root that this version cannot read is of no use, and does not replace one that it can.
        let check = |root: &[u8]| Trust::parse(root).map(drop);
        let answer = repository.initialize(&[TRUSTED_ROOT, SIGNING_CONFIG], check, &context)?;
        if let Some(Err(error)) = answer.targets.get(1) {
            run.warning(format!(
                "there is no {SIGNING_CONFIG} ({}): signers must name the services, as with --signing-config",
                error.cause().unwrap_or_default()
            ));
        }
        let cache = repository.cache_directory().map(|path| path.display().to_string()).unwrap_or_default();
        run.output.note(format!(
            "Trusts {}: root version {}, valid until {}; kept in {cache}",
            repository.address(),
            answer.root_version,
            answer.root_expires
        ));
        Ok(())
    }

    fn read_root(
        &self,
        root: &str,
        run: &mut Run<'_>,
        context: &OpenContext<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let is_fetched = root.starts_with("https://") || root.starts_with("http://");
        let bytes = if is_fetched {
            match &self.root_checksum {
                None if root.starts_with("http://") => {
                    return Err(Failure::usage_with_hint(
                        "whoever is on the way could put another root in the place of one that comes by plain http",
                        "pass --root-checksum, or fetch the root in another way and pass the file",
                    ));
                }
                None => run.warning(
                    "the root is taken as the server gives it: with --root-checksum it must be the one that you know",
                ),
                Some(_) => {}
            }
            fetch(root, context)?
        } else {
            bounded::read(Path::new(root), MAX_ROOT_BYTES, context.deadline)
                .map_err(|cause| Error::io("read the TUF root", root, cause))?
        };
        if let Some(checksum) = &self.root_checksum {
            compare(root, &bytes, checksum)?;
        }
        Ok(bytes)
    }
}

fn fetch(address: &str, context: &OpenContext<'_>) -> Result<Vec<u8>, Error> {
    const ACT: &str = "fetch the TUF root";
    let endpoint = Endpoint::parse(address, "--root")?;
    let options = Options { max_answer_bytes: MAX_ROOT_BYTES as usize, ..Options::default() };
    let client = Client::new(endpoint, options, context)?;
    let request = Request { method: Method::Get, path: "", headers: &[], credentials: &[], body: None };
    let answer = client.send(ACT, &request)?;
    if !answer.is_success() {
        return Err(Error::new(ErrorKind::NotFound, format!("cannot {ACT}"))
            .why(format!("{} answers with status {}", client.endpoint(), answer.status))
            .hint("check the address"));
    }
    Ok(answer.body.to_vec())
}

fn compare(root: &str, bytes: &[u8], checksum: &str) -> Result<(), Failure> {
    let (algorithm, expected) = match checksum.split_once(':') {
        Some(("sha512", expected)) => (HashAlgorithm::Sha512, expected),
        Some(("sha256", expected)) => (HashAlgorithm::Sha256, expected),
        None => (HashAlgorithm::Sha256, checksum),
        Some((other, _)) => {
            return Err(Failure::usage(format!(
                "--root-checksum is SHA-256 in hex or sha512:HEX, not {other}"
            )));
        }
    };
    let found = hex(algorithm.digest(bytes).bytes());
    if found != expected.to_ascii_lowercase() {
        return Err(Failure::Error(
            Error::new(ErrorKind::Integrity, format!("cannot trust the TUF root {root}"))
                .why(format!("its digest is {found}, expected {expected}"))
                .hint("ask the instance's owners for the digest and the root"),
        ));
    }
    Ok(())
}
