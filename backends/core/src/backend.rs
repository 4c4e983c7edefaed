//! A key store: serves URI schemes, opens keys, and may have further abilities.

use crate::algorithm::Algorithm;
use crate::context::{OpenContext, Variable};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::key_uri::KeyUri;
use crate::local_key::LocalKey;
use crate::public_key::PublicKey;
use crate::signer::{Location, Signer};

/// What signatures are verified with.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    /// The public half.
    pub public_key: PublicKey,
    /// The only algorithm that the store lets the key sign with; `None` where the key's type alone decides.
    pub algorithm: Option<Algorithm>,
}

/// Serves one or more URI schemes. Stateless: what is open lives in the [`Signer`].
pub trait Backend: Sync {
    /// The schemes it serves, the canonical one first.
    fn schemes(&self) -> &'static [&'static str];

    /// The environment variables it reads.
    fn variables(&self) -> &'static [Variable];

    /// The abilities that [`Self::key_store`] and [`Self::attester`] really have.
    fn abilities(&self) -> &'static [Ability];

    /// Opens exactly one key for signing. May ask for a PIN or password, once. The signer may go on using the context:
    /// a card tells by it that it waits for a touch.
    fn open_signer<'a>(&self, uri: &KeyUri, context: &OpenContext<'a>) -> Result<Box<dyn Signer + 'a>>;

    /// The key's public half. Never logs in and never needs a touch, unless a token hides its public objects; a
    /// private key file that carries its public half only in encrypted form asks for its password.
    fn public_key(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<PublicKey>;

    /// The same with the algorithm that the store binds the key to, where it does.
    fn verifying_key(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<VerifyingKey> {
        Ok(VerifyingKey { public_key: self.public_key(uri, context)?, algorithm: None })
    }

    /// Looks at everything between the URI and a signature without changing or unlocking anything. Each finding is told
    /// as soon as it is made, so that they survive a library that ends the process.
    fn diagnose(&self, uri: &KeyUri, context: &OpenContext<'_>, found: &mut dyn FnMut(Finding));

    /// Every version of the key that the URI names, whichever version it names, where the store keeps versions: verifying
    /// says by it which one signed. Empty elsewhere. Costs at most one network call.
    fn versions(&self, _uri: &KeyUri, _context: &OpenContext<'_>) -> Result<Vec<KeySummary>> {
        Ok(Vec::new())
    }

    /// Whether it loads a maker's library, which may crash or hang: the doctor then looks from another process.
    fn loads_libraries(&self) -> bool {
        false
    }

    /// Listing, making and removing keys, where the store can.
    fn key_store(&self) -> Option<&dyn KeyStore> {
        None
    }

    /// Proof of where a key lives, where the store gives one.
    fn attester(&self) -> Option<&dyn Attester> {
        None
    }

    /// Changing PIN, PUK and management key, where the store is a card.
    fn device(&self) -> Option<&dyn Device> {
        None
    }
}

/// What a store can do beside signing. A caller asks before opening anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ability {
    /// List keys.
    List,
    /// Make a key inside the store.
    Generate,
    /// Take a key made elsewhere.
    Import,
    /// Delete a key.
    Delete,
    /// Read or write certificates beside keys.
    Certificates,
    /// Attest that a key was made in hardware.
    Attest,
}

impl Ability {
    /// The name in the capability matrix.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Generate => "generate",
            Self::Import => "import",
            Self::Delete => "delete",
            Self::Certificates => "certificates",
            Self::Attest => "attest",
        }
    }
}

/// One key as a list shows it.
#[derive(Debug, Clone)]
pub struct KeySummary {
    /// A URI that can be pasted back and then names exactly this key.
    pub uri: String,
    /// The public half, where it can be had without a secret.
    pub public_key: Option<PublicKey>,
    /// Where the private half lives.
    pub location: Location,
    /// What else there is to know: form and encryption of a file, flags of an object.
    pub notes: Vec<String>,
    /// The name that the store knows it by beside its URI, where there is one.
    pub label: Option<String>,
    /// The identifier of that name's kind, where there is one: `CKA_ID`, bytes.
    pub id: Option<Vec<u8>>,
}

/// One token as a list shows it. Text as the token tells it, without padding.
#[derive(Debug, Clone)]
pub struct TokenSummary {
    /// The slot it is in; many modules hand out another number in each run.
    pub slot: u64,
    /// Its label.
    pub label: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
}

