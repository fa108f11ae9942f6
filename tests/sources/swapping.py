"""Swapping every indicator of an answer for a fresh one of the same type and shape, in every place where it stands.

What is kept, so that an answer stays consistent in itself: public suffixes, which name lies below which, which address
lies in which network (only the first octet or hextet changes), which number lies in which block of numbers, letters'
case, families, techniques, dates.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from cortex_grow.model.canonical import SPECIAL_USE
from cortex_grow.model.indicator import Indicator, InvalidIndicator
from cortex_grow.model.report import DIGESTS
from cortex_grow.model.suffixes import registrable, to_ascii

KEPT = {"family", "technique", "actor", "rule"}
HEX = {"hash", "file", "certificate", "ja3", "ja3s", "jarm", "hassh", "imphash"}
FREE = {"filename", "mutex", "registry", "user-agent", "organisation", "mail-subject", "other", "uri_path", "hostname"}
ASN_SHIFT = 3_000_000
# First octets that are free for everyone to be given, none of them in a special block as a whole.
OCTETS = [*range(41, 100), *range(101, 127), *range(128, 169), *range(170, 172)]
SPECIAL = "an address with a meaning of its own"

_HEX_RUN = (
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{2}:){15,}[0-9A-Fa-f]{2}(?![0-9A-Za-z])"  # a fingerprint with colons
    r"|(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,}(?![0-9A-Fa-f])"
)
_IPV4 = (
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])(?!\.\d)"
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){1,2}(?=\.?/\d)"  # 200.57.128/19
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?=\.(?!\w))"  # at the end of a sentence
)
_H = r"[0-9A-Fa-f]{1,4}"
_IPV6 = (
    rf"(?<![\w.:]){_H}(?=:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*)(?:::?{_H}){{1,7}}(?:::)?(?!\w)"
    rf"|(?<![\w.:]){_H}(?::{_H}){{0,6}}::(?!\w)"
)
_ASN = r"(?<![A-Za-z0-9])(?:ASN?)[ ]?\d{1,10}(?!\w)"
_NAME = r"(?:[\w-]{1,63}\.)+[\w-]{2,63}"
_AT = r"@|\s+at\s+|\s*[(\[]at[)\]]\s*"
_MAIL = rf"(?i:[a-z0-9!#$&'*+/=?^_`{{|}}~.-]{{1,64}}(?={_AT}))"
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_CVE = r"(?i:cve)-\d{4}-\d{4,19}"


class Swapper:
    """Swaps the indicators of a graph. ``unswapped`` names those that stay as they are, and why."""

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        self.indicators = list(indicators)
        self.unswapped: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.octets: dict[int, int] = {}
        self.hextets: dict[int, int] = {}
        self.hex: dict[str, str] = {}
        self.locals: dict[str, str] = {}
        self.cves: dict[str, str] = {}
        self.free: dict[str, str] = {}
        self._runs: dict[str, str | None] = {}
        self._count = 0
        for indicator in self.indicators:
            self._learn(indicator)
        self.literals: dict[str, str] = {}
        for indicator in self.indicators:
            if indicator.type == "url":
                old, new = indicator.value, self.text(indicator.value)
                self.literals[_base64(old)] = _base64(new)
                self.hex[hashlib.sha256(old.encode()).hexdigest()] = hashlib.sha256(new.encode()).hexdigest()

    # --- learning ---

    def _fresh(self, what: str) -> str:
        self._count += 1
        return hashlib.sha256(f"{what} {self._count} {len(self.indicators)}".encode()).hexdigest()

    def _learn(self, indicator: Indicator) -> None:
        kind, value = indicator.type, indicator.value
        if kind in KEPT:
            self.unswapped[indicator.id] = "families and techniques stay"
        elif kind in ("domain", "fqdn"):
            self._learn_name(indicator)
        elif kind in ("ip", "network"):
            self._learn_address(indicator)
        elif kind in HEX:
            for text in (value, *(indicator.attributes.get(digest, "") for digest in DIGESTS)):
                self._learn_hex(text)
            if not re.fullmatch(r"[0-9a-f]+", value):
                self.unswapped[indicator.id] = "a similarity hash"
        elif kind in ("url", "mail"):
            if indicator.host is not None:
                self._learn(indicator.host)
            if kind == "mail":
                local = value.partition("@")[0]
                self.locals.setdefault(local, "m" + self._fresh(value)[:8])
        elif kind == "cve":
            self.cves[value] = f"{value[:9]}{10_000_000 + int(self._fresh(value)[:6], 16)}"
        elif kind in FREE:
            self._learn_free(indicator)
        elif kind != "autonomous-system":
            self.unswapped[indicator.id] = f"nothing is known of how a {kind} is written"

    def _learn_name(self, indicator: Indicator) -> None:
        above = _registrable(indicator.value)
        if above is None or above.endswith(".arpa"):
            self.unswapped.setdefault(indicator.id, "a public suffix, or the name of an address")
        elif above not in self.names:
            label, _, suffix = above.partition(".")
            self.names[above] = f"z{self._fresh(label)[:9]}.{suffix}"

    def _learn_address(self, indicator: Indicator) -> None:
        network = ipaddress.ip_network(indicator.value)
        first = network.network_address
        wide = network.prefixlen < (8 if network.version == 4 else 16)
        if wide or not (
            first.is_global or first in ipaddress.ip_network("2002::/16" if network.version == 6 else "192.88.99.0/24")
        ):
            self.unswapped[indicator.id] = SPECIAL
        elif network.version == 4:
            self.octets.setdefault(first.packed[0], -1)
        else:
            self.hextets.setdefault(int.from_bytes(first.packed[:2], "big"), -1)

    def _learn_hex(self, text: str) -> None:
        low = text.lower()
        if re.fullmatch(r"[0-9a-f]{32,}", low) and low not in self.hex:
            self.hex[low] = (self._fresh(low) * 3)[: len(low)]

    def _learn_free(self, indicator: Indicator) -> None:
        value = indicator.value
        fresh = "Q" + self._fresh(value)[:10]
        if indicator.type == "organisation":  # words: with digits it would look like somebody's handle
            words = [self._fresh(word).translate(_LETTERS)[:9].capitalize() for word in value.split()]
            fresh = " ".join(words)
        elif indicator.type == "filename":
            stem, dot, ending = value.rpartition(".")
            fresh = f"{fresh}.{ending}" if dot and stem and ending.isalnum() else fresh
        elif indicator.type == "registry":
            fresh = "\\" + fresh
        self.free.setdefault(_spaced(_rest(indicator)), fresh)

    def settle(self, tree: Any) -> None:
        """Choose what addresses become, once the answer is known: nothing that stands in it already."""
        used = {int(octet) for text in _texts(tree) for octet in re.findall(r"(?<![\w.])(\d{1,3})\.\d", text)}
        spare = iter([octet for octet in OCTETS if octet not in used and octet not in self.octets])
        for octet in self.octets:
            self.octets[octet] = next(spare)  # fails where an answer has more networks than there are octets
        low = " ".join(_texts(tree)).lower()
        free = iter([number for number in range(0x2A10, 0x2B00) if f"{number:x}:" not in low])
        for hextet in self.hextets:
            self.hextets[hextet] = next(free)
        self._runs.clear()

    # --- swapping ---

    def tree(self, tree: Any, key: str = "") -> Any:
        """A copy of a JSON tree with everything swapped, names of members included."""
        if isinstance(tree, dict):
            return {self.text(name): self.tree(value, name) for name, value in tree.items()}
        if isinstance(tree, list):
            return [self.tree(value, key) for value in tree]
        if isinstance(tree, str):
            return self.text(tree)
        if isinstance(tree, int) and not isinstance(tree, bool) and re.search(r"asn|autnum", key, re.IGNORECASE):
            return tree + ASN_SHIFT
        return tree

    def text(self, text: str) -> str:
        """A text with everything swapped."""
        whole = self._whole(text)
        return self._pattern().sub(self._one, text) if whole is None else whole

    def indicator(self, indicator: Indicator) -> Indicator:
        """What an indicator becomes."""
        if indicator.type in KEPT or (indicator.id in self.unswapped):
            return indicator
        if indicator.type in FREE:
            rest = _rest(indicator)
            value = indicator.value.removesuffix(rest) + _cased(rest, self.free[_spaced(rest)])
        else:
            value = self.text(indicator.value)
        try:
            swapped = Indicator.parse(indicator.type, value)
        except InvalidIndicator as error:
            raise AssertionError(f"{indicator.id} became {value}: {error}") from None
        assert swapped.type == indicator.type, (indicator, swapped)
        assert swapped.value != indicator.value, f"{indicator.id} was not swapped"
        return swapped

    def _whole(self, text: str) -> str | None:
        """A scalar that is one of the free texts as a whole."""
        stripped = text.strip()
        if (name := _spaced(stripped)) in self.free:
            return text.replace(stripped, _cased(stripped, self.free[name]))
        root, slash, rest = stripped.partition("\\")
        if slash and _spaced(f"\\{rest}") in self.free:
            return root + _cased(slash + rest, self.free[_spaced(f"\\{rest}")])
        return None

    def _pattern(self) -> re.Pattern[str]:
        literals = [*self.literals, *(text for text in self.free if len(text) > 4 and not text.startswith("\\"))]
        spaced = {text: re.escape(text).replace("\\ ", " +") for text in literals}
        ordered = sorted(literals, key=len, reverse=True)
        pieces = [rf"(?<!\w)(?i:{spaced[text]})(?!\w)" for text in ordered]
        return re.compile("|".join([*pieces, _HEX_RUN, _CVE, _IPV6, _IPV4, _ASN, _MAIL, _NAME]))

    def _one(self, match: re.Match[str]) -> str:
        text = match[0]
        if text in self.literals:
            return self.literals[text]
        if (name := _spaced(text)) in self.free:
            return _cased(text, self.free[name])
        if re.fullmatch(_HEX_RUN, text):
            return self._hex_run(text)
        if text.upper() in self.cves:
            return _cased(text, self.cves[text.upper()])
        if ":" in text:
            first, colon, rest = text.partition(":")
            fresh = self.hextets.get(int(first, 16))
            return text if fresh is None else _cased(text, f"{fresh:x}{colon}{rest}")
        if re.fullmatch(r"\d{1,3}(\.\d{1,3}){1,3}", text):
            first, _, rest = text.partition(".")
            return f"{self.octets.get(int(first), first)}.{rest}"
        if number := re.fullmatch(r"(ASN?[ ]?)(\d+)", text):
            return f"{number[1]}{int(number[2]) + ASN_SHIFT}"
        if re.match(_AT, match.string[match.end() :], re.IGNORECASE):
            quote = text[: len(text) - len(text.lstrip("'\"=/"))]
            local = text.removeprefix(quote)
            if local.lower() in self.locals:
                return quote + _cased(local, self.locals[local.lower()])
        return self._name_run(text, match.string[match.start() - 1 : match.start()])

    def _hex_run(self, text: str) -> str:
        plain = text.replace(":", "").lower()
        fresh = self.hex.get(plain)
        if fresh is None:
            return text
        if ":" in text:
            fresh = ":".join(fresh[at : at + 2] for at in range(0, len(fresh), 2))
        return _cased(text, fresh)

    def _name_run(self, text: str, before: str) -> str:
        if before == "%":  # the two digits belong to the escape
            return text[:2] + self._name_run(text[2:], "")
        if text not in self._runs:
            self._runs[text] = self._swapped_name(text)
        return self._runs[text] or text

    def _swapped_name(self, text: str) -> str | None:
        glued = re.fullmatch(r"(\d{1,3})((?:\.\d{1,3}){3})([A-Za-z0-9_-]+\..+)", text)
        if glued:
            for cut in range(len(glued[2]), 5, -1):  # the last octet may have fewer digits than were taken
                name = self._swapped_name(glued[2][cut:] + glued[3])
                if name and int(glued[1]) in self.octets:
                    return f"{self.octets[int(glued[1])]}{glued[2][:cut]}{name}"
        try:
            ascii_name = to_ascii(text)
        except ValueError:
            return None
        reverse = re.fullmatch(r"((?:\d{1,3}\.)*)(\d{1,3})\.in-addr\.arpa", ascii_name)
        if reverse:
            return f"{reverse[1]}{self.octets.get(int(reverse[2]), reverse[2])}.in-addr.arpa"
        above = _registrable(ascii_name)
        if above is None or above not in self.names:
            return None
        labels = ascii_name[: -len(above)].rstrip(".").split(".") if ascii_name != above else []
        swapped = ".".join([*(self._label(label) for label in labels), self.names[above]])
        return swapped.upper() if text.isupper() else swapped

    def _label(self, label: str) -> str:
        if label.startswith("_") or label in ("", "*"):
            return label
        if label not in self.labels:
            self.labels[label] = "y" + self._fresh(label)[:6]
        return self.labels[label]


def _registrable(name: str) -> str | None:
    """The registrable domain of a name, by the pack's idea of names; ``None`` where it has none."""
    try:
        indicator = Indicator.parse("domain", name)
    except InvalidIndicator:
        return None
    if indicator.type == "domain":
        special = indicator.value.rpartition(".")[2] in SPECIAL_USE
        return indicator.value if special or registrable(indicator.value) else None
    return registrable(indicator.value) or ".".join(indicator.value.split(".")[-2:])


def _rest(indicator: Indicator) -> str:
    """The part of a free text that is swapped: of a registry key all but its root, which is written in several ways."""
    if indicator.type == "registry":
        return "\\" + indicator.value.partition("\\")[2]
    return indicator.value


def _spaced(text: str) -> str:
    """A name as names are compared: in lower case, several spaces as one."""
    return re.sub(" +", " ", text.lower())


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _cased(like: str, text: str) -> str:
    return text.upper() if like.isupper() else text.lower() if like.islower() else text


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield str(name)
            yield from _texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)
    elif isinstance(tree, str):
        yield tree
