//! The host's side: commands, and openssl as the judge of what comes back.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use aes::cipher::{BlockEncrypt as _, KeyInit as _, generic_array::GenericArray};
use virtual_yubikey::{Card, Config, DEFAULT_MANAGEMENT_KEY, DEFAULT_PIN};

pub(crate) const OLD: (u8, u8, u8) = (4, 3, 5);
pub(crate) const MIDDLE: (u8, u8, u8) = (5, 4, 3);
pub(crate) const NEW: (u8, u8, u8) = (5, 7, 1);
pub(crate) const PIV: &[u8] = &[0xa0, 0, 0, 3, 8];

/// A card of that firmware with PIV selected.
pub(crate) fn card(firmware: (u8, u8, u8)) -> Card {
    selected(Card::new(Config::new(firmware, 5_000_001)))
}

pub(crate) fn selected(mut card: Card) -> Card {
    assert_eq!(send(&mut card, [0, 0xa4, 4, 0], PIV).1, 0x9000);
    card
}

/// An extended APDU; the data and the status word.
pub(crate) fn send(card: &mut Card, header: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
    let mut apdu = header.to_vec();
    apdu.push(0);
    if !data.is_empty() {
        apdu.extend((data.len() as u16).to_be_bytes());
        apdu.extend(data);
    }
    apdu.extend([0, 0]);
    split(card.transmit(&apdu))
}

pub(crate) fn split(mut answer: Vec<u8>) -> (Vec<u8>, u16) {
    let word = answer.split_off(answer.len() - 2);
    (answer, u16::from_be_bytes([word[0], word[1]]))
}

pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match value.len() {
        size @ 0..=0x7f => element.push(size as u8),
        size @ 0x80..=0xff => element.extend([0x81, size as u8]),
        size => element.extend([0x82, (size >> 8) as u8, size as u8]),
    }
    element.extend(value);
    element
}

/// The value of an element whose tag has `tag_size` bytes.
pub(crate) fn value(element: &[u8], tag_size: usize) -> &[u8] {
    match element[tag_size] {
        0x82 => &element[tag_size + 3..],
        0x81 => &element[tag_size + 2..],
        _ => &element[tag_size + 1..],
    }
}

pub(crate) fn padded(pin: &str) -> Vec<u8> {
    let mut padded = pin.as_bytes().to_vec();
    padded.resize(8, 0xff);
    padded
}

pub(crate) fn verify(card: &mut Card, pin: &str) -> u16 {
    send(card, [0, 0x20, 0, 0x80], &padded(pin)).1
}

/// Shows that the host has the default management key, by the single protocol; the cipher is the firmware's default.
pub(crate) fn authenticate(card: &mut Card) {
    let is_aes = card.config().firmware >= (5, 7, 0);
    let cipher = if is_aes { 0x0a } else { 0x03 };
    let (answer, word) = send(card, [0, 0x87, cipher, 0x9b], &tlv(0x7c, &[0x81, 0]));
    assert_eq!(word, 0x9000);
    let mut block = value(value(&answer, 1), 1).to_vec();
    let key = &DEFAULT_MANAGEMENT_KEY;
    if is_aes {
        aes::Aes192::new_from_slice(key).unwrap().encrypt_block(GenericArray::from_mut_slice(&mut block));
    } else {
        des::TdesEde3::new_from_slice(key).unwrap().encrypt_block(GenericArray::from_mut_slice(&mut block));
    }
    assert_eq!(send(card, [0, 0x87, cipher, 0x9b], &tlv(0x7c, &tlv(0x82, &block))).1, 0x9000);
}

/// GENERATE with policies (0: default); the content of 7F49, or the status word.
pub(crate) fn generate(card: &mut Card, slot: u8, algorithm: u8, pin: u8, touch: u8) -> Result<Vec<u8>, u16> {
    let mut wanted = tlv(0x80, &[algorithm]);
    if pin != 0 {
        wanted.extend([0xaa, 1, pin]);
    }
    if touch != 0 {
        wanted.extend([0xab, 1, touch]);
    }
    match send(card, [0, 0x47, 0, slot], &tlv(0xac, &wanted)) {
        (answer, 0x9000) => Ok(value(&answer, 2).to_vec()),
        (_, word) => Err(word),
    }
}

/// GENERAL AUTHENTICATE with a challenge.
pub(crate) fn sign(card: &mut Card, slot: u8, algorithm: u8, challenge: &[u8]) -> Result<Vec<u8>, u16> {
    let mut wanted = vec![0x82, 0];
    wanted.extend(tlv(0x81, challenge));
    match send(card, [0, 0x87, algorithm, slot], &tlv(0x7c, &wanted)) {
        (answer, 0x9000) => Ok(value(value(&answer, 1), 1).to_vec()),
        (_, word) => Err(word),
    }
}

/// A P-256 key in 9a that needs PIN and touch as said.
pub(crate) fn with_key(card: &mut Card, slot: u8, pin: u8, touch: u8) {
    authenticate(card);
    generate(card, slot, 0x11, pin, touch).unwrap();
}

pub(crate) fn verified(card: &mut Card) {
    assert_eq!(verify(card, DEFAULT_PIN), 0x9000);
}

/// A directory of this test's own, gone at its end.
pub(crate) struct Directory(std::path::PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("virtual-yubikey-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) {
        std::fs::write(self.0.join(name), content).unwrap();
    }

    /// Runs openssl here; its output.
    pub(crate) fn openssl(&self, arguments: &str) -> String {
        openssl_in(&self.0, arguments)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn openssl_in(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
