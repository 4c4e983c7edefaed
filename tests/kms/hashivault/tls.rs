//! What TLS with the server shows and trusts beyond one file of authorities; `refusals.rs` has the rest.

use std::fs;

use super::World;
use crate::support::openbao::OpenBao;
use crate::support::{openssl, stderr, succeed};

const KEY: &str = "hashivault://p256";

/// A world whose variables lead to the listener that asks for a certificate.
fn asked_for_a_certificate(server: &OpenBao) -> World {
    World::new(&[
        ("VAULT_ADDR", server.variable("VAULT_MUTUAL_TLS_ADDR")),
        ("VAULT_CACERT", server.variable("VAULT_CACERT")),
        ("VAULT_TOKEN", server.token()),
    ])
}

#[test]
fn a_certificate_is_shown_to_a_server_that_asks_for_one() {
    let Some(server) = OpenBao::shared() else { return };
    let mut world = asked_for_a_certificate(&server);
    let words = [
        "TLS with https://127.0.0.1",
        "the server asks for a certificate: name one with VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
    ];
    world.refuse_sign(KEY, &words);
    let (certificate, key) = (server.variable("VAULT_CLIENT_CERT"), server.variable("VAULT_CLIENT_KEY"));
    world.set("VAULT_CLIENT_CERT", certificate);
    world.set("VAULT_CLIENT_KEY", key);
    let said = stderr(&world.sign(KEY, "b.json"));
    assert!(!said.contains("not honoured"), "{said}");
    world.verify(KEY, "b.json");
    world.ok(&["keys", "doctor", KEY]);
    // The twins with BAO_ are the same, and a server that asks for none is shown none.
    world.set("VAULT_CLIENT_CERT", "");
    world.set("VAULT_CLIENT_KEY", "");
    world.set("BAO_CLIENT_CERT", certificate);
    world.set("BAO_CLIENT_KEY", key);
    world.sign("openbao://p256", "b.json");
    world.set("VAULT_ADDR", server.variable("VAULT_TLS_ADDR"));
    world.sign(KEY, "b.json");
}

#[test]
fn one_half_of_a_pair_and_halves_of_two_are_refused() {
    let Some(server) = OpenBao::shared() else { return };
    let mut world = asked_for_a_certificate(&server);
    let (certificate, key) = (server.variable("VAULT_CLIENT_CERT"), server.variable("VAULT_CLIENT_KEY"));
    world.set("VAULT_CLIENT_CERT", certificate);
    world.refuse_sign(KEY, &["VAULT_CLIENT_CERT is set and VAULT_CLIENT_KEY is not"]);
    world.set("VAULT_CLIENT_CERT", "");
    world.set("VAULT_CLIENT_KEY", key);
    world.refuse_sign(KEY, &["VAULT_CLIENT_KEY is set and VAULT_CLIENT_CERT is not"]);
    world.set("VAULT_CLIENT_CERT", "/nowhere");
    let words = ["cannot read the client certificate in /nowhere", "VAULT_CLIENT_CERT names this file"];
    world.refuse_sign(KEY, &words);
    // The authority's certificate does not go with the client's key; what is no PEM goes with nothing.
    let junk = world.path("blob").to_str().unwrap().to_owned();
    for (certificate, key) in [(server.variable("VAULT_CACERT"), key), (certificate, junk.as_str())] {
        world.set("VAULT_CLIENT_CERT", certificate);
        world.set("VAULT_CLIENT_KEY", key);
        let words =
            ["certificate and key are not a pair in PEM", "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY name"];
        world.refuse_sign(KEY, &words);
    }
}

#[test]
fn a_certificate_that_the_server_does_not_take_is_named() {
    let (Some(server), Some(mut openssl)) = (OpenBao::shared(), openssl()) else { return };
    let mut world = asked_for_a_certificate(&server);
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("own.pem"), path("own.key"));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"];
    succeed(openssl.args(new).args(["-out", &certificate, "-keyout", &key]));
    world.set("VAULT_CLIENT_CERT", &certificate);
    world.set("VAULT_CLIENT_KEY", &key);
    let hint = "the server does not take the certificate that VAULT_CLIENT_CERT and VAULT_CLIENT_KEY name";
    world.refuse_sign(KEY, &["TLS with https://127.0.0.1", hint]);
}

#[test]
fn a_certificate_with_another_name_is_taken_where_that_name_is_given() {
    let Some(server) = OpenBao::shared() else { return };
    // Its certificate bears 127.0.0.1 and vault.example.com, not this.
    let address = server.variable("VAULT_TLS_ADDR").replace("127.0.0.1", "localhost");
    let mut world = World::new(&[
        ("VAULT_ADDR", address.as_str()),
        ("VAULT_CACERT", server.variable("VAULT_CACERT")),
        ("VAULT_TOKEN", server.token()),
    ]);
    world.refuse_sign(KEY, &["certificate not valid for name"]);
    world.set("VAULT_TLS_SERVER_NAME", "vault.example.com");
    world.sign(KEY, "b.json");
    world.verify(KEY, "b.json");
    world.set("VAULT_TLS_SERVER_NAME", "vault.example.org");
    world.refuse_sign(KEY, &["certificate not valid for name"]);
    world.set("VAULT_TLS_SERVER_NAME", "vault.example.com:1/x");
    world.refuse_sign(KEY, &["as vault.example.com:1/x", "that is no host name"]);
    // Where a proxy would look the name up.
    world.set("VAULT_TLS_SERVER_NAME", "vault.example.com");
    world.set("VAULT_ADDR", "https://192.0.2.1:8200");
    world.set("HTTPS_PROXY", "http://127.0.0.1:1");
    world.refuse_sign(KEY, &["a proxy stands between", "NO_PROXY"]);
}

#[test]
fn a_directory_of_authorities_is_trusted() {
    let Some(server) = OpenBao::shared() else { return };
    let mut world =
        World::new(&[("VAULT_ADDR", server.variable("VAULT_TLS_ADDR")), ("VAULT_TOKEN", server.token())]);
    let directory = world.path("authorities");
    fs::create_dir_all(directory.join("below")).unwrap();
    world.set("VAULT_CAPATH", directory.to_str().unwrap());
    world.refuse_sign(KEY, &["the file of trusted certificates holds none in PEM"]);
    // Of another server, without a line end, before ours.
    let other = fs::read_to_string(server.variable("VAULT_CLIENT_CERT")).unwrap();
    fs::write(directory.join("a.pem"), other.trim_end()).unwrap();
    world.refuse_sign(KEY, &["UnknownIssuer"]);
    fs::copy(server.variable("VAULT_CACERT"), directory.join("b.pem")).unwrap();
    let said = stderr(&world.sign(KEY, "b.json"));
    assert!(!said.contains("not honoured"), "{said}");
    // One file goes first.
    world.set("VAULT_CACERT", server.variable("VAULT_CLIENT_CERT"));
    world.refuse_sign(KEY, &["UnknownIssuer"]);
    world.set("VAULT_CACERT", "");
    world.set("VAULT_CAPATH", "/nowhere");
    world
        .refuse_sign(KEY, &["cannot read the certificates in /nowhere", "VAULT_CAPATH names this directory"]);
}
