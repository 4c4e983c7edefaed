//! One opened key: sessions shared by threads, one login, the mechanism of each algorithm, one recovery when the session
//! is lost.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_core::context::Limit;
use countersign_core::digest::HashAlgorithm;
use countersign_core::encoding;
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::signer::{KeyInfo, RawSignature, SignRequest};
use countersign_core::{Algorithm, Input, KeyType, Scheme, Signer, bounded};
use cryptoki::context::Pkcs11;
use cryptoki::error::Error as ModuleError;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};

use crate::errors::{failed, is_lost};
use crate::login::{self, Pin};
use crate::object::{self, Marks};
use crate::opened::{open_session, within};
use crate::token;
use crate::uri::Pkcs11Uri;

/// Sessions at most; more than this many calls at once gain nothing from a token.
const MAX_SESSIONS: usize = 8;

/// How to find the key again after the token was lost.
pub(crate) struct Place {
    pub(crate) module: Pkcs11,
    pub(crate) token: Pkcs11Uri,
    pub(crate) key: Pkcs11Uri,
    pub(crate) pin: Option<Pin>,
    pub(crate) marks: Marks,
}

impl Place {
    /// The login for one signature belongs to the whole token on some modules: then one signs after the other.
    fn most_sessions(&self) -> usize {
        if self.marks.always_authenticate { 1 } else { MAX_SESSIONS }
    }
}

/// A session and the key's handle in it.
struct Lane {
    session: Session,
    key: ObjectHandle,
    generation: usize,
}

struct Pool {
    idle: Vec<Lane>,
    open: usize,
    /// Lowered when the token allows fewer.
    most: usize,
    /// Raised by each recovery: sessions of an older one are dead.
    generation: usize,
    /// Who waits for a session, by number of arrival.
    queue: VecDeque<u64>,
    arrivals: u64,
}

/// A key on a token.
pub(crate) struct Pkcs11Signer {
    info: KeyInfo,
    sessions: Arc<Sessions>,
    /// Of each signature.
    limit: Limit,
}

impl Pkcs11Signer {
    pub(crate) fn new(
        info: KeyInfo,
        place: Place,
        session: Session,
        key: ObjectHandle,
        limit: Limit,
    ) -> Self {
        let pool = Pool {
            idle: vec![Lane { session, key, generation: 0 }],
            open: 1,
            most: place.most_sessions(),
            generation: 0,
            queue: VecDeque::new(),
            arrivals: 0,
        };
        let sessions = Arc::new(Sessions { place, pool: Mutex::new(pool), changed: Condvar::new() });
        Self { info, sessions, limit }
    }
}

/// How long closing the sessions may take; the end of the process closes them as well.
const CLOSING: Duration = Duration::from_secs(1);

impl Drop for Pkcs11Signer {
    fn drop(&mut self) {
        // Held by a call that never came back, the pool is left as it is.
        if let Ok(mut pool) = self.sessions.pool.try_lock() {
            let idle = std::mem::take(&mut pool.idle);
            drop(pool);
            // A module may hang here too, when everything is signed.
            bounded::before(Some(Instant::now() + CLOSING), move || drop(idle));
        }
    }
}

/// The sessions that sign with one key.
struct Sessions {
    place: Place,
    pool: Mutex<Pool>,
    changed: Condvar,
}

