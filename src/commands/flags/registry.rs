//! Flags that say how registries are reached, and where in them signatures lie.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use countersign_core::error::{Error, ErrorKind, Result};
use countersign_core::{Digest, OpenContext, Secret, Variable};

use super::pem;
use crate::image::budget::Budget;
use crate::image::find::{MAX_LAYER_BYTES, Search};
use crate::image::tags::Ending;
use crate::image::{Kind, resolve};
use crate::oci::credentials::Credential;
use crate::oci::{Access, Identity, Options, Reference, Registry, Remote, Repository};

const REPOSITORY: &str = "COSIGN_REPOSITORY";
const DOCKER_TYPES: &str = "COSIGN_DOCKER_MEDIA_TYPES";
const LARGEST: &str = "COSIGN_MAX_ATTACHMENT_SIZE";

/// The variables that are read here.
pub const VARIABLES: &[Variable] = &[
    Variable::new(
        REPOSITORY,
        "is where signatures of all images lie, in place of each image's own repository",
        "a repository",
    ),
    Variable::new(DOCKER_TYPES, "writes the older layout in Docker's media types", "1 or true"),
    Variable::new(
        LARGEST,
        "bounds what is fetched of the older layout, in place of 128MiB",
        "a size, as in 64MiB",
    ),
];

/// A registry.
#[derive(Debug, Default, Args)]
pub struct RegistryFlags {
    /// Take any TLS certificate from registries
    #[arg(long)]
    pub allow_insecure_registry: bool,

    /// Speak plain http with registries that do not answer with TLS
    #[arg(long)]
    pub allow_http_registry: bool,

    /// Ask the clouds' own helpers for credentials too, after the files of docker login
    #[arg(long)]
    pub k8s_keychain: bool,

    /// The user name at the registry
    #[arg(long, value_name = "NAME", requires = "registry_password")]
    pub registry_username: Option<String>,

    /// Its password; other users of this machine can see it, so docker login is the better way
    #[arg(long, value_name = "PASSWORD", requires = "registry_username")]
    pub registry_password: Option<String>,

    /// The token to show to the registry
    #[arg(long, value_name = "TOKEN", conflicts_with = "registry_username")]
    pub registry_token: Option<String>,

    /// The authorities that the registry's TLS certificate may come from, in PEM
    #[arg(long, value_name = "FILE")]
    pub registry_cacert: Option<PathBuf>,

    /// The certificate to show to the registry, in PEM
    #[arg(long, value_name = "FILE", requires = "registry_client_key")]
    pub registry_client_cert: Option<PathBuf>,

    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "registry_client_cert")]
    pub registry_client_key: Option<PathBuf>,

    /// The name that the registry's TLS certificate must bear, where it is not its address's
    #[arg(long, value_name = "NAME")]
    pub registry_server_name: Option<String>,

    /// Begin the tags of the older layout with this
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub attachment_tag_prefix: String,
}

/// How what belongs to an image is tied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReferrersMode {
    /// By a tag made of the image's digest
    #[value(name = "legacy")]
    Tags,
    /// By naming the image as its subject (OCI distribution specification 1.1)
    #[value(name = "oci-1-1")]
    Kept,
}

/// Registries, and where in them signatures lie.
pub(crate) struct Place<'a> {
    registry: Registry<'a>,
    repository: Option<Repository>,
    prefix: String,
    /// The largest layer of the older layout that is fetched, in bytes.
    pub(crate) max_layer_bytes: usize,
    budget: Budget,
    /// Whether the older layout is written in Docker's media types.
    pub(crate) docker_types: bool,
}

