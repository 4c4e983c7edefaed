//! A policy file with everything that it names: keys, trusted root, Rego and CUE.

use std::path::{Path, PathBuf};

use countersign_core::error::Result;
use countersign_core::{KeyUri, OpenContext, PublicKey, TrustLevel};

use super::Run;
use super::flags::trust::{Needs, TrustFlags};
use super::judge::{Judged, Verdict};
use crate::artifact::{Artifact, measure};
use crate::attest::policies::Policies;
use crate::backends;
use crate::exit::Failure;
use crate::policy::decide::{Signer, decide};
use crate::policy::{self, PolicyFile, Who};
use crate::verify::{Evidence, Material, Trust};

/// A policy, ready to judge by.
pub(crate) struct PolicyInForce {
    policy: PolicyFile,
    /// The key of each signer that is one.
    keys: Vec<Option<PublicKey>>,
    /// The Rego and CUE of each attestation.
    policies: Vec<Policies>,
}

impl PolicyInForce {
    /// Reads the file and what it names, all relative to its own directory. What it names is data: no environment, commands,
    /// modules, plugins or PINs.
    ///
    /// # Errors
    /// Those of the file, of a key and of the trusted root; a usage failure where that is needed and not named.
    pub(crate) fn load(
        path: &Path,
        flags: &TrustFlags,
        run: &mut Run<'_>,
        context: &OpenContext<'_>,
    ) -> Result<(Self, Trust), Failure> {
        let policy = policy::load(path, context.deadline)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let data = OpenContext { trust: TrustLevel::Data, ..*context };
        let key = |who: &Who| match who {
            Who::Key(uri, _) => read_key(directory, uri, &data).map(Some),
            Who::Identity(_) => Ok(None),
        };
        let keys = policy.signers.iter().map(|(_, who)| key(who)).collect::<Result<Vec<_>>>()?;
        let relative = |paths: &[String]| paths.iter().map(|path| directory.join(path)).collect::<Vec<_>>();
        let policies =
            policy.attestations.iter().map(|one| Policies::read(&relative(&one.policies), context));
        let policies = policies.collect::<Result<Vec<_>>>()?;
        let by_certificate = keys.iter().any(Option::is_none);
        let demanded = |of: fn(&Evidence) -> usize| policy.keys.iter().any(|evidence| of(evidence) > 0);
        let needs = Needs {
            authorities: by_certificate,
            logs: by_certificate || demanded(|evidence| evidence.logs),
            certificate_logs: by_certificate,
            timestamps: demanded(|evidence| evidence.timestamps),
        };
        // The command line may name another copy of the root; both say who may be trusted, so it is the user's choice.
        let root: Option<PathBuf> =
            flags.trusted_root.clone().or(policy.trusted_root.as_ref().map(|root| directory.join(root)));
        let trust = flags.load_with(root.as_deref(), needs, run, context)?;
        Ok((Self { policy, keys, policies }, trust))
    }

    /// Judges one artifact by all its signatures.
    pub(crate) fn judge(
        &self,
        artifact: &Artifact,
        materials: &[(String, Material)],
        trust: &Trust,
        context: &OpenContext<'_>,
    ) -> Verdict {
        let signers = self.policy.signers.iter().zip(&self.keys).map(|((_, who), key)| match (who, key) {
            (Who::Key(_, window), Some(key)) => Ok(Signer::Key(key.clone(), *window)),
            (Who::Identity(identity), _) => Ok(Signer::Identity(identity)),
            (Who::Key(..), None) => Err(countersign_core::Error::internal("a signer whose key was not read")),
        });
        let signers = signers.collect::<Result<Vec<_>>>()?;
        let digests = std::cell::RefCell::new(Vec::new());
        let measure = |wanted: &_| {
            let measured = measure(artifact, wanted, context.deadline, &|_| {})?;
            *digests.borrow_mut() = measured.digests.iter().map(ToString::to_string).collect();
            Ok(measured)
        };
        let asked = |at: usize, statement: &[u8]| self.policies[at].check(statement, context);
        let now = jiff::Timestamp::now();
        let decided = decide(&self.policy, &signers, materials, trust, now, &measure, &asked)?;
        let satisfied = decided.map_err(|refusal| Failure::Refused { artifact: artifact.name(), refusal })?;
        Ok(Judged { proven: satisfied.proven, digests: digests.into_inner(), ..Judged::default() })
    }
}

/// A path lies beside the policy; a URI is what it is.
fn read_key(directory: &Path, text: &str, context: &OpenContext<'_>) -> Result<PublicKey> {
    let uri = KeyUri::parse(text)?;
    let uri = match uri.scheme() {
        "file" if !text.starts_with("file:") => KeyUri::parse(&directory.join(text).display().to_string())?,
        _ => uri,
    };
    Ok(backends::find(&uri)?.verifying_key(&uri, context)?.public_key)
}
