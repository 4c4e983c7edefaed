"""Keys in vaults and managed HSMs, as Azure's public REST reference describes them (Keys, api-version 7.x and dates)."""
import base64, hashlib, time, uuid
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

CURVES = {"P-256": (ec.SECP256R1, 32), "P-384": (ec.SECP384R1, 48), "P-521": (ec.SECP521R1, 66), "P-256K": (ec.SECP256K1, 32)}
FOR_CURVE = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


class Refusal(Exception):
    """A status, a code, what is told people, and the inner code where there is one."""

    def __init__(self, status, code, message, inner=None):
        self.status, self.body = status, {"error": {"code": code, "message": message}}
        if inner:
            self.body["error"]["innererror"] = {"code": inner}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value, width=None):
    return b64(value.to_bytes(width or (value.bit_length() + 7) // 8, "big"))


class Version:
    """One version of a key."""

    def __init__(self, kid, wish):
        self.kid, self.kty = kid, wish.get("kty", "EC")
        self.ops = wish.get("key_ops") or ["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"]
        now = int(time.time())
        self.attributes = {"enabled": True, "created": now, "updated": now, "recoveryLevel": "Recoverable+Purgeable", **(wish.get("attributes") or {})}
        self.tags = wish.get("tags")
        if self.kty.startswith("EC"):
            # `key_size` is for RSA and is not looked at.
            self.crv = wish.get("crv", "P-256")
            if self.crv not in CURVES:
                raise Refusal(400, "BadParameter", f"Property crv has an invalid value: {self.crv}")
            self.private = ec.generate_private_key(CURVES[self.crv][0]())
        elif self.kty.startswith("RSA"):
            self.crv, size = None, wish.get("key_size", 2048)
            if size not in (1024, 2048, 3072, 4096):
                raise Refusal(400, "BadParameter", "The specified RSA key size is not supported.")
            self.private = rsa.generate_private_key(65537, size)
        elif self.kty.startswith("oct"):
            self.crv = self.private = None
        else:
            raise Refusal(400, "BadParameter", f"Property kty has an invalid value: {self.kty}")

    def bundle(self):
        key = {"kid": self.kid, "kty": self.kty, "key_ops": self.ops}
        if self.crv:
            point, width = self.private.public_key().public_numbers(), CURVES[self.crv][1]
            key |= {"crv": self.crv, "x": number(point.x, width), "y": number(point.y, width)}
        elif self.private:
            numbers = self.private.public_key().public_numbers()
            key |= {"n": number(numbers.n), "e": number(numbers.e)}
        return {"key": key, "attributes": self.attributes} | ({"tags": self.tags} if self.tags else {})

    def refuse(self, operation):
        """Whether the key may do this now."""
        article = f"Operation {operation} is not allowed on"
        now = time.time()
        if not self.attributes["enabled"]:
            raise Refusal(403, "Forbidden", f"{article} a disabled key.", "KeyDisabled")
        if operation == "sign" and now < self.attributes.get("nbf", 0):
            raise Refusal(403, "Forbidden", f"{article} a key that is not yet valid.", "KeyNotYetValid")
        if operation == "sign" and now > self.attributes.get("exp", now):
            raise Refusal(403, "Forbidden", f"{article} an expired key.", "KeyExpired")
        if operation not in self.ops:
            raise Refusal(403, "Forbidden", f"Operation {operation} is not permitted on this key.", "KeyOperationForbidden")

    def scheme(self, algorithm, digest):
        """What `cryptography` calls it, once key, algorithm and digest are seen to go together."""
        kind, made = algorithm[:2], HASHES.get(algorithm[2:5])
        fits = (FOR_CURVE.get(algorithm) == self.crv) if self.crv else (kind in ("RS", "PS") and self.private)
        if not made or not fits:
            raise Refusal(400, "BadParameter", f"Key and signing algorithm are incompatible. Key {self.kid} is of type '{self.kty}', and algorithm is '{algorithm}'.")
        if len(digest) != made().digest_size:
            raise Refusal(400, "BadParameter", f"Invalid length of 'value': {len(digest)} bytes. {algorithm} requires {made().digest_size} bytes, encoded with base64url.")
        hashed = utils.Prehashed(made())
        if self.crv:
            return (ec.ECDSA(hashed),)
        pad = padding.PKCS1v15() if kind == "RS" else padding.PSS(padding.MGF1(made()), made().digest_size)
        return pad, hashed

    def sign(self, body):
        self.refuse("sign")
        digest = unb64(body["value"])
        made = self.private.sign(digest, *self.scheme(body["alg"], digest)) if self.private else self.scheme(body["alg"], digest)
        if self.crv:
            width = CURVES[self.crv][1]
            made = b"".join(half.to_bytes(width, "big") for half in utils.decode_dss_signature(made))
        return {"kid": self.kid, "value": b64(made)}

    def verify(self, body):
        self.refuse("verify")
        digest, made = unb64(body["digest"]), unb64(body["value"])
        if self.crv:
            width = CURVES[self.crv][1]
            if len(made) != 2 * width:
                raise Refusal(400, "BadParameter", f"Invalid length of 'value': {len(made)} bytes.")
            made = utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in (made[:width], made[width:])))
        try:
            self.private.public_key().verify(made, digest, *self.scheme(body["alg"], digest))
            return {"value": True}
        except InvalidSignature:
            return {"value": False}


class Vault:
    """The keys at one host, by name and version."""

    def __init__(self, host):
        self.host, self.keys, self.deleted = host, {}, set()

    def create(self, name, wish):
        if name.lower() in self.deleted:
            raise Refusal(409, "Conflict", f"Key {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.", "ObjectIsDeletedButRecoverable")
        if ".managedhsm." in self.host and not wish.get("kty", "").endswith("-HSM"):
            raise Refusal(400, "BadParameter", "Managed HSM makes keys of the types EC-HSM, RSA-HSM and oct-HSM.")
        version = hashlib.sha256(uuid.uuid4().bytes).hexdigest()[:32]
        made = Version(f"https://{self.host}/keys/{name}/{version}", wish)
        self.keys.setdefault(name.lower(), {})[version] = made
        return made

    def find(self, name, version=None):
        versions = self.keys.get(name.lower())
        found = versions and (versions.get(version) if version else list(versions.values())[-1])
        if not found:
            raise Refusal(404, "KeyNotFound", f"A key with (name/id) {name}{'/' + version if version else ''} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command.")
        return found

    def list(self, skip, page):
        names = sorted(self.keys)
        shown = [list(self.keys[name].values())[-1] for name in names[skip:skip + page]]
        value = [{"kid": one.kid.rsplit("/", 1)[0], "attributes": one.attributes} for one in shown]
        more = f"https://{self.host}/keys?api-version=2025-07-01&$skiptoken={skip + page}" if skip + page < len(names) else None
        return {"value": value, "nextLink": more}
