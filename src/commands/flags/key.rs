//! The key, and where its password comes from.

use std::num::NonZeroU32;

use clap::Args;
use countersign_core::Algorithm;
use countersign_core::context::Clock;
use countersign_core::{Cancellation, OpenContext, TrustLevel};

use crate::commands::Run;
use crate::exit::Failure;
use crate::output::Output;
use crate::prompt::{PasswordSource, TerminalPrompt};

/// Where a password comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct PasswordFlags {
    /// Where the key's password or PIN comes from: prompt, stdin, env:NAME, file:PATH, fd:N or command:/PROGRAM ARGUMENTS
    #[arg(long, value_name = "SOURCE")]
    pub password_source: Option<PasswordSource>,

    /// Use the last try that a token allows for its PIN; a wrong one then locks the token
    #[arg(long)]
    pub allow_final_pin_try: bool,

    /// Wait for the card, as long as --timeout allows
    #[arg(long)]
    pub wait: bool,
}

/// Reads a registry name of an algorithm.
pub fn parse_algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::parse(name).map_err(|error| {
        format!("{error}; {}", error.next_step().unwrap_or("see countersign help sign-blob"))
    })
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> std::time::SystemTime {
        std::time::SystemTime::now()
    }
}

/// What backends are handed; a signer may go on using it while the command works.
pub(crate) struct World<'a> {
    prompt: TerminalPrompt<'a>,
    output: &'a Output,
    cancellation: Cancellation,
    flags: PasswordFlags,
    /// The most requests to a service in a second.
    pub(crate) max_rate: Option<NonZeroU32>,
}

impl World<'_> {
    pub(crate) fn context(&self) -> OpenContext<'_> {
        OpenContext {
            environment: self.prompt.environment,
            prompt: &self.prompt,
            events: self.output,
            clock: &SystemClock,
            deadline: self.prompt.deadline,
            cancellation: &self.cancellation,
            trust: TrustLevel::Operator,
            allow_final_pin_try: self.flags.allow_final_pin_try,
            wait_for_device: self.flags.wait,
            max_rate: self.max_rate,
        }
    }
}

impl PasswordFlags {
    /// The world as these flags and the global ones make it. `stdin_is_free` says that standard input is neither the
    /// artifact nor a list.
    pub(crate) fn world<'a>(&self, run: &Run<'a>, stdin_is_free: bool) -> World<'a> {
        let prompt = TerminalPrompt {
            source: self.password_source.clone(),
            environment: run.environment,
            stdin_is_free,
            deadline: run.global.deadline(),
        };
        World {
            prompt,
            output: run.output,
            cancellation: Cancellation::default(),
            flags: self.clone(),
            max_rate: None,
        }
    }

    /// Hands the world to a backend for the time of `work`.
    pub(crate) fn with_context<T>(
        &self,
        run: &Run<'_>,
        stdin_is_free: bool,
        work: impl FnOnce(&OpenContext<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        work(&self.world(run, stdin_is_free).context())
    }
}
