//! A SoftHSM token for the rows of PKCS#11, and the floor under them: what the module itself costs, called without any
//! tool around it.

use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_core::{Digest, HashAlgorithm, Input, KeyType, PublicKey, encoding};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use crate::Result;

pub(crate) const PIN: &str = "123456";
/// The hidden first argument that makes this program the floor: then the label, and how many signatures.
pub(crate) const FLOOR: &str = "--floor-of-token";

/// The variables that lead to a new token in `dir`.
pub(crate) fn make(dir: &Path) -> Result<Vec<(String, String)>> {
    let up = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("softhsm/up");
    let made = Command::new(up).arg(dir.join("token")).output()?;
    if !made.status.success() {
        return Err(format!("softhsm/up: {}", String::from_utf8_lossy(&made.stderr)).into());
    }
    let lines = String::from_utf8(made.stdout)?;
    let exports = lines.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    Ok(exports.map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned())).collect())
}

/// C_Initialize, C_Login, C_FindObjects, then so many C_Sign, each verified once: no hashing, no file, no second thread.
pub(crate) fn floor(label: &str, count: usize) -> Result<()> {
    let module = Pkcs11::new(std::env::var("COSIGN_PKCS11_MODULE_PATH")?)?;
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let slot = module.get_slots_with_initialized_token()?.into_iter().next().ok_or("no token")?;
    let session = module.open_ro_session(slot)?;
    session.login(UserType::User, Some(&AuthPin::new(PIN.into())))?;
    let key = |class| find(&session, class, label);
    let private = key(ObjectClass::PRIVATE_KEY)?;
    let public = public_key(&session, key(ObjectClass::PUBLIC_KEY)?, label)?;
    let algorithm = public.key_type().default_algorithm();
    for number in 0..count {
        let digest = HashAlgorithm::Sha256.digest(&number.to_le_bytes());
        let (mechanism, data) = prepare(&public, &digest);
        let raw = session.sign(&mechanism, private, &data)?;
        let signature =
            if label == "p256" { encoding::ecdsa_fixed_to_der(KeyType::P256, &raw)? } else { raw };
        public.verify(algorithm, Input::Digest(&digest), &signature)?;
    }
    Ok(())
}

fn prepare(public: &PublicKey, digest: &Digest) -> (Mechanism<'static>, Vec<u8>) {
    if public.key_type() == KeyType::P256 {
        (Mechanism::Ecdsa, digest.bytes().to_vec())
    } else {
        (Mechanism::RsaPkcs, encoding::digest_info(digest))
    }
}

fn find(session: &Session, class: ObjectClass, label: &str) -> Result<cryptoki::object::ObjectHandle> {
    let template = [Attribute::Class(class), Attribute::Label(label.into())];
    Ok(session.find_objects(&template)?.into_iter().next().ok_or("no such key")?)
}

fn public_key(session: &Session, key: cryptoki::object::ObjectHandle, label: &str) -> Result<PublicKey> {
    use cryptoki::object::AttributeType::{EcPoint, Modulus, PublicExponent};
    let wanted: &[_] = if label == "p256" { &[EcPoint] } else { &[Modulus, PublicExponent] };
    match session.get_attributes(key, wanted)?.as_slice() {
        [Attribute::EcPoint(point)] => {
            Ok(PublicKey::from_parts(KeyType::P256, encoding::public_point(KeyType::P256, point)?)?)
        }
        [Attribute::Modulus(modulus), Attribute::PublicExponent(exponent)] => {
            Ok(PublicKey::from_rsa_numbers(modulus, exponent)?)
        }
        _ => Err("the token tells another kind of public key".into()),
    }
}
