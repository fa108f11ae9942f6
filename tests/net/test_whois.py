"""WHOIS over a socket, against servers that behave and others, and referrals that nobody should follow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cortex_grow.net.deadline import Deadline
from cortex_grow.net.dial import dial, is_public, resolve
from cortex_grow.net.errors import DeadlineError, NotAnAnswerError, RefusedError, UnreachableError
from cortex_grow.net.whois import refer, valid_server, whois

Start = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def port43() -> Iterator[Start]:
    opened: list[socket.socket] = []

    def start(behave: Callable[[socket.socket], None]) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)

        def serve() -> None:
            try:
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        behave(connection)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        port: int = listening.getsockname()[1]
        return port

    yield start
    for listening in opened:
        listening.close()


def ask(port: int, query: str = "example.org", seconds: float = 10.0, **named: Any) -> str:
    return whois("127.0.0.1", query, Deadline(seconds), port, allow_private=True, **named)


def test_an_answer(port43: Start) -> None:
    lines: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        lines.append(connection.recv(1000))
        connection.sendall("Registrant: Jürgen\r\n".encode())

    assert ask(port43(behave), " exämple.org ") == "Registrant: Jürgen\r\n"
    assert lines == ["exämple.org\r\n".encode()]


def test_latin_1(port43: Start) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall("Jürgen €".encode("cp1252"))

    assert ask(port43(behave)) == "Jürgen \x80"


@pytest.mark.parametrize("query", ["a\r\nb", "a\nb", "a\0b", "", "  ", "\x1b", "x" * 2000, "a\u2028b", "\ud800"])
def test_a_query_is_one_line(port43: Start, query: str) -> None:
    with pytest.raises(RefusedError):
        ask(port43(lambda c: None), query)


def test_nothing_comes(port43: Start) -> None:
    with pytest.raises(NotAnAnswerError, match="empty"):
        ask(port43(lambda c: c.recv(100) and None))


def test_too_much_comes(port43: Start) -> None:
    def behave(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    with pytest.raises(NotAnAnswerError, match="larger than 100000 bytes") as caught:
        ask(port43(behave), max_bytes=100_000)
    assert not caught.value.breaks


def test_a_slow_drip(port43: Start) -> None:
    def behave(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    began = time.monotonic()
    with pytest.raises(DeadlineError):
        ask(port43(behave), seconds=0.6)
    assert time.monotonic() - began < 6


def test_silence(port43: Start) -> None:
    with pytest.raises(UnreachableError, match=r"did not answer within 0\.2 s"):
        ask(port43(lambda c: time.sleep(2)), read_timeout=0.2)
    with pytest.raises(DeadlineError):
        ask(port43(lambda c: time.sleep(2)), seconds=0.2)


def test_hung_up(port43: Start) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with pytest.raises(UnreachableError, match="broken off"):
        ask(port43(behave))


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(UnreachableError, match=rf"refuses connections on port {port}.*no proxy is used"):
        ask(port)


@pytest.mark.parametrize(
    "server",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "whois",
        "whois.local",
        "whois.internal",
        "x.localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "a b.example",
        "a/b.example",
        "user@whois.example",
        "",
        ".",
        "-a.example",
        "whois.example:4343",
        "224.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_a_server_that_is_not_asked(server: str) -> None:
    assert valid_server(server) is None
    with pytest.raises(RefusedError):
        whois(server, "example.org", Deadline(5))


def test_a_server_that_may_be_asked() -> None:
    assert valid_server(" WHOIS.Verisign-GRS.com. ") == "whois.verisign-grs.com"
    assert valid_server("193.0.6.135") == "193.0.6.135"
    assert valid_server("whois.nic.ελ") == "whois.nic.xn--qxam"
    assert valid_server("127.0.0.1", allow_private=True) == "127.0.0.1"
    assert valid_server("localhost", allow_private=True) == "localhost"
    assert valid_server("a b", allow_private=True) is None


def test_a_public_name_that_leads_to_this_machine(port43: Start) -> None:
    """What is checked is what is connected to: the address, not the name."""
    port = port43(lambda c: c.sendall(b"secret"))
    with pytest.raises(UnreachableError, match="leads to an address that is not public"):
        dial("X", "localhost", port, timeout=5, deadline=Deadline(5), public_only=True)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        (
            "% IANA WHOIS server\n\nrefer:        whois.verisign-grs.com\n\ndomain:       COM\n",
            "whois.verisign-grs.com",
        ),
        ("domain: ORG\nwhois:        whois.publicinterestregistry.org\n", "whois.publicinterestregistry.org"),
        ("   Registrar WHOIS Server: whois.registrar.example.com\r\n", "whois.registrar.example.com"),
        ("Whois Server: whois.verisign-grs.com\nRegistrar WHOIS Server: whois.gandi.net\n", "whois.gandi.net"),
        ("ReferralServer:  whois://whois.ripe.net\n", "whois.ripe.net"),
        ("ReferralServer:  whois://whois.apnic.net:43\n", "whois.apnic.net"),
        ("ReferralServer:  whois://whois.apnic.net:4343\n", None),
        ("ReferralServer:  rwhois://rwhois.example.com:4321\n", None),
        ("refer: whois.example.com:25\n", None),
        ("Registrar WHOIS Server: http://127.0.0.1/\n", None),
        ("refer: 127.0.0.1\n", None),
        ("refer: 169.254.169.254\n", None),
        ("refer: localhost\nrefer: whois.example.com\n", "whois.example.com"),
        ("refer: whois.example.com extra\n", None),
        ("refer:\nwhois.example.com\n", None),
        ("Registrar WHOIS Server:\n", None),
        ("the refer: whois.example.com\n", None),
        ("", None),
    ],
)
def test_referrals(text: str, server: str | None) -> None:
    assert refer(text) == server


def test_a_hostile_answer_is_read_at_once() -> None:
    for piece in (
        "refer:",
        "refer: ",
        "whois server: \t",
        " ",
        "\n",
        "refer: x.example\n",
        "registrar whois server:" + " " * 50,
    ):
        began = time.thread_time()
        refer(piece * (1_000_000 // len(piece)))
        assert time.thread_time() - began < 2, piece


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.1.1", False),
        ("100.64.0.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::", False),
        ("fd00::1", False),
        ("255.255.255.255", False),
        ("ff02::1", False),
        ("no address", False),
        ("192.0.2.1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_name_is_looked_up_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="resolved"):
        resolve("X", "no-such-name.invalid", 80, timeout=3, deadline=Deadline(3))
    for bad in ("x" * 70 + ".example", "a..b"):
        with pytest.raises(UnreachableError, match="could not be resolved"):
            resolve("X", bad, 80, timeout=3, deadline=Deadline(3))
    assert time.monotonic() - began < 20
    assert resolve("X", "127.0.0.1", 80, timeout=0, deadline=Deadline(0)) == [(socket.AF_INET, ("127.0.0.1", 80))]
