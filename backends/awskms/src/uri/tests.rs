//! What the grammar takes, and what it refuses.

use proptest::prelude::*;

use super::*;

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

fn parse(text: &str) -> Result<AwsUri> {
    AwsUri::parse(&KeyUri::parse(text)?)
}

#[test]
fn reads_cosigns_forms() {
    let arn = format!("arn:aws:kms:us-east-2:111122223333:key/{ID}");
    for key in [
        ID,
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "alias/ExampleAlias",
        "alias/team/release_1-x",
        &arn,
        "arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/x",
        "arn:aws-cn:kms:cn-north-1:111122223333:alias/x",
        "arn:aws-iso-b:kms:us-isob-east-1:111122223333:alias/x",
        "arn:aws-eusc:kms:eusc-de-east-1:111122223333:alias/x",
    ] {
        for host in ["", "localhost:4566", "kms.us-west-2.amazonaws.com", "[::1]:1"] {
            let text = format!("awskms://{host}/{key}");
            let parsed = parse(&text).expect(&text);
            assert_eq!((parsed.key.as_str(), parsed.host.as_deref().unwrap_or_default()), (key, host));
            assert_eq!(parsed.to_string(), text);
        }
    }
    assert_eq!(parse(&format!("awskms:///{arn}")).unwrap().arn_region(), Some("us-east-2"));
}

#[test]
fn reads_our_attributes() {
    let text = "awskms:///alias/x?region=eu-west-1&profile=ci&role=arn:aws:iam::111122223333:role/signer";
    let parsed = parse(text).unwrap();
    assert_eq!((parsed.region.as_deref(), parsed.profile.as_deref()), (Some("eu-west-1"), Some("ci")));
    assert_eq!(parsed.to_string(), text);
    assert_eq!(
        parse("awskms:///alias/x?endpoint=http%3A//127.0.0.1:1").unwrap().endpoint.as_deref(),
        Some("http://127.0.0.1:1")
    );
}

#[test]
fn refuses_what_is_unclear() {
    for rest in [
        "",
        "alias",
        "host",
        "/x",
        "/alias/",
        "/alias/a b",
        "/alias/a.b",
        "/alias",
        "/1234abcd-12ab-34cd-56ef-1234567890a",
        "/1234abcd-12ab-34cd-56ef-1234567890ag",
        "/mrk-12",
        "/arn:aws:s3:us-east-1:111122223333:alias/x",
        "/arn:aws:kms:us-east-1:1111:alias/x",
        "/arn:aws:kms::111122223333:alias/x",
        "/arn:gcp:kms:us-east-1:111122223333:alias/x",
        "/arn:aws:kms:us-east-1:111122223333:key/x",
        "/arn:aws:kms:us-east-1:111122223333:thing/x",
        "/arn:aws:kms:us-east-1",
        "me@host/alias/x",
        "host:0/alias/x",
        "host:65536/alias/x",
        "host:+1/alias/x",
        "host:/alias/x",
        ":1/alias/x",
        "[::1/alias/x",
        "[::1]1/alias/x",
        "[x]/alias/x",
        "/alias/x?",
        "/alias/x?region",
        "/alias/x?region=",
        "/alias/x?region=A",
        "/alias/x?region=a.example.com",
        "/alias/x?region=a%2Fb",
        "/alias/x?region=%",
        "/alias/x?region=a&region=a",
        "/alias/x?profile=",
        "/alias/x?role=me",
        "/alias/x?regoin=a",
        "host/alias/x?endpoint=http://other",
        "/arn:aws:kms:us-east-1:111122223333:alias/x?region=us-east-2",
    ] {
        let error = parse(&format!("awskms://{rest}")).expect_err(rest);
        assert_eq!(error.kind(), ErrorKind::BadUri, "{rest}");
    }
    let error = parse("awskms:///alias/x?region=a&regoin=x").unwrap_err();
    assert!(error.to_string().contains("at byte 27"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]
    #[test]
    fn what_parses_prints_and_parses_back(
        rest in "\\PC{0,30}|[a-z]{0,3}/(alias/[a-z]{1,3})?\\?(region|profile|role|endpoint)=[-a-z0-9/%.&=]{0,12}"
    ) {
        if let Ok(uri) = KeyUri::parse(&format!("awskms://{rest}"))
            && let Ok(parsed) = AwsUri::parse(&uri)
        {
            prop_assert_eq!(parse(&parsed.to_string()).unwrap(), parsed);
        }
    }
}
