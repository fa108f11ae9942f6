"""The hand-written expectations are well-formed, and each says what stands in its recorded answer.

Independent of the mappings and of the models: the vocabulary is read from its table, values are judged by the standard
library and the public suffix list.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import defaultdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.expected.reading import TYPES, answer, at, load, moments, node, problem, scalars, stands_for
from tests.support import ROOT, needs_shared, shared

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.json"))
MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"
POINTER = r"^[a-z0-9_]+#(/.*)?$"
NODE = r"^[a-z0-9_-]+:.+$"
ERRORS = frozenset(
    {
        "CredentialError",
        "QuotaError",
        "UnreachableError",
        "RefusedError",
        "NotAnAnswerError",
        "DeadlineError",
        "BlockedError",
    }
)
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
    as_of=_moment,
    error={"enum": sorted(ERRORS)},
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


@cache
def vocabulary() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Relation → its types on the left and on the right, read from the table itself."""
    table = tomllib.loads((ROOT / "cortex_grow/model/relations.toml").read_text(encoding="utf-8"))
    groups = {**table.pop("groups"), "any": sorted(TYPES)}

    def types(names: list[str]) -> frozenset[str]:
        return frozenset(member for name in names for member in groups.get(name, [name]))

    return {name: (types(row["sources"]), types(row["targets"])) for name, row in table.items()}


@each_file
def test_shape(path: Path) -> None:
    case = load(path)
    jsonschema.validate(case, SHAPE)
    expected = {"must", "must_not", "families", "techniques", "terms", "not_found", "error"}
    assert any(case.get(key) for key in expected), "expects nothing"
    none = case["not_found"] or "error" in case
    assert not (none and any(case.get(key) for key in ("must", "families", "techniques"))), "nothing, and yet something"
    assert not (case["not_found"] and "error" in case), "not found is an answer, no error"
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


@cache
def classes() -> dict[str, dict[str, str]]:
    """Service → file → the class that the index of the recorded answers gives it."""
    table: dict[str, dict[str, str]] = defaultdict(dict)
    for line in shared("samples/index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        table[row["service"]][row["file"]] = row["genuine"]
    return table


@needs_shared
@each_file
def test_the_answer_is_of_its_class(path: Path) -> None:
    case = load(path)
    for place in case["answer"].values():
        service, file = place.partition("#")[0].split("/", 1)
        # Only the folders that the index names as a whole have no row a file; what it says of them is "recorded".
        kind = classes()[service].get(file, "recorded" if not classes()[service] else "no such row")
        assert case["sample_class"].lower() in kind.lower(), place


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
    named = {(kind, value) for kind, value in named if kind != "network"}  # often computed: a range, a piece of one
    missing = [
        f"{kind}:{value}"
        for kind, value in sorted(named)
        if value.lower() not in whole and not any(stands_for(text, kind, value) for text in found)
    ]
    assert not missing


def digest(value: str) -> str:
    return "sha256:" + hashlib.sha256(value.encode()).hexdigest()


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
        ("Registrant Email: <A@Example.org>", "mail", digest("a@example.org"), True),
        ("b@example.org", "mail", digest("a@example.org"), False),
        ("198.51.100.7", "ip", "203.0.113.9", False),
        ("192.0.2.0 - 192.0.2.255", "network", "192.0.2.128/25", True),
        ("192.0.2/25", "network", "192.0.2.0/24", False),
        ({"v6prefix": "2001:db8::", "length": 32}, "network", "2001:db8::/32", True),
        ("O=Example Organisation, C=XX", "organisation", digest("example organisation"), True),
        ("e-mail: hostmaster AT example.org", "mail", digest("hostmaster@example.org"), True),
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
