"""What a text is: one indicator (:func:`detect`), or a text of any shape with indicators in it (:func:`extract`).

Nothing here takes more time than in proportion to the length of the text: what is longer than any indicator is refused
unread, and no pattern can backtrack over more than a bounded stretch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from cortex_grow.model.canonical import DIGESTS, LABELLED_TYPES
from cortex_grow.model.fangs import FANGS, defang_value, refang
from cortex_grow.model.indicator import LONGEST, Indicator, InvalidIndicator

if TYPE_CHECKING:
    from cortex_grow.model.extract import Extraction

__all__ = ["Found", "Skipped", "defang", "detect", "extract", "refang"]

LONGEST_TEXT = 3 * LONGEST  # a URL with every dot defanged is three times as long at most

# Extensions that make the name of a file of what is no domain.
_EXTENSIONS = """
    7z a3x ace apk appx arj asp aspx bas bat bin bmp bz2 cab chm class cmd conf cpl crt csv cur dat dex dll dmg doc docm
    docx dot dotm drv dylib elf eml exe gif gz hta htm html ico img inf ini ipa iso jar java jnlp jpeg jpg js jse json
    jsp key lnk log lua lzh map md mht mhtml mov mp3 mp4 msc msg msi msix msp mst ocx odp ods odt ole onepkg otf pdb pdf
    pem pfx php pif png potm pps ppsm ppt pptm pptx prf ps1 psd1 psm1 psr py pyc pyd pyw r00 rar rb reg rtf scf scr sct
    settingcontent-ms sh shb slk so sql svg swf sys tar tgz tif tiff tmp ttf txt url vb vba vbe vbs vhd vhdx vmdk wav
    webp wim wll wmf wsc wsf wsh xla xlam xll xls xlsb xlsm xlsx xlt xltm xml xpi xps xsl xz yaml yml z zip
"""
EXTENSIONS = frozenset(_EXTENSIONS.split())
# Of these, the ones that are top-level domains as well. A text with one dot, and nothing that shows it to be a host (a
# port, a path, a defanged dot, "*."), is then read as a file: README.md, payload.zip, install.sh. Other endings that
# are both (pl, rs, cc, ps, com …) are read as domains, since registries with millions of names are behind them.
# Indicator.parse("domain", …) takes either as a domain.
FILE_TLDS = frozenset({"cab", "dot", "java", "map", "md", "mov", "py", "sh", "so", "zip"})

# How columns, keys and labels call the types that cannot be told by their look.
_NAMES = {
    "ja3": "ja3-hash ja3-md5 ja3-digest ja3-fingerprint ja3-fingerprint-md5",
    "ja3s": "ja3s-hash ja3s-md5 ja3s-digest ja3s-fingerprint ja3s-fingerprint-md5",
    "jarm": "jarm-hash jarm-fingerprint",
    "hassh": "hassh-md5 hassh-hash hassh-server hassh-fingerprint hasshserver-md5",
    "imphash": "imp-hash import-hash pehash-imphash",
    "favicon": "favicon-hash favicon-mmh3 favicon-md5",
    "certificate": "certificate-sha1 certificate-sha256 certificate-fingerprint certificate-hash cert-sha1 cert-sha256"
    " cert-fingerprint x509-fingerprint-sha1 x509-fingerprint-sha256 ssl-fingerprint tls-fingerprint thumbprint",
    "mutex": "mutexes mutex-name",
    "filename": "file-name",
    "registry": "regkey registry-key reg-key",
    "user-agent": "useragent ua http-user-agent",
    "autonomous-system": "asn as-number",
    "network": "cidr ip-range netblock",
}
NAMES = {name: type for type, names in _NAMES.items() for name in (type, *names.split())}
NAMES |= {type: type for type in LABELLED_TYPES}
HASH_NAMES = frozenset({*DIGESTS.values(), "ssdeep", "tlsh", "sha-1", "sha-256", "sha-512"})
# Labels in front of what is told by its look.
_SELF_EVIDENT = """
    address c2 c2s cnc cve domain domain-name e-mail email fqdn from hash host hostname indicator ioc ip ip-address ipv4
    ipv6 link mail mailto server technique uri url
