"""The canonical form of each type of indicator: one reader a type, strict, without guessing.

A reader takes trimmed text without control characters and gives (type, value), or raises :class:`Unfit` with the
reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cortex_grow.model.suffixes import bundled, to_ascii

# These travel to TheHive as "other" with a label.
LABELLED_TYPES = frozenset(
    {"certificate", "ja3", "ja3s", "jarm", "hassh", "imphash", "favicon", "mutex", "network"}
    | {"organisation", "family", "actor", "rule"}
)
_FREE_TYPES = (
    "user-agent",
    "regexp",
    "mail-subject",
    "uri_path",
    "filename",
    "mutex",
    "organisation",
    "family",
    "actor",
    "rule",
)
# Top-level domains that exist in documentation and inside networks only: RFC 6761 and 6762, and ICANN's "internal". No
# public suffix, but names all the same, and nobody takes them for the names of files.
SPECIAL_USE = frozenset({"example", "test", "invalid", "localhost", "local", "internal"})
DIGESTS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}

# Patterns are compiled on first use (re keeps them): a job needs two or three of them.
_NAME = r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}"
_REGISTRABLE = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.|\Z))+"
_NUMERIC = r"[0-9]+|0x[0-9a-f]*"
_URL = r"(?s)([A-Za-z][A-Za-z0-9+.-]{0,31})://([^/?#]*)(.*)"
_DEFANGED_SCHEME = r".*(?<![a-z0-9])(?:h(?!tt)[tx]{2}|fx)ps?"
_PORT = r"[0-9]{0,9}"
_LOCAL_PART = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_HEX = r"[0-9a-f]+"
_SSDEEP = r"([0-9]{1,10}):[A-Za-z0-9/+]{0,64}:[A-Za-z0-9/+]{0,64}"
_TLSH = r"(?:T1)?([0-9A-F]{70})"
_ASN = r"(?i)(?:ASN?[ ]?)?([0-9]{1,10})"
_CVE = r"CVE-[0-9]{4}-[0-9]{4,19}"
_TECHNIQUE = r"T[0-9]{4}(?:\.[0-9]{3})?"
_CIDR = r"([0-9A-Fa-f:.]{2,45})/([0-9]{1,3})"
_FAVICON = r"-?[0-9]{1,10}"
_LABEL = r"(?i)([a-z0-9]{3,12})[ ]?:[ ]?(.+)"
_REGISTRY = r"(?i)(?:Computer\\)?<?(\\REGISTRY\\(?:MACHINE|USER)|[A-Z_]{3,24})>?:?(\\.*)"

_ROOTED = ("http", "https", "ftp", "ftps")
_DEFAULT_PORTS = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "ftp": 21,
    "ftps": 990,
    "ldap": 389,
    "ldaps": 636,
    "ssh": 22,
}
_ROOTS = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
    "HKPD": "HKEY_PERFORMANCE_DATA",
    "\\REGISTRY\\MACHINE": "HKEY_LOCAL_MACHINE",
    "\\REGISTRY\\USER": "HKEY_USERS",
}
_ROOTS |= {name: name for name in _ROOTS.values()}


class Unfit(ValueError):
    """Why a text is not of the type, as the end of the sentence "it …"."""


def _ipv4(text: str) -> str:
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Unfit("is not four numbers with dots between them")
    for part in parts:
        if len(part) > 3 or int(part) > 255:
            raise Unfit(f"has a number above 255 ({part[:20]})")
        if part[0] == "0" and part != "0":
            raise Unfit(f"has a number with a leading zero ({part}), octal to some and decimal to others")
    return text


def _address(text: str) -> str:
    """The short form of RFC 5952, whose section 5 writes IPv4-mapped addresses with dots (as Python does from 3.13)."""
    if ":" not in text:
        return _ipv4(text)
    if "%" in text:
        raise Unfit("has a zone, which means something on one machine only")
    from ipaddress import AddressValueError, IPv6Address

    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise Unfit("is no IPv6 address") from None
    mapped = address.ipv4_mapped
    return f"::ffff:{mapped}" if mapped else address.compressed


def _ip(text: str) -> tuple[str, str]:
    return "ip", _address(text)


def _network(text: str) -> tuple[str, str]:
    match = re.fullmatch(_CIDR, text)
    if match is None:
        raise Unfit("is not in CIDR notation")
    address, length = _address(match[1]), int(match[2])
    if length > (128 if ":" in address else 32):
        raise Unfit("has a prefix that is too long")
    from ipaddress import ip_network

    return "network", f"{_address(str(ip_network(f'{address}/{length}', strict=False).network_address))}/{length}"


def _ascii(text: str) -> str:
    try:
        return to_ascii(text).removesuffix(".")
    except ValueError as error:
        raise Unfit(f"is no name: {error}") from None


def _name(text: str) -> str:
    """A syntactically valid name of a host: labels of letters, digits, hyphens and (as in RFC 8552) underscores."""
    name = _ascii(text)
    if len(name) > 253:
        raise Unfit("is longer than the 253 characters of a name")
    if not re.fullmatch(_NAME, name):
        labels = name.split(".")
        if "" in labels:
            raise Unfit("has an empty label")
        if any(len(label) > 63 for label in labels):
            raise Unfit("has a label of more than 63 characters")
        raise Unfit("holds a character that no name of a host has")
    if re.fullmatch(_NUMERIC, name.rpartition(".")[2]):
        raise Unfit("ends in a number, as no name of a host does")
    return name


def _domain(text: str) -> tuple[str, str]:
    name = _name(text)
    below, _, top = name.rpartition(".")
    suffix = bundled().public_suffix(name) or (top if below and top in SPECIAL_USE else "")
    if not suffix:
        raise Unfit("is under no known public suffix")
    labels = name.split(".")
    count = suffix.count(".") + 2
    registrable = ".".join(labels[-count:])
    # What a registry hands out has no underscore, nor a hyphen at an end of a label; names below it occur with both.
    if not re.fullmatch(_REGISTRABLE, registrable):
        raise Unfit(f"is under {registrable}, a name that no registry hands out")
    return "fqdn" if len(labels) > count else "domain", name


def _hostname(text: str) -> tuple[str, str]:
    name = _name(text)
    return _domain(name) if "." in name and bundled().public_suffix(name) else ("hostname", name)


def _host(text: str) -> tuple[str, str]:
    return _ip(text) if ":" in text or re.fullmatch(_NUMERIC, text.rpartition(".")[2]) else _domain(text)


def _url_ipv4(host: str) -> str:
    """The address behind a host that ends in a number, as clients read it: octal, hexadecimal, fewer than four parts.

    The IPv4 parser of https://url.spec.whatwg.org/#concept-ipv4-parser, which follows ``inet_aton``.
    """
    numbers = []
    for part in host.split("."):
        base = 16 if part.startswith("0x") else 8 if part.startswith("0") and len(part) > 1 else 10
        try:
            numbers.append(int(part[2:] or "0", 16) if base == 16 else int(part, base))
        except ValueError:
            raise Unfit("has a host that is neither an address nor a name") from None
    if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        raise Unfit("has a host that is neither an address nor a name")
    whole = numbers[-1] + sum(number << 8 * (3 - place) for place, number in enumerate(numbers[:-1]))
    return ".".join(str(whole >> shift & 255) for shift in (24, 16, 8, 0))


def _url(text: str) -> tuple[str, str]:
    match = re.fullmatch(_URL, text)
    if match is None:
        raise Unfit("does not begin with a scheme and ://")
    if "\\" in text:
        raise Unfit("holds a backslash")
    if any(char.isspace() for char in text):
        raise Unfit("holds white space")
    scheme, (user, at, place), rest = match[1].lower(), match[2].rpartition("@"), match[3]
    if re.fullmatch(_DEFANGED_SCHEME, scheme):
        raise Unfit(f"is defanged ({scheme})")
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or ":" not in host or (port and not port.startswith(":")):
            raise Unfit("has a host that is no address")
        host, port = f"[{_address(host)}]", port[1:]
    else:
        host, _, port = place.partition(":")
        if not host:
            raise Unfit("has no host")
        host = _ascii(host)
        host = _url_ipv4(host) if re.fullmatch(_NUMERIC, host.rpartition(".")[2]) and len(host) < 254 else _name(host)
    if not re.fullmatch(_PORT, port) or not 0 < int(port or "1") < 65536:
        raise Unfit("has a port that is no number from 1 to 65535")
    port = "" if not port or int(port) == _DEFAULT_PORTS.get(scheme) else f":{int(port)}"
    if scheme in _ROOTED and not rest.startswith("/"):
        rest = f"/{rest}"  # an empty path is the root (RFC 3986, 6.2.3)
    return "url", f"{scheme}://{user}{at}{host}{port}{rest}"


def _mail(text: str) -> tuple[str, str]:
    local, at, host = text.partition("@")
    if not at or "@" in host:
        raise Unfit("has no @, or more than one")
    local = local.lower()
    if len(local) > 64 or not re.fullmatch(_LOCAL_PART, local):
        raise Unfit("has no valid part before the @")
    return "mail", f"{local}@{_domain(host)[1]}"


def _hash(text: str) -> tuple[str, str]:
    low = text.lower()
    if re.fullmatch(_HEX, low) and len(low) in DIGESTS:
        return "hash", low
    match = re.fullmatch(_TLSH, text.upper())
    if match:
        return "hash", f"T1{match[1]}"
    match = re.fullmatch(_SSDEEP, text)
    if match:
        size, rest = divmod(int(match[1]), 3)
        # ssdeep's block sizes are 3, 6, 12 …
        if rest or not size or size & (size - 1):
            raise Unfit("is no ssdeep hash: its block size is not 3 times a power of two")
        return "hash", text
    if re.fullmatch(_HEX, low):
        raise Unfit(f"has {len(low)} hexadecimal digits, as no known hash has")
    raise Unfit("is no MD5, SHA-1, SHA-2, ssdeep or TLSH")


def _file(text: str) -> tuple[str, str]:
    value = _hash(text)[1]
    if ":" in value or value.startswith("T"):
        raise Unfit("is a similarity hash, which does not name one file")
    return "file", value


def _hex(type: str, *lengths: int) -> Callable[[str], tuple[str, str]]:
    def read(text: str) -> tuple[str, str]:
        low = text.lower()
        if type == "certificate":
            low = low.replace(":", "")
        if not re.fullmatch(_HEX, low) or len(low) not in lengths:
            raise Unfit(f"has not {' or '.join(map(str, lengths))} hexadecimal digits")
        return type, low

    return read


def _favicon(text: str) -> tuple[str, str]:
    """Shodan's ``http.favicon.hash`` (MurmurHash3, a signed 32-bit number), or an MD5."""
    if re.fullmatch(_FAVICON, text):
        if not -(2**31) <= int(text) < 2**31:
            raise Unfit("is no signed 32-bit number")
        return "favicon", str(int(text))
    return _hex("favicon", 32)(text)


