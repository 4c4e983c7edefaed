//! The calls to the API server: a secret read, made, replaced and taken away (Kubernetes, "Secret" of the API reference).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{
    Answer, Client, Endpoint, Method, Options, Request, SecretBody, encode_segment,
};
use countersign_core::{OpenContext, Secret};
use serde::{Deserialize, Serialize};

use crate::config::Access;
use crate::errors::{refused, unreadable};
use crate::uri::SecretUri;

/// The names that Cosign gives the fields.
pub(crate) const KEY: &str = "cosign.key";
pub(crate) const PUBLIC_KEY: &str = "cosign.pub";
pub(crate) const PASSWORD: &str = "cosign.password";

/// The object as it travels.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Object {
    #[serde(default, rename = "apiVersion")]
    api_version: String,
    #[serde(default)]
    kind: String,
    metadata: Metadata,
    /// By name, in base64.
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    immutable: Option<bool>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind_of_secret: Option<String>,
}

#[derive(Serialize, Deserialize, Clone)]
struct Metadata {
    name: String,
    namespace: String,
    /// Set when it replaces exactly the version that was read.
    #[serde(default, rename = "resourceVersion", skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Object {
    /// A secret as Cosign makes it: it never changes afterwards.
    pub(crate) fn new(uri: &SecretUri) -> Self {
        Self {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            metadata: Metadata {
                name: uri.name.clone(),
                namespace: uri.namespace.clone(),
                resource_version: None,
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
            },
            data: BTreeMap::new(),
            immutable: Some(true),
            kind_of_secret: Some("Opaque".to_owned()),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Result<Option<Secret>> {
        let Some(value) = self.data.get(name) else { return Ok(None) };
        let bytes = STANDARD.decode(value).map_err(|_| {
            Error::new(ErrorKind::Integrity, format!("cannot read the field {name}")).why("it is not base64")
        })?;
        Ok(Some(Secret::new(bytes)))
    }

    pub(crate) fn set(&mut self, name: &str, value: &[u8]) {
        self.data.insert(name.to_owned(), STANDARD.encode(value));
    }

    pub(crate) fn is_immutable(&self) -> bool {
        self.immutable == Some(true)
    }

    /// The same to be made anew, with nothing that the server gave the old one.
    pub(crate) fn anew(&self) -> Self {
        let mut object = self.clone();
        object.metadata.resource_version = None;
        object
    }
}

/// A cluster, and the secret in it.
pub(crate) struct Cluster<'a> {
    http: Client<'a>,
    bearer: Option<Secret>,
    uri: SecretUri,
    from: String,
}

impl<'a> Cluster<'a> {
    /// Reads where the cluster is and what to authenticate with. Makes no call yet.
    pub(crate) fn new(uri: SecretUri, context: &OpenContext<'a>) -> Result<Self> {
        let access = Access::find(context)?;
        let options = Options {
            certificates: access.certificates,
            certificates_variable: "certificate-authority in the kubeconfig",
            identity: access.identity,
            identity_named_by: Some("client-certificate and client-key in the kubeconfig"),
            server_name: access.server_name,
            ..Options::default()
        };
        let http = Client::new(access.endpoint, options, context)?;
        Ok(Self { http, bearer: access.bearer, uri, from: access.from })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    pub(crate) fn from(&self) -> &str {
        &self.from
    }

    /// The secret; `None` where there is none.
    pub(crate) fn read(&self) -> Result<Option<Object>> {
        let what = || format!("cannot read the secret {}", self.uri);
        let answer = self.send(Method::Get, true, None)?;
        if answer.status == 404 {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(refused(what(), &answer, "get", &self.uri.namespace));
        }
        let object: Object = serde_json::from_slice(&answer.body).map_err(|_| unreadable(what()))?;
        let found = (object.metadata.namespace.as_str(), object.metadata.name.as_str());
        if found != (&self.uri.namespace, &self.uri.name) {
            return Err(Error::new(ErrorKind::Integrity, what()).why(format!(
                "the API server answers for another secret: {}/{}",
                found.0.escape_debug(),
                found.1.escape_debug()
            )));
        }
        Ok(Some(object))
    }

    pub(crate) fn create(&self, object: &Object) -> Result<()> {
        let answer = self.send(Method::Post, false, Some(&body(object)?))?;
        self.done("make", &answer, "create")
    }

    pub(crate) fn replace(&self, object: &Object) -> Result<()> {
        let answer = self.send(Method::Put, true, Some(&body(object)?))?;
        self.done("change", &answer, "update")
    }

    pub(crate) fn remove(&self) -> Result<()> {
        let answer = self.send(Method::Delete, true, None)?;
        self.done("remove", &answer, "delete")
    }

    fn done(&self, act: &str, answer: &Answer, verb: &str) -> Result<()> {
        if answer.is_success() {
            return Ok(());
        }
        Err(refused(format!("cannot {act} the secret {}", self.uri), answer, verb, &self.uri.namespace))
    }

    fn send(&self, method: Method, named: bool, body: Option<&SecretBody>) -> Result<Answer> {
        let mut path = format!("/api/v1/namespaces/{}/secrets", encode_segment(&self.uri.namespace)?);
        if named {
            path.push('/');
            path += &encode_segment(&self.uri.name)?;
        }
        let credentials: Vec<_> = self.bearer.iter().map(|bearer| ("authorization", bearer)).collect();
        let headers = [("accept", "application/json")];
        let request = Request { method, path: &path, headers: &headers, credentials: &credentials, body };
        self.http.send(&format!("reach {}", self.uri), &request)
    }
}

fn body(object: &Object) -> Result<SecretBody> {
    let mut body = SecretBody::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *body, object).map_err(|_| Error::internal("a secret that is no JSON"))?;
    Ok(body)
}
