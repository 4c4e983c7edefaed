"""Stands before the service: takes TLS under the rig's names, asked for by CONNECT as a proxy is, or straight."""
import base64, socket, ssl, threading


def relay(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Front:
    """`http://to:PORT@127.0.0.1:…` as a proxy's address leads to PORT in place of the service: a test listens there."""

    def __init__(self, certificate, key, service):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(["http/1.1"])
        self.service = service
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]

    def serve(self):
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self.one, args=(stream,), daemon=True).start()

    def one(self, stream):
        try:
            port = self.service
            if stream.recv(1, socket.MSG_PEEK) != b"\x16":
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    byte = stream.recv(1)
                    if not byte:
                        return
                    head += byte
                if not head.startswith(b"CONNECT "):
                    return stream.sendall(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")
                for line in head.decode().split("\r\n"):
                    name, _, value = line.partition(": ")
                    if name.lower() == "proxy-authorization":
                        port = int(base64.b64decode(value.removeprefix("Basic ")).decode().split(":")[1])
                stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            inside = self.context.wrap_socket(stream, server_side=True)
            stream = inside
            server = socket.create_connection(("127.0.0.1", port))
            for end in (inside, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=relay, args=(server, inside), daemon=True).start()
            relay(inside, server)
        except OSError:
            pass
        finally:
            stream.close()
