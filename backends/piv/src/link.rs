//! The one owner of a card: a thread that holds the connection, so that a card that stays silent can be waited for with a
//! deadline, be given up, and be told from one that waits for a touch.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use zeroize::Zeroizing;

use crate::patience::{Patience, Unanswered};
use crate::transport::{Exchange, Transport, TransportError};

enum Order {
    Begin,
    Transmit(Zeroizing<Vec<u8>>),
    End,
}

type Answer = Result<Vec<u8>, TransportError>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum LinkError {
    /// The layer below says so.
    Transport(TransportError),
    /// Time ran out, or the user gave up. The command may still be carried out.
    GivenUp,
    /// An earlier command was given up, and the card still owes its answer.
    Stuck,
}

/// A connection to a card, served by its own thread.
pub(crate) struct Link {
    orders: Option<Sender<Order>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
    stuck: bool,
}

impl Link {
    pub(crate) fn new(transport: Box<dyn Transport>) -> Self {
        let (orders, incoming) = mpsc::channel();
        let (outgoing, answers) = mpsc::channel();
        let thread = std::thread::spawn(move || serve(transport, &incoming, &outgoing));
        Self { orders: Some(orders), answers, thread: Some(thread), stuck: false }
    }

    /// Keeps other programs off the card; waits while one of them does the same, and tells `silent` of the wait.
    pub(crate) fn begin(
        &mut self,
        patience: Patience<'_>,
        silent: &mut dyn FnMut(),
    ) -> Result<(), LinkError> {
        self.order(Order::Begin, patience, silent).map(drop)
    }

    pub(crate) fn end(&mut self, patience: Patience<'_>) -> Result<(), LinkError> {
        self.order(Order::End, patience, &mut || ()).map(drop)
    }

    /// Sends one APDU. `silent` is called once when no answer came for a while.
    pub(crate) fn transmit(
        &mut self,
        apdu: Zeroizing<Vec<u8>>,
        patience: Patience<'_>,
        silent: &mut dyn FnMut(),
    ) -> Result<Vec<u8>, LinkError> {
        self.order(Order::Transmit(apdu), patience, silent)
    }

    fn order(
        &mut self,
        order: Order,
        patience: Patience<'_>,
        silent: &mut dyn FnMut(),
    ) -> Result<Vec<u8>, LinkError> {
        if self.stuck {
            return Err(LinkError::Stuck);
        }
        let gone = || LinkError::Transport(TransportError::Other("the connection ended".to_owned()));
        self.orders.as_ref().ok_or_else(gone)?.send(order).map_err(|_| gone())?;
        match patience.wait(&self.answers, silent) {
            Ok(answer) => answer.map_err(LinkError::Transport),
            Err(Unanswered::HungUp) => Err(gone()),
            Err(Unanswered::GivenUp) => {
                self.stuck = true;
                Err(LinkError::GivenUp)
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.orders.take());
        // A thread that waits for a silent card is left behind; any other ends at once and leaves the card as it is.
        if let Some(thread) = self.thread.take().filter(|_| !self.stuck) {
            let _ = thread.join();
        }
    }
}

/// Serves until the other side hangs up.
fn serve(mut transport: Box<dyn Transport>, orders: &Receiver<Order>, answers: &Sender<Answer>) {
    let reply = |answer: Answer| answers.send(answer).is_ok();
    while let Ok(order) = orders.recv() {
        let goes_on = match order {
            Order::Begin => {
                let mut ended = false;
                let held = transport.exclusive(&mut |exchange| {
                    ended = hold(exchange, orders, answers);
                });
                // Whoever began waits for an answer if the transaction never was; who ended it, for its end.
                match held {
                    Ok(()) => !ended || reply(Ok(Vec::new())),
                    Err(cause) => reply(Err(cause)),
                }
            }
            Order::Transmit(_) | Order::End => {
                reply(Err(TransportError::Other("no transaction is open".to_owned())))
            }
        };
        if !goes_on {
            return;
        }
    }
}

/// Serves within a transaction. True when it was ended by order.
fn hold(exchange: &mut dyn Exchange, orders: &Receiver<Order>, answers: &Sender<Answer>) -> bool {
    if answers.send(Ok(Vec::new())).is_err() {
        return false;
    }
    while let Ok(order) = orders.recv() {
        let answer = match order {
            Order::Transmit(apdu) => exchange.transmit(&apdu),
            Order::End => return true,
            Order::Begin => Err(TransportError::Other("a transaction is open".to_owned())),
        };
        if answers.send(answer).is_err() {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests;
