//! One decision of the engine: a bundle, what is trusted, and what is demanded. The good ones stand here; a test changes one
//! thing in one of them.

use countersign::artifact::Measured;
use countersign::bundle;
use countersign::verify::{
    Check, Evidence, Identity, Matcher, Material, Policy, Proven, Refusal, Trust, Who, Window, plan, verify,
};
use countersign_core::{HashAlgorithm, PublicKey};
use jiff::Timestamp;
use serde_json::Value;

use super::bundles::{ARTIFACT, PREDICATE_TYPE, Signer, statement};
use super::certificates::{ISSUER, NAME};
use super::{TIME, WORLD, YEAR};

/// A bundle and what it is held against.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) bundle: Value,
    pub(crate) trusted_root: Value,
    pub(crate) artifact: Vec<u8>,
    pub(crate) by: By,
    /// When a key may be used, where it is one.
    pub(crate) window: Window,
    pub(crate) evidence: Evidence,
    pub(crate) predicate_type: Option<String>,
}

/// Whose signature is demanded.
#[derive(Clone)]
pub(crate) enum By {
    Key(PublicKey),
    Identity(Identity),
}

/// Why something was not accepted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It could not even be read, in words.
    Unreadable(String),
    By(Refusal),
}

/// Whom [`Leaf::default`](super::Leaf) names.
pub(crate) fn identity() -> Identity {
    Identity {
        name: Matcher::Exact(NAME.to_owned()),
        issuer: Some(Matcher::Exact(ISSUER.to_owned())),
        extensions: Vec::new(),
    }
}

impl Case {
    /// A bundle of a signer, in the world that everybody shares.
    pub(crate) fn new(signer: &Signer, bundle: Value) -> Self {
        let by = match &signer.certificate {
            Some(_) => By::Identity(identity()),
            None => By::Key(signer.key.public()),
        };
        let predicate_type = bundle.get("dsseEnvelope").map(|_| PREDICATE_TYPE.to_owned());
        Self {
            bundle,
            trusted_root: WORLD.trusted_root(),
            artifact: ARTIFACT.to_vec(),
            by,
            window: Window::default(),
            evidence: Evidence::STANDARD,
            predicate_type,
        }
    }

    /// A signature in a log of version 1.
    pub(crate) fn logged(signer: &Signer) -> Self {
        let signature = signer.sign(ARTIFACT);
        let entry = WORLD.logs[0].entry(&signer.hashedrekord(ARTIFACT, &signature));
        Self::new(signer, signer.bundle(ARTIFACT, &signature, vec![entry], &[]))
    }

    /// A signature in a log of version 2, with a signed timestamp.
    pub(crate) fn tiled(signer: &Signer) -> Self {
        let signature = signer.sign(ARTIFACT);
        let entry = WORLD.tiles.entry(&signer.hashedrekord_2(ARTIFACT, &signature));
        let stamp = WORLD.authorities[0].stamp(&signature, TIME);
        Self::new(signer, signer.bundle(ARTIFACT, &signature, vec![entry], &[stamp]))
    }

    /// An attestation in a log of version 1.
    pub(crate) fn attested(signer: &Signer) -> Self {
        Self::stating(signer, &statement(ARTIFACT))
    }

    /// An attestation that says this.
    pub(crate) fn stating(signer: &Signer, statement: &Value) -> Self {
        Self::sealing(signer, statement.to_string().as_bytes())
    }

    /// An attestation with these bytes for a payload.
    pub(crate) fn sealing(signer: &Signer, payload: &[u8]) -> Self {
        let sealed = signer.seal(payload);
        let entry = WORLD.logs[0].entry(&signer.dsse(&sealed));
        Self::new(signer, signer.attestation(&sealed, vec![entry], &[]))
    }

    /// An attestation in a log of version 2, with a signed timestamp.
    pub(crate) fn attested_in_tiles(signer: &Signer) -> Self {
        let sealed = signer.seal(statement(ARTIFACT).to_string().as_bytes());
        let entry = WORLD.tiles.entry(&signer.hashedrekord_2(&sealed.signed(), &sealed.signature));
        let stamp = WORLD.authorities[0].stamp(&sealed.signature, TIME);
        Self::new(signer, signer.attestation(&sealed, vec![entry], &[stamp]))
    }

