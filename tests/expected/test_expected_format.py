"""The hand-written expectations are well-formed, and each says what stands in its recorded answer.

Independent of the mappings and of the models: the vocabulary is read from its table, values are judged by the standard
library and the public suffix list.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import tldextract

from tests.support import ROOT, needs_shared, sample, shared

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.json"))
# fmt: off
TYPES = frozenset(
    [
        "url", "other", "user-agent", "regexp", "mail-subject", "registry", "mail", "autonomous-system",
        "domain", "ip", "uri_path", "filename", "hash", "file", "fqdn", "hostname", "certificate", "ja3",
        "ja3s", "jarm", "hassh", "imphash", "favicon", "mutex", "network", "organisation", "cve", "technique",
        "family", "actor", "rule",
    ]
)
# fmt: on
HEX = {
    "hash": (32, 40, 64, 128),
    "certificate": (40, 64),
    "ja3": (32,),
    "ja3s": (32,),
    "jarm": (62,),
    "hassh": (32,),
    "imphash": (32,),
}
MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"
POINTER = r"^[a-z0-9_]+#(/.*)?$"
NODE = r"^[a-z0-9_-]+:.+$"
ROOTS = {"hklm": "hkey_local_machine", "hkcu": "hkey_current_user", "hkcr": "hkey_classes_root", "hku": "hkey_users"}
_text = {"type": "string", "minLength": 1}
_node = {"type": "string", "pattern": NODE}
_moment = {"type": "string", "pattern": MOMENT}
_at = {"type": "string", "pattern": POINTER}


def _closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "uniqueItems": True}


SHAPE = _closed(
    {
        "sample_class": _text,
        "seed": _closed({"type": {"enum": sorted(TYPES)}, "value": _text}),
        "answer": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "string", "pattern": r"^[^/#]+/[^#]+(#/.*)?$"},
        },
        "must": _list(
            _closed(
                {"source": _node, "relation": _text, "target": _node, "at": _at}, first_seen=_moment, last_seen=_moment
            )
        ),
        "not_found": {"type": "boolean"},
    },
    note=_text,
    must_not=_list(
        {
            "oneOf": [
                _closed({"type": {"enum": sorted(TYPES)}, "value": _text, "why": _text}),
                _closed({"relation": _text, "why": _text}),
                _closed(
                    {
                        "edge": {**_closed({}, source=_node, relation=_text, target=_node), "minProperties": 1},
                        "why": _text,
                    }
                ),
            ]
        }
    ),
    families=_list(_closed({"name": _text, "at": _at})),
    techniques=_list(_closed({"id": {"type": "string", "pattern": r"^T\d{4}(\.\d{3})?$"}, "at": _at})),
    terms=_list(
        _closed(
            {"sign": {"enum": ["+", "-", "0"]}, "about": {"anyOf": [{"const": "seed"}, _node]}}, contains=_text, at=_at
        )
    ),
)

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@cache
def vocabulary() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Relation → its types on the left and on the right, read from the table itself."""
    table = tomllib.loads((ROOT / "cortex_grow/model/relations.toml").read_text(encoding="utf-8"))
    groups = {**table.pop("groups"), "any": sorted(TYPES)}

    def types(names: list[str]) -> frozenset[str]:
        return frozenset(member for name in names for member in groups.get(name, [name]))

    return {name: (types(row["sources"]), types(row["targets"])) for name, row in table.items()}


@cache
def answer(place: str) -> Any:
    """The whole recorded file behind an ``answer`` entry: JSON, else a list of lines (parsed, when all are JSON)."""
    text = sample(place.partition("#")[0]).decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        lines = text.splitlines()
    try:
        return [json.loads(line) for line in lines if line.strip()]
    except ValueError:
        return lines