"""
SELF_EVIDENT = frozenset(_SELF_EVIDENT.split())

_BLANKS = " \t\r\n\v\f\u00a0\u200b\u2060\ufeff"
_PAIRS = {'"': '"', "'": "'", "`": "`", "<": ">", "(": ")", "[": "]", "{": "}", "\u00ab": "\u00bb"}
_PAIRS |= {"\u201c": "\u201d", "\u2018": "\u2019"}
_CLOSERS = {")": "(", "]": "[", "}": "{", ">": "<"}
_QUOTES = "\"'`\u00ab\u00bb\u2018\u2019\u201c\u201d*~"
_TRAILING = ".,;!?\u2026" + _QUOTES
_LEADING = "<" + _QUOTES

_LABEL = re.compile(r"([A-Za-z][A-Za-z0-9 _-]{1,24}) ?: ?(?!//)(\S.*)")
_MAILBOX = re.compile(r"[^<>]{0,256}<([^<>\s]{3,400})>")
_REGISTRY = re.compile(
    r"(?i)(?:Computer\\)?<?(?:HKLM|HKCU|HKCR|HKU|HKCC|HKPD|HKEY_[A-Z_]{3,24})>?:?\\|\\REGISTRY\\(?:MACHINE|USER)\\"
)
_USER_AGENT = re.compile(r"""(?ix)
    (?: Mozilla | Opera | curl | Wget | python-requests | Python-urllib | Python | Go-http-client | Java | okhttp
    | Dalvik | PostmanRuntime | libwww-perl | lwp-[a-z]+ | Apache-HttpClient | Microsoft[ -][A-Za-z-]{2,30} | WinHTTP
    | axios | node-fetch | aiohttp | HTTPie | Nutch | sqlmap | masscan | zgrab | nuclei | Googlebot | bingbot
    | Baiduspider | Faraday | GuzzleHttp | Ruby | PycURL | fasthttp | reqwest | aria2 | WindowsPowerShell
    | NSIS[A-Za-z_]{0,20}
    ) /[0-9v].*