    /// The same with another value at a place of the bundle.
    pub(crate) fn with(&self, place: &str, value: impl Into<Value>) -> Self {
        let mut other = self.clone();
        *at(&mut other.bundle, place) = value.into();
        other
    }

    /// The same with another value at a place of the trusted root.
    pub(crate) fn trusting(&self, place: &str, value: impl Into<Value>) -> Self {
        let mut other = self.clone();
        *at(&mut other.trusted_root, place) = value.into();
        other
    }

    /// The same with this entry for the first.
    pub(crate) fn with_entry(&self, entry: Value) -> Self {
        self.with("/verificationMaterial/tlogEntries/0", entry)
    }

    /// The same with another demand on who signed.
    pub(crate) fn by(&self, by: By) -> Self {
        Self { by, ..self.clone() }
    }

    /// The same with another demand on the witnesses.
    pub(crate) fn demanding(&self, evidence: Evidence) -> Self {
        Self { evidence, ..self.clone() }
    }

    pub(crate) fn decide(&self) -> Result<Proven, Refused> {
        self.decide_bytes(&self.trust(), self.bundle.to_string().as_bytes())
    }

    /// What the trusted root says; a test that is about reading it does not come here.
    pub(crate) fn trust(&self) -> Trust {
        Trust::parse(self.trusted_root.to_string().as_bytes()).unwrap()
    }

    /// The decision over these bytes for the bundle.
    pub(crate) fn decide_bytes(&self, trust: &Trust, bundle: &[u8]) -> Result<Proven, Refused> {
        let material = bundle::parse(bundle).and_then(|bundle| Material::from_bundle(&bundle));
        let material = material.map_err(|error| Refused::Unreadable(error.to_string()))?;
        let who = match &self.by {
            By::Key(key) => Who::Key(key, self.window),
            By::Identity(identity) => Who::Identities(std::slice::from_ref(identity)),
        };
        // A year later: long after every certificate of a signer has expired.
        let now = Timestamp::from_second(TIME + YEAR).unwrap();
        let policy =
            Policy { predicate_type: self.predicate_type.as_deref(), ..Policy::new(who, self.evidence, now) };
        let plan = plan(&material, &policy, trust).map_err(Refused::By)?;
        let measured = Measured {
            digests: HashAlgorithm::ALL.iter().map(|hash| hash.digest(&self.artifact)).collect(),
            message: Some(self.artifact.clone()),
        };
        verify(&material, plan, &measured).map_err(Refused::By)
    }

    /// What is proven; fails where it is refused.
    pub(crate) fn accepted(&self) -> Proven {
        self.decide().unwrap_or_else(|refused| panic!("refused: {refused:?}"))
    }

    /// The refusal by this very check; fails where it is accepted or another refuses.
    pub(crate) fn refused(&self, by: Check) -> Refusal {
        match self.decide() {
            Err(Refused::By(refusal)) if refusal.kind() == by => refusal,
            other => panic!("expected a refusal by {}, found {other:?}", by.name()),
        }
    }

    /// That it cannot be read, and why.
    pub(crate) fn unreadable(&self, why: &str) {
        unreadable(self.decide(), why);
    }
}

/// That something could not be read, and why.
pub(crate) fn unreadable(decided: Result<Proven, Refused>, why: &str) {
    match decided {
        Err(Refused::Unreadable(found)) => assert!(found.contains(why), "{found}"),
        other => panic!("expected that it cannot be read, found {other:?}"),
    }
}

/// A place that is there, or the field of an object that is.
fn at<'a>(value: &'a mut Value, place: &str) -> &'a mut Value {
    if value.pointer(place).is_some() {
        return value.pointer_mut(place).unwrap();
    }
    let (object, field) = place.rsplit_once('/').unwrap();
    let object = value.pointer_mut(object).unwrap_or_else(|| panic!("there is no {object}"));
    &mut object[field]
}
