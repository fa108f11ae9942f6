"""What a proxy's refusal and a failed TLS handshake mean, in words; shared by all clients."""

from __future__ import annotations

import ssl

from .errors import SourceError, UnreachableError
from .session import Exchange


def tunnel_failed(exchange: Exchange, via: str, status: int | None) -> SourceError:
    """The proxy would not connect."""
    if status == 407:
        text, advice = f"the proxy {via} asks for a name and a password", "Put user:password@ into `proxy_https`"
    else:
        text, advice = (
            f"the proxy {via} did not connect to {exchange.host}",
            "Check the proxy's rules and `proxy_https`",
        )
    gone = status in (502, 503, 504)
    return UnreachableError(exchange.source, text, host=via, status=status, advice=advice, transient=gone, unsent=True)


def tls_failed(exchange: Exchange, error: ssl.SSLError) -> SourceError:
    """The other side could not be verified, or speaks no TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"the certificate of {exchange.host} was not accepted: {error.verify_message}"
        advice = "Where a proxy inspects TLS or the authority is your own, set `cacerts` to its certificate (PEM)"
        return UnreachableError(exchange.source, text, host=exchange.host, advice=advice, unsent=True)
    reason = (error.reason or "failed").replace("_", " ").lower()
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        text = f"{exchange.host} broke off the encrypted connection"
        return UnreachableError(exchange.source, text, host=exchange.host, advice="Ask again later", transient=True)
    text = f"no encrypted connection to {exchange.host}: {reason}"
    return UnreachableError(
        exchange.source, text, host=exchange.host, advice="Check `url` and the proxy in the settings"
    )
