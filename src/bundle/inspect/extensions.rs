//! Describes a certificate's extensions: those of RFC 5280, Fulcio's, and the embedded promises of CT logs.

use std::net::IpAddr;

use x509_cert::TbsCertificate;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode, Result, Tag, Tagged};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, ExtendedKeyUsage, SubjectAltName, SubjectKeyIdentifier};

use super::certificate::{COMMON_NAME, attribute, known, name_text};
use super::outline::{Outline, hex, present, unreadable};
use super::sct;

// RFC 5280 4.2.1, RFC 6962 3.3
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
/// Fulcio's arc; the extensions are its children 1 to 24.
const FULCIO_ARC: &str = "1.3.6.1.4.1.57264.1.";
/// Fulcio's other name in the alternative names: a user name without a domain.
const FULCIO_USER_NAME: &str = "1.3.6.1.4.1.57264.1.7";

/// RFC 5280 4.2.1.3, by bit.
const KEY_USAGES: [&str; 9] = [
    "Digital Signature",
    "Content Commitment",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Cert Sign",
    "CRL Sign",
    "Encipher Only",
    "Decipher Only",
];

const EXTENDED_KEY_USAGES: &[(&str, &str)] = &[
    ("2.5.29.37.0", "Any"),
    ("1.3.6.1.5.5.7.3.1", "Server Auth"),
    ("1.3.6.1.5.5.7.3.2", "Client Auth"),
    ("1.3.6.1.5.5.7.3.3", "Code Signing"),
    ("1.3.6.1.5.5.7.3.4", "Email Protection"),
    ("1.3.6.1.5.5.7.3.5", "IPSEC End System"),
    ("1.3.6.1.5.5.7.3.6", "IPSEC Tunnel"),
    ("1.3.6.1.5.5.7.3.7", "IPSEC User"),
    ("1.3.6.1.5.5.7.3.8", "Time Stamping"),
    ("1.3.6.1.5.5.7.3.9", "OCSP Signing"),
];

/// The children of Fulcio's arc from 1 on, with the names that Cosign prints.
const FULCIO_EXTENSIONS: [&str; 24] = [
    "OIDC Issuer",
    "GitHub Workflow Trigger",
    "GitHub Workflow SHA",
    "GitHub Workflow Name",
    "GitHub Workflow Repository",
    "GitHub Workflow Ref",
    "OtherName SAN",
    "Issuer (V2)",
    "Build Signer URI",
    "Build Signer Digest",
    "Runner Environment",
    "Source Repository URI",
    "Source Repository Digest",
    "Source Repository Ref",
    "Source Repository Identifier",
    "Source Repository Owner URI",
    "Source Repository Owner Identifier",
    "Build Config URI",
    "Build Config Digest",
    "Build Trigger",
    "Run Invocation URI",
    "Source Repository Visibility At Signing",
    "Deployment Environment",
    "Token Subject",
];

pub(super) fn describe(outline: &mut Outline, certificate: &TbsCertificate) {
    let extensions = certificate.extensions.as_deref().unwrap_or_default();
    // RFC 5280 4.2 forbids a second of a kind. Where there is one, it is shown below by its object identifier.
    let position = |oid: &str| extensions.iter().position(|one| one.extn_id.to_string() == oid);
    let handled = [
        SUBJECT_ALTERNATIVE_NAME,
        KEY_USAGE,
        EXTENDED_KEY_USAGE,
        SUBJECT_KEY_IDENTIFIER,
        AUTHORITY_KEY_IDENTIFIER,
    ]
    .map(position);
    let [names, usage, extended_usage, subject_key, authority_key] =
        handled.map(|position| position.map(|at| extensions[at].extn_value.as_bytes()));

    describe_identity(outline, attribute(&certificate.subject, COMMON_NAME), names);
    let usages = usage.map(key_usages);
    described(outline, "Key Usage", usages);
    if let Some(der) = extended_usage {
        describe_extended_usages(outline, der);
    }
    let id = subject_key.map(|der| SubjectKeyIdentifier::from_der(der).map(|id| hex(id.0.as_bytes())));
    described(outline, "Subject Key ID", id);
    let id = authority_key.map(|der| {
        let id = AuthorityKeyIdentifier::from_der(der)?.key_identifier;
        Ok(id.map(|id| hex(id.as_bytes())).unwrap_or_default())
    });
    described(outline, "Authority Key ID", id);
    for (index, extension) in extensions.iter().enumerate() {
        if !handled.contains(&Some(index)) {
            describe_other(outline, extension);
        }
    }
}

