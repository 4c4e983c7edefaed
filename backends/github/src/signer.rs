//! Nobody signs or verifies with a secret of GitHub: the refusals, with the way that works.

use countersign_core::KeyUri;
use countersign_core::error::{Error, ErrorKind, Result};

use crate::uri::GithubUri;

pub(crate) const SIGN: &str = "in a workflow, set the variables COSIGN_PRIVATE_KEY and COSIGN_PASSWORD from the secrets of these names, \
                               and sign with --key env://COSIGN_PRIVATE_KEY";
pub(crate) const VERIFY: &str = "use the public key that was saved when the key was made, or in a workflow the variable COSIGN_PUBLIC_KEY \
                                 set from the secret of this name, with --key env://COSIGN_PUBLIC_KEY";

/// The refusal; an error in its place is that of a URI which names no secrets at all.
pub(crate) fn refuse(uri: &KeyUri, hint: &str) -> Result<Error> {
    let owner = GithubUri::parse(uri)?;
    Ok(Error::new(ErrorKind::Unsupported, format!("cannot open {owner}"))
        .why("GitHub never gives the value of a secret back")
        .hint(hint))
}
