//! Where a program is: in `PATH`, where nobody else can put one.

use std::path::{Path, PathBuf};

use crate::context::OpenContext;

/// Directories that programs are looked for in (POSIX, 8.3).
pub const PATH: &str = "PATH";

/// What was found, and what was passed over on the way.
#[derive(Debug, Default)]
pub struct Located {
    /// The first program that may be run.
    pub program: Option<PathBuf>,
    /// Each with its reason.
    pub skipped: Vec<String>,
}

/// Goes through the entries of `PATH`, in order.
pub fn look(name: &str, context: &OpenContext<'_>) -> Located {
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
