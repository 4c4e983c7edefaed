//! Several writers at one image.

use std::thread;

use super::world::{SIGN, VERIFY, World};
use crate::support;
use crate::support::registry::{BOTH, Offers};

/// Signatures by each of two writers.
const EACH: usize = 50;

/// Registries change a tag whoever changed it before; both of ours see to it that nothing is lost.
#[test]
fn two_writers_lose_nothing() {
    let Some(world) = World::new(Offers::TagsAlone) else { return };
    let image = world.image("contended");
    thread::scope(|scope| {
        for key in ["key.pem", "other.pem"] {
            let (world, image) = (&world, &image);
            scope.spawn(move || {
                // A process for each few, so that they meet in many places.
                for number in 0..EACH {
                    let said = format!("number={number}");
                    world.succeed(&[&SIGN[..], &["--again", "--key", key, "-a", &said, image]].concat());
                }
            });
        }
    });
    let tag = image.split('@').nth(1).unwrap().replace(':', "-");
    let index = world.registry.read("contended", &tag).expect("the index");
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2 * EACH);
    for key in ["key.pub", "other.pub"] {
        for number in [0, EACH - 1] {
            let said = format!("number={number}");
            world.succeed(&[&VERIFY[..], &["--key", key, "-a", &said, &image]].concat());
        }
    }
}

#[test]
fn several_images_are_signed_in_one_call() {
    for offers in BOTH {
        let Some(world) = World::new(offers) else { return };
        let images: Vec<_> = (0..12).map(|number| world.image(&format!("app-{number}"))).collect();
        let names: Vec<&str> = images.iter().map(String::as_str).collect();
        // One twice: it is signed once.
        world.succeed(&[&SIGN[..], &["--key", "key.pem"], &names, &names[..1]].concat());
        world.succeed(&[&VERIFY[..], &["--key", "key.pub"], &names].concat());
        let mut command = world.command(
            &[&SIGN[..], &["--key", "key.pem", "--report=report"], &names[..2], &["127.0.0.1:9/absent:v1"]]
                .concat(),
        );
        // One that is not there: none is signed.
        assert!(!support::run(&mut command).status.success());
    }
}
