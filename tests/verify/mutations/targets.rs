//! The good bundles that are changed: of the forge, each kind, and of others where there are vectors.

use std::path::Path;

use countersign::verify::{Evidence, Proven};
use serde_json::{Value, json};

use crate::verify::forge::bundles::{ARTIFACT, BUNDLE_0_1, statement};
use crate::verify::forge::{Case, Signer, TIME, WORLD};
use crate::verify::vectors;

/// What is proven, or why nothing is.
type Decide = dyn Fn(&[u8]) -> Result<Proven, String> + Sync + Send;

/// A good bundle, others of its kind, and how it is decided.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) bundle: Value,
    pub(super) siblings: Vec<Value>,
    pub(super) decide: Box<Decide>,
}

/// How a bundle is made.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Logged,
    /// In an older bundle, with a chain.
    Older,
    Oldest,
    Tiled,
    /// In two logs, one of each version, with the timestamps of two authorities.
    Twice,
    Attested,
    AttestedOlder,
    AttestedInTiles,
}

impl Kind {
    fn make(self, signer: &Signer, artifact: &[u8]) -> Value {
        let signature = signer.sign(artifact);
        let sealed = signer.seal(statement(artifact).to_string().as_bytes());
        let (log, tiles) = (&WORLD.logs[0], &WORLD.tiles);
        let stamps = |signature: &[u8]| WORLD.authorities.each_ref().map(|one| one.stamp(signature, TIME));
        let promised = || log.entry(&signer.hashedrekord(artifact, &signature));
        let tiled = || tiles.entry(&signer.hashedrekord_2(artifact, &signature));
        match self {
            Self::Logged => signer.bundle(artifact, &signature, vec![promised()], &[]),
            Self::Older => {
                let mut bundle = signer.bundle(artifact, &signature, vec![promised()], &[]);
                bundle["mediaType"] = BUNDLE_0_1.into();
                let material = bundle["verificationMaterial"].as_object_mut().unwrap();
                if let Some(certificate) = material.remove("certificate") {
                    material
                        .insert("x509CertificateChain".to_owned(), json!({"certificates": [certificate]}));
                }
                bundle
            }
            Self::Oldest => signer.legacy(&signature, &promised()),
            Self::Tiled => {
                let stamps = &stamps(&signature)[..1];
                signer.bundle(artifact, &signature, vec![tiled()], stamps)
            }
            Self::Twice => {
                signer.bundle(artifact, &signature, vec![promised(), tiled()], &stamps(&signature))
            }
            Self::Attested => signer.attestation(&sealed, vec![log.entry(&signer.dsse(&sealed))], &[]),
            Self::AttestedOlder => signer.attestation(&sealed, vec![log.entry(&signer.intoto(&sealed))], &[]),
            Self::AttestedInTiles => {
                let entry = tiles.entry(&signer.hashedrekord_2(&sealed.signed(), &sealed.signature));
                signer.attestation(&sealed, vec![entry], &stamps(&sealed.signature)[..1])
            }
        }
    }

    fn evidence(self) -> Evidence {
        match self {
            Self::Twice => Evidence { logs: 2, timestamps: 2, certificate_logs: 1 },
            Self::Tiled | Self::AttestedInTiles => Evidence { timestamps: 1, ..Evidence::STANDARD },
            Self::Logged | Self::Older | Self::Oldest | Self::Attested | Self::AttestedOlder => {
                Evidence::STANDARD
            }
        }
    }
}

/// A bundle of each kind, by a key and by a certificate.
pub(super) fn forged() -> Vec<Target> {
    let kinds = [
        Kind::Logged,
        Kind::Older,
        Kind::Oldest,
        Kind::Tiled,
        Kind::Twice,
        Kind::Attested,
        Kind::AttestedOlder,
        Kind::AttestedInTiles,
    ];
    let mut targets = Vec::new();
    for (who, signer, other) in
        [("key", Signer::bare(), Signer::bare()), ("certificate", WORLD.signer(), WORLD.signer())]
    {
        for kind in kinds {
            let bundle = kind.make(&signer, ARTIFACT);
            let case = Case::new(&signer, bundle.clone()).demanding(kind.evidence());
            let trust = case.trust();
            targets.push(Target {
                name: format!("{kind:?} by a {who}"),
                bundle,
                // The same signer's of something else, and the same thing signed by somebody with the same name.
                siblings: vec![kind.make(&signer, b"another artifact"), kind.make(&other, ARTIFACT)],
                decide: Box::new(move |bundle| {
                    case.decide_bytes(&trust, bundle).map_err(|refused| format!("{refused:?}"))
                }),
            });
        }
    }
    targets
}

/// Published bundles: of each source and each kind of log entry one, with the next of its source for a sibling.
pub(super) fn published(folder: &Path) -> Vec<Target> {
    let mut cases: Vec<_> = vectors::Case::all(folder).into_iter().filter(vectors::Case::accepted).collect();
    let source = |case: &vectors::Case| case.folder.parent().unwrap().file_name().unwrap().to_owned();
    let bundle = |case: &vectors::Case| serde_json::from_slice::<Value>(&case.bundle()).unwrap();
    let kind = |case: &vectors::Case| {
        let bundle = bundle(case);
        let entry = bundle.pointer("/verificationMaterial/tlogEntries/0/kindVersion").cloned();
        (source(case), bundle["mediaType"].to_string(), entry.map(|entry| entry.to_string()))
    };
    cases.sort_by_key(kind);
    let siblings: Vec<_> = cases
        .iter()
        .map(|case| cases.iter().filter(|other| source(other) == source(case) && other.folder != case.folder))
        .map(|others| others.take(1).map(bundle).collect::<Vec<_>>())
        .collect();
    let mut cases: Vec<_> = cases.into_iter().zip(siblings).collect();
    cases.dedup_by_key(|(case, _)| kind(case));
    let target = |(case, siblings): (vectors::Case, Vec<Value>)| {
        let (accepts, trust, artifact) = (case.accepts(), case.trust(), case.artifacts().swap_remove(0));
        Target {
            name: case.folder.strip_prefix(folder).unwrap().display().to_string(),
            bundle: bundle(&case),
            siblings,
            decide: Box::new(move |bundle| {
                case.decide_bytes(bundle, &accepts, &trust, &artifact).map_err(|check| format!("{check:?}"))
            }),
        }
    };
    cases.into_iter().map(target).collect()
}
