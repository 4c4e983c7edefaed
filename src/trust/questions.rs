//! Between the TUF client, which asks asynchronously, and our network seam, which answers blocking: the client runs until it
//! asks, we answer, it runs on. No thread and no runtime takes part.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use countersign_core::error::{Error, Result};
use sigstore_tuf::transport::FetchFuture;

/// What the client asks, by path, and the largest answer in bytes that it takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Questions(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    Asked(String, u64),
    Answered(Option<Vec<u8>>),
}

impl Questions {
    /// Runs the client to its end. The first question that we cannot answer ends it, with our error.
    pub(super) fn answer<T>(
        &self,
        client: impl Future<Output = T>,
        mut answer: impl FnMut(&str, u64) -> Result<Option<Vec<u8>>>,
    ) -> Result<T> {
        let mut client = pin!(client);
        loop {
            if let Poll::Ready(done) = client.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Ok(done);
            }
            let State::Asked(path, limit) = self.take() else {
                return Err(Error::internal("a TUF client that waits without a question"));
            };
            let answered = answer(&path, limit)?;
            *self.state() = State::Answered(answered);
        }
    }

    fn ask(&self, path: String, limit: u64) -> FetchFuture<'_> {
        let mut question = Some((path, limit));
        Box::pin(poll_fn(move |_| {
            if let Some((path, limit)) = question.take() {
                *self.state() = State::Asked(path, limit);
                return Poll::Pending;
            }
            match self.take() {
                State::Answered(answer) => Poll::Ready(Ok(answer)),
                other => {
                    *self.state() = other;
                    Poll::Pending
                }
            }
        }))
    }

    fn take(&self) -> State {
        std::mem::take(&mut *self.state())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl sigstore_tuf::Repository for Questions {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        self.ask(name.to_owned(), max_length)
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        self.ask(format!("targets/{path}"), max_length)
    }
}
