//! Describes an X.509 certificate and its public key.

use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, TagNumber};
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::extensions;
use super::outline::{Outline, hex, present, unreadable};

/// RFC 4519 attributes with the short names of RFC 4514, in the order in which Go prints a name.
const NAME_ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.5", "SERIALNUMBER"),
    (COMMON_NAME, "CN"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.8", "ST"),
    ("2.5.4.7", "L"),
    ("2.5.4.11", "OU"),
    (ORGANIZATION, "O"),
    (COUNTRY, "C"),
];
pub(super) const COMMON_NAME: &str = "2.5.4.3";
const COUNTRY: &str = "2.5.4.6";
const ORGANIZATION: &str = "2.5.4.10";
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";

/// The names that Go's crypto/x509 has for signature algorithms.
const SIGNATURE_ALGORITHMS: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.5", "SHA1-RSA"),
    ("1.2.840.113549.1.1.11", "SHA256-RSA"),
    ("1.2.840.113549.1.1.12", "SHA384-RSA"),
    ("1.2.840.113549.1.1.13", "SHA512-RSA"),
    ("1.2.840.10045.4.1", "ECDSA-SHA1"),
    ("1.2.840.10045.4.3.2", "ECDSA-SHA256"),
    ("1.2.840.10045.4.3.3", "ECDSA-SHA384"),
    ("1.2.840.10045.4.3.4", "ECDSA-SHA512"),
    ("1.3.101.112", "Ed25519"),
];

