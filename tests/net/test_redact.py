"""Secrets in every spelling are taken out; what is none stays; hostile text costs no time."""

from __future__ import annotations

import base64
import html
import json
import signal
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_grow.net.redact import MARK, Redactor, looks_secret, secrets_in

SECRET = 'p4ss/w+rd&"é'


@pytest.mark.parametrize(
    "spell",
    [
        str,
        urllib.parse.quote,
        urllib.parse.quote_plus,
        lambda s: urllib.parse.quote(s, safe=""),
        lambda s: urllib.parse.quote(s, safe="").lower(),
        lambda s: json.dumps(s),
        lambda s: json.dumps(s, ensure_ascii=False),
        lambda s: json.dumps(json.dumps({"x": 1}) + s),
        repr,
        html.escape,
        lambda s: html.escape(s, quote=False),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
        lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
        lambda s: base64.b64encode(f"us:{s}@host".encode()).decode(),
        lambda s: base64.b64encode(f"u:{s}:more".encode()).decode(),
    ],
)
def test_every_spelling(spell: Any) -> None:
    text = f"before {spell(SECRET)} after"
    clean = Redactor([SECRET]).redact(text, patterns=False)
    assert MARK in clean and clean.startswith("before ") and clean.endswith(" after")
    for part in (SECRET, "p4ss", "w%2Brd", "w+rd", base64.b64encode(b"p4ss/w").decode()[:8]):
        assert part not in clean


@given(
    st.text(st.characters(codec="utf-8", exclude_characters=" \t\r\n"), min_size=8, max_size=40),
    st.binary(max_size=5),
    st.binary(max_size=5),
)
def test_no_spelling_of_any_secret_survives(secret: str, before: bytes, after: bytes) -> None:
    if secret != secret.strip() or secret in MARK:
        return
    redactor = Redactor([secret])
    for text in (secret, f"x{secret}y", urllib.parse.quote_plus(secret), f"?q={urllib.parse.quote(secret, safe='')}"):
        assert secret not in redactor(text)
        assert MARK in redactor(text)
    coded = base64.b64encode(before + secret.encode() + after).decode()
    clean = redactor.redact(coded, patterns=False)
    assert MARK in clean and len(clean) < len(coded) + len(MARK)
    left = clean.replace(MARK, "")
    assert len(left) <= 4 * (len(before) + len(after)) // 3 + 12


def test_short_secrets() -> None:
    redactor = Redactor(["admin", "abc", "", "   ", None, True, {"no": "text"}, 12345678])
    assert redactor("admin said administrator, re-admin, 'admin'") == f"{MARK} said administrator, re-{MARK}, '{MARK}'"
    assert redactor("abc is no secret") == "abc is no secret"
    assert redactor("number 12345678 and True") == f"number {MARK} and True"


def test_a_secret_inside_another() -> None:
    assert Redactor(["longsecret", "longsecret-and-more"])("longsecret-and-more longsecret") == f"{MARK} {MARK}"


def test_a_key_of_several_lines() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "Abcdefghijklmnopqrstuvwxyz012345"]
    pem = "\n".join([*lines, "-----END PRIVATE KEY-----", ""])
    redactor = Redactor([pem])
    assert redactor(f"got {pem}") == f"got {MARK}\n"
    assert "MIIEvQ" not in redactor("line MIIEvQIBADANBgkqhkiG9w0BAQEFAASC alone")
    assert "MIIEvQ" not in redactor(json.dumps(pem))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: {MARK}"),
        ("authorization: Bearer abc.def-ghi", f"authorization: {MARK}"),
        ("{'Authorization': 'Token t0ken'}", f"{{'Authorization': '{MARK}'}}"),
        ("Proxy-Authorization: Basic xyz==", f"Proxy-Authorization: {MARK}"),
        ("x-apikey: 12345", f"x-apikey: {MARK}"),
        ('{"api_key": "12345", "a": 1}', f'{{"api_key": "{MARK}", "a": 1}}'),
        (
            "GET /x?apikey=1&key=2&token=3&password=4&q=5",
            f"GET /x?apikey={MARK}&key={MARK}&token={MARK}&password={MARK}&q=5",
        ),
        ("with url: /api?key=abc (Caused by", f"with url: /api?key={MARK} (Caused by"),
        ("http://user:p%40ss@host:8080/x", f"http://{MARK}@host:8080/x"),
        ("https://onlykey@host/", f"https://{MARK}@host/"),
        ("Set-Cookie: session=1; Path=/", f"Set-Cookie: {MARK}"),
        ("Auth-Key: 9f8e7d", f"Auth-Key: {MARK}"),
        ("client_secret=s3 password = hunter2", f"client_secret={MARK} password = {MARK}"),
    ],
)
def test_what_looks_like_a_credential(text: str, clean: str) -> None:
    found = Redactor([]).redact(text)
    assert found.replace(f"{MARK} {MARK}", MARK) == clean
    assert Redactor([]).redact(found).count(MARK) == found.count(MARK), "redacting twice changes nothing"


