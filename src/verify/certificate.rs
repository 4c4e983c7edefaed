//! What a signing certificate says of its holder: subject alternative names and Fulcio's extensions
//! (OIDs under 1.3.6.1.4.1.57264.1, Fulcio's `docs/oid-info.md`).

use countersign_core::certificate::Certificate;
use der::asn1::{ObjectIdentifier, Utf8StringRef};
use der::{Decode, Encode};
use x509_cert::ext::Extension as RawExtension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::refusal::{Check, Refusal};

/// Fulcio's arc.
const ARC: &str = "1.3.6.1.4.1.57264.1.";
/// The name form of user names at other issuers, as Fulcio puts them into a SAN.
const OTHER_NAME: &str = "1.3.6.1.4.1.57264.1.7";

/// Fulcio's extensions: last arc, name, and whether the value is bare text (the oldest) or a DER UTF8String.
const EXTENSIONS: &[(u32, &str, bool)] = &[
    (2, "githubWorkflowTrigger", true),
    (3, "githubWorkflowSHA", true),
    (4, "githubWorkflowName", true),
    (5, "githubWorkflowRepository", true),
    (6, "githubWorkflowRef", true),
    (9, "buildSignerURI", false),
    (10, "buildSignerDigest", false),
    (11, "runnerEnvironment", false),
    (12, "sourceRepositoryURI", false),
    (13, "sourceRepositoryDigest", false),
    (14, "sourceRepositoryRef", false),
    (15, "sourceRepositoryIdentifier", false),
    (16, "sourceRepositoryOwnerURI", false),
    (17, "sourceRepositoryOwnerIdentifier", false),
    (18, "buildConfigURI", false),
    (19, "buildConfigDigest", false),
    (20, "buildTrigger", false),
    (21, "runInvocationURI", false),
    (22, "sourceRepositoryVisibilityAtSigning", false),
    (23, "deploymentEnvironment", false),
    (24, "tokenSubject", false),
];

/// The kinds of names that a certificate can bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// A mail address.
    Email,
    /// A URI, such as a workflow's.
    Uri,
    /// A host.
    Dns,
    /// A user name at an issuer without mail addresses.
    OtherName,
}

/// Who a certificate speaks of. Nothing here is trusted before its chain is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its subject alternative names.
    pub names: Vec<(NameKind, String)>,
    /// Who vouched for the name: the issuer of the OIDC token.
    pub issuer: Option<String>,
    /// Fulcio's extensions, by name.
    pub extensions: Vec<(&'static str, String)>,
}

impl Holder {
    /// Reads the certificate.
    ///
    /// # Errors
    /// [`Check::Certificate`] for damaged or repeated extensions and for two issuers that differ.
    pub fn of(certificate: &Certificate) -> Result<Self, Refusal> {
        let mut holder = Self { names: names(certificate)?, ..Self::default() };
        let (mut old, mut new) = (None, None);
        let extensions = certificate.x509().tbs_certificate.extensions.as_deref().unwrap_or_default();
        for (at, extension) in extensions.iter().enumerate() {
            if extensions.iter().take(at).any(|other| other.extn_id == extension.extn_id) {
                return Err(unusable(format!("it has the extension {} twice", extension.extn_id)));
            }
            let oid = extension.extn_id.to_string();
            let Some(number) = oid.strip_prefix(ARC).and_then(|number| number.parse::<u32>().ok()) else {
                continue;
            };
            match number {
                1 => old = Some(bare(extension)?),
                8 => new = Some(utf8(extension)?),
                _ => {
                    if let Some((_, name, is_bare)) = EXTENSIONS.iter().find(|(known, ..)| *known == number) {
                        holder
                            .extensions
                            .push((name, if *is_bare { bare(extension)? } else { utf8(extension)? }));
                    }
                }
            }
        }
        if let (Some(old), Some(new)) = (&old, &new)
            && old != new
        {
            return Err(unusable(format!("its two issuer extensions differ: {old} and {new}")));
        }
        holder.issuer = new.or(old);
        Ok(holder)
    }

    /// The value of an extension.
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

/// The name of a Fulcio extension as we spell it, from any case.
pub fn extension_name(name: &str) -> Option<&'static str> {
    EXTENSIONS.iter().map(|(_, known, _)| *known).find(|known| known.eq_ignore_ascii_case(name))
}

/// The names of all extensions that a policy can demand.
pub fn extension_names() -> impl Iterator<Item = &'static str> {
    EXTENSIONS.iter().map(|(_, name, _)| *name)
}

fn names(certificate: &Certificate) -> Result<Vec<(NameKind, String)>, Refusal> {
    let names = certificate.x509().tbs_certificate.get::<SubjectAltName>();
    let Some((_, SubjectAltName(names))) =
        names.map_err(|cause| unusable(format!("its names are damaged: {cause}")))?
    else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for name in &names {
        match name {
            GeneralName::Rfc822Name(name) => found.push((NameKind::Email, name.to_string())),
            GeneralName::UniformResourceIdentifier(name) => found.push((NameKind::Uri, name.to_string())),
            GeneralName::DnsName(name) => found.push((NameKind::Dns, name.to_string())),
            GeneralName::OtherName(other) if other.type_id == ObjectIdentifier::new_unwrap(OTHER_NAME) => {
                let text = other.value.decode_as::<Utf8StringRef<'_>>();
                let text = text.map_err(|cause| unusable(format!("its user name is damaged: {cause}")))?;
                found.push((NameKind::OtherName, text.as_str().to_owned()));
            }
            // Addresses and directory names name no signer.
            _ => {}
        }
    }
    Ok(found)
}

/// The text of an extension from before Fulcio encoded them: bare bytes.
fn bare(extension: &RawExtension) -> Result<String, Refusal> {
    String::from_utf8(extension.extn_value.as_bytes().to_vec())
        .map_err(|_| unusable(format!("its extension {} is no text", extension.extn_id)))
}

fn utf8(extension: &RawExtension) -> Result<String, Refusal> {
    let text = Utf8StringRef::from_der(extension.extn_value.as_bytes());
    text.map(|text| text.as_str().to_owned())
        .map_err(|cause| unusable(format!("its extension {} is no UTF8String: {cause}", extension.extn_id)))
}

fn unusable(found: String) -> Refusal {
    Check::Certificate.refuse("", found)
}

/// The part that a certificate transparency log signed: the certificate without its embedded timestamps (RFC 6962 3.2).
pub(super) fn precertificate(
    certificate: &Certificate,
    embedded: ObjectIdentifier,
) -> Result<Vec<u8>, String> {
    let mut part = certificate.x509().tbs_certificate.clone();
    if let Some(extensions) = &mut part.extensions {
        extensions.retain(|extension| extension.extn_id != embedded);
    }
    part.to_der().map_err(|cause| cause.to_string())
}
