//! The production transport: PC/SC, loaded at run time (`../pcsc-runtime`).

use std::ffi::CString;
use std::time::Duration;

use pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};
use zeroize::Zeroizing;

use crate::transport::{Exchange, Reader, Readers, Transport, TransportError};

/// The readers that PC/SC knows.
#[derive(Debug)]
pub struct PcscReaders;

fn establish() -> Result<Context, TransportError> {
    Context::establish(Scope::User).map_err(|cause| match cause {
        // What our loader returns where the library is not there; no PC/SC library says it here.
        Error::FileNotFound => TransportError::NoLibrary,
        cause => explain(cause),
    })
}

fn names(context: &Context) -> Result<Vec<CString>, TransportError> {
    match context.list_readers_owned() {
        Err(Error::NoReadersAvailable) => Ok(Vec::new()),
        names => names.map_err(explain),
    }
}

impl Readers for PcscReaders {
    fn list(&self) -> Result<Vec<Reader>, TransportError> {
        let context = establish()?;
        let mut states: Vec<_> =
            names(&context)?.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
        if states.is_empty() {
            return Ok(Vec::new());
        }
        context.get_status_change(Duration::ZERO, &mut states).map_err(explain)?;
        Ok(states
            .iter()
            .map(|state| Reader {
                name: state.name().to_string_lossy().into_owned(),
                has_card: state.event_state().contains(State::PRESENT),
            })
            .collect())
    }

    fn connect(&self, reader: &str) -> Result<Box<dyn Transport>, TransportError> {
        let name = CString::new(reader).map_err(|_| TransportError::NoReader)?;
        let context = establish()?;
        let card = context.connect(&name, ShareMode::Shared, Protocols::ANY).map_err(explain)?;
        Ok(Box::new(PcscTransport { card: Some(card) }))
    }

    fn wait(&self, most: Duration) {
        if wait_for_change(most).is_none() {
            // No service to wait with: it may come up meanwhile.
            std::thread::sleep(most.min(Duration::from_millis(250)));
        }
    }
}

fn wait_for_change(most: Duration) -> Option<()> {
    let context = establish().ok()?;
    let mut states: Vec<_> = names(&context)
        .ok()?
        .into_iter()
        // A reader of this name changes when readers come and go.
        .chain([pcsc::PNP_NOTIFICATION().to_owned()])
        .map(|name| ReaderState::new(name, State::UNAWARE))
        .collect();
    context.get_status_change(Duration::ZERO, &mut states).ok()?;
    states.iter_mut().for_each(ReaderState::sync_current_state);
    match context.get_status_change(most, &mut states) {
        Ok(()) | Err(Error::Timeout) => Some(()),
        Err(_) => None,
    }
}

struct PcscTransport {
    /// Taken only when it is dropped.
    card: Option<Card>,
}

impl PcscTransport {
    fn card(&mut self) -> Result<&mut Card, TransportError> {
        self.card.as_mut().ok_or(TransportError::NoCard)
    }
}

impl Transport for PcscTransport {
    fn exclusive(&mut self, work: &mut dyn FnMut(&mut dyn Exchange)) -> Result<(), TransportError> {
        let transaction = self.card()?.transaction().map_err(explain)?;
        work(&mut PcscExchange { card: &transaction, buffer: Zeroizing::new([0; pcsc::MAX_BUFFER_SIZE]) });
        // A reset here would throw the PIN state of other programs away.
        transaction.end(Disposition::LeaveCard).map_err(|(_, cause)| explain(cause))
    }
}

impl Drop for PcscTransport {
    fn drop(&mut self) {
        if let Some(card) = self.card.take() {
            // The crate's own drop resets the card, which ends what other programs have under way.
            let _ = card.disconnect(Disposition::LeaveCard);
        }
    }
}

struct PcscExchange<'a> {
    card: &'a Card,
    /// For answers to short commands; an object of the card may hold a secret.
    buffer: Zeroizing<[u8; pcsc::MAX_BUFFER_SIZE]>,
}

impl Exchange for PcscExchange<'_> {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.card.transmit(apdu, self.buffer.as_mut_slice()).map(<[u8]>::to_vec).map_err(explain)
    }
}

/// PC/SC part 5: the codes that mean something to a user.
fn explain(cause: Error) -> TransportError {
    match cause {
        Error::NoService | Error::ServiceStopped | Error::Shutdown => TransportError::NoService,
        Error::UnknownReader | Error::ReaderUnavailable | Error::NoReadersAvailable => {
            TransportError::NoReader
        }
        Error::NoSmartcard | Error::RemovedCard => TransportError::NoCard,
        // What pcscd says of a transmission that fails, until it notices that the card is gone.
        Error::NotTransacted | Error::CommError | Error::CommDataLost | Error::InvalidHandle => {
            TransportError::Broken
        }
        Error::ResetCard => TransportError::Reset,
        Error::SharingViolation => TransportError::Shared,
        Error::UnresponsiveCard | Error::UnpoweredCard | Error::UnsupportedCard | Error::ProtoMismatch => {
            TransportError::Mute
        }
        cause => TransportError::Other(cause.to_string()),
    }
}
