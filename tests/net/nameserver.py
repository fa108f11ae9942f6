"""A small real name server: dnspython's messages over UDP and TCP sockets on loopback, for zones that the lab has not.

It answers as a recursive resolver does: follows aliases (RFC 1034, 4.3.2), knows wildcards (RFC 4592) and DNAME (RFC
6672), tells a name without such a record from one that does not exist, and cuts an answer that is too long for UDP.
Some questions may be answered wrongly on purpose.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

DRIPS = b"drip"
Reply = Callable[[dns.message.Message, str], bytes | None]
Wrong = str | Reply
Records = list[dns.rdata.Rdata]
Key = tuple[dns.name.Name, dns.rdatatype.RdataType]


class NameServer:
    """Serves ``zone``: lines of ``name type data``, names absolute with or without the last dot.

    ``wrong`` says by (name, type), ``*`` standing for any, how a question is answered instead: ``silent``, the text of
    a response code, ``cut`` (truncated over TCP as well), ``garbage``, ``other-id``, ``closes`` (TCP without a byte),
    ``drips`` (TCP byte by byte), or a function that makes the bytes of the answer from the query and the transport
    (``UDP`` or ``TCP``; ``None``: no answer). ``asked`` lists what came in as (transport, name, type).
    """

    def __init__(self, zone: str = "", wrong: Mapping[tuple[str, str], Wrong] | None = None) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.wrong = dict(wrong or {})
        self.longest_udp = 65535
        self._records: dict[Key, Records] = {}
        self._names: set[dns.name.Name] = set()
        self.add(zone)
        for _ in range(20):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self._tcp.bind(self._udp.getsockname())
                break
            except OSError:  # taken for TCP: another port
                self._udp.close()
                self._tcp.close()
        self._tcp.listen(64)
        self.port: int = self._udp.getsockname()[1]
        self.where = f"127.0.0.1:{self.port}"
        self._open = True

    def add(self, zone: str) -> None:
        """More records."""
        for line in zone.splitlines():
            if line.strip() and not line.lstrip().startswith(";"):
                owner, kind, data = line.split(None, 2)
                rdtype = dns.rdatatype.from_text(kind)
                self.put(dns.name.from_text(owner), dns.rdata.from_text("IN", rdtype, data))

    def put(self, owner: dns.name.Name, record: dns.rdata.Rdata) -> None:
        """One record that a line of text cannot write."""
        self._records.setdefault((owner, record.rdtype), []).append(record)
        while len(owner) > 1:
            self._names.add(owner)
            owner = owner.parent()

    def kinds(self, name: str) -> list[str]:
        """The types that were asked for at a name, sorted."""
        return sorted({kind for _, asked, kind in self.asked if asked == name})

    def __enter__(self) -> NameServer:
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._udp.close()
        with contextlib.suppress(OSError):
            self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()

    def _serve_udp(self) -> None:
        while self._open:
            with contextlib.suppress(OSError):
                wire, client = self._udp.recvfrom(65535)
                answer = self._answer(wire, "UDP") if wire else None
                if answer is not None:
                    self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        while self._open:
            with contextlib.suppress(OSError):
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, struct.error):
            connection.settimeout(20)
            stream = connection.makefile("rb")
            length = struct.unpack("!H", stream.read(2))[0]
            answer = self._answer(stream.read(length), "TCP")
            if answer is None:
                connection.recv(1)  # until the client goes
            elif answer == DRIPS:
                while self._open:
                    connection.send(b"\x10")
                    time.sleep(0.05)
            elif answer:
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, wire: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((over, name, kind))
        wrong: Wrong | None = None
        for key in ((name, kind), (name, "*"), ("*", kind), ("*", "*")):
            wrong = wrong or self.wrong.get(key)
        if callable(wrong):
            return wrong(query, over)
        if wrong == "silent":
            return None
        if wrong in ("closes", "drips") and over == "TCP":
            return DRIPS if wrong == "drips" else b""
        if wrong == "garbage":
            return b"\xa5" * 40
        response = dns.message.make_response(query, recursion_available=True)
        if wrong in ("cut", "closes", "drips"):
            response.flags |= dns.flags.TC
            return response.to_wire()
        if wrong and wrong != "other-id":
            response.set_rcode(dns.rcode.from_text(wrong))
        else:
            self._resolve(response, question.name, question.rdtype)
        if wrong == "other-id":
            response.id ^= 0xFFFF
        answer = response.to_wire(max_size=65535)
        most = min(max(512, query.payload if query.edns >= 0 else 512), self.longest_udp)
        if over == "UDP" and len(answer) > most:
            response = dns.message.make_response(query, recursion_available=True)
            response.flags |= dns.flags.TC
            answer = response.to_wire()
        return answer

    def _resolve(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        for _ in range(20):
            owner = self._owner(name)
            if owner is None:
                dname = self._dname(name)
                if dname is None:
                    response.set_rcode(dns.rcode.NXDOMAIN)
                    return
                where, target = dname
                self._put(response, where, dns.rdatatype.DNAME, self._records[where, dns.rdatatype.DNAME])
                made = name.relativize(where).concatenate(target)
                alias = dns.rdata.from_text("IN", "CNAME", made.to_text())
                self._put(response, name, dns.rdatatype.CNAME, [alias])
                name = made
                continue
            records = self._records.get((owner, kind))
            if records:
                self._put(response, name, kind, records)
                return
            alias_records = self._records.get((owner, dns.rdatatype.CNAME))
            if not alias_records:
                return
            self._put(response, name, dns.rdatatype.CNAME, alias_records)
            name = alias_records[0].target  # type: ignore[attr-defined]

    def _owner(self, name: dns.name.Name) -> dns.name.Name | None:
        """The name itself or the wildcard that stands for it (RFC 4592: of the closest name that exists)."""
        if name in self._names:
            return name
        parent = name
        while len(parent) > 1:
            parent = parent.parent()
            wild = dns.name.Name((b"*", *parent.labels))
            if parent in self._names:
                return wild if wild in self._names else None
        return None

    def _dname(self, name: dns.name.Name) -> tuple[dns.name.Name, dns.name.Name] | None:
        parent = name
        while len(parent) > 1:
            parent = parent.parent()
            if records := self._records.get((parent, dns.rdatatype.DNAME)):
                return parent, records[0].target  # type: ignore[attr-defined]
        return None

    @staticmethod
    def _put(
        response: dns.message.Message,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
        records: list[dns.rdata.Rdata],
    ) -> None:
        rrset = dns.rrset.RRset(name, dns.rdataclass.IN, kind)
        for record in records:
            rrset.add(record, 300)
        if rrset not in response.answer:
            response.answer.append(rrset)
