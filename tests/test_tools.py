"""What ``make`` and the build rest on: compiled lists, what is fetched, pinned versions."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.test_imports import imports, normal
from tools import compile_lists, fetch

MODULE = """
import pathlib
out = pathlib.Path("made/list.bin")
out.parent.mkdir(exist_ok=True)
out.write_text(pathlib.Path("rules.toml").read_text())
with open("runs", "a") as runs:
    runs.write("x")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one list, made from a distribution that is installed."""
    version = compile_lists.importlib.metadata.version("pytest")
    (tmp_path / "pyproject.toml").write_text(f'[build-system]\nrequires = ["setuptools>=77", "pytest=={version}"]\n')
    (tmp_path / "maker.py").write_text(MODULE)
    (tmp_path / "rules.toml").write_text("one")
    monkeypatch.setattr(compile_lists, "ROOT", tmp_path)
    monkeypatch.setattr(compile_lists, "STAMPS", tmp_path / "build" / "lists.json")
    one = compile_lists.List("made/list.bin", "maker", "pytest", ("*.py", "*.toml"))
    monkeypatch.setattr(compile_lists, "LISTS", (one,))
    return tmp_path


def runs(project: Path) -> int:
    return len((project / "runs").read_text()) if (project / "runs").exists() else 0


def test_a_list_is_compiled_once(project: Path) -> None:
    assert compile_lists.stale()
    compile_lists.main()
    assert not compile_lists.stale()
    compile_lists.main()
    assert runs(project) == 1


def test_a_list_is_compiled_anew_when_it_is_gone_or_its_makings_changed(project: Path) -> None:
    compile_lists.main()
    (project / "made" / "list.bin").unlink()
    compile_lists.main()
    (project / "rules.toml").write_text("two")
    compile_lists.main()
    assert runs(project) == 3
    assert (project / "made" / "list.bin").read_text() == "two"


def test_a_list_is_not_made_from_another_version(project: Path) -> None:
    (project / "pyproject.toml").write_text('[build-system]\nrequires = ["pytest==0.1"]\n')
    with pytest.raises(SystemExit, match=r"made/list\.bin is made from pytest 0\.1; installed is"):
        compile_lists.main()
    assert runs(project) == 0


def test_a_maker_that_fails_leaves_the_list_stale(project: Path) -> None:
    (project / "maker.py").write_text("raise SystemExit(1)")
    with pytest.raises(compile_lists.subprocess.CalledProcessError):
        compile_lists.main()
    assert compile_lists.stale()


def test_the_lists_of_the_project_name_their_makers() -> None:
    for one in compile_lists.LISTS:
        assert one.pinned()
        assert (ROOT / Path(*one.module.split("."))).with_suffix(".py").is_file()
        assert all(list(ROOT.glob(pattern)) for pattern in one.inputs)
        assert shaping(one.module) == {name for name in one.inputs if name.endswith(".py")}


def shaping(module: str) -> set[str]:
    """The files that a maker imports at once from its own part of the package, itself included."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop().replace(".", "/") + ".py"
        if (ROOT / name).is_file() and name not in found:
            found.add(name)
            near = [one for one in imports(ROOT, ROOT / name) if one.module.startswith(module.rpartition(".")[0])]
            waiting += [other for one in near for other in (one.module, *(f"{one.module}.{n}" for n in one.names))]
    return found


def test_a_browser_that_cannot_be_run_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "absent"))
    with pytest.raises(fetch.NotHereError, match="CHROMIUM names"):
        fetch.browser()
    monkeypatch.delenv("CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(fetch.NotHereError, match="needs Chromium"):
        fetch.browser()
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    assert fetch.browser() == str(tmp_path / "chromium")


def test_a_harness_that_changed_is_fetched_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, tools = tmp_path / "source", tmp_path / "bin"
    source.mkdir()
    tools.mkdir()
    (source / "render.mjs").write_text("one")
    (tools / "node").write_text("#!/bin/sh\n")
    (tools / "npm").write_text("#!/bin/sh\nmkdir -p node_modules\necho fetched >>../fetched\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(fetch, "HARNESS", tmp_path / "harness")
    monkeypatch.setattr(fetch, "_STAMP", tmp_path / "harness" / "node_modules" / ".made-from")
    with pytest.raises(fetch.NotHereError, match="needs the template harness"):
        fetch.harness(None)
    for text in ("one", "two"):
        (source / "render.mjs").write_text(text)
        with pytest.raises(fetch.NotHereError, match="make fetch"):
            fetch.harness(source)
        fetch.fetch_harness(source)
        fetch.fetch_harness(source)
        assert (fetch.harness(source) / "render.mjs").read_text() == text
    assert (tmp_path / "fetched").read_text() == "fetched\n" * 2


def test_a_fetch_that_fails_gives_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(fetch.NotHereError, match="false failed with 1"):
        fetch._run(["false"])
    with pytest.raises(fetch.NotHereError, match="could not be run"):
        fetch._run([str(tmp_path / "absent")])


def test_the_lock_pins_everything_and_names_no_address() -> None:
    lines = (ROOT / "requirements-test.lock").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+|#.*", line) for line in lines)
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    asked = config["options"]["install_requires"] + config["options.extras_require"]["test"]
    assert {normal(line) for line in asked.splitlines() if line.strip()} <= {normal(name) for name in pins}


def test_build_and_tests_use_the_same_upstream_lists() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned = {line for line in required if "==" in line}
    lock = set((ROOT / "requirements-test.lock").read_text().splitlines())
    assert len(pinned) == len(compile_lists.LISTS)
    assert pinned <= lock