impl RegistryFlags {
    /// What the flags and the environment say.
    ///
    /// # Errors
    /// Those of the files; [`ErrorKind::BadUri`] for a variable that cannot be used.
    pub(crate) fn place<'a>(&self, context: &OpenContext<'a>) -> Result<Place<'a>> {
        let text = |name: &str| {
            let value = context.environment.variable(name).and_then(|value| value.into_string().ok());
            value.filter(|value| !value.is_empty())
        };
        let repository = text(REPOSITORY).map(|name| Repository::parse(&name)).transpose();
        let max_layer_bytes = match text(LARGEST) {
            None => MAX_LAYER_BYTES,
            Some(size) => parse_size(&size).ok_or_else(|| {
                Error::new(ErrorKind::BadUri, format!("cannot use {LARGEST}"))
                    .why(format!("\"{size}\" is no size"))
                    .hint("expected a number with a unit, as in 64MiB or 100MB")
            })?,
        };
        Ok(Place {
            registry: Registry::new(self.options(context)?, *context),
            repository: repository.map_err(|error| error.hint(format!("{REPOSITORY} names it")))?,
            prefix: self.attachment_tag_prefix.clone(),
            max_layer_bytes,
            budget: Budget::default(),
            docker_types: text(DOCKER_TYPES).is_some_and(|value| ["1", "true"].contains(&value.as_str())),
        })
    }

    /// How registries are reached.
    ///
    /// # Errors
    /// Those of the files.
    pub(crate) fn options(&self, context: &OpenContext<'_>) -> Result<Options> {
        let deadline = context.deadline;
        let (certificate, key) = (&self.registry_client_cert, &self.registry_client_key);
        let identity: Option<Identity> = pem::identity(certificate.as_deref(), key.as_deref(), deadline)?;
        let authorities = self.registry_cacert.as_deref().map(|path| pem::read(path, deadline));
        let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
        let credential = match (&self.registry_token, &self.registry_username, &self.registry_password) {
            (Some(token), ..) => Some(Credential::Bearer(secret(token))),
            (None, Some(name), Some(password)) => Some(Credential::Password(name.clone(), secret(password))),
            _ => None,
        };
        Ok(Options {
            allows_insecure: self.allow_insecure_registry,
            allows_http: self.allow_http_registry,
            authorities: authorities.transpose()?,
            identity,
            server_name: self.registry_server_name.clone(),
            credential,
            asks_clouds: self.k8s_keychain,
        })
    }
}

impl<'a> Place<'a> {
    /// The repository of an image.
    pub(crate) fn image(&self, reference: &Reference, access: Access) -> Remote<'a> {
        self.registry.open(&reference.repository, access)
    }

    /// The repository of an image's signatures.
    pub(crate) fn beside(&self, reference: &Reference, access: Access) -> Remote<'a> {
        self.registry.open(self.repository_of(reference), access)
    }

    /// The same by name.
    pub(crate) fn repository_of<'b>(&'b self, reference: &'b Reference) -> &'b Repository {
        self.repository.as_ref().unwrap_or(&reference.repository)
    }

    /// Looks for what is beside an image, with so many threads. All searches share what may be held at once.
    pub(crate) fn search<'s>(&'s self, image: &'s Digest, kind: Kind<'s>, threads: usize) -> Search<'s> {
        Search { image, kind, threads, max_layer_bytes: self.max_layer_bytes, budget: &self.budget }
    }

    /// The SBOM of an image in the older layout, as an image of its own.
    ///
    /// # Errors
    /// Those of the registry.
    pub(crate) fn sbom(&self, reference: &Reference) -> Result<Reference> {
        let digest = resolve(&self.image(reference, Access::Pull), reference)?;
        Ok(self.repository_of(reference).tagged(self.tag(Ending::Sboms, &digest)))
    }

    /// The tag of an image in the older layout.
    pub(crate) fn tag(&self, ending: Ending, image: &Digest) -> String {
        format!("{}{}", self.prefix, ending.tag(image))
    }
}

/// A number with a unit: powers of 1000 (kB, MB) or 1024 (KiB, MiB), in any case; without a unit, bytes.
fn parse_size(text: &str) -> Option<usize> {
    let digits = text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(text.trim().len());
    let (number, unit) = text.trim().split_at(digits);
    let factor: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn reads_sizes_as_cosign_does() {
        for (text, size) in
            [("128MiB", 128 << 20), ("1 kb", 1000), ("7", 7), ("2GB", 2_000_000_000), ("0", 0), ("1Ki", 1024)]
        {
            assert_eq!(parse_size(text), Some(size), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5MB", "1TB", "99999999999999999999", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
