#!/usr/bin/env python3
"""Stands in for Google Cloud KMS: REST for us, gRPC for the real Cosign, on one set of keys, with a login for a service account.

server.py DIR: DIR holds server.key, server.pem (TLS of the gRPC side) and account.pem (the service account's public key). Prints
the ports, REST then gRPC, and serves until it is ended. `POST /rig` changes keys and permissions from outside.
"""
import base64, json, sys, threading, time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import grpc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

DIR = Path(sys.argv[1])
ACCOUNT = serialization.load_pem_public_key((DIR / "account.pem").read_bytes())
RING = "projects/rig/locations/global/keyRings/ring"
# Numbers of google.cloud.kms.v1.CryptoKeyVersion.CryptoKeyVersionAlgorithm: name, kind, size or curve, hash.
ALGORITHMS = {
    1: ("GOOGLE_SYMMETRIC_ENCRYPTION", None, None, None),
    2: ("RSA_SIGN_PSS_2048_SHA256", "pss", 2048, hashes.SHA256), 3: ("RSA_SIGN_PSS_3072_SHA256", "pss", 3072, hashes.SHA256),
    4: ("RSA_SIGN_PSS_4096_SHA256", "pss", 4096, hashes.SHA256), 15: ("RSA_SIGN_PSS_4096_SHA512", "pss", 4096, hashes.SHA512),
    5: ("RSA_SIGN_PKCS1_2048_SHA256", "pkcs1", 2048, hashes.SHA256), 6: ("RSA_SIGN_PKCS1_3072_SHA256", "pkcs1", 3072, hashes.SHA256),
    7: ("RSA_SIGN_PKCS1_4096_SHA256", "pkcs1", 4096, hashes.SHA256), 16: ("RSA_SIGN_PKCS1_4096_SHA512", "pkcs1", 4096, hashes.SHA512),
    8: ("RSA_DECRYPT_OAEP_2048_SHA256", None, 2048, None), 28: ("RSA_SIGN_RAW_PKCS1_2048", None, 2048, None),
    12: ("EC_SIGN_P256_SHA256", "ec", ec.SECP256R1, hashes.SHA256), 13: ("EC_SIGN_P384_SHA384", "ec", ec.SECP384R1, hashes.SHA384),
    31: ("EC_SIGN_SECP256K1_SHA256", "ec", ec.SECP256K1, hashes.SHA256), 40: ("EC_SIGN_ED25519", "ed25519", None, None),
}
NUMBERS = {name: number for number, (name, *_) in ALGORITHMS.items()}
STATES = ["UNSPECIFIED", "ENABLED", "DISABLED", "DESTROYED", "DESTROY_SCHEDULED", "PENDING_GENERATION"]
ENABLED, PENDING = 1, 5
SYMMETRIC, SIGN, DECRYPT = 1, 5, 6
HASHES = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
LOCK = threading.RLock()
RINGS, KEYS, DENIED = {RING, RING + "-of-signers"}, {}, set()
PENDING_LOOKS = [0]
MADE = {}


