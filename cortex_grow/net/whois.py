"""Asking a WHOIS server (RFC 3912): one line out, text back, connection closed; in bounded time and size.

Proxies do not apply: WHOIS is plain TCP on port 43, and HTTP proxies carry it only where they allow CONNECT to
any port. Where a proxy is the only way out, WHOIS cannot be asked, and the error says so.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .deadline import Deadline
from .dial import dial, is_public
from .errors import NotAnAnswerError, RefusedError, SourceError, UnreachableError

PORT = 43
MIB = 1024 * 1024

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# "refer:" and "whois:" at IANA, "Registrar WHOIS Server:" and "Whois Server:" at registries, "ReferralServer:" at ARIN.
_REFER = re.compile(
    r"^[ \t]{0,8}(?:refer|whois|whois server|registrar whois server|referralserver):"
    r"[ \t]{0,40}(\S{1,300})[ \t\r]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)


def whois(
    server: str,
    query: str,
    deadline: Deadline,
    port: int = PORT,
    max_bytes: int = MIB,
    *,
    source: str = "WHOIS",
    connect_timeout: float = 10.0,
    read_timeout: float = 30.0,
    allow_private: bool = False,
) -> str:
    """Ask ``server`` and return its text (UTF-8 where it is that, else Latin-1).

    ``server``: a host name or address; ``query``: the line to send. ``allow_private``: also servers on this
    machine or in a private network; never set it for a name that came out of an answer.

    Raises :class:`~cortex_grow.net.errors.UnreachableError`, :class:`~cortex_grow.net.errors.NotAnAnswerError` (nothing
    came, or too much), :class:`~cortex_grow.net.errors.RefusedError` (a query or server that cannot be asked) or
    :class:`~cortex_grow.net.errors.DeadlineError`.
    """
    host = valid_server(server, allow_private=allow_private)
    if host is None:
        raise RefusedError(source, "the name of the WHOIS server is none that may be asked")
    # A line break would end the query and begin another one.
    if not query.strip() or len(query) > 1024 or any(not character.isprintable() for character in query):
        raise RefusedError(source, "the value cannot be sent as a WHOIS query", host=host)
    try:
        line = query.strip().encode("utf-8") + b"\r\n"
    except UnicodeError:
        raise RefusedError(source, "the value cannot be sent as a WHOIS query", host=host) from None
    deadline.check(source, "asking", host)
    try:
        connection = dial(source, host, port, timeout=connect_timeout, deadline=deadline, public_only=not allow_private)
    except UnreachableError as error:
        error.advice = f"WHOIS needs TCP port {port} to the outside; no proxy is used for it"
        raise
    answer = bytearray()
    with connection:
        try:
            connection.settimeout(max(0.001, min(read_timeout, deadline.left())))
            connection.sendall(line)
            while True:
                left = deadline.left()
                if left <= 0:
                    raise deadline.error(source, "reading the answer", host)
                connection.settimeout(min(read_timeout, left))
                chunk = connection.recv(65536)
                if not chunk:
                    break
                answer += chunk
                if len(answer) > max_bytes:
                    text = f"the answer is larger than {max_bytes} bytes"
                    raise NotAnAnswerError(source, text, host=host, breaks=False)
        except TimeoutError:
            if deadline.left() <= 0:
                raise deadline.error(source, "waiting for the answer", host) from None
            raise UnreachableError(
                source, f"{host} did not answer within {read_timeout:.3g} s", host=host, advice="Ask again later"
            ) from None
        except OSError as error:
            raise _broken(source, host, error) from None
    if not answer.strip():
        raise NotAnAnswerError(source, "the answer is empty", host=host, advice="Ask again later, perhaps less often")
    try:
        return answer.decode("utf-8")
    except UnicodeDecodeError:
        return answer.decode("latin-1")


def _broken(source: str, host: str, error: OSError) -> SourceError:
    advice = "Ask again later, perhaps less often: WHOIS servers hang up on those who ask too much"
    text = f"the connection was broken off ({error.strerror or error})"
    return UnreachableError(source, text, host=host, advice=advice)


def valid_server(server: str, allow_private: bool = False) -> str | None:
    """``server`` as a lower-case host name (IDN as punycode) or address; None where it is neither or may not be asked.

    A name needs a dot, and must not be ``localhost`` or end like a private one, unless ``allow_private``. Where a name
    leads is checked once more when it is connected to.
    """
    host = server.strip().rstrip(".").lower()
    if not host or len(host) > 253:
        return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    import ipaddress

    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        labels = host.split(".")
        # All digits at the end: some resolvers read "127.1" and "2130706433" as addresses.
        if not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit() or labels[-1].startswith("0x"):
            return None
        if allow_private:
            return host
        private = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "arpa", "onion")
        return host if len(labels) > 1 and labels[-1] not in private else None
    return str(address) if allow_private or is_public(str(address)) else None


def refer(text: str, allow_private: bool = False) -> str | None:
    """The server that an answer refers to, or None.

    Reads IANA's ``refer:`` and ``whois:``, the registries' ``Registrar WHOIS Server:`` and ARIN's
    ``ReferralServer:``. The last usable one counts, since registries name themselves first. Another protocol
    (``rwhois://``), another port than 43 and an address that is not public give None: the text is somebody
    else's.
    """
    found: str | None = None
    for match in _REFER.finditer(text[: 4 * MIB]):
        value = match.group(1)
        if "://" in value:
            try:
                parts = urlsplit(value)
                name, port, scheme = parts.hostname or "", parts.port or PORT, parts.scheme.lower()
            except ValueError:
                continue
            # Some registrars give the address of their page; its host is not a WHOIS server.
            if scheme != "whois" or port != PORT:
                continue
        else:
            name, colon, digits = value.partition(":")
            if colon and digits.strip("/") != str(PORT):
                continue
        server = valid_server(name, allow_private)
        if server is not None:
            found = server
    return found
