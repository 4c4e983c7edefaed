"""Microsoft Entra ID's routes, as far as a program that logs in asks for them, and who may do what."""
import hashlib, json, secrets, time
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from keys import Refusal, b64, unb64

TENANT = "11111111-2222-3333-4444-555555555555"
# A vault's suffix, who vouches for callers there, and for whom the token must be made out.
CLOUDS = {
    "vault.azure.net": "login.microsoftonline.com", "managedhsm.azure.net": "login.microsoftonline.com",
    "vault.usgovcloudapi.net": "login.microsoftonline.us", "managedhsm.usgovcloudapi.net": "login.microsoftonline.us",
    "vault.azure.cn": "login.chinacloudapi.cn", "managedhsm.azure.cn": "login.chinacloudapi.cn",
}
ALL = {"get", "list", "create", "sign", "verify"}
# Programs, and what each may do with keys.
RIGHTS = {
    "signer": ALL, "reader": {"get", "list"}, "blind": {"sign"}, "nobody": set(), "machine": ALL, "person": ALL,
}


def suffix(host):
    """The cloud that a host belongs to; one that is named by its address is of the public cloud."""
    return next((name for name in CLOUDS if host.endswith("." + name)), "vault.azure.net")


def entra(status, number, error, text):
    refused = Refusal(status, "", "")
    refused.body = {"error": error, "error_description": f"AADSTS{number}: {text} Trace ID: 0 Correlation ID: 0", "error_codes": [number]}
    return refused


class Login:
    """Who is known, and the tokens given out."""

    def __init__(self, directory, secret):
        self.directory, self.secret, self.tokens, self.lifetime = directory, secret, {}, 3600

    def give(self, who, audience):
        claims = {"aud": f"https://{audience}", "appid": who, "oid": f"object-of-{who}", "tid": TENANT}
        # Of the form of a JWT; who bears it is looked up, not read there.
        token = f"{b64(b'{}')}.{b64(json.dumps(claims).encode())}.{secrets.token_urlsafe(24)}"
        self.tokens[token] = (who, audience, time.time() + self.lifetime)
        return token

    def answer(self, host, method, path, form):
        """One request to a login host."""
        if path == "/common/discovery/instance":
            known = [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}]
            return {"tenant_discovery_endpoint": f"https://{host}/{TENANT}/v2.0/.well-known/openid-configuration", "api-version": "1.1", "metadata": known}
        tenant, _, route = path.strip("/").partition("/")
        if tenant != TENANT:
            raise entra(400, 90002, "invalid_request", f"Tenant '{tenant}' not found.")
        if route == "v2.0/.well-known/openid-configuration":
            base = f"https://{host}/{TENANT}"
            return {"token_endpoint": f"{base}/oauth2/v2.0/token", "authorization_endpoint": f"{base}/oauth2/v2.0/authorize", "issuer": f"{base}/v2.0"}
        if route != "oauth2/v2.0/token" or method != "POST":
            raise Refusal(404, "NotFound", "no such route")
        who, scopes = form.get("client_id"), form.get("scope", "").split(" ")
        if who not in RIGHTS:
            raise entra(400, 700016, "unauthorized_client", f"Application with identifier '{who}' was not found in the directory.")
        audience = next((scope.removesuffix("/.default").removeprefix("https://") for scope in scopes if scope.endswith("/.default")), None)
        if CLOUDS.get(audience) != host:
            raise entra(400, 500011, "invalid_resource", f"The resource principal named {audience} was not found in the tenant.")
        if "client_assertion" in form:
            self.check_assertion(host, who, form["client_assertion"])
        elif form.get("client_secret") != self.secret:
            raise entra(401, 7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value.")
        return {"token_type": "Bearer", "expires_in": self.lifetime, "ext_expires_in": self.lifetime, "access_token": self.give(who, audience)}

    def check_assertion(self, host, who, assertion):
        """Another issuer's token, as a file of the rig holds it, or one signed with the rig's certificate (RFC 7523)."""
        refused = entra(401, 700027, "invalid_client", "Client assertion failed signature validation.")
        if assertion == (self.directory / "federated-token").read_text():
            return
        try:
            head, claims, signature = assertion.split(".")
            header, said = json.loads(unb64(head)), json.loads(unb64(claims))
            certificate = x509.load_pem_x509_certificate((self.directory / "client.pem").read_bytes())
            der = certificate.public_bytes(serialization.Encoding.DER)
            if unb64(header["x5t#S256"]) != hashlib.sha256(der).digest():
                raise refused
            pad = {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), 32)}[header["alg"]]
            certificate.public_key().verify(unb64(signature), f"{head}.{claims}".encode(), pad, hashes.SHA256())
            audience = f"https://{host}/{TENANT}/oauth2/v2.0/token"
            if said["aud"] != audience or not said["iss"] == said["sub"] == who or not said["jti"] or not said["nbf"] <= time.time() + 300 or not time.time() < said["exp"] < time.time() + 3600:
                raise refused
        except (ValueError, KeyError, InvalidSignature) as cause:
            raise refused from cause

    def who(self, host, authorization):
        """Whose token it is; none where it is unknown, over, or made out for another service."""
        who, audience, until = self.tokens.get((authorization or "").removeprefix("Bearer "), (None, None, 0))
        return who if audience == suffix(host) and time.time() < until else None
