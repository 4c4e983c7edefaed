//! The calls to Cloud KMS, each with the permission it needs and its failure.

use std::num::NonZeroU32;

use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{self, Again, Caller, Endpoint, Options, Wire};
use google_cloud_kms_v1::client::KeyManagementService;
use google_cloud_kms_v1::model::crypto_key::CryptoKeyPurpose;
use google_cloud_kms_v1::model::crypto_key_version::CryptoKeyVersionAlgorithm;
use google_cloud_kms_v1::model::{
    AsymmetricSignRequest, AsymmetricSignResponse, CryptoKey, CryptoKeyVersion, CryptoKeyVersionTemplate,
    KeyRing, PublicKey,
};

use crate::credentials::Source;
use crate::errors::{ELSEWHERE, Failure, Place};
use crate::settings;
use crate::stub::Rest;
use crate::uri::GcpUri;

/// The most pages of a list: a hundred thousand entries.
const MAX_PAGES: usize = 100;

/// Signatures in a second: below the 3,000 a minute at which Google limited keys in HSMs.
const MAX_RATE: Option<NonZeroU32> = NonZeroU32::new(45);

const SIGN: (&str, &str) = ("cloudkms.cryptoKeyVersions.useToSign", "roles/cloudkms.signer");
const READ: (&str, &str) = ("cloudkms.cryptoKeyVersions.viewPublicKey", "roles/cloudkms.publicKeyViewer");
const LIST_VERSIONS: (&str, &str) = ("cloudkms.cryptoKeyVersions.list", "roles/cloudkms.viewer");
const GET_VERSION: (&str, &str) = ("cloudkms.cryptoKeyVersions.get", "roles/cloudkms.viewer");
const LIST_KEYS: (&str, &str) = ("cloudkms.cryptoKeys.list", "roles/cloudkms.viewer");
const LIST_RINGS: (&str, &str) = ("cloudkms.keyRings.list", "roles/cloudkms.viewer");
const CREATE_RING: (&str, &str) = ("cloudkms.keyRings.create", "roles/cloudkms.admin");
const CREATE_KEY: (&str, &str) = ("cloudkms.cryptoKeys.create", "roles/cloudkms.admin");

/// Cloud KMS, and who we are to it.
pub(crate) struct Kms<'a> {
    reads: Caller<'a>,
    signs: Caller<'a>,
    client: KeyManagementService,
    endpoint: Endpoint,
    credentials: String,
}

impl<'a> Kms<'a> {
    /// Reads where Cloud KMS is and what to authenticate with. Asks nobody yet.
    pub(crate) fn new(uri: &GcpUri, context: &OpenContext<'a>) -> Result<Self> {
        let endpoint = settings::endpoint(uri, context)?;
        let source = Source::find(context)?;
        let credentials = source.name();
        let options = Options::default();
        let wire = Wire::new(options, endpoint.is_plain(), context)?;
        let provider = http::wait(context, "look for credentials", async || source.provider(context))??;
        let client = KeyManagementService::from_stub::<Rest>(Rest::new(wire, &endpoint, provider));
        let (reads, signs) = (Caller::new(context, None), Caller::new(context, MAX_RATE));
        Ok(Self { reads, signs, client, endpoint, credentials })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn context(&self) -> &OpenContext<'a> {
        self.reads.context()
    }

    /// Where the credentials are from, for people.
    pub(crate) fn credentials(&self) -> &str {
        &self.credentials
    }

    /// The public half of a version, with its algorithm.
    pub(crate) fn public_key(&self, version: &str, act: &str) -> Result<PublicKey> {
        self.call(&self.reads, act, READ, version, async || {
            self.client.get_public_key().set_name(version).send().await
        })
    }

    /// Has a version sign.
    pub(crate) fn sign(&self, request: &AsymmetricSignRequest, act: &str) -> Result<AsymmetricSignResponse> {
        self.call(&self.signs, act, SIGN, &request.name, async || {
            self.client.asymmetric_sign().with_request(request.clone()).send().await
        })
    }

