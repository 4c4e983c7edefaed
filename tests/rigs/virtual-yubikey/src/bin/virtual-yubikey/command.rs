//! The commands of the control channel. The README has their grammar.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use virtual_yubikey::{Algorithm, Fault, FaultKind, PinPolicy, TouchBehaviour, TouchPolicy};

use crate::slot::Slot;

/// Runs a line; what it prints.
pub(crate) fn run(line: &str, slots: &[Arc<Slot>]) -> Result<String, String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let slot = match words.first().and_then(|word| word.strip_prefix('@')) {
        Some(name) => {
            words.remove(0);
            find(name, slots).ok_or(format!("there is no card {name}"))?
        }
        None => &slots[0],
    };
    let mut printed = String::new();
    match words.as_slice() {
        ["remove"] => slot.remove(),
        ["insert"] => slot.insert(),
        ["new"] => slot.replace(),
        ["touch", "immediate"] => slot.sensor().set(TouchBehaviour::Immediate),
        ["touch", "never"] => slot.sensor().set(TouchBehaviour::Never),
        ["touch", "after", delay] => slot.sensor().set(TouchBehaviour::After(milliseconds(delay)?)),
        ["fault", "clear"] => slot.card().clear_faults(),
        ["fault", kind, when @ ..] => slot.card().fault(fault(kind, when)?),
        ["log"] => {
            for apdu in slot.card().log() {
                let digits: String = apdu.iter().map(|byte| format!("{byte:02x}")).collect();
                printed.push_str(&digits);
                printed.push('\n');
            }
        }
        ["log", "clear"] => slot.card().clear_log(),
        ["count", instruction] => line_of(&mut printed, slot.card().count(hexadecimal(instruction)?)),
        ["pins"] => line_of(&mut printed, slot.card().pins_sent()),
        ["serial"] => line_of(&mut printed, slot.serial()),
        ["pin", pin] if pin.len() <= 8 => slot.card().preset_pin(pin),
        ["object", id, value] => slot.card().preset_object(identifier(id)?, &bytes(value)?),
        ["key", name, algorithm, options @ ..] => preset(slot, hexadecimal(name)?, algorithm, options)?,
        _ => return Err(format!("this is no command: {line}")),
    }
    Ok(printed)
}

/// By its place (1, 2), or by its serial number.
fn find<'a>(name: &str, slots: &'a [Arc<Slot>]) -> Option<&'a Arc<Slot>> {
    let number: u32 = name.parse().ok()?;
    let by_place = usize::try_from(number).ok()?.checked_sub(1).and_then(|place| slots.get(place));
    by_place.or_else(|| slots.iter().find(|slot| slot.serial() == number))
}

fn line_of(printed: &mut String, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(printed, "{value}");
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_millis).map_err(|_| format!("expected milliseconds, found {text}"))
}

fn hexadecimal(text: &str) -> Result<u8, String> {
    u8::from_str_radix(text, 16).map_err(|_| format!("expected a byte in hexadecimal, found {text}"))
}

fn identifier(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 16).map_err(|_| format!("expected an identifier in hexadecimal, found {text}"))
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let pair =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes
        .filter(|_| text.len().is_multiple_of(2))
        .ok_or(format!("expected bytes in hexadecimal, found {text}"))
}

fn fault(kind: &str, when: &[&str]) -> Result<Fault, String> {
    let no_number = |_| format!("{kind} has no number");
    let kind = match kind.split_once('=') {
        Some(("short", size)) => FaultKind::Short(size.parse().map_err(no_number)?),
        Some(("slow", delay)) => FaultKind::Slow(milliseconds(delay)?),
        Some(("status", word)) => FaultKind::Status(u16::from_str_radix(word, 16).map_err(no_number)?),
        None if kind == "garbage" => FaultKind::Garbage,
        None if kind == "garbage-data" => FaultKind::GarbageData,
        None if kind == "extra-status" => FaultKind::ExtraStatus,
        None if kind == "removed" => FaultKind::Removed,
        _ => return Err(format!("there is no fault {kind}")),
    };
    when.iter().try_fold(Fault::new(kind), |fault, word| {
        let unknown = || format!("expected on=INS, after=N, times=N or times=all, found {word}");
        match word.split_once('=').ok_or_else(unknown)? {
            ("on", instruction) => Ok(fault.on(hexadecimal(instruction)?)),
            ("after", count) => Ok(fault.after(count.parse().map_err(|_| unknown())?)),
            ("times", "all") => Ok(fault.times(u32::MAX)),
            ("times", count) => Ok(fault.times(count.parse().map_err(|_| unknown())?)),
            _ => Err(unknown()),
        }
    })
}

fn preset(slot: &Slot, name: u8, algorithm: &str, options: &[&str]) -> Result<(), String> {
    if !matches!(name, 0x9a | 0x9c..=0x9e | 0x82..=0x95) {
        return Err(format!("there is no slot {name:02x} for keys"));
    }
    let algorithm = match algorithm {
        "p256" => Algorithm::P256,
        "p384" => Algorithm::P384,
        "ed25519" => Algorithm::Ed25519,
        "rsa1024" => Algorithm::Rsa1024,
        "rsa2048" => Algorithm::Rsa2048,
        "rsa3072" => Algorithm::Rsa3072,
        "rsa4096" => Algorithm::Rsa4096,
        _ => return Err(format!("there is no algorithm {algorithm}")),
    };
    let (mut pin, mut touch, mut certificate) = (None, TouchPolicy::Never, false);
    for option in options {
        match *option {
            "pin=never" => pin = Some(PinPolicy::Never),
            "pin=once" => pin = Some(PinPolicy::Once),
            "pin=always" => pin = Some(PinPolicy::Always),
            "touch=never" => touch = TouchPolicy::Never,
            "touch=always" => touch = TouchPolicy::Always,
            "touch=cached" => touch = TouchPolicy::Cached,
            "certificate" => certificate = true,
            _ => return Err(format!("expected pin=, touch= or certificate, found {option}")),
        }
    }
    let mut card = slot.card();
    match pin {
        Some(pin) => card.preset_key_with(name, algorithm, pin, touch, certificate),
        None => card.preset_key_with(name, algorithm, PinPolicy::default_of(name), touch, certificate),
    };
    Ok(())
}
