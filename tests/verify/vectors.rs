//! Every published bundle as its `case.json` says, by file and by digest; and for each that is accepted its neighbours
//! (another identity, issuer, key, trusted root, artifact), which must be refused by the check that names the difference.

use std::path::{Path, PathBuf};

use countersign::artifact::{Artifact, measure};
use countersign::bundle;
use countersign::verify::{
    Check, Evidence, Identity, Log, Matcher, Material, Policy, Proven, Statement, Trust, Who, Window, plan,
    verify,
};
use countersign_core::{HashAlgorithm, PublicKey};
use serde_json::Value;

use crate::support::{countersign, run, stderr, vectors};

/// A case directory.
pub(super) struct Case {
    pub(super) folder: PathBuf,
    pub(super) about: Value,
}

/// Whom a case accepts.
#[derive(Clone)]
pub(super) enum Accepts {
    Key(PublicKey),
    Identity(Identity),
}

impl Case {
    pub(super) fn all(vectors: &Path) -> Vec<Self> {
        let mut cases = Vec::new();
        for source in
            vectors.read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
        {
            for folder in source.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
                if let Ok(about) = std::fs::read(folder.join("case.json")) {
                    cases.push(Self { folder, about: serde_json::from_slice(&about).unwrap() });
                }
            }
        }
        cases.sort_by(|a, b| a.folder.cmp(&b.folder));
        cases
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.about.get(field).and_then(Value::as_str)
    }

    pub(super) fn accepted(&self) -> bool {
        self.text("expect") == Some("accept")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn bundle(&self) -> Vec<u8> {
        std::fs::read(self.path("bundle.sigstore.json")).unwrap()
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::parse(&std::fs::read(self.path(self.text("trusted_root").unwrap())).unwrap()).unwrap()
    }

    pub(super) fn accepts(&self) -> Accepts {
        match self.text("key") {
            Some(key) => {
                Accepts::Key(PublicKey::from_pem_or_der(&std::fs::read(self.path(key)).unwrap()).unwrap())
            }
            None => Accepts::Identity(Identity {
                name: Matcher::Exact(self.text("identity").unwrap().to_owned()),
                issuer: Some(Matcher::Exact(self.text("issuer").unwrap().to_owned())),
                extensions: Vec::new(),
            }),
        }
    }

    /// The statement in the bundle.
    fn statement(&self) -> Option<Statement> {
        let bundle = bundle::load(&self.path("bundle.sigstore.json"), None);
        let material = bundle.and_then(|bundle| Material::from_bundle(&bundle)).ok();
        let envelope = material.and_then(|material| material.envelope);
        envelope.and_then(|envelope| Statement::parse(&envelope.payload).ok())
    }

    /// The type of what the bundle's statement says.
    pub(super) fn predicate_type(&self) -> Option<String> {
        self.statement().map(|statement| statement.predicate_type)
    }

    /// A hash by which the bundle knows its artifact: npm's name SHA-512 alone.
    fn hash(&self) -> HashAlgorithm {
        self.statement()
            .and_then(|statement| statement.hashes().first().copied())
            .unwrap_or(HashAlgorithm::Sha256)
    }

    /// The artifact by its file and by its digest, or by its digest alone.
    pub(super) fn artifacts(&self) -> Vec<Artifact> {
        match self.text("artifact") {
            None => vec![Artifact::parse_or_digest(self.text("digest").unwrap())],
            Some(file) => {
                let digest = self.hash().digest(&std::fs::read(self.path(file)).unwrap());
                vec![Artifact::Path(self.path(file)), Artifact::parse_or_digest(&digest.to_string())]
            }
        }
    }

    /// The check that refuses, or what cannot be read.
    fn decide(&self, accepts: &Accepts, trust: &Trust, artifact: &Artifact) -> Result<Proven, Option<Check>> {
        self.decide_bytes(&self.bundle(), accepts, trust, artifact)
    }

    /// The same of another bundle.
    pub(super) fn decide_bytes(
        &self,
        bundle: &[u8],
        accepts: &Accepts,
        trust: &Trust,
        artifact: &Artifact,
    ) -> Result<Proven, Option<Check>> {
        let read = bundle::parse(bundle).and_then(|it| Material::from_bundle(&it));
        let material = read.map_err(|_| None)?;
        let signed_timestamps = self.about["timestamps"].as_bool().unwrap_or_default();
        let policy = Policy {
            who: match accepts {
                Accepts::Key(key) => Who::Key(key, Window::default()),
                Accepts::Identity(identity) => Who::Identities(std::slice::from_ref(identity)),
            },
            evidence: Evidence { timestamps: usize::from(signed_timestamps), ..Evidence::STANDARD },
            algorithm: None,
            hash: None,
            predicate_type: self.text("predicateType"),
            subject: true,
            annotations: &[],
            repository: None,
            now: jiff::Timestamp::now(),
        };
        let plan = plan(&material, &policy, trust).map_err(|refusal| Some(refusal.kind()))?;
        let measured = measure(artifact, &plan.wanted, None, &|_| {}).map_err(|_| None)?;
        verify(&material, plan, &measured).map_err(|refusal| Some(refusal.kind()))
    }
}

