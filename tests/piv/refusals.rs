//! What must be refused, and what it must not cost: PIN tries, keys, half-written files. E.2 numbers 29, 31 and 35 for cards are
//! in the backend's own tests, which count what the card was sent.

use super::world::World;
use crate::support::cards::{control, in_rig};

const SIGN: [&str; 7] =
    ["sign-blob", "--tlog-upload=false", "--key", "piv:", "--bundle", "refused.json", "blob"];

#[test]
fn three_runs_with_a_wrong_pin_use_two_tries() {
    if !in_rig("piv::refusals::three_runs_with_a_wrong_pin_use_two_tries", &["--firmware", "5.4.3"]) {
        return;
    }
    let world = World::new();
    world.ok(&["piv-tool", "generate-key", "-f", "--touch-policy", "never"], None);
    let before = world.pins_sent();
    world.refuse(&SIGN, Some("918273"), &["the PIN is wrong", "2 tries are left"]);
    world.refuse(&SIGN, Some("918273"), &["the PIN is wrong", "one try is left"]);
    assert_eq!(world.pins_sent() - before, 2);
    world.refuse(&SIGN, Some("918273"), &["--allow-final-pin-try"]);
    assert_eq!(world.pins_sent() - before, 2, "the last try was used unasked");
    let last = [&SIGN[..], &["--allow-final-pin-try"]].concat();
    world.refuse(&last, Some("918273"), &["locked now"]);
    assert_eq!(world.pins_sent() - before, 3);
    world.refuse(&last, Some("123456"), &["piv-tool unblock"]);
    world.refuse(
        &["piv-tool", "unblock", "--puk", "00000000", "--new-PIN", "654321"],
        None,
        &["PUK is wrong"],
    );
    world.ok(&["piv-tool", "unblock", "--new-PIN", "654321"], None);
    world.ok(&SIGN, Some("654321"));
}

#[test]
fn nothing_is_lost_without_a_yes() {
    if !in_rig("piv::refusals::nothing_is_lost_without_a_yes", &["--firmware", "5.7.1", "--serial", "4711"]) {
        return;
    }
    let world = World::new();
    let made = world.ok(&["piv-tool", "generate-key", "-f", "--touch-policy", "never"], None);
    world.refuse(&["piv-tool", "generate-key"], None, &["4711", "-f"]);
    world.refuse(&["piv-tool", "reset"], None, &["4711", "-f"]);
    assert_eq!(world.ok(&["public-key", "--key", "piv:"], None).stdout, made.stdout);
    world.refuse(&["piv-tool", "set-pin"], None, &["no terminal"]);
    world.refuse(&["piv-tool", "set-management-key"], None, &["no new management key"]);
    world.refuse(&["piv-tool", "set-management-key", "--new-key", "00"], None, &["bytes"]);
    world.refuse(&["piv-tool", "set-pin", "--new-pin", "12"], None, &["6 to 8"]);
    world.refuse(
        &[
            "piv-tool",
            "generate-key",
            "-f",
            "--management-key",
            "aabbccddeeff00112233445566778899aabbccddeeff0011",
        ],
        None,
        &["management key"],
    );
    world.refuse(
        &["piv-tool", "generate-key", "-f", "--signing-algorithm", "ecdsa-sha2-512-nistp521"],
        None,
        &["P-521"],
    );
    world.ok(&["piv-tool", "reset", "-f"], None);
    world.refuse(&["public-key", "--key", "piv:"], None, &["empty"]);
}

#[test]
fn the_management_key_is_random_and_kept_on_the_card() {
    if !in_rig("piv::refusals::the_management_key_is_random_and_kept_on_the_card", &["--firmware", "5.7.1"]) {
        return;
    }
    let world = World::new();
    let random = ["piv-tool", "set-management-key", "--random-management-key"];
    world.ok(&[&random[..], &["--protect"]].concat(), Some("123456"));
    // The PIN alone opens the card for changes now.
    world.ok(&["piv-tool", "generate-key", "-f", "--touch-policy", "never"], Some("123456"));
    world.refuse(&["piv-tool", "generate-key", "-f", "--touch-policy", "never"], None, &["no terminal"]);
    let printed = world.ok(&random, Some("123456")).stdout;
    let printed = String::from_utf8(printed).unwrap();
    let again = world.ok(&[&random[..], &["--old-key", printed.trim()]].concat(), Some("123456")).stdout;
    assert_ne!(printed.as_bytes(), again);
    assert!(
        printed.trim().len() == 48 && printed.trim().bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{printed}"
    );
}

#[test]
fn one_card_of_two_must_be_named() {
    let cards = ["--firmware", "5.4.3,5.7.1", "--serial", "111,222"];
    if !in_rig("piv::refusals::one_card_of_two_must_be_named", &cards) {
        return;
    }
    let world = World::new();
    world.refuse(&SIGN, Some("123456"), &["111", "222", "serial="]);
    world.refuse(&["piv-tool", "generate-key", "-f"], None, &["111", "222"]);
    world.ok(&["piv-tool", "generate-key", "-f", "--serial", "222", "--touch-policy", "never"], None);
    let named = ["sign-blob", "--tlog-upload=false", "--key", "piv:serial=222", "--bundle", "b.json", "blob"];
    world.ok(&named, Some("123456"));
    world.refuse(&["public-key", "--key", "piv:serial=111"], None, &["empty"]);
    world.refuse(&["public-key", "--key", "piv:serial=333"], None, &["333", "111", "222"]);
}

#[test]
fn a_missing_touch_is_no_missing_pin() {
    if !in_rig("piv::refusals::a_missing_touch_is_no_missing_pin", &["--firmware", "5.4.3"]) {
        return;
    }
    let world = World::new();
    world.ok(&["piv-tool", "generate-key", "-f"], None);
    control("touch never");
    world.refuse(&SIGN, Some("123456"), &["touch"]);
    control("touch immediate");
    world.ok(&SIGN, Some("123456"));
    control("remove");
    world.refuse(&SIGN, Some("123456"), &["no card"]);
}

#[test]
fn a_machine_without_a_service_says_what_to_install() {
    if crate::support::cards::is_inside() {
        return;
    }
    let world = World::new();
    world.refuse(&SIGN, Some("123456"), &["PC/SC", "hint"]);
    world.refuse(&["keys", "list", "piv:"], None, &["PC/SC"]);
    for wrong in ["piv:slot=9f", "piv:slot=9c;slot=9a", "piv:colour=red", "piv:serial=x"] {
        world.refuse(&["public-key", "--key", wrong], None, &["cannot read the key URI"]);
    }
    world.refuse(&["public-key", "--sk", "--key", "piv:"], None, &["--key and --sk"]);
    world.refuse(&["public-key", "--slot", "9a"], None, &["--slot goes with --sk"]);
}
