//! The program of a plugin: looked for in `PATH`, where nobody else can put one.

use std::path::PathBuf;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::program::{Located, PATH, look};
use countersign_core::{OpenContext, Variable};

use crate::Host;
use crate::uri::PluginUri;

pub(crate) const VARIABLES: &[Variable] = &[Variable::new(
    PATH,
    "is where plugins are looked for, but for empty, relative and world-writable entries",
    "absolute directories",
)];

/// The program that serves the URI.
///
/// # Errors
/// [`ErrorKind::UnknownScheme`], with what is served and what to install.
pub(crate) fn find(host: Host, uri: &PluginUri, context: &OpenContext<'_>) -> Result<PathBuf> {
    let name = uri.program();
    let Located { program, skipped } = look(&name, context);
    program.ok_or_else(|| {
        let passed = if skipped.is_empty() { String::new() } else { format!(": {}", skipped.join("; ")) };
        Error::new(ErrorKind::UnknownScheme, format!("cannot open {uri}"))
            .why(format!("no backend serves the scheme {}, and PATH has no plugin {name}{passed}", uri.name))
            .hint(format!("install {name} in PATH; this version serves: {}", (host.served)()))
    })
}
