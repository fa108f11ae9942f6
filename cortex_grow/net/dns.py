"""Asking the DNS (RFC 1035) through dnspython: over UDP, over TCP where an answer is truncated, within the deadline.

Proxies do not apply: DNS is asked of the configured resolvers directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .deadline import Deadline
from .errors import NotAnAnswerError, SettingsError, SourceError, UnreachableError

if TYPE_CHECKING:
    import dns.resolver

PARALLEL = 8
MOST_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Records:
    """What the DNS said to one question.

    ``exists`` is false for NXDOMAIN. ``values`` are the records as text, ``aliases`` the CNAME chain as (name, target)
    in order, ``owner`` the name that the records stand at: the end of the chain.
    """

    exists: bool
    values: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    owner: str = ""


class DnsSession:
    """Questions to some resolvers; may be used by several threads.

    ``resolvers`` are ``address`` or ``address:port`` (an IPv6 address with a port in brackets); none means those of
    this machine. Raises :class:`~cortex_grow.net.errors.SettingsError` for one that is no address.
    """

    def __init__(
        self, source: str, resolvers: Sequence[str] = (), *, timeout: float = 5.0, deadline: Deadline | None = None
    ) -> None:
        self.source = source
        self.timeout = timeout
        self.deadline = deadline or Deadline(None)
        self._servers = [_server(source, text) for text in resolvers]

    def ask(self, name: str, kind: str) -> Records:
        """The records of one kind (``A``, ``TXT`` …) at a name, following aliases.

        Raises :class:`~cortex_grow.net.errors.UnreachableError` where no resolver answers (time-out, SERVFAIL, REFUSED)
        and :class:`~cortex_grow.net.errors.NotAnAnswerError` for an answer that is none.
        """
        import dns.exception
        import dns.resolver

        self.deadline.check(self.source, f"asking for {kind} of {name}")
        resolver = self._resolver()
        lifetime = min(self.timeout, self.deadline.left())
        try:
            answer = resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=lifetime, search=False)
        except dns.resolver.NXDOMAIN:
            return Records(False)
        except dns.resolver.LifetimeTimeout:
            raise self._failed(UnreachableError, f"no answer for {kind} of {name} within {lifetime:.0f} s") from None
        except dns.resolver.NoNameservers as error:
            raise self._failed(UnreachableError, f"no resolver answers for {kind} of {name}{_rcodes(error)}") from None
        except dns.resolver.NoResolverConfiguration:
            raise SettingsError(self.source, "this machine has no resolver", advice="Set `resolvers`") from None
        except (dns.exception.DNSException, ValueError, UnicodeError) as error:
            raise self._failed(
                NotAnAnswerError, f"the answer for {kind} of {name} is none: {type(error).__name__}"
            ) from None
        except OSError as error:
            what = f"{kind} of {name} cannot be asked: {error.strerror or error}"
            raise self._failed(UnreachableError, what) from None
        aliases = [
            (_name(rrset.name), _name(record.target))
            for rrset in answer.response.answer
            if rrset.rdtype == dns.rdatatype.CNAME
            for record in rrset
        ]
        found = [] if answer.rrset is None else list(answer.rrset)[:MOST_RECORDS]
        owner = _name(answer.canonical_name)
        return Records(True, tuple(_text(record) for record in found), tuple(aliases), owner)

    def ask_all(self, questions: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Records | SourceError]:
        """Several questions side by side; a failed one has its error in place of records."""

        def one(question: tuple[str, str]) -> Records | SourceError:
            try:
                return self.ask(*question)
            except SourceError as error:
                return error

        wanted = list(dict.fromkeys(questions))
        if len(wanted) < 2:
            return {question: one(question) for question in wanted}
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="dns") as pool:
            return dict(zip(wanted, pool.map(one, wanted), strict=True))

    def _resolver(self) -> dns.resolver.Resolver:
        import dns.nameserver
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in self._servers]
        resolver.timeout = max(0.5, self.timeout / 2)
        return resolver

    def _failed(self, kind: type[SourceError], what: str) -> SourceError:
        host = ", ".join(address for address, _ in self._servers[:3]) or None
        return kind(self.source, what, host=host, advice="Check `resolvers` and that this machine may ask them")


def _server(source: str, text: str) -> tuple[str, int]:
    import ipaddress

    address, port = text.strip(), "53"
    if address.startswith("["):
        address, _, port = address[1:].partition("]")
        port = port.removeprefix(":") or "53"
    elif address.count(":") == 1:
        address, _, port = address.partition(":")
    try:
        if not 0 < int(port) < 65536:
            raise ValueError
        return str(ipaddress.ip_address(address)), int(port)
    except ValueError:
        raise SettingsError(
            source, f"{text[:80]!r} is no resolver", advice="Write `resolvers` as address or address:port"
        ) from None


def _rcodes(error: Any) -> str:
    codes = {str(entry[3]) for entry in error.kwargs.get("errors", []) if isinstance(entry[3], str)}
    return f" ({', '.join(sorted(codes))[:80]})" if codes else ""


def _name(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower()


def _text(record: Any) -> str:
    """A record as text: strings of TXT joined, names without their last dot."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(record.to_text())
