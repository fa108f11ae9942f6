"""Refang and defang: what people write in place of an indicator so that nobody follows it, and the way back.

There is no standard; the forms are those that reports use (``hxxp``, ``[.]``, ``(dot)``, ``[@]`` …), and that
CyberChef's "Defang URL" and ``iocextract`` know.
"""

from __future__ import annotations

import re

# Types whose values people defang. In the others ``[.]`` means itself: a file name, a regular expression.
REFANGABLE = frozenset({"ip", "domain", "fqdn", "hostname", "url", "mail", "network", "host"})

# The last two lines are the pack's own: a bracketed bracket, or a bracketed first letter, stands for
# itself where a value (``http://example.org/a[.]b``) would otherwise be read as defanged.
FANGS = r"""(?ix)
      (?<![a-z0-9]) (?: (?P<http> h(?!tt)[tx*]{2}p ) | (?P<ftp> f[x*]p ) ) (?= s? (?: :// | \[:\]/ | \[://\] ) )
    | [ ]? [\[({] (?: \. | dot ) [\])}] [ ]? (?P<dot>)
    | [ ] [\[({] (?: @ | at ) [\])}] [ ] (?= [a-z0-9-]{1,63} [ ]? [\[({] (?: \. | dot ) [\])}] ) (?P<spaced>)
    | [\[({] (?: @ | at ) [\])}] (?P<at>)
    | \[ (?P<colon> :// | : ) \]
    | \[ (?P<bracket> [\[({] ) \]
    | \[ (?P<letter> [hf] ) \] (?= [tx*]{1,2}p )
"""
_MEANING = {"http": "http", "ftp": "ftp", "dot": ".", "spaced": "@", "at": "@"}
_TO_ESCAPE = r"(?i)[\[({]|(?<![a-z0-9])[hf](?=[tx*]{1,2}p)"


def refang(text: str, type: str | None = None) -> str:
    """``text`` with what is defanged put right: ``hxxp``, ``[.]``, ``(dot)``, ``{.}``, ``[:]``, ``[://]``, ``[@]``.

    With a ``type`` of indicator whose values are free text, or never are defanged, ``text`` comes back as it is. Takes
    time in proportion to the length.
    """
    if type is not None and type not in REFANGABLE:
        return text
    if not ("[" in text or "(" in text or "{" in text or "://" in text):
        return text
    return re.sub(FANGS, _meaning, text)


def _meaning(match: re.Match[str]) -> str:
    name = match.lastgroup or ""
    return _MEANING.get(name) or match[name]


def defang_value(type: str, value: str) -> str:
    """The ``value`` of an indicator of ``type``, defanged; ``refang`` with the type gives it back."""
    if type in ("ip", "network", "domain", "fqdn", "hostname"):
        value = value.replace(":", "[:]", 1) if value.count(":") > 1 else value
        return value.replace(".", "[.]")
    if type == "mail":
        local, _, host = value.rpartition("@")
        return f"{_escaped(local, value)}[@]{host.replace('.', '[.]')}"
    if type != "url":
        return value
    scheme, user, host, rest = url_parts(value)
    host = host.replace(":", "[:]", 1) if host.startswith("[") else host
    scheme = f"hxxp{scheme[4:]}" if scheme.lower() in ("http://", "https://") else scheme
    return f"{scheme}{_escaped(user, value)}{host.replace('.', '[.]')}{_escaped(rest, value)}"


def _escaped(part: str, value: str) -> str:
    """``part`` of ``value``, so that refanging gives it back where the value holds what looks defanged already."""
    if not re.search(FANGS, value):
        return part
    return re.sub(_TO_ESCAPE, lambda match: f"[{match[0]}]", part)


def url_parts(url: str) -> tuple[str, str, str, str]:
    """Scheme with its ``://``, user part with its ``@``, host, and the rest from the port on, of a valid URL."""
    scheme, marks, after = url.partition("://")
    if not marks or re.search("[/?#]", scheme):
        scheme, marks, after = "", "", url
    authority = re.split(r"[/?#]", after, maxsplit=1)[0]
    user = authority[: authority.rfind("@") + 1]
    host = authority[len(user) :]
    host = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return scheme + marks, user, host, after[len(user) + len(host) :]