""")
_WINDOWS_PATH = re.compile(r"(?:[A-Za-z]:|%[A-Za-z0-9_()]{3,30}%|\\\\[^\\]{1,64})\\.+")
_UNIX_PATH = re.compile(r"/(?:bin|boot|data|dev|etc|home|lib|mnt|opt|private|proc|root|run|sbin|srv|tmp|usr|var)/\S+")
_FILE = re.compile(r"[^\\/:*?\"<>|]{1,240}")
_PATH = re.compile("[/?#]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://")
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){3,}")
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}:){15,}[0-9A-Fa-f]{2}")
_WITH_PORT = re.compile(r"(\[[0-9A-Fa-f:.%]{2,60}\]|[0-9.]{7,64}):([0-9]{1,5})|\[([0-9A-Fa-f:.%]{2,60})\]")
_ONE_FORM = re.compile(
    r"""(?ix) (?P<hash> [0-9a-f]{24,} | T1[0-9a-f]{70} ) | (?P<cve> CVE-[0-9]{4}-[0-9]+ )
    | (?P<technique> T[0-9]{4} (?: \.[0-9]{3} )? ) | (?P<autonomous_system> ASN?[ ]?[0-9]+ )"""
)


class Found(NamedTuple):
    """An indicator, the text as it stood, and the number of its line, from 1."""

    indicator: Indicator
    text: str
    line: int


class Skipped(NamedTuple):
    """What looked like an indicator, why it is none, and the number of its line, from 1."""

    text: str
    reason: str
    line: int


def detect(text: str) -> Indicator:
    """The one indicator that ``text`` is: refanged, without quotes, brackets and punctuation around it, canonical.

    A port is left off, ``*.evil.com`` is the domain ``evil.com``, ``evil.com/path`` is a URL (``http``, as in a
    browser's address bar), a network of one address is that address, and ``John <a@b.com>`` is the mail. What looks
    like a file hash but is none has to be labelled: ``imphash:``, ``ja3:``, ``ja3s:``, ``jarm:``, ``hassh:``,
    ``favicon:``, ``certificate:``. Raises :class:`InvalidIndicator` with the reason.
    """
    if not isinstance(text, str):
        raise InvalidIndicator(text, "is no text")
    bare = text.strip(_BLANKS)
    if len(bare) > LONGEST_TEXT:
        raise InvalidIndicator(bare, f"is longer than {LONGEST} characters")
    if not bare:
        raise InvalidIndicator("", "is empty")
    bare = unwrapped(bare)
    return whole(bare) or single(bare)


def extract(text: str | Iterable[str]) -> Extraction:
    """The indicators in ``text`` (or in its lines), in order, each once: an iterator of :class:`Found`.

    Any shape: one a line, CSV with any order of columns, JSON lines, Markdown, prose; defanged or not. What looks like
    an indicator but is none is listed, with the reason, in ``skipped`` of what is returned, as it is iterated.
    """
    from cortex_grow.model.extract import Extraction

    return Extraction(text)


def defang(what: Indicator | str) -> str:
    """An indicator's value, or a text with every address, name, URL and mail in it, defanged for display."""
    if isinstance(what, Indicator):
        return what.defanged
    from cortex_grow.model.extract import words

    def word(match: re.Match[str]) -> str:
        whole, done, at = match[0], "", 0
        for text, found in words(whole):
            start = whole.find(text, at)
            if start >= 0 and not re.search(FANGS, text):
                done += whole[at:start] + defang_value(found.type, text)
                at = start + len(text)
        return done + whole[at:]

    return re.sub(r"\S+", word, what)


def unwrapped(text: str) -> str:
    """Without the quotes or brackets around the whole."""
    for _ in range(4):
        closer, inner = _PAIRS.get(text[:1]), text[1:-1]
        if closer is None or len(text) < 3 or text[-1] != closer:
            break
        if closer in inner and not -1 < inner.find(text[0]) < inner.find(closer):
            break
        text = inner.strip(_BLANKS)
    return text


def trimmed(text: str) -> str:
    """Without the punctuation that a sentence puts around a word; a closing bracket goes when none was opened."""
    text = _ended(text.lstrip(_LEADING))
    for _ in range(8):
        opener = _CLOSERS.get(text[-1:])
        if opener is not None and text.count(text[-1]) > text.count(opener):
            text = _ended(text[:-1])
        elif text[:1] in ("(", "[", "{") and text.count(text[0]) > text.count(_PAIRS[text[0]]):
            text = text[1:].lstrip(_LEADING)
        else:
            break
    return text


def _ended(text: str) -> str:
    text = text.rstrip(_TRAILING)
    # A colon ends a clause, two end an address.
    return text[:-1].rstrip(_TRAILING) if text.endswith(":") and not text.endswith("::") else text


def named(name: str) -> str:
    """A label, column or key in the form of :data:`NAMES`."""
    return re.sub(r"[\W_]+", "-", name[:40].strip().lower()).strip("-")


def labelled(name: str, value: str) -> Indicator | None:
    """``value`` as what ``name`` (see :func:`named`) calls it; ``None`` where the name says nothing of a type.

    Raises :class:`InvalidIndicator` where the value is none of its type.
    """
    value = unwrapped(value.strip(_BLANKS))
    if name in HASH_NAMES:
        found = Indicator.parse("hash", value)
        if found.hash_kind != name.replace("sha-", "sha"):
            raise InvalidIndicator(value, f"is no {name}")
        return found
    type = NAMES.get(name)
    if type is None:
        return None
    if type == "network" and not re.search("/[0-9]{1,3}$", value):
        raise InvalidIndicator(value, "is no network in CIDR notation")
    return Indicator.parse(type, refang(value, type))


def whole(bare: str) -> Indicator | None:
    """The kinds that may hold blanks and punctuation: labelled, registry keys, user agents, paths, mailboxes."""
    match = _LABEL.fullmatch(bare)
    if match:
        name = named(match[1])
        found = labelled(name, match[2])
        if found:
            return found
        if name in SELF_EVIDENT:
            return _mailbox(match[2]) or single(unwrapped(match[2]))
    if _REGISTRY.match(bare):
        return Indicator.parse("registry", bare)
    if _USER_AGENT.fullmatch(bare):
        return Indicator.parse("user-agent", bare)
    if _WINDOWS_PATH.fullmatch(bare) or _UNIX_PATH.fullmatch(bare):
        return Indicator.parse("filename", bare)
    return _mailbox(bare)


def _mailbox(text: str) -> Indicator | None:
    """The mail in ``John <a@b.com>``."""
    match = _MAILBOX.fullmatch(text)
    return single(match[1]) if match and "@" in refang(match[1]) else None


def single(text: str) -> Indicator:
    """The kinds that are one word, and names of files. Raises :class:`InvalidIndicator`."""
    text = trimmed(text)
    plain = refang(text)
    if _SCHEME.match(plain):
        return _either("url", text, plain)
    path = re.search(r"[/?#\s]", plain)
    if "@" in (plain[: path.start()] if path else plain):
        return _either("mail", text, plain)
    match = _ONE_FORM.fullmatch(plain)
    if match:
        type = match.lastgroup or ""
        return _hash(plain) if type == "hash" else Indicator.parse(type.replace("_", "-"), plain)
    if _FINGERPRINT.fullmatch(plain):
        raise InvalidIndicator(text, "is a fingerprint of something: label it (certificate:…)")
    return _address(text, plain) or _name(text, plain)


def _either(type: str, text: str, plain: str) -> Indicator:
    """As written where that is valid (a URL may well hold ``[.]``), else as refanged."""
    if type == "mail":
        text, plain = (re.sub(r"(?i)^\.*(?:mailto:)?", "", one).partition("?")[0] for one in (text, plain))
    if text == plain:
        return Indicator.parse(type, text)
    try:
        return Indicator.parse(type, text)
    except InvalidIndicator:
        return Indicator.parse(type, plain)


def _hash(text: str) -> Indicator:
    try:
        return Indicator.parse("hash", text)
    except InvalidIndicator as error:
        if len(text) == 62:
            raise InvalidIndicator(text, "has the length of a JARM: label it (jarm:…)") from None
        raise error


def _address(text: str, plain: str) -> Indicator | None:
    """An address with or without a port, a network, or ssdeep, which has colons too."""
    if ":" not in plain and not plain[:1].isdigit():
        return None
    port = _WITH_PORT.fullmatch(plain)
    if port and (port[3] or _NUMBERS.fullmatch(port[1]) or port[1][0] == "["):
        if port[2] and int(port[2]) > 65535:
            raise InvalidIndicator(text, "has a port that is no number from 1 to 65535")
        plain = (port[3] or port[1]).strip("[]")
    if re.fullmatch(r"[0-9A-Fa-f:.]{2,45}/[0-9]{1,3}", plain) and (":" in plain or _NUMBERS.match(plain)):
        network = Indicator.parse("network", plain)
        address, _, length = network.value.partition("/")
        if length == "0":
            raise InvalidIndicator(text, "is every address there is")
        return Indicator.parse("ip", address) if length == ("128" if ":" in address else "32") else network
    ssdeep = re.fullmatch(r"[0-9]{1,10}:([A-Za-z0-9/+]{3,64}):([A-Za-z0-9/+]{2,64})", plain)
    if ssdeep and not (ssdeep[1].isdigit() and ssdeep[2].isdigit()):  # 12:30:45 is a time of day
        return Indicator.parse("hash", plain)
    colons = plain.count(":") > 1 and re.fullmatch(r"[0-9A-Fa-f:.]{2,45}(?:%\S{1,40})?", plain)
    if not colons and not _NUMBERS.fullmatch(plain):
        return None
    found = Indicator.parse("ip", plain)
    if found.value in ("0.0.0.0", "::"):
        raise InvalidIndicator(text, "is the unspecified address, which no host has")
    return found


def _name(text: str, plain: str) -> Indicator:
    """A domain, what is under it, a URL without its scheme, or the name of a file."""
    host = _PATH.split(plain, maxsplit=1)[0]
    path = plain[len(host) :]
    before, colon, port = host.rpartition(":")
    name = before if colon and port.isascii() and port.isdigit() and len(port) < 6 else host
    name = name.removeprefix("*").removeprefix(".")
    stem, _, extension = text.lower().rpartition(".")
    if not stem or extension not in EXTENSIONS or not _FILE.fullmatch(text):
        extension = ""
    if extension in FILE_TLDS and text == plain == name and text.count(".") == 1:
        return Indicator.parse("filename", text)
    try:
        if "." not in name.strip("."):
            raise InvalidIndicator(text, "is no kind of indicator that is known here")
        found = Indicator.parse("host", name)
    except InvalidIndicator as error:
        if extension:
            return Indicator.parse("filename", text)
        raise InvalidIndicator(text, error.reason) from None
    if path and path != "/":
        return Indicator.parse("url", f"http://{plain}")
    return found
