"""Answers in a folder, and which request each of them answers.

The folder is laid out as the recorded answers are: one folder a service, and ``index.jsonl`` whose rows name
``service``, ``file``, ``endpoint`` and ``status`` (WHOIS texts are listed in ``whois/WHOIS_INDEX.tsv``). Where a row
gives no exact request (``"exact": true`` says that it does), the table ``requests.toml`` derives it from the answer's
own id; its first lines say how to read it.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

TABLE = Path(__file__).with_name("requests.toml")

_EXACT = re.compile(r"(?P<method>GET|POST|WHOIS|DNS) (?P<target>[^\s{}<…]+)(?: (?P<form>\S+))?")
_PLACE = re.compile(r"\{([^{}]+)\}")


class TableError(ValueError):
    """A sample whose request cannot be told: the text names the file and what is missing."""


@dataclass(slots=True)
class Sample:
    """One answer: the request it belongs to, and its body.

    ``method`` is GET or POST for a web API, WHOIS (``path`` is the query), DNS (``path`` is what the file holds) or
    ERROR (``path`` is the kind of error that the body shows). ``idle`` says why no question of this pack asks for it.
    """

    service: str
    file: str
    place: Path
    method: str
    path: str
    params: dict[str, str]
    host: str = ""
    status: int = 200
    idle: str = ""
    wrap: str = ""
    edits: Mapping[str, Any] = field(default_factory=dict)
    rename: tuple[str, str] | None = None
    _body: bytes | None = None
    _tree: Any = None

    @property
    def name(self) -> str:
        """``service/file``."""
        return f"{self.service}/{self.file}"

    @property
    def body(self) -> bytes:
        """The body as it goes out: byte for byte as recorded, except where the table wraps or edits it."""
        if self._body is None:
            raw = self.place.read_bytes()
            if self.rename:
                old, new = self.rename
                raw = raw.replace(old.encode(), new.encode()).replace(old.upper().encode(), new.upper().encode())
            self._body = json.dumps(self._shaped(raw)).encode() if self.wrap or self.edits else raw
        return self._body

    @property
    def json(self) -> Any:
        """The body parsed, shared by all callers: not to be changed."""
        if self._tree is None:
            self._tree = json.loads(self.body)
        return self._tree

    def renamed(self, old: str, new: str) -> Sample:
        """The same answer about another name."""
        params = {name: value.replace(old, new) for name, value in self.params.items()}
        path = self.path.replace(old, new).replace(old.upper(), new.upper())
        return replace(self, path=path, params=params, rename=(old, new), _body=None, _tree=None)

    def _shaped(self, raw: bytes) -> Any:
        tree = copy.deepcopy(json.loads(raw))
        if self.wrap == "data":
            tree = {"data": tree}
        elif self.wrap == "data[]":
            tree = {"data": [tree]}
        for at, value in self.edits.items():
            *parents, last = at.split("/")[1:]
            target = tree
            for step in parents:
                target = target[step]
            target[last] = value
        return tree


@dataclass(slots=True)
class Folder:
    """What a folder holds for the services asked for. ``skipped``: sample to the reason why it is not served."""

    samples: dict[str, list[Sample]]
    skipped: dict[str, str]


def read(folder: Path, services: Iterable[str], table: Path = TABLE) -> Folder:
    """Read the index of ``folder``. Raises :class:`TableError` where no request can be told for a listed sample."""
    wanted = set(services)
    with table.open("rb") as stream:
        rules: dict[str, list[dict[str, Any]]] = tomllib.load(stream)
    found = Folder({service: [] for service in wanted}, {})
    for row in _rows(folder):
        service = row["service"]
        if service not in wanted:
            continue
        # A row that says so is exact: the project's own answers need no derivation.
        rule, groups = ({}, {}) if row.get("exact") else _rule(rules.get(service, []), row["file"])
        if "skip" in rule:
            found.skipped[f"{service}/{row['file']}"] = rule["skip"]
            continue
        place = folder / service / row["file"]
        if not place.is_file():
            raise TableError(f"{place} is listed and absent")
        asked = rule.get("request") or row.get("endpoint") or ""
        found.samples[service].append(_sample(service, row, place, asked, rule, groups))
    return found


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    index = folder / "index.jsonl"
    for line in index.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)
    texts = folder / "whois" / "WHOIS_INDEX.tsv"
    if texts.is_file():
        for line in texts.read_text(encoding="utf-8").splitlines()[1:]:
            yield {"service": "whois", "file": line.split("\t")[0]}


def _rule(rules: list[dict[str, Any]], file: str) -> tuple[dict[str, Any], dict[str, str]]:
    for rule in rules:
        if "match" in rule:
            hit = re.fullmatch(rule["match"], file)
            if hit:
                return rule, hit.groupdict()
        files = rule.get("files", [])
        if any(fnmatchcase(file, glob) for glob in ([files] if isinstance(files, str) else files)):
            return rule, {}
    return {}, {}


def _sample(
    service: str, row: Mapping[str, Any], place: Path, asked: str, rule: Mapping[str, Any], groups: Mapping[str, str]
) -> Sample:
    file = row["file"]
    known = {"stem": place.stem, **groups}
    tree: Any = None

    def fill(hit: re.Match[str]) -> str:
        nonlocal tree
        for name in hit[1].split("|"):
            if name in known:
                return quote(known[name], safe="")
            if name.startswith("/"):
                if tree is None:
                    tree = json.loads(place.read_bytes())
                value = _pointed(tree, name)
                if value is not None:
                    return quote(str(value), safe="")
        raise TableError(f"{service}/{file}: the table asks for {hit[0]}, which it does not have")

    method, _, rest = asked.partition(" ")
    host, path = "", rest
    params: dict[str, str] = {}
    if method != "ERROR":
        exact = _EXACT.fullmatch(_PLACE.sub(fill, asked))
        if exact is None:
            raise TableError(
                f"{service}/{file}: no exact request in the index ({asked or 'none'}) and none in the table"
            )
        method = exact["method"]
        host, path, params = _target(method, exact["target"], exact["form"] or "")
    return Sample(
        service,
        file,
        place,
        method,
        path,
        params,
        host,
        int(row.get("status") or 200),
        rule.get("idle", ""),
        rule.get("wrap", ""),
        rule.get("set", {}),
    )


def _target(method: str, target: str, form: str) -> tuple[str, str, dict[str, str]]:
    if method in ("WHOIS", "DNS"):
        return "", unquote(target), {}
    parts = urlsplit(target)
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    params.update(parse_qsl(form, keep_blank_values=True))
    return parts.netloc, parts.path, params


def _pointed(tree: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901, without escapes), or ``None``."""
    for step in pointer.split("/")[1:]:
        if isinstance(tree, list) and step.isdigit() and int(step) < len(tree):
            tree = tree[int(step)]
        elif isinstance(tree, dict):
            tree = tree.get(step)
        else:
            return None
    return tree