impl Sessions {
    /// An idle session, or a new one, or the next that comes back. In the order of asking: whoever has just given one back
    /// asks again at once, and would leave nothing for those who wait until their time is over.
    fn take(&self) -> Result<Lane> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = pool.arrivals;
        pool.arrivals += 1;
        pool.queue.push_back(ticket);
        let taken = loop {
            if pool.queue.front() == Some(&ticket)
                && let Some(taken) = self.take_now(&mut pool)
            {
                break taken;
            }
            pool = self.changed.wait(pool).unwrap_or_else(PoisonError::into_inner);
        };
        pool.queue.pop_front();
        drop(pool);
        self.changed.notify_all();
        taken
    }

    /// `None` when all there can be are in use.
    fn take_now(&self, pool: &mut Pool) -> Option<Result<Lane>> {
        if let Some(lane) = pool.idle.pop() {
            return Some(Ok(lane));
        }
        if pool.open >= pool.most {
            return None;
        }
        match self.open_lane(pool.generation, false) {
            Ok(lane) => {
                pool.open += 1;
                Some(Ok(lane))
            }
            // Signing needs one session only: those that there are serve all. The token may have no more; or it was lost in
            // this moment, and a thread that signs finds out and opens it again.
            Err(_) if pool.open > 0 => {
                pool.most = pool.open;
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn give_back(&self, lane: Lane) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if lane.generation == pool.generation {
            pool.idle.push(lane);
        }
        drop(pool);
        self.changed.notify_all();
    }

    /// A session on the token, found again: one that shares the login, or after a loss one that logs in anew.
    fn open_lane(&self, generation: usize, logs_in: bool) -> Result<Lane> {
        let token = token::only(token::matching(&self.place.module, &self.place.token)?)?;
        let session = open_session(&self.place.module, &token)?;
        if let Some(pin) = self.place.pin.as_ref().filter(|_| logs_in) {
            login::enter(&session, UserType::User, pin)
                .map_err(|cause| failed("cannot log in to the token again", cause))?;
        }
        let key = object::private_key(&session, &self.place.key, &token)?.handle;
        Ok(Lane { session, key, generation })
    }

    /// Opens everything anew with the PIN that was right, unless another thread did since `lost` was opened.
    fn recover(&self, lost: Lane) -> Result<Lane> {
        let generation = lost.generation;
        // Before the new session is opened: some modules hand the old number out again.
        drop(lost);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.generation != generation {
            drop(pool);
            return self.take();
        }
        pool.idle.clear();
        pool.generation += 1;
        let opened = self.open_lane(pool.generation, true);
        // After a failure nobody may wait for sessions that are gone.
        pool.open = usize::from(opened.is_ok());
        pool.most = self.place.most_sessions();
        drop(pool);
        self.changed.notify_all();
        opened
    }

    fn sign_in(&self, lane: &Lane, mechanism: &Mechanism<'_>, data: &[u8]) -> Result<Vec<u8>, ModuleError> {
        if !self.place.marks.always_authenticate {
            return lane.session.sign(mechanism, lane.key, data);
        }
        // PKCS#11 v3.0 5.6.8: the login for one operation stands between C_SignInit and the signature.
        lane.session.sign_init(mechanism, lane.key)?;
        let pin = self.place.pin.as_ref().unwrap_or(&Pin::Pad);
        login::enter(&lane.session, UserType::ContextSpecific, pin)?;
        lane.session.sign_update(data)?;
        lane.session.sign_final()
    }

    /// One signature, in an idle session; in a new one if that turns out to be lost.
    fn sign(&self, algorithm: Algorithm, way: Way, data: &[u8]) -> Result<Vec<u8>> {
        let mechanism = mechanism(algorithm, way)?;
        let mut lane = self.take()?;
        let mut signed = self.sign_in(&lane, &mechanism, data);
        if let Err(cause) = &signed
            && is_lost(cause)
        {
            lane = self.recover(lane).map_err(|error| error.within("cannot sign"))?;
            signed = self.sign_in(&lane, &mechanism, data);
        }
        self.give_back(lane);
        signed.map_err(|cause| failed("the token did not sign", cause))
    }
}

impl Signer for Pkcs11Signer {
    fn info(&self) -> &KeyInfo {
        &self.info
    }

    fn sign_raw(&self, request: &SignRequest<'_>) -> Result<RawSignature> {
        let algorithm = request.algorithm();
        let hashes_itself = self.info.hashes_itself.contains(&algorithm);
        let way = if hashes_itself { Way::Message } else { Way::Digest };
        let data = data(algorithm, way, request.input())?;
        let sessions = Arc::clone(&self.sessions);
        let bytes = within(self.limit.deadline(), "sign", move || sessions.sign(algorithm, way, &data))
            .map_err(|error| error.with_what(|_| format!("cannot sign with {}", self.info.uri)))?;
        Ok(match algorithm.scheme() {
            // PKCS#11 v3.0 2.3.1: r and s, each as long as the order.
            Scheme::Ecdsa => RawSignature::EcdsaFixed(bytes),
            Scheme::RsaPkcs1v15 | Scheme::RsaPss => RawSignature::Rsa(bytes),
            Scheme::Ed25519 | Scheme::Ed25519ph => RawSignature::Ed25519(bytes),
        })
    }
}

/// How a token makes a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It takes a digest made here, so that every module signs alike.
    Digest,
    /// It takes the message and hashes it itself.
    Message,
}

