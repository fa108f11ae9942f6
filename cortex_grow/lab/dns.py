"""DNS (RFC 1035) over UDP and TCP: a resolver that knows the zones of its folder and nothing else.

A folder holds three kinds of files: ``DNS zone`` (lines of a master file, with absolute names), ``DNS origins``
(networks and AS numbers, answered under ``origin.asn.cymru.com``, ``origin6.asn.cymru.com`` and ``asn.cymru.com`` in
the form of Team Cymru's service, https://www.team-cymru.com/ip-asn-mapping) and ``DNS lists`` (DNSBL zones, RFC
5782). Everything else is NXDOMAIN.

The resolver follows aliases, tells a name without such a record from one that does not exist, truncates what does not
fit into the client's UDP size (RFC 6891), refuses classes other than IN and answers ANY with HINFO (RFC 8482).
"""

from __future__ import annotations

import contextlib
import ipaddress
import random
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from cortex_grow.lab import tcp
from cortex_grow.lab.faults import Fault
from cortex_grow.lab.samples import Sample
from cortex_grow.lab.service import Service, named

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.rdataset

_TTL = 300
_GARBAGE = random.Random(53).randbytes(120)
_ORIGINS = {"origin.asn.cymru.com": 4, "origin6.asn.cymru.com": 6}
_NUMBERS = "asn.cymru.com"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Dns(Service):
    """The records of the folder."""

    name = "dns"
    protocol = "dns"
    definitions = ("DNS_Resolve",)
    data_types = frozenset({"domain", "fqdn", "ip"})

    def __init__(self, samples: Any) -> None:
        self._records: dict[dns.name.Name, list[dns.rdataset.Rdataset]] = {}
        self._exists: set[dns.name.Name] = set()
        self._origins: list[tuple[Network, list[str]]] = []
        self._numbers: dict[str, list[str]] = {}
        self._listed: dict[str, dict[str, tuple[str, str]]] = {}
        self._order: list[str] = []
        super().__init__(samples)

    def config(self, where: str, premium: bool) -> dict[str, Any]:
        # A zone that answers everything alike refuses its users: nobody would configure it.
        return {
            "resolvers": [where],
            "dnsbl_zones": [f"both:{zone}" for zone, listed in self._listed.items() if "*" not in listed],
        }

    def add(self, sample: Sample) -> None:
        self.keep(sample.file, sample)
        text = sample.body.decode("utf-8")
        if sample.path == "zone":
            self._zone(text)
            return
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.split("\t")]
            if not line.strip() or line.startswith("#"):
                continue
            if sample.path == "origins" and "/" in cells[0]:
                self._origins.append((ipaddress.ip_network(cells[0]), cells))
            elif sample.path == "origins":
                self._numbers[cells[0]] = cells
            else:
                self._listed.setdefault(cells[0], {})[cells[1].lower()] = (cells[2], cells[3])

    def _zone(self, text: str) -> None:
        """Read lines ``name ttl IN type data``: dnspython's own reader takes one zone a file, a story has several."""
        import dns.name
        import dns.rdataset

        data: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for line in text.splitlines():
            if line.strip() and not line.startswith(";"):
                owner, ttl, _, rdtype, rest = line.split(None, 4)
                data.setdefault((owner, rdtype), []).append((ttl, rest))
        for (owner, rdtype), rows in data.items():
            name = dns.name.from_text(owner)
            found = dns.rdataset.from_text_list("IN", rdtype, int(rows[0][0]), [rest for _, rest in rows])
            self._records.setdefault(name, []).append(found)
            self._order.append(name.to_text(omit_final_dot=True))
            while len(name) > 1:
                self._exists.add(name)
                name = name.parent()

    def seeds(self, data_type: str) -> list[str]:
        if data_type == "ip":
            import dns.name
            import dns.reversename

            reverse = [name for name in self._order if name.endswith(".arpa") and name.count(".") in (5, 33)]
            return [dns.reversename.to_address(dns.name.from_text(name)) for name in reverse]
        return named(
            (name for name in self._order if not name.startswith(("*", "_")) and "arpa" not in name), data_type
        )

    # --- answering ---

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The response to a parsed query."""
        import dns.flags
        import dns.message
        import dns.opcode
        import dns.rcode
        import dns.rdataclass
        import dns.rdatatype

        response = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        elif query.question[0].rdclass != dns.rdataclass.IN:
            response.set_rcode(dns.rcode.REFUSED)
        elif query.question[0].rdtype == dns.rdatatype.ANY:
            self._put(response, query.question[0].name, "HINFO", ['"RFC8482" ""'])
        else:
            self._resolve(response, query.question[0].name, query.question[0].rdtype)
        return response

    def _resolve(self, response: dns.message.Message, name: dns.name.Name, rdtype: Any) -> None:
        import dns.rcode
        import dns.rdatatype

        made = self._made(name)
        if made is not None:
            texts = made.get(dns.rdatatype.to_text(rdtype), [])
            if texts:
                self._put(response, name, dns.rdatatype.to_text(rdtype), texts)
            elif not made:
                response.set_rcode(dns.rcode.NXDOMAIN)
            return
        for _ in range(9):
            node = self._node(name)
            if node is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
                break
            held = {found.rdtype: found for found in node}
            if rdtype in held:
                self._set(response.answer, name, held[rdtype])
                return
            if dns.rdatatype.CNAME not in held:
                break
            self._set(response.answer, name, held[dns.rdatatype.CNAME])
            name = held[dns.rdatatype.CNAME][0].target
        self._authority(response, name)

    def _node(self, name: dns.name.Name) -> list[dns.rdataset.Rdataset] | None:
        """The records of a name or of a wildcard above it; ``None`` for an unknown name, none for one in between."""
        import dns.name

        if name in self._exists or name in self._records:
            return self._records.get(name, [])
        parent = name
        while len(parent) > 1:
            parent = parent.parent()
            wild = self._records.get(dns.name.Name((b"*", *parent.labels)))
            if wild is not None or parent in self._exists:
                return wild
        return None

    def _made(self, name: dns.name.Name) -> dict[str, list[str]] | None:
        """Records that are worked out, AS origins and block lists; ``None`` for other names, empty for unknown ones."""
        text = name.to_text(omit_final_dot=True).lower()
        for zone, version in _ORIGINS.items():
            if text.endswith("." + zone):
                return self._origin(text.removesuffix("." + zone), version)
        if text.endswith("." + _NUMBERS):
            cells = self._numbers.get(text.removesuffix("." + _NUMBERS).removeprefix("as"))
            return {"TXT": ['"' + " | ".join(cells) + '"']} if cells else {}
        for zone, listed in self._listed.items():
            if text == zone or text.endswith("." + zone):
                what = text.removesuffix(zone).rstrip(".")
                hit = listed.get(what) or listed.get(_unreversed(what)) or listed.get("*")
                return {"A": [hit[0]], "TXT": [f'"{hit[1]}"']} if hit else {}
        return None

    def _origin(self, labels: str, version: int) -> dict[str, list[str]]:
        parts = labels.split(".")[::-1]
        try:
            if version == 4:
                address: Any = ipaddress.IPv4Address(".".join((parts + ["0"] * 4)[:4]))
            else:
                digits = "".join((parts + ["0"] * 32)[:32])
                address = ipaddress.IPv6Address(bytes.fromhex(digits))
        except ValueError:
            return {}
        held = [row for row in self._origins if row[0].version == version and address in row[0]]
        if not held:
            return {}
        network, cells = max(held, key=lambda row: row[0].prefixlen)
        return {"TXT": [f'"{cells[1]} | {network} | {cells[2]} | {cells[3]} | {cells[4]}"']}

    def _authority(self, response: dns.message.Message, name: dns.name.Name) -> None:
        import dns.rdatatype

        while len(name) > 1:
            for found in self._records.get(name, ()):
                if found.rdtype == dns.rdatatype.SOA:
                    self._set(response.authority, name, found)
                    return
            name = name.parent()

    @staticmethod
    def _set(section: list[Any], name: dns.name.Name, found: dns.rdataset.Rdataset) -> None:
        import dns.rrset

        section.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))

    @staticmethod
    def _put(response: dns.message.Message, name: dns.name.Name, rdtype: str, texts: list[str]) -> None:
        import dns.rrset

        response.answer.append(dns.rrset.from_text_list(name, _TTL, "IN", rdtype, texts))


class DnsServer:
    """Serves a :class:`Dns` on one port, UDP and TCP. Each answer is logged with the transport it came over."""

    def __init__(
        self,
        service: Dns,
        take: Callable[[], Fault | None],
        log: Callable[[str, str, str, str], None],
        port: int = 0,
    ) -> None:
        self._service = service
        self._take = take
        self._log = log
        for _ in range(20):
            self.tcp = tcp.TcpServer("dns", self._serve_tcp, port)
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self._udp.bind((tcp.HOST, self.tcp.port))
                break
            except OSError:  # the port is free for TCP only: take another
                self._udp.close()
                self.tcp.stop()
        else:
            raise OSError("no port that is free for UDP and TCP")
        self._thread = threading.Thread(target=self._receive, name="lab-dns-udp", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self.tcp.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop both transports."""
        self.tcp.stop()
        if self._thread.is_alive():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", (tcp.HOST, self.tcp.port))
            self._thread.join(timeout=5)
        self._udp.close()

    def _receive(self) -> None:
        while not self.tcp.stopping.is_set():
            try:
                wire, client = self._udp.recvfrom(65535)
            except OSError:
                continue  # the echo of a client that is gone
            if wire and not self.tcp.stopping.is_set():
                self._answer(wire, "UDP", partial(self._send, client))

    def _send(self, client: tuple[str, int], answer: bytes) -> None:
        with contextlib.suppress(OSError):  # stopped before a late answer went out
            self._udp.sendto(answer, client)

    def _serve_tcp(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        stream = connection.makefile("rb")
        with stream:
            while not self.tcp.stopping.is_set():
                length = stream.read(2)
                if len(length) < 2:
                    return
                wire = stream.read(int.from_bytes(length, "big"))
                if not self._answer(
                    wire, "TCP", lambda answer: connection.sendall(len(answer).to_bytes(2, "big") + answer), connection
                ):
                    return

    def _answer(
        self, wire: bytes, over: str, send: Callable[[bytes], Any], connection: socket.socket | None = None
    ) -> bool:
        """Answer one message; whether the connection stays open."""
        import dns.exception
        import dns.flags
        import dns.message
        import dns.rcode
        import dns.rdatatype

        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            if len(wire) > 2:
                send(wire[:2] + b"\x80\x01" + b"\0" * 8)  # FORMERR
            return False
        fault = self._take()
        kind = fault.kind if fault else ""
        asked = query.question[0] if query.question else None
        name = asked.name.to_text(omit_final_dot=True) if asked is not None else ""
        rdtype = dns.rdatatype.to_text(asked.rdtype) if asked is not None else ""
        if kind in ("silence", "reset", "garbage"):
            self._log(over, name, rdtype, kind)
            if kind == "garbage":
                send(_GARBAGE)
            elif connection is not None and kind == "reset":
                tcp.reset(connection)
            elif connection is not None:
                tcp.wait_for_close(connection, self.tcp.stopping)
            return False
        if kind in ("servfail", "refused"):
            response = dns.message.make_response(query, recursion_available=True)
            response.set_rcode(dns.rcode.from_text(kind.upper()))
        else:
            response = self._service.answer(query)
        if kind == "truncated" and over == "UDP":
            response = dns.message.make_response(query, recursion_available=True)
            response.flags |= dns.flags.TC
        if kind == "wrong-id":
            response.id ^= 0xFFFF
        self._log(over, name, rdtype, dns.rcode.to_text(response.rcode()))
        answer = _wire(query, response, over)
        if fault and kind == "latency" and over == "UDP":
            # One thread answers all of UDP: a late answer must not hold up the others.
            threading.Timer(fault.seconds, send, (answer,)).start()
            return True
        if fault and kind == "latency":
            self.tcp.stopping.wait(fault.seconds)
        send(answer)
        return True


def _wire(query: dns.message.Message, response: dns.message.Message, over: str) -> bytes:
    """The response as bytes: over UDP no longer than the client takes (RFC 1035: 512, RFC 6891: as it says)."""
    import dns.exception
    import dns.flags
    import dns.message

    if over == "TCP":
        return response.to_wire(max_size=65535)
    try:
        return response.to_wire(max_size=max(query.payload, 512) if query.edns >= 0 else 512)
    except dns.exception.TooBig:
        short = dns.message.make_response(query, recursion_available=True)
        short.flags |= dns.flags.TC
        return short.to_wire()


def _unreversed(labels: str) -> str:
    """The address behind the reversed labels of a DNSBL question (RFC 5782 section 2.1 and 2.4)."""
    parts = labels.split(".")[::-1]
    try:
        if len(parts) == 32:
            return str(ipaddress.IPv6Address(bytes.fromhex("".join(parts))))
        return str(ipaddress.IPv4Address(".".join(parts)))
    except ValueError:
        return ""
