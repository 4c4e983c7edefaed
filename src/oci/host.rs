//! One registry's host: the connection, and who we are there.
//!
//! Nothing is shown before it is asked for, and then to whom it belongs: a password goes to the registry or to the giver of
//! tokens that is of the same site, a token to the registry alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use countersign_core::context::Limit;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::http::{self, Answer, Client, Endpoint, Request};
use countersign_core::{OpenContext, Secret};

use super::challenge::{self, Challenge};
use super::credentials::{self, Credential};
use super::options::Options;
use super::token::{self, Asked};
use super::{Access, Repository};

/// The largest answer that is no blob.
const MAX_ANSWER_BYTES: usize = super::manifest::MAX_MANIFEST_BYTES;

/// A registry.
pub(super) struct Host<'a> {
    name: String,
    options: Arc<Options>,
    context: OpenContext<'a>,
    /// For each piece of work: a batch may last longer than one of its images may.
    limit: Limit,
    client: OnceLock<Client<'a>>,
    /// The header that opens a repository, by what it opens.
    opened: Mutex<BTreeMap<(String, Access), Arc<Secret>>>,
    /// Found once, when it is asked for.
    credential: Mutex<BTreeMap<String, Arc<Option<Credential>>>>,
}

impl<'a> Host<'a> {
    pub(super) fn new(name: String, options: Arc<Options>, context: OpenContext<'a>) -> Self {
        Self {
            name,
            options,
            limit: Limit::of(&context),
            context,
            client: OnceLock::new(),
            opened: Mutex::default(),
            credential: Mutex::default(),
        }
    }

