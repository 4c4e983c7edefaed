//! A login with a certificate: an assertion signed with its key (RFC 7523; learn.microsoft.com, "Microsoft identity platform
//! application authentication certificate credentials"). The SDK's own needs OpenSSL, which this build does not have.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_core::{Uuid, Value, base64};
use azure_identity::ClientAssertion;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::local_key::{self, LocalKey};
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{
    Certificate, HashAlgorithm, Input, Location, OpenContext, Scheme, Secret, Signer, bounded,
};

use crate::settings::text;
use crate::transport::carried;

/// Names the file.
pub(crate) const FILE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";

/// A key and a chain of certificates take a tenth.
const MAX_FILE_BYTES: u64 = 256 * 1024;

/// How long an assertion holds; each is used once.
const LIFETIME: Duration = Duration::from_secs(600);

/// A certificate's key, and for whom and where it speaks.
pub(crate) struct Assertion {
    key: LocalKey,
    info: KeyInfo,
    /// SHA-256 over the certificate's DER: how the directory finds it (RFC 7515 4.1.8).
    thumbprint: String,
    client: String,
    audience: String,
}

impl Assertion {
    /// Reads the file that the variable names: PEM with an RSA key and its certificate, in any order.
    ///
    /// # Errors
    /// Those of reading it, with the variable's name; [`ErrorKind::Unsupported`] for PKCS#12, a key that is not RSA, or
    /// no certificate of it; [`ErrorKind::WrongPin`] where the key is encrypted with another password.
    pub(crate) fn load(
        file: &str,
        client: String,
        audience: String,
        context: &OpenContext<'_>,
    ) -> Result<Self> {
        let what = format!("cannot log in with the certificate in {file}");
        let content = bounded::read(Path::new(file), MAX_FILE_BYTES, context.deadline)
            .map_err(|cause| Error::io("read", file, cause).hint(format!("{FILE} names this file")))?;
        let content = Secret::new(content);
        let (private, certificates) = blocks(content.expose());
        let bad = |why: &str| {
            Error::new(ErrorKind::Unsupported, what.clone())
                .why(why)
                .hint("make it with: openssl pkcs12 -in FILE.pfx -nodes -out FILE.pem")
        };
        let private = private.ok_or_else(|| bad("it holds no private key in PEM"))?;
        let password = || {
            let password = text(context, "AZURE_CLIENT_CERTIFICATE_PASSWORD").ok_or_else(|| {
                Error::new(ErrorKind::PinRequired, what.clone())
                    .why("its key is encrypted")
                    .hint("set AZURE_CLIENT_CERTIFICATE_PASSWORD")
            })?;
            Ok(Secret::new(password.into_bytes()))
        };
        let key = local_key::parse(private, password).map_err(|error| error.within(what.clone()))?;
        if key.public_key().key_type().rsa_bits().is_none() {
            return Err(bad("its key is not RSA, and Azure takes no other"));
        }
        let own = certificates
            .into_iter()
            .filter_map(|block| Certificate::from_pem_or_der(block).ok())
            .find(|certificate| certificate.public_key() == key.public_key())
            .ok_or_else(|| bad("it holds no certificate of its key"))?;
        let thumbprint = base64::encode_url_safe(HashAlgorithm::Sha256.digest(own.der()).bytes());
        let public_key = key.public_key().clone();
        let info = KeyInfo::new(file.to_owned(), public_key, key.algorithms(), Location::File);
        Ok(Self { key, info, thumbprint, client, audience })
    }

    fn make(&self, now: SystemTime) -> Result<String> {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut header = Value::default();
        header["alg"] = "PS256".into();
        header["typ"] = "JWT".into();
        header["x5t#S256"] = self.thumbprint.as_str().into();
        let mut claims = Value::default();
        for name in ["iss", "sub"] {
            claims[name] = self.client.as_str().into();
        }
        claims["aud"] = self.audience.as_str().into();
        claims["jti"] = Uuid::new_v4().to_string().into();
        claims["nbf"] = seconds(now).into();
        claims["exp"] = seconds(now + LIFETIME).into();
        let encode = |value: &Value| base64::encode_url_safe(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let digest = HashAlgorithm::Sha256.digest(signed.as_bytes());
        let algorithm = self.info.algorithms.iter().find(|one| one.scheme() == Scheme::RsaPss);
        let algorithm = algorithm.ok_or_else(|| Error::internal("an RSA key without PSS"))?;
        let signer: &dyn Signer = self;
        let signature = signer.sign(*algorithm, Input::Digest(&digest))?;
        Ok(format!("{signed}.{}", base64::encode_url_safe(signature.bytes())))
    }
}

impl Signer for Assertion {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        self.key.sign_raw(request)
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.make(SystemTime::now()).map_err(carried)
    }
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Assertion")
    }
}

/// The private key's block and those of certificates, each with what follows it.
fn blocks(content: &[u8]) -> (Option<&[u8]>, Vec<&[u8]>) {
    let (mut private, mut certificates) = (None, Vec::new());
    let begin = b"-----BEGIN ";
    for at in 0..content.len() {
        let Some(label) = content[at..].strip_prefix(begin) else { continue };
        let label = label.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        if label.ends_with(b"PRIVATE KEY-----") {
            private = private.or(Some(&content[at..]));
        } else if label == b"CERTIFICATE-----" {
            certificates.push(&content[at..]);
        }
    }
    (private, certificates)
}
