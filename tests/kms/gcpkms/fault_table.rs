//! Google's part of `docs/faults.md`.

use std::time::Duration;

use super::super::fault_page::{Row, check, many, row, write};
use super::at;
use super::faults::{LIST, READ, SIGN, number, says, throttled, without};
use crate::support::cloudkms::{CloudKms, RING, uri};
use crate::support::fault_proxy::{Fault, FaultProxy};

fn between() -> Vec<Row> {
    let answer = |body: &str| Fault::Answer { status: "200 OK", headers: Vec::new(), body: body.to_owned() };
    let denied = |message| vec![says("403 Forbidden", "PERMISSION_DENIED", message)];
    let elsewhere = "https://other.example.com/";
    let in_an_hour = || Fault::with_header("429 Too Many Requests", "retry-after", "3600");
    let one = "p256/cryptoKeyVersions/1";
    vec![
        row("throttled", SIGN, many(throttled)),
        row("throttled, to come back in an hour", SIGN, many(in_an_hour)),
        row(
            "internal error that stays",
            SIGN,
            many(|| says("500 Internal Server Error", "INTERNAL", "storage is gone")),
        ),
        row("connection cut", SIGN, many(|| Fault::Cut)),
        row("connection cut inside the answer", SIGN, many(|| Fault::CutInside)),
        Row {
            flags: &["--timeout", "700ms"],
            ..row("answer beyond the time limit", SIGN, vec![Fault::Slow(Duration::from_secs(20))])
        },
        row("denied to sign", SIGN, denied("no")),
        row("denied the public key", READ, denied("no")),
        row("denied the versions", LIST, denied("no")),
        row(
            "disabled since it was opened",
            SIGN,
            vec![says("400 Bad Request", "FAILED_PRECONDITION", "current state is: DISABLED.")],
        ),
        row("the signature's checksum is wrong", SIGN, vec![number("signatureCrc32c")]),
        row("the digest arrived without its checksum", SIGN, vec![without("verifiedDigestCrc32c")]),
        row("the public key's checksum is wrong", READ, vec![number("pemCrc32c")]),
        row("another version signed", SIGN, vec![Fault::replace(one, "p256/cryptoKeyVersions/2")]),
        row("the answer is for another key", READ, vec![Fault::replace(one, "other/cryptoKeyVersions/1")]),
        row("junk in place of JSON", SIGN, vec![answer("<html>")]),
        row(
            "redirect to another host",
            SIGN,
            vec![Fault::with_header("307 Temporary Redirect", "location", elsewhere)],
        ),
    ]
}

#[test]
fn the_page_of_faults_says_what_happens() {
    let (Some(server), Some(gone)) = (CloudKms::shared(), CloudKms::new()) else { return };
    let mut page = String::new();
    let proxy = FaultProxy::new(server.address());
    let mut world = at(&server, proxy.address());
    let key = uri("p256");
    for Row { fault, word, faults, flags } in between() {
        proxy.spoil(word, faults);
        let tries = || proxy.asked().iter().filter(|asked| asked.contains(word)).count();
        write(&mut page, &world, fault, &key, flags, &tries);
    }
    let tries = || proxy.asked().len();
    let changing = server.make_key("page");
    for (fault, state) in [("a disabled version", "DISABLED"), ("a destroyed version", "DESTROYED")] {
        server.set_state("page", 1, state);
        write(&mut page, &world, fault, &changing, &[], &tries);
    }
    for (fault, key) in [
        ("a key for encryption", uri("symmetric")),
        ("an algorithm that is not signed with here", uri("secp256k1")),
        ("no such key", uri("absent")),
        ("no such version", format!("{key}/versions/9")),
        ("a path trick in a name", format!("gcpkms://{RING}/cryptoKeys/../k")),
        ("a host that is not Google's", format!("{key}?endpoint=https://kms.example.com")),
        ("plain http to another machine", format!("{key}?endpoint=http://kms.example.com")),
    ] {
        write(&mut page, &world, fault, &key, &[], &tries);
    }
    world.set("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/adc.json");
    write(&mut page, &world, "credentials in a file that is not there", &key, &[], &tries);
    let address = gone.address().to_owned();
    gone.end();
    let world = at(&server, &address);
    write(&mut page, &world, "the server is down", &key, &[], &|| 4);
    // Where the rig lies differs in each run.
    let account = server.variable("GOOGLE_APPLICATION_CREDENTIALS");
    check("Google Cloud KMS", &page.replace(account, "account.json"));
}
