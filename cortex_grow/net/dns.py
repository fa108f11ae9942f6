"""Asking the DNS (RFC 1035) of configured resolvers, or of this machine's, within the deadline.

Proxies do not apply: DNS is asked of the resolvers directly, over UDP and, where an answer is cut, over TCP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from .deadline import Deadline
from .dns_wire import PAYLOAD, Lookup, Round, Server, resolver
from .errors import NotAnAnswerError, RefusedError, SettingsError, SourceError, UnreachableError

RESOLV_CONF = "/etc/resolv.conf"
MOST_SERVERS = 3  # as many as the C library asks (resolv.conf(5))
MOST_RECORDS = 500
ROOT = (".", "NS")  # what every resolver knows

Question = tuple[str, str]


class NoAnswerError(SourceError):
    """The resolver is there and has no answer for this name: the name servers behind it fail or are silent."""

    kind: ClassVar[str] = "no-answer"


class Records(NamedTuple):
    """What the DNS said to one question.

    ``exists`` is false for NXDOMAIN: the name, or the end of its chain of aliases, does not exist. ``values`` are the
    records as text (:func:`text_of`), at most 500 of ``total``; ``aliases`` is the chain as (name, target) in order,
    ``owner`` the name at its end, where the records stand.
    """

    exists: bool
    values: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    owner: str = ""
    total: int = 0


class DnsSession:
    """Questions to some resolvers. Nothing is asked twice between two calls of :meth:`begin`.

    ``resolvers`` are ``address`` or ``address:port`` (an IPv6 address with a port in brackets); none means those of
    this machine. Asking raises :class:`~cortex_grow.net.errors.SettingsError` for one that is no address. ``timeout``
    seconds are the most that any call takes, however many questions it asks.
    """

    def __init__(
        self, source: str, resolvers: Sequence[str] = (), *, timeout: float = 5.0, deadline: Deadline | None = None
    ) -> None:
        self.source = source
        self.timeout = timeout
        self.deadline = deadline or Deadline(None)
        self._resolvers = list(resolvers)
        self._found: list[Server] | None = None
        self._known: dict[Question, Records | SourceError] = {}
        self._gone: SourceError | None = None
        self._heard = False

    def begin(self, deadline: Deadline) -> None:
        """A new job: forget what was answered."""
        if deadline is not self.deadline:
            self.deadline = deadline
            self._known = {}
            self._gone = None
            self._heard = False

    def ask(self, name: str, kind: str) -> Records:
        """The records of one kind (``A``, ``TXT`` …) at a name, following aliases.

        Raises :class:`~cortex_grow.net.errors.UnreachableError` where no resolver is there,
        :class:`~cortex_grow.net.errors.NotAnAnswerError` where what comes is no DNS,
        :class:`~cortex_grow.net.errors.RefusedError` for REFUSED, and :class:`NoAnswerError` for any other code, for
        name servers that are silent and for aliases in a circle.
        """
        said = self.ask_all([(name, kind)])[name, kind]
        if isinstance(said, SourceError):
            raise said
        return said

    def ask_all(self, questions: Iterable[Question]) -> Mapping[Question, Records | SourceError]:
        """Several questions side by side; a failed one has its error in place of records.

        Where a resolver was not there, it is not asked again before the next :meth:`begin`.
        """
        wanted = list(dict.fromkeys(questions))
        missing = [question for question in wanted if question not in self._known]
        if missing and self._gone is None:
            self._ask(missing)
        return {question: self._known.get(question) or self._gone or self._late(question) for question in wanted}

    def _ask(self, questions: Sequence[Question]) -> None:
        import dns.exception
        import dns.message

        self.deadline.check(self.source, "asking the DNS")
        lookups: dict[Question, Lookup] = {}
        for name, kind in questions:
            try:
                query = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD)
            except dns.exception.DNSException:  # longer than a name can be, an empty label: there is no such name
                self._known[name, kind] = Records(False)
            else:
                lookups[name, kind] = Lookup(query)
        within = self.deadline.within(self.timeout)
        seconds = within.left()
        round_ = Round(self._servers(), within)
        round_.ask(list(lookups.values()), Lookup(dns.message.make_query(*ROOT)))
        self._heard = self._heard or round_.heard
        for question, lookup in lookups.items():
            if lookup.answer is None:
                self._known[question] = self._failure(question, lookup, seconds)
            else:
                self._known[question] = self._read(question, lookup.answer)
        if lookups and not round_.heard:
            gone = self._known[next(iter(lookups))]
            self._gone = gone if isinstance(gone, SourceError) else None

    def _read(self, question: Question, message: Any) -> Records | SourceError:
        import dns.exception
        import dns.rcode

        try:
            chain = message.resolve_chaining()
        except dns.exception.DNSException as error:
            what = f"the answer for {_said(question)} cannot be followed: aliases in a circle, or too many"
            if type(error).__name__ != "ChainTooLong":
                what = f"the answer for {_said(question)} contradicts itself ({type(error).__name__})"
            return self._error(NoAnswerError, what, "The fault lies with the name's own servers, or with `resolvers`")
        names = [*(alias.name for alias in chain.cnames), chain.canonical_name]
        aliases = tuple((name_of(one), name_of(next_)) for one, next_ in pairwise(names))
        found = [] if chain.answer is None else list(chain.answer)
        values = tuple(text_of(record) for record in found[:MOST_RECORDS])
        exists = message.rcode() != dns.rcode.NXDOMAIN
        return Records(exists, values, aliases, name_of(chain.canonical_name), len(found))

    def _failure(self, question: Question, lookup: Lookup, seconds: float) -> SourceError:
        """Why a question has no answer, as an error that names the resolvers and what to do."""
        said = _said(question)
        faults = f" ({'; '.join(lookup.faults[:3])})" if lookup.faults else ""
        if lookup.refusals:
            codes = ", ".join(dict.fromkeys(lookup.refusals))
            if set(lookup.refusals) == {"REFUSED"}:
                what = f"the resolver refuses to answer for {said} (REFUSED){faults}"
                return self._error(
                    RefusedError, what, "Let this machine ask it, or set `resolvers` to one that does; then ask again"
                )
            what = f"the resolver has no answer for {said} ({codes}){faults}"
            advice = "Most often the name's own servers fail: ask again later, or set other `resolvers`"
            return self._error(NoAnswerError, what, advice)
        if self._heard:
            what = f"no answer for {said} within {seconds:.3g} s{faults}, though the resolver is there"
            advice = "The name's own servers are silent or slow: ask again later, or raise `query_timeout`"
            return self._error(NoAnswerError, what, advice)
        advice = "Check that this machine may ask it over UDP and TCP, or set other `resolvers`"
        if lookup.strange:
            what = f"what comes back for {said} is no DNS answer{faults}"
            return self._error(NotAnAnswerError, what, advice)
        if lookup.faults and not lookup.servers:
            return self._error(UnreachableError, f"the resolver cannot be asked for {said}{faults}", advice)
        what = f"the resolver does not answer: nothing for {said} within {seconds:.3g} s{faults}"
        return self._error(UnreachableError, what, advice)

    def _late(self, question: Question) -> SourceError:
        return self.deadline.error(self.source, f"asking for {_said(question)}")

    def _error(self, kind: type[SourceError], what: str, advice: str) -> SourceError:
        return kind(self.source, what, host=", ".join(server.name for server in self._servers()), advice=advice)

    def _servers(self) -> list[Server]:
        if self._found is None:
            self._found = [_configured(self.source, text) for text in self._resolvers] or self._machines()
        return self._found

    def _machines(self) -> list[Server]:
        """The resolvers of this machine (resolv.conf(5))."""
        try:
            with open(RESOLV_CONF, encoding="utf-8", errors="replace") as file:
                lines = [line.split() for line in file.read(65536).splitlines()]
        except OSError:
            lines = []
        addresses = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        servers = [server for address in addresses if (server := resolver(address, 53))]
        if not servers:
            raise SettingsError(self.source, f"this machine has no resolver ({RESOLV_CONF})", advice="Set `resolvers`")
        return servers[:MOST_SERVERS]


def _configured(source: str, text: str) -> Server:
    address, port = text.strip(), "53"
    if address.startswith("["):
        address, bracket, port = address[1:].partition("]")
        port = port.removeprefix(":") if port else "53" if bracket else ""
    elif address.count(":") == 1:
        address, _, port = address.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    server = resolver(address, number)
    if server is None or not 0 < number < 65536:
        raise SettingsError(
            source,
            f"{text[:80]!r} in `resolvers` is no resolver",
            advice="Write `resolvers` as address, address:port or [IPv6 address]:port",
        )
    return server


def _said(question: Question) -> str:
    name, kind = question
    return f"{kind} of {name}"


def name_of(name: Any) -> str:
    """A name in lower case without its last dot (the root: ``.``), odd octets escaped as ``\\DDD`` (RFC 4343, 2.1)."""
    return str(name.to_text(omit_final_dot=True)).lower()


def text_of(record: Any) -> str:
    """A record as text: names as by :func:`name_of`.

    Strings of TXT are joined and read as UTF-8, what is none replaced. MX: preference and name; CAA: flags, tag and
    value without quotes; SOA: both names and the five numbers; everything else as in a master file.
    """
    from dns.rdatatype import to_text

    kind = to_text(record.rdtype)
    if kind == "TXT":
        return b"".join(record.strings).decode("utf-8", "replace")
    if kind in ("NS", "PTR", "CNAME"):
        return name_of(record.target)
    if kind == "MX":
        return f"{record.preference} {name_of(record.exchange)}"
    if kind == "CAA":
        return f"{record.flags} {record.tag.decode('ascii', 'replace')} {record.value.decode('utf-8', 'replace')}"
    if kind == "SOA":
        numbers = (record.serial, record.refresh, record.retry, record.expire, record.minimum)
        return " ".join((name_of(record.mname), name_of(record.rname), *map(str, numbers)))
    return str(record.to_text())
