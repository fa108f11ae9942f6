"""How a stand-in misbehaves when told to, whatever protocol it speaks.

A fault is set for one service or for all. ``times`` ends it after that many requests, so that a client's second try
can be watched succeeding.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

HTTP_KINDS = {
    "latency": "answers, after `seconds`",
    "silence": "reads the request and never answers",
    "reset": "resets the connection before the first byte",
    "truncated": "announces the whole body, sends half of it and closes",
    "slow": "sends the body byte by byte, one every `seconds`",
    "huge": "sends a body of `size` bytes whose end it does not announce",
    "bomb": "sends a small gzip body that unpacks to `size` bytes",
    "html": "a login page with status 200 instead of JSON",
    "garbage": "status 200, JSON by its type, random bytes",
    "empty": "status 200 without a body",
    "429": "too many requests, with Retry-After: `retry_after`",
    "500": "internal server error",
    "502": "bad gateway",
    "503": "service unavailable",
    "504": "gateway time-out",
    "wrong-key": "refuses every key, as the service does; nothing where there are no keys",
    "over-quota": "refuses every request as over quota, as the service does",
}

DNS_KINDS = {
    "latency": "answers, after `seconds`",
    "silence": "never answers",
    "reset": "never answers over UDP, resets over TCP",
    "servfail": "SERVFAIL",
    "refused": "REFUSED",
    "truncated": "sets TC over UDP, answers over TCP",
    "wrong-id": "answers with another message id",
    "garbage": "random bytes",
}

WHOIS_KINDS = {
    "latency": "answers, after `seconds`",
    "silence": "never answers",
    "reset": "resets the connection before the first byte",
    "truncated": "sends half and resets",
    "slow": "sends the text byte by byte, one every `seconds`",
    "huge": "sends `size` bytes",
    "garbage": "random bytes",
    "empty": "closes without a byte",
    "rate-limit": "the text of a server that has had enough",
}

# What a protocol does under a fault that was set for all services and that it does not know itself.
LIKE = {
    "dns": {
        "slow": "latency",
        "huge": "truncated",
        "bomb": "truncated",
        "html": "garbage",
        "empty": "garbage",
        "429": "refused",
        "wrong-key": "refused",
        "over-quota": "refused",
        "rate-limit": "refused",
        **dict.fromkeys(("500", "502", "503", "504"), "servfail"),
    },
    "whois": {
        "bomb": "huge",
        "html": "garbage",
        "429": "rate-limit",
        "wrong-key": "rate-limit",
        "over-quota": "rate-limit",
        **dict.fromkeys(("servfail", "refused", "500", "502", "503", "504"), "empty"),
        "wrong-id": "garbage",
    },
    "http": {"servfail": "500", "refused": "503", "wrong-id": "garbage", "rate-limit": "429"},
}
KINDS = {"http": HTTP_KINDS, "dns": DNS_KINDS, "whois": WHOIS_KINDS}


@dataclass(slots=True)
class Fault:
    """One way to misbehave. ``seconds``: delay; ``size``: bytes of a huge body; ``times``: requests until it ends."""

    kind: str
    seconds: float = 0.5
    size: int = 256 * 1024 * 1024
    retry_after: str = "1"
    times: int | None = None


class Faults:
    """Which fault each service has now. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}

    def set(self, service: str, protocol: str, fault: Fault | None) -> None:
        """Set or end the fault of one service. Raises :class:`ValueError` for a kind that its protocol cannot show."""
        if fault is not None:
            kind = fault.kind if fault.kind in KINDS[protocol] else LIKE[protocol].get(fault.kind)
            if kind is None:
                raise ValueError(
                    f"{service} cannot misbehave as {fault.kind!r}; it can as {', '.join(KINDS[protocol])}"
                )
            fault = Fault(kind, fault.seconds, fault.size, fault.retry_after, fault.times)
        with self._lock:
            self._faults.pop(service, None)
            if fault is not None:
                self._faults[service] = fault

    def take(self, service: str) -> Fault | None:
        """The fault of this request, one use of it spent."""
        fault = self._faults.get(service)
        if fault is None or fault.times is None:
            return fault
        with self._lock:
            fault.times -= 1
            if fault.times < 1:
                self._faults.pop(service, None)
            return fault if fault.times >= 0 else None