class Refusal(Exception):
    """A code of google.rpc with its text."""
    HTTP = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404,
            "ALREADY_EXISTS": 409}

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Version:
    def __init__(self, algorithm, state=ENABLED, protection=1):
        self.algorithm, self.state, self.protection, self.looks, self.lock = algorithm, state, protection, 0, threading.Lock()
        self.private = None

    def key(self):
        """Made when first asked for: large RSA keys take seconds."""
        with self.lock:
            if self.private is None:
                _, kind, size, _ = ALGORITHMS[self.algorithm]
                if kind == "ec":
                    self.private = ec.generate_private_key(size())
                elif kind == "ed25519":
                    self.private = ed25519.Ed25519PrivateKey.generate()
                else:
                    self.private = rsa.generate_private_key(65537, size or 2048)
            return self.private

    def pem(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key().public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def sign(self, digest, name, data):
        called, kind, _, hash_type = ALGORITHMS[self.algorithm]
        if kind is None:
            raise Refusal("INVALID_ARGUMENT", f"algorithm {called} does not sign")
        if kind == "ed25519":
            if data is None:
                raise Refusal("INVALID_ARGUMENT", "data is required for EC_SIGN_ED25519")
            return self.key().sign(data)
        if digest is None or HASHES[name] is not hash_type or len(digest) != hash_type.digest_size:
            raise Refusal("INVALID_ARGUMENT", f"the digest is not that of {called}")
        made = utils.Prehashed(hash_type())
        if kind == "ec":
            return self.key().sign(digest, ec.ECDSA(made))
        pad = padding.PKCS1v15() if kind == "pkcs1" else padding.PSS(padding.MGF1(hash_type()), hash_type.digest_size)
        return self.key().sign(digest, pad, made)


class Key:
    def __init__(self, algorithm, purpose=SIGN, protection=1):
        self.purpose, self.algorithm, self.versions = purpose, algorithm, {1: Version(algorithm, protection=protection)}


def start():
    for name, algorithm in [("p256", 12), ("p384", 13), ("rsa2048", 5), ("rsa3072", 6), ("rsa4096", 7), ("rsa4096-sha512", 16), ("pss2048", 2),
                            ("pss3072", 3), ("pss4096", 4), ("pss4096-sha512", 15), ("ed25519", 40), ("secp256k1", 31), ("raw", 28)]:
        KEYS[f"{RING}/cryptoKeys/{name}"] = Key(algorithm)
        if name not in ("pss4096-sha512", "secp256k1", "raw"):
            KEYS[f"{RING}-of-signers/cryptoKeys/{name}"] = Key(algorithm)
    KEYS[f"{RING}/cryptoKeys/symmetric"] = Key(1, SYMMETRIC)
    KEYS[f"{RING}/cryptoKeys/decrypts"] = Key(8, DECRYPT)
    KEYS[f"{RING}/cryptoKeys/hsm"] = Key(12, protection=2)


def may(permission):
    if permission in DENIED:
        raise Refusal("PERMISSION_DENIED", f"Permission '{permission}' denied on resource (or it may not exist).")


def key_of(name):
    if name not in KEYS:
        raise Refusal("NOT_FOUND", f"CryptoKey {name} not found.")
    return KEYS[name]


def version_of(name):
    key, _, number = name.partition("/cryptoKeyVersions/")
    versions = key_of(key).versions
    if not number.isdigit() or int(number) not in versions:
        raise Refusal("NOT_FOUND", f"CryptoKeyVersion {name} not found.")
    version = versions[int(number)]
    if version.state == PENDING:
        version.looks -= 1
        if version.looks < 0:
            version.state = ENABLED
    return version


def enabled(name):
    version = version_of(name)
    if version.state != ENABLED:
        raise Refusal("FAILED_PRECONDITION", f"{name} is not enabled, current state is: {STATES[version.state]}.")
    return version


def get_ring(name):
    may("cloudkms.keyRings.get")
    if name not in RINGS:
        raise Refusal("NOT_FOUND", f"KeyRing {name} not found.")
    return {"name": name}


def create_ring(parent, ring):
    may("cloudkms.keyRings.create")
    name = f"{parent}/keyRings/{ring}"
    if name in RINGS:
        raise Refusal("ALREADY_EXISTS", f"KeyRing {name} already exists.")
    RINGS.add(name)
    return {"name": name}


def show_key(name):
    return {"name": name, "purpose": key_of(name).purpose}


def get_key(name):
    may("cloudkms.cryptoKeys.get")
    return show_key(name)


def create_key(parent, name, purpose, algorithm):
    may("cloudkms.cryptoKeys.create")
    get_ring(parent)
    full = f"{parent}/cryptoKeys/{name}"
    if full in KEYS:
        raise Refusal("ALREADY_EXISTS", f"CryptoKey {full} already exists.")
    if algorithm not in ALGORITHMS:
        raise Refusal("INVALID_ARGUMENT", f"algorithm {algorithm} is not known")
    key = KEYS[full] = Key(algorithm, purpose)
    if PENDING_LOOKS[0]:
        key.versions[1].state, key.versions[1].looks = PENDING, PENDING_LOOKS[0]
    return show_key(full)


def show_version(name):
    version = version_of(name)
    return {"name": name, "state": version.state, "protectionLevel": version.protection, "algorithm": version.algorithm}


def list_versions(parent, wanted):
    may("cloudkms.cryptoKeyVersions.list")
    key = key_of(parent)
    if wanted not in ("", "state=ENABLED"):
        raise Refusal("INVALID_ARGUMENT", f"the filter {wanted} is not known")
    shown = [show_version(f"{parent}/cryptoKeyVersions/{number}") for number in sorted(key.versions, reverse=True)]
    return {"cryptoKeyVersions": [one for one in shown if not wanted or one["state"] == ENABLED]}


def get_version(name):
    may("cloudkms.cryptoKeyVersions.get")
    return show_version(name)


def get_public_key(name):
    may("cloudkms.cryptoKeyVersions.viewPublicKey")
    version = enabled(name)
    if version.algorithm == 1:
        raise Refusal("INVALID_ARGUMENT", f"{name} has no public key: its purpose is ENCRYPT_DECRYPT")
    pem = version.pem()
    return {"name": name, "pem": pem, "algorithm": version.algorithm, "protectionLevel": version.protection, "pemCrc32c": str(crc32c(pem.encode()))}


def asymmetric_sign(name, digest, digest_name, digest_crc, data, data_crc):
    may("cloudkms.cryptoKeyVersions.useToSign")
    for what, crc in ((digest, digest_crc), (data, data_crc)):
        if crc is not None and crc != crc32c(what or b""):
            raise Refusal("INVALID_ARGUMENT", "the checksum does not match")
    version = enabled(name)
    signature = version.sign(digest, digest_name, data)
    return {"name": name, "signature": base64.b64encode(signature).decode(), "signatureCrc32c": str(crc32c(signature)),
            "verifiedDigestCrc32c": digest_crc is not None, "verifiedDataCrc32c": data_crc is not None, "protectionLevel": version.protection}


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_token(value):
    """One that the login gave out, or one that the account signed itself."""
    refused = Refusal("UNAUTHENTICATED", "Request had invalid authentication credentials.")
    kind, _, token = (value or "").partition(" ")
    if kind.lower() != "bearer":
        raise refused
    if token in MADE:
        if MADE[token] < time.time():
            raise refused
        return
    check_assertion(token, refused)


def check_assertion(token, refused):
    try:
        signed, _, signature = token.rpartition(".")
        ACCOUNT.verify(unbase64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(unbase64(signed.split(".")[1]))
        if not claims["iat"] - 60 <= time.time() <= claims["exp"]:
            raise refused
    except (ValueError, KeyError, IndexError, InvalidSignature):
        raise refused from None


def new_token(seconds=3600):
    token = f"token-{len(MADE)}-{time.time_ns()}"
    MADE[token] = time.time() + seconds
    return {"access_token": token, "token_type": "Bearer", "expires_in": seconds}


def rig(body):
    """What a test changes: permissions, versions, how long keys are in the making."""
    if "deny" in body:
        DENIED.add(body["deny"])
    if "allow" in body:
        DENIED.discard(body["allow"])
    if "pending" in body:
        PENDING_LOOKS[0] = body["pending"]
    if "key" in body:
        KEYS.setdefault(body["key"], Key(NUMBERS[body.get("algorithm", "EC_SIGN_P256_SHA256")]))
    if "rotate" in body:
        key = key_of(body["rotate"])
        key.versions[max(key.versions) + 1] = Version(key.algorithm)
    if "version" in body:
        key, _, number = body["version"].partition("/cryptoKeyVersions/")
        key_of(key).versions[int(number)].state = STATES.index(body["state"])
    if "forget" in body:
        MADE.clear()
    return {}


def rest(method, path, query, body):
    if method == "POST" and path.endswith(":asymmetricSign"):
        digest = body.get("digest", {})
        name = next(iter(digest), None)
        crc = lambda field: int(body[field]) if field in body else None
        return asymmetric_sign(path.removesuffix(":asymmetricSign"), unbase64_any(digest[name]) if name else None, name, crc("digestCrc32c"),
                               unbase64_any(body["data"]) if "data" in body else None, crc("dataCrc32c"))
    if method == "POST" and path.endswith(":testIamPermissions"):
        return {"permissions": [one for one in body["permissions"] if one not in DENIED]}
    parent, _, last = path.rpartition("/")
    if method == "POST" and last == "keyRings":
        return create_ring(parent, query["keyRingId"])
    if method == "POST" and last == "cryptoKeys":
        algorithm = body["versionTemplate"]["algorithm"]
        purpose = body["purpose"]
        return create_key(parent, query["cryptoKeyId"], SIGN if purpose in (SIGN, "ASYMMETRIC_SIGN") else purpose, NUMBERS.get(algorithm, algorithm))
    if method != "GET":
        raise Refusal("NOT_FOUND", "no such method")
    if last == "publicKey":
        return get_public_key(parent)
    if last == "cryptoKeyVersions":
        return list_versions(parent, query.get("filter", ""))
    if last == "cryptoKeys":
        may("cloudkms.cryptoKeys.list")
        return {"cryptoKeys": [show_key(name) for name in sorted(KEYS) if name.startswith(parent + "/cryptoKeys/")]}
    if last == "keyRings":
        may("cloudkms.keyRings.list")
        return {"keyRings": [{"name": name} for name in sorted(RINGS) if name.startswith(parent + "/")]}
    if "/cryptoKeyVersions/" in path:
        return get_version(path)
    return get_key(path) if "/cryptoKeys/" in path else get_ring(path)


def unbase64_any(text):
    return unbase64(text.replace("+", "-").replace("/", "_").rstrip("="))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=UTF-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            with LOCK:
                self.answer(200, self.act(url, raw))
        except Refusal as refusal:
            status = Refusal.HTTP[refusal.code]
            self.answer(status, {"error": {"code": status, "message": refusal.text, "status": refusal.code}})

    def act(self, url, raw):
        if url.path == "/rig":
            return rig(json.loads(raw))
        if url.path == "/token":
            form = {name: [value] for name, value in json.loads(raw).items()} if raw.startswith(b"{") else parse_qs(raw.decode())
            if "assertion" in form:
                check_assertion(form["assertion"][0], Refusal("UNAUTHENTICATED", "invalid_grant"))
            elif form.get("refresh_token", [""])[0] != "rig-refresh" and "subject_token" not in form:
                raise Refusal("UNAUTHENTICATED", "invalid_grant")
            return {**new_token(), "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
        if url.path.startswith("/computeMetadata/"):
            if self.headers.get("metadata-flavor") != "Google":
                raise Refusal("PERMISSION_DENIED", "Metadata-Flavor is missing")
            return new_token()
        if url.path.endswith(":generateAccessToken"):
            check_token(self.headers.get("authorization"))
            made = new_token()
            return {"accessToken": made["access_token"], "expireTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}
        check_token(self.headers.get("authorization"))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        return rest(self.command, unquote(url.path).removeprefix("/v1/"), query, json.loads(raw) if raw else {})

    do_GET = do_POST = serve


# The wire form of protocol buffers, as far as these messages need it.
def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(int(value)) if value else b""


def blob(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value if value else b""


def read(data):
    fields, at = {}, 0

    def next_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        tag = next_varint()
        if tag & 7 == 0:
            value = next_varint()
        elif tag & 7 == 2:
            size = next_varint()
            value, at = data[at:at + size], at + size
        else:
            raise ValueError("a wire type that no message here has")
        fields[tag >> 3] = value
    return fields


def pb_version(one):
    return blob(1, one["name"]) + number(3, one["state"]) + number(7, one["protectionLevel"]) + number(10, one["algorithm"])


def pb_key(one):
    return blob(1, one["name"]) + number(3, one["purpose"])


def call_sign(fields):
    digest = read(fields[3]) if 3 in fields else {}
    which = next(iter(digest), None)
    wrapped = lambda field: read(fields[field]).get(1, 0) if field in fields else None
    made = asymmetric_sign(fields[1].decode(), digest.get(which), {1: "sha256", 2: "sha384", 3: "sha512", None: None}[which], wrapped(4), fields.get(6), wrapped(7))
    signature = base64.b64decode(made["signature"])
    return (blob(1, signature) + blob(2, number(1, made["signatureCrc32c"])) + number(3, made["verifiedDigestCrc32c"]) + blob(4, made["name"])
            + number(5, made["verifiedDataCrc32c"]) + number(6, made["protectionLevel"]))


def call_public_key(fields):
    made = get_public_key(fields[1].decode())
    return blob(1, made["pem"]) + number(2, made["algorithm"]) + blob(3, number(1, made["pemCrc32c"])) + blob(4, made["name"]) + number(5, made["protectionLevel"])


def call_create_key(fields):
    key = read(fields[3])
    return pb_key(create_key(fields[1].decode(), fields[2].decode(), key.get(3, 0), read(key[11]).get(3, 0)))


CALLS = {
    "GetKeyRing": lambda fields: blob(1, get_ring(fields[1].decode())["name"]),
    "CreateKeyRing": lambda fields: blob(1, create_ring(fields[1].decode(), fields[2].decode())["name"]),
    "GetCryptoKey": lambda fields: pb_key(get_key(fields[1].decode())),
    "CreateCryptoKey": call_create_key,
    "ListCryptoKeyVersions": lambda fields: b"".join(
        blob(1, pb_version(one)) for one in list_versions(fields[1].decode(), fields.get(5, b"").decode())["cryptoKeyVersions"]),
    "GetCryptoKeyVersion": lambda fields: pb_version(get_version(fields[1].decode())),
    "GetPublicKey": call_public_key,
    "AsymmetricSign": call_sign,
}


class Service(grpc.GenericRpcHandler):
    def service(self, details):
        call = CALLS.get(details.method.rpartition("/")[2])
        if call is None:
            return None

        def serve(request, context):
            try:
                check_token(dict(context.invocation_metadata()).get("authorization"))
                with LOCK:
                    return call(read(request))
            except Refusal as refusal:
                context.abort(grpc.StatusCode[refusal.code], refusal.text)
        return grpc.unary_unary_rpc_method_handler(serve)


def main():
    start()
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    rpc = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Service()])
    port = rpc.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([((DIR / "server.key").read_bytes(), (DIR / "server.pem").read_bytes())]))
    rpc.start()
    print(web.server_address[1], port, flush=True)
    web.serve_forever()


main()
