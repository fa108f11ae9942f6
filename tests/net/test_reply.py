"""Reading what came back: JSON that is none, JSON that harms, and words out of pages."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_grow.net.errors import NotAnAnswerError
from cortex_grow.net.reply import Headers, Reply, decode, first_words, own_words, parse_json


def parse(body: bytes, content_type: str = "application/json") -> Any:
    return parse_json(body, source="Example", host="api.example.org", status=200, content_type=content_type)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(encoding: str) -> None:
    assert parse('{"a": "é€😀"}'.encode(encoding)) == {"a": "é€😀"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b'{"a": "\xff"}', "it is no text"),
        (b'{"a": NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "too large"),
        (b"[-1e999]", "too large"),
        (b"[" * 100000, "nested too deeply"),
        (b"[" * 100000 + b"]" * 100000, "nested too deeply"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "too many digits"),
        (b'{"a": 1', "expecting ',' delimiter at character 7"),
        (b'{"a": 1} trailing', "extra data"),
        (b"{'a': 1}", "property name"),
        (b"\x00\x01\x02\x03", "not valid JSON"),
        (b"var a = 1;", "expecting value"),
    ],
)
def test_what_is_not_json(body: bytes, why: str) -> None:
    began = time.thread_time()
    with pytest.raises(NotAnAnswerError) as caught:
        parse(body)
    assert why in str(caught.value) and "200 from api.example.org" in str(caught.value)
    assert "application/json" in str(caught.value) and len(str(caught.value)) < 600
    assert time.thread_time() - began < 2


def test_what_is_tolerated() -> None:
    assert parse(b'{"a": 1, "a": 2}') == {"a": 2}
    assert parse(b"[" + b"9" * 4000 + b"]") == [int("9" * 4000)]
    assert parse(b"[" * 190 + b"]" * 190)
    assert parse(b"[[]," * 150 + b"[]" + b"]" * 150), "many brackets, but not deep"
    assert parse(b'"' + b"[" * 5000 + b'"') == "[" * 5000
    assert parse(b"[1e308, -0.0, 1E-999]") == [1e308, -0.0, 0.0]


def test_lone_surrogates_become_a_mark() -> None:
    value = parse(rb'{"a\ud800": ["\uDFFF", "\ud83d\ude00", "x\ud83d"]}')
    assert value == {"a\ufffd": ["\ufffd", "😀", "x\ufffd"]}
    json.dumps(value, ensure_ascii=False).encode("utf-8")


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    )
)
def test_all_json_comes_through(value: Any) -> None:
    for body in (json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode()):
        assert parse(body) == value


@given(st.binary(max_size=300))
def test_any_bytes_are_json_or_a_typed_error(body: bytes) -> None:
    try:
        value = parse(body)
    except NotAnAnswerError as error:
        assert "\n" not in str(error)
    else:
        assert json.loads(body) == value
        assert not (isinstance(value, float) and not math.isfinite(value))


def test_text_by_charset() -> None:
    def text(body: bytes, content_type: str) -> str:
        return Reply(200, Headers([("Content-Type", content_type)]), body).text

    assert text("é".encode("latin-1"), "text/plain; charset=ISO-8859-1") == "é"
    assert text("é".encode(), "text/plain") == "é"
    assert text(b"\xe9", "text/plain") == "\ufffd"
    assert text("é".encode(), 'text/plain; charset="UTF-8"; x=y') == "é"
    for hostile in ("zip", "hex", "rot13", "idna", "punycode", "unicode_escape", "utf-7", "\0", "utf-16" * 99, "gb99"):
        assert decode(b"abc\\x41", f"text/plain; charset={hostile}") == "abc\\x41"


def test_header_fields() -> None:
    headers = Headers([("X-A", "1"), ("x-a", "2"), ("B", "3")])
    assert headers["X-a"] == "1, 2" and len(headers) == 2 and "b" in headers and headers.get("c") is None
    assert "1" not in repr(headers)


def test_words_of_pages() -> None:
    page = b"<html><!-- a > b --><title>Just a moment</title><SCRIPT>x='<b>'</SCRIPT >"
    page += b"<style>p{}</style><p class='x'>Wait&amp;see"
    assert first_words(page, "text/html") == "Just a moment Wait&see"
    assert first_words(b"%PDF\0\1\2", "application/pdf") == ""
    assert first_words(b"one two\x1b[31m three \xe2\x80\xaefour", "text/plain") == "one two [31m three four"
    assert len(first_words(b"x" * 10000, "text/plain")) == 200


@pytest.mark.parametrize(
    "piece", [b"<", b"<!--", b"<script", b"<script>", b"<a ", b"&#", b"<style></style", "İ<script>".encode()]
)
def test_words_of_a_hostile_page_come_at_once(piece: bytes) -> None:
    body = piece * (1_000_000 // len(piece))
    began = time.thread_time()
    first_words(body, "text/html")
    own_words(body, "text/html")
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"error": {"code": "WrongCredentialsError", "message": "Wrong API key"}},
            "WrongCredentialsError: Wrong API key",
        ),
        ({"query_status": "unknown_auth_key"}, "unknown_auth_key"),
        ({"message": "no"}, "no"),
        ({"errors": [{"detail": "x is wrong"}]}, "x is wrong"),
        ({"detail": ["a", "b"]}, "a"),
        (["first", "second"], "first"),
        ({"error": None, "data": 1}, ""),
        ({"error": {"error": {"error": {"error": {"error": "deep"}}}}}, ""),
        (7, ""),
    ],
)
def test_what_an_error_body_says(body: Any, said: str) -> None:
    assert own_words(json.dumps(body).encode(), "application/json") == said


def test_what_other_error_bodies_say() -> None:
    assert own_words(b"Rate limit exceeded", "text/plain") == "Rate limit exceeded"
    assert own_words(b"<html><body>Forbidden", "text/html") == "a page that reads: Forbidden"
    assert own_words(b"\x89PNG\r\n\x1a\n\0", "image/png") == ""
    assert own_words(b"", "") == ""