def _autonomous_system(text: str) -> tuple[str, str]:
    match = re.fullmatch(_ASN, text)
    if match is None or not 0 < int(match[1]) < 2**32:
        raise Unfit("is not AS and a number from 1 to 4294967295")
    return "autonomous-system", f"AS{int(match[1])}"


def _upper(type: str, form: str, wanted: str) -> Callable[[str], tuple[str, str]]:
    def read(text: str) -> tuple[str, str]:
        if not re.fullmatch(form, text.upper()):
            raise Unfit(f"is not of the form {wanted}")
        return type, text.upper()

    return read


def _registry(text: str) -> tuple[str, str]:
    match = re.fullmatch(_REGISTRY, text)
    if match and (root := _ROOTS.get(match[1].upper())):
        return "registry", root + match[2]
    if "\\" not in text:
        raise Unfit("has no backslash")
    return "registry", text


def _free(type: str) -> Callable[[str], tuple[str, str]]:
    return lambda text: (type, text)


def _other(text: str) -> tuple[str, str]:
    match = re.fullmatch(_LABEL, text)
    if match and (label := match[1].lower()) in LABELLED_TYPES:
        return READERS[label](match[2])
    if re.fullmatch(_CVE, text.upper()) or re.fullmatch(_TECHNIQUE, text.upper()):
        return READERS["cve" if text[0] in "cC" else "technique"](text)
    return "other", text


READERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "host": _host,
    "ip": _ip,
    "domain": _domain,
    "fqdn": _domain,
    "hostname": _hostname,
    "network": _network,
    "autonomous-system": _autonomous_system,
    "url": _url,
    "mail": _mail,
    "hash": _hash,
    "file": _file,
    "certificate": _hex("certificate", 40, 64),
    "ja3": _hex("ja3", 32),
    "ja3s": _hex("ja3s", 32),
    "hassh": _hex("hassh", 32),
    "imphash": _hex("imphash", 32),
    "jarm": _hex("jarm", 62),
    "favicon": _favicon,
    "registry": _registry,
    "cve": _upper("cve", _CVE, "CVE-2021-44228"),
    "technique": _upper("technique", _TECHNIQUE, "T1059 or T1059.001"),
    "other": _other,
    **{type: _free(type) for type in _FREE_TYPES},
}
