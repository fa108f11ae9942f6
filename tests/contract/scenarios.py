"""What every worker goes through against the lab, and what must come of it.

The lab is reached through :class:`Lab` alone: what a worker needs to find it (:meth:`Lab.config_for`), what to ask for
(:meth:`Lab.seeds_for`, :meth:`Lab.file_for`), and how often it was asked. :class:`LoopbackLab` is the one adapter to
the pack's own lab; ``test_scenarios.py`` has another, for planted workers.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from ..support import ROOT
from .cortex import Definition, enable
from .judge import Judgement, Outcome, judge
from .runner import Job, Run, make_folder, run_process
from .tree import source_names

HOST = r"127\.0\.0\.1|localhost"
LONGEST = 20.0  # seconds that any scenario may take


class Lab(Protocol):
    """Loopback stand-ins for the services behind the definitions, behaving well or in one wrong way."""

    def config_for(self, definition: Definition) -> dict[str, Any]:
        """The settings that make a definition ask the lab: addresses, resolvers, keys that it accepts."""

    def seeds_for(self, definition: Definition, data_type: str, kind: str) -> str:
        """A value that is ``found`` or ``not-found``; ``KeyError`` where the lab has none."""

    def file_for(self, definition: Definition, kind: str) -> bytes:
        """The same for data type ``file``: the content."""

    def asked(self) -> int:
        """How many requests came in so far."""

    def web_only(self, definition: Definition) -> bool:
        """Whether the services behind the definition answer with an HTTP status."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One situation and what must come of it.

    ``misbehave``: what the lab does (:data:`FAULTS`). ``says``: what a failure must speak of, beside its source.
    ``asked``: whether a request may reach a service. ``related``: whether artifacts must (not) come of it.
    ``every_type``: run for each data type, not only for the first.
    """

    name: str
    outcome: Outcome
    seed: str = "found"
    misbehave: str | None = None
    tlp: int = 2
    pap: int = 1  # so that no question of an active source is barred
    settings: Mapping[str, Any] = None  # type: ignore[assignment]
    wrong_key: bool = False
    nulls: bool = False
    through: str = "api"
    says: tuple[str, ...] = ()
    status: str | None = None
    asked: bool | None = True
    related: bool | None = None
    every_type: bool = True

    def __str__(self) -> str:
        return self.name


SUCCESS, FAILURE = Outcome.SUCCESS, Outcome.FAILURE
# the lab's way to misbehave, and its circumstances
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "quota": ("429", {"retry_after": "600"}),
    "time-out": ("silence", {}),
    "garbage": ("garbage", {}),
    "html": ("html", {}),
    "server-error": ("503", {}),
    "reset": ("reset", {}),
}
SCENARIOS: list[Scenario] = [
    Scenario("good", SUCCESS, related=True),
    Scenario("not-found", SUCCESS, seed="not-found", related=False),
    Scenario("wrong-key", FAILURE, wrong_key=True, says=(HOST, r"(?i)\bkey\b|credential"), status=r"\b40[13]\b"),
    Scenario(
        "quota",
        FAILURE,
        misbehave="quota",
        says=(HOST, r"(?i)quota|too many|limit|refuse", r"(?i)later|again|come back|wait"),
        status=r"\b429\b",
    ),
    Scenario(
        "time-out",
        FAILURE,
        misbehave="time-out",
        settings={"deadline": 5},
        says=(r"(?i)time|deadline|seconds|not answer|no answer",),
    ),
    Scenario("garbage", FAILURE, misbehave="garbage", says=(HOST,)),
    Scenario("html", FAILURE, misbehave="html", says=(HOST,), every_type=False),
    Scenario("server-error", FAILURE, misbehave="server-error", says=(HOST,), status=r"\b503\b", every_type=False),
    Scenario("reset", FAILURE, misbehave="reset", says=(HOST,), every_type=False),
    Scenario("tlp-too-high", FAILURE, tlp=3, says=("TLP",), asked=False),
    Scenario("pap-too-high", FAILURE, pap=3, says=("PAP",), asked=False),
    Scenario("tlp-allowed", SUCCESS, tlp=3, settings={"check_tlp": False}, related=True, every_type=False),
    Scenario("null-settings", SUCCESS, pap=2, nulls=True),
    Scenario("through-the-form", SUCCESS, through="form", related=True, every_type=False),
]
# for a data type that no source inside an engine answers for: any end that breaks no rule
UNSERVED = Scenario("unserved", FAILURE, asked=False)


def within(definition: Definition, others: Iterable[Definition]) -> list[Definition]:
    """The sources that a definition runs itself: those whose settings it repeats as ``<source>_<item>``."""
    names = [item.name for item in definition.items]
    return [
        other
        for other in others
        if other is not definition and any(name.startswith(f"{other.name.lower()}_") for name in names)
    ]


def serving(definition: Definition, data_type: str, others: Iterable[Definition]) -> list[Definition]:
    """The sources that answer for a data type: the definition itself, or those within it.

    An engine hashes a file and asks about the hash.
    """
    inner = within(definition, others)
    asked = {data_type, "hash"} if data_type == "file" else {data_type}
    return [other for other in inner if asked & set(other.data_types)] if inner else [definition]


def cases(definitions: Iterable[Definition]) -> list[tuple[Definition, str, Scenario]]:
    """Every definition with every data type and every scenario that can happen to it."""
    definitions = list(definitions)
    found: list[tuple[Definition, str, Scenario]] = []
    for definition in (each for each in definitions if each.kind == "analyzer"):
        first = True
        for data_type in definition.data_types:
            sources = serving(definition, data_type, definitions)
            if not sources:
                found.append((definition, data_type, UNSERVED))
                continue
            keyed = any(source.secret_items for source in sources)
            found.extend(
                (definition, data_type, scenario)
                for scenario in SCENARIOS
                if (scenario.every_type or first) and (keyed or not scenario.wrong_key)
            )
            first = False
    return found


def environment(home: Path) -> dict[str, str]:
    """Cortex's environment as an operator would have it: no proxy, the pack's interpreter first on the path."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    made = {**kept, "PATH": path, "HOME": str(home)}
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "REQUESTS_CA_BUNDLE"):
        made.pop(name, None)
    try:
        metadata.distribution("cortex-grow")
    except metadata.PackageNotFoundError:
        made["PYTHONPATH"] = str(ROOT)
    return made


