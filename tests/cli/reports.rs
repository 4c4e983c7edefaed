//! `--report`: each command's report follows `docs/report.schema.json`, and says what happened.

use countersign::verify::Check;
use serde_json::{Value, json};

use super::schema;
use super::world::{Ended, SIGN, VERIFY, World};

const SCHEMA: &str = include_str!("../../docs/report.schema.json");

pub(crate) fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// Runs with `--report=FILE` and returns how it ended and the report, which follows the schema.
fn report(world: &World, arguments: &[&str]) -> (Ended, Value) {
    let mut command = world.command(&[arguments, &["--report=report.json"]].concat());
    let ended = world.end(command.env("COSIGN_PASSWORD", ""));
    let report: Value = serde_json::from_str(&world.read("report.json")).expect("the report is JSON");
    std::fs::remove_file(world.path("report.json")).expect("the report was there");
    let faults = schema::faults(&schema(), &report);
    assert!(faults.is_empty(), "{arguments:?}: {faults:#?}\n{report:#}");
    assert_eq!(report["exitCode"].as_i64(), ended.code.map(i64::from));
    assert!(!ended.stdout.contains("schemaVersion"), "the report is on standard output too");
    (ended, report)
}

fn world() -> Option<World> {
    let world = World::new()?;
    world.write("a", "a");
    world.write("b", "b");
    Some(world)
}

#[test]
fn signing_is_reported() {
    let Some(world) = world() else { return };
    let (_, good) = report(&world, &[&SIGN[..], &["--key", "key.pem", "a"]].concat());
    assert_eq!((&good["outcome"], &good["command"]), (&json!("ok"), &json!("sign-blob")));
    assert_eq!(good["items"][0]["outputs"], json!(["a.sigstore.json"]));
    assert_eq!(good["key"]["uri"], "key.pem");
    let (ended, batch) =
        report(&world, &[&SIGN[..], &["--key", "key.pem", "-y", "a", "absent", "b"]].concat());
    ended.failed(&["cannot sign 1 of 3 files"]);
    assert_eq!((&batch["outcome"], &batch["failure"]["kind"]), (&json!("failed"), &json!("batch")));
    let outcomes: Vec<_> =
        batch["items"].as_array().expect("items").iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["signed", "failed", "signed"]);
    assert_eq!(batch["items"][1]["failure"]["kind"], "not-found");
    let (_, locked) = report(&world, &[&SIGN[..], &["--key", world.sealed_key(), "-y", "a"]].concat());
    assert_eq!(locked["failure"]["kind"], "wrong-pin");
}

#[test]
fn verifying_is_reported() {
    let Some(world) = world() else { return };
    world.sign("a");
    world.sign("b");
    let (_, good) = report(&world, &[&VERIFY[..], &["--key", "key.pub", "a"]].concat());
    assert_eq!((&good["outcome"], &good["items"][0]["outcome"]), (&json!("ok"), &json!("verified")));
    assert!(good["items"][0]["proven"].as_array().is_some_and(|lines| !lines.is_empty()));
    assert!(good["items"][0]["notProven"].as_array().is_some_and(|lines| !lines.is_empty()));
    let (_, refused) = report(&world, &[&VERIFY[..], &["--key", "other.pub", "a"]].concat());
    assert_eq!((&refused["outcome"], &refused["failure"]["kind"]), (&json!("refused"), &json!("key-hint")));
    world.write("b", "changed");
    let (_, batch) = report(&world, &[&VERIFY[..], &["--key", "key.pub", "a", "b", "absent"]].concat());
    let outcomes: Vec<_> =
        batch["items"].as_array().expect("items").iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["verified", "refused", "failed"]);
    assert_eq!(batch["items"][1]["failure"]["kind"], "artifact-digest");
    world.write("root.json", r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot.v0.2+json"}"#);
    let (_, unlogged) =
        report(&world, &["verify-blob", "--key", "key.pub", "--trusted-root", "root.json", "a"]);
    assert_eq!(unlogged["failure"]["kind"], "transparency-log");
}

