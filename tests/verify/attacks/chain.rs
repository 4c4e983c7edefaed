//! Who may issue certificates for signers, and for what (RFC 5280 6.1 and 4.2.1).

use countersign::verify::Check;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use crate::verify::forge::certificates::{CODE_SIGNING, TIME_STAMPING, authority, extension, oid, usage};
use crate::verify::forge::{Case, Certified, LONG, Leaf, Signer, WORLD, trusted_authority};

const NOT_FOR_CODE: &str = "it is not for signing code";
const NO_AUTHORITY: &str = "it was issued with a certificate that is no authority's";

/// The refusal of the chain, in these words.
fn untrusted(case: &Case, why: &str) {
    let refusal = case.refused(Check::CertificateChain);
    assert!(refusal.found().starts_with(why), "{refusal}");
}

/// A signature by a leaf below this chain, where the trusted root names it; the one that issues comes first.
fn below(chain: &[&Certified], leaf: &Leaf) -> Case {
    let signer = Signer::certified(leaf.issue(chain[0], &[&WORLD.certificate_logs[0]]));
    Case::logged(&signer).trusting("/certificateAuthorities/0", trusted_authority(chain))
}

fn root() -> Certified {
    Certified::root("CN=another root", LONG)
}

#[test]
fn a_leaf_is_for_signing_code() {
    let used = |usages: Vec<Extension>| below(&[&root()], &Leaf { usages, ..Leaf::default() });
    let signs = || extension(&KeyUsage(KeyUsages::DigitalSignature.into()), true);
    used(vec![signs(), usage(&[CODE_SIGNING], false)]).accepted();
    used(vec![signs(), usage(&[TIME_STAMPING, CODE_SIGNING], true)]).accepted();
    used(vec![usage(&[CODE_SIGNING], false)]).accepted();
    untrusted(&used(vec![signs(), usage(&[TIME_STAMPING], false)]), NOT_FOR_CODE);
    untrusted(&used(vec![signs(), usage(&[], false)]), NOT_FOR_CODE);
    untrusted(&used(vec![signs()]), NOT_FOR_CODE);
    // anyExtendedKeyUsage says nothing.
    untrusted(&used(vec![signs(), usage(&["2.5.29.37.0"], false)]), NOT_FOR_CODE);
    let encrypts = extension(&KeyUsage(KeyUsages::KeyEncipherment.into()), true);
    untrusted(
        &used(vec![encrypts, usage(&[CODE_SIGNING], false)]),
        "its key usage does not allow signatures",
    );
    // An authority signs nothing but certificates, and what nobody knows must not be critical.
    untrusted(
        &used([authority(None), vec![usage(&[CODE_SIGNING], false)]].concat()),
        "its key usage does not",
    );
    let also_signs = vec![authority(None).remove(0), usage(&[CODE_SIGNING], false)];
    untrusted(&used(also_signs), "it is the certificate of an authority");
    let unknown = |critical: bool| {
        let odd = Extension { extn_id: oid("1.2.3.4"), critical, ..signs() };
        used(vec![signs(), usage(&[CODE_SIGNING], false), odd])
    };
    unknown(false).accepted();
    untrusted(&unknown(true), "a critical extension is not known here");
}

#[test]
fn an_authority_is_one() {
    let root = root();
    let issuer = |extensions: Vec<Extension>| {
        let issuer = root.issue("CN=another issuer", LONG, extensions);
        below(&[&issuer, &root], &Leaf::default())
    };
    issuer(authority(None)).accepted();
    issuer(authority(Some(0))).accepted();
    issuer([authority(None), vec![usage(&[CODE_SIGNING], false)]].concat()).accepted();
    untrusted(
        &issuer([authority(None), vec![usage(&[TIME_STAMPING], false)]].concat()),
        "an authority in the path may not issue for this usage",
    );
    untrusted(&issuer(Vec::new()), NO_AUTHORITY);
    untrusted(&issuer(authority(None).split_off(1)), NO_AUTHORITY);
    // A signer issues for another.
    let signer = Leaf::default().issue(&root, &[]);
    below(&[&signer, &root], &Leaf::default()).refused(Check::CertificateChain);
}

#[test]
fn a_path_is_no_longer_than_each_authority_allows() {
    let deep = |above: Option<u8>, below_it: Option<u8>| {
        let root = root();
        let first = root.issue("CN=first", LONG, authority(above));
        let second = first.issue("CN=second", LONG, authority(below_it));
        below(&[&second, &first, &root], &Leaf::default())
    };
    deep(None, None).accepted();
    deep(Some(1), Some(0)).accepted();
    untrusted(&deep(Some(0), None), "the path is longer than an authority allows");
}

#[test]
fn an_authority_of_the_same_name_is_another() {
    let (one, other) = (root(), root());
    below(&[&one], &Leaf::default()).accepted();
    let signer = Signer::certified(Leaf::default().issue(&other, &[&WORLD.certificate_logs[0]]));
    let case = Case::logged(&signer);
    let namesake = case.trusting("/certificateAuthorities/0", trusted_authority(&[&one]));
    untrusted(&namesake, "a signature in the path does not match");
    // Beside the one that issued, it does no harm.
    let root = |authority: &Certified| trusted_authority(&[authority]);
    case.trusting("/certificateAuthorities", vec![root(&one), root(&other)]).accepted();
    // The certificate of a bundle is no authority by being there.
    let own = Signer::certified(Leaf::default().issue(&signer.certificate.unwrap(), &[]));
    Case::logged(&own).refused(Check::CertificateChain);
}
