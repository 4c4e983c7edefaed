//! The entry of a signature that comes without one, from a log of version 1.

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{self, Client, Endpoint};
use countersign_core::{Algorithm, Certificate, Digest, HashAlgorithm, Input, OpenContext, PublicKey};

use super::{MAX_ANSWER_BYTES, Signed, rekor};
use crate::artifact::{Artifact, Measured, Wanted, measure};
use crate::bundle::{Content, LogEntry};
use crate::verify::Material;

/// The entries that the log at `url` holds of this signature over the artifact, or over the envelope beside it. What they
/// prove is the verifier's to say. Costs one pass over the artifact and one question, and no question where the signature does
/// not match.
///
/// # Errors
/// Those of the address, of the connection and of reading the artifact; [`ErrorKind::Integrity`] for an answer that is none;
/// [`ErrorKind::Unsupported`] for an artifact that can be read once only.
pub fn look_up(
    url: &str,
    material: &Material,
    artifact: &Artifact,
    key: &PublicKey,
    context: &OpenContext<'_>,
) -> Result<Vec<LogEntry>> {
    let certificate = material.certificate.as_ref().map(Certificate::der);
    let (own, signature) = (key.key_type().default_algorithm(), &material.signature[..]);
    let about = |content| Signed { signature, content, key, certificate, algorithm: own };
    if let Some(envelope) = &material.envelope {
        return find(url, &[about(Content::Envelope(envelope))], context);
    }
    if *artifact == Artifact::Stdin && material.claims.is_none() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "cannot look the signature up in the transparency log",
        )
        .why("standard input can be read once, and this needs it once more")
        .hint("give a file, or the digest as sha256:HEX"));
    }
    // Signers of that time hashed with SHA-256 whatever the key.
    let mut hashes = vec![HashAlgorithm::Sha256];
    hashes.extend(own.hash().filter(|hash| *hash != HashAlgorithm::Sha256));
    let measured = match &material.claims {
        Some(claims) => {
            let digests = hashes.iter().map(|hash| hash.digest(claims)).collect();
            Measured { digests, message: None }
        }
        None => measure(artifact, &Wanted { hashes, message: false }, context.deadline, &|_| {})?,
    };
    // A log refuses to look for what does not verify; and so shall we.
    let holds = |digest: &&Digest| {
        let algorithm = Algorithm::with_hash(key.key_type(), digest.algorithm());
        algorithm.is_some_and(|one| key.verify(one, Input::Digest(digest), signature).is_ok())
    };
    let digests = measured.digests.iter().filter(holds);
    let signed: Vec<_> = digests.map(|digest| about(Content::Artifact(digest, signature))).collect();
    if signed.is_empty() { Ok(Vec::new()) } else { find(url, &signed, context) }
}

/// The entry at an index of the whole log, with the proof that it lies in the tree.
///
/// # Errors
/// Those of the address and of the connection; [`ErrorKind::Integrity`] for an answer that is none.
pub fn at_index(url: &str, index: u64, context: &OpenContext<'_>) -> Result<LogEntry> {
    rekor::one::at_index(&client(url, context)?, index).map_err(|error| error.with_what(what))
}

fn find(url: &str, signed: &[Signed<'_>], context: &OpenContext<'_>) -> Result<Vec<LogEntry>> {
    rekor::one::find(&client(url, context)?, signed).map_err(|error| error.with_what(what))
}

fn client<'a>(url: &str, context: &OpenContext<'a>) -> Result<Client<'a>> {
    let endpoint = Endpoint::parse(url, "the address of the transparency log")?;
    let options = http::Options { max_answer_bytes: MAX_ANSWER_BYTES, ..http::Options::default() };
    Client::new(endpoint, options, context)
}

fn what(_: String) -> String {
    "cannot look the signature up in the transparency log".to_owned()
}