@pytest.mark.parametrize(
    "text",
    [
        "the registry key HKLM\\Software\\Run: value",
        "a monkey: brown",
        "user@example.org wrote to https://example.org/a@b",
        "The key: look again",
        "tokens are fine",
        "https://host/path?q=a:b@c",
    ],
)
def test_what_does_not(text: str) -> None:
    assert Redactor([]).redact(text) == text


def test_a_tree() -> None:
    redactor = Redactor(["sup3rs3cret", 123456789])
    tree = {
        "sup3rs3cret": [1, "x sup3rs3cret y", ("sup3rs3cret", None, True)],
        "n": 123456789,
        "f": 1.5,
        "k": {"a": "b"},
    }
    clean = redactor.redact_tree(tree)
    assert clean == {MARK: [1, f"x {MARK} y", [MARK, None, True]], "n": MARK, "f": 1.5, "k": {"a": "b"}}
    assert list(clean) == [MARK, "n", "f", "k"]
    assert tree["n"] == 123456789, "a copy"
    both = redactor.redact_tree({"sup3rs3cret": 1, MARK: 2})
    assert sorted(both.values()) == [1, 2], "no entry is lost"


def test_a_tree_keeps_its_indicators() -> None:
    url = "http://login.example/?token=abc&key=1"
    assert Redactor(["sup3rs3cret"]).redact_tree({"value": url}) == {"value": url}
    assert Redactor([]).redact_tree({"url": url}, patterns=True) == {
        "url": f"http://login.example/?token={MARK}&key={MARK}"
    }


def test_a_deep_tree() -> None:
    tree: Any = "sup3rs3cret"
    for _ in range(100_000):
        tree = [tree]
    clean = Redactor(["sup3rs3cret"]).redact_tree(tree)
    while isinstance(clean, list):
        clean = clean[0]
    assert clean == MARK


@contextmanager
def killed_after(seconds: int) -> Iterator[None]:
    """Fail a loop that does not end; how long it takes otherwise is for the benchmarks."""

    def over(*_: object) -> None:
        raise AssertionError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        " ",
        "a-",
        "a_",
        "key",
        "?key=",
        "&token=",
        "authorization: ",
        "authorization: basic ",
        "cookie:",
        "://",
        "://a@",
        "://a:",
        "bearer ",
        "x-apikey",
        "api_key=",
        "password ",
        "sup3rs3cret",
        "sup3rs3cre",
        "admin",
        "admi",
        "%2F",
        "\\u00",
    ],
)
def test_a_megabyte_of_hostile_text(piece: str) -> None:
    redactor = Redactor([f"sup3rs3cret{n or ''}" for n in range(20)] + ["admin"])

    text = piece * (1_000_000 // len(piece))
    with killed_after(30):
        clean = redactor(text)
    assert "sup3rs3cret" not in clean


def test_secrets_of_a_configuration() -> None:
    config = {
        "url": "https://api.example.org",
        "key": "k1",
        "proxy": {"https": "http://user:p%2Fw@proxy:3128"},
        "nested": {"api": [{"Password": "k2", "name": "n"}]},
        "my_token": ["k3", None, True, 4444],
        "oddly_named": "k5",
        "max_tlp": 2,
        "empty_key": "",
    }
    found = secrets_in(config, ["oddly_named"])
    assert set(found) == {"k1", "k2", "k3", "4444", "k5", "user:p%2Fw", "user:p/w", "p%2Fw", "p/w"}
    assert looks_secret("API_Key") and looks_secret("clientSecret") and not looks_secret("url")
