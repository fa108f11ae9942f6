"""X.509 certificates (RFC 5280) read without trust: their fingerprints, names and dates.

Certificates out of logs are often malformed in one field: what cannot be read is named in ``unread`` and left out. The
parser is that of ``cryptography``, imported when the first certificate is read.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

Value = TypeVar("Value")

LARGEST = 1 << 20  # characters of PEM; the largest certificates in the logs have a tenth of it
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class UnreadableError(ValueError):
    """A text that is no certificate; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. Digests and serial number are lower-case hexadecimal, times ISO 8601 in UTC.

    ``hosts`` are the names and addresses it was issued for (alternative names, then the subject's common name), as they
    stand there, ``*.`` included; ``mails`` likewise. ``precertificate``: issued for the logs only (RFC 6962, 3.1), so
    that no host serves it.
    """

    sha256: str
    sha1: str
    serial: str
    subject: str
    issuer: str
    not_before: str | None
    not_after: str | None
    hosts: tuple[str, ...]
    mails: tuple[str, ...]
    precertificate: bool
    unread: tuple[str, ...]


def der(pem: str) -> bytes:
    """The bytes between the first pair of PEM marks (RFC 7468). Raises :class:`UnreadableError`."""
    head, begun, rest = pem[:LARGEST].partition(_BEGIN)
    body, ended, _ = rest.partition(_END)
    if not begun or not ended or head.strip():
        raise UnreadableError("it is no certificate in PEM")
    try:
        return binascii.a2b_base64("".join(body.split()).encode("ascii"), strict_mode=True)
    except ValueError:
        raise UnreadableError("what stands between the PEM marks is no base64") from None


def fingerprint(pem: str) -> str:
    """The SHA-256 of a certificate in PEM. Raises :class:`UnreadableError`."""
    return hashlib.sha256(der(pem)).hexdigest()


def read(pem: str) -> Certificate:
    """A certificate in PEM. Raises :class:`UnreadableError` where it is none at all."""
    import warnings

    content = der(pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about flaws that old certificates have: not for the log of a job
        return _read(content)


def _read(content: bytes) -> Certificate:
    from cryptography import x509

    try:
        parsed = x509.load_der_x509_certificate(content)
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        raise UnreadableError(f"it is no certificate: {error}"[:200]) from None
    reading = _Reading(parsed)
    hosts, mails = reading.names()
    return Certificate(
        sha256=hashlib.sha256(content).hexdigest(),
        sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        serial=reading.field("serial number", lambda: _hex(parsed.serial_number), ""),
        subject=reading.field("subject", lambda: parsed.subject.rfc4514_string(), ""),
        issuer=reading.field("issuer", lambda: parsed.issuer.rfc4514_string(), ""),
        not_before=reading.field("not before", lambda: _time(parsed.not_valid_before_utc), None),
        not_after=reading.field("not after", lambda: _time(parsed.not_valid_after_utc), None),
        hosts=hosts,
        mails=mails,
        precertificate=reading.extension(x509.PrecertPoison) is not None,
        unread=tuple(dict.fromkeys(reading.unread)),
    )


class _Reading:
    """Takes a parsed certificate apart field by field: the parser looks at most of them only now."""

    def __init__(self, parsed: x509.Certificate) -> None:
        self.parsed = parsed
        self.unread: list[str] = []

    def field(self, name: str, get: Callable[[], Value], otherwise: Value) -> Value:
        """What ``get`` gives; ``otherwise`` where the field is malformed."""
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm

        faults = (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion, UnsupportedAlgorithm)
        try:
            return get()
        except (ValueError, TypeError, *faults) as error:
            self.unread.append(f"{name}: {error}"[:200])
            return otherwise

    def extension(self, kind: type[Any]) -> Any:
        """An extension's value, or ``None``. One malformed extension makes all of them unreadable."""
        from cryptography import x509

        def get() -> Any:
            try:
                return self.parsed.extensions.get_extension_for_class(kind).value
            except x509.ExtensionNotFound:
                return None

        return self.field("extensions", get, None)

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Hosts and mail addresses, each once."""
        from cryptography import x509
        from cryptography.x509.oid import NameOID

        hosts: dict[str, None] = {}
        mails: dict[str, None] = {}
        names = self.extension(x509.SubjectAlternativeName)
        for name in names or ():
            if isinstance(name, x509.DNSName | x509.IPAddress):
                hosts[str(name.value)] = None
            elif isinstance(name, x509.RFC822Name):
                mails[name.value] = None
        for oid, kept in ((NameOID.COMMON_NAME, hosts), (NameOID.EMAIL_ADDRESS, mails)):
            none: tuple[str, ...] = ()
            kept.update(dict.fromkeys(self.field("subject", partial(_texts, self.parsed, oid), none)))
        return tuple(hosts), tuple(mails)


def _texts(parsed: x509.Certificate, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    """The subject's attributes of one kind that are text and could be a name."""
    values = [attribute.value for attribute in parsed.subject.get_attributes_for_oid(oid)]
    texts = [value for value in values if isinstance(value, str)]
    return tuple(text for text in texts if "." in text and not any(character.isspace() for character in text))


def _hex(number: int) -> str:
    digits = f"{number:x}"
    return digits if len(digits) % 2 == 0 or number < 0 else f"0{digits}"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
