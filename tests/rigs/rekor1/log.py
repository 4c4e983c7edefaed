"""Runs Rekor of version 1: PostgreSQL outside, on a Unix socket; Trillian and Rekor in a network namespace of their own.

Shares its means with the rig of the newer log. Ends its children with itself. The standard library alone.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from rig import child, listen, relay, wait_for

REKOR, LOG, SIGNER = 3004, 8090, 8093
LIMIT = 40  # seconds to start in


def wait(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what} did not start")
        time.sleep(0.05)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def inside(directory, programs, database):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    home = {"PATH": os.environ["PATH"], "HOME": directory + "/home"}
    storage = ["--storage_system=postgresql", "--quota_system=noop", f"--postgresql_uri={database}", "--http_endpoint="]
    child([programs + "/trillian_log_server", *storage, f"--rpc_endpoint=127.0.0.1:{LOG}"], env=home)
    child([programs + "/trillian_log_signer", *storage, f"--rpc_endpoint=127.0.0.1:{SIGNER}", "--force_master",
           "--sequencer_interval=50ms"], env=home)
    wait(lambda: accepts(LOG), "Trillian")
    create = [programs + "/createtree", f"--admin_server=127.0.0.1:{LOG}"]
    tree = subprocess.run(create, check=True, env=home, stdout=subprocess.PIPE).stdout.decode().strip()
    child([programs + "/rekor-server", "serve", "--rekor_server.address", "127.0.0.1", "--port", str(REKOR),
           "--trillian_log_server.address", "127.0.0.1", "--trillian_log_server.port", str(LOG),
           "--trillian_log_server.tlog_id", tree, "--rekor_server.signer", directory + "/rekor.pem",
           "--rekor_server.hostname", "127.0.0.1", "--enable_retrieve_api=false"], env=home)
    key = wait_for(f"http://127.0.0.1:{REKOR}/api/v1/log/publicKey")
    with open(directory + "/rekor.pub.new", "wb") as file:
        file.write(key)
    relay(listen(socket.AF_UNIX, directory + "/rekor.sock"), socket.AF_INET, ("127.0.0.1", REKOR))
    os.rename(directory + "/rekor.pub.new", directory + "/rekor.pub")
    signal.pause()


def database(postgres, schema):
    """A new database on a socket in a directory of its own, which is returned. The server refuses to run as root."""
    place = tempfile.mkdtemp(prefix="rekor1-")
    as_user = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(place, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    run = lambda *command, **more: subprocess.run([*as_user, *command], check=True, cwd=place, **more)
    run(postgres + "/initdb", "--no-sync", "--auth=trust", "--username=trillian", place + "/data", stdout=subprocess.DEVNULL)
    server = child([*as_user, postgres + "/postgres", "-D", place + "/data", "-k", place, "-c", "listen_addresses=",
                    "-c", "fsync=off"], cwd=place)
    wait(lambda: os.path.exists(place + "/.s.PGSQL.5432"), "PostgreSQL")
    query = [postgres + "/psql", "--no-psqlrc", "--quiet", "--host", place, "--username", "trillian", "postgres"]
    for tries in range(100):
        if subprocess.run([*query, "--command", "create database trillian"], stdout=subprocess.DEVNULL).returncode == 0:
            break
        time.sleep(0.1)
    with open(schema) as file:
        subprocess.run([*query[:-1], "trillian"], check=True, stdin=file, stdout=subprocess.DEVNULL)
    return place, server


def outside(directory, programs, cosign, postgres, owner):
    os.mkdir(directory + "/home")
    run = lambda *command: subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], "HOME": directory + "/home"})
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", directory + "/rekor.pem")
    place, server = database(postgres, programs + "/storage.sql")
    try:
        uri = f"postgresql://trillian@/trillian?host={place}"
        as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", "--net", *as_root, sys.executable, __file__, "inside", directory, programs, uri]
        servers = child(command)
        wait(lambda: servers.poll() is not None or os.path.exists(directory + "/rekor.pub"), "Rekor")
        if servers.poll() is not None:
            sys.exit("the servers did not start")
        listener = listen(socket.AF_INET, ("127.0.0.1", 0))
        relay(listener, socket.AF_UNIX, directory + "/rekor.sock")
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        since, key = "start-time=2025-01-01T00:00:00Z", directory + "/rekor.pub"
        root, config = directory + "/trusted_root.json", directory + "/signing_config.json"
        run(cosign, "trusted-root", "create", f"--rekor=url={url},public-key={key},{since}", "--out", root)
        run(cosign, "signing-config", "create", f"--rekor=url={url},api-version=1,{since},operator=rig", "--rekor-config=ANY",
            "--out", config)
        exports = {"URL": url, "KEY": key, "TRUSTED_ROOT": root, "SIGNING_CONFIG": config}
        with open(directory + "/exports.new", "w") as file:
            file.writelines(f"export RIG_REKOR1_{name}='{value}'\n" for name, value in exports.items())
        os.rename(directory + "/exports.new", directory + "/exports")
        while servers.poll() is None and (not owner or os.path.exists(f"/proc/{owner}")):
            time.sleep(0.5)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(place, ignore_errors=True)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
{"inside": inside, "outside": outside}[sys.argv[1]](*sys.argv[2:])
