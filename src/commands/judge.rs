//! What the verifying commands share: whose signatures are accepted, and one artifact's verdict.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use countersign_core::backend::{KeySummary, VerifyingKey};
use countersign_core::{Algorithm, KeyUri, PublicKey};

use super::Run;
use super::by_policy::PolicyInForce;
use super::flags::card::CardFlags;
use super::flags::identity::IdentityFlags;
use super::flags::key::PasswordFlags;
use super::flags::trust::TrustFlags;
use crate::artifact::{Artifact, Measured, Wanted, measure};
use crate::backends;
use crate::exit::Failure;
use crate::report::{Item, Problem};
use crate::verify::{Check, Identity, Material, Policy, Proven, Trust, Who, Window, plan, verify};

/// Flags that say who should have signed, and on whose word that is believed.
#[derive(Debug, Args)]
pub(crate) struct SignerFlags {
    /// The public key: a path (PEM, DER or certificate), or a key URI
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,

    #[command(flatten)]
    pub(crate) card: CardFlags,

    #[command(flatten)]
    pub(crate) password: PasswordFlags,

    #[command(flatten)]
    pub(crate) identity: IdentityFlags,

    /// Who must have signed, in a policy file: combinations of keys and identities, and what must be attested
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) policy_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) trust: TrustFlags,
}

/// Whose signatures are accepted, and on whose word.
pub(crate) struct Accepted {
    trust: Trust,
    by: By,
}

enum By {
    Key(KeyUri, VerifyingKey),
    Identities(Vec<Identity>),
    Policy(Box<PolicyInForce>),
}

/// What is known of an artifact that passed.
#[derive(Debug, Default, Clone)]
pub(crate) struct Judged {
    /// The algorithm that matched, where there was one signature.
    pub(crate) algorithm: Option<Algorithm>,
    /// One sentence for each fact.
    pub(crate) proven: Vec<String>,
    /// One sentence for each that a reader might assume.
    pub(crate) not_proven: Vec<String>,
    /// The artifact's digests.
    pub(crate) digests: Vec<String>,
}

/// What becomes of one artifact.
pub(crate) type Verdict = Result<Judged, Failure>;

impl SignerFlags {
    /// Reads the key or the identity, and the trust that goes with it. `stdin_is_free` says that a password may come from
    /// standard input.
    ///
    /// # Errors
    /// A usage failure where nobody or two are named; those of the key's store and of the files of trust.
    pub(crate) fn accepted(&self, run: &mut Run<'_>, stdin_is_free: bool) -> Result<Accepted, Failure> {
        let key = self.card.key(self.key.as_deref())?;
        if let Some(flag) = self.identity.given().filter(|_| key.is_some()) {
            return Err(Failure::usage_with_hint(
                format!(
                    "a key and --{flag} each say who signed, and the certificate is not looked at with a key"
                ),
                "leave one of them out",
            ));
        }
        let identity = self.identity.identity()?;
        for text in self.identity.warnings() {
            run.warning(text);
        }
        self.trust.warn(run);
        if let Some(path) = &self.policy_file {
            if let Some(flag) = self.identity.given().or(self.trust.weakens()) {
                return Err(Failure::usage_with_hint(
                    format!(
                        "--policy-file says who must have signed and what must be proven, and --{flag} says it again"
                    ),
                    "leave one of them out",
                ));
            }
            let world = self.password.world(run, stdin_is_free);
            let (policy, trust) = PolicyInForce::load(path, &self.trust, run, &world.context())?;
            return Ok(Accepted { trust, by: By::Policy(Box::new(policy)) });
        }
        if key.is_none() && identity.is_none() {
            return Err(Failure::usage_with_hint(
                "verifying needs to know who should have signed",
                "pass --key with the signer's public key, or --certificate-identity and --certificate-oidc-issuer",
            ));
        }
        let world = self.password.world(run, stdin_is_free);
        let trust = self.trust.load(identity.is_some(), run, &world.context())?;
        let by = match (key, identity) {
            (Some(key), _) => {
                let uri = KeyUri::parse(&key)?;
                let key = backends::find(&uri)?.verifying_key(&uri, &world.context())?;
                run.report.verifying_key(uri.to_string(), &key.public_key);
                By::Key(uri, key)
            }
            (None, identity) => By::Identities(identity.into_iter().collect()),
        };
        Ok(Accepted { trust, by })
    }

