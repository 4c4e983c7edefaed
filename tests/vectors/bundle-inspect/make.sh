#!/bin/sh
# Makes the bundles beside this script with openssl, and the text that Cosign v3.1.3 (`cosign` in PATH) prints for them.
# The keys are thrown away: a description verifies nothing, so no signature but the timestamp's is a real one.
# Run again only to change what the bundles hold; every run makes other keys, serial numbers and times.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'status=$?; test $status = 0 || cat "$work"/openssl.log >&2; rm -rf "$work"' EXIT
cd "$work"

b64() { base64 -w 0 "$@"; }
hex() { od -An -v -tx1 "$@" | tr -d ' \n'; }

cat >ca.conf <<'END'
[req]
distinguished_name = name
prompt = no
string_mask = utf8only
[name]
C = DE
O = Example, Inc.
CN = Example Root
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[empty]
[stamper]
extendedKeyUsage = critical, timeStamping
[leaf]
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning, 1.3.6.1.4.1.99999.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = critical, URI:https://example.com/org/repo/.ci/release.yml@refs/heads/main, email:release@example.com
1.3.6.1.4.1.57264.1.1 = DER:@ISSUER@
1.3.6.1.4.1.57264.1.2 = DER:70757368
1.3.6.1.4.1.57264.1.8 = ASN1:UTF8String:https://issuer.example.com
1.3.6.1.4.1.57264.1.9 = ASN1:UTF8String:https://example.com/org/repo/.ci/release.yml@refs/heads/main
1.3.6.1.4.1.57264.1.11 = ASN1:UTF8String:self-hosted
1.3.6.1.4.1.57264.1.20 = ASN1:UTF8String:push
1.3.6.1.4.1.57264.1.22 = ASN1:UTF8String:public
1.3.6.1.4.1.57264.1.24 = ASN1:UTF8String:repo:org/repo
1.3.6.1.4.1.57264.1.25 = ASN1:UTF8String:unnamed
1.3.6.1.4.1.11129.2.4.2 = DER:@SCTS@
[odd]
subjectAltName = DNS:build.example.com, IP:192.0.2.7, IP:2001:db8::7, otherName:1.3.6.1.4.1.57264.1.7;UTF8:release
1.3.6.1.4.1.57264.1.1 = DER:687474703a2f2f1b5b324a0a2d20
1.3.6.1.4.1.57264.1.8 = DER:ff
1.3.6.1.4.1.11129.2.4.2 = DER:040400ff0000
[tsa]
default_tsa = server
[server]
serial = ./serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.2
digests = sha256
END
sct() { # log id byte, milliseconds in hexadecimal, extensions with their length, signature with its length
    body=00$(for _ in $(seq 32); do printf %s "$1"; done)$2${3}0403$4
    printf '%04x%s' $((${#body} / 2)) "$body"
}
scts=$(sct 11 0000018bcfe56800 0000 0004deadbeef)$(sct 22 0000018bcfe56be7 00080000050000000001 0003c0ffee)
scts=$(printf '%04x%s' $((${#scts} / 2)) "$scts")
sed -i -e "s/@ISSUER@/$(printf https://issuer.example.com | hex)/" \
    -e "s/@SCTS@/04$(printf %02x $((${#scts} / 2)))$scts/" ca.conf

openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -config ca.conf -extensions ca 2>openssl.log
issue() { # name, subject, extensions, key options
    name=$1 subject=$2 extensions=$3
    shift 3
    openssl genpkey "$@" -out "$name.key" 2>>openssl.log
    openssl req -new -key "$name.key" -utf8 -subj "$subject" -config ca.conf -out "$name.csr"
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -days 1 -extfile ca.conf -extensions "$extensions" \
        -out "$name.pem" 2>>openssl.log
}
issue leaf / leaf -algorithm EC -pkeyopt ec_paramgen_curve:P-384
issue ed25519 '/O=Example, Inc./OU=b\+c/CN=#release' empty -algorithm ED25519
issue odd "/UID=r1/CN=$(printf 'red\033[31m\nname\342\200\256')" odd -algorithm EC -pkeyopt ec_paramgen_curve:P-256
issue tsa '/CN=Example Timestamps' stamper -algorithm EC -pkeyopt ec_paramgen_curve:P-256
for name in ca leaf ed25519 odd; do openssl x509 -in "$name.pem" -outform DER -out "$name.der"; done

printf payload >payload
printf 9C4F02E1B66A0D5187 >serial
openssl ts -query -data payload -sha256 -cert -out query.tsq 2>>openssl.log
openssl ts -reply -config ca.conf -queryfile query.tsq -signer tsa.pem -inkey tsa.key -out reply.tsr 2>>openssl.log

zeros=$(head -c 32 /dev/zero | b64)
signature=$(printf 'keyXsignature of a log' | b64)
checkpoint="log.example.com - 42\\n8\\n$zeros\\nTimestamp: 1700000000\\n\\n— log.example.com $signature\\n— witness.example.com $signature\\n"
statement='{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","subject":[{"name":"one.tar.gz","digest":{"sha256":"00"}},{"name":"two.tar.gz","digest":{"sha256":"01"}}],"predicate":{}}'
cat >"$here/chain.sigstore.json" <<END
{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.2","verificationMaterial":{"x509CertificateChain":{"certificates":[{"rawBytes":"$(b64 leaf.der)"},{"rawBytes":"$(b64 ca.der)"}]},"tlogEntries":[{"logIndex":"7","logId":{"keyId":"$zeros"},"kindVersion":{"kind":"dsse","version":"0.0.1"},"integratedTime":"1700000000","inclusionPromise":{"signedEntryTimestamp":"$(printf promise | b64)"},"inclusionProof":{"logIndex":"7","rootHash":"$zeros","treeSize":"8","hashes":["$zeros","$zeros"],"checkpoint":{"envelope":"$checkpoint"}},"canonicalizedBody":"$(printf '{}' | b64)"}],"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"$(b64 reply.tsr)"}]}},"dsseEnvelope":{"payload":"$(printf %s "$statement" | b64)","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"$(printf signature | b64)","keyid":"$(printf 'a key' | b64)"}]}}
END
message='"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"'$zeros'"},"signature":"'$(printf signature | b64)'"}'
for name in ed25519 odd; do
    cat >"$here/$name.sigstore.json" <<END
{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"$(b64 "$name.der")"}},$message}
END
done
cat >"$here/key.sigstore.json" <<END
{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"a key, by name"}},$message}
END
# Cosign prints the times of SCTs in the local zone.
for name in chain ed25519 key; do
    TZ=UTC cosign bundle inspect "$here/$name.sigstore.json" >"$here/$name.txt" 2>/dev/null
done
