"""Taking secrets out of texts and trees before a person, a log or a report sees them.

Two means: the secrets that are known (every form in which a service, a library or an error text may repeat
them), and patterns that look like a credential whatever its value. Patterns are for texts about the work
(errors, logs). They are off in trees unless asked for: a report holds indicators, and
``https://login.example/?token=...`` may be one.

Everything is linear in the length of the text: known secrets are found by plain search, patterns start at a
fixed word and look only a bounded way ahead.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

MARK = "[redacted]"

#: Shorter secrets hide nothing and would blank out half a report: only the patterns catch them.
SHORTEST = 4
#: Secrets shorter than this are replaced only where they stand alone ("admin" is not taken out of "administrator").
ANYWHERE = 8

_WORD = re.compile(r"\w")

# Names as services and libraries spell them, `_` also as `-` or nothing.
_NAMES = (
    "access[_-]?key|access[_-]?token|api[_-]?key|api[_-]?token|apikey|auth[_-]?key|auth[_-]?token|authkey|authorization|"
    "bearer[_-]?token|client[_-]?secret|cookie|id[_-]?token|password|passwd|private[_-]?key|proxy-authorization|pwd|"
    "refresh[_-]?token|secret|secret[_-]?key|session[_-]?id|set-cookie|token|x-apikey|x-api-key|x-auth-token|key"
)
_PATTERNS = (
    # A header, whole, with its scheme: "Authorization: Basic dXNlcjpwYXNz".
    re.compile(
        r"(\b(?:proxy-)?authorization[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?"
        r"(?:(?:basic|bearer|token|apikey|digest)[ \t]{1,8})?)"
        r"([^\s\"',;&<>]{1,4096})",
        re.IGNORECASE,
    ),
    re.compile(r"(\b(?:set-)?cookie[\"']?[ \t]{0,8}:[ \t]{0,8})([^\r\n\"'<>]{1,4096})", re.IGNORECASE),
    re.compile(r"(\bbearer[ \t]{1,8})([A-Za-z0-9._~+/=-]{12,4096})", re.IGNORECASE),
    # "x-apikey: value", '"api_key": "value"', "password = value".
    re.compile(
        rf"(\b(?:[a-z]{{1,20}}[_-])?(?:{_NAMES.removesuffix('|key')})[\"']?[ \t]{{0,8}}[:=][ \t]{{0,8}}[\"']?)"
        r"(?!\[redacted\])([^\s\"',;&<>]{1,4096})",
        re.IGNORECASE,
    ),
    # "?key=value" and "&key=value": the bare word only in a query, "registry key=..." is ordinary prose.
    re.compile(rf"([?&;](?:{_NAMES})=)(?!\[redacted\])([^\s\"'&;#<>]{{1,4096}})", re.IGNORECASE),
)
_USERINFO = re.compile(r"(://)([^\s/@?#\"'<>]{1,512})@")


class Redactor:
    """Knows the secrets of a job and takes them out.

    ``secrets``: the values (others than strings and numbers are ignored). Each is also found percent-encoded,
    in base64 (also inside a longer base64 text such as ``user:secret``), JSON-escaped and HTML-escaped. A
    secret of 4 to 7 characters is replaced only where no letter or digit touches it; a shorter one is left to
    the patterns.
    """

    def __init__(self, secrets: Iterable[object] = ()) -> None:
        anywhere: set[str] = set()
        alone: set[str] = set()
        for secret in secrets:
            if isinstance(secret, bool) or not isinstance(secret, str | int | float):
                continue
            text = str(secret).strip()
            for part in {text, *(line.strip() for line in text.splitlines() if len(line.strip()) >= 16)}:
                if len(part) >= ANYWHERE:
                    anywhere.update(_forms(part))
                elif len(part) >= SHORTEST:
                    alone.update(form for form in _forms(part) if len(form) >= SHORTEST)
        # Longest first: a secret that holds another one goes as a whole.
        self._anywhere = sorted(anywhere, key=lambda form: (-len(form), form))
        self._alone = sorted(alone - anywhere, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        return self.redact(text)

    def redact(self, text: str, patterns: bool = True) -> str:
        """``text`` without secrets; with ``patterns``, also without what looks like a credential."""
        for form in self._anywhere:
            if form in text:
                text = text.replace(form, MARK)
        for form in self._alone:
            if form in text:
                text = _replace_alone(text, form)
        if patterns:
            for pattern in _PATTERNS:
                text = pattern.sub(rf"\1{MARK}", text)
            if "://" in text:
                text = _USERINFO.sub(rf"\1{MARK}@", text)
        return text

    def redact_tree(self, tree: Any, patterns: bool = False) -> Any:
        """A copy of ``tree`` (dict, list, tuple, str, and what JSON knows) without secrets, keys included.

        Numbers that are a secret go as well. Other objects are returned as they are. Depth is not limited by the
        interpreter's stack.
        """
        root: list[Any] = [None]
        # (where the copy goes, under which key, what is to be copied): a stack of its own instead of recursion.
        work: list[tuple[Any, Any, Any]] = [(root, 0, tree)]
        while work:
            target, key, value = work.pop()
            if isinstance(value, str):
                target[key] = self.redact(value, patterns)
            elif isinstance(value, Mapping):
                copied: dict[Any, Any] = {}
                target[key] = copied
                for name, item in value.items():
                    clean = self.redact(name, patterns) if isinstance(name, str) else name
                    while clean in copied:
                        clean = f"{clean}'"
                    copied[clean] = None  # keeps the order of the keys
                    work.append((copied, clean, item))
            elif isinstance(value, list | tuple):
                items: list[Any] = [None] * len(value)
                target[key] = items
                work.extend((items, index, item) for index, item in enumerate(value))
            elif isinstance(value, int | float) and not isinstance(value, bool):
                text = str(value)
                target[key] = MARK if text in self._anywhere or text in self._alone else value
            else:
                target[key] = value
        return root[0]


def _forms(secret: str) -> set[str]:
    """The spellings of one secret."""
    escaped = json.dumps(secret)[1:-1]
    forms = {
        secret,
        escaped,
        json.dumps(secret, ensure_ascii=False)[1:-1],
        escaped.replace("/", "\\/"),
        repr(secret)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
    }
    raw = secret.encode("utf-8", "surrogatepass")
    for quoted in (quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw)):
        forms.add(quoted)
        forms.add(re.sub(r"%[0-9A-F]{2}", lambda found: found.group().lower(), quoted))
    # A percent-encoded secret may be handed in as it stands in a URL (a proxy's password).
    if "%" in secret:
        forms.add(unquote(secret))
    if len(raw) >= ANYWHERE:
        forms |= _base64_forms(raw)
    return {form for form in forms if form}


def _base64_forms(raw: bytes) -> set[str]:
    """The parts of a base64 text that this value alone decides, at each of the three alignments (RFC 4648)."""
    forms: set[str] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms.add(encode(raw).decode("ascii").rstrip("="))
        for before in (0, 1, 2):
            text = encode(b"\0" * before + raw).decode("ascii").rstrip("=")
            start = (0, 2, 3)[before]
            end = len(text) if (before + len(raw)) % 3 == 0 else len(text) - 1
            forms.add(text[start:end])
    return {form for form in forms if len(form) >= ANYWHERE}


def _replace_alone(text: str, form: str) -> str:
    parts: list[str] = []
    done = 0
    at = text.find(form)
    while at >= 0:
        end = at + len(form)
        touched = (at > 0 and _WORD.match(text[at - 1])) or (end < len(text) and _WORD.match(text[end]))
        parts.append(text[done:end] if touched else text[done:at] + MARK)
        done = end
        at = text.find(form, end)
    parts.append(text[done:])
    return "".join(parts)


_SECRET_NAME = re.compile(r"key|passw|passphrase|secret|token|credential|authorization|cookie|pwd", re.IGNORECASE)


def looks_secret(name: str) -> bool:
    """Whether a configuration item of that name holds a secret, as far as its name tells."""
    return bool(_SECRET_NAME.search(name))


def secrets_in(config: Mapping[str, Any], names: Iterable[str] = ()) -> list[str]:
    """The secret values of a job's configuration, however deep.

    A value counts when its name is among ``names`` (declared secret) or :func:`looks_secret`, and so does every
    value below such a name. Names and passwords inside URLs (``http://user:pass@proxy``) count whatever the
    item is called.
    """
    declared = set(names)
    found: list[str] = []
    work: list[tuple[Any, bool]] = [(config, False)]
    while work:
        value, secret = work.pop()
        if isinstance(value, Mapping):
            work.extend((item, secret or name in declared or looks_secret(str(name))) for name, item in value.items())
        elif isinstance(value, list | tuple):
            work.extend((item, secret) for item in value)
        elif secret and isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
            found.append(str(value))
        elif isinstance(value, str) and "://" in value and "@" in value:
            found.extend(_userinfo(value))
    return found


def _userinfo(url: str) -> list[str]:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return []
    # The name alone is a secret as well when there is no password: some services put the key there.
    whole = parts.netloc.rpartition("@")[0]
    if not whole:
        return []
    values = [whole, unquote(whole)]
    secret = parts.password if parts.password is not None else parts.username
    return [*values, *([secret, unquote(secret)] if secret else [])]
