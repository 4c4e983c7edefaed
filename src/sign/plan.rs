//! Where the bundles of many files go, settled before anything is signed: no two to one name, none over an existing
//! one unless the user said so.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use countersign_core::error::{Error, ErrorKind, Result};

/// What is added to a file's name.
pub const BUNDLE_ENDING: &str = ".sigstore.json";

/// The bundle that belongs to a file: beside it, or in `directory` under the file's own name.
pub fn bundle_path(file: &Path, directory: Option<&Path>) -> PathBuf {
    let mut name = match directory {
        Some(directory) => directory.join(file.file_name().unwrap_or_default()).into_os_string(),
        None => OsString::from(file),
    };
    name.push(BUNDLE_ENDING);
    name.into()
}

/// The bundle of each file, in order.
///
/// # Errors
/// [`ErrorKind::Ambiguous`] when two files lead to one name, [`ErrorKind::Denied`] when a bundle is there already and may
/// not be overwritten. Both name the files.
pub fn bundle_paths(files: &[PathBuf], directory: Option<&Path>, overwrite: bool) -> Result<Vec<PathBuf>> {
    let mut owners: HashMap<PathBuf, &Path> = HashMap::with_capacity(files.len());
    let mut folders: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut paths = Vec::with_capacity(files.len());
    for file in files {
        let path = bundle_path(file, directory);
        if let Some(other) = owners.insert(in_real_folder(&path, &mut folders), file) {
            return Err(Error::new(ErrorKind::Ambiguous, "cannot sign these files")
                .why(format!(
                    "{} and {} would both write {}",
                    other.display(),
                    file.display(),
                    path.display()
                ))
                .hint("name each file once, or sign them in two calls with two --bundle-dir"));
        }
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(Error::new(ErrorKind::Denied, format!("cannot write {}", path.display()))
                .why("it exists")
                .hint("pass -y to overwrite bundles, or --bundle-dir to put them elsewhere"));
        }
        paths.push(path);
    }
    Ok(paths)
}

/// The same path with its folder resolved: `a`, `./a` and a way through a symbolic link are one name.
fn in_real_folder(path: &Path, folders: &mut HashMap<PathBuf, PathBuf>) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A folder that cannot be resolved fails when it is written to; files share few folders, so each is asked once.
    let real = folders
        .entry(folder.to_owned())
        .or_insert_with_key(|folder| std::fs::canonicalize(folder).unwrap_or_else(|_| folder.clone()));
    real.join(path.file_name().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_beside_or_in_the_directory() {
        assert_eq!(bundle_path(Path::new("a/b.tar"), None), Path::new("a/b.tar.sigstore.json"));
        assert_eq!(
            bundle_path(Path::new("a/b.tar"), Some(Path::new("out"))),
            Path::new("out/b.tar.sigstore.json")
        );
    }

    #[test]
    fn refuses_two_files_with_one_bundle() {
        let files = [PathBuf::from("a/x"), PathBuf::from("b/x")];
        assert!(bundle_paths(&files, None, false).is_ok());
        let error = bundle_paths(&files, Some(Path::new("out")), true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ambiguous);
        assert!(error.to_string().contains("a/x and b/x"));
    }

    #[test]
    fn keeps_an_existing_bundle() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x");
        std::fs::write(directory.path().join("x.sigstore.json"), "old").unwrap();
        assert_eq!(
            bundle_paths(std::slice::from_ref(&file), None, false).unwrap_err().kind(),
            ErrorKind::Denied
        );
        assert!(bundle_paths(&[file], None, true).is_ok());
    }
}
