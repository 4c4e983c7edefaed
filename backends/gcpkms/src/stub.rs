//! The SDK's way out: its requests become REST calls over the core's [`Wire`], so that TLS, trust, proxies, redirects and
//! bounds are those of every service. What the SDK's own transport does (REST with whole numbers for enums) is done here.

use std::sync::Arc;

use countersign_core::error::ErrorKind;
use countersign_core::http::{Endpoint, Wire};
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use google_cloud_gax::options::RequestOptions;
use google_cloud_gax::response::Response;
use google_cloud_kms_v1::model::{self, AsymmetricSignRequest, AsymmetricSignResponse};
use google_cloud_kms_v1::stub::KeyManagementService;
use google_cloud_kms_v1::{Error, Result};

use crate::errors::{ELSEWHERE, Failure};

/// Numbers for enums, so that a value that the SDK does not know yet is no error.
const ENUMS: &str = "%24alt=json%3Benum-encoding%3Dint";

/// Cloud KMS by REST.
pub(crate) struct Rest {
    wire: Wire,
    base: String,
    credentials: Credentials,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rest")
    }
}

impl Rest {
    pub(crate) fn new(wire: Wire, endpoint: &Endpoint, credentials: Credentials) -> Arc<Self> {
        Arc::new(Self { wire, base: endpoint.to_string(), credentials })
    }

    /// One request, sent once. `path` is made of names that the URI's grammar let through, or that answers were checked for.
    async fn send<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Response<T>> {
        let sent = self.exchange(method, path, query, body).await;
        sent.map(Response::from).map_err(Error::io)
    }

    async fn exchange<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> std::result::Result<T, Failure> {
        let headers =
            self.credentials.headers(Default::default()).await.map_err(Failure::from_credentials)?;
        let CacheableResource::New { data, .. } = headers else {
            return Err(Failure::ours(ErrorKind::Internal, "the credentials gave no token"));
        };
        let mut url = format!("{}/v1/{path}?{ENUMS}", self.base);
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            url += &format!("&{name}={}", escape(value));
        }
        let mut headers: Vec<(&str, &str)> = Vec::new();
        for (name, value) in &data {
            let Ok(value) = value.to_str() else {
                return Err(Failure::ours(ErrorKind::Unauthenticated, "the token has odd characters"));
            };
            headers.push((name.as_str(), value));
        }
        headers.push(("accept", "application/json"));
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.unwrap_or_default();
        let answer = self
            .wire
            .exchange(method, &url, headers.into_iter(), body, None)
            .await
            .map_err(|error| Failure::from_core(&error))?;
        if !(200..300).contains(&answer.status) {
            return Err(Failure::from_answer(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|_| Failure::Ours {
            kind: ErrorKind::Integrity,
            why: format!("the answer of {} is not that of Cloud KMS", self.base),
            hint: Some(ELSEWHERE.to_owned()),
        })
    }
}

/// All but the unreserved characters of RFC 3986 2.3.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn json(value: &impl serde::Serialize) -> Result<Option<Vec<u8>>> {
    serde_json::to_vec(value).map(Some).map_err(Error::ser)
}

impl KeyManagementService for Rest {
    async fn get_public_key(
        &self,
        request: model::GetPublicKeyRequest,
        _: RequestOptions,
    ) -> Result<Response<model::PublicKey>> {
        self.send("GET", &format!("{}/publicKey", request.name), &[], None).await
    }

    async fn asymmetric_sign(
        &self,
        mut request: AsymmetricSignRequest,
        _: RequestOptions,
    ) -> Result<Response<AsymmetricSignResponse>> {
        let path = format!("{}:asymmetricSign", std::mem::take(&mut request.name));
        self.send("POST", &path, &[], json(&request)?).await
    }

    async fn list_crypto_key_versions(
        &self,
        request: model::ListCryptoKeyVersionsRequest,
        _: RequestOptions,
    ) -> Result<Response<model::ListCryptoKeyVersionsResponse>> {
        let size = request.page_size.to_string();
        let query =
            [("pageSize", size.as_str()), ("pageToken", &request.page_token), ("filter", &request.filter)];
        self.send("GET", &format!("{}/cryptoKeyVersions", request.parent), &query, None).await
    }

    async fn get_crypto_key_version(
        &self,
        request: model::GetCryptoKeyVersionRequest,
        _: RequestOptions,
    ) -> Result<Response<model::CryptoKeyVersion>> {
        self.send("GET", &request.name, &[], None).await
    }

    async fn list_crypto_keys(
        &self,
        request: model::ListCryptoKeysRequest,
        _: RequestOptions,
    ) -> Result<Response<model::ListCryptoKeysResponse>> {
        let query = [("pageSize", "1000"), ("pageToken", request.page_token.as_str())];
        self.send("GET", &format!("{}/cryptoKeys", request.parent), &query, None).await
    }

    async fn list_key_rings(
        &self,
        request: model::ListKeyRingsRequest,
        _: RequestOptions,
    ) -> Result<Response<model::ListKeyRingsResponse>> {
        let query = [("pageSize", "1000"), ("pageToken", request.page_token.as_str())];
        self.send("GET", &format!("{}/keyRings", request.parent), &query, None).await
    }

    async fn create_key_ring(
        &self,
        request: model::CreateKeyRingRequest,
        _: RequestOptions,
    ) -> Result<Response<model::KeyRing>> {
        let query = [("keyRingId", request.key_ring_id.as_str())];
        let body = json(&request.key_ring.unwrap_or_default())?;
        self.send("POST", &format!("{}/keyRings", request.parent), &query, body).await
    }

    async fn create_crypto_key(
        &self,
        request: model::CreateCryptoKeyRequest,
        _: RequestOptions,
    ) -> Result<Response<model::CryptoKey>> {
        let query = [("cryptoKeyId", request.crypto_key_id.as_str())];
        let body = json(&request.crypto_key.unwrap_or_default())?;
        self.send("POST", &format!("{}/cryptoKeys", request.parent), &query, body).await
    }

    async fn test_iam_permissions(
        &self,
        mut request: google_cloud_iam_v1::model::TestIamPermissionsRequest,
        _: RequestOptions,
    ) -> Result<Response<google_cloud_iam_v1::model::TestIamPermissionsResponse>> {
        let path = format!("{}:testIamPermissions", std::mem::take(&mut request.resource));
        self.send("POST", &path, &[], json(&request)?).await
    }
}
