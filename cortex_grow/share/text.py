"""Texts of strangers on a terminal or a page: what would move a cursor, hide or turn round text becomes visible."""

from __future__ import annotations

import re

# Control characters (C0, C1), soft hyphens, zero-width and direction marks (UAX #9), line and paragraph separators,
# interlinear marks, tags, variation selectors beyond the emoji's own, and halves of surrogate pairs.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: object) -> str:
    """``text`` on one line, with every character that is not seen written as an escape (``\\x1b``, ``\\u202e``)."""
    return _UNSEEN.sub(_escape, str(text))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def shortened(text: str, longest: int) -> str:
    """``text``, cut in its middle where it is longer than ``longest``: both ends of a URL or a hash say something."""
    if len(text) <= longest:
        return text
    head = (longest - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head) :]}"
