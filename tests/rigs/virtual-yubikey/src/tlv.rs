//! BER-TLV as PIV uses it (ISO 7816-4 5.2.2): tags of one or two bytes, lengths of up to three.

use crate::status::Status;

/// One element: the tag as a number, `0x7f49` for two bytes.
pub(crate) type Element<'a> = (u16, &'a [u8]);

/// Takes the first element; what follows it is the rest.
pub(crate) fn split_first(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&first, mut rest) = input.split_first()?;
    let mut tag = u16::from(first);
    if first & 0x1f == 0x1f {
        let (&second, after) = rest.split_first()?;
        tag = tag << 8 | u16::from(second);
        rest = after;
    }
    let (&length, mut rest) = rest.split_first()?;
    let mut size = usize::from(length);
    if length >= 0x80 {
        let count = usize::from(length & 0x7f);
        if !(1..=2).contains(&count) || rest.len() < count {
            return None;
        }
        let (digits, after) = rest.split_at(count);
        size = digits.iter().fold(0, |size, digit| size << 8 | usize::from(*digit));
        rest = after;
    }
    (rest.len() >= size).then(|| {
        let (value, rest) = rest.split_at(size);
        ((tag, value), rest)
    })
}

/// All elements, which must fill the input.
pub(crate) fn parse_all(mut input: &[u8]) -> Result<Vec<Element<'_>>, Status> {
    let mut elements = Vec::new();
    while !input.is_empty() {
        let (element, rest) = split_first(input).ok_or(Status::INCORRECT_DATA)?;
        elements.push(element);
        input = rest;
    }
    Ok(elements)
}

/// The value of the first element with this tag.
pub(crate) fn find<'a>(elements: &[Element<'a>], tag: u16) -> Option<&'a [u8]> {
    elements.iter().find(|element| element.0 == tag).map(|element| element.1)
}

/// Appends an element.
pub(crate) fn push(output: &mut Vec<u8>, tag: u16, value: &[u8]) {
    if tag > 0xff {
        output.push((tag >> 8) as u8);
    }
    output.push(tag as u8);
    match value.len() {
        size @ 0..=0x7f => output.push(size as u8),
        size @ 0x80..=0xff => output.extend([0x81, size as u8]),
        size => output.extend([0x82, (size >> 8) as u8, size as u8]),
    }
    output.extend_from_slice(value);
}

/// One element by itself.
pub(crate) fn element(tag: u16, value: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(value.len() + 5);
    push(&mut output, tag, value);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote_at_each_form_of_length() {
        for size in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let value = vec![7; size];
            let bytes = element(0x7f49, &value);
            assert_eq!(parse_all(&bytes), Ok(vec![(0x7f49, value.as_slice())]));
            assert!(parse_all(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn refuses_lengths_that_reach_past_the_end() {
        for bytes in [&[0x53][..], &[0x53, 1], &[0x53, 0x80], &[0x53, 0x83, 0, 0, 0], &[0x53, 0x82, 0]] {
            assert_eq!(split_first(bytes), None);
        }
    }
}
