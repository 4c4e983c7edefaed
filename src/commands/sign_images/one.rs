//! One image: signed, witnessed, written, and found again.

use countersign_core::{Algorithm, OpenContext};

use super::{Format, Job, SignImagesFlags, What, in_time, write};
use crate::artifact::Artifact;
use crate::bundle::Content;
use crate::commands::flags::predicate::now;
use crate::commands::flags::registry::Place;
use crate::exit::Failure;
use crate::image::tags::{self, Ending, Layer};
use crate::image::write::{attestation, claims, older_algorithm, sign_claims, sign_statement, statement};
use crate::image::{Found, Kind, Layout, artifacts, bundles};
use crate::oci::{Access, Descriptor, Remote};
use crate::output::Output;
use crate::report::Item;
use crate::services::Testimony;
use crate::sign::SigningKey;
use crate::verify::{Claims, Material, Policy, Proven, SIGNATURE, Statement, Who, Window, plan, verify};
use crate::{artifact, verify as engine};

/// Signatures fetched at once, to see whether one is there already.
const THREADS: usize = 4;

/// What each image is signed with, by whichever thread.
pub(super) struct One<'a, 'c> {
    pub(super) flags: &'a SignImagesFlags,
    pub(super) key: &'a SigningKey<'a>,
    pub(super) place: &'a Place<'c>,
    pub(super) uploads: bool,
    pub(super) what: &'a What<'a>,
    pub(super) output: &'a Output,
}

/// What was done so far.
#[derive(Default)]
struct Done {
    outputs: Vec<String>,
    testimony: Testimony,
    algorithm: Option<Algorithm>,
}

impl One<'_, '_> {
    pub(super) fn sign(&self, job: &Job, context: &OpenContext<'_>) -> Result<Item, Failure> {
        in_time(context)?;
        let access = match self.what {
            What::Attestation { replaces: true, .. } => Access::Delete,
            _ => Access::Push,
        };
        let remote = self.place.beside(&job.reference, access);
        let format = self.flags.format();
        let statement = self.statement(job)?;
        let mut done = Done::default();
        let mut envelope = None;
        if format != Format::Legacy && !self.is_signed(&remote, job, &statement, true)? {
            let (signed, testimony) = sign_statement(self.key, statement.clone())?;
            let bundle = self.key.bundle(Content::Envelope(&signed), &testimony);
            if let Some(path) = &self.flags.bundle {
                write(path, &bundle)?;
                done.outputs.push(path.display().to_string());
                self.output.note(format!("Wrote bundle to file {}", path.display()));
            }
            if self.uploads {
                self.attach(&remote, job, &bundle, &mut done)?;
            } else if self.flags.bundle.is_none() {
                self.output.line(String::from_utf8_lossy(&bundle))?;
            }
            done.algorithm = Some(self.key.algorithm);
            done.testimony = testimony.clone();
            envelope = Some((signed, testimony));
        }
        if format != Format::Bundle && !self.is_signed(&remote, job, &statement, false)? {
            let (layer, testimony, algorithm) = self.layer(job, &statement, envelope)?;
            self.files(&layer, &mut done)?;
            if self.uploads {
                self.append(&remote, job, &layer, &mut done)?;
            }
            done.algorithm = done.algorithm.or(Some(algorithm));
            done.testimony = testimony;
        }
        let Some(algorithm) = done.algorithm else {
            self.output.note(format!("{} has a good signature by this key: nothing to do", job.reference));
            return Ok(Item {
                artifact: job.reference.to_string(),
                outcome: "unchanged",
                digests: vec![job.digest.to_string()],
                ..Item::default()
            });
        };
        if let (Some(path), Some(pem)) =
            (&self.flags.signing.certificate.output_certificate, self.key.certificate_pem()?)
        {
            write(path, pem.as_bytes())?;
            done.outputs.push(path.display().to_string());
        }
        Ok(Item {
            artifact: job.reference.to_string(),
            outcome: if matches!(self.what, What::Signature { .. }) { "signed" } else { "attested" },
            digests: vec![job.digest.to_string()],
            algorithm: Some(algorithm.name()),
            outputs: done.outputs,
            proven: done.testimony.proven,
            not_proven: done.testimony.not_proven,
            ..Item::default()
        })
    }

    fn statement(&self, job: &Job) -> Result<Vec<u8>, Failure> {
        match self.what {
            What::Signature { annotations, .. } => Ok(statement(&job.digest, annotations)),
            What::Attestation { statement, .. } => statement(&job.reference, &job.digest),
        }
    }