#[test]
fn key_commands_are_reported() {
    let Some(world) = world() else { return };
    let (_, made) = report(&world, &["generate-key-pair", "--output-key-prefix", "new"]);
    assert_eq!(made["data"]["written"], json!(["new.key", "new.pub"]));
    let (_, imported) = report(&world, &["import-key-pair", "--key", "key.pem"]);
    assert_eq!(imported["data"]["written"], json!(["import-cosign.key", "import-cosign.pub"]));
    let (_, listed) = report(&world, &["keys", "list"]);
    assert_eq!(listed["data"]["keys"].as_array().map(Vec::len), Some(4));
    report(&world, &["public-key", "--key", "key.pem"]);
    let (_, healthy) = report(&world, &["keys", "doctor", "key.pem"]);
    assert_eq!(healthy["outcome"], "ok");
    let (ended, broken) = report(&world, &["keys", "doctor", "absent"]);
    ended.failed(&["absent does not work"]);
    assert_eq!(
        (&broken["outcome"], &broken["data"]["findings"][0]["severity"]),
        (&json!("failed"), &json!("problem"))
    );
}

#[test]
fn other_commands_are_reported() {
    let Some(world) = world() else { return };
    world.sign("a");
    let inspect = ["bundle", "inspect", "a.sigstore.json"];
    for arguments in [&["version"][..], &["env"], &["completion", "bash"], &["help"], &inspect] {
        let (_, report) = report(&world, arguments);
        assert_eq!(report["outcome"], "ok");
    }
}

#[test]
fn wrong_usage_is_reported() {
    let Some(world) = world() else { return };
    let (ended, report) = report(&world, &["sign-blob", "a"]);
    ended.failed(&["keyless signing is still to come"]);
    assert_eq!((&report["outcome"], &report["failure"]["kind"]), (&json!("failed"), &json!("usage")));
}

/// The report of an interrupted run says what was left out.
#[test]
fn an_interrupted_run_is_reported() {
    let Some(world) = world() else { return };
    let fifo = world.fifo("pipe");
    let arguments = [&SIGN[..], &["--key", "key.pem", "--report=report.json", "pipe", "a"]].concat();
    let child = world.command(&arguments).spawn().expect("setsid starts");
    let writer = std::fs::OpenOptions::new().write(true).open(fifo).expect("the run opens the pipe");
    super::interruption::until_watching(&child);
    super::world::signal(child.id(), "INT");
    drop(writer);
    assert_eq!(world.wait(child, "the batch").code, Some(130));
    let report: Value = serde_json::from_str(&world.read("report.json")).expect("the report is JSON");
    assert_eq!(schema::faults(&schema(), &report), [""; 0]);
    assert_eq!(
        (&report["outcome"], &report["items"][1]["outcome"]),
        (&json!("interrupted"), &json!("skipped"))
    );
}

/// On standard output the report comes last; a report that cannot be written is a failure of its own.
#[test]
fn the_report_goes_where_it_is_sent() {
    let Some(world) = world() else { return };
    let ended = world.run(&["public-key", "--key", "key.pem", "--report"]).ok();
    let (pem, report) = ended.stdout.split_at(ended.stdout.find('{').expect("a report"));
    assert_eq!(pem, world.read("key.pub"));
    let report: Value = serde_json::from_str(report).expect("the report is JSON");
    assert_eq!(schema::faults(&schema(), &report), [""; 0]);
    world.refuse(&["version", "--report=absent/report.json"], &["cannot write absent/report.json"]);
}

/// What refuses by a name of its own has that name in the schema.
#[test]
fn the_schema_knows_every_check() {
    let schema = schema();
    let kinds = schema["$defs"]["problem"]["properties"]["kind"]["enum"].as_array().expect("a list");
    for check in Check::ALL {
        assert!(kinds.contains(&json!(check.name())), "{} is missing", check.name());
    }
}

/// The schema refuses: a check that lets everything pass would prove nothing.
#[test]
fn the_schema_refuses_what_is_no_report() {
    let Some(world) = world() else { return };
    let (_, good) = report(&world, &[&SIGN[..], &["--key", "key.pem", "a"]].concat());
    let changes: [(&str, &str, Value); 7] = [
        ("", "surprise", json!(1)),
        ("", "outcome", json!("fine")),
        ("", "schemaVersion", json!(2)),
        ("", "data", json!({ "surprise": [] })),
        ("/key", "surprise", json!("x")),
        ("/items/0", "surprise", json!("x")),
        ("/items/0", "failure", json!({ "kind": "nonsense", "message": "x" })),
    ];
    for (place, name, value) in changes {
        let mut changed = good.clone();
        changed.pointer_mut(place).expect("a place in the report")[name] = value;
        assert!(!schema::faults(&schema(), &changed).is_empty(), "{place}/{name} passes");
    }
    for name in ["schemaVersion", "command", "toolVersion", "outcome", "exitCode", "items", "warnings"] {
        let mut changed = good.clone();
        changed.as_object_mut().expect("an object").remove(name);
        assert!(!schema::faults(&schema(), &changed).is_empty(), "a report without {name} passes");
    }
}