    pub(super) fn context(&self) -> &OpenContext<'a> {
        &self.context
    }

    /// The same for what begins now.
    fn context_now(&self) -> OpenContext<'a> {
        OpenContext { deadline: self.limit.deadline(), ..self.context }
    }

    /// How many requests went to the registry so far.
    pub(super) fn requests(&self) -> usize {
        self.client.get().map_or(0, Client::requests)
    }

    /// Sends a request about a repository, and says who we are where that is asked.
    pub(super) fn send(
        &self,
        repository: &Repository,
        access: Access,
        limit: usize,
        act: &str,
        request: &Request<'_>,
    ) -> Result<Answer> {
        let known = self.known(repository, access);
        let answer = self.send_with(known.as_deref(), limit, act, request)?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let Some(header) = self.open(repository, access, &answer, known.is_some(), act)? else {
            return Ok(answer);
        };
        let answer = self.send_with(Some(&header), limit, act, request)?;
        if answer.status != 401 {
            self.keep(repository, access, header);
        }
        Ok(answer)
    }

    fn known(&self, repository: &Repository, access: Access) -> Option<Arc<Secret>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.get(&(repository.path.clone(), access)).cloned()
    }

    fn keep(&self, repository: &Repository, access: Access, header: Arc<Secret>) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert((repository.path.clone(), access), header);
    }

    fn send_with(
        &self,
        header: Option<&Secret>,
        limit: usize,
        act: &str,
        request: &Request<'_>,
    ) -> Result<Answer> {
        let authorization: Vec<_> = header.into_iter().map(|header| ("authorization", header)).collect();
        let request = Request { credentials: &authorization, ..*request };
        if let Some(client) = self.client.get() {
            return client.send_up_to(limit, act, &request);
        }
        let mut addresses = self.addresses().into_iter().peekable();
        while let Some(address) = addresses.next() {
            let client = self.connect(&address)?;
            let answer = client.send_up_to(limit, act, &request);
            let goes_on = addresses.peek().is_some()
                && match &answer {
                    // What Go's and nginx's servers say to plain http at a port for TLS.
                    Ok(answer) => {
                        answer.status == 400 && String::from_utf8_lossy(&answer.body).contains("HTTPS")
                    }
                    Err(error) => matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unauthenticated),
                };
            if !goes_on {
                if answer.is_ok() {
                    // Another thread may have been sooner: either of the two does.
                    let _ = self.client.set(client);
                }
                return answer;
            }
        }
        Err(Error::internal("a registry without an address"))
    }

    /// Where the registry may be, in the order in which that is tried. This machine is asked by plain http first, since
    /// registries there seldom have a certificate and nobody listens on the way.
    fn addresses(&self) -> Vec<String> {
        // Docker Hub signs with a name under which no registry answers.
        let host = if self.name == "index.docker.io" { "registry-1.docker.io" } else { &self.name };
        let (tls, plain) = (format!("https://{host}"), format!("http://{host}"));
        let is_here = Endpoint::parse(&plain, "a registry").is_ok_and(|endpoint| endpoint.is_loopback());
        match (is_here, self.options.demands_tls(), self.options.allows_http) {
            (true, false, _) => vec![plain, tls],
            (_, _, true) => vec![tls, plain],
            _ => vec![tls],
        }
    }

    fn connect(&self, address: &str) -> Result<Client<'a>> {
        let endpoint = Endpoint::parse(address, "the registry's address")?;
        Client::new(endpoint, self.http_options(true), &self.context_now())
    }

    /// For a host that is the registry's own, or another that it sends us to.
    fn http_options(&self, is_own: bool) -> http::Options {
        http::Options {
            certificates: self.options.authorities.clone(),
            certificates_variable: "--registry-cacert",
            identity: self.options.identity.clone().filter(|_| is_own),
            identity_named_by: Some("--registry-client-cert and --registry-client-key"),
            server_name: self.options.server_name.clone().filter(|_| is_own),
            max_answer_bytes: MAX_ANSWER_BYTES,
            returns_redirects: true,
            accepts_any_certificate: self.options.allows_insecure,
            allows_plain_http: self.options.allows_http,
            ..http::Options::default()
        }
    }

    /// A client of somewhere else that this registry leads to. It is shown nothing.
    pub(super) fn elsewhere(&self, endpoint: Endpoint) -> Result<Client<'a>> {
        let mut options = self.http_options(false);
        // An authority for the registry alone would shut out the store behind it: both are taken from the same file or
        // from the system.
        if options.certificates.is_some() && !self.is_site_of(&endpoint) {
            options.certificates = None;
        }
        Client::new(endpoint, options, &self.context_now())
    }

    /// Where this registry answers.
    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        match self.client.get() {
            Some(client) => Ok(client.endpoint().clone()),
            None => Endpoint::parse(&self.addresses()[0], "the registry's address"),
        }
    }

    fn credential(&self, repository: &Repository) -> Result<Arc<Option<Credential>>> {
        let mut found = self.credential.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(&repository.path) {
            return Ok(Arc::clone(known));
        }
        let credential = Arc::new(match self.options.asks_clouds {
            true => credentials::of_clouds(repository, &self.context_now())?,
            false => credentials::find(repository, &self.context_now())?,
        });
        found.insert(repository.path.clone(), Arc::clone(&credential));
        Ok(credential)
    }

    /// The header that answers a challenge; `None` where there is nothing to answer with. `again` says that one was sent.
    fn open(
        &self,
        repository: &Repository,
        access: Access,
        answer: &Answer,
        again: bool,
        act: &str,
    ) -> Result<Option<Arc<Secret>>> {
        let Some(challenge) = challenge::choose(answer.headers("www-authenticate")) else { return Ok(None) };
        let found;
        let credential = match &self.options.credential {
            Some(given) => Some(given),
            None => {
                found = self.credential(repository)?;
                found.as_ref().as_ref()
            }
        };
        match (challenge, credential) {
            // It was refused already.
            (_, Some(Credential::Bearer(_))) if again => Ok(None),
            (_, Some(Credential::Bearer(token))) => Ok(Some(Arc::new(bearer(token.expose())))),
            (Challenge::Basic, Some(Credential::Password(..))) if again => Ok(None),
            (Challenge::Basic, Some(Credential::Password(name, password))) => {
                Ok(Some(Arc::new(token::basic(name, password))))
            }
            (Challenge::Basic, Some(Credential::Refresh(_)) | None) => Ok(None),
            (Challenge::Bearer { realm, service, scope }, credential) => {
                let (giver, path) = self.endpoint()?.resolve("/v2/", &realm)?;
                if credential.is_some() && !self.may_ask(&giver) {
                    return Err(Error::new(ErrorKind::Denied, format!("cannot {act}"))
                        .why(format!("{} wants credentials to go to {giver}, which is no part of it", self.name))
                        .hint(format!(
                            "if they belong there, set {REALMS}={}; without credentials nothing is sent there",
                            giver.host()
                        )));
                }
                let asked =
                    Asked { service, scopes: token::scopes(repository, access, scope), credential, act };
                let client = self.elsewhere(giver)?;
                Ok(Some(Arc::new(bearer(token::fetch(&client, &path, &asked)?.expose()))))
            }
        }
    }

    /// Whether credentials for this registry may go to a giver of tokens: the same host, one of the same site, or one that the
    /// user named.
    fn may_ask(&self, giver: &Endpoint) -> bool {
        let named = self.context.environment.variable(REALMS);
        let named = named.as_ref().and_then(|hosts| hosts.to_str()).unwrap_or_default();
        let is_safe = !giver.is_plain() || giver.is_loopback() || self.options.allows_http;
        is_safe && (self.is_site_of(giver) || named.split(',').any(|host| host.trim() == giver.host()))
    }

    fn is_site_of(&self, other: &Endpoint) -> bool {
        let own = Endpoint::parse(&format!("https://{}", self.name), "a registry");
        own.is_ok_and(|own| token::is_one_site(own.host(), other.host()))
    }
}

/// Hosts that credentials of registries may go to for tokens.
pub const REALMS: &str = "COUNTERSIGN_REGISTRY_REALMS";

fn bearer(token: &[u8]) -> Secret {
    Secret::new([b"Bearer ", token].concat())
}
