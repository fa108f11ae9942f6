"""Opening a TCP connection in bounded time: names are looked up and addresses tried within the job's deadline.

``socket.getaddrinfo`` knows no time-out and a name may have many addresses, so neither ``socket.create_connection`` nor
an HTTP library's connect time-out bounds what really passes.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

from .deadline import Deadline
from .errors import SourceError, UnreachableError

Address = tuple[int, tuple[Any, ...]]


class NotPublicError(UnreachableError):
    """A name from somebody else's answer that leads to an address of this machine or of a private network."""


def resolve(source: str, host: str, port: int, *, timeout: float, deadline: Deadline, what: str = "") -> list[Address]:
    """The addresses of ``host`` as (family, socket address), in the system's order of preference.

    Raises :class:`UnreachableError` where there is none or the name service does not answer in time.
    """
    what = what or host
    try:
        ipaddress.ip_address(host)
        bounded = False  # a literal address is not looked up
    except ValueError:
        bounded = True
    found: list[Address] = []
    failure: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                if (family, address) not in found:
                    found.append((family, address))
        except (OSError, UnicodeError) as error:
            failure.append(error)

    if bounded:
        limit = min(timeout, deadline.left())
        # A daemon: a name service that hangs must hold up neither the job nor its end.
        thread = threading.Thread(target=look_up, name="resolve", daemon=True)
        thread.start()
        thread.join(limit)
        if thread.is_alive():
            if deadline.left() <= 0:
                raise deadline.error(source, f"looking up {what}", host)
            text = f"the name {what} was not resolved within {limit:.3g} s"
            raise UnreachableError(source, text, host=host, advice=_DNS, transient=True, unsent=True)
    else:
        look_up()
    if failure or not found:
        error = failure[0] if failure else None
        # Not found is final; "try again" is the name server's trouble.
        again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        reason = f" ({error.strerror or error})" if isinstance(error, OSError) else ""
        text = f"the name {what} could not be resolved{reason}"
        raise UnreachableError(source, text, host=host, advice=_DNS, transient=again, unsent=True)
    return found


_DNS = (
    "Check the address in the settings, the name servers of this machine, and whether a proxy is needed (`proxy_https`)"
)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet (an embedded IPv4 address is judged as well)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def dial(
    source: str,
    host: str,
    port: int,
    *,
    timeout: float,
    deadline: Deadline,
    public_only: bool = False,
    what: str = "",
) -> socket.socket:
    """A connected socket.

    ``timeout``: seconds for the look-up, and again for all addresses together. ``public_only``: connect to
    addresses of the public Internet alone; what was checked is what is connected to. ``what``: how to name the
    host in errors.

    Raises :class:`UnreachableError` (``unsent`` is set) or :class:`~cortex_grow.net.errors.DeadlineError`.
    """
    what = what or host
    addresses = resolve(source, host, port, timeout=timeout, deadline=deadline, what=what)
    if public_only:
        addresses = [item for item in addresses if is_public(str(item[1][0]))]
        if not addresses:
            text = f"{what} leads to an address that is not public and is not asked"
            raise NotPublicError(source, text, host=host, breaks=False, unsent=True)
    limit = deadline.within(timeout)
    last: SourceError | None = None
    for count, (family, address) in enumerate(addresses):
        # What is left is shared by the addresses not tried yet, so that a dead first one leaves time for the second.
        share = limit.left() / (len(addresses) - count)
        if share <= 0:
            break
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(share)
            connection.connect(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            last = connection_failed(source, host, what, port, error, share)
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    if deadline.left() <= 0:
        raise deadline.error(source, f"connecting to {what}", host)
    raise last or connection_failed(source, host, what, port, TimeoutError(), timeout)


def connection_failed(source: str, host: str, what: str, port: int, error: OSError, seconds: float) -> SourceError:
    if isinstance(error, TimeoutError):
        text = f"no connection to {what} within {seconds:.3g} s"
    elif isinstance(error, ConnectionRefusedError):
        text = f"{what} refuses connections on port {port}"
    else:
        text = f"no connection to {what}, port {port} ({error.strerror or error})"
    advice = "Check the address, the firewall, and whether a proxy is needed (`proxy_https`)"
    return UnreachableError(source, text, host=host, advice=advice, transient=True, unsent=True)
