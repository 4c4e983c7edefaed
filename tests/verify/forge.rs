//! A private world in which anything can be made wrong on purpose: authorities of certificates, a log of them, transparency logs
//! of both versions, timestamp authorities, and the trusted root that names them all. `honest.rs` proves with the real Cosign
//! that what it makes rightly is right.
//!
//! Begin at [`World`]; what a test changes and decides is a [`Case`].

pub(crate) mod authorities;
pub(crate) mod bundles;
pub(crate) mod case;
pub(crate) mod certificates;
pub(crate) mod keys;
pub(crate) mod logs;
mod tree;

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::fill;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub(crate) use authorities::TimestampAuthority;
pub(crate) use bundles::Signer;
pub(crate) use case::Case;
pub(crate) use certificates::{CertificateLog, Certified, LONG, Leaf};
pub(crate) use keys::Key;
pub(crate) use logs::Log;

/// When everything here happens: 2025-06-01T12:00:00Z.
pub(crate) const TIME: i64 = 1_748_779_200;
pub(crate) const YEAR: i64 = 365 * 86_400;
/// The last second of a signer's certificate.
pub(crate) const CERTIFIED_UNTIL: i64 = TIME + 540;

/// Whom this world knows. Two of each witness, so that one can be counted twice, or stand in for another.
pub(crate) struct World {
    root: Certified,
    pub(crate) issuer: Certified,
    pub(crate) certificate_logs: [CertificateLog; 2],
    /// Logs of version 1.
    pub(crate) logs: [Log; 2],
    /// A log of version 2.
    pub(crate) tiles: Log,
    pub(crate) authorities: [TimestampAuthority; 2],
}

/// The world that all tests share; each makes its own signers in it.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let root = Certified::root("CN=root,O=forge.example", LONG);
    World {
        issuer: root.authority("CN=issuer,O=forge.example", LONG),
        root,
        certificate_logs: [
            CertificateLog::new("one.ct.forge.example"),
            CertificateLog::new("other.ct.forge.example"),
        ],
        logs: [Log::version_1("one.log.forge.example"), Log::version_1("other.log.forge.example")],
        tiles: Log::version_2("tiles.log.forge.example"),
        authorities: [
            TimestampAuthority::new("one.time.forge.example"),
            TimestampAuthority::new("other.time.forge.example"),
        ],
    }
});

impl World {
    /// A signer with a certificate that is right in every part, and in one certificate log.
    pub(crate) fn signer(&self) -> Signer {
        self.certified(&Leaf::default())
    }

    /// A signer with this certificate.
    pub(crate) fn certified(&self, leaf: &Leaf) -> Signer {
        Signer::certified(leaf.issue(&self.issuer, &[&self.certificate_logs[0]]))
    }

    /// The authority's certificates in PEM, the root last.
    pub(crate) fn chain_pem(&self) -> String {
        self.issuer.pem() + &self.root.pem()
    }

    /// The trusted root.
    pub(crate) fn trusted_root(&self) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.logs[0].trusted(), self.logs[1].trusted(), self.tiles.trusted()],
            "certificateAuthorities": [trusted_authority(&[&self.issuer, &self.root])],
            "ctlogs": [self.certificate_logs[0].trusted(), self.certificate_logs[1].trusted()],
            "timestampAuthorities": [self.authorities[0].trusted(), self.authorities[1].trusted()],
        })
    }
}

/// How a trusted root names an authority of certificates, its chain beginning with the one that issues.
pub(crate) fn trusted_authority(chain: &[&Certified]) -> Value {
    let chain: Vec<_> = chain.iter().map(|one| json!({"rawBytes": STANDARD.encode(&one.der)})).collect();
    json!({
        "subject": {"organization": "forge.example", "commonName": "root"},
        "uri": "https://ca.forge.example",
        "certChain": {"certificates": chain},
        "validFor": {"start": date(TIME - YEAR)},
    })
}

/// Seconds since 1970 as a trusted root writes them.
pub(crate) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    fill(&mut bytes).unwrap();
    bytes
}
