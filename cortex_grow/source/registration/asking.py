"""Questions to registries and registrars: RDAP over HTTP, WHOIS over TCP. Each may go to a server of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.suffixes import registrable
from cortex_grow.net.errors import DeadlineError, NotAnAnswerError, RefusedError, SettingsError, SourceError, when
from cortex_grow.source.base import Question, Source
from cortex_grow.source.registration import rdap, servers

if TYPE_CHECKING:
    from cortex_grow.net.session import Session

ACCEPT = {"Accept": f"{rdap.JSON}, application/json;q=0.9"}


class OneServerError(SourceError):
    """One of the many servers of this source failed: no reason not to ask the others, now or for the next indicator."""

    kind = "one-server"

    @classmethod
    def of(cls, error: SourceError) -> OneServerError:
        """The same error, that neither opens the breaker nor blocks the quota of the whole source."""
        advice = error.advice
        if error.retry_at is not None:
            advice = f"Come back {when(error.retry_at)}. {advice}"
        return cls(
            error.source,
            error.what,
            host=error.host,
            status=error.status,
            advice=advice,
            said=error.said,
            breaks=False,
        )


def subject(seed: Indicator) -> Indicator:
    """What a registry is asked about: the registrable domain of a name (or a public suffix itself), else the seed."""
    if seed.type not in ("domain", "fqdn"):
        return seed
    name = registrable(seed.value)
    if name is None:
        # A public suffix itself, or a name under one that RFC 2606 or RFC 6761 reserves.
        name = seed.value if seed.type == "domain" else ".".join(seed.value.split(".")[-2:])
    return seed if name == seed.value else Indicator("domain", name)


def by_rdap(source: Source, asked: Indicator) -> Question | None:
    """The question to the RDAP server in charge; ``None`` where there is none."""
    configured = source.settings.text("rdap_url")
    server = configured or servers.rdap_server(asked)
    if server is None:
        return None
    path = servers.rdap_path(asked)

    def fetch() -> Any:
        return _rdap(source.session_to(server, ACCEPT, redirects="any"), path)

    text = f"GET {server.rstrip('/')}/{path}"
    return Question("rdap", text, fetch if configured else _of_one_server(fetch))


def by_registrar(source: Source, href: str) -> Question:
    """The question to the registrar that the registry's answer names: its failure is that of this part alone."""
    fit = rdap.fit(href, source.settings.text("rdap_url"))

    def fetch() -> Any:
        if fit is None:
            raise RefusedError(source.name, "the registry's link to the registrar is none that may be asked")
        origin, public_only = fit
        with source.session_to(origin, ACCEPT, redirects="any", public_only=public_only, kept=False) as session:
            return _rdap(session, href)

    return Question("rdap_registrar", f"GET {href}", _of_one_server(fetch))


def by_whois(source: Source, asked: Indicator) -> Question:
    """The question to the WHOIS server that is configured, known to be in charge, or referred to by IANA."""
    configured = source.settings.text("whois_server")
    host, port = _host_and_port(source.name, configured) if configured else (servers.whois_server(asked), 43)
    named = configured or host or f"by referral of {servers.IANA}"

    def fetch() -> Any:
        # What reads texts is loaded where there is one: most questions are answered by RDAP.
        from cortex_grow.source.registration.outcome import Outcome, outcome

        server = host or _referred(source, asked)
        text = _whois(source, server, servers.whois_query(server, asked), port, bool(configured))
        found = outcome(text, asked.value, asked.type in ("domain", "fqdn"), source.name, server)
        return {"server": server, "text": text} if found is Outcome.RECORD else None

    query = servers.whois_query(host or "", asked)
    return Question(
        "whois",
        f"WHOIS {named} {query}",
        fetch if configured else _of_one_server(fetch),
        calls=1 if host else 2,
    )


def _rdap(session: Session, path: str) -> Any:
    reply = session.request("GET", path, headers=ACCEPT)
    if reply.absent:
        return None
    body = reply.json()
    if not isinstance(body, dict):
        raise NotAnAnswerError(session.source, "the answer is no RDAP object", host=session.host, breaks=False)
    code = body.get("errorCode")
    if code == 404:
        return None
    if code is not None:
        said = str(body.get("title") or "")[:160]
        raise RefusedError(session.source, f"the server answers with error {code!s:.20}", host=session.host, said=said)
    return body


def _of_one_server(fetch: Callable[[], Any]) -> Callable[[], Any]:
    def guarded() -> Any:
        try:
            return fetch()
        except (DeadlineError, SettingsError):
            raise
        except SourceError as error:
            raise OneServerError.of(error) from error

    return guarded


def _referred(source: Source, asked: Indicator) -> str:
    """The server that IANA's server names for a top-level domain, an address or a number."""
    from cortex_grow.net.whois import refer

    text = _whois(source, servers.IANA, servers.iana_query(asked), 43, False)
    server = refer(text)
    if server is None:
        what = f"{servers.IANA} names no WHOIS server for {servers.iana_query(asked)}"
        raise RefusedError(source.name, what, advice="Its registry may answer on its web site alone")
    return server


def _whois(source: Source, server: str, query: str, port: int, configured: bool) -> str:
    from cortex_grow.net.settings import NetSettings
    from cortex_grow.net.whois import whois

    settings = NetSettings.from_mapping(source.settings.values)
    return whois(
        server,
        query,
        source.job.deadline,
        port,
        source=source.name,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        allow_private=configured,
    )


def _host_and_port(source: str, setting: str) -> tuple[str, int]:
    """``host``, ``host:port``, ``[IPv6]:port`` or a bare IPv6 address."""
    if setting.count(":") > 1 and not setting.startswith("["):
        return setting, 43
    host, colon, port = setting.rpartition(":") if not setting.endswith("]") else (setting, "", "")
    if not colon:
        return setting.strip("[]"), 43
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError(source, "the setting `whois_server` is no host or host:port", advice="Correct it")
    return host.strip("[]"), int(port)
