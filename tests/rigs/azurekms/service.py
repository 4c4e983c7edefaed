"""A stand-in for Azure Key Vault, Managed HSM and Microsoft Entra ID on this machine. Real keys, real signatures.

service.py DIRECTORY SECRET: prints its two ports, the plain one and that of TLS, and serves until it is ended.
"""
import json, pathlib, sys, threading, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from front import Front
from keys import Refusal, Vault
from login import CLOUDS, RIGHTS, TENANT, Login, suffix

PAGE = 4
LOGIN_HOSTS = set(CLOUDS.values())


class World:
    def __init__(self, directory, secret):
        self.login, self.vaults, self.lock = Login(directory, secret), {}, threading.Lock()
        self.audience = None

    def vault(self, host):
        with self.lock:
            return self.vaults.setdefault(host.lower(), Vault(host.lower()))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world = None

    def log_message(self, *_):
        pass

    def send(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("content-type", "application/json; charset=utf-8"), ("content-length", str(len(data))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def handle_one(self):
        world, host = self.world, self.headers.get("host", "")
        place = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(place.query))
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            if place.path.startswith("/rig/"):
                return self.send(200, self.of_the_rig(place.path.split("/")[2:], json.loads(data or b"{}")))
            if host in LOGIN_HOSTS:
                form = dict(urllib.parse.parse_qsl(data.decode()))
                return self.send(200, world.login.answer(host, self.command, place.path, form))
            if place.path == "/msi/token":
                return self.send(200, self.of_the_machine(query))
            who = world.login.who(host, self.headers.get("authorization"))
            if not who:
                cloud = suffix(host)
                challenge = f'Bearer authorization="https://{CLOUDS[cloud]}/{TENANT}", resource="https://{world.audience or cloud}"'
                refused = {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}}
                return self.send(401, refused, [("www-authenticate", challenge)])
            if "api-version" not in query:
                raise Refusal(400, "BadParameter", "api-version must be specified")
            parts = [part for part in place.path.split("/") if part]
            return self.send(200, self.of_a_vault(world.vault(host), who, parts, query, json.loads(data or b"{}")))
        except Refusal as refused:
            self.send(refused.status, refused.body)

    do_GET = do_POST = handle_one

    def of_a_vault(self, vault, who, parts, query, body):
        def may(right):
            if right not in RIGHTS[who]:
                text = f"The user, group or application 'appid={who};iss=https://sts.windows.net/{TENANT}/' does not have keys {right} permission on key vault '{vault.host.split('.')[0]};location=westeurope'."
                raise Refusal(403, "Forbidden", text, "AccessDenied")

        match self.command, parts:
            case "GET", ["keys"]:
                may("list")
                return vault.list(int(query.get("$skiptoken", 0)), PAGE)
            case "GET", ["keys", name, *version] if len(version) < 2:
                may("get")
                return vault.find(name, *version).bundle()
            case "POST", ["keys", name, "create"]:
                may("create")
                return vault.create(name, body).bundle()
            case "POST", ["keys", name, *version, ("sign" | "verify") as act] if len(version) < 2:
                may(act)
                key = vault.find(name, *version)
                return key.sign(body) if act == "sign" else key.verify(body)
        raise Refusal(404, "NotFound", "no such route")

    def of_the_machine(self, query):
        """A managed identity's token, as App Service hands it out."""
        if self.headers.get("x-identity-header") != self.world.login.secret:
            raise Refusal(401, "Unauthorized", "the header is not that of this machine")
        audience = query["resource"].removeprefix("https://")
        who = query.get("client_id", "machine")
        return {"access_token": self.world.login.give(who, audience), "expires_on": "4102444800", "resource": query["resource"], "token_type": "Bearer"}

    def of_the_rig(self, parts, body):
        """What an owner does behind everybody's back."""
        match parts:
            case ["make", host, name]:
                return self.world.vault(host).create(name, body).bundle()
            case ["change", host, name]:
                key = self.world.vault(host).find(name)
                key.attributes |= body.get("attributes", {})
                key.ops = body.get("key_ops", key.ops)
                return key.bundle()
            case ["delete", host, name]:
                vault = self.world.vault(host)
                vault.keys.pop(name.lower())
                vault.deleted.add(name.lower())
            case ["forget-tokens"]:
                self.world.login.tokens.clear()
            case ["audience", audience]:
                self.world.audience = None if audience == "own" else audience
            case ["token", who, audience]:
                return {"token": self.world.login.give(who, audience)}
        return {}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    directory, secret = pathlib.Path(sys.argv[1]), sys.argv[2]
    Handler.world = World(directory, secret)
    service = Server(("127.0.0.1", 0), Handler)
    front = Front(directory / "server.pem", directory / "server.key", service.server_port)
    threading.Thread(target=front.serve, daemon=True).start()
    vault = Handler.world.vault("rig.vault.azure.net")
    for name, curve in (("p256", "P-256"), ("p384", "P-384"), ("p521", "P-521")):
        vault.create(name, {"kty": "EC", "crv": curve})
    for size in (2048, 3072, 4096):
        vault.create(f"rsa{size}", {"kty": "RSA", "key_size": size})
    print(service.server_port, front.port, flush=True)
    service.serve_forever()


main()
