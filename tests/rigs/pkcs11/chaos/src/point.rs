//! The forms in which tokens hand out CKA_EC_POINT.

use crate::rules::PointForm;

const OCTET_STRING: u8 = 0x04;
const BIT_STRING: u8 = 0x03;

/// Lengths of a bare point on the curves in use: P-256, P-384, P-521 (whole and compressed), Ed25519, Ed448.
const POINT_LENGTHS: &[usize] = &[65, 97, 133, 33, 49, 67, 32, 57];

/// Turns a point, in whatever form the wrapped module gives it, into `form`.
pub(crate) fn recode(stored: &[u8], form: PointForm) -> Vec<u8> {
    let bare = unwrap(stored);
    match form {
        PointForm::Raw => bare.to_vec(),
        PointForm::Octet => wrap(OCTET_STRING, bare),
        PointForm::Bit => wrap(BIT_STRING, &[&[0], bare].concat()),
        PointForm::Compressed => wrap(OCTET_STRING, &compress(bare)),
        PointForm::CompressedRaw => compress(bare),
        PointForm::OffCurve => {
            let mut wrong = bare.to_vec();
            if let Some(last) = wrong.last_mut() {
                *last ^= 1;
            }
            wrap(OCTET_STRING, &wrong)
        }
        // Neither a point nor DER, and as long as the true value.
        PointForm::Garbage => [0xde, 0xad, 0xbe, 0xef].into_iter().cycle().take(stored.len()).collect(),
    }
}

/// Takes off a DER wrapping. A bare point begins with 04 as an OCTET STRING does, so the length inside must
/// be that of a point.
fn unwrap(stored: &[u8]) -> &[u8] {
    let (tag, content) = match stored {
        [tag, 0x81, length, content @ ..] if content.len() == usize::from(*length) => (*tag, content),
        [tag, length, content @ ..] if *length < 0x80 && content.len() == usize::from(*length) => {
            (*tag, content)
        }
        _ => return stored,
    };
    let inside = match (tag, content) {
        (OCTET_STRING, inside) | (BIT_STRING, [0, inside @ ..]) => inside,
        _ => return stored,
    };
    if POINT_LENGTHS.contains(&inside.len()) { inside } else { stored }
}

/// DER with a length below 256: the longest point has 133 bytes.
fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u8;
    let header: &[u8] = if length < 0x80 { &[tag, length] } else { &[tag, 0x81, length] };
    [header, content].concat()
}

/// SEC 1 2.3.3; Edwards points have one form only and stay as they are.
fn compress(bare: &[u8]) -> Vec<u8> {
    match bare {
        [0x04, coordinates @ ..] if coordinates.len() % 2 == 0 => {
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            let odd = y.last().is_some_and(|last| last & 1 == 1);
            [&[if odd { 0x03 } else { 0x02 }], x].concat()
        }
        _ => bare.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(coordinate: usize, first: u8) -> Vec<u8> {
        let mut bare = vec![7; 1 + 2 * coordinate];
        bare[0] = 4;
        bare[1] = first;
        bare
    }

    #[test]
    fn turns_each_wrapping_into_each_other() {
        for coordinate in [32, 48, 66] {
            // 0x3f makes a bare P-256 point look like an OCTET STRING of 63 bytes.
            for first in [0x11, 0x3f] {
                let bare = point(coordinate, first);
                for form in [PointForm::Raw, PointForm::Octet, PointForm::Bit] {
                    assert_eq!(unwrap(&recode(&bare, form)), bare, "{form:?}");
                }
                let compressed = recode(&bare, PointForm::CompressedRaw);
                assert_eq!((compressed.len(), compressed[0]), (1 + coordinate, 3));
                assert_eq!(unwrap(&recode(&bare, PointForm::Compressed)), compressed);
            }
        }
        assert_eq!(recode(&point(32, 1), PointForm::Octet)[..3], [4, 65, 4]);
        assert_eq!(recode(&point(66, 1), PointForm::Bit)[..5], [3, 0x81, 134, 0, 4]);
    }
}