/// Adds a line where there is something to say.
fn described(outline: &mut Outline, label: &str, value: Option<Result<String>>) {
    let text = value.map(|value| value.unwrap_or_else(unreadable)).unwrap_or_default();
    if !text.is_empty() {
        outline.line(label, text);
    }
}

/// E-mail addresses first, then URIs, then what Cosign leaves out.
fn describe_identity(outline: &mut Outline, common_name: Option<String>, names: Option<&[u8]>) {
    let mut lines: Vec<_> = common_name.map(|name| (0, "Common Name", name)).into_iter().collect();
    match names.map(SubjectAltName::from_der) {
        Some(Ok(names)) => lines.extend(names.0.iter().map(alternative_name)),
        Some(Err(cause)) => lines.push((3, "Names", unreadable(cause))),
        None => {}
    }
    lines.sort_by_key(|(rank, ..)| *rank);
    if !lines.is_empty() {
        outline.group("Identity (Subject Alternative Name)", "", |outline| {
            for (_, label, value) in lines {
                outline.line(label, value);
            }
        });
    }
}

fn alternative_name(name: &GeneralName) -> (u8, &'static str, String) {
    match name {
        GeneralName::Rfc822Name(email) => (1, "Email", email.to_string()),
        GeneralName::UniformResourceIdentifier(uri) => (2, "URI", uri.to_string()),
        GeneralName::DnsName(name) => (3, "DNS Name", name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            (3, "IP Address", address.map_or_else(unreadable, |address| address.to_string()))
        }
        GeneralName::DirectoryName(name) => (3, "Directory Name", name_text(name)),
        GeneralName::RegisteredId(oid) => (3, "Registered ID", oid.to_string()),
        GeneralName::OtherName(other) => {
            let text = std::str::from_utf8(other.value.value());
            match text {
                Ok(text) if other.type_id.to_string() == FULCIO_USER_NAME => {
                    (3, "User Name", text.to_owned())
                }
                _ => (3, "Other Name", format!("{} {}", other.type_id, present(other.value.value().len()))),
            }
        }
        GeneralName::EdiPartyName(_) => (3, "EDI Party Name", "Present".to_owned()),
    }
}

fn key_usages(der: &[u8]) -> Result<String> {
    let bits = BitStringRef::from_der(der)?;
    let names = KEY_USAGES.iter().zip(bits.bits()).filter(|(_, set)| *set).map(|(name, _)| *name);
    Ok(names.collect::<Vec<_>>().join(", "))
}

fn describe_extended_usages(outline: &mut Outline, der: &[u8]) {
    let usages = match ExtendedKeyUsage::from_der(der) {
        Ok(usages) => usages.0,
        Err(cause) => return outline.line("Extended Key Usage", unreadable(cause)),
    };
    let is_named = |oid: &ObjectIdentifier| known(EXTENDED_KEY_USAGES, &oid.to_string()) != oid.to_string();
    let (named, unknown): (Vec<_>, Vec<_>) = usages.into_iter().partition(is_named);
    for (label, usages) in [("Extended Key Usage", named), ("Unknown Extended Key Usage", unknown)] {
        let names: Vec<_> = usages.iter().map(|oid| known(EXTENDED_KEY_USAGES, &oid.to_string())).collect();
        if !names.is_empty() {
            outline.line(label, names.join(", "));
        }
    }
}

fn describe_other(outline: &mut Outline, extension: &Extension) {
    let oid = extension.extn_id.to_string();
    let value = extension.extn_value.as_bytes();
    if oid == SCT_LIST {
        return sct::describe(outline, value);
    }
    let child = oid.strip_prefix(FULCIO_ARC).and_then(|child| child.parse::<usize>().ok());
    match child.and_then(|child| FULCIO_EXTENSIONS.get(child.checked_sub(1)?)) {
        Some(name) => outline.line(name, fulcio_text(value)),
        None => {
            let size = format!("(Critical: {}) [{} bytes]", extension.critical, value.len());
            outline.line(&format!("OID: {oid}"), size);
        }
    }
}

/// Fulcio's extensions 1 to 6 are bare text, the later ones a DER string.
fn fulcio_text(value: &[u8]) -> String {
    let strings = [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String];
    let text = match AnyRef::from_der(value) {
        Ok(string) if strings.contains(&string.tag()) => string.value(),
        _ => value,
    };
    std::str::from_utf8(text).map_or_else(unreadable, str::to_owned)
}
