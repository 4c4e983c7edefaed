//! Images signed with a card.

use std::fs;

use super::world::World;
use crate::support::cards::in_rig;
use crate::support::registry::{Offers, Registry};

#[test]
fn a_card_signs_images_in_both_layouts_with_one_pin() {
    let test = "piv::images::a_card_signs_images_in_both_layouts_with_one_pin";
    if !in_rig(test, &["--firmware", "5.7.1"]) {
        return;
    }
    let world = World::new();
    let made = world
        .ok(&["piv-tool", "generate-key", "-f", "--touch-policy", "never", "--pin-policy", "once"], None)
        .stdout;
    fs::write(world.path("key.pub"), made).unwrap();
    for offers in [Offers::Referrers, Offers::TagsAlone] {
        let Some(registry) = Registry::start(offers) else { return };
        let images: Vec<_> = ["one", "two"]
            .map(|name| format!("{}@{}", registry.name(name), registry.image(name, "v1", name)))
            .to_vec();
        let before = world.pins_sent();
        let sign = ["sign", "-y", "--tlog-upload=false", "--format", "both", "--key", "piv:slot=9c"];
        world.ok(&[&sign[..], &[&images[0], &images[1]]].concat(), Some("123456"));
        assert_eq!(world.pins_sent() - before, 1, "one PIN does for all images in both layouts");
        for image in &images {
            for layout in ["--new-bundle-format=true", "--new-bundle-format=false"] {
                let verify = ["verify", "--insecure-ignore-tlog", layout, "--key"];
                world.ok(&[&verify[..], &["key.pub", image]].concat(), None);
                world.ok(&[&verify[..], &["piv:slot=9c", image]].concat(), None);
                world.cosign(&[&verify[..], &["key.pub", image]].concat(), true);
            }
        }
    }
}
