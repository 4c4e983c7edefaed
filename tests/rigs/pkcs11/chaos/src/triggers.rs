//! Decides what hits a call: counts it for each rule, takes the token out or puts it back, picks the fault.

use cryptoki_sys::{CK_RV, CK_USER_TYPE};

use crate::rules::{Fault, Key, Rules, Trigger};
use crate::state::{Phase, State};

/// What to do to one call, in this order.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) sleep_milliseconds: u64,
    pub(crate) end: Option<End>,
    pub(crate) corrupt: bool,
    pub(crate) short: bool,
}

/// The call does not reach the wrapped module.
pub(crate) enum End {
    Return(CK_RV),
    Hang,
    Crash,
}

/// Counts one call of `function` and says what hits it.
pub(crate) fn judge(state: &mut State, rules: &Rules, function: &str, user: Option<CK_USER_TYPE>) -> Verdict {
    state.counters.retain(|key, _| rules.has(key));
    move_token(state, rules);
    for (key, trigger) in triggers(rules) {
        if trigger.of == function {
            state.counters.entry(key.clone()).or_default().seen += 1;
        }
    }
    for removal in &rules.removals {
        let counter = state.counters.entry(removal.key.clone()).or_default();
        let counts = removal.rule.back.as_ref().is_some_and(|back| back.of == function);
        if counter.phase == Phase::Fired && counts {
            counter.seen_back += 1;
        }
    }
    pick_fault(state, rules, function, user)
}

fn triggers(rules: &Rules) -> impl Iterator<Item = (&Key, &Trigger)> {
    let removals = rules.removals.iter().map(|removal| (&removal.key, &removal.rule.out));
    removals.chain(rules.losses.iter().map(|loss| (&loss.key, &loss.rule)))
}

/// Fires the rules whose calls are all through. This happens as a later call comes in, so the call that
/// completes the count still ends well.
fn move_token(state: &mut State, rules: &Rules) {
    let mut removed = None;
    for removal in &rules.removals {
        let counter = state.counters.entry(removal.key.clone()).or_default();
        let back = removal.rule.back.as_ref();
        match counter.phase {
            Phase::Armed if counter.seen >= removal.rule.out.after => counter.phase = Phase::Fired,
            Phase::Fired if back.is_some_and(|back| counter.seen_back >= back.after) => {
                counter.phase = Phase::Over;
            }
            _ => {}
        }
        if counter.phase == Phase::Fired {
            removed = Some(removal.rule.code);
        }
    }
    let mut kill = removed.is_some() && state.removed.is_none();
    state.removed = removed;
    for loss in &rules.losses {
        let counter = state.counters.entry(loss.key.clone()).or_default();
        if counter.phase == Phase::Armed && counter.seen >= loss.rule.after {
            counter.phase = Phase::Over;
            kill = true;
        }
    }
    if kill {
        state.kill_sessions();
    }
}

fn pick_fault(state: &mut State, rules: &Rules, function: &str, user: Option<CK_USER_TYPE>) -> Verdict {
    let mut verdict = Verdict::default();
    for fault in &rules.faults {
        let rule = &fault.rule;
        if rule.function != function || rule.user.is_some_and(|wanted| user != Some(wanted)) {
            continue;
        }
        let counter = state.counters.entry(fault.key.clone()).or_default();
        counter.seen += 1;
        if counter.seen <= rule.after || counter.seen - rule.after > rule.times {
            continue;
        }
        match rule.fault {
            Fault::Sleep { milliseconds } => verdict.sleep_milliseconds += milliseconds,
            Fault::Corrupt => verdict.corrupt = true,
            Fault::Short => verdict.short = true,
            // The first line of the file that ends the call wins.
            _ if verdict.end.is_some() => {}
            Fault::Return(code) => verdict.end = Some(End::Return(code)),
            Fault::Hang => verdict.end = Some(End::Hang),
            Fault::Crash => verdict.end = Some(End::Crash),
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse_rules;

    /// What a row of calls returns under `rules`, 0 for a call that goes through.
    fn returns(state: &mut State, rules: &str, function: &str, calls: usize) -> Vec<CK_RV> {
        let rules = parse_rules(rules).unwrap();
        let mut codes = Vec::new();
        for _ in 0..calls {
            codes.push(match judge(state, &rules, function, None).end {
                Some(End::Return(code)) => code,
                _ => state.removed.unwrap_or(0),
            });
        }
        codes
    }

    #[test]
    fn lets_calls_through_before_and_after_the_window() {
        let mut state = State::default();
        assert_eq!(returns(&mut state, "C_Sign 0x30 after=1 times=2", "C_Sign", 5), [0, 0x30, 0x30, 0, 0]);
    }

    #[test]
    fn chains_windows_of_one_function() {
        let mut state = State::default();
        let rules = "C_Sign 0x30 times=1\nC_Sign 0x31 after=1 times=1";
        assert_eq!(returns(&mut state, rules, "C_Sign", 3), [0x30, 0x31, 0]);
    }

    #[test]
    fn forgets_the_counters_of_a_line_that_went() {
        let mut state = State::default();
        assert_eq!(returns(&mut state, "C_Sign 5 times=1", "C_Sign", 2), [5, 0]);
        assert_eq!(returns(&mut state, "", "C_Sign", 1), [0]);
        assert_eq!(returns(&mut state, "C_Sign 5 times=1", "C_Sign", 2), [5, 0]);
    }

    #[test]
    fn removes_the_token_after_signatures_and_brings_it_back_after_scans() {
        let mut state = State::default();
        let rules = "token removed after=2 back after=2";
        assert_eq!(returns(&mut state, rules, "C_Sign", 3), [0, 0, 0x32]);
        assert_eq!(returns(&mut state, rules, "C_GetSlotList", 3), [0x32, 0x32, 0]);
        assert_eq!(returns(&mut state, rules, "C_Sign", 3), [0, 0, 0]);
    }

    #[test]
    fn hits_one_user_type_alone() {
        let mut state = State::default();
        let rules = parse_rules("C_Login 0xa4 user=2 times=1").unwrap();
        assert!(judge(&mut state, &rules, "C_Login", Some(1)).end.is_none());
        assert!(judge(&mut state, &rules, "C_Login", Some(2)).end.is_some());
        assert!(judge(&mut state, &rules, "C_Login", Some(2)).end.is_none());
    }
}
