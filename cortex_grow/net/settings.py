"""How the outside is reached: proxy, certificates, time-outs, limits; read from a job's configuration and the
environment.

The names are Cortex's own: ``proxy_http``, ``proxy_https``, ``cacerts``, and the nested ``proxy.http`` and
``proxy.https`` that it adds. It hands over ``null`` for what was left empty, so ``null`` means *not set*. Where
the configuration is silent, ``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy`` and
``REQUESTS_CA_BUNDLE`` (then ``CURL_CA_BUNDLE``) speak.
"""

from __future__ import annotations

import ipaddress
import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import SettingsError

if TYPE_CHECKING:
    import ssl

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NetSettings:
    """Seconds are floats, sizes are bytes.

    ``proxy_http``, ``proxy_https``: the proxy for ``http:`` and ``https:`` addresses, or None. ``no_proxy``:
    names, domains, addresses and networks asked directly. ``cacerts``: PEM text or a path (file or folder); it
    replaces the public authorities, as in Cortex. ``max_bytes``: largest answer, after decompression.
    ``retries``: further tries after the first. ``retry_after``: how long the breaker leaves a failing source
    alone. ``max_wait``: longest wait that a service may ask for (``Retry-After``); None: as long as the
    deadline allows. ``redirects``: ``never``, ``same-host``, or ``any`` (another host then gets neither
    credentials nor the caller's headers).
    """

    proxy_http: str | None = None
    proxy_https: str | None = None
    no_proxy: str = ""
    cacerts: str | None = None
    cacerts_from: str = "cacerts"
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    max_bytes: int = 32 * MIB
    retries: int = 2
    retry_after: float = 300.0
    max_wait: float | None = None
    backoff: float = 0.5
    redirects: str = "same-host"
    user_agent: str = "cortex-grow"
    proxy_from_environment: bool = False

    @classmethod
    def from_mapping(
        cls, config: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
    ) -> NetSettings:
        """Settings from a job's ``config`` and the environment.

        Raises :class:`SettingsError` that names the item which cannot be used.
        """
        given = {name: value for name, value in (config or {}).items() if value is not None and value != ""}
        env = os.environ if environ is None else environ
        nested = given.get("proxy")
        if isinstance(nested, str):
            nested = {"http": nested, "https": nested}
        nested = nested if isinstance(nested, Mapping) else {}
        chosen: dict[str, Any] = {}
        for scheme in ("http", "https"):
            value = given.get(f"proxy_{scheme}") or nested.get(scheme)
            if value is None and (value := _env(env, f"{scheme}_proxy", "all_proxy")):
                chosen["proxy_from_environment"] = True
            if value:
                chosen[f"proxy_{scheme}"] = _proxy(f"proxy_{scheme}", value)
        chosen["no_proxy"] = _env(env, "no_proxy") or ""
        if cacerts := given.get("cacerts"):
            if not isinstance(cacerts, str):
                raise SettingsError("", "`cacerts` must be PEM text or a path")
            if cacerts.strip():
                chosen["cacerts"] = cacerts
        if "cacerts" not in chosen:
            for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                if env.get(name):
                    chosen["cacerts"], chosen["cacerts_from"] = env[name], f"${name}"
                    break
        for name, low in (("connect_timeout", 0.001), ("read_timeout", 0.001), ("retry_after", 0.0), ("max_wait", 0.0)):
            if name in given:
                chosen[name] = _number(name, given[name], low)
        if "max_bytes" in given:
            chosen["max_bytes"] = int(_number("max_bytes", given["max_bytes"], 1))
        if "retries" in given:
            chosen["retries"] = int(min(_number("retries", given["retries"], 0), 10))
        return cls(**chosen)

    def proxy_for(self, url: str) -> str | None:
        """The proxy for this address, or None to ask directly.

        ``no_proxy`` counts for proxies from either place. A loopback address is never asked through a proxy
        that only the environment names (as in Go's ``http.ProxyFromEnvironment``): the proxy would look for it
        on its own machine.
        """
        parts = urlsplit(url)
        proxy = self.proxy_https if parts.scheme == "https" else self.proxy_http
        if not proxy:
            return None
        host = (parts.hostname or "").rstrip(".").lower()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if self.proxy_from_environment and _loopback(host):
            return None
        return None if bypasses(host, port, self.no_proxy) else proxy

    def ssl_context(self) -> ssl.SSLContext:
        """What verifies the other side; always verifies. Made once a process for each set of authorities.

        Raises :class:`SettingsError` where ``cacerts`` cannot be read or is no certificate.
        """
        with _contexts_lock:
            context = _contexts.get(self.cacerts or "")
            if context is None:
                context = _contexts[self.cacerts or ""] = _context(self.cacerts, self.cacerts_from)
            return context


