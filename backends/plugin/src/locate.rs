//! The program of a plugin: looked for in `PATH`, where nobody else can put one.

use std::path::{Path, PathBuf};

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, Variable};

use crate::Host;
use crate::uri::PluginUri;

const PATH: &str = "PATH";

pub(crate) const VARIABLES: &[Variable] = &[Variable {
    name: PATH,
    description: "is where plugins are looked for, but for empty, relative and world-writable entries",
    expects: "absolute directories",
    sensitive: false,
}];

/// What was found, and what was passed over on the way.
#[derive(Debug, Default)]
pub(crate) struct Located {
    /// The first program that may be run.
    pub(crate) program: Option<PathBuf>,
    /// Each with its reason.
    pub(crate) skipped: Vec<String>,
}

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

/// Goes through the entries of `PATH`, in order.
pub(crate) fn look(name: &str, context: &OpenContext<'_>) -> Located {
    let mut located = Located::default();
    let Some(path) = context.environment.variable(PATH) else { return located };
    for directory in std::env::split_paths(&path) {
        let program = directory.join(name);
        if !directory.is_absolute() {
            // The current directory, or one below: whoever made it could put a program there.
            if program.is_file() {
                let shown = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
                located.skipped.push(format!("{} is skipped, as it is no absolute path", shown.display()));
            }
            continue;
        }
        let Ok(metadata) = program.metadata() else { continue };
        let why = if !metadata.is_file() {
            Some("it is no file")
        } else if !is_executable(&metadata) {
            Some("it is not executable")
        } else if everybody_writes(&program) {
            Some("everybody may write it")
        } else if everybody_writes(&directory) {
            Some("everybody may write its directory")
        } else {
            None
        };
        match why {
            Some(why) => located.skipped.push(format!("{} is skipped, as {why}", program.display())),
            None => {
                located.program = Some(program);
                break;
            }
        }
    }
    located
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &std::fs::Metadata) -> bool {
    true
}

/// Whether everybody may write it or what it leads to. Not knowing counts as yes.
#[cfg(unix)]
fn everybody_writes(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    /// POSIX: writable by everybody. The sticky bit does not help: anybody may add a program that is not there yet.
    const WORLD_WRITABLE: u32 = 0o002;
    let open = |at: &Path| at.metadata().map_or(true, |it| it.permissions().mode() & WORLD_WRITABLE != 0);
    // A link leads elsewhere: the directory it ends in counts as well.
    let end = path.canonicalize();
    open(path) || end.map_or(true, |end| end.parent().is_some_and(open))
}

#[cfg(not(unix))]
fn everybody_writes(_path: &Path) -> bool {
    false
}
