//! Paths that x509-limbo publishes, through the file that the engine uses. They are for TLS, so a usage of TLS is asked for in
//! place of ours, and what is about the name of a server is left out.

#[path = "../../src/verify/chain.rs"]
#[allow(dead_code, reason = "the engine uses the rest")]
mod chain;
#[path = "../../src/verify/remembered.rs"]
mod remembered;

use std::collections::BTreeMap;

use countersign_core::certificate::Certificate;
use jiff::Timestamp;
use serde::Deserialize;

use crate::support::vectors;
use chain::{Usage, check};

const SERVER: Usage = Usage { value: &[0x2b, 6, 1, 5, 5, 7, 3, 1], name: "servers" };
const CLIENT: Usage = Usage { value: &[0x2b, 6, 1, 5, 5, 7, 3, 2], name: "clients" };

#[derive(Deserialize)]
struct Limbo {
    testcases: Vec<Testcase>,
}

#[derive(Deserialize)]
struct Testcase {
    id: String,
    validation_kind: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<Timestamp>,
    expected_result: String,
}

impl Testcase {
    /// Whether some root of those trusted leads to the certificate; what cannot be read does not.
    fn decide(&self) -> Result<(), String> {
        let read =
            |pem: &String| Certificate::from_pem_or_der(pem.as_bytes()).map_err(|cause| cause.to_string());
        let leaf = read(&self.peer_certificate)?;
        let intermediates: Vec<_> =
            self.untrusted_intermediates.iter().map(read).collect::<Result<_, _>>()?;
        let usage = if self.validation_kind == "CLIENT" { CLIENT } else { SERVER };
        let time = self.validation_time.unwrap_or_else(Timestamp::now);
        let mut why = "nothing is trusted".to_owned();
        for root in &self.trusted_certs {
            let chain: Vec<_> = intermediates.iter().cloned().chain([read(root)?]).collect();
            match check(&leaf, &chain, time, usage) {
                Ok(()) => return Ok(()),
                Err(cause) => why = cause,
            }
        }
        Err(why)
    }
}

/// Where we part from the publishers: why, whether we accept, and which (`*` stands for any ending).
#[rustfmt::skip]
const PARTED: &[(&str, bool, &[&str])] = &[
    ("the name of a server is not looked at: what a name may be, the identity decides", true, &[
        "webpki::cn::*", "webpki::san::*", "rfc5280::san::*",
    ]),
    ("certificates live for minutes or are trusted by being named: no list of revoked ones is asked", true, &[
        "crl::crlnumber-critical", "crl::crlnumber-missing", "crl::issuer-missing-crlsign", "crl::revoked-certificate-with-crl",
    ]),
    ("how deep a path may be is the verifier's own choice, and no flag of ours", true, &[
        "pathlen::max-chain-depth-0-exhausted", "pathlen::max-chain-depth-1-exhausted",
    ]),
    ("a root is trusted by being named; of what it says of itself only its dates and the names that it may give count", true, &[
        "rfc5280::root-inconsistent-ca-extensions", "rfc5280::root-missing-basic-constraints",
        "rfc5280::root-non-critical-basic-constraints", "rfc5280::unknown-critical-extension-root",
        "rfc5280::ca-empty-subject", "rfc5280::ski::root-missing-ski", "webpki::aki::root-with-aki-*", "webpki::eku::root-has-eku",
    ]),
    ("key identifiers only help to find a path: the signatures decide", true, &[
        "rfc5280::aki::*", "rfc5280::ski::critical-ski", "rfc5280::ski::intermediate-missing-ski",
    ]),
    ("a rule for who issues certificates, of which none grants more than was granted", true, &[
        "rfc5280::leaf-ku-keycertsign", "rfc5280::nc::not-allowed-in-ee-*", "rfc5280::serial::zero", "rfc5280::pc::ica-noncritical-pc",
        "webpki::eku::ee-anyeku", "webpki::eku::ee-critical-eku", "webpki::malformed-aia",
    ]),
    ("constraints that are written otherwise than the standard says, and hold all the same or say nothing", true, &[
        "rfc5280::nc::invalid-dnsname-leading-period", "rfc5280::nc::permitted-dns-match-noncritical",
        "webpki::nc::intermediate-permitted-excluded-subtrees-both-*",
    ]),
    ("valid, says its publisher, and refused by many for the work that it makes; here it is bounded", true, &[
        "pathological::nc-dos-3",
    ]),
    ("stricter: the certificate must name the usage, and must be for signatures", false, &[
        "rfc5280::eku::ee-without-eku", "rfc5280::ca-as-leaf", "pathlen::validation-ignores-pathlen-in-leaf",
    ]),
    ("stricter: constraints on mail addresses and directory names are not understood, so that nothing satisfies them", false, &[
        "rfc5280::nc::nc-permits-email-*", "rfc5280::nc::permitted-dn-match",
    ]),
    ("stricter: authorities that issue for themselves under the same name are not followed", false, &[
        "pathlen::self-issued-certs-pathlen", "rfc5280::nc::permitted-self-issued",
    ]),
];

#[test]
fn published_paths_are_decided_as_their_publishers_say() {
    let Some(vectors) = vectors() else { return };
    let limbo = std::fs::read(vectors.join("x509-limbo/limbo.json")).unwrap();
    let limbo: Limbo = serde_json::from_slice(&limbo).unwrap();
    let (mut accepted, mut refused, mut parted) = (0, 0, BTreeMap::new());
    for case in &limbo.testcases {
        let decided = case.decide();
        match (case.expected_result == "SUCCESS", decided.is_ok()) {
            (true, true) => accepted += 1,
            (false, false) => refused += 1,
            (_, accepts) => {
                let is_it =
                    |id: &&&str| id.strip_suffix('*').map_or(case.id == **id, |id| case.id.starts_with(id));
                let listed =
                    PARTED.iter().filter(|row| row.1 == accepts).find_map(|row| row.2.iter().find(is_it));
                let listed = listed.unwrap_or_else(|| panic!("{}: {decided:?}", case.id));
                *parted.entry(*listed).or_insert(0) += 1;
            }
        }
    }
    let unused: Vec<_> = PARTED.iter().flat_map(|row| row.2).filter(|id| !parted.contains_key(*id)).collect();
    assert!(unused.is_empty(), "decided as published by now: {unused:?}");
    assert_eq!((accepted, refused, parted.values().sum::<usize>()), (52, 80, 76));
}
