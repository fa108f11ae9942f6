"""JSON as Cortex's reader takes it: one strict text within Jackson's and play-json's limits (contract 2.5)."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

MAX_STRING = 20_000_000
MAX_NAME = 50_000
MAX_DEPTH = 1_000
MAX_NUMBER = 1_000
MAX_DIGITS = 310
MAX_SCALE = 6_178

# Strings, brackets and numbers are all that the limits speak of. The parts of a string exclude each other, so a hostile
# text costs linear time.
_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|([\[{])|([\]}])|(-?\d[\d.eE+-]*)', re.DOTALL)


class InvalidJson(ValueError):
    """Not one strict JSON text in UTF-8."""


class BeyondLimits(ValueError):
    """Strict JSON, but beyond what Cortex's parser takes."""


def parse(body: bytes) -> Any:
    """Parse ``body``; :class:`InvalidJson` or :class:`BeyondLimits` where Cortex's reader throws.

    Data after the text is refused whatever it is; Jackson refuses it only where its first token is malformed, and
    silently ignores the rest otherwise, which nobody wants either. The same for a byte order mark.
    """
    try:
        text = body.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise InvalidJson(f"not UTF-8 at byte {error.start}") from None
    _limits(text)
    try:
        with deep():
            return json.loads(text, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} at character {error.pos} of {len(text)}") from None


@contextlib.contextmanager
def deep() -> Iterator[None]:
    """Room for values nested as deep as Cortex takes them."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 4 * MAX_DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON")


def _limits(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        string, name, opening, closing, number = token.groups()
        if string is not None:
            limit = MAX_NAME if name else MAX_STRING
            if len(string) > limit and _length(string) > limit:
                raise BeyondLimits(f"a {'name' if name else 'string'} of more than {limit} characters")
        elif opening:
            depth += 1
            if depth > MAX_DEPTH:
                raise BeyondLimits(f"nested deeper than {MAX_DEPTH}")
        elif closing:
            depth -= 1
        else:
            _number(number)


def _length(raw: str) -> int:
    """Characters of a string's value, as UTF-16 units, from its escaped form."""
    return len(re.sub(r"\\(?:u[0-9a-fA-F]{4}|.)", "x", raw, flags=re.DOTALL).encode("utf-16-le", "surrogatepass")) // 2


def _number(token: str) -> None:
    if len(token) > MAX_NUMBER:
        raise BeyondLimits(f"a number of {len(token)} characters")
    try:
        _, digits, exponent = Decimal(token).as_tuple()
    except InvalidOperation:
        return  # malformed: the parser itself says so
    if len(digits) > MAX_DIGITS:
        raise BeyondLimits(f"a number of {len(digits)} digits")
    if isinstance(exponent, int) and abs(exponent) > MAX_SCALE:
        raise BeyondLimits(f"a number of scale {-exponent}")


def strings(value: Any) -> Iterator[str]:
    """Every string in a parsed value, names of members included."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
