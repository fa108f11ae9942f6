"""Loopback servers that misbehave to order, a proxy, and a certificate authority of their own."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Request:
    """What a client sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Behave = Callable[[socket.socket, Request, int], "bool | None"]


class Server:
    """Calls ``behave(connection, request, count)`` for every request; True keeps it open for the next."""

    def __init__(self, behave: Behave, context: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.context = context
        self.seen: list[Request] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            while (request := read_request(connection)) is not None:
                with self._lock:
                    self.seen.append(request)
                    count = len(self.seen)
                if not self.behave(connection, request, count):
                    break
        except OSError:
            pass  # the client hung up, which several tests want
        finally:
            connection.close()

    def close(self) -> None:
        self._socket.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.close()


def read_request(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Request(method, target, headers, body)


def response(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A whole response; header names with ``_`` for ``-``; ``content_length=""`` leaves that one out."""
    fields = {"content_type": "application/json", "content_length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value != ""]
    head = [f"HTTP/1.1 {status}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def always(*answers: bytes, keep: bool = True) -> Behave:
    """Each of the answers in turn, the last one for ever."""

    def behave(connection: socket.socket, request: Request, count: int) -> bool:
        connection.sendall(answers[min(count, len(answers)) - 1])
        return keep

    return behave


def answer(value: object, status: str = "200 OK", **headers: str) -> bytes:
    return response(json.dumps(value).encode(), status, **headers)


class Proxy(Server):
    """A forward proxy: CONNECT and absolute addresses, whatever the host is called, lead to ``port`` on loopback."""

    def __init__(self, port: int, password: str | None = None, context: ssl.SSLContext | None = None) -> None:
        self.to = port
        self.password = password
        super().__init__(self._forward, context)

    def _forward(self, connection: socket.socket, request: Request, count: int) -> bool:
        if self.password and request.headers.get("proxy-authorization") != self.password:
            connection.sendall(response(b"", "407 Proxy Authentication Required", proxy_authenticate="Basic"))
            return False
        with socket.create_connection(("127.0.0.1", self.to)) as onward:
            if request.method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                threading.Thread(target=pump, args=(onward, connection), daemon=True).start()
                pump(connection, onward)
                return False
            path = "/" + request.target.split("://", 1)[1].partition("/")[2]
            lines = [f"{name}: {value}" for name, value in request.headers.items() if not name.startswith("proxy-")]
            lines = [line for line in lines if not line.startswith("connection")] + ["connection: close"]
            head = f"{request.method} {path} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"
            onward.sendall(head.encode() + request.body)
            onward.settimeout(5)
            pump(onward, connection)
        return False


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
    except OSError:
        pass  # either side hung up
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@dataclass
class Authority:
    """A private certificate authority and a server certificate of it for 127.0.0.1 and some names."""

    pem: str
    path: Path
    server: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    """Made with the ``openssl`` command; raises :class:`FileNotFoundError` where that is not installed."""
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:api.example.org,DNS:www.virustotal.com"

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test authority")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (folder / "server.ext").write_text(f"{names}\n")
    openssl(
        *(["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]),
        *(["-extfile", "server.ext", "-out", "server.pem"]),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return Authority((folder / "ca.pem").read_text(), folder / "ca.pem", context)
