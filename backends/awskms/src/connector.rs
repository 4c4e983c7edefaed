//! The SDK's way out: its requests go through the core's [`Wire`], so that TLS, trust and proxies are those of every service.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use countersign_core::error::{Error, ErrorKind};
use countersign_core::http::Wire;

/// Sends what the SDK has signed, once.
#[derive(Clone)]
pub(crate) struct Connector {
    wire: Wire,
    settings: HttpConnectorSettings,
}

impl Connector {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, settings: HttpConnectorSettings::builder().build() }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { wire: self.wire.clone(), settings: settings.clone() })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { wire, settings } = self.clone();
        HttpConnectorFuture::new(async move {
            let Some(body) = request.body().bytes().map(<[u8]>::to_vec) else {
                return Err(ConnectorError::user("a body that streams".into()));
            };
            let limit = match (settings.connect_timeout(), settings.read_timeout()) {
                (Some(connect), Some(read)) => Some(connect + read),
                (one, other) => other.or(one),
            };
            let sent =
                wire.exchange(request.method(), request.uri(), request.headers().iter(), body, limit).await;
            let answer = sent.map_err(failed)?;
            let status =
                answer.status.try_into().map_err(|cause| ConnectorError::other(Box::new(cause), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
            for (name, value) in answer.headers {
                // One that the SDK cannot hold says nothing that it needs.
                let _ = response.headers_mut().try_append(name, value);
            }
            Ok(response)
        })
    }
}

/// Ours is carried inside and found again in `errors.rs`.
fn failed(error: Error) -> ConnectorError {
    if error.kind() == ErrorKind::Unavailable {
        ConnectorError::io(Box::new(error))
    } else {
        ConnectorError::user(Box::new(error))
    }
}