const CURVES: &[(&str, &str)] = &[
    ("1.3.132.0.33", "P-224"),
    ("1.2.840.10045.3.1.7", "P-256"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
];

pub(super) fn describe(outline: &mut Outline, der: &[u8]) {
    let certificate = match Certificate::from_der(der) {
        Ok(certificate) => certificate,
        Err(cause) => return outline.line("Certificate", unreadable(cause)),
    };
    let body = &certificate.tbs_certificate;
    outline.line("Signature Algorithm", signature_algorithm(&certificate.signature_algorithm));
    if !body.subject.0.is_empty() {
        outline.line("Subject", name_text(&body.subject));
    }
    let issuer = [("Common Name", COMMON_NAME), ("Organization", ORGANIZATION), ("Country", COUNTRY)]
        .map(|(label, oid)| (label, attribute(&body.issuer, oid)));
    if issuer.iter().any(|(_, value)| value.is_some()) {
        outline.group("Issuer", "", |outline| {
            for (label, value) in issuer {
                if let Some(value) = value {
                    outline.line(label, value);
                }
            }
        });
    }
    outline.group("Validity", "", |outline| {
        outline.line("Not Before", body.validity.not_before.to_date_time());
        outline.line("Not After", body.validity.not_after.to_date_time());
    });
    describe_key(outline, &body.subject_public_key_info);
    outline.group("Extensions", "", |outline| extensions::describe(outline, body));
    outline.line("Signature", present(certificate.signature.raw_bytes().len()));
}

pub(super) fn describe_key(outline: &mut Outline, key: &SubjectPublicKeyInfoOwned) {
    let bytes = key.subject_public_key.raw_bytes();
    outline.group("Subject Public Key Info", "", |outline| match key.algorithm.oid.to_string().as_str() {
        "1.2.840.10045.2.1" => {
            outline.line("Algorithm", "ECDSA");
            let curve = key.algorithm.parameters.as_ref().map(|any| any.decode_as::<ObjectIdentifier>());
            let curve = match curve {
                Some(Ok(oid)) => known(CURVES, &oid.to_string()),
                Some(Err(cause)) => unreadable(cause),
                None => unreadable("missing"),
            };
            outline.line("Curve", curve);
            outline.line("Public Key", shortened(bytes));
        }
        "1.3.101.112" => {
            outline.line("Algorithm", "Ed25519");
            outline.line("Public Key", shortened(bytes));
        }
        "1.2.840.113549.1.1.1" => {
            outline.line("Algorithm", "RSA");
            let size = rsa_bits(bytes).map_or_else(unreadable, |bits| format!("{bits} bits"));
            outline.line("Key Size", size);
        }
        other => outline.line("Algorithm", format!("Unknown ({other})")),
    });
}

/// The last value of an attribute for the common name, else the first, as Go takes them.
pub(super) fn attribute(name: &Name, oid: &str) -> Option<String> {
    let mut values = attributes(name).filter(|one| one.oid.to_string() == oid);
    let one = if oid == COMMON_NAME { values.next_back() } else { values.next() };
    one.map(attribute_text).filter(|text| !text.is_empty())
}

fn attributes(name: &Name) -> impl DoubleEndedIterator<Item = &AttributeTypeAndValue> {
    name.0.iter().flat_map(|part| part.0.iter())
}

fn attribute_text(attribute: &AttributeTypeAndValue) -> String {
    // The string types of X.520, all but the two-byte ones a subset of UTF-8.
    std::str::from_utf8(attribute.value.value()).map_or_else(unreadable, str::to_owned)
}

/// RFC 4514, in Go's order whatever the order in the certificate: the named attributes by table, then the others.
pub(super) fn name_text(name: &Name) -> String {
    let mut parts = Vec::new();
    for (oid, short) in NAME_ATTRIBUTES {
        let values: Vec<_> = attributes(name)
            .filter(|one| one.oid.to_string() == *oid)
            .map(|one| format!("{short}={}", name_escaped(&attribute_text(one))))
            .collect();
        if !values.is_empty() {
            parts.push(values.join("+"));
        }
    }
    for other in attributes(name).rev() {
        let oid = other.oid.to_string();
        if NAME_ATTRIBUTES.iter().all(|(known, _)| *known != oid) {
            let value = other.value.to_der().map_or_else(unreadable, |der| format!("#{}", hex(&der)));
            parts.push(format!("{oid}={value}"));
        }
    }
    parts.join(",")
}

/// RFC 4514 2.4.
fn name_escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (index, char) in text.chars().enumerate() {
        let at_edge = (char == ' ' && (index == 0 || index == last)) || (char == '#' && index == 0);
        if at_edge || matches!(char, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

fn signature_algorithm(algorithm: &AlgorithmIdentifierOwned) -> String {
    let oid = algorithm.oid.to_string();
    if oid != RSASSA_PSS {
        return known(SIGNATURE_ALGORITHMS, &oid);
    }
    match pss_hash(algorithm).map(|oid| oid.to_string()).as_deref() {
        Some("2.16.840.1.101.3.4.2.1") => "SHA256-RSAPSS".to_owned(),
        Some("2.16.840.1.101.3.4.2.2") => "SHA384-RSAPSS".to_owned(),
        Some("2.16.840.1.101.3.4.2.3") => "SHA512-RSAPSS".to_owned(),
        _ => RSASSA_PSS.to_owned(),
    }
}

/// RFC 4055 3.1: the hash in the parameters, which are a sequence of optional tagged fields.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<ObjectIdentifier> {
    let parameters = AnyRef::from(algorithm.parameters.as_ref()?);
    let hash = parameters.sequence(|reader| {
        let hash = ContextSpecific::<AlgorithmIdentifierOwned>::decode_explicit(reader, TagNumber::N0)?;
        reader.read_slice(reader.remaining_len())?;
        Ok(hash)
    });
    hash.ok()?.map(|field| field.value.oid)
}

/// RFC 8017 A.1.1: the length of the modulus.
fn rsa_bits(der: &[u8]) -> x509_cert::der::Result<usize> {
    AnyRef::from_der(der)?.sequence(|reader| {
        let modulus = UintRef::decode(reader)?.as_bytes();
        UintRef::decode(reader)?;
        let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        Ok(modulus.len() * 8 - unused)
    })
}

/// The name that a table has for an object identifier, or the identifier.
pub(super) fn known(table: &[(&str, &str)], oid: &str) -> String {
    table.iter().find(|(one, _)| *one == oid).map_or(oid, |(_, name)| name).to_owned()
}

/// Both ends of the bytes and their number.
fn shortened(bytes: &[u8]) -> String {
    let text = hex(bytes);
    if text.len() <= 20 {
        return text;
    }
    format!("{}...{} ({} bytes)", &text[..8], &text[text.len() - 8..], bytes.len())
}
