//! The command line.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use virtual_yubikey::Config;

use crate::slot::Slot;

/// The port of vpcd's first slot.
const DEFAULT_PORT: u16 = 0x8c7b;

/// What the program is to do.
pub(crate) enum Task {
    Serve { control: PathBuf, slots: Vec<Arc<Slot>> },
    Control { line: String },
    AttestationRoot,
}

pub(crate) fn parse(arguments: &[String]) -> Result<Task, String> {
    match arguments.split_first() {
        Some((verb, rest)) if verb == "control" && !rest.is_empty() => {
            Ok(Task::Control { line: rest.join(" ") })
        }
        Some((verb, [])) if verb == "attestation-root" => Ok(Task::AttestationRoot),
        Some((verb, rest)) if verb == "serve" => parse_serve(rest),
        _ => Err("expected `serve --control DIR CARD [CARD]`, `control COMMAND...` or `attestation-root`"
            .to_owned()),
    }
}

fn parse_serve(arguments: &[String]) -> Result<Task, String> {
    let (mut control, mut port, mut touch_timeout) = (None, DEFAULT_PORT, None);
    let mut cards = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--control" => control = Some(PathBuf::from(value()?)),
            "--port" => port = number(value()?, "--port")?,
            "--touch-timeout" => {
                touch_timeout = Some(Duration::from_millis(number(value()?, "--touch-timeout")?))
            }
            card => cards.push(parse_card(card)?),
        }
    }
    if cards.is_empty() || cards.len() > 2 {
        return Err(format!("vpcd has two slots, and {} cards were given", cards.len()));
    }
    let slots = cards.into_iter().zip(port..).map(|(mut config, port)| {
        config.touch_timeout = touch_timeout.unwrap_or(config.touch_timeout);
        Arc::new(Slot::new(config, port))
    });
    let control = control.ok_or("--control DIR is missing")?;
    Ok(Task::Serve { control, slots: slots.collect() })
}

fn number<T: std::str::FromStr>(text: &str, name: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} takes a number, found {text}"))
}

fn parse_card(text: &str) -> Result<Config, String> {
    if text == "plain" {
        return Ok(Config::plain_piv());
    }
    let parsed = text.split_once(':').and_then(|(firmware, serial)| {
        let mut parts = firmware.split('.').map(str::parse::<u8>);
        let mut part = || parts.next()?.ok();
        let firmware = (part()?, part()?, part()?);
        parts.next().is_none().then_some(())?;
        Some(Config::new(firmware, serial.parse().ok()?))
    });
    parsed.ok_or_else(|| format!("a card is FIRMWARE:SERIAL (5.4.3:5000001) or plain, found {text}"))
}