def settings(scenario: Scenario, definition: Definition, lab: Lab) -> dict[str, Any]:
    """What an operator submits to enable the worker for this scenario."""
    given = lab.config_for(definition)
    declared = {item.name: item for item in (*definition.items, *definition.built_in)}
    if scenario.nulls:
        free = {name for name, item in declared.items() if not item.required and not item.multi}
        given = {**dict.fromkeys(free), **given}
    if scenario.wrong_key:
        given.update({item.name: f"wrong-{item.name}-5d41402abc4b2a76" for item in definition.secret_items})
    given.update({name: value for name, value in (scenario.settings or {}).items() if name in declared})
    return given


def job_for(
    scenario: Scenario, definition: Definition, data_type: str, lab: Lab, *, seed_of: Definition | None = None
) -> Job:
    """The job that Cortex would make; ``seed_of`` is the source whose seed is taken, where another one asks."""
    worker = enable(definition, settings(scenario, definition, lab), scenario.through)
    job = Job(
        data_type,
        config=worker.job_config(),
        tlp=scenario.tlp,
        pap=scenario.pap,
        secrets=frozenset(worker.secrets()),
        message="17",
        parameters={"organisation": "soc", "user": "ann@soc"},
    )
    if data_type == "file":
        content = lab.file_for(seed_of or definition, scenario.seed)
        return replace(job, attachment=content, filename="in voice.exe", content_type="application/x-dosexec")
    return replace(job, data=lab.seeds_for(seed_of or definition, data_type, scenario.seed))


@dataclass(slots=True)
class Played:
    """A scenario that was run."""

    scenario: Scenario
    run: Run
    verdict: Judgement
    asked: int


