"""The HTTP side of a stand-in: HTTP/1.1 with keep-alive, small and quick.

The parser is its own: ``http.server`` reads headers with the e-mail parser, which alone costs more than everything else
here, and a growth benchmark would then measure the stand-in.
"""

from __future__ import annotations

import io
import random
import socket
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from cortex_grow.lab import tcp
from cortex_grow.lab.faults import Fault

_MAX_LINE = 65536
_MAX_BODY = 4 * 1024 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_GARBAGE = random.Random(66).randbytes(2048)
_LOGIN = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Network access</h1>"
    b"<form method='post' action='/login'><input name='user'><input name='password' type='password'></form>"
    b"</body></html>\n"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in. Header names are lower-case; ``path`` is still percent-encoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def steps(self) -> list[str]:
        """The parts of the path between slashes, decoded one by one."""
        return [unquote(step) for step in self.path.split("/")[1:]]

    @property
    def is_form(self) -> bool:
        """Whether the body is a URL-encoded form."""
        return self.headers.get("content-type", "").split(";")[0].strip() == "application/x-www-form-urlencoded"

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form body; empty where it is none."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)) if self.is_form else {}


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. ``samples`` are the recorded answers that it was made of."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    samples: tuple[str, ...] = ()


def page(status: int) -> Reply:
    """The HTML page that a web server in front of a service shows for a status."""
    text = f"{status} {_REASONS.get(status, 'Error')}"
    body = f"<html>\r\n<head><title>{text}</title></head>\r\n<body><h1>{text}</h1></body>\r\n</html>\r\n"
    return Reply(status, body.encode(), "text/html")


def encode(reply: Reply, length: int | None = None, close: bool = False) -> bytes:
    """The head of a reply. ``length`` replaces the length of the body; -1 leaves it out."""
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}", f"Content-Type: {reply.type}"]
    size = len(reply.body) if length is None else length
    if size >= 0:
        lines.append(f"Content-Length: {size}")
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class BadRequest(ValueError):
    """What came in is not HTTP."""


def receive(stream: io.BufferedReader) -> Request | None:
    """Read one request; ``None`` at the end of the connection. Raises :class:`BadRequest`."""
    line = stream.readline(_MAX_LINE)
    if not line.strip():
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest("no request line")
    headers: dict[str, str] = {}
    while True:
        line = stream.readline(_MAX_LINE)
        if line in (b"\r\n", b"\n", b""):
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or name != name.strip():
            raise BadRequest("no header")
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _MAX_BODY or "transfer-encoding" in headers:
        raise BadRequest("no acceptable body")
    body = stream.read(int(length)) if length != "0" else b""
    path, _, query = words[1].partition("?")
    if not path.startswith("/"):
        raise BadRequest("no path")
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return Request(words[0], path, dict(parse_qsl(query, keep_blank_values=True)) if query else {}, headers, body)


Answerer = Callable[[Request, Fault | None], Reply]


class HttpServer:
    """Serves one stand-in. ``take`` gives a request's fault, ``answer`` its reply; ``log`` is told what went out."""

    def __init__(
        self,
        name: str,
        take: Callable[[], Fault | None],
        answer: Answerer,
        log: Callable[[Request, Reply, int], None],
        port: int = 0,
    ) -> None:
        self._take = take
        self._answer = answer
        self._log = log
        self.tcp = tcp.TcpServer(name, self._serve, port)

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        with stream:
            while not self.tcp.stopping.is_set():
                try:
                    request = receive(stream)
                except BadRequest:
                    connection.sendall(encode(page(400), close=True) + page(400).body)
                    return
                if request is None or not self._respond(connection, request):
                    return

    def _respond(self, connection: socket.socket, request: Request) -> bool:
        """Answer one request; whether the connection stays open."""
        fault = self._take()
        kind = fault.kind if fault else ""
        if fault and kind == "silence":
            self._log(request, Reply(), 0)
            tcp.wait_for_close(connection, self.tcp.stopping)
            return False
        if fault and kind == "reset":
            self._log(request, Reply(), 0)
            tcp.reset(connection)
            return False
        if fault and kind == "latency":
            self.tcp.stopping.wait(fault.seconds)
        reply = _instead(fault) or self._answer(request, fault)
        self._log(request, reply, reply.status)
        if fault and kind in _WIRE:
            _WIRE[kind](self, connection, reply, fault)
            return False
        close = request.headers.get("connection", "").lower() == "close"
        connection.sendall(encode(reply, close=close) + (b"" if request.method == "HEAD" else reply.body))
        return not close

    def _truncated(self, connection: socket.socket, reply: Reply, fault: Fault) -> None:
        connection.sendall(encode(reply, close=True) + reply.body[: len(reply.body) // 2])

    def _slow(self, connection: socket.socket, reply: Reply, fault: Fault) -> None:
        connection.sendall(encode(reply, close=True))
        for byte in reply.body:
            if self.tcp.stopping.wait(fault.seconds):
                return
            connection.sendall(bytes([byte]))

    def _huge(self, connection: socket.socket, reply: Reply, fault: Fault) -> None:
        connection.sendall(encode(reply, length=-1, close=True) + b'{"data": "')
        block = b"A" * 65536
        for _ in range(max(fault.size // len(block), 1)):
            if self.tcp.stopping.is_set():
                return
            connection.sendall(block)
        connection.sendall(b'"}')

    def _bomb(self, connection: socket.socket, reply: Reply, fault: Fault) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        block = b"A" * 65536
        parts = [packer.compress(b'{"data": "')]
        parts += [packer.compress(block) for _ in range(max(fault.size // len(block), 1))]
        body = b"".join(parts) + packer.compress(b'"}') + packer.flush()
        bomb = Reply(200, body, reply.type, {"Content-Encoding": "gzip"})
        connection.sendall(encode(bomb, close=True) + body)


_WIRE: dict[str, Callable[[HttpServer, socket.socket, Reply, Fault], None]] = {
    "truncated": HttpServer._truncated,
    "slow": HttpServer._slow,
    "huge": HttpServer._huge,
    "bomb": HttpServer._bomb,
}


def _instead(fault: Fault | None) -> Reply | None:
    """The reply that a fault puts in the place of the service's own."""
    if fault is None:
        return None
    if fault.kind in ("500", "502", "503", "504"):
        return page(int(fault.kind))
    return {
        "html": Reply(200, _LOGIN, "text/html; charset=utf-8"),
        "garbage": Reply(200, _GARBAGE),
        "empty": Reply(200, b""),
    }.get(fault.kind)