_contexts: dict[str, ssl.SSLContext] = {}
_contexts_lock = threading.Lock()


def _env(env: Mapping[str, str], *names: str) -> str | None:
    for name in names:
        # Lower case first: a CGI server lets a client set HTTP_PROXY.
        for spelled in (name, name.upper()):
            if env.get(spelled, "").strip():
                return env[spelled].strip()
    return None


def _number(name: str, value: Any, low: float) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number < math.inf:
        raise SettingsError("", f"`{name}` must be a number of at least {low:g}")
    return number


def _proxy(name: str, value: Any) -> str:
    """``http://[user:password@]host:port`` from what was written; the error never shows it (it may hold a password)."""
    wanted = (
        f"`{name}` must read http://host:port or https://host:port, with user:password@ where the proxy asks for it"
    )
    if not isinstance(value, str):
        raise SettingsError("", wanted)
    text = value.strip()
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in text):
        raise SettingsError("", wanted)
    return text.rstrip("/")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def bypasses(host: str, port: int, no_proxy: str) -> bool:
    """Whether ``no_proxy`` (comma or space separated, as curl and requests read it) takes ``host`` out.

    ``*``; a host or domain with or without a leading dot (its sub-domains included); an address; a network in
    CIDR form; each but a network with an optional ``:port``.
    """
    address = _address(host)
    for entry in no_proxy.replace(",", " ").lower().split():
        if entry == "*":
            return True
        if address is not None and "/" in entry:
            try:
                if address in ipaddress.ip_network(entry, strict=False):
                    return True
            except ValueError:
                pass  # not a network: compared as a name below
        name, colon, digits = entry.rpartition(":")
        if colon and digits.isdecimal() and (":" not in name or name.endswith("]")):
            if int(digits) != port:
                continue
            entry = name
        entry = entry.strip("[]").lstrip("*").lstrip(".").rstrip(".")
        if not entry:
            continue
        if address is not None:
            if _address(entry) == address:
                return True
        elif host == entry or host.endswith("." + entry):
            return True
    return False


def _context(cacerts: str | None, origin: str) -> ssl.SSLContext:
    import ssl

    # Not create_default_context: from Python 3.13 on it asks for X.509 strictness that private authorities often miss.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if not cacerts:
        import certifi

        context.load_verify_locations(cafile=certifi.where())
        return context
    if "-----BEGIN" in cacerts:
        ders = _certificates(cacerts, origin)
        for number, der in enumerate(ders, 1):
            try:
                context.load_verify_locations(cadata=der)
            except ssl.SSLError:
                raise _damaged(origin, number, len(ders)) from None
        return context
    path = os.path.expanduser(cacerts.strip())
    advice = "Give the PEM text of the authorities, or the path of a readable file that holds it"
    if "\n" in path or "\0" in path or len(path) > 4096:
        raise SettingsError("", f"`{origin}` is neither a PEM certificate nor a path", advice=advice)
    try:
        if os.path.isdir(path):
            context.load_verify_locations(capath=path)
        else:
            with open(path, "rb"):
                pass  # OpenSSL's own message does not tell a missing file from a bad one
            context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise SettingsError("", f"`{origin}`: {path} holds no PEM certificate", advice=advice) from None
    except OSError as error:
        raise SettingsError("", f"`{origin}`: cannot read {path}: {error.strerror}", advice=advice) from None
    return context


_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def _damaged(origin: str, number: int, of: int) -> SettingsError:
    advice = "Paste it again, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
    return SettingsError("", f"`{origin}`: certificate {number} of {of} is damaged", advice=advice)


def _certificates(text: str, origin: str) -> list[bytes]:
    """The certificates of a PEM text as DER. Forgives lost or escaped line breaks (a one-line field in a web form)."""
    import base64
    import binascii

    pieces = text.split(_BEGIN)[1:]
    if not pieces:
        raise SettingsError(
            "", f"`{origin}` holds no certificate", advice=f"It must hold {_BEGIN}, the certificate and {_END}"
        )
    ders: list[bytes] = []
    for number, piece in enumerate(pieces, 1):
        body, end, _ = piece.partition(_END)
        try:
            if not end:
                raise binascii.Error
            ders.append(base64.b64decode("".join(body.replace("\\n", "").replace("\\r", "").split()), validate=True))
        except (binascii.Error, ValueError):
            raise _damaged(origin, number, len(pieces)) from None
    return ders