def play(
    scenario: Scenario,
    definition: Definition,
    job: Job,
    lab: Lab,
    root: Path,
    *,
    stop_when_asked: bool = False,
    raw: Any = ...,
    sources: Iterable[Definition] = (),
    **judging: Any,
) -> Played:
    """Run one job as Cortex's process runner does and judge it.

    ``raw`` replaces input.json (``None``: no such file); ``sources`` are those that an engine runs: a failure names
    the engine or one of them.
    """
    folder = make_folder(root, job) if raw is ... else make_folder(root, job, raw=raw)
    home = root / "home"
    home.mkdir(exist_ok=True)
    before = lab.asked()
    assert definition.command is not None
    run = run_process(
        definition.command,
        folder,
        env=environment(home),
        patience=LONGEST,
        stop_when=(lambda: lab.asked() > before) if stop_when_asked else None,
    )
    names = set().union(*(source_names(each) for each in (definition, *sources)))
    verdict = judge(run, job, kind=definition.kind, source_names=names, **judging)
    return Played(scenario, run, verdict, lab.asked() - before)


def complaints(played: Played, definition: Definition, lab: Lab, sources: list[Definition]) -> list[str]:
    """What is wrong with how a scenario ended; empty when all is as it must be."""
    scenario, verdict = played.scenario, played.verdict
    found = [str(finding) for finding in verdict.findings]
    if scenario.asked is not None and bool(played.asked) is not scenario.asked:
        found.append(f"{played.asked} requests reached a service")
    if _answered_in_part(scenario, verdict, definition, sources):
        return found
    if verdict.outcome is not scenario.outcome:
        found.append(f"ended as {verdict.outcome.value}, not {scenario.outcome.value}")
        return found
    if verdict.outcome is FAILURE:
        message = verdict.error_message or ""
        wanted = list(scenario.says)
        if scenario.status is not None and lab.web_only(definition):
            wanted.append(scenario.status)
        found.extend(f"nothing like {text} in {message!r}" for text in wanted if not re.search(text, message))
        return found
    if scenario.related is not None and bool(verdict.artifacts) is not scenario.related:
        found.append(f"{len(verdict.artifacts)} artifacts")
    first = (verdict.summary.get("taxonomies") or [{}])[0]
    if scenario.seed == "not-found" and first.get("level") != "info":
        found.append(f"unknown is shown as {first.get('level')}")
    return found


def _answered_in_part(
    scenario: Scenario, verdict: Judgement, definition: Definition, sources: list[Definition]
) -> bool:
    """Whether an engine rightly succeeds where a single source fails: it says what it left out.

    With a wrong key the sources without one still answer; where TLP or PAP bars every source, all are listed, and the
    mini report does not take that for an answer.
    """
    if verdict.outcome is not SUCCESS or scenario.outcome is SUCCESS or sources == [definition]:
        return False
    left_out = [*verdict.full.get("partial", ()), *verdict.full.get("skipped", ())]
    told = {str(entry.get("source", "")).lower() for entry in left_out}
    if scenario.wrong_key:
        keyed = [source for source in sources if source.secret_items]
        return len(keyed) < len(sources) and all(_told(source, told) for source in keyed)
    shown = json.dumps(verdict.summary.get("taxonomies"))
    return (
        scenario.asked is False
        and not verdict.artifacts
        and all(_told(source, told) for source in sources)
        and re.search(r"(?i)not asked|skipped|barred|TLP|PAP", shown) is not None  # not asked is not "unknown"
    )


def _told(source: Definition, told: set[str]) -> bool:
    return bool({name.lower() for name in source_names(source)} & told)