def resolve(tree: Any, pointer: str) -> Any:
    """The value at an RFC 6901 pointer; raises LookupError or TypeError where there is none."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        tree = tree[int(token)] if isinstance(tree, list) else tree[token]
    return tree


def at(case: dict[str, Any], where: str) -> Any:
    part, _, pointer = where.partition("#")
    place = case["answer"][part]
    piece = place.partition("#")[2]
    assert pointer == piece or pointer.startswith(piece + "/") or not piece, f"{where} lies outside of {place}"
    return resolve(answer(place), pointer)


def node(name: str) -> tuple[str, str]:
    kind, _, value = name.partition(":")
    return kind, value


def problem(kind: str, value: str) -> str | None:
    """Why ``value`` is not in canonical form for its type, or None."""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        return None
    if value != value.strip():
        return "has space around it"
    if kind in HEX:
        return (
            None
            if re.fullmatch("[0-9a-f]*", value) and len(value) in HEX[kind]
            else "is no lower-case digest of its kind"
        )
    if kind in ("ip", "network"):
        try:
            parsed = ipaddress.ip_address(value) if kind == "ip" else ipaddress.ip_network(value)
        except ValueError as error:
            return str(error)
        return None if str(parsed) == value else "is not in its short form"
    if kind in ("domain", "fqdn"):
        if value != value.lower().rstrip(".") or not value.isascii() or "*" in value:
            return "is not a lower-case name in ASCII"
        below = bool(suffixes()(value).subdomain)
        return None if below == (kind == "fqdn") else f"is not a {kind} by the public suffix list"
    if kind == "url":
        parts = urlsplit(value)
        same = parts.scheme == parts.scheme.lower() and (parts.hostname or "") in parts.netloc and "://" in value
        return None if same else "has upper case in its scheme or host, or none"
    if kind == "autonomous-system":
        return None if re.fullmatch(r"AS\d+", value) else "is not AS and a number"
    if kind == "cve":
        return None if re.fullmatch(r"CVE-\d{4}-\d{4,}", value) else "is no CVE"
    if kind == "mail":
        return "is personal data: digests only"
    if kind == "registry":
        return None if value.upper().startswith("HKEY_") else "has no long root name"
    return None


@cache
def suffixes() -> tldextract.TLDExtract:
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=False)


def scalars(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from scalars(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from scalars(value)
    else:
        yield tree


@cache
def moments(place: str) -> frozenset[datetime]:
    """Every date that stands in an answer, as a moment in UTC: epochs, ISO 8601, ``2019-11-04 10:00:00[ UTC]``."""
    found = set()
    for value in scalars(answer(place)):
        if isinstance(value, str) and (match := re.search(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}\S*)?", value)):
            try:
                moment = datetime.fromisoformat(match[0])
            except ValueError:
                continue
            found.add(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
        elif not isinstance(value, bool) and re.fullmatch(r"\d{9,10}(\.\d+)?", str(value)):
            found.add(datetime.fromtimestamp(int(float(value)), UTC))
    return frozenset(found)


def stands_for(found: Any, kind: str, value: str) -> bool:
    """Whether what stands in the answer is the indicator: the same text in any case, or otherwise written."""
    text = str(found)
    lines = [line for piece in text.splitlines() or [""] for line in (piece, piece.partition(": ")[2])]
    tokens = [token.strip("<>()[];:,'\"") for token in re.split(r"[\s|,]+", text)]
    if value.startswith("sha256:"):
        return any(
            hashlib.sha256(candidate.strip().lower().encode()).hexdigest() == value[7:]
            for candidate in (text, *lines, *tokens)
        )
    low, plain = value.lower(), text.lower()
    plain = plain.replace("hxxp", "http").replace("[.]", ".").replace("[:]", ":").replace("[@]", "@")
    if low in plain:
        return True
    if kind == "autonomous-system":
        return low.removeprefix("as") in re.findall(r"\d+", text)
    if kind in ("ip", "network"):
        parse = ipaddress.ip_address if kind == "ip" else ipaddress.ip_network
        for token in tokens:
            try:
                if parse(token) == parse(value):
                    return True
            except ValueError:
                continue
    if kind in HEX:
        return low in re.sub(r"[\s:]", "", plain)
    if kind == "registry":
        root, slash, rest = plain.partition("\\")
        return low == ROOTS.get(root, root) + slash + rest
    if kind in ("domain", "fqdn", "url"):
        return (
            low in plain.encode("idna").decode()
            if not plain.isascii() and kind != "url"
            else low in re.sub(r":(80|443)(?=/|$)", "", plain)
        )
    return False


@each_file
def test_shape(path: Path) -> None:
    case = load(path)
    jsonschema.validate(case, SHAPE)
    assert case["must"] or case.get("must_not") or case.get("terms") or case["not_found"], "expects nothing"
    assert not (case["not_found"] and case["must"]), "not found, and yet something must be found"
    for entry in (*case["must"], *case.get("families", ()), *case.get("techniques", ()), *case.get("terms", ())):
        if "at" in entry:
            assert entry["at"].partition("#")[0] in case["answer"], f"{entry['at']}: no such part in the answer"


@each_file
def test_relations_are_in_the_vocabulary(path: Path) -> None:
    case = load(path)
    edges = [*case["must"], *(entry["edge"] for entry in case.get("must_not", ()) if "edge" in entry)]
    for edge in edges:
        ends = {end: node(edge[end])[0] for end in ("source", "target") if end in edge}
        assert set(ends.values()) <= TYPES, edge
        if "relation" in edge:
            allowed = dict(zip(("source", "target"), vocabulary()[edge["relation"]], strict=True))
            if edge in case["must"]:
                assert all(kind in allowed[end] for end, kind in ends.items()), f"the vocabulary does not allow {edge}"
    assert all(entry["relation"] in vocabulary() for entry in case.get("must_not", ()) if "relation" in entry)
    pairs = [(edge["source"], edge["relation"], edge["target"]) for edge in case["must"]]
    assert len(set(pairs)) == len(pairs), "the same edge twice"


@each_file
def test_values_are_canonical(path: Path) -> None:
    case = load(path)
    named = [node(edge[end]) for edge in case["must"] for end in ("source", "target")]
    named.append((case["seed"]["type"], case["seed"]["value"]))
    wrong = {f"{kind}:{value} {why}" for kind, value in named if (why := problem(kind, value))}
    assert not wrong
    for entry in case.get("must_not", ()):
        if entry.get("type") == "mail":
            assert problem("mail", entry["value"]) is None, "personal data: digests only"


@each_file
def test_nothing_is_asked_for_and_forbidden(path: Path) -> None:
    case = load(path)
    for entry in case.get("must_not", ()):
        for edge in case["must"]:
            if "relation" in entry:
                assert edge["relation"] != entry["relation"], (entry, edge)
            elif "edge" in entry:
                assert any(edge[key] != value for key, value in entry["edge"].items()), (entry, edge)
            else:
                assert f"{entry['type']}:{entry['value']}" not in (edge["source"], edge["target"]), (entry, edge)


@needs_shared
@each_file
def test_the_answer_is_of_its_class(path: Path) -> None:
    case = load(path)
    rows = [json.loads(line) for line in shared("samples/index.jsonl").read_text(encoding="utf-8").splitlines() if line]
    classes = {f"{row['service']}/{row['file']}": row["genuine"] for row in rows}
    for place in case["answer"].values():
        assert case["sample_class"].lower() in classes[place.partition("#")[0]].lower(), place


@needs_shared
@each_file
def test_pointers_lead_to_what_is_expected(path: Path) -> None:
    case = load(path)
    seed = (case["seed"]["type"], case["seed"]["value"])
    wrong = []
    for edge in case["must"]:
        ends = [end for end in (node(edge["source"]), node(edge["target"])) if end != seed]
        if not any(stands_for(at(case, edge["at"]), *end) for end in ends):
            wrong.append(edge)
        place = case["answer"][edge["at"].partition("#")[0]]
        for key in ("first_seen", "last_seen"):
            if key in edge and datetime.fromisoformat(edge[key]) not in moments(place):
                wrong.append(f"{edge[key]} stands nowhere in {place}")
    for entry in case.get("families", ()):
        if entry["name"].lower() not in str(at(case, entry["at"])).lower():
            wrong.append(entry)
    for entry in case.get("techniques", ()):
        if entry["id"] not in f"{at(case, entry['at'])} {entry['at'].rsplit('/', 1)[-1]}":
            wrong.append(entry)
    for entry in case.get("terms", ()):
        number = re.match(r"\d+", entry.get("contains", ""))
        if "at" in entry and number and number[0] not in str(at(case, entry["at"])):
            wrong.append(entry)
    assert not wrong


@needs_shared
@each_file
def test_ends_and_traps_stand_in_the_answer(path: Path) -> None:
    """Both ends of an edge are named by the answer; what must not come out is what a sweep over it could bring out."""
    case = load(path)
    found = [str(value) for place in case["answer"].values() for value in scalars(answer(place))]
    whole = "\n".join(found).lower()
    named = {node(edge[end]) for edge in case["must"] for end in ("source", "target")}
    named |= {(entry["type"], entry["value"]) for entry in case.get("must_not", ()) if "type" in entry}
    named.discard((case["seed"]["type"], case["seed"]["value"]))
    for kind, value in sorted(named):
        assert value.lower() in whole or any(stands_for(text, kind, value) for text in found), f"{kind}:{value}"


@pytest.mark.parametrize(
    ("found", "kind", "value", "same"),
    [
        ("WWW.Example.ORG.", "fqdn", "www.example.org", True),
        ("*.example.org", "domain", "example.org", True),
        ("bücher.example", "domain", "xn--bcher-kva.example", True),
        ("hxxp://evil[.]example/a", "url", "http://evil.example/a", True),
        ("http://evil.example:80/a", "url", "http://evil.example/a", True),
        ("2001:db8:0:0::1", "ip", "2001:db8::1", True),
        ("2001:db8::2", "ip", "2001:db8::1", False),
        (64496, "autonomous-system", "AS64496", True),
        (644961, "autonomous-system", "AS64496", False),
        ("AB:CD" + ":00" * 18, "certificate", "abcd" + "00" * 18, True),
        ("HKLM\\Software\\Run", "registry", "HKEY_LOCAL_MACHINE\\Software\\Run", True),
        ("Registrant Email: <A@Example.org>", "mail", "sha256:" + hashlib.sha256(b"a@example.org").hexdigest(), True),
        ("b@example.org", "mail", "sha256:" + hashlib.sha256(b"a@example.org").hexdigest(), False),
        ("198.51.100.7", "ip", "203.0.113.9", False),
    ],
)
def test_the_check_itself(found: Any, kind: str, value: str, same: bool) -> None:
    assert stands_for(found, kind, value) is same


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ip", "66.0.543.66"),
        ("ip", "2001:0db8::1"),
        ("domain", "www.example.org"),
        ("fqdn", "example.co.uk"),
        ("hash", "ABCD"),
        ("mail", "a@example.org"),
        ("registry", "HKLM\\Software"),
        ("autonomous-system", "64496"),
        ("certificate", "00"),
    ],
)
def test_values_that_are_not_canonical(kind: str, value: str) -> None:
    assert problem(kind, value)