#[test]
fn published_bundles_are_decided_as_their_publishers_say() {
    let Some(vectors) = vectors() else { return };
    let (mut accepted, mut refused) = (0, 0);
    for case in Case::all(&vectors) {
        for artifact in case.artifacts() {
            let outcome = case.decide(&case.accepts(), &case.trust(), &artifact);
            let name = format!("{} by {}", case.folder.display(), artifact.name());
            match outcome {
                Ok(proven) => {
                    assert!(case.accepted(), "{name}: accepted, but {}", case.about["why"]);
                    assert!(
                        !proven.times.is_empty() || case.text("key").is_some(),
                        "{name}: no time is proven"
                    );
                    accepted += 1;
                }
                Err(check) => {
                    assert!(!case.accepted(), "{name}: refused by {check:?}, but {}", case.about["why"]);
                    refused += 1;
                }
            }
        }
    }
    assert!(accepted >= 80 && refused >= 60, "{accepted} accepted and {refused} refused");
}

#[test]
fn neighbours_of_published_bundles_are_refused() {
    let Some(vectors) = vectors() else { return };
    let other_root =
        Trust::parse(&std::fs::read(vectors.join("trusted-roots/staging.json")).unwrap()).unwrap();
    let mut tried = 0;
    for case in Case::all(&vectors).into_iter().filter(Case::accepted) {
        let (accepts, trust) = (case.accepts(), case.trust());
        let artifact = &case.artifacts()[0];
        let mut refused = |accepts: &Accepts, trust: &Trust, artifact: &Artifact, expected: &[Check]| {
            let check = case.decide(accepts, trust, artifact).expect_err("a neighbour was accepted");
            let name = case.folder.display();
            assert!(
                check.is_some_and(|check| expected.contains(&check)),
                "{name}: {check:?}, not {expected:?}"
            );
            tried += 1;
        };
        match &accepts {
            Accepts::Identity(identity) => {
                let Matcher::Exact(name) = &identity.name else { unreachable!() };
                let other = |name: String| {
                    Accepts::Identity(Identity { name: Matcher::Exact(name), ..identity.clone() })
                };
                refused(&other(format!("{name}x")), &trust, artifact, &[Check::Identity]);
                refused(&other(name[1..].to_owned()), &trust, artifact, &[Check::Identity]);
                refused(&other(name.to_ascii_uppercase()), &trust, artifact, &[Check::Identity]);
                let issuer = Some(Matcher::Exact("https://issuer.example".to_owned()));
                let other = Accepts::Identity(Identity { issuer, ..identity.clone() });
                refused(&other, &trust, artifact, &[Check::Issuer]);
                let extensions = vec![("runnerEnvironment", Matcher::Exact("nowhere".to_owned()))];
                let other = Accepts::Identity(Identity { extensions, ..identity.clone() });
                refused(&other, &trust, artifact, &[Check::Extension]);
                // A trusted root that knows nobody of this bundle, and this one without its authorities.
                let strangers =
                    [Check::TransparencyLog, Check::Time, Check::TimestampCount, Check::CertificateChain];
                let shared = |log: &Log| trust.logs.iter().any(|other| other.id == log.id);
                if !other_root.logs.iter().any(shared) {
                    refused(&accepts, &other_root, artifact, &strangers);
                }
                let headless = Trust { authorities: Vec::new(), ..trust.clone() };
                refused(&accepts, &headless, artifact, &[Check::CertificateChain]);
                let unlogged = Trust { certificate_logs: Vec::new(), ..trust.clone() };
                refused(&accepts, &unlogged, artifact, &[Check::CertificateTimestamp]);
            }
            Accepts::Key(_) => {
                let generated =
                    countersign_core::local_key::LocalKey::generate(countersign_core::KeyType::P256).unwrap();
                let other = Accepts::Key(generated.public_key().clone());
                refused(&other, &trust, artifact, &[Check::KeyHint, Check::LogBinding, Check::Signature]);
            }
        }
        let logless = Trust { logs: Vec::new(), ..trust.clone() };
        refused(&accepts, &logless, artifact, &[Check::TransparencyLog]);
        let other = Artifact::parse_or_digest(&case.hash().digest(b"another artifact").to_string());
        refused(&accepts, &trust, &other, &[Check::Subject, Check::ArtifactDigest, Check::LogBinding]);
    }
    assert!(tried > 500, "only {tried} neighbours");
}

/// What the issue shows: the command itself, on one bundle of each ecosystem, and a neighbour of each.
#[test]
fn verify_blob_takes_the_bundles_of_every_ecosystem() {
    let Some(vectors) = vectors() else { return };
    for ecosystem in ["npm-attestations", "pypi-attestations", "maven-central", "slsa-github"] {
        let mut cases =
            Case::all(&vectors).into_iter().filter(|case| case.folder.parent().unwrap().ends_with(ecosystem));
        let case = cases.find(|case| case.accepted() && case.text("identity").is_some()).unwrap();
        let verify_blob = |identity: &str| {
            let mut command = countersign();
            command.arg("verify-blob").arg("--bundle").arg(case.path("bundle.sigstore.json"));
            command.arg("--trusted-root").arg(case.path(case.text("trusted_root").unwrap()));
            command.args([
                "--certificate-identity",
                identity,
                "--certificate-oidc-issuer",
                case.text("issuer").unwrap(),
            ]);
            match case.text("artifact") {
                Some(file) => command.arg(case.path(file)),
                None => command.arg(case.text("digest").unwrap()),
            };
            run(&mut command)
        };
        let identity = case.text("identity").unwrap();
        let output = verify_blob(identity);
        assert!(output.status.success(), "{ecosystem}: {}", stderr(&output));
        assert!(stderr(&output).contains("Verified OK"), "{ecosystem}: {}", stderr(&output));
        let output = verify_blob(&format!("{identity}-evil"));
        assert!(!output.status.success() && stderr(&output).contains("somebody else signed"), "{ecosystem}");
    }
}
