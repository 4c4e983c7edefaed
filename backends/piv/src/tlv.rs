//! BER-TLV as PIV uses it (SP 800-73-4 Part 1 3, ISO/IEC 7816-4 5.2.2), read strictly: nothing after the end, no length
//! that reaches beyond it, no tag twice where one is asked for.

use zeroize::Zeroizing;

/// Appends one element: a tag of one to three bytes as a number, the length in its shortest form, the value.
pub(crate) fn push(to: &mut Vec<u8>, tag: u32, value: &[u8]) {
    let tag_bytes = tag.to_be_bytes();
    let first = tag_bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
    to.extend(&tag_bytes[first..]);
    match value.len() {
        length @ 0..=0x7f => to.push(length as u8),
        length @ 0x80..=0xff => to.extend([0x81, length as u8]),
        length => to.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    to.extend(value);
}

/// One element.
pub(crate) fn element(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len() + 8);
    push(&mut bytes, tag, value);
    bytes
}

/// Elements in one buffer that is wiped, with the room reserved so that no piece of a secret stays in a smaller one.
pub(crate) fn secret_elements(elements: &[(u32, &[u8])]) -> Zeroizing<Vec<u8>> {
    let room = elements.iter().map(|(_, value)| value.len() + 8).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    for (tag, value) in elements {
        push(&mut bytes, *tag, value);
    }
    bytes
}

/// The elements of `bytes`, in order. `None` when it is not a row of whole elements.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut elements = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        let (length, after) = length(after)?;
        let value = after.get(..length)?;
        elements.push((tag, value));
        rest = &after[length..];
    }
    Some(elements)
}

/// The value of the only element, which has this tag.
pub(crate) fn only(tag: u32, bytes: &[u8]) -> Option<&[u8]> {
    match read(bytes)?.as_slice() {
        [(found, value)] if *found == tag => Some(value),
        _ => None,
    }
}

/// The value of the element with this tag; `None` when there is none or more than one.
pub(crate) fn find<'a>(elements: &[(u32, &'a [u8])], tag: u32) -> Option<&'a [u8]> {
    let mut found = elements.iter().filter(|(other, _)| *other == tag);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// One byte, or two or three where the low five bits of the first are all ones (ISO/IEC 7816-4 5.2.2.1).
fn tag(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut tag = u32::from(*first);
    if first & 0x1f == 0x1f {
        for _ in 0..2 {
            let (next, after) = rest.split_first()?;
            tag = tag << 8 | u32::from(*next);
            rest = after;
            if next & 0x80 == 0 {
                return Some((tag, rest));
            }
        }
        return None;
    }
    Some((tag, rest))
}

/// Short, or one or two bytes after 81 or 82. The shortest form is not demanded: cards pad lengths.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [length @ 0..=0x7f, rest @ ..] => Some((usize::from(*length), rest)),
        [0x81, length, rest @ ..] => Some((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Some((usize::from(*high) << 8 | usize::from(*low), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_lengths_and_tags_of_each_form() {
        for size in [0, 1, 0x7f, 0x80, 0xff, 0x100, 3000] {
            let value = vec![7; size];
            for tag in [0x53, 0x7f49, 0x5fc105] {
                assert_eq!(only(tag, &element(tag, &value)).unwrap(), value, "{size} {tag:x}");
            }
        }
    }

    #[test]
    fn refuses_what_is_cut_or_goes_on() {
        let good = element(0x7f49, &element(0x86, &[4; 65]));
        for length in 1..good.len() {
            assert!(only(0x7f49, &good[..length]).is_none(), "{length}");
        }
        assert!(only(0x7f49, &[good.as_slice(), &[0]].concat()).is_none());
        assert!(read(&[0x53, 0x83, 0, 0, 0]).is_none() && read(&[0x1f, 0x81, 0x82, 0x03, 0]).is_none());
        assert!(find(&read(&[1, 0, 1, 0]).unwrap(), 1).is_none(), "a tag twice");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(elements) = read(&bytes) {
                prop_assert!(elements.iter().map(|(_, value)| value.len()).sum::<usize>() <= bytes.len());
            }
        }
    }
}
