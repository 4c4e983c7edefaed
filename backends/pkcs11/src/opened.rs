//! A session with the one token that a URI means. Every call into the module runs on a thread of its own until the
//! command's deadline: a module that never answers is left behind.

use std::sync::Arc;
use std::time::Instant;

use countersign_core::context::Event;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, bounded};
use cryptoki::context::Pkcs11;
use cryptoki::object::ObjectClass;
use cryptoki::session::Session;

use crate::errors::failed;
use crate::login::{self, Pin};
use crate::token::{self, Token};
use crate::uri::Pkcs11Uri;
use crate::{module, object};

/// A session, and what it is with.
pub(crate) struct Opened {
    pub(crate) module: Pkcs11,
    pub(crate) token: Token,
    pub(crate) session: Session,
}

/// How the one token is chosen, and what the session may do.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// To use a key that exists: it tells tokens apart, too.
    Use,
    /// To delete a key that exists, or to put something beside it.
    Change,
    /// To make a key, which tells no tokens apart yet.
    Make,
}

/// Opens a session with exactly one token.
pub(crate) fn open(uri: &Arc<Pkcs11Uri>, purpose: Purpose, context: &OpenContext<'_>) -> Result<Opened> {
    context.time_left("open the token")?;
    let path = module::find(uri, context)?;
    let uri = Arc::clone(uri);
    within(context.deadline, "open the token", move || {
        let module = module::load(&path)?;
        let token = match purpose {
            Purpose::Make => token::only(token::matching(&module, &uri)?)?,
            Purpose::Use | Purpose::Change => choose(&module, &uri)?,
        };
        let session = match purpose {
            Purpose::Use => open_session(&module, &token)?,
            Purpose::Change | Purpose::Make => module.open_rw_session(token.slot).map_err(|cause| {
                failed(format!("cannot open a session that may change {}", token.uri()), cause)
            })?,
        };
        Ok(Opened { module, token, session })
    })
}

/// Calls into a module until the deadline.
///
/// # Errors
/// [`ErrorKind::Timeout`] when the module did not answer; else what `work` says.
pub(crate) fn within<T: Send + 'static>(
    deadline: Option<Instant>,
    act: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if deadline.is_none() {
        return work();
    }
    bounded::before(deadline, work).unwrap_or_else(|| {
        Err(Error::new(ErrorKind::Timeout, format!("cannot {act}"))
            .why("the PKCS#11 module did not answer within the time limit")
            .hint("check the device and its service with: countersign keys doctor KEY"))
    })
}

impl Opened {
    /// Logs in, if the token wants that. Returns the PIN that was right.
    pub(crate) fn login(self, uri: &Pkcs11Uri, context: &OpenContext<'_>) -> Result<(Self, Option<Pin>)> {
        if !self.token.needs_login() {
            return Ok((self, None));
        }
        let pin = login::prepare(&self.token, uri, context)?;
        self.work("log in to the token", context, |opened| {
            login::login(&opened.module, &opened.session, &opened.token, pin).map(Some)
        })
    }

    /// Calls into the module, and comes back with the session.
    pub(crate) fn work<T: Send + 'static>(
        self,
        act: &str,
        context: &OpenContext<'_>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<(Self, T)> {
        within(context.deadline, act, move || {
            let done = work(&self)?;
            Ok((self, done))
        })
    }

    /// The same, where nothing follows.
    pub(crate) fn finish<T: Send + 'static>(
        self,
        act: &str,
        context: &OpenContext<'_>,
        work: impl FnOnce(Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        within(context.deadline, act, move || work(self))
    }

    /// Says why a login is needed for something that tokens mostly show without.
    pub(crate) fn announce_login(&self, context: &OpenContext<'_>) {
        context.events.event(Event::Warning(format!(
            "{} shows no public key of that name without a login, so its PIN is needed",
            self.token.uri()
        )));
    }
}

/// Picks the one token that the URI means.
pub(crate) fn choose(module: &Pkcs11, uri: &Pkcs11Uri) -> Result<Token> {
    let mut tokens = token::matching(module, uri)?;
    if tokens.len() > 1 && (uri.object.is_some() || uri.id.is_some()) {
        // Without a login only public objects tell tokens apart.
        let holds: Vec<_> = tokens.iter().filter(|token| shows(module, token, uri)).cloned().collect();
        if holds.len() == 1 {
            tokens = holds;
        }
    }
    token::only(tokens)
}

fn shows(module: &Pkcs11, token: &Token, uri: &Pkcs11Uri) -> bool {
    let Ok(session) = open_session(module, token) else { return false };
    [ObjectClass::PUBLIC_KEY, ObjectClass::CERTIFICATE, ObjectClass::PRIVATE_KEY]
        .into_iter()
        .any(|class| object::find(&session, class, uri).is_ok_and(|found| !found.is_empty()))
}

/// A read-only session: signing writes nothing.
pub(crate) fn open_session(module: &Pkcs11, token: &Token) -> Result<Session> {
    module
        .open_ro_session(token.slot)
        .map_err(|cause| failed(format!("cannot open a session with {}", token.uri()), cause))
}
