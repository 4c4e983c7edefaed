//! Builds the flags of the command that runs, and of no other. All commands together have some two thousand flags; building them
//! costs more than a third of the time that the tool needs to start (callgrind, page faults), and each run uses one command's.

use std::cell::RefCell;

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

thread_local! {
    /// The one command to build; none: all of them.
    static ONLY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// While `work` runs on this thread, only the command of this name gets flags; the others have their names.
pub(super) fn with<R>(name: Option<&str>, work: impl FnOnce() -> R) -> R {
    ONLY.with_borrow_mut(|only| *only = name.map(str::to_owned));
    let result = work();
    ONLY.with_borrow_mut(|only| *only = None);
    result
}

/// Whether the command of this name is to have flags.
pub(super) fn is_wanted(name: &str) -> bool {
    ONLY.with_borrow(|only| only.as_deref().is_none_or(|only| only == name))
}

/// A command that is built when it is wanted.
#[derive(Debug)]
pub(super) struct Lazy<T>(pub(super) Box<T>);

impl<T: Args> Args for Lazy<T> {
    fn augment_args(command: Command) -> Command {
        if is_wanted(command.get_name()) { T::augment_args(command) } else { command }
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: FromArgMatches> FromArgMatches for Lazy<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(|command| Self(Box::new(command)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