    /// A key's versions, in no order; `filter` as the service has it.
    pub(crate) fn versions(&self, key: &str, filter: &str, act: &str) -> Result<Vec<CryptoKeyVersion>> {
        self.pages(act, |token| {
            let page = self.call(&self.reads, act, LIST_VERSIONS, key, async || {
                let request = self.client.list_crypto_key_versions().set_parent(key).set_page_size(1000);
                request.set_filter(filter).set_page_token(&token).send().await
            })?;
            Ok((page.crypto_key_versions, page.next_page_token))
        })
    }

    /// A version with its state.
    pub(crate) fn version(&self, version: &str, act: &str) -> Result<CryptoKeyVersion> {
        self.call(&self.reads, act, GET_VERSION, version, async || {
            self.client.get_crypto_key_version().set_name(version).send().await
        })
    }

    /// The keys of a ring.
    pub(crate) fn keys(&self, ring: &str, act: &str) -> Result<Vec<CryptoKey>> {
        self.pages(act, |token| {
            let page = self.call(&self.reads, act, LIST_KEYS, ring, async || {
                self.client.list_crypto_keys().set_parent(ring).set_page_token(&token).send().await
            })?;
            Ok((page.crypto_keys, page.next_page_token))
        })
    }

    /// The rings of a location.
    pub(crate) fn rings(&self, location: &str, act: &str) -> Result<Vec<KeyRing>> {
        self.pages(act, |token| {
            let page = self.call(&self.reads, act, LIST_RINGS, location, async || {
                self.client.list_key_rings().set_parent(location).set_page_token(&token).send().await
            })?;
            Ok((page.key_rings, page.next_page_token))
        })
    }

    /// Makes a ring. One that is there is [`ErrorKind::Denied`].
    pub(crate) fn create_ring(&self, location: &str, ring: &str, act: &str) -> Result<KeyRing> {
        self.call(&self.reads, act, CREATE_RING, location, async || {
            let request = self.client.create_key_ring().set_parent(location).set_key_ring_id(ring);
            request.set_key_ring(KeyRing::new()).send().await
        })
    }

    /// Makes a key for signing.
    pub(crate) fn create_key(
        &self,
        ring: &str,
        key: &str,
        algorithm: &CryptoKeyVersionAlgorithm,
        act: &str,
    ) -> Result<CryptoKey> {
        let template = CryptoKeyVersionTemplate::new().set_algorithm(algorithm.clone());
        let made =
            CryptoKey::new().set_purpose(CryptoKeyPurpose::AsymmetricSign).set_version_template(template);
        self.call(&self.reads, act, CREATE_KEY, ring, async || {
            let request = self.client.create_crypto_key().set_parent(ring).set_crypto_key_id(key);
            request.set_crypto_key(made.clone()).send().await
        })
    }

    /// Which of these we have on the key. Needs no permission.
    pub(crate) fn permissions(&self, key: &str, asked: &[&str], act: &str) -> Result<Vec<String>> {
        let answer = self.call(&self.reads, act, ("no permission", "no role"), key, async || {
            self.client
                .test_iam_permissions()
                .set_resource(key)
                .set_permissions(asked.iter().copied())
                .send()
                .await
        })?;
        Ok(answer.permissions)
    }

    fn pages<T>(&self, act: &str, page: impl Fn(String) -> Result<(Vec<T>, String)>) -> Result<Vec<T>> {
        let (mut all, mut token) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let (more, next) = page(token)?;
            all.extend(more);
            if next.is_empty() {
                return Ok(all);
            }
            token = next;
        }
        Err(incomplete(act, "the list does not end"))
    }

    fn call<T>(
        &self,
        caller: &Caller<'_>,
        act: &str,
        (permission, role): (&'static str, &'static str),
        resource: &str,
        send: impl AsyncFn() -> google_cloud_kms_v1::Result<T>,
    ) -> Result<T> {
        let once = async || send().await.map_err(Failure::from);
        let outcome = caller.call(act, once, |outcome| match outcome {
            Ok(_) => Again::Never,
            Err(failure) => failure.again(),
        })?;
        outcome.map_err(|failure| {
            let place = Place { permission, role, resource, credentials: &self.credentials };
            failure.into_error(&format!("cannot {act}"), place)
        })
    }
}

/// An answer that lacks what this call returns, or says something else.
pub(crate) fn incomplete(act: &str, why: &str) -> Error {
    Error::new(ErrorKind::Integrity, format!("cannot {act}")).why(why).hint(ELSEWHERE)
}
