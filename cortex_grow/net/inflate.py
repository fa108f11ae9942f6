"""Decompressing an answer piece by piece, up to a limit: a kilobyte of gzip may hold a megabyte."""

from __future__ import annotations

import zlib
from typing import Any


class UnknownEncoding(ValueError):
    """A content coding that was not offered."""


class Inflater:
    """Undoes ``Content-Encoding: gzip`` or ``deflate`` (RFC 9110, 8.4.1), never making more than ``limit`` + 1
    bytes."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._coding = encoding.strip().lower().removeprefix("x-")
        self._left = limit + 1
        self._stream: Any = None
        self._begun = False

    @property
    def complete(self) -> bool:
        """Whether the compressed stream reached its own end."""
        return not self._begun or self._stream is None or self._stream.eof

    def feed(self, data: bytes) -> bytes:
        """The next piece. Raises :class:`UnknownEncoding` or ``zlib.error``."""
        if self._coding not in ("", "identity", "gzip", "deflate"):
            raise UnknownEncoding(repr(self._coding[:20]))
        if self._coding in ("", "identity"):
            return data
        made = bytearray()
        while data and self._left > 0:
            if self._stream is None:
                self._stream = self._start(data)
            elif self._stream.eof:
                # A gzip file may be followed by another one (RFC 1952, 2.2); anything else behind the end is padding.
                if self._coding != "gzip" or not data.startswith(b"\x1f"):
                    break
                self._stream = self._start(data)
            piece = self._stream.decompress(data, self._left)
            made += piece
            self._left -= len(piece)
            data = self._stream.unconsumed_tail or self._stream.unused_data
        return bytes(made)

    def _start(self, data: bytes) -> Any:
        self._begun = True
        if self._coding == "gzip":
            return zlib.decompressobj(31)
        # Some servers send deflate without the zlib wrapper that the standard asks for.
        wrapped = data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)
        return zlib.decompressobj(15 if wrapped else -15)