    /// Where another version of the key signed, says so: what the service cannot be asked is not said. `versions` keeps its
    /// answer for the next artifact.
    pub(crate) fn explain(
        &self,
        run: &Run<'_>,
        accepted: &Accepted,
        versions: &mut Option<Vec<KeySummary>>,
        verdict: &mut Verdict,
    ) {
        let (Err(Failure::Refused { refusal, .. }), By::Key(uri, _)) = (verdict, &accepted.by) else {
            return;
        };
        if refusal.kind() != Check::KeyHint {
            return;
        }
        let versions = versions.get_or_insert_with(|| {
            let world = self.password.world(run, false);
            let asked = backends::find(uri).and_then(|backend| backend.versions(uri, &world.context()));
            asked.unwrap_or_default()
        });
        let signed =
            |one: &&KeySummary| one.public_key.as_ref().is_some_and(|key| key.hint() == refusal.found());
        if let Some(version) = versions.iter().find(signed) {
            *refusal = refusal.clone().with_hint(format!(
                "another version of the key signed it: if that is good too, verify with --key '{}'",
                version.uri
            ));
        }
    }

    /// The policy of these flags, with nothing demanded of the content.
    pub(crate) fn policy<'a>(&self, accepted: &'a Accepted) -> Policy<'a> {
        let (who, algorithm) = match &accepted.by {
            By::Key(_, key) => (Who::Key(&key.public_key, Window::default()), key.algorithm),
            By::Identities(identities) => (Who::Identities(identities), None),
            // Never used: a policy judges by itself.
            By::Policy(_) => (Who::Identities(&[]), None),
        };
        Policy { algorithm, ..Policy::new(who, self.trust.evidence(), jiff::Timestamp::now()) }
    }
}

/// Verifies one artifact.
pub(crate) fn judge(
    artifact: &Artifact,
    material: &Material,
    policy: &Policy<'_>,
    accepted: &Accepted,
    deadline: Option<Instant>,
) -> Verdict {
    let (proven, digests) = decide(artifact, material, policy, accepted, deadline)?;
    let Proven { algorithm, proven, not_proven, .. } = proven;
    Ok(Judged { algorithm: Some(algorithm), proven, not_proven, digests })
}

/// The same with everything that is known. Gives the artifact's digests too.
pub(crate) fn decide(
    artifact: &Artifact,
    material: &Material,
    policy: &Policy<'_>,
    accepted: &Accepted,
    deadline: Option<Instant>,
) -> Result<(Proven, Vec<String>), Failure> {
    let refused = |refusal| Failure::Refused { artifact: artifact.name(), refusal };
    let plan = plan(material, policy, &accepted.trust).map_err(refused)?;
    // Where only an envelope is looked at, there may be no artifact.
    let measured = match &plan.wanted {
        nothing if *nothing == Wanted::default() => Measured::default(),
        wanted => measure(artifact, wanted, deadline, &|_| {})?,
    };
    let proven = verify(material, plan, &measured).map_err(refused)?;
    Ok((proven, measured.digests.iter().map(ToString::to_string).collect()))
}

impl Accepted {
    /// The key that must have signed, where it is one.
    pub(crate) fn key(&self) -> Option<&PublicKey> {
        match &self.by {
            By::Key(_, key) => Some(&key.public_key),
            By::Identities(_) | By::Policy(_) => None,
        }
    }

    /// The policy in force, with the trust that it is judged by.
    pub(crate) fn policy(&self) -> Option<(&PolicyInForce, &Trust)> {
        match &self.by {
            By::Policy(policy) => Some((policy, &self.trust)),
            By::Key(..) | By::Identities(_) => None,
        }
    }
}

/// The verdict for the report.
pub(crate) fn item(artifact: String, verdict: &Verdict) -> Item {
    match verdict {
        Ok(judged) => Item {
            artifact,
            outcome: "verified",
            digests: judged.digests.clone(),
            algorithm: judged.algorithm.map(Algorithm::name),
            proven: judged.proven.clone(),
            not_proven: judged.not_proven.clone(),
            ..Item::default()
        },
        Err(failure) => Item {
            artifact,
            outcome: if matches!(failure, Failure::Refused { .. } | Failure::Image { .. }) {
                "refused"
            } else {
                "failed"
            },
            failure: Some(Problem::from(failure)),
            ..Item::default()
        },
    }
}
