//! Images signed with a key in AWS KMS.

use super::world;
use crate::support;
use crate::support::ministack::Ministack;
use crate::support::registry::{BOTH, Registry};

#[test]
fn a_key_signs_images_and_cosign_verifies_them_with_the_saved_key() {
    let Some(server) = Ministack::shared() else { return };
    let world = world(&server);
    for offers in BOTH {
        let Some(registry) = Registry::start(offers) else { return };
        for key in ["p256", "rsa2048"] {
            let (uri, public) = (format!("awskms:///alias/{key}"), format!("{key}.pub"));
            let image = format!("{}@{}", registry.name(key), registry.image(key, "v1", key));
            world.ok(&["public-key", "--key", &uri, "--outfile", &public]);
            let sign = ["sign", "-y", "--tlog-upload=false", "--format", "both", "--key", &uri];
            world.ok(&[&sign[..], &[&image]].concat());
            for layout in ["--new-bundle-format=true", "--new-bundle-format=false"] {
                let verify = ["verify", "--insecure-ignore-tlog", layout, "--key", &public, &image];
                world.ok(&verify);
                let Some(cosign) = support::cosign() else { return };
                support::succeed(&mut world.prepare(cosign, &verify));
            }
            world.ok(&["verify", "--insecure-ignore-tlog", "--key", &uri, &image]);
        }
    }
}
