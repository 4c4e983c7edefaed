//! What is signed: files that change meanwhile, pipes, what cannot be read, what is too large for its algorithm.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::world::{Ended, SIGN, VERIFY, World, genpkey, openssl};

const LARGE: u64 = 192 << 20;
const TRIES: usize = 20;

fn sign<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SIGN[..], &["--key", "key.pem"], more].concat()
}

/// Signs `large` while `change` is done to it over and over; until the change fell between first and last look at the file.
fn sign_while(world: &World, change: impl Fn(&File) + Sync) -> Ended {
    for _ in 0..TRIES {
        let file = File::create(world.path("large")).expect("a new file");
        file.set_len(LARGE).expect("a sparse file");
        let ended = AtomicBool::new(false);
        let run = thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    change(&file);
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let run = world.run(&sign(&["-y", "large"]));
            ended.store(true, Ordering::Relaxed);
            run
        });
        if run.code != Some(0) {
            return run;
        }
        std::fs::remove_file(world.path("large.sigstore.json")).expect("the bundle of a lucky run");
    }
    panic!("{TRIES} times no change fell into the run");
}

#[test]
fn makes_no_bundle_of_a_file_that_changes_while_it_is_read() {
    let Some(world) = World::new() else { return };
    let words = ["cannot use large", "the file changed while it was read", "hint: "];
    let grow = |mut file: &File| file.write_all(b"x").expect("a file that can be written");
    let shrink = |file: &File| {
        let size = file.metadata().expect("an open file").len();
        file.set_len(size - 4096).expect("a file that can be cut");
    };
    // As many bytes as before: only the time tells.
    let overwrite = |file: &File| {
        use std::os::unix::fs::FileExt;
        file.write_all_at(b"x", 0).expect("a file that can be written");
    };
    sign_while(&world, |file| {
        OpenOptions::new().append(true).open(world.path("large")).map(|file| grow(&file)).expect("it opens");
        let _ = file;
    })
    .failed(&words);
    assert!(!world.exists("large.sigstore.json"), "a bundle of a growing file");
    sign_while(&world, shrink).failed(&words);
    assert!(!world.exists("large.sigstore.json"), "a bundle of a shrinking file");
    sign_while(&world, overwrite).failed(&words);
    assert!(!world.exists("large.sigstore.json"), "a bundle of an overwritten file");
}

#[test]
fn signs_what_comes_out_of_a_pipe() {
    let Some(world) = World::new() else { return };
    let content = b"out of a pipe".repeat(300_000);
    let fifo = world.fifo("pipe");
    let feed = |path: std::path::PathBuf, content: Vec<u8>| {
        thread::spawn(move || std::fs::write(path, content).expect("somebody reads the pipe"))
    };
    let writer = feed(fifo.clone(), content.clone());
    world.run(&sign(&["pipe"])).ok();
    writer.join().expect("the writer ends");
    assert!(world.path("pipe.sigstore.json").is_file());
    world.write("same", &content);
    let bundle = ["--key", "key.pub", "--bundle", "pipe.sigstore.json"];
    world.run(&[&VERIFY[..], &bundle, &["same"]].concat()).ok();
    let writer = feed(fifo, content);
    world.run(&[&VERIFY[..], &bundle, &["pipe"]].concat()).ok();
    writer.join().expect("the writer ends");
    let ended = world.end_with_input(&mut world.command(&[&VERIFY[..], &bundle, &["-"]].concat()), b"other");
    ended.failed(&["cannot verify standard input", "another artifact"]);
}

#[test]
fn refuses_what_cannot_be_read() {
    let Some(world) = World::new() else { return };
    std::fs::create_dir(world.path("directory")).expect("a directory");
    world.refuse(&sign(&["directory"]), &["cannot read directory", "it is a directory"]);
    world.refuse(&sign(&["absent"]), &["cannot read absent"]);
    world.refuse(&sign(&["-"]), &["standard input has no name", "--bundle"]);
    world.refuse(&sign(&["absent", "-"]), &["standard input (-) is signed by itself"]);
    world.write("blob", "blob");
    let words = ["cannot write", "absent/b.json"];
    world.refuse(&sign(&["--bundle", "absent/b.json", "blob"]), &words);
    let words = ["cannot write to absent", "it is no directory", "hint: make it with: mkdir -p absent"];
    world.refuse(&sign(&["--bundle-dir", "absent", "blob"]), &words);
}

/// Pure Ed25519 signs the message itself, so the message must fit in memory: known before a byte is read.
#[test]
fn refuses_a_file_too_large_for_pure_ed25519_before_reading_it() {
    let Some(world) = World::new() else { return };
    let key = genpkey(&["-algorithm", "ed25519"]);
    world.write("ed25519.pub", openssl(&["pkey", "-pubout"], &key));
    world.write("ed25519.pem", key);
    let large = File::create(world.path("large")).expect("a new file");
    // A pebibyte would take days to read.
    let size = [1 << 50, 1 << 43].into_iter().find(|size| large.set_len(*size).is_ok());
    let size = size.expect("a file system with sparse files");
    let words = [
        "cannot use large with pure Ed25519",
        "1073741824 bytes",
        &format!("it has {size} bytes"),
        "hint: use --signing-algorithm ed25519-ph",
    ];
    world.refuse(&[&SIGN[..], &["--key", "ed25519.pem", "large"]].concat(), &words);
    // Verifying reads under the same cap.
    world.write("small", "small");
    world.run(&[&SIGN[..], &["--key", "ed25519.pem", "small"]].concat()).ok();
    let bundle = ["--key", "ed25519.pub", "--bundle", "small.sigstore.json", "large"];
    world.refuse(&[&VERIFY[..], &bundle].concat(), &words);
}