# inputs that Cortex would hardly write, and after which a job must end all the same: a change of a good input
BROKEN_INPUTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "missing": lambda value: None,
    "empty": lambda value: b"",
    "invalid": lambda value: b'{"dataType": ',
    "not-utf-8": lambda value: b'{"dataType": "\xff\xfe"}',
    "a-list": lambda value: [value],
    "a-string": lambda value: "ip",
    "null": lambda value: b"null",
    "deep": lambda value: b"[" * 100_000,
    "no-data-type": lambda value: {**value, "dataType": ...},
    "data-type-null": lambda value: {**value, "dataType": None},
    "data-type-number": lambda value: {**value, "dataType": 4},
    "data-type-unknown": lambda value: {**value, "dataType": "no-such-type", "data": "x"},
    "data-type-of-responders": lambda value: {**value, "dataType": "thehive:case", "data": {}},
    "config-list": lambda value: {**value, "config": []},
    "tlp-text": lambda value: {**value, "tlp": "RED"},
    "tlp-beyond": lambda value: {**value, "tlp": 9},
    "pap-object": lambda value: {**value, "pap": {}},
}
# the same for what the data is, once a worker
BROKEN_DATA: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no-data": lambda value: {**value, "data": ...},
    "data-null": lambda value: {**value, "data": None},
    "data-number": lambda value: {**value, "data": 4},
    "data-object": lambda value: {**value, "data": {"ip": "192.0.2.1"}},
}
# and for what the data says, for each data type
BROKEN_VALUE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "data-empty": lambda value: {**value, "data": ""},
    "data-hostile": lambda value: {**value, "data": "\x00../../etc/passwd?\r\nX: y\ud800"},
}
BROKEN_FILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no-file": lambda value: {**value, "file": ...},
    "file-null": lambda value: {**value, "file": None},
    "file-absent": lambda value: {**value, "file": "attachment-gone"},
    "file-outside": lambda value: {**value, "file": "../input/input.json"},
    "file-number": lambda value: {**value, "file": 1},
}
BROKEN = {**BROKEN_INPUTS, **BROKEN_DATA, **BROKEN_VALUE, **BROKEN_FILE}
BROKEN_SCENARIO = Scenario("broken-input", FAILURE, asked=False)
STOPPED = Scenario(
    "sigterm", FAILURE, misbehave="time-out", says=(r"(?i)sigterm|stopped|terminated|cancelled|interrupted",)
)


def broken_cases(definitions: Iterable[Definition]) -> list[tuple[Definition, str, str]]:
    """Every definition with each broken input; what concerns the value itself with each data type."""
    found: list[tuple[Definition, str, str]] = []
    for definition in definitions:
        plain = [data_type for data_type in definition.data_types if data_type != "file"]
        for data_type in definition.data_types:
            names = [*(BROKEN_INPUTS if data_type == definition.data_types[0] else ())]
            names += [*(BROKEN_DATA if data_type in plain[:1] else ())]
            names += [*(BROKEN_FILE if data_type == "file" else BROKEN_VALUE)]
            if definition.kind == "responder":
                names = [name for name in names if name not in ("data-object", "data-type-of-responders")]
            found.extend((definition, data_type, name) for name in names)
    return found


class LoopbackLab:
    """The adapter to the pack's own lab, serving its own answers."""

    def __init__(self, misbehave: str | None, definitions: Iterable[Definition]) -> None:
        from cortex_grow.lab import Lab as Stand

        self.definitions = list(definitions)
        self.stand = Stand.demo()
        self.stand.start()
        if misbehave is not None:
            kind, how = FAULTS[misbehave]
            self.stand.misbehave(None, kind, **how)

    def close(self) -> None:
        self.stand.stop()

    def config_for(self, definition: Definition) -> dict[str, Any]:
        inner = within(definition, self.definitions)
        if not inner:
            return dict(self.stand.config_for(definition.name))
        return {
            f"{source.name.lower()}_{name}": value
            for source in inner
            for name, value in self.stand.config_for(source.name).items()
        }

    def seeds_for(self, definition: Definition, data_type: str, kind: str) -> str:
        return self.stand.seeds_for(definition.name, data_type, kind)

    def file_for(self, definition: Definition, kind: str) -> bytes:
        if kind == "not-found":
            return b"a file that no service knows"
        return sorted((self.stand.folder / "files").iterdir())[0].read_bytes()

    def asked(self) -> int:
        return sum(self.stand.counts().values())

    def web_only(self, definition: Definition) -> bool:
        names = {source.name for source in within(definition, self.definitions) or [definition]}
        services = [service for service in self.stand.services.values() if names & set(service.definitions)]
        return all(service.protocol == "http" for service in services)
