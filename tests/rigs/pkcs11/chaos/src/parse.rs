//! Reads the control file: one rule a line, words parted by blanks, `#` at the start of a line for comments.
//!
//! A line that does not parse is an error, never skipped: a rule with a slip in it must not look like a
//! client that copes.

use cryptoki_sys::CKR_DEVICE_REMOVED;

use crate::rules::{
    AlwaysAuthenticate, Fault, FaultRule, HidePublic, Keyed, NoId, PointForm, Removal, Rules, SlotFault,
    Trigger,
};
use crate::table;

/// Reads the file that `CHAOS_FILE` names; no variable or no file is no rule.
pub(crate) fn load_rules() -> Result<Rules, String> {
    let Some(path) = std::env::var_os("CHAOS_FILE") else { return Ok(Rules::default()) };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse_rules(&text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Rules::default()),
        Err(e) => Err(e.to_string()),
    }
}

/// Parses the text of a control file.
pub(crate) fn parse_rules(text: &str) -> Result<Rules, String> {
    let mut rules = Rules::default();
    let mut seen: Vec<String> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = (line.to_owned(), seen.iter().filter(|earlier| *earlier == line).count());
        seen.push(line.to_owned());
        parse_line(line, key, &mut rules).map_err(|why| format!("line {}: {why}: {line}", index + 1))?;
    }
    Ok(rules)
}

fn parse_line(line: &str, key: (String, usize), rules: &mut Rules) -> Result<(), String> {
    // A label may hold blanks: it is the rest of the line.
    if let Some(label) = line.strip_prefix("labels same=") {
        rules.label = Some(label.to_owned());
        return Ok(());
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["load", rest @ ..] => rules.faults.push(Keyed { key, rule: fault("C_GetFunctionList", rest)? }),
        ["token", "removed", rest @ ..] => rules.removals.push(Keyed { key, rule: removal(rest)? }),
        ["sessions", "lost", rest @ ..] => rules.losses.push(Keyed { key, rule: trigger(rest, "C_Sign")? }),
        ["sessions", max] => rules.max_sessions = Some(number(value(max, "max")?)? as usize),
        ["point", form] => rules.point = Some(point(form)?),
        ["no-id"] => rules.no_id = Some(NoId::Empty),
        ["no-id", "invalid"] => rules.no_id = Some(NoId::Invalid),
        ["always-authenticate"] => rules.always_authenticate = Some(AlwaysAuthenticate::Ends),
        ["always-authenticate", "keep"] => rules.always_authenticate = Some(AlwaysAuthenticate::Keeps),
        ["hide", "mechanism", code] => rules.hidden_mechanisms.push(number(code)?),
        ["hide", "public"] => rules.hide_public = Some(HidePublic::UntilLogin),
        ["hide", "public", "always"] => rules.hide_public = Some(HidePublic::Always),
        ["hide", "private-info"] => rules.hide_private_info = true,
        ["cannot-sign"] => rules.cannot_sign = true,
        ["flags", options @ ..] if !options.is_empty() => {
            for option in options {
                match option.split_once('=') {
                    Some(("set", flags)) => rules.flags_set |= number(flags)?,
                    Some(("clear", flags)) => rules.flags_clear |= number(flags)?,
                    _ => return Err(format!("unknown option {option}")),
                }
            }
        }
        ["token-info", "utctime=garbage"] => rules.garbage_time = true,
        ["token-info", "label=NUL"] => rules.nul_label = true,
        ["token-info", rest @ ..] => rules.token_info_fails = Some(slot_fault(rest)?),
        ["slot-info", rest @ ..] => rules.slot_info_fails = Some(slot_fault(rest)?),
        [function, rest @ ..] if function.starts_with("C_") => {
            rules.faults.push(Keyed { key, rule: fault(function, rest)? });
        }
        _ => return Err("unknown rule".to_owned()),
    }
    Ok(())
}

fn fault(function: &str, words: &[&str]) -> Result<FaultRule, String> {
    if !table::NAMES.contains(&function) {
        return Err(format!("unknown function {function}"));
    }
    let [what, options @ ..] = words else { return Err("no fault named".to_owned()) };
    let fault = match *what {
        "hang" => Fault::Hang,
        "crash" => Fault::Crash,
        "corrupt" | "short" if !["C_Sign", "C_SignFinal"].contains(&function) => {
            return Err(format!("{what} is for C_Sign and C_SignFinal"));
        }
        "corrupt" => Fault::Corrupt,
        "short" => Fault::Short,
        other => match other.strip_prefix("sleep=") {
            Some(milliseconds) => Fault::Sleep { milliseconds: number(milliseconds)? },
            None => Fault::Return(number(other)?),
        },
    };
    let mut rule = FaultRule { function: function.to_owned(), fault, after: 0, times: u64::MAX, user: None };
    for option in options {
        match option.split_once('=') {
            Some(("after", n)) => rule.after = number(n)?,
            Some(("times", n)) => rule.times = number(n)?,
            Some(("user", n)) if function == "C_Login" => rule.user = Some(number(n)?),
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok(rule)
}

fn removal(words: &[&str]) -> Result<Removal, String> {
    let split = words.iter().position(|word| *word == "back");
    let (out, back) = match split {
        Some(at) => (&words[..at], Some(&words[at + 1..])),
        None => (words, None),
    };
    let mut code = CKR_DEVICE_REMOVED;
    let mut rest = Vec::new();
    for word in out {
        match word.strip_prefix("code=") {
            Some(n) => code = number(n)?,
            None => rest.push(*word),
        }
    }
    let back = match back {
        Some([]) => return Err("back needs after=N".to_owned()),
        Some(words) => Some(trigger(words, "C_GetSlotList")?),
        None => None,
    };
    Ok(Removal { out: trigger(&rest, "C_Sign")?, back, code })
}

fn trigger(words: &[&str], of: &str) -> Result<Trigger, String> {
    let mut trigger = Trigger { after: 0, of: of.to_owned() };
    for option in words {
        match option.split_once('=') {
            Some(("after", n)) => trigger.after = number(n)?,
            Some(("of", name)) if table::NAMES.contains(&name) => trigger.of = name.to_owned(),
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok(trigger)
}

fn point(form: &str) -> Result<PointForm, String> {
    Ok(match form {
        "raw" => PointForm::Raw,
        "octet" => PointForm::Octet,
        "bit" => PointForm::Bit,
        "compressed" => PointForm::Compressed,
        "compressed-raw" => PointForm::CompressedRaw,
        "off-curve" => PointForm::OffCurve,
        "garbage" => PointForm::Garbage,
        _ => return Err(format!("unknown point form {form}")),
    })
}

fn slot_fault(words: &[&str]) -> Result<SlotFault, String> {
    match words {
        [fails] => Ok(SlotFault { code: number(value(fails, "fails")?)?, first: 1 }),
        [fails, first] => Ok(SlotFault {
            code: number(value(fails, "fails")?)?,
            first: number(value(first, "first")?)? as usize,
        }),
        _ => Err("expected fails=CKR [first=N]".to_owned()),
    }
}

fn value<'a>(word: &'a str, name: &str) -> Result<&'a str, String> {
    match word.split_once('=') {
        Some((found, value)) if found == name => Ok(value),
        _ => Err(format!("expected {name}=")),
    }
}

/// Hexadecimal with 0x, else decimal.
fn number(text: &str) -> Result<u64, String> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| format!("not a number: {text}"))
}

#[cfg(test)]
mod tests;
