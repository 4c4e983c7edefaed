//! Where trust comes from when no file names it: a repository of The Update Framework (TUF 1.0), Sigstore's own or another.
//!
//! [`Repository::settled`] finds out which one is meant, as Cosign does: `TUF_MIRROR`, else what `initialize` left in the cache,
//! else Sigstore's. [`Repository::target`] gives a file that its roles signed. Everything that the cache holds is verified again
//! from the root each time, so whoever can write there can make us fail, and no more.

mod cache;
mod failure;
mod mirror;
pub mod parts;
mod questions;

use std::path::PathBuf;

use countersign_core::context::Environment;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, PublicKey, bounded};
use jiff::Timestamp;
use sigstore_tuf::{Root, Updater, UpdaterConfig};

use cache::Cache;
use mirror::Mirror;
use questions::Questions;

/// Sigstore's own repository.
pub const SIGSTORE: &str = "https://tuf-repo-cdn.sigstore.dev";
/// Its rehearsal.
pub const STAGING: &str = "https://tuf-repo-cdn.sigstage.dev";
/// What verifiers need, by its name in the repository.
pub const TRUSTED_ROOT: &str = "trusted_root.json";
/// What signers need.
pub const SIGNING_CONFIG: &str = "signing_config.v0.2.json";

/// The same for logs of version 2.
pub const REKOR_2_CONFIG: &str = "signing_config_rekor_v2.v0.2.json";

/// The cache's directory.
pub const CACHE_VARIABLE: &str = "TUF_ROOT";
/// Another repository.
pub const MIRROR_VARIABLE: &str = "TUF_MIRROR";
/// The root to begin from.
pub const ROOT_VARIABLE: &str = "TUF_ROOT_JSON";

/// Version 16 of the root of github.com/sigstore/root-signing, until April 2027; later ones are reached from it.
const SIGSTORE_ROOT: &[u8] = include_bytes!("trust/roots/sigstore.json");
/// Version 15 of the root of github.com/sigstore/root-signing-staging.
const STAGING_ROOT: &[u8] = include_bytes!("trust/roots/staging.json");

/// The largest root read, in bytes.
pub const MAX_ROOT_BYTES: u64 = 512_000;
/// The largest target read, in bytes; a trusted root has some ten thousand.
const MAX_TARGET_BYTES: u64 = 4 * 1024 * 1024;

/// When the repository itself is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Never: what the cache holds must do, and be valid still.
    Never,
    /// When it was not for a day, and when the cache does not do.
    Daily,
    /// Now.
    Now,
}

/// A TUF repository, the root to begin from and the cache.
#[derive(Debug)]
pub struct Repository {
    mirror: Mirror,
    root: Vec<u8>,
    cache: Cache,
}

/// What a repository answered.
#[derive(Debug)]
pub struct Answer {
    /// The target, or why there is none, one for each name asked for.
    pub targets: Vec<Result<Vec<u8>>>,
    /// The version of the root that was reached.
    pub root_version: u64,
    /// Until when that root is valid.
    pub root_expires: Timestamp,
}

impl Repository {
    /// The repository that the variables and the cache name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for another repository than Sigstore's without a root; those of reading the files.
    pub fn settled(context: &OpenContext<'_>) -> Result<Self> {
        let directory = cache_directory(context.environment);
        let named = text(context.environment, MIRROR_VARIABLE)?;
        let address = match (named, &directory) {
            (Some(named), _) => named,
            (None, Some(directory)) => {
                cache::remembered_mirror(directory)?.unwrap_or_else(|| SIGSTORE.to_owned())
            }
            (None, None) => SIGSTORE.to_owned(),
        };
        let mirror = Mirror::parse(&address)?;
        let cache = Cache::new(directory, mirror.address());
        let root = match text(context.environment, ROOT_VARIABLE)? {
            Some(path) => bounded::read(path.as_ref(), MAX_ROOT_BYTES, context.deadline)
                .map_err(|cause| Error::io("read the TUF root", path, cause))?,
            None => match embedded(mirror.address()) {
                Some(root) => root.to_vec(),
                // What `initialize` put there is the user's own.
                None => cache.root()?.ok_or_else(|| unknown_root(mirror.address()))?,
            },
        };
        Ok(Self { mirror, root, cache })
    }

    /// A repository by address, with the root to begin from: given, or the one we know. The cache is `TUF_ROOT`'s.
    ///
    /// # Errors
    /// [`ErrorKind::BadUri`] for an address that is none, [`ErrorKind::NotFound`] where a root is needed.
    pub fn at(address: &str, root: Option<Vec<u8>>, environment: &dyn Environment) -> Result<Self> {
        let mirror = Mirror::parse(address)?;
        let known = || embedded(mirror.address()).map(<[u8]>::to_vec);
        let root = root.or_else(known).ok_or_else(|| unknown_root(mirror.address()))?;
        let cache = Cache::new(cache_directory(environment), mirror.address());
        Ok(Self { mirror, root, cache })
    }

