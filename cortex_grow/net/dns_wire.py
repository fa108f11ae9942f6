"""DNS questions on the wire: many side by side in one thread, over UDP, and over TCP where an answer is cut (RFC 7766).

Messages are dnspython's; its resolver is not used, since it asks one question at a time and is half of what a job would
import. As a stub resolver (RFC 1034, 5.3.1) this asks each server in turn until one has an answer. Against forged
answers each question goes out from a port and with an id of its own, and what does not fit it is left aside (RFC 5452).
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from .deadline import Deadline

SIDE_BY_SIDE = 64
PAYLOAD = 1232  # bytes over UDP that pass everywhere in one piece (https://www.dnsflagday.net/2020/)
LONGEST_WAIT = 2.0  # seconds until a question is sent again
SHORTEST_WAIT = 0.2
PULSE = 0.5  # seconds after which a cancelled job is noticed


# Plain classes: making a dataclass costs a job half a millisecond each.
class Server:
    """A resolver: its ``family`` and socket address (``place``), and the address as a person writes it (``name``)."""

    __slots__ = ("family", "name", "place")

    def __init__(self, family: int, place: tuple[Any, ...], name: str) -> None:
        self.family, self.place, self.name = family, place, name


class Lookup:
    """One question and what became of it.

    ``answer`` is the response (NOERROR or NXDOMAIN), ``None`` where there is none; then ``refusals`` are the response
    codes that came instead, ``faults`` what went wrong on the way, ``strange`` how many messages were no answer, and
    ``servers`` those that may still answer.
    """

    __slots__ = ("again_at", "answer", "channels", "faults", "query", "refusals", "servers", "strange")

    def __init__(self, query: Any) -> None:
        self.query = query
        self.answer: Any = None
        self.refusals: list[str] = []
        self.faults: list[str] = []
        self.strange = 0
        self.servers: deque[Server] = deque()
        self.again_at = 0.0
        self.channels: dict[tuple[Server, str], _Channel] = {}


class _Channel:
    """A socket for one question to one server. Over TCP, what is still to be sent (``out``) and what has come."""

    __slots__ = ("into", "lookup", "out", "over", "server", "socket")

    def __init__(self, lookup: Lookup, server: Server, over: str, opened: socket.socket) -> None:
        self.lookup, self.server, self.over, self.socket = lookup, server, over, opened
        self.out = b""
        self.into = bytearray()


class Round:
    """Asks some questions within ``deadline``. ``heard``: whether any server answered anything at all."""

    def __init__(self, servers: Sequence[Server], deadline: Deadline) -> None:
        self.servers = servers
        self.deadline = deadline
        self.heard = False
        self._active: dict[Lookup, None] = {}
        self._selector = selectors.DefaultSelector()
        seconds = deadline.left()
        self._wait = max(SHORTEST_WAIT, min(LONGEST_WAIT, seconds / (2 * max(1, len(servers)))))
        self._half = time.monotonic() + seconds / 2
        self._probe: Lookup | None = None

    def ask(self, lookups: Sequence[Lookup], probe: Lookup) -> None:
        """Answer ``lookups``, or find out why not.

        ``probe`` is a question that any resolver answers at once: it is asked where nothing was heard for half of the
        time, and tells a resolver that is not there from name servers that are silent behind one that is.
        """
        waiting = deque(lookups)
        try:
            while True:
                while waiting and len(self._active) < SIDE_BY_SIDE:
                    self._begin(waiting.popleft())
                if not waiting and not any(lookup is not self._probe for lookup in self._active):
                    return
                if self.deadline.left() <= 0:
                    return
                now = time.monotonic()
                if not self.heard and self._probe is None and now >= self._half:
                    self._probe = probe
                    self._begin(probe)
                for lookup in [one for one in self._active if one.again_at <= now]:
                    self._send(lookup)
                self._listen(now)
        finally:
            for lookup in list(self._active):
                self._end(lookup)
            self._selector.close()

    def _listen(self, now: float) -> None:
        wake = [lookup.again_at for lookup in self._active]
        if not self.heard and self._probe is None:
            wake.append(self._half)
        seconds = min(PULSE, self.deadline.left(), *(max(0.0, at - now) for at in wake))
        for key, _ in self._selector.select(seconds):
            channel: _Channel = key.data
            if channel.lookup.channels.get((channel.server, channel.over)) is not channel:
                continue  # closed by what came a moment ago
            try:
                self._ready(channel)
            except OSError as error:
                self._failed(channel, error.strerror or str(error))

    def _begin(self, lookup: Lookup) -> None:
        self._active[lookup] = None
        lookup.servers.extend(self.servers)
        self._send(lookup)

    def _end(self, lookup: Lookup) -> None:
        self._active.pop(lookup, None)
        for channel in list(lookup.channels.values()):
            self._close(channel)

    def _close(self, channel: _Channel) -> None:
        channel.lookup.channels.pop((channel.server, channel.over), None)
        self._selector.unregister(channel.socket)
        channel.socket.close()

    def _send(self, lookup: Lookup) -> None:
        """Ask the next server over UDP."""
        while lookup.servers:
            server = lookup.servers[0]
            lookup.servers.rotate(-1)
            try:
                channel = lookup.channels.get((server, "UDP")) or self._open(lookup, server, "UDP")
                channel.socket.send(lookup.query.to_wire())
            except BlockingIOError:
                pass  # as good as lost on the way: it is sent again
            except OSError as error:
                self._drop(lookup, server, error.strerror or str(error))
                continue
            lookup.again_at = time.monotonic() + self._wait
            return
        self._end(lookup)

    def _open(self, lookup: Lookup, server: Server, over: str) -> _Channel:
        kind = socket.SOCK_DGRAM if over == "UDP" else socket.SOCK_STREAM
        opened = socket.socket(server.family, kind)
        try:
            opened.setblocking(False)
            channel = _Channel(lookup, server, over, opened)
            try:
                opened.connect(server.place)
            except BlockingIOError:
                pass  # TCP: ready for writing once it stands
            self._selector.register(opened, selectors.EVENT_READ if over == "UDP" else selectors.EVENT_WRITE, channel)
        except OSError:
            opened.close()
            raise
        lookup.channels[server, over] = channel
        return channel

    def _ready(self, channel: _Channel) -> None:
        if channel.over == "UDP":
            try:
                self._read(channel, channel.socket.recv(65535))
            except BlockingIOError:
                pass  # a datagram with a wrong checksum
        elif channel.out:
            failure = channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failure:
                raise OSError(failure, os.strerror(failure))
            channel.out = channel.out[channel.socket.send(channel.out) :]
            if not channel.out:
                self._selector.modify(channel.socket, selectors.EVENT_READ, channel)
        else:
            piece = channel.socket.recv(65535)
            if not piece:
                raise OSError(0, "connection closed before the answer was whole")
            channel.into += piece
            if len(channel.into) >= 2 and len(channel.into) >= 2 + int.from_bytes(channel.into[:2], "big"):
                self._read(channel, bytes(channel.into[2 : 2 + int.from_bytes(channel.into[:2], "big")]))

    def _read(self, channel: _Channel, wire: bytes) -> None:
        """Take in one message of a server."""
        import dns.message
        import dns.rcode

        lookup = channel.lookup
        if len(wire) < 12 or int.from_bytes(wire[:2], "big") != lookup.query.id or not wire[2] & 0x80:
            return self._left_aside(channel)
        if wire[2] & 0x02:  # cut: what is in it is no answer (RFC 2181, 9)
            self.heard = True
            if channel.over == "TCP":
                return self._failed(channel, "the answer is cut even over TCP")
            if (channel.server, "TCP") not in lookup.channels:
                self._over_tcp(lookup, channel.server)
            return None
        try:
            response = dns.message.from_wire(wire)
            fits = lookup.query.is_response(response)
        except Exception:  # whatever dnspython stumbles over in hostile bytes, it is no answer
            fits = False
        if not fits:
            return self._left_aside(channel)
        self.heard = True
        code = response.rcode()
        if code in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            lookup.answer = response
            return self._end(lookup)
        if code in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS) and lookup.query.edns >= 0:
            lookup.query.use_edns(-1)  # an old server (RFC 6891, 6.2.2): once more without
            lookup.servers.remove(channel.server)
            lookup.servers.appendleft(channel.server)
            return self._send(lookup)
        lookup.refusals.append(dns.rcode.to_text(code))
        return self._failed(channel, "")

    def _left_aside(self, channel: _Channel) -> None:
        """What is no answer may be forged over UDP, so the true one is waited for; over TCP none will come."""
        channel.lookup.strange += 1
        if channel.over == "TCP":
            self._failed(channel, "what comes over TCP is no answer")

    def _over_tcp(self, lookup: Lookup, server: Server) -> None:
        wire = lookup.query.to_wire()
        try:
            self._open(lookup, server, "TCP").out = len(wire).to_bytes(2, "big") + wire
            lookup.again_at = time.monotonic() + LONGEST_WAIT
        except OSError as error:
            self._drop(lookup, server, error.strerror or str(error))
            self._send(lookup)

    def _failed(self, channel: _Channel, fault: str) -> None:
        self._drop(channel.lookup, channel.server, fault)
        self._send(channel.lookup)

    def _drop(self, lookup: Lookup, server: Server, fault: str) -> None:
        """Ask this server no more for this question."""
        if fault:
            lookup.faults.append(f"{server.name}: {fault}")
        if server in lookup.servers:
            lookup.servers.remove(server)
        for over in ("UDP", "TCP"):
            if channel := lookup.channels.get((server, over)):
                self._close(channel)


def resolver(address: str, port: int) -> Server | None:
    """The server at an address, also a link-local one with its zone (RFC 4007); ``None`` where it is no address."""
    try:
        socket.inet_pton(socket.AF_INET, address)
        return Server(socket.AF_INET, (address, port), address)
    except (OSError, ValueError):
        if ":" not in address:
            return None
    try:
        found = socket.getaddrinfo(address, port, socket.AF_INET6, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return None
    return Server(socket.AF_INET6, found[0][4], address)
