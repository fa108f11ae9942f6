"""The rule about skips (``tests/conftest.py``), on a small suite of its own run in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import allowed_skips

SUITE = """
import pytest

def test_runs(): pass

@pytest.mark.skip(reason="no such service here")
def test_marked(): pass

@pytest.mark.skip(reason="no such service here")
def test_marked_too(): pass

def test_inside(): pytest.skip("found nothing to look at")

@pytest.mark.xfail(reason="a known flaw")
def test_flaw(): assert False
"""
MODULE = """
import pytest
pytest.skip("no such module here", allow_module_level=True)
"""


def run(folder: Path, allowed: str, *arguments: str, ci: str) -> subprocess.CompletedProcess[str]:
    tests = folder / "tests"
    tests.mkdir()
    shutil.copy(Path(__file__).with_name("conftest.py"), tests)
    (tests / "allowed_skips.txt").write_text(allowed)
    (tests / "test_suite.py").write_text(SUITE)
    (tests / "test_module.py").write_text(MODULE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, "tests"],
        cwd=folder,
        env={**environment, "CI": ci},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


IN_PROCESS, IN_WORKERS = (), ("-n", "1")


@pytest.mark.parametrize("arguments", [IN_PROCESS, IN_WORKERS], ids=["alone", "xdist"])
@pytest.mark.parametrize("ci", ["", "false"])
def test_one_list_and_no_failure_without_ci(tmp_path: Path, ci: str, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, "", *arguments, ci=ci)
    assert done.returncode == 0, done.stdout
    listed = done.stdout.partition("skipped, and why")[2]
    assert re.findall(r"^(\d+) x (.*)$", listed, re.M) == [
        ("1", "expected to fail: a known flaw"),
        ("1", "found nothing to look at"),
        ("1", "no such module here"),
        ("2", "no such service here"),
    ]
    assert re.search(r"^=+ 1 passed, 4 skipped, 1 xfailed in .*=+$", done.stdout.splitlines()[-1])


@pytest.mark.parametrize("arguments", [IN_PROCESS, IN_WORKERS], ids=["alone", "xdist"])
def test_with_ci_what_is_not_allowed_fails(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    allowed = "no such service | it runs on the big machine only\ntests/test_module.py | the module is optional\n"
    done = run(tmp_path, allowed, *arguments, ci="true")
    assert done.returncode == 1, done.stdout
    assert re.search(r"2 failed, 1 passed, 3 skipped", done.stdout.splitlines()[-1])
    assert "tests/test_suite.py::test_inside was skipped, which tests/allowed_skips.txt does not allow" in done.stdout
    assert "tests/test_suite.py::test_flaw was skipped" in done.stdout


@pytest.mark.parametrize("arguments", [IN_PROCESS, IN_WORKERS], ids=["alone", "xdist"])
def test_with_ci_a_module_that_skips_itself_fails(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, "no such service | y\nfound | y\nexpected to fail | y\n", *arguments, ci="1")
    assert done.returncode not in (0, 5), done.stdout
    assert "tests/test_module.py was skipped" in done.stdout


def test_with_ci_all_allowed_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "no such | y\nfound | y\nexpected to fail | y\n", ci="1")
    assert done.returncode == 0, done.stdout


def test_every_line_says_why() -> None:
    assert allowed_skips(["# a remark", "", "tests/x.py::test_y[a] | b | c"]) == ("tests/x.py::test_y[a]",)
    for line in ("tests/x.py", "tests/x.py | ", " | why"):
        with pytest.raises(pytest.UsageError):
            allowed_skips([line])
