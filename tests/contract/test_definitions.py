"""Every definition in the tree: accepted by Cortex, beside one another and beside the official pack."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from ..support import ROOT, needs_shared, shared
from . import rules
from .bad_workers import definition as planted
from .bad_workers.definitions import lay_out
from .cortex import Definition, check_all, enable, scan
from .rules import Finding
from .runner import Job
from .thehive import DATA_TYPES
from .tree import CATALOGS, DEFINITIONS, FOLDERS

SECRET_NAME = re.compile(r"(?:^|_)(?:api_?)?(?:key|token|secret|password|passwd|pwd)$", re.IGNORECASE)
each_definition = pytest.mark.parametrize("definition", DEFINITIONS, ids=str)
each_file = pytest.mark.parametrize(
    "path",
    [path for folder in FOLDERS.values() if folder.is_dir() for path in sorted(folder.rglob("*.json"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)


@each_file
def test_file_is_read_and_nothing_of_it_is_dropped(path: Path) -> None:
    """Cortex takes every .json one level down for a definition, and says little or nothing about what it refuses."""
    found = [
        finding
        for finding in [
            *(note for catalog in CATALOGS.values() for note in catalog.findings),
            *check_all(CATALOGS.values()),
        ]
        if finding.where == str(path)
    ]
    assert not found, "\n".join(map(str, found))
    assert path in {definition.path for definition in DEFINITIONS}


@pytest.mark.parametrize("kind", CATALOGS)
def test_scan_finds_nothing_to_say(kind: str) -> None:
    assert not CATALOGS[kind].findings, "\n".join(map(str, CATALOGS[kind].findings))


@needs_shared
@pytest.mark.parametrize("kind", CATALOGS)
def test_ids_differ_from_the_official_pack(kind: str) -> None:
    lines = shared("reference/official-ids.txt").read_text(encoding="utf-8").splitlines()
    official = {line.split("\t")[1] for line in lines if line and not line.startswith("#")}
    assert len(official) > 400
    found = check_all([CATALOGS[kind]], official)
    assert "id-official" not in rules.names(found), "\n".join(map(str, found))


@each_definition
def test_worker_file_is_named_after_the_definition(definition: Definition) -> None:
    """``<name_in_snake_case>.py`` in the definition's own folder; a bare ``shodan.py`` would hide a library."""
    assert definition.command is not None
    assert definition.command.parent == definition.path.parent
    assert definition.path.stem == definition.name
    assert problem(definition) is None


def problem(definition: Definition) -> str | None:
    """What is wrong with the name of the worker file."""
    assert definition.command is not None
    stem, suffix = definition.command.stem, definition.command.suffix
    if suffix != ".py" or not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", stem):
        return f"{definition.command.name} is not a snake-case Python file"
    if stem.replace("_", "") != re.sub(r"[^a-z0-9]", "", definition.name.lower()):
        return f"{definition.command.name} is not named after {definition.name}"
    if "_" not in stem and stem not in {"cortex", "grow"}:  # the pack's own name is nobody else's
        return f"{definition.command.name} is a bare name that a library may have"
    if importlib.util.find_spec(stem) is not None:
        return f"{definition.command.name} hides the installed module {stem}"
    return None


@pytest.mark.parametrize(
    ("name", "command", "fault"),
    [
        ("Shodan", "Planted/shodan.py", "bare name"),
        ("Shodan_Host", "Planted/shodan.py", "not named after"),
        ("Shodan_Host", "Planted/Shodan_Host.py", "snake-case"),
        ("Shodan_Host", "Planted/shodan_host.sh", "snake-case"),
        ("Im_Port_Lib", "Planted/importlib.py", "bare name"),
        ("Rlcompleter", "Planted/rlcompleter.py", "bare name"),
        ("Importlib_Resources", "Planted/zip_app.py", "not named after"),
        ("Shodan_Host", "Planted/shodan_host.py", None),
        ("Grow", "Planted/grow.py", None),
    ],
)
def test_a_bad_name_is_caught(tmp_path: Path, name: str, command: str, fault: str | None) -> None:
    lay_out(tmp_path, planted(name=name, command=command))
    found = problem(scan(str(tmp_path), "analyzer").definitions[0])
    assert found is None if fault is None else fault in (found or "")


@each_definition
def test_worker_file_is_executable_wherever_it_is_checked_out(definition: Definition) -> None:
    assert definition.command is not None
    assert definition.command.stat().st_mode & 0o111 == 0o111
    if not (ROOT / ".git").exists():
        return  # a source distribution: the file mode is all there is
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--stage", "--", str(definition.command)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if listed:  # git keeps no other bit
        assert listed.startswith("100755 ")


@each_definition
def test_enabling_succeeds_with_what_is_required(definition: Definition) -> None:
    value = {"string": "x" * 8, "text": "x" * 8, "number": 1, "boolean": True}
    needed = {item.name: [] if item.multi else value[item.type] for item in definition.items if item.required}
    config = enable(definition, needed).job_config()
    assert config["worker"] == definition.name, "one image tells its workers apart by config.worker alone"
    assert config["check_tlp"] is None
    Job("ip", "192.0.2.1", config)


@each_definition
def test_secret_items_are_marked(definition: Definition) -> None:
    unmarked = [item.name for item in definition.items if SECRET_NAME.search(item.name) and not item.raw.get("secret")]
    assert not unmarked


@each_definition
def test_data_types_are_known_to_thehive(definition: Definition) -> None:
    assert definition.data_types
    assert len(set(definition.data_types)) == len(definition.data_types)
    if definition.kind == "analyzer":
        assert set(definition.data_types) <= DATA_TYPES
    else:
        assert all(name.startswith("thehive:") for name in definition.data_types)


@each_definition
def test_template_folder(definition: Definition) -> None:
    """TheHive looks templates up by definition id, case included, and reads them with the server's own charset."""
    if definition.kind == "responder":
        return  # TheHive has report templates for analyzers only
    folder = ROOT / "thehive-templates" / definition.id
    assert sorted(path.name for path in folder.iterdir()) == ["long.html", "short.html"]
    for path in folder.iterdir():
        text = path.read_bytes().decode("ascii")
        assert text.lstrip().startswith("<")
        assert text.rstrip().endswith(">")


@each_definition
def test_folder_tells_what_it_needs(definition: Definition) -> None:
    folder = definition.path.parent
    assert (folder / "README.md").read_text(encoding="utf-8").strip()
    requirements = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in requirements if line.strip() and not line.lstrip().startswith("#")]


def test_findings_name_known_rules_only() -> None:
    with pytest.raises(KeyError):
        Finding("no-such-rule", "")