    fn predicate_type(&self) -> &str {
        match self.what {
            What::Signature { .. } => SIGNATURE,
            What::Attestation { predicate_type, .. } => predicate_type,
        }
    }

    fn attach(&self, remote: &Remote<'_>, job: &Job, bundle: &[u8], done: &mut Done) -> Result<(), Failure> {
        self.output.debug(format!("writing into {}", remote.repository()));
        let manifest = bundles::manifest(bundle, &job.subject, self.predicate_type(), &now())?;
        let old = match self.what {
            What::Attestation { replaces: true, predicate_type, .. } => {
                bundles::of_type(remote, &job.digest, predicate_type)?
            }
            _ => Vec::new(),
        };
        let digest = bundles::attach(remote, bundle, &manifest, &job.digest)?;
        self.wrote(job, format!("{}@{digest}", remote.repository()), done)?;
        // The new one is there and is found: nothing is lost if this is cut short.
        for one in old.iter().filter(|one| **one != digest) {
            remote.detach(one, &job.digest)?;
        }
        Ok(())
    }

    /// The layer of the older layout.
    fn layer(
        &self,
        job: &Job,
        statement: &[u8],
        envelope: Option<(engine::Envelope, Testimony)>,
    ) -> Result<(Layer, Testimony, Algorithm), Failure> {
        let chosen = self.flags.signing.signing_algorithm.map(|algorithm| (algorithm, None));
        let (algorithm, warning) = chosen.map_or_else(|| older_algorithm(&*self.key.signer), Ok)?;
        if let Some(warning) = warning {
            self.output.warning(warning);
        }
        self.key.witnesses.accept(algorithm)?;
        match self.what {
            What::Signature { annotations, identity, payload, .. } => {
                let own = job.reference.repository.to_string();
                let claims = match payload {
                    Some(payload) => self.given(payload, job)?,
                    None => claims(identity.unwrap_or(&own), &job.digest, annotations),
                };
                let (layer, testimony) = sign_claims(self.key, algorithm, claims)?;
                Ok((layer, testimony, algorithm))
            }
            What::Attestation { predicate_type, .. } => {
                let (envelope, testimony) = match envelope {
                    // One signature does for both, where both want the same.
                    Some(signed) if self.key.algorithm == algorithm => signed,
                    _ => {
                        let envelope = crate::attest::sign(&*self.key.signer, algorithm, statement.to_vec())?;
                        let content = Content::Envelope(&envelope);
                        let testimony = self.key.witness_as(algorithm, content, &envelope.signature)?;
                        (envelope, testimony)
                    }
                };
                let layer = attestation(self.key, &envelope, predicate_type, &testimony)?;
                Ok((layer, testimony, algorithm))
            }
        }
    }

    /// Claims that somebody else wrote must be about this image.
    fn given(&self, payload: &[u8], job: &Job) -> Result<Vec<u8>, Failure> {
        let refused = |refusal| Failure::Refused { artifact: "--payload".to_owned(), refusal };
        let claims = Claims::parse(payload).map_err(refused)?;
        if claims.digest != job.digest {
            return Err(Failure::usage(format!(
                "--payload is about {}, and {} is to be signed",
                claims.digest, job.reference
            )));
        }
        Ok(payload.to_vec())
    }

    fn append(&self, remote: &Remote<'_>, job: &Job, layer: &Layer, done: &mut Done) -> Result<(), Failure> {
        let (ending, replaced) = match self.what {
            What::Signature { .. } => (Ending::Signatures, None),
            What::Attestation { predicate_type, replaces, .. } => {
                (Ending::Attestations, replaces.then_some(*predicate_type))
            }
        };
        if self.refers() && ending == Ending::Signatures {
            let digest = artifacts::attach(remote, layer, artifacts::SIGNATURES, &job.subject)?;
            return self.wrote(job, format!("{}@{digest}", remote.repository()), done);
        }
        let tag = self.place.tag(ending, &job.digest);
        let created = self.flags.record_creation_timestamp.then(now);
        let replaces = |one: &Descriptor| {
            replaced.is_some_and(|kind| one.annotation(tags::PREDICATE_TYPE) == Some(kind))
        };
        tags::append(remote, &tag, layer, self.place.docker_types, created.as_deref(), &replaces)?;
        self.wrote(job, format!("{}:{tag}", remote.repository()), done)
    }

