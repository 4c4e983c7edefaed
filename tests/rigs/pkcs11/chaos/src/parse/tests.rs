//! Tests of the rule parser: each form of the grammar, and refusals.

use super::*;

fn only_fault(text: &str) -> FaultRule {
    let mut rules = parse_rules(text).unwrap();
    assert_eq!(rules.faults.len(), 1);
    rules.faults.remove(0).rule
}

#[test]
fn reads_a_return_value_with_its_window() {
    let rule = only_fault("C_Sign 0x30 after=2 times=3");
    assert_eq!((rule.function.as_str(), rule.fault), ("C_Sign", Fault::Return(0x30)));
    assert_eq!((rule.after, rule.times, rule.user), (2, 3, None));
    assert_eq!(only_fault("C_Login 160 user=2").user, Some(2));
}

#[test]
fn reads_each_kind_of_fault() {
    assert_eq!(only_fault("C_Sign hang").fault, Fault::Hang);
    assert_eq!(only_fault("C_Initialize crash").fault, Fault::Crash);
    assert_eq!(only_fault("C_SignFinal corrupt").fault, Fault::Corrupt);
    assert_eq!(only_fault("C_Sign short").fault, Fault::Short);
    assert_eq!(only_fault("C_Login sleep=250").fault, Fault::Sleep { milliseconds: 250 });
    assert_eq!(only_fault("load crash").function, "C_GetFunctionList");
}

#[test]
fn skips_comments_and_blank_lines_and_counts_equal_lines() {
    let rules = parse_rules("# one\n\n  C_Sign 0x5 times=1\nC_Sign 0x5 times=1\n").unwrap();
    let keys: Vec<usize> = rules.faults.iter().map(|f| f.key.1).collect();
    assert_eq!(keys, [0, 1]);
    assert!(rules.has(&("C_Sign 0x5 times=1".to_owned(), 1)));
    assert!(!rules.has(&("C_Sign 0x5".to_owned(), 0)));
}

#[test]
fn reads_removal_and_return_of_the_token() {
    let rules = parse_rules("token removed after=3 of=C_SignInit code=0xe0 back after=2").unwrap();
    let removal = &rules.removals[0].rule;
    assert_eq!(removal.out, Trigger { after: 3, of: "C_SignInit".to_owned() });
    assert_eq!(removal.back, Some(Trigger { after: 2, of: "C_GetSlotList".to_owned() }));
    assert_eq!(removal.code, 0xe0);
    let plain = parse_rules("token removed").unwrap();
    assert_eq!(plain.removals[0].rule.out, Trigger { after: 0, of: "C_Sign".to_owned() });
    assert_eq!((plain.removals[0].rule.code, &plain.removals[0].rule.back), (0x32, &None));
}

#[test]
fn reads_the_standing_rules() {
    let text = "point bit\nlabels same=two words\nno-id invalid\nalways-authenticate\nsessions max=2\n\
        sessions lost after=1\nhide mechanism 0x1041\nhide mechanism 0x1\nflags set=0x100 clear=0x8\n\
        hide public always\nhide private-info\ncannot-sign\ntoken-info utctime=garbage\n\
        token-info label=NUL\ntoken-info fails=0xe1 first=2\nslot-info fails=0x5";
    let rules = parse_rules(text).unwrap();
    assert_eq!(rules.point, Some(PointForm::Bit));
    assert_eq!(rules.label.as_deref(), Some("two words"));
    assert_eq!(rules.no_id, Some(NoId::Invalid));
    assert_eq!(rules.always_authenticate, Some(AlwaysAuthenticate::Ends));
    assert_eq!(rules.max_sessions, Some(2));
    assert_eq!(rules.losses[0].rule.after, 1);
    assert_eq!(rules.hidden_mechanisms, [0x1041, 1]);
    assert_eq!((rules.flags_set, rules.flags_clear), (0x100, 8));
    assert_eq!(rules.hide_public, Some(HidePublic::Always));
    assert!(rules.hide_private_info && rules.cannot_sign && rules.garbage_time && rules.nul_label);
    assert_eq!(rules.token_info_fails, Some(SlotFault { code: 0xe1, first: 2 }));
    assert_eq!(rules.slot_info_fails, Some(SlotFault { code: 5, first: 1 }));
    assert!(rules.change_attributes());
    assert_eq!(parse_rules("").unwrap(), Rules::default());
}

#[test]
fn refuses_what_it_does_not_know() {
    for bad in [
        "C_Sing 0x30",
        "C_Sign",
        "C_Sign 0xzz",
        "C_Sign 0x30 afer=1",
        "C_Sign 0x30 user=1",
        "C_Login corrupt",
        "point",
        "point square",
        "token removed back",
        "token removed of=C_Nothing",
        "sessions max",
        "hide",
        "flags",
        "flags toggle=1",
        "no-id twice",
        "token-info",
        "anything else",
    ] {
        let why = parse_rules(&format!("# first\n{bad}")).expect_err(bad);
        assert!(why.starts_with("line 2: "), "{why}");
    }
}
