//! E.2 35 where a key lies in a web service's secrets: a server that takes the connection and says nothing. The key services
//! have it in their `faults.rs`.

use std::fs;
use std::net::TcpListener;

use super::world::World;

/// A port where nobody answers, for as long as it is held.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

const LATE: [&str; 2] = ["the time limit passed", "raise it with --timeout"];
const LIMIT: [&str; 2] = ["--timeout", "500ms"];

#[test]
fn the_time_limit_holds_with_kubernetes() {
    let (_held, address) = silent();
    let mut world = World::new(&[]);
    let config = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- {{name: s, cluster: {{server: \"{address}\"}}}}\n\
         contexts:\n- {{name: c, context: {{cluster: s, user: u}}}}\nusers:\n- {{name: u, user: {{token: t}}}}\n"
    );
    fs::write(world.path("config"), config).unwrap();
    world.set("KUBECONFIG", "config");
    world.refuse_sign_with("k8s://ci/release", &LIMIT, &LATE);
    world.refuse(&[&["public-key", "--key", "k8s://ci/release"], &LIMIT[..]].concat(), &LATE);
}

#[test]
fn the_time_limit_holds_with_gitlab() {
    let (_held, address) = silent();
    let world = World::new(&[("GITLAB_HOST", &address), ("GITLAB_TOKEN", "glpat-not-a-real-token")]);
    world.refuse_sign_with("gitlab://acme/tools", &LIMIT, &LATE);
    world.refuse(&[&["public-key", "--key", "gitlab://acme/tools"], &LIMIT[..]].concat(), &LATE);
}

#[test]
fn the_time_limit_holds_with_github() {
    let (_held, address) = silent();
    let world = World::new(&[("GITHUB_HOST", &address), ("GITHUB_TOKEN", "ghp_not-a-real-token")]);
    world.refuse(&[&["keys", "list", "github://acme/tools"], &LIMIT[..]].concat(), &LATE);
}