    fn wrote(&self, job: &Job, name: String, done: &mut Done) -> Result<(), Failure> {
        self.output.note(format!("Wrote {} of {} to {name}", self.noun(), job.reference));
        done.outputs.push(name);
        Ok(())
    }

    /// Files that the user asked for beside or in place of the registry.
    fn files(&self, layer: &Layer, done: &mut Done) -> Result<(), Failure> {
        let What::Signature { payload_file, signature_file, .. } = self.what else {
            if !self.uploads {
                self.output.line(String::from_utf8_lossy(&layer.content))?;
            }
            return Ok(());
        };
        let signature = layer.annotations.get(tags::SIGNATURE).map_or("", String::as_str);
        for (path, content) in
            [(payload_file, layer.content.as_slice()), (signature_file, signature.as_bytes())]
        {
            if let Some(path) = path {
                write(path, content)?;
                done.outputs.push(path.display().to_string());
            }
        }
        if !self.uploads && signature_file.is_none() {
            self.output.line(signature)?;
        }
        Ok(())
    }

    /// Whether signatures of the older layout go into artifacts that refer to the image.
    fn refers(&self) -> bool {
        matches!(self.what, What::Signature { refers: true, .. })
    }

    fn noun(&self) -> &'static str {
        if matches!(self.what, What::Signature { .. }) { "signature" } else { "attestation" }
    }

    /// Whether the same is there already: by this key, with the same evidence, and it verifies.
    fn is_signed(
        &self,
        remote: &Remote<'_>,
        job: &Job,
        statement: &[u8],
        is_bundle: bool,
    ) -> Result<bool, Failure> {
        if self.flags.again || !self.uploads || self.flags.bundle.is_some() {
            return Ok(false);
        }
        let replaces = matches!(self.what, What::Attestation { replaces: true, .. });
        let Some((evidence, trust)) = self.key.witnesses.evidence().filter(|_| !replaces) else {
            return Ok(false);
        };
        let kind = match self.what {
            What::Signature { .. } => Kind::Signature,
            What::Attestation { predicate_type, .. } => Kind::Attestation(Some(predicate_type)),
        };
        let Ok(wanted) = Statement::parse(statement) else { return Ok(false) };
        let policy = Policy {
            predicate_type: Some(self.predicate_type()),
            ..Policy::new(
                Who::Key(&self.key.signer.info().public_key, Window::default()),
                evidence,
                jiff::Timestamp::now(),
            )
        };
        let image = &job.digest;
        let artifact = Artifact::Digest(image.algorithm(), image.bytes().to_vec());
        let is_same = |found: Found| {
            let Ok(material) = &found.material else { return false };
            let own = self.key.certified.certificate.as_deref();
            let certified = material.certificate.as_ref().map(|one| one.der());
            own == certified
                && self
                    .verified(&artifact, material, &policy, trust)
                    .is_some_and(|proven| says(&proven, &wanted))
        };
        let tag = self.place.tag(Ending::of(kind), image);
        let search = self.place.search(image, kind, THREADS);
        let found = match is_bundle {
            true => search.referrers(remote, &|found| found.layout == Layout::Bundle && is_same(found))?,
            false if self.refers() => {
                search.referrers(remote, &|found| found.layout == Layout::Layer && is_same(found))?
            }
            false => search.tags(remote, &tag, &is_same)?,
        };
        Ok(found.contains(&true))
    }

    fn verified(
        &self,
        artifact: &Artifact,
        material: &Material,
        policy: &Policy<'_>,
        trust: &engine::Trust,
    ) -> Option<Proven> {
        let plan = plan(material, policy, trust).ok()?;
        let measured = artifact::measure(artifact, &plan.wanted, None, &|_| {}).ok()?;
        verify(material, plan, &measured).ok()
    }
}

/// Whether it says what is to be said, no more and no less.
fn says(proven: &Proven, wanted: &Statement) -> bool {
    let wanted_annotations = wanted.subjects.first().map(|subject| &subject.annotations);
    match (&proven.statement, &proven.claims) {
        (Some(statement), _) => {
            statement.predicate == wanted.predicate
                && statement.subjects.first().map(|subject| &subject.annotations) == wanted_annotations
        }
        (None, Some(claims)) => Some(&claims.annotations) == wanted_annotations,
        (None, None) => false,
    }
}
