//! Which module a URI means, whether it may be loaded, and what was loaded already. Loading a module runs its code, so
//! nobody but root and the user may be able to write it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{OpenContext, TrustLevel};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};

use crate::errors::failed;
use crate::uri::Pkcs11Uri;

/// The module for URIs that name none.
pub(crate) const MODULE_PATH: &str = "COSIGN_PKCS11_MODULE_PATH";
/// The modules that may be loaded, separated like PATH; unset allows all that pass the checks.
pub(crate) const ALLOWED_MODULES: &str = "COUNTERSIGN_PKCS11_MODULES";
/// p11-kit's module that shows the tokens of every module it is configured with.
const PROXY: &str = "p11-kit-proxy";
/// Where `module-name` looks.
const FOLDERS: [&str; 12] = [
    "/usr/lib/x86_64-linux-gnu/pkcs11",
    "/usr/lib/aarch64-linux-gnu/pkcs11",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64/pkcs11",
    "/usr/lib64",
    "/usr/lib/pkcs11",
    "/usr/lib",
    "/usr/lib/softhsm",
    "/usr/local/lib",
    "/opt/homebrew/lib",
    "/opt/homebrew/lib/softhsm",
];

/// The real path of the module that a URI means, checked.
pub(crate) fn find(uri: &Pkcs11Uri, context: &OpenContext<'_>) -> Result<PathBuf> {
    if context.trust == TrustLevel::Data
        && (uri.module_path.is_some() || uri.module_name.is_some() || uri.pin.is_some())
    {
        return Err(Error::new(ErrorKind::Denied, "cannot use the key URI")
            .why("a URI from a file names no module and no PIN"));
    }
    let variable = context.environment.variable(MODULE_PATH).filter(|path| !path.is_empty());
    let path = match (&uri.module_path, &uri.module_name, variable) {
        (Some(path), ..) => path.clone(),
        (None, Some(name), _) => by_name(name)?,
        (None, None, Some(path)) => PathBuf::from(path),
        (None, None, None) => by_name(PROXY).map_err(|_| {
            Error::new(ErrorKind::NotFound, "cannot open a PKCS#11 token")
                .why("no module is named and p11-kit's proxy module is not installed")
                .hint(format!("set {MODULE_PATH}, or add ?module-path=/PATH or ?module-name=NAME to the URI"))
        })?,
    };
    let path = trusted(&path)?;
    if let Some(allowed) = context.environment.variable(ALLOWED_MODULES).filter(|list| !list.is_empty())
        && !std::env::split_paths(&allowed).filter_map(|path| path.canonicalize().ok()).any(|one| one == path)
    {
        return Err(Error::new(ErrorKind::Denied, cannot_load(&path))
            .why(format!("{ALLOWED_MODULES} does not list it")));
    }
    Ok(path)
}

fn cannot_load(path: &Path) -> String {
    format!("cannot load the PKCS#11 module {}", path.display())
}

fn by_name(name: &str) -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in FOLDERS {
        for file in [
            format!("lib{name}.so"),
            format!("{name}.so"),
            format!("lib{name}.so.1"),
            format!("lib{name}.dylib"),
        ] {
            if let Ok(path) = Path::new(folder).join(file).canonicalize()
                && !found.contains(&path)
            {
                found.push(path);
            }
        }
    }
    let what = format!("cannot find the PKCS#11 module \"{name}\"");
    match found.len() {
        0 => Err(Error::new(ErrorKind::NotFound, what)
            .why("no system folder for libraries has it")
            .hint("name it by its path: ?module-path=/PATH")),
        1 => Ok(found.remove(0)),
        _ => {
            let found: Vec<_> = found.iter().map(|path| path.display().to_string()).collect();
            Err(Error::new(ErrorKind::Ambiguous, what)
                .why(format!("there are {}", found.join(" and ")))
                .hint("name one by its path: ?module-path=/PATH"))
        }
    }
}

/// Resolves links and checks the file and its folders. What is returned is what is loaded: nobody whom these checks
/// exclude can put something else there in between.
fn trusted(path: &Path) -> Result<PathBuf> {
    if !path.is_absolute() {
        return Err(Error::new(ErrorKind::BadUri, cannot_load(path))
            .why("the path is not absolute")
            .hint("name the module by its whole path"));
    }
    let real =
        path.canonicalize().map_err(|cause| Error::io("load the PKCS#11 module", path.display(), cause))?;
    let metadata = |at: &Path| at.metadata().map_err(|cause| Error::io("look at", at.display(), cause));
    if !metadata(&real)?.is_file() {
        return Err(Error::new(ErrorKind::Unsupported, cannot_load(path)).why("it is no file"));
    }
    #[cfg(unix)]
    for (depth, at) in real.ancestors().enumerate() {
        use std::os::unix::fs::MetadataExt;
        /// POSIX: writable by everybody; only owners rename and delete.
        const WORLD_WRITABLE: u32 = 0o002;
        const STICKY: u32 = 0o1000;
        let metadata = metadata(at)?;
        // In a sticky folder above the module's own nobody replaces the folder of another.
        let sheltered = depth > 1 && metadata.mode() & STICKY != 0;
        let why = if metadata.mode() & WORLD_WRITABLE != 0 && !sheltered {
            "everybody may write"
        } else if metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw() {
            "neither root nor you own"
        } else {
            continue;
        };
        let object = if depth == 0 {
            "it is a file that".to_owned()
        } else {
            format!("it lies under {} that", at.display())
        };
        return Err(Error::new(ErrorKind::Denied, cannot_load(path))
            .why(format!("{object} {why}"))
            .hint("install the module where only root may write"));
    }
    Ok(real)
}

/// Loads and initialises a module, once in this process: C_Initialize acts on the whole process.
pub(crate) fn load(path: &Path) -> Result<Pkcs11> {
    static LOADED: Mutex<Option<HashMap<PathBuf, Pkcs11>>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    if let Some(module) = loaded.get(path) {
        return Ok(module.clone());
    }
    let module = Pkcs11::new(path).map_err(|cause| failed(cannot_load(path), cause))?;
    // Without OS locking two threads break some modules.
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(ModuleError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(cause) => {
            return Err(failed(format!("cannot start the PKCS#11 module {}", path.display()), cause));
        }
    }
    loaded.insert(path.to_owned(), module.clone());
    Ok(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn refuses_a_module_that_others_may_write() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("module.so");
        std::fs::write(&file, "not a module").unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap()
        };
        mode(&file, 0o644);
        let real = trusted(&file).unwrap();
        assert_eq!(load(&real).unwrap_err().kind(), ErrorKind::Unsupported);
        mode(&file, 0o666);
        assert_eq!(trusted(&file).unwrap_err().kind(), ErrorKind::Denied);
        mode(&file, 0o644);
        mode(folder.path(), 0o1777);
        assert_eq!(
            trusted(&file).unwrap_err().kind(),
            ErrorKind::Denied,
            "sticky does not shelter its own files"
        );
        mode(folder.path(), 0o700);
        assert_eq!(trusted(Path::new("module.so")).unwrap_err().kind(), ErrorKind::BadUri);
        assert_eq!(trusted(&folder.path().join("absent.so")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(trusted(folder.path()).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