    /// One target.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where something is not signed as it must be, went back or is out of date; those of the
    /// network; [`ErrorKind::NotFound`] for a target that is not there.
    pub fn target(&self, name: &str, refresh: Refresh, context: &OpenContext<'_>) -> Result<Vec<u8>> {
        let now = Timestamp::now();
        let from_cache = || self.ask(&[name], &Mirror::Cache(self.cache.clone()), None, now, context);
        if refresh == Refresh::Never {
            let one = from_cache().and_then(only);
            return one.map_err(|error| {
                error.hint(
                    "the network is not asked with --offline: run it once without, or pass --trusted-root",
                )
            });
        }
        if refresh == Refresh::Daily
            && self.cache.is_fresh(now)
            && let Ok(target) = from_cache().and_then(only)
        {
            return Ok(target);
        }
        let target = only(self.ask(&[name], &self.mirror, Some(self.cache.clone()), now, context)?)?;
        // Where nothing can be kept, the repository is asked again next time, and no more.
        let _ = self.cache.commit(now);
        Ok(target)
    }

    /// Asks for targets and puts them into the cache in place of what was there, if the first one is there and `check`
    /// accepts it. Otherwise the cache is as before.
    ///
    /// # Errors
    /// Those of [`Repository::target`] but for targets behind the first, whose errors are in the answer; those of `check`.
    pub fn initialize(
        &self,
        names: &[&str],
        check: impl Fn(&[u8]) -> Result<()>,
        context: &OpenContext<'_>,
    ) -> Result<Answer> {
        let now = Timestamp::now();
        let fresh = self.cache.anew()?;
        let mut answer = self.ask(names, &self.mirror, Some(fresh.clone()), now, context)?;
        match answer.targets.first() {
            Some(Ok(target)) => check(target)?,
            Some(Err(_)) => drop(answer.targets.swap_remove(0)?),
            None => {}
        }
        fresh.commit(now)?;
        fresh.remember()?;
        Ok(answer)
    }

    fn ask(
        &self,
        names: &[&str],
        mirror: &Mirror,
        cache: Option<Cache>,
        now: Timestamp,
        context: &OpenContext<'_>,
    ) -> Result<Answer> {
        let mut config = UpdaterConfig::default();
        config.target_max_length = MAX_TARGET_BYTES;
        let questions = Questions::default();
        let what = |error| failure::of(error, mirror, now);
        let updater = Updater::new(questions.clone(), &self.root).map_err(what)?.with_config(config);
        let mut updater = match cache {
            Some(cache) => updater.with_store(cache),
            None => updater,
        };
        let mut connection = mirror.open(context)?;
        let asked = questions.answer(
            async {
                updater.refresh(now).await?;
                let mut targets = Vec::new();
                for name in names {
                    targets.push(updater.get_target(name, now).await);
                }
                Ok(targets)
            },
            |path, limit| connection.fetch(path, limit),
        );
        let targets = asked?.map_err(what)?;
        let root = updater.trusted().root();
        refuse_doubled_keys(root).map_err(|why| failure::bad_root(mirror, why))?;
        Ok(Answer {
            targets: targets.into_iter().map(|target| target.map_err(what)).collect(),
            root_version: root.version,
            root_expires: root.expires,
        })
    }

    /// The address.
    pub fn address(&self) -> &str {
        self.mirror.address()
    }

    /// Where the cache lies.
    pub fn cache_directory(&self) -> Option<&std::path::Path> {
        self.cache.directory()
    }
}

fn only(answer: Answer) -> Result<Vec<u8>> {
    answer.targets.into_iter().next().unwrap_or_else(|| Err(Error::internal("no target was asked for")))
}

fn embedded(address: &str) -> Option<&'static [u8]> {
    match address {
        SIGSTORE => Some(SIGSTORE_ROOT),
        STAGING => Some(STAGING_ROOT),
        _ => None,
    }
}

fn unknown_root(address: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("cannot trust the TUF repository {address}"))
        .why("no root of it is known")
        .hint(format!(
            "run: countersign initialize --mirror {address} --root root.json; or name one in {ROOT_VARIABLE}"
        ))
}

/// `TUF_ROOT`, else Cosign's place below the home directory.
fn cache_directory(environment: &dyn Environment) -> Option<PathBuf> {
    let set = |name| environment.variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(CACHE_VARIABLE).or_else(|| set("HOME").map(|home| home.join(".sigstore").join("root")))
}

fn text(environment: &dyn Environment, name: &str) -> Result<Option<String>> {
    let Some(value) = environment.variable(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    value.into_string().map(Some).map_err(|_| {
        Error::new(ErrorKind::BadUri, format!("cannot use {name}")).why("its value is not UTF-8")
    })
}

/// A key that stands twice among a role's, under two names or in two encodings, would count twice.
fn refuse_doubled_keys(root: &Root) -> std::result::Result<(), String> {
    for (name, role) in &root.roles {
        let mut seen = std::collections::BTreeSet::new();
        for id in &role.keyids {
            let Some(key) = root.keys.get(id) else { continue };
            let text = key.keyval.public.trim();
            let same = match PublicKey::from_pem_or_der(text.as_bytes()) {
                Ok(key) => key.hint(),
                Err(_) => text.to_ascii_lowercase(),
            };
            if !seen.insert(same) {
                return Err(format!("the role {name} has one key under two names, {id} the second"));
            }
        }
    }
    Ok(())
}