/// What the key can sign, and how: the table's rows for its type whose mechanism the token has. The default comes first.
///
/// A key that always authenticates signs in several calls, with its login in between, and only the mechanisms that hash
/// surely allow that (PKCS#11 v3.0 2.1 and 2.3, tables of mechanisms).
pub(crate) fn algorithms(
    key_type: KeyType,
    mechanisms: &[MechanismType],
    always_authenticates: bool,
) -> Vec<(Algorithm, Way)> {
    let [first, second] =
        if always_authenticates { [Way::Message, Way::Digest] } else { [Way::Digest, Way::Message] };
    let way = |algorithm: Algorithm| {
        let has = |way| {
            let wanted = mechanism(algorithm, way).ok()?;
            mechanisms.contains(&wanted.mechanism_type()).then_some((algorithm, way))
        };
        has(first).or_else(|| has(second))
    };
    key_type.algorithms().filter_map(way).collect()
}

/// PKCS#11 v3.0 2.1 and 2.3: the mechanism of an algorithm.
fn mechanism(algorithm: Algorithm, way: Way) -> Result<Mechanism<'static>> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    Ok(match (algorithm.scheme(), way, algorithm.hash()) {
        (Scheme::Ecdsa, Way::Digest, _) => Mechanism::Ecdsa,
        (Scheme::Ecdsa, Way::Message, Some(Sha256)) => Mechanism::EcdsaSha256,
        (Scheme::Ecdsa, Way::Message, Some(Sha384)) => Mechanism::EcdsaSha384,
        (Scheme::Ecdsa, Way::Message, Some(Sha512)) => Mechanism::EcdsaSha512,
        (Scheme::RsaPkcs1v15, Way::Digest, _) => Mechanism::RsaPkcs,
        (Scheme::RsaPkcs1v15, Way::Message, Some(Sha256)) => Mechanism::Sha256RsaPkcs,
        (Scheme::RsaPkcs1v15, Way::Message, Some(Sha384)) => Mechanism::Sha384RsaPkcs,
        (Scheme::RsaPkcs1v15, Way::Message, Some(Sha512)) => Mechanism::Sha512RsaPkcs,
        (Scheme::RsaPss, way, Some(hash)) => {
            let (hash_alg, mgf) = match hash {
                Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
                Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
                Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
            };
            // PKCS#11 counts the salt in bytes; Sigstore's algorithms salt with as many as the hash has.
            let parameters = PkcsPssParams { hash_alg, mgf, s_len: (hash.size() as u64).into() };
            match (way, hash) {
                (Way::Digest, _) => Mechanism::RsaPkcsPss(parameters),
                (Way::Message, Sha256) => Mechanism::Sha256RsaPkcsPss(parameters),
                (Way::Message, Sha384) => Mechanism::Sha384RsaPkcsPss(parameters),
                (Way::Message, Sha512) => Mechanism::Sha512RsaPkcsPss(parameters),
            }
        }
        (Scheme::Ed25519, Way::Digest, None) => {
            Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure))
        }
        (scheme, ..) => {
            return Err(Error::new(ErrorKind::Unsupported, format!("no mechanism for {algorithm}"))
                .why(format!("PKCS#11 tokens do no {scheme:?} of this kind")));
        }
    })
}

/// What the mechanism takes: owned, since it goes to another thread.
fn data(algorithm: Algorithm, way: Way, input: Input<'_>) -> Result<Vec<u8>> {
    match (algorithm.scheme(), way, input) {
        (Scheme::Ed25519, _, Input::Message(message)) | (_, Way::Message, Input::Hashed(_, message)) => {
            Ok(message.to_vec())
        }
        (Scheme::RsaPkcs1v15, Way::Digest, Input::Digest(digest) | Input::Hashed(digest, _)) => {
            Ok(encoding::digest_info(digest))
        }
        (Scheme::Ecdsa | Scheme::RsaPss, Way::Digest, Input::Digest(digest) | Input::Hashed(digest, _)) => {
            Ok(digest.bytes().to_vec())
        }
        _ => Err(Error::internal("an input that the core had to refuse")),
    }
}