/// A finding of `keys doctor`.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Whether it is in order, worth a look, or in the way of signing.
    pub severity: Severity,
    /// What was looked at and what was found.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// That something is in order.
    pub fn good(text: impl Into<String>) -> Self {
        Self { severity: Severity::Good, text: text.into(), hint: None }
    }
}

/// What stopped the look.
impl From<Error> for Finding {
    fn from(error: Error) -> Self {
        let hint = error.next_step().map(str::to_owned);
        Self { severity: Severity::Problem, text: error.to_string(), hint }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// In order.
    Good,
    /// Works, but look at it.
    Warning,
    /// Signing or verifying fails.
    Problem,
}

/// Makes, lists and removes keys. A method whose ability [`Backend::abilities`] lacks is never called.
pub trait KeyStore: Sync {
    /// The keys under `uri` (a directory, a token, a project).
    fn list(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<KeySummary>>;

    /// The tokens of the store that `uri` leaves, empty ones included, where the store has tokens.
    fn tokens(&self, uri: &KeyUri, _context: &OpenContext<'_>) -> Result<Vec<TokenSummary>> {
        Err(Error::new(ErrorKind::Unsupported, format!("cannot list the tokens of {uri}"))
            .why("this kind of key store has none"))
    }

    /// Makes a key for `algorithm` and names what was written. An existing key is kept unless `overwrite` is set
    /// or the prompt confirms.
    fn generate(
        &self,
        uri: &KeyUri,
        algorithm: Algorithm,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created>;

    /// Takes a key made elsewhere into the store, under the same rule.
    fn import(
        &self,
        uri: &KeyUri,
        key: &LocalKey,
        overwrite: bool,
        context: &OpenContext<'_>,
    ) -> Result<Created>;

    /// Deletes exactly one key with its public half and certificate, and names what went. Asks, and names it, unless
    /// `sure`; without a terminal nothing is deleted.
    fn delete(&self, uri: &KeyUri, _sure: bool, _context: &OpenContext<'_>) -> Result<Vec<String>> {
        Err(unsupported(uri, "delete", Ability::Delete))
    }

    /// The certificate beside exactly one key: DER, RFC 5280. `None` where the key has none. Never logs in.
    fn certificate(&self, uri: &KeyUri, _context: &OpenContext<'_>) -> Result<Option<Vec<u8>>> {
        Err(unsupported(uri, "read a certificate of", Ability::Certificates))
    }

    /// Puts a certificate (DER, RFC 5280) beside exactly one key and names where it went. One that does not fit the key
    /// is refused; an existing one is kept unless `overwrite` is set or the prompt confirms.
    fn import_certificate(
        &self,
        uri: &KeyUri,
        _certificate: &[u8],
        _overwrite: bool,
        _context: &OpenContext<'_>,
    ) -> Result<String> {
        Err(unsupported(uri, "put a certificate beside", Ability::Certificates))
    }
}

fn unsupported(uri: &KeyUri, act: &str, ability: Ability) -> Error {
    Error::new(ErrorKind::Unsupported, format!("cannot {act} {uri}"))
        .why(format!("this kind of key store has no such ability ({})", ability.name()))
}

/// What making or importing a key left behind.
#[derive(Debug)]
pub struct Created {
    /// The URI to sign with.
    pub uri: String,
    /// The public half.
    pub public_key: PublicKey,
    /// Where the private half was written, for people.
    pub private_path: String,
    /// Where the public half was written, for people.
    pub public_path: String,
}

/// Proves that a key lives in hardware.
pub trait Attester: Sync {
    /// The attestation: certificates in DER, the key's own first.
    fn attest(&self, uri: &KeyUri, context: &OpenContext<'_>) -> Result<Vec<Vec<u8>>>;

    /// What an attestation (certificates in DER, the key's own first) proves, under the maker's roots or those in `roots`.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the chain does not hold or the certificates say otherwise than they must.
    fn verify_attestation(&self, chain: &[Vec<u8>], roots: &[Vec<u8>]) -> Result<Attestation>;
}

/// What an attestation proves.
#[derive(Debug, Clone)]
pub struct Attestation {
    /// The key that was made on the device.
    pub public_key: PublicKey,
    /// What else it says, each a name and a value: serial, firmware, slot, policies, root.
    pub facts: Vec<(&'static str, String)>,
}
