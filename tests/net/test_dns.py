"""Asking the DNS: resolvers that misbehave, and how long that takes. The servers are real sockets on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest

from cortex_grow.lab import Lab
from cortex_grow.net import dns as net_dns
from cortex_grow.net.deadline import Deadline
from cortex_grow.net.dns import DnsSession, NoAnswerError, Records
from cortex_grow.net.errors import (
    DeadlineError,
    NotAnAnswerError,
    RefusedError,
    SettingsError,
    SourceError,
    UnreachableError,
)
from tests.net.nameserver import NameServer

ZONE = "seed.example. A 203.0.113.5\nseed.example. TXT hello"
SEED = ("seed.example", "A")
BOTH = [SEED, ("seed.example", "TXT")]


def session(*resolvers: str, timeout: float = 0.6, deadline: float | None = None) -> DnsSession:
    return DnsSession("Example", resolvers, timeout=timeout, deadline=Deadline(deadline))


def closed_port() -> str:
    """A port of loopback that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def took(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


# --- what comes of an answer ---


def test_records_by_kind() -> None:
    zone = r"""
    seed.example. A 203.0.113.5
    seed.example. AAAA 2001:db8:0::5
    seed.example. MX 10 Mail.Seed.Example.
    seed.example. MX 0 .
    seed.example. NS ns.seed.example.
    seed.example. TXT "one " "two" "\195\188\255"
    seed.example. CAA 128 issue "ca.test; a=\"b\""
    seed.example. SOA ns.seed.example. host\.master.seed.example. 1 2 3 4 5
    """
    wanted = {
        "A": {"203.0.113.5"},
        "AAAA": {"2001:db8::5"},
        "MX": {"10 mail.seed.example", "0 ."},
        "NS": {"ns.seed.example"},
        "TXT": {"one twoü\N{REPLACEMENT CHARACTER}"},
        "CAA": {'128 issue ca.test; a="b"'},
        "SOA": {r"ns.seed.example host\.master.seed.example 1 2 3 4 5"},
    }
    with NameServer(zone) as server:
        said = session(server.where).ask_all([("seed.example", kind) for kind in wanted])
    for kind, values in wanted.items():
        records = said["seed.example", kind]
        assert isinstance(records, Records)
        assert set(records.values) == values, kind
        assert (records.exists, records.owner, records.aliases) == (True, "seed.example", ())


def test_no_name_no_record_and_the_end_of_a_chain() -> None:
    zone = f"{ZONE}\na.seed.example. CNAME b.seed.example.\nb.seed.example. CNAME nowhere.seed.example."
    with NameServer(zone) as server:
        dns_ = session(server.where)
        assert dns_.ask("no.seed.example", "A") == Records(False, owner="no.seed.example")
        assert dns_.ask("seed.example", "AAAA") == Records(True, owner="seed.example")
        chain = (("a.seed.example", "b.seed.example"), ("b.seed.example", "nowhere.seed.example"))
        assert dns_.ask("a.seed.example", "A") == Records(False, (), chain, "nowhere.seed.example")


@pytest.mark.parametrize("name", ["a" * 64 + ".example", ".".join(["abcdefgh"] * 32), "a..example", ""])
def test_a_name_that_no_question_can_hold_does_not_exist(name: str) -> None:
    with NameServer(ZONE) as server:
        said = session(server.where).ask_all([(name, "A"), SEED])
    assert said[SEED] == Records(True, ("203.0.113.5",), (), "seed.example", 1)
    assert name == "" or said[name, "A"] == Records(False)


def test_nothing_is_asked_twice_in_one_job() -> None:
    with NameServer(ZONE, {("bad.example", "A"): "SERVFAIL"}) as server:
        dns_ = session(server.where)
        for _ in range(3):
            dns_.ask_all([SEED, ("bad.example", "A")])
        assert len(server.asked) == 2
        dns_.begin(Deadline(5))
        dns_.ask(*SEED)
        assert len(server.asked) == 3


def test_more_questions_than_go_side_by_side() -> None:
    names = [f"n{number}.seed.example" for number in range(150)]
    with NameServer("*.seed.example. A 203.0.113.7") as server:
        said = session(server.where, timeout=5).ask_all([(name, "A") for name in names])
        assert all(isinstance(records, Records) and records.values == ("203.0.113.7",) for records in said.values())
        assert len(server.asked) == 150


# --- truncation and TCP ---


def test_a_cut_answer_is_asked_for_over_tcp() -> None:
    zone = "\n".join(f"seed.example. A 203.0.113.{number}" for number in range(200))
    with NameServer(zone) as server:
        records = session(server.where).ask(*SEED)
        assert [over for over, _, _ in server.asked] == ["UDP", "TCP"]
    assert len(records.values) == 200


def test_more_records_than_are_read() -> None:
    zone = "\n".join(f"seed.example. A 203.0.{number // 250}.{number % 250}" for number in range(2000))
    with NameServer(zone) as server:
        records = session(server.where, timeout=5).ask(*SEED)
    assert (len(records.values), records.total) == (net_dns.MOST_RECORDS, 2000)


@pytest.mark.parametrize("how", ["cut", "closes"])
def test_a_cut_answer_without_tcp_is_no_answer(how: str) -> None:
    with NameServer(ZONE, {SEED: how}) as server, pytest.raises(NoAnswerError, match=r"127\.0\.0\.1: .*(TCP|closed)"):
        session(server.where).ask(*SEED)


def test_a_server_that_drips_over_tcp_is_left_in_time() -> None:
    """Each byte comes in time, the whole never does."""
    with NameServer(ZONE, {SEED: "drips"}) as server:
        dns_ = session(server.where)
        assert took(lambda: dns_.ask_all([SEED])) < 1.2
        assert isinstance(dns_.ask_all([SEED])[SEED], NoAnswerError)


# --- resolvers that misbehave ---


@pytest.mark.parametrize(
    ("kind", "error", "word"),
    [
        ("servfail", NoAnswerError, "SERVFAIL"),
        ("refused", RefusedError, "REFUSED"),
        ("silence", UnreachableError, "does not answer"),
        ("reset", UnreachableError, "does not answer"),
        ("garbage", NotAnAnswerError, "no DNS answer"),
        ("wrong-id", NotAnAnswerError, "no DNS answer"),
    ],
)
def test_the_labs_ways_to_misbehave(kind: str, error: type[SourceError], word: str) -> None:
    with Lab.demo() as lab:
        lab.misbehave("dns", kind)
        dns_ = session(lab.where("dns"), timeout=1)
        began = time.monotonic()
        with pytest.raises(error, match=word) as caught:
            dns_.ask("cdn-update.example", "A")
        assert time.monotonic() - began < 1.9
    text = str(caught.value)
    assert "A of cdn-update.example" in text
    assert "127.0.0.1" in text
    assert caught.value.advice
    assert caught.value.breaks is (error in (UnreachableError, NotAnAnswerError))


def test_truncation_and_latency_are_no_failures() -> None:
    with Lab.demo() as lab:
        for kind in ("truncated", "latency"):
            lab.misbehave("dns", kind, seconds=0.2)
            assert session(lab.where("dns"), timeout=2).ask("cdn-update.example", "A").values == ("203.0.113.66",)


def test_a_true_answer_behind_a_forged_one() -> None:
    """What does not fit the question is left aside, and the answer that comes later is taken (RFC 5452, 4.2)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            wire, client = server.recvfrom(4096)
            query = dns.message.from_wire(wire)
            forged = dns.message.make_response(query)
            forged.answer.append(dns.rrset.from_text("seed.example.", 60, "IN", "A", "203.0.113.66"))
            forged.id ^= 1
            server.sendto(forged.to_wire(), client)
            other = dns.message.make_response(dns.message.make_query("other.example", "A", id=query.id))
            other.answer.append(dns.rrset.from_text("other.example.", 60, "IN", "A", "203.0.113.66"))
            server.sendto(other.to_wire(), client)
            server.sendto(wire, client)  # the question itself is no answer
            server.sendto(b"", client)
            response = dns.message.make_response(query)
            response.answer.append(dns.rrset.from_text("seed.example.", 60, "IN", "A", "203.0.113.5"))
            server.sendto(response.to_wire(), client)

        threading.Thread(target=serve, daemon=True).start()
        assert session(f"127.0.0.1:{server.getsockname()[1]}").ask(*SEED).values == ("203.0.113.5",)


def test_an_answer_from_another_address_is_not_taken() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        server.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.2", 0))

        def serve() -> None:
            wire, client = server.recvfrom(4096)
            response = dns.message.make_response(dns.message.from_wire(wire))
            response.answer.append(dns.rrset.from_text("seed.example.", 60, "IN", "A", "203.0.113.66"))
            other.sendto(response.to_wire(), client)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(UnreachableError):
            session(f"127.0.0.1:{server.getsockname()[1]}").ask(*SEED)


def test_ids_and_ports_are_not_the_same_twice() -> None:
    seen: set[tuple[int, int]] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(3)
        dns_ = session(f"127.0.0.1:{server.getsockname()[1]}", timeout=0.3)
        dns_.ask_all([(f"n{number}.example", "A") for number in range(20)])
        server.setblocking(False)
        try:
            while True:
                wire, client = server.recvfrom(4096)
                seen.add((int.from_bytes(wire[:2], "big"), client[1]))
        except BlockingIOError:
            pass
    ids, ports = {one for one, _ in seen}, {port for _, port in seen}
    assert len(ids) > 15
    assert len(ports) > 15
    assert sorted(ids) != list(range(min(ids), min(ids) + len(ids)))


def test_a_lost_question_is_sent_again() -> None:
    lost = iter([None])

    def once(query: dns.message.Message, over: str) -> bytes | None:
        for _ in lost:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        response.answer.append(dns.rrset.from_text("seed.example.", 60, "IN", "A", "203.0.113.5"))
        return response.to_wire()

    with NameServer("", {SEED: once}) as server:
        assert session(server.where, timeout=1).ask(*SEED).values == ("203.0.113.5",)
        assert server.asked.count(("UDP", *SEED)) == 2


def test_an_old_server_is_asked_without_extensions() -> None:
    """RFC 6891, 6.2.2: FORMERR, and the question again without EDNS."""

    def old(query: dns.message.Message, over: str) -> bytes:
        response = dns.message.make_response(query, recursion_available=True)
        response.use_edns(-1)
        if query.edns >= 0:
            response.set_rcode(1)
        else:
            response.answer.append(dns.rrset.from_text("seed.example.", 60, "IN", "A", "203.0.113.5"))
        return response.to_wire()

    with NameServer("", {SEED: old}) as server:
        assert session(server.where).ask(*SEED).values == ("203.0.113.5",)
        assert len(server.asked) == 2


# --- several resolvers ---


@pytest.mark.parametrize("first", ["SERVFAIL", "REFUSED", "silent", "garbage", "closed"])
def test_the_next_resolver_answers_where_the_first_does_not(first: str) -> None:
    with NameServer(ZONE, {("*", "*"): first}) as bad, NameServer(ZONE) as good:
        where = closed_port() if first == "closed" else bad.where
        said = session(where, good.where, timeout=1.5).ask_all(BOTH)
    assert [one.values for one in said.values() if isinstance(one, Records)] == [("203.0.113.5",), ("hello",)]


def test_nobody_at_home_is_said_at_once() -> None:
    with pytest.raises(UnreachableError, match="refused") as caught:
        session(closed_port(), timeout=5).ask(*SEED)
    assert "resolvers" in caught.value.advice
    assert took(lambda: session(closed_port(), timeout=5).ask_all(BOTH)) < 1


# --- time ---


def test_a_resolver_that_hangs_takes_no_longer_than_the_time_for_one_answer() -> None:
    with NameServer(ZONE, {("*", "*"): "silent"}) as server:
        dns_ = session(server.where, timeout=0.6)
        questions = [(f"n{number}.example", "A") for number in range(100)]
        assert took(lambda: dns_.ask_all(questions)) < 1.6
        before = len(server.asked)
        assert took(lambda: dns_.ask_all([("more.example", "A"), ("still.example", "MX")])) < 0.1
        assert len(server.asked) == before
        assert isinstance(dns_.ask_all([("more.example", "A")])["more.example", "A"], UnreachableError)


def test_silent_name_servers_are_told_from_a_silent_resolver() -> None:
    """One question that every resolver can answer tells them apart, and is asked only where nothing was heard."""
    with NameServer(f"{ZONE}\n. NS a.root.test.", {("dead.example", "*"): "silent"}) as server:
        with pytest.raises(NoAnswerError, match="though the resolver is there") as caught:
            session(server.where).ask("dead.example", "A")
        assert not caught.value.breaks
        assert ("UDP", ".", "NS") in server.asked
        server.asked.clear()
        said = session(server.where).ask_all([SEED, ("dead.example", "A")])
        assert isinstance(said[SEED], Records)
        assert isinstance(said["dead.example", "A"], NoAnswerError)
        assert {kind for _, _, kind in server.asked} == {"A"}


def test_the_deadline_of_the_job_comes_first() -> None:
    with NameServer(ZONE, {("*", "*"): "silent"}) as server:
        dns_ = session(server.where, timeout=30, deadline=0.4)
        assert took(lambda: dns_.ask_all(BOTH)) < 1.4
    with pytest.raises(DeadlineError, match="asking the DNS"):
        session("127.0.0.1", deadline=0).ask(*SEED)


def test_a_cancelled_job_ends() -> None:
    with NameServer(ZONE, {("*", "*"): "silent"}) as server:
        deadline = Deadline(30)
        dns_ = DnsSession("Example", [server.where], timeout=30, deadline=deadline)
        threading.Timer(0.2, deadline.cancel).start()
        assert took(lambda: dns_.ask_all(BOTH)) < 1.5


def test_no_socket_is_left_open() -> None:
    def open_sockets() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with NameServer(ZONE, {("slow.example", "A"): "silent", ("cut.example", "A"): "closes"}) as server:
        session(server.where).ask_all([SEED])
        before = open_sockets()
        for _ in range(5):
            session(server.where, timeout=0.3).ask_all([SEED, ("slow.example", "A"), ("cut.example", "A")])
        time.sleep(0.1)
        assert open_sockets() <= before + 1


# --- settings ---


@pytest.mark.parametrize(
    "text",
    [
        "dns.example",
        "127.1",
        "1",
        "",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        "[::1",
        "::1:",
        "127.0.0.1:+5",
        "[::1]x",
    ],
)
def test_a_resolver_that_is_no_address_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(SettingsError, match="resolvers"):
        session(text).ask(*SEED)


def test_a_resolver_of_ipv6() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
        try:
            server.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")

        def serve() -> None:
            wire, client = server.recvfrom(4096)
            response = dns.message.make_response(dns.message.from_wire(wire))
            response.answer.append(dns.rrset.from_text("seed.example.", 60, "IN", "A", "203.0.113.5"))
            server.sendto(response.to_wire(), client)

        threading.Thread(target=serve, daemon=True).start()
        assert session(f"[::1]:{server.getsockname()[1]}").ask(*SEED).values == ("203.0.113.5",)


def test_the_resolvers_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "resolv.conf"
    monkeypatch.setattr(net_dns, "RESOLV_CONF", str(conf))
    with pytest.raises(SettingsError, match="no resolver"):
        session().ask(*SEED)
    conf.write_text("# none\nsearch example\nnameserver not-an-address\n")
    with pytest.raises(SettingsError, match="no resolver"):
        session().ask(*SEED)
    conf.write_text("; one\nnameserver 127.0.0.9\noptions edns0\n nameserver fe80::1%lo\nnameserver 127.0.0.10\n" * 2)
    assert [server.name for server in session()._servers()] == ["127.0.0.9", "fe80::1%lo", "127.0.0.10"]
