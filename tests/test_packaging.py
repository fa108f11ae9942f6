"""The distribution as a stranger gets it: sdist, wheel made from it, installed into an empty virtual environment."""

from __future__ import annotations

import email.message
import email.parser
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

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
    checkout: Path
    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from a copy that holds no compiled list, in a folder with a space, with what is installed (no network)."""
    checkout = tmp_path_factory.mktemp("packaging") / "a checkout"
    for name in sources():
        target = checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for name in LISTS:
        (checkout / name).unlink(missing_ok=True)
    out = checkout.parent / "dist"
    ok(run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".", cwd=checkout))
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Built(checkout, sdist, wheel)


@pytest.fixture(scope="module")
def environment(built: Built) -> Iterator[Path]:
    """An empty virtual environment with the wheel and what it asks for, and nothing else."""
    folder = built.checkout.parent / "an environment"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip_install(python, "-c", ROOT / "requirements-test.lock", built.wheel, cwd=folder)
    yield folder
    shutil.rmtree(folder)


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
    needed = {
        line.split(";")[0].split("<")[0].split(">")[0]
        for line in found.get_all("Requires-Dist", [])
        if "extra" not in line
    }
    assert needed == {"cortexutils", "dnspython", "python-whois", "requests", "rich", "typer", "vt-py"}


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
        assert '"success": false' in (job / "output" / "output.json").read_text(), worker


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
