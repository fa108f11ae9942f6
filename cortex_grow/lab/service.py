"""What every stand-in has: answers by request, a key, a quota, seeds; and what an HTTP stand-in adds.

A new service is one module with one class: how a sample's request becomes a key (:meth:`Service.add`), which requests
the real service accepts (:meth:`HttpService.route`), and how it refuses the others (:meth:`HttpService.refuse`). One
line in ``lab.py`` names it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from cortex_grow.lab.faults import Fault
from cortex_grow.lab.http import Reply, Request
from cortex_grow.lab.samples import Sample

# What no folder of answers holds: made for the seeds that a service does not know.
_UNKNOWN = Path(__file__).parent / "data" / "unknown.bin"
MISSING = {
    "file": str(_UNKNOWN),
    "hash": hashlib.sha256(_UNKNOWN.read_bytes()).hexdigest(),
    "certificate": hashlib.sha256(_UNKNOWN.read_bytes()).hexdigest(),
    "domain": "nothing-known.example",
    "fqdn": "www.nothing-known.example",
    "ip": "203.0.113.254",
    "url": "http://nothing-known.example/nothing",
    "autonomous-system": "AS64511",
}


class Service:
    """One stand-in: its answers by request, its refusals by kind."""

    name: ClassVar[str]
    protocol: ClassVar[str] = "http"
    definitions: ClassVar[tuple[str, ...]] = ()
    data_types: ClassVar[frozenset[str]] = frozenset()
    whole_files: ClassVar[bool] = False  # whether a definition takes a file and asks for its hash

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.answers: dict[Hashable, list[Sample]] = {}
        self.errors: dict[str, list[Sample]] = {}
        for sample in samples:
            if sample.method == "ERROR":
                self.errors.setdefault(sample.path, []).append(sample)
            else:
                self.add(sample)

    def add(self, sample: Sample) -> None:
        """Take one sample in, under the key of its request."""
        raise NotImplementedError(f"{type(self).__name__}.add")

    def config(self, where: str, premium: bool) -> dict[str, Any]:
        """The configuration items that point a definition at ``where`` (``host:port``)."""
        raise NotImplementedError(f"{type(self).__name__}.config")

    def seeds(self, data_type: str) -> list[str]:
        """Values of one of ``data_types`` that the service knows, in the order of its index."""
        raise NotImplementedError(f"{type(self).__name__}.seeds")

    def keep(self, key: Hashable, sample: Sample) -> None:
        """Remember a sample under a key; the first is served until another is preferred."""
        self.answers.setdefault(key, []).append(sample)

    def find(self, key: Hashable) -> Sample | None:
        """The sample of a key."""
        kept = self.answers.get(key)
        return kept[0] if kept else None

    def prefer(self, name: str) -> bool:
        """Serve this sample where several answer one request; whether it was there."""
        there = False
        for kept in self.answers.values():
            for at, sample in enumerate(kept):
                if sample.name == name:
                    kept.insert(0, kept.pop(at))
                    there = True
        return there


class HttpService(Service):
    """A stand-in that speaks HTTP.

    ``key_header`` is the header that carries the key. Two keys are accepted, a public and a premium one. ``quota`` is
    how many requests a key may make from now on; ``None`` is as many as it likes.
    """

    key_header: ClassVar[str] = ""

    def __init__(self, samples: Iterable[Sample]) -> None:
        super().__init__(samples)
        digest = hashlib.sha256(f"cortex-grow lab {self.name}".encode()).hexdigest()
        self.public_key = digest
        self.premium_key = digest[::-1]
        self._quota: int | None = None
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def set_quota(self, quota: int | None) -> None:
        """Let each key make ``quota`` more requests."""
        with self._lock:
            self._quota = quota
            self._used.clear()

    def answer(self, request: Request, fault: Fault | None = None) -> Reply:
        """The reply of the real service, as far as it is recorded."""
        if fault is not None and fault.kind == "429":
            refused = self.refuse("over-quota", request)
            return Reply(429, refused.body, refused.type, {"Retry-After": fault.retry_after}, refused.samples)
        if fault is not None and (fault.kind == "over-quota" or (fault.kind == "wrong-key" and self.key_header)):
            return self.refuse(fault.kind, request)
        if self.key_header:
            key = request.headers.get(self.key_header, "")
            if not key:
                return self.refuse("no-key", request)
            if key not in (self.public_key, self.premium_key):
                return self.refuse("wrong-key", request)
        else:
            key = ""
        if self._spent(key):
            return self.refuse("over-quota", request)
        return self.route(request, key == self.premium_key)

    def route(self, request: Request, premium: bool) -> Reply:
        """Check path, method and parameters as the service does, and answer."""
        raise NotImplementedError(f"{type(self).__name__}.route")

    def refuse(self, kind: str, request: Request, **what: str) -> Reply:
        """The service's refusal: no-key, wrong-key, over-quota, unknown-endpoint, wrong-method and its own kinds."""
        raise NotImplementedError(f"{type(self).__name__}.refuse")

    def shown(self, kind: str) -> tuple[str, ...]:
        """The samples that show a kind of refusal: whoever is refused so has asked for them."""
        return tuple(sample.name for sample in self.errors.get(kind, ()))

    def _spent(self, key: str) -> bool:
        with self._lock:
            if self._quota is None:
                return False
            used = self._used[key] = self._used.get(key, 0) + 1
            return used > self._quota


def reply(body: Any, *samples: Sample, status: int = 200, **how: Any) -> Reply:
    """A JSON reply made of samples."""
    return Reply(status, json.dumps(body).encode(), samples=tuple(sample.name for sample in samples), **how)


def recorded(sample: Sample, **how: Any) -> Reply:
    """A sample as it is."""
    return Reply(sample.status, sample.body, samples=(sample.name,), **how)


def hexadecimal(text: str, *lengths: int) -> bool:
    """Whether text is a digest of one of these lengths."""
    return len(text) in lengths and all(letter in "0123456789abcdefABCDEF" for letter in text)


def named(names: Iterable[str], data_type: str) -> list[str]:
    """The names that are domains (one dot) or fqdns (more): close enough for picking a seed."""
    wanted = [name for name in names if (name.count(".") == 1) == (data_type == "domain") and "." in name]
    return list(dict.fromkeys(wanted))


def missing(data_type: str) -> str:
    """A value of this data type that no service knows. Raises :class:`KeyError` for a type that has none."""
    return MISSING[data_type]
