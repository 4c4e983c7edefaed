"""Runs the log and the timestamp authority in a network namespace of their own, and leads to them from 127.0.0.1.

Outside, two ports are led to two Unix sockets, which reach across namespaces; inside, those are led to the servers. Ends its
children with itself, by SIGTERM or when its owner ends. The standard library alone.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

REKOR, TSA = 3003, 3010
LIMIT = 25  # seconds to start in


def child(command, **more):
    """A process that ends when we do: PR_SET_PDEATHSIG is 1."""
    die = lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    return subprocess.Popen(command, preexec_fn=die, stdin=subprocess.DEVNULL, **more)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end, how in ((source, socket.SHUT_RD), (target, socket.SHUT_WR)):
        try:
            end.shutdown(how)
        except OSError:
            pass


def relay(listener, family, address):
    """Leads every connection to another address."""

    def serve():
        while True:
            client, _ = listener.accept()
            server = socket.socket(family)
            try:
                server.connect(address)
            except OSError:
                client.close()
                continue
            for ends in ((client, server), (server, client)):
                threading.Thread(target=copy, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def listen(family, address):
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen(64)
    return listener


def wait_for(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + LIMIT
    while True:
        try:
            return opener.open(url, timeout=2).read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def inside(directory, programs):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    home = {"PATH": os.environ["PATH"], "HOME": directory + "/home"}
    child([programs + "/timestamp-server", "serve", "--host", "127.0.0.1", "--port", str(TSA), "--timestamp-signer",
           "memory", "--disable-ntp-monitoring"], env=home)
    child([programs + "/posix", "serve", "--http-address", "127.0.0.1", "--http-port", str(REKOR), "--grpc-address",
           "127.0.0.1", "--grpc-port", "3001", "--http-metrics-port", "2114", "--hostname", "127.0.0.1", "--storage-dir",
           directory + "/tiles", "--signer-filepath", directory + "/rekor.pem", "--checkpoint-interval", "300ms"], env=home)
    chain = wait_for(f"http://127.0.0.1:{TSA}/api/v1/timestamp/certchain")
    wait_for(f"http://127.0.0.1:{REKOR}/healthz")
    with open(directory + "/tsa.pem", "wb") as file:
        file.write(chain)
    for name, port in (("rekor", REKOR), ("tsa", TSA)):
        relay(listen(socket.AF_UNIX, f"{directory}/{name}.sock"), socket.AF_INET, ("127.0.0.1", port))
    print("inside is ready", flush=True)
    signal.pause()


def outside(directory, programs, cosign, owner):
    os.mkdir(directory + "/home")
    run = lambda *command: subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], "HOME": directory + "/home"})
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", directory + "/rekor.pem")
    run("openssl", "pkey", "-in", directory + "/rekor.pem", "-pubout", "-out", directory + "/rekor.pub")
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    servers = child(["unshare", "--net", *as_root, sys.executable, __file__, "inside", directory, programs])
    end = time.monotonic() + LIMIT
    while not os.path.exists(directory + "/tsa.sock"):
        if servers.poll() is not None or time.monotonic() > end:
            sys.exit("the servers did not start")
        time.sleep(0.05)
    ports = {}
    for name in ("rekor", "tsa"):
        listener = listen(socket.AF_INET, ("127.0.0.1", 0))
        ports[name] = listener.getsockname()[1]
        relay(listener, socket.AF_UNIX, f"{directory}/{name}.sock")
    rekor, tsa = f"http://127.0.0.1:{ports['rekor']}", f"http://127.0.0.1:{ports['tsa']}/api/v1/timestamp"
    since = "start-time=2025-01-01T00:00:00Z"
    root, config = directory + "/trusted_root.json", directory + "/signing_config.json"
    run(cosign, "trusted-root", "create", f"--rekor=url={rekor},public-key={directory}/rekor.pub,{since},origin=127.0.0.1",
        f"--tsa=url={tsa},certificate-chain={directory}/tsa.pem", "--out", root)
    run(cosign, "signing-config", "create", f"--rekor=url={rekor},api-version=2,{since},operator=rig", "--rekor-config=ANY",
        f"--tsa=url={tsa},api-version=1,{since},operator=rig", "--tsa-config=ANY", "--out", config)
    exports = {"RIG_REKOR_URL": rekor, "RIG_TSA_URL": tsa, "RIG_TRUSTED_ROOT": root, "RIG_SIGNING_CONFIG": config}
    with open(directory + "/exports.new", "w") as file:
        file.writelines(f"export {name}='{value}'\n" for name, value in exports.items())
    os.rename(directory + "/exports.new", directory + "/exports")
    while servers.poll() is None and (not owner or os.path.exists(f"/proc/{owner}")):
        time.sleep(0.5)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    {"inside": inside, "outside": outside}[sys.argv[1]](*sys.argv[2:])
