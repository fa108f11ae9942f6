"""The distribution as a stranger gets it: sdist, wheel made from it, installed into an empty virtual environment."""

from __future__ import annotations

import email.message
import email.parser
import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.test_imports import foreign, normal

pytestmark = pytest.mark.slow

LISTS = ("cortex_grow/hygiene/data/warninglists.bin", "cortex_grow/model/data/public_suffixes.txt")
PACK = ("analyzers", "responders", "thehive-templates", "examples")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources() -> list[str]:
    """The files of the project: those under version control and the new ones beside them."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    if listed.returncode:
        pytest.skip("needs the project under version control, to know its files")
    return sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


@dataclass(frozen=True)
class Built:
    """The copy that was built from, and what came of it."""

    checkout: Path
    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a space in its path that all processes of a run share; one at a time prepares what is in it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packaging here"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _prepare(folder)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
        yield folder


def _prepare(folder: Path) -> None:
    """Build from a copy that holds no compiled list, with what is installed (no network)."""
    if (folder / "dist").is_dir():
        return
    checkout = folder / "checkout"
    shutil.rmtree(checkout, ignore_errors=True)
    for name in sources():
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for name in LISTS:
        (checkout / name).unlink(missing_ok=True)
    ok(run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "built", ".", cwd=checkout))
    (folder / "built").rename(folder / "dist")


@pytest.fixture(scope="session")
def built(place: Path) -> Built:
    (sdist,), (wheel,) = (place / "dist").glob("*.tar.gz"), (place / "dist").glob("*.whl")
    return Built(place / "checkout", sdist, wheel)


@pytest.fixture(scope="session")
def environment(place: Path, built: Built) -> Path:
    """An empty virtual environment with the wheel and what it asks for, and nothing else."""
    folder = place / "environment"
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            venv.create(folder, with_pip=True, clear=True)
            pip_install(folder / "bin" / "python", "-c", ROOT / "requirements-test.lock", built.wheel, cwd=folder)
            (folder / "complete").touch()
    return folder


def pip_install(python: Path, *what: str | Path, cwd: Path) -> None:
    done = run(python, "-m", "pip", "install", "--quiet", *what, cwd=cwd)
    if done.returncode and "Failed to establish a new connection" in done.stdout + done.stderr:
        pytest.skip("needs a package index, to install into an empty environment")
    ok(done)


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return email.parser.Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_package_the_pack_and_the_lists(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set(LISTS)
    for name in sources():
        top, _, rest = name.partition("/")
        hidden = any(part.startswith(".") for part in name.split("/"))
        if top == "cortex_grow" and not hidden:
            expected.add(name)
        elif top in PACK and rest and not hidden:
            expected.add(f"cortex_grow/pack/{name}")
    assert names == expected
    assert any(name.startswith("cortex_grow/pack/analyzers/") for name in names)


def test_worker_files_keep_their_run_bit(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        for info in archive.infolist():
            if info.filename.startswith("cortex_grow/pack/") and archive.read(info)[:2] == b"#!":
                assert info.external_attr >> 16 & stat.S_IXUSR, info.filename


def test_metadata(built: Built) -> None:
    found = metadata(built.wheel)
    assert found["Name"] == "cortex-grow"
    assert found["License-Expression"] == "AGPL-3.0-or-later"
    assert set(found["Requires-Python"].split(",")) == {">=3.11", "<3.14"}


def name_of(requirement: str) -> str:
    return normal(re.split("[;<>=!~ ]", requirement)[0])


def test_what_it_asks_for_is_what_it_imports(built: Built) -> None:
    lines = metadata(built.wheel).get_all("Requires-Dist", [])
    asked = {name_of(line) for line in lines if "extra ==" not in line}
    extra = {name_of(line) for line in lines if 'extra == "misp"' in line}
    providers = packages_distributions()
    imported = {
        normal(providers.get(one.top, [one.top])[0])
        for folder in ("cortex_grow", "analyzers", "responders")
        for one in foreign(ROOT, folder)
        if "compile" not in one.file.stem  # runs in the build, with what pyproject.toml asks for
    }
    assert asked - imported == set()
    # What a library passes through its interface (urllib3 under requests) comes and goes with that library.
    with_it = {name_of(line) for name in asked for line in requires(name) or () if "extra ==" not in line}
    assert imported - extra - asked - with_it == set()


def test_the_sdist_is_complete_and_clean(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {n for n in sources() if n.split("/")[0] in ("cortex_grow", *PACK) and "/." not in n}
    assert needed - names <= set(LISTS)
    assert {"LICENSE", "setup.py", "setup.cfg", "pyproject.toml", "tools/compile_lists.py"} <= names
    assert not {name for name in names if name.endswith(".pyc") or name.startswith((".cache", ".venv", "build"))}


def test_the_wheel_stays_small(built: Built) -> None:
    assert built.wheel.stat().st_size < 30_000_000


def test_the_pack_and_the_lists_are_found_in_an_empty_environment(environment: Path, tmp_path: Path) -> None:
    code = (
        "from cortex_grow import pack; from cortex_grow.hygiene import index; from cortex_grow.model import suffixes\n"
        "index.Index.open(); assert suffixes.registrable('www.example.co.uk') == 'example.co.uk'\n"
        "assert (pack.examples() / 'iocs.txt').is_file() and list(pack.templates().iterdir())\n"
        "print(pack.analyzers(), *sorted(p.name for p in pack.analyzers().iterdir() if p.is_dir()))"
    )
    where, *found = (
        ok(run(environment / "bin" / "python", "-c", code, cwd=tmp_path)).strip().rpartition("analyzers ")[::2]
    )
    assert where.startswith(str(environment))
    assert found[0].split() == sorted(
        p.name for p in (ROOT / "analyzers").iterdir() if p.is_dir() and p.name[0] not in "._"
    )


def test_nothing_of_the_tests_is_installed(environment: Path) -> None:
    (site,) = (environment / "lib").glob("python*/site-packages")
    assert not {p.name for p in site.iterdir()} & {
        "tests",
        "tools",
        "analyzers",
        "pytest",
        "pymispwarninglists",
        "tldextract",
    }


def test_the_command_tells_how_to_use_it(environment: Path, tmp_path: Path) -> None:
    told = ok(run(environment / "bin" / "cortex-grow", "--help", cwd=tmp_path))
    for command in ("run", "grow", "sources", "hygiene", "demo", "lab", "config", "install"):
        assert command in told


def test_the_demo_runs(environment: Path, tmp_path: Path) -> None:
    """No key, no network, no checkout: and the report that it names is there."""
    told = ok(run(environment / "bin" / "cortex-grow", "demo", cwd=tmp_path, COLUMNS="500"))
    reports = [tmp_path / word.strip("'\".,:()") for word in told.split() if ".html" in word]
    assert reports, told
    assert all(report.is_file() for report in reports), told


def test_the_installed_pack_is_laid_out_and_starts(environment: Path, tmp_path: Path) -> None:
    """The launcher too: the environment's path holds a space. A job without input must still end with an output."""
    code = "import sys, pathlib; from cortex_grow.cli.install import install; install(pathlib.Path(sys.argv[1]))"
    ok(run(environment / "bin" / "python", "-c", code, tmp_path / "laid", cwd=tmp_path))
    for worker in sorted((tmp_path / "laid" / "analyzers").glob("*/*.py")):
        if not os.access(worker, os.X_OK):
            continue
        job = tmp_path / "job" / worker.stem
        (job / "output").mkdir(parents=True)
        (job / "input").mkdir()
        (job / "input" / "input.json").write_text("{}")
        run(worker, job, cwd=worker.parent.parent)
        assert json.loads((job / "output" / "output.json").read_text())["success"] is False, worker


def test_an_editable_install_finds_the_pack_beside_the_package(built: Built, tmp_path: Path) -> None:
    """Built in isolation, so that what pyproject.toml asks for is all the build needs."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    pip_install(python, "--no-deps", "-e", ".", cwd=built.checkout)
    code = "from cortex_grow import pack; print(pack.root())"
    assert ok(run(python, "-c", code, cwd=tmp_path)).strip() == str(built.checkout)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    assert not list(site.glob("__editable__*finder*")), "an import hook would cost every job start"
    assert all((built.checkout / name).is_file() for name in LISTS)
