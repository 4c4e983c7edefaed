//! Published inclusion proofs (RFC 6962 2.1.1), good and bad, through the function that the engine calls. Of the proofs of
//! consistency beside them none is asked for: a bundle holds one checkpoint.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sigstore_merkle::verify_inclusion_proof;
use sigstore_types::Sha256Hash;

use crate::support::vectors;

/// What a file says, and whether the proof holds.
fn holds(vector: &Value) -> bool {
    let number = |field: &str| vector[field].as_u64();
    let hash = |value: &Value| {
        let bytes = STANDARD.decode(value.as_str()?).ok()?;
        Sha256Hash::try_from(bytes.as_slice()).ok()
    };
    let proof = vector["proof"].as_array().map_or(&[][..], Vec::as_slice);
    let proof: Option<Vec<_>> = proof.iter().map(hash).collect();
    // What is no number or no hash a bundle cannot state: it is refused before it comes here.
    let parts =
        (number("leafIdx"), number("treeSize"), hash(&vector["leafHash"]), hash(&vector["root"]), proof);
    let (Some(index), Some(size), Some(leaf), Some(root), Some(proof)) = parts else { return false };
    verify_inclusion_proof(&leaf, index, size, &proof, &root).is_ok()
}

#[test]
fn published_inclusion_proofs_are_decided_as_their_publishers_say() {
    let Some(vectors) = vectors() else { return };
    let (mut good, mut bad) = (0, 0);
    let mut paths = vec![vectors.join("rfc6962-merkle/inclusion")];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let vector: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let expected = !vector["wantErr"].as_bool().unwrap();
        assert_eq!(holds(&vector), expected, "{}: {}", path.display(), vector["desc"]);
        if expected { good += 1 } else { bad += 1 }
    }
    assert_eq!((good, bad), (6, 92));
}
