"""Every misbehaviour, seen from the client's side."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
import requests

from cortex_grow.lab import Lab
from cortex_grow.lab.faults import DNS_KINDS, HTTP_KINDS, KINDS, LIKE, WHOIS_KINDS
from tests.lab.test_whois_dns import whois

HTTP = ("virustotal", "urlhaus", "crtsh", "rdap")


def get(lab: Lab, client: requests.Session, timeout: float = 2, **how: object) -> requests.Response:
    config = lab.config_for("VirusTotal_Pivot")
    url = f"{config['url']}/api/v3/domains/cdn-update.example"
    return client.get(url, headers={"x-apikey": config["key"]}, timeout=timeout, **how)  # type: ignore[arg-type]


def good(lab: Lab, client: requests.Session) -> None:
    assert get(lab, client).json()["data"]["id"] == "cdn-update.example"


def latency(lab: Lab, client: requests.Session) -> None:
    lab.misbehave("virustotal", "latency", seconds=0.3)
    begun = time.monotonic()
    good(lab, client)
    assert time.monotonic() - begun >= 0.3


def silence(lab: Lab, client: requests.Session) -> None:
    with pytest.raises(requests.ReadTimeout):
        get(lab, client, timeout=0.3)
    assert lab.requests[-1].status == 0


def reset(lab: Lab, client: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError, match="reset"):
        get(lab, client)


def truncated(lab: Lab, client: requests.Session) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError), match="IncompleteRead"):
        get(lab, client)


def slow(lab: Lab, client: requests.Session) -> None:
    lab.misbehave("virustotal", "slow", seconds=0.05)
    reply = get(lab, client, stream=True)
    begun = time.monotonic()
    assert len(reply.raw.read(5)) == 5
    assert time.monotonic() - begun >= 0.15
    reply.close()


def huge(lab: Lab, client: requests.Session) -> None:
    lab.misbehave("virustotal", "huge", size=5_000_000)
    reply = get(lab, client, stream=True)
    assert "content-length" not in reply.headers
    assert len(reply.content) >= 4_900_000


def bomb(lab: Lab, client: requests.Session) -> None:
    lab.misbehave("virustotal", "bomb", size=5_000_000)
    reply = get(lab, client)
    assert int(reply.headers["content-length"]) < 50_000
    assert len(reply.content) >= 4_900_000


def html(lab: Lab, client: requests.Session) -> None:
    reply = get(lab, client)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.text.lstrip().startswith("<!DOCTYPE html>")


def garbage(lab: Lab, client: requests.Session) -> None:
    reply = get(lab, client)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError):
        reply.json()


def empty(lab: Lab, client: requests.Session) -> None:
    reply = get(lab, client)
    assert (reply.status_code, reply.content) == (200, b"")


def too_many(lab: Lab, client: requests.Session) -> None:
    lab.misbehave("virustotal", "429", retry_after="7")
    reply = get(lab, client)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json()["error"]["code"] == "QuotaExceededError"


def server_error(status: int) -> Callable[[Lab, requests.Session], None]:
    def check(lab: Lab, client: requests.Session) -> None:
        reply = get(lab, client)
        assert reply.status_code == status
        assert reply.headers["content-type"].startswith("text/html")

    return check


def wrong_key(lab: Lab, client: requests.Session) -> None:
    reply = get(lab, client)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "WrongCredentialsError")


def over_quota(lab: Lab, client: requests.Session) -> None:
    reply = get(lab, client)
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "QuotaExceededError")
    assert "retry-after" not in reply.headers


HTTP_CHECKS: dict[str, Callable[[Lab, requests.Session], None]] = {
    "latency": latency, "silence": silence, "reset": reset, "truncated": truncated, "slow": slow, "huge": huge,
    "bomb": bomb, "html": html, "garbage": garbage, "empty": empty, "429": too_many, "wrong-key": wrong_key,
    "over-quota": over_quota,
    **{str(status): server_error(status) for status in (500, 502, 503, 504)},
}  # fmt: skip


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_http(lab: Lab, client: requests.Session, kind: str) -> None:
    good(lab, client)
    lab.misbehave("virustotal", kind)
    HTTP_CHECKS[kind](lab, client)
    lab.misbehave("virustotal", None)
    good(lab, client)


@pytest.mark.parametrize("service", HTTP)
def test_every_http_service_refuses_in_its_own_words(lab: Lab, client: requests.Session, service: str) -> None:
    lab.misbehave(service, "over-quota")
    assert client.get(lab.url(service), timeout=2).status_code == 429
    lab.misbehave(service, "503")
    assert client.get(lab.url(service), timeout=2).status_code == 503


def ask_dns(lab: Lab, tcp: bool = False, timeout: float = 1.5) -> dns.message.Message:
    host, _, port = lab.where("dns").partition(":")
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(dns.message.make_query("cdn-update.example", "A"), host, port=int(port), timeout=timeout)


@pytest.mark.parametrize("kind", DNS_KINDS)
def test_dns(lab: Lab, kind: str) -> None:
    assert ask_dns(lab).answer
    lab.misbehave("dns", kind, seconds=0.3)
    if kind == "latency":
        for tcp in (False, True):
            begun = time.monotonic()
            assert ask_dns(lab, tcp).answer
            assert time.monotonic() - begun >= 0.3
    elif kind in ("silence", "reset"):
        with pytest.raises(dns.exception.Timeout):
            ask_dns(lab, timeout=0.3)
        with pytest.raises(dns.exception.Timeout if kind == "silence" else (ConnectionError, EOFError)):
            ask_dns(lab, tcp=True, timeout=0.3)
    elif kind in ("servfail", "refused"):
        assert dns.rcode.to_text(ask_dns(lab).rcode()) == kind.upper()
        assert dns.rcode.to_text(ask_dns(lab, tcp=True).rcode()) == kind.upper()
    elif kind == "truncated":
        assert ask_dns(lab).flags & dns.flags.TC
        assert ask_dns(lab, tcp=True).answer
    elif kind == "wrong-id":
        with pytest.raises(dns.query.BadResponse):
            ask_dns(lab)
    else:
        with pytest.raises(dns.exception.DNSException):
            ask_dns(lab)
    lab.misbehave("dns", None)
    assert ask_dns(lab).answer


def test_a_late_dns_answer_holds_up_no_other(lab: Lab) -> None:
    lab.misbehave("dns", "latency", seconds=1.0, times=1)
    host, _, port = lab.where("dns").partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(dns.message.make_query("cdn-update.example", "A").to_wire(), (host, int(port)))
        while not lab.counts()["dns"]:
            time.sleep(0.01)
        begun = time.monotonic()
        assert ask_dns(lab).answer
        assert time.monotonic() - begun < 0.7


@pytest.mark.parametrize("kind", WHOIS_KINDS)
def test_whois(lab: Lab, kind: str) -> None:
    whole = whois(lab, "cdn-update.example")
    lab.misbehave("whois", kind, seconds=0.02, size=1_000_000)
    begun = time.monotonic()
    if kind == "latency":
        assert whois(lab, "cdn-update.example") == whole
        assert time.monotonic() - begun >= 0.02
    elif kind in ("reset", "truncated"):
        with pytest.raises(ConnectionResetError):
            whois(lab, "cdn-update.example")
    elif kind == "silence":
        host, _, port = lab.where("whois").partition(":")
        with socket.create_connection((host, int(port)), timeout=0.3) as connection:
            connection.sendall(b"cdn-update.example\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)
    elif kind == "slow":
        host, _, port = lab.where("whois").partition(":")
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(b"cdn-update.example\r\n")
            assert b"".join(connection.recv(1) for _ in range(10)) == whole[:10]
            assert time.monotonic() - begun >= 0.1
    elif kind == "huge":
        assert len(whois(lab, "cdn-update.example")) > 900_000
    elif kind == "empty":
        assert whois(lab, "cdn-update.example") == b""
    elif kind == "rate-limit":
        assert b"query rate limit exceeded" in whois(lab, "cdn-update.example")
    else:
        assert len(whois(lab, "cdn-update.example")) > 1000
    lab.misbehave("whois", None)
    assert whois(lab, "cdn-update.example") == whole


def test_times_ends_a_fault(lab: Lab, client: requests.Session) -> None:
    lab.misbehave("virustotal", "503", times=2)
    assert [get(lab, client).status_code for _ in range(4)] == [503, 503, 200, 200]


def test_all_services_at_once_and_by_the_constructor(client: requests.Session) -> None:
    with Lab.demo(misbehave="reset") as lab:
        for service in HTTP:
            with pytest.raises(requests.ConnectionError):
                client.get(lab.url(service), timeout=2)
        with pytest.raises(ConnectionResetError):
            whois(lab, "cdn-update.example")
        with pytest.raises(dns.exception.Timeout):
            ask_dns(lab, timeout=0.2)
        lab.misbehave(None, None)
        good(lab, client)
        assert ask_dns(lab).answer


def test_every_kind_can_be_set_for_all_services(lab: Lab) -> None:
    for kind in {kind for kinds in KINDS.values() for kind in kinds}:
        lab.misbehave(None, kind)
    for protocol, kinds in LIKE.items():
        assert set(kinds.values()) <= set(KINDS[protocol])
        assert not set(kinds) & set(KINDS[protocol])


def test_a_kind_that_there_is_not(lab: Lab) -> None:
    with pytest.raises(ValueError, match="cannot misbehave as 'explode'"):
        lab.misbehave("virustotal", "explode")


def test_hostile_bytes_do_no_harm(lab: Lab, client: requests.Session) -> None:
    dice = random.Random(7)
    for name in (*HTTP, "whois", "dns"):
        host, _, port = lab.where(name).partition(":")
        for _ in range(20):
            with socket.create_connection((host, int(port)), timeout=2) as connection:
                connection.sendall(dice.randbytes(dice.randrange(1, 3000)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(100):
            sender.sendto(dice.randbytes(dice.randrange(1, 600)), (host, int(port)))
    good(lab, client)
    assert ask_dns(lab).answer
    assert b"Registrar" in whois(lab, "cdn-update.example")
