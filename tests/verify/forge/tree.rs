//! A log's tree (RFC 6962 2.1), written down from its definition: the hash of a list of leaves, and the path of one of them.

use super::sha256;

/// The hash of one leaf.
pub(crate) fn leaf(body: &[u8]) -> [u8; 32] {
    sha256(&[&[0], body].concat())
}

/// The hash of a list of leaf hashes.
pub(crate) fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(middle(leaves.len()));
            sha256(&[&[1][..], &root(left), &root(right)].concat())
        }
    }
}

/// The hashes beside the way from a leaf to the root, the lowest first.
pub(crate) fn path(leaves: &[[u8; 32]], index: usize) -> Vec<[u8; 32]> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = middle(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut hashes, sibling) = if index < middle {
        (path(left, index), root(right))
    } else {
        (path(right, index - middle), root(left))
    };
    hashes.push(sibling);
    hashes
}

/// The largest power of two below the count.
fn middle(count: usize) -> usize {
    count.next_power_of_two() / 2
}
