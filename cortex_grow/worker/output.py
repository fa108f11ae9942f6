"""output.json, written once and whole.

Cortex leaves a job running for ever whose output is half written, holds NaN or a ``full`` that is no object; so it is
serialised first, written beside its place and renamed, and never twice.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Redact = Callable[[Any], Any]


class Output:
    """Where one job's result goes: ``output/output.json`` of its folder, or standard output.

    ``redact`` removes secrets from any tree of texts; it is set as soon as the secrets are known.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.redact: Redact = lambda tree: tree
        self._stdout = sys.stdout.buffer  # cortexutils puts a text-only writer in its place
        self._lock = threading.Lock()
        self._done = False

    def success(self, result: dict[str, Any]) -> bool:
        """Write a success; False where a result was written before."""
        return self._once({"success": True, **result})

    def failure(self, message: str) -> bool:
        """Write a failure; the input is not echoed, since it holds the configuration."""
        return self._once(
            {"success": False, "errorMessage": message[:4000] or "failed without a message", "input": None}
        )

    def _once(self, result: dict[str, Any]) -> bool:
        with self._lock:
            if self._done:
                return False
            try:
                content = encode(self.redact(result))
            except (ValueError, TypeError, RecursionError) as error:
                content = encode(
                    {"success": False, "errorMessage": f"the report cannot be written: {error}", "input": None}
                )
            self._write(content)
            self._done = True
            return True

    def _write(self, content: bytes) -> None:
        if self.folder is None:
            self._stdout.write(content)
            self._stdout.flush()
            return
        place = self.folder / "output"
        place.mkdir(exist_ok=True)
        beside = place / f".output.{os.getpid()}"
        try:
            _put(beside, content)
        except OSError as error:  # a full disk: a short failure may still fit, in place of what did fit
            beside.unlink(missing_ok=True)
            _put(
                beside,
                encode({"success": False, "errorMessage": f"the report cannot be written: {error}", "input": None}),
            )
        os.replace(beside, place / "output.json")


def encode(result: dict[str, Any]) -> bytes:
    """Strict JSON in UTF-8: no NaN, lone surrogates replaced. Raises :class:`ValueError` or :class:`TypeError`."""
    text = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _put(path: Path, content: bytes) -> None:
    with path.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
