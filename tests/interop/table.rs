//! Reads `matrix.tsv`, and holds that it leaves no cell undecided.

use std::collections::BTreeSet;

use countersign_core::{Algorithm, HashAlgorithm, KeyType, Scheme};

const TABLE: &str = include_str!("matrix.tsv");
const HEADER: &str = "algorithm\tformat\tdirection\tflags\texpected\tsays\twhy";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tool {
    Ours,
    Cosign,
    OpenSsl,
    /// The key is on a token and named by its URI.
    OursToken,
    CosignToken,
}

impl Tool {
    /// Whether the key is on a token; else it is a file.
    pub(super) fn is_on_token(self) -> bool {
        matches!(self, Self::OursToken | Self::CosignToken)
    }

    /// What the tool signs with unless told otherwise.
    pub(super) fn default_algorithm(self, key: KeyType) -> Algorithm {
        match self {
            Self::CosignToken => with_sha256(key).unwrap_or_else(|| key.default_algorithm()),
            Self::Ours | Self::Cosign | Self::OpenSsl | Self::OursToken => key.default_algorithm(),
        }
    }
}

/// SHA-256 under one of the longer curves: what Cosign's token keys sign with, and all that they verify.
pub(super) fn with_sha256(key: KeyType) -> Option<Algorithm> {
    let mut algorithms = key.algorithms();
    let is_longer_curve = matches!(key, KeyType::P384 | KeyType::P521);
    algorithms.find(|algorithm| is_longer_curve && algorithm.hash() == Some(HashAlgorithm::Sha256))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Bundle,
    LegacyBundle,
    LegacySignature,
    RawSignature,
}

/// What the verifier is told beyond key and signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flags {
    None,
    Digest,
    Algorithm,
}

/// What became of a cell, or what should; the text is what the refusing tool says.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Verifies,
    Refused(String),
    NotMade(String),
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) line: usize,
    pub(super) algorithm: Algorithm,
    pub(super) format: Format,
    pub(super) signer: Tool,
    pub(super) verifier: Tool,
    pub(super) flags: Flags,
    pub(super) expected: Outcome,
}

impl Format {
    const ALL: [Self; 4] = [Self::Bundle, Self::LegacyBundle, Self::LegacySignature, Self::RawSignature];

    /// Nothing but the signature, which is all that OpenSSL knows.
    fn is_bare(self) -> bool {
        matches!(self, Self::LegacySignature | Self::RawSignature)
    }
}

pub(super) fn cells() -> Vec<Cell> {
    let mut lines = TABLE.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    assert_eq!(lines.next().map(|(_, line)| line), Some(HEADER), "the columns of matrix.tsv");
    lines.map(|(at, line)| parse(at + 1, line)).collect()
}

fn parse(line: usize, text: &str) -> Cell {
    let wrong = |what: &str| -> ! { panic!("matrix.tsv:{line}: \"{what}\" is nothing that the table knows") };
    let columns: Vec<&str> = text.split('\t').collect();
    let [algorithm, format, direction, flags, expected, says, why] = columns[..] else { wrong(text) };
    let tool = |name: &str| match name {
        "ours" => Tool::Ours,
        "cosign" => Tool::Cosign,
        "openssl" => Tool::OpenSsl,
        "ours-token" => Tool::OursToken,
        "cosign-token" => Tool::CosignToken,
        _ => wrong(name),
    };
    let Some((signer, verifier)) = direction.split_once("->") else { wrong(direction) };
    let verifies = expected == "verifies";
    assert_eq!(says == "-", verifies, "matrix.tsv:{line}: a refusal says something, a success does not");
    assert!(verifies || why != "-", "matrix.tsv:{line}: a refusal has a reason");
    Cell {
        line,
        algorithm: Algorithm::parse(algorithm).unwrap_or_else(|_| wrong(algorithm)),
        format: match format {
            "bundle" => Format::Bundle,
            "legacy-bundle" => Format::LegacyBundle,
            "legacy-signature" => Format::LegacySignature,
            "raw-signature" => Format::RawSignature,
            _ => wrong(format),
        },
        signer: tool(signer),
        verifier: tool(verifier),
        flags: match flags {
            "-" => Flags::None,
            "digest" => Flags::Digest,
            "algorithm" => Flags::Algorithm,
            _ => wrong(flags),
        },
        expected: match expected {
            "verifies" => Outcome::Verifies,
            "refused" => Outcome::Refused(says.to_owned()),
            "not-made" => Outcome::NotMade(says.to_owned()),
            _ => wrong(expected),
        },
    }
}

#[test]
fn the_table_has_every_cell_once() {
    let mut seen = BTreeSet::new();
    for cell in cells() {
        let key = (cell.algorithm.name(), cell.format, cell.signer, cell.verifier, cell.flags);
        assert!(seen.insert(key), "matrix.tsv:{}: the cell is there twice", cell.line);
    }
    let demand_with = |algorithm: Algorithm, signer: Tool, verifier: Tool, flags: Flags| {
        for format in Format::ALL.into_iter().filter(|format| signer != Tool::OpenSsl || format.is_bare()) {
            let key = (algorithm.name(), format, signer, verifier, flags);
            assert!(seen.contains(&key), "matrix.tsv has no cell {key:?}");
        }
    };
    let demand = |algorithm, signer, verifier| demand_with(algorithm, signer, verifier, Flags::None);
    let chosen = |algorithm: &Algorithm| matches!(algorithm.scheme(), Scheme::RsaPss | Scheme::Ed25519ph);
    for algorithm in
        KeyType::ALL.map(KeyType::default_algorithm).into_iter().chain(Algorithm::all().filter(chosen))
    {
        demand(algorithm, Tool::Ours, Tool::Ours);
        demand(algorithm, Tool::Ours, Tool::Cosign);
        demand(algorithm, Tool::Ours, Tool::OpenSsl);
        demand(algorithm, Tool::Cosign, Tool::Ours);
        demand(algorithm, Tool::OpenSsl, Tool::Ours);
        for verifier in [Tool::Cosign, Tool::CosignToken, Tool::OpenSsl] {
            demand(algorithm, Tool::OursToken, verifier);
        }
        if chosen(&algorithm) {
            demand(algorithm, Tool::CosignToken, Tool::Ours);
        }
    }
    for key in KeyType::ALL {
        // What Cosign makes of its own signatures tells whose fault a refusal is.
        demand(key.default_algorithm(), Tool::Cosign, Tool::Cosign);
        // Every hash that OpenSSL can put under a key is in the table, the unusual ones too.
        for algorithm in key.algorithms() {
            let cell = |flags| (algorithm.name(), Format::RawSignature, Tool::OpenSsl, Tool::Ours, flags);
            assert!(seen.contains(&cell(Flags::None)), "matrix.tsv has no cell {:?}", cell(Flags::None));
        }
        for verifier in [Tool::Ours, Tool::OursToken, Tool::Cosign] {
            demand(Tool::CosignToken.default_algorithm(key), Tool::CosignToken, verifier);
        }
        let Some(sha256) = with_sha256(key) else { continue };
        for verifier in [Tool::Cosign, Tool::CosignToken, Tool::OpenSsl] {
            demand(sha256, Tool::OursToken, verifier);
        }
        // The hash of the curve: whether telling Cosign helps, to verify and to sign.
        for verifier in [Tool::Cosign, Tool::CosignToken] {
            demand_with(key.default_algorithm(), Tool::OursToken, verifier, Flags::Digest);
        }
        demand_with(key.default_algorithm(), Tool::CosignToken, Tool::Ours, Flags::Algorithm);
    }
}
