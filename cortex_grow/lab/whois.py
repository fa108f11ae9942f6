"""WHOIS (RFC 3912): one line in, a text out, the connection closed.

The line is read as the servers of the registries read it: a bare value, or with the switches that some of them want
(``domain NAME`` and ``=NAME`` at Verisign, ``-T dn,ace NAME`` at DENIC, ``n + ADDRESS`` at ARIN, ``-B`` and the like
at RIPE, ``/e`` behind the name at JPRS). Anything else gets the text for an unknown object, in the words of
Verisign's server.
"""

from __future__ import annotations

import contextlib
import ipaddress
import random
import re
import socket
from collections.abc import Callable
from typing import Any

from cortex_grow.lab import tcp
from cortex_grow.lab.faults import Fault
from cortex_grow.lab.samples import Sample
from cortex_grow.lab.service import Service, named

_BEFORE = re.compile(r"^(domain |=|-T dn(,ace)? |[na] \+ |(-[BrKGRVl] )+|--show-handles )", re.IGNORECASE)
_LIMITED = b"%ERROR:201: access denied\r\n%\r\n% You have been temporarily blocked: query rate limit exceeded.\r\n"
_GARBAGE = random.Random(43).randbytes(1500)


class Whois(Service):
    """Texts by domain, address and AS number."""

    name = "whois"
    protocol = "whois"
    definitions = ("Registration_Lookup",)
    data_types = frozenset({"domain", "fqdn", "ip", "autonomous-system"})

    def config(self, where: str, premium: bool) -> dict[str, Any]:
        return {"whois_server": where}

    def add(self, sample: Sample) -> None:
        self.keep(_key(sample.path), sample)

    def seeds(self, data_type: str) -> list[str]:
        keys = [str(key) for key in self.answers if not str(key).startswith("free.")]
        if data_type == "autonomous-system":
            return [key.upper() for key in keys if re.fullmatch(r"as\d+", key)]
        if data_type == "ip":
            return [key for key in keys if _is_ip(key)]
        names = [key for key in keys if not _is_ip(key)]
        return [f"www.{name}" for name in named(names, "domain")] if data_type == "fqdn" else named(names, data_type)

    def answer(self, line: str) -> tuple[bytes, Sample | None]:
        """The text for a query line, and the sample that it is."""
        value = _BEFORE.sub("", line.strip(), count=1)
        value = value.removesuffix("/e").strip()
        sample = self.find(_key(value)) if value and " " not in value else None
        if sample:
            return sample.body, sample
        unknown = f'No match for "{value.upper()}".\r\n>>> Last update of whois database: 2026-01-15T00:00:00Z <<<\r\n'
        return unknown.encode(), None


class WhoisServer:
    """Serves a :class:`Whois` on TCP."""

    def __init__(
        self,
        service: Whois,
        take: Callable[[], Fault | None],
        log: Callable[[str, Sample | None, str], None],
        port: int = 0,
    ) -> None:
        self._service = service
        self._take = take
        self._log = log
        self.tcp = tcp.TcpServer("whois", self._serve, port)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        line = b""
        while not line.endswith(b"\n") and len(line) < 1024:
            more = connection.recv(1024)
            if not more:
                return
            line += more
        fault = self._take()
        kind = fault.kind if fault else ""
        text, sample = self._service.answer(line.decode("utf-8", "replace"))
        if fault and kind == "latency":
            self.tcp.stopping.wait(fault.seconds)
        shown = kind if kind not in ("", "latency", "slow") else ""
        self._log(line.decode("utf-8", "replace").strip(), None if shown else sample, shown or "answered")
        if fault is None or kind == "latency":
            connection.sendall(text)
        else:
            self._misbehave(connection, text, fault)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    def _misbehave(self, connection: socket.socket, text: bytes, fault: Fault) -> None:
        if fault.kind == "silence":
            tcp.wait_for_close(connection, self.tcp.stopping)
        elif fault.kind == "slow":
            for byte in text:
                if self.tcp.stopping.wait(fault.seconds):
                    return
                connection.sendall(bytes([byte]))
        elif fault.kind == "huge":
            line = b"remarks:        " + b"A" * 4078 + b"\r\n"
            for _ in range(max(fault.size // len(line), 1)):
                if self.tcp.stopping.is_set():
                    return
                connection.sendall(line)
        elif fault.kind in ("reset", "truncated"):
            if fault.kind == "truncated":
                connection.sendall(text[: len(text) // 2])
            tcp.reset(connection)
            connection.close()
        elif fault.kind != "empty":
            connection.sendall(_LIMITED if fault.kind == "rate-limit" else _GARBAGE)


def _key(value: str) -> str:
    """One spelling for a value: addresses compressed (file names hold ``-`` for ``:``), the rest lower-case."""
    value = value.lower().rstrip(".")
    for text in (value, value.replace("-", ":")):
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            continue
    return value


def _is_ip(text: str) -> bool:
    return _key(text) == text and (":" in text or text.replace(".", "").isdigit())
