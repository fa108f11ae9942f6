"""The other commands: demo, lab, sources, hygiene, install, templates, version."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from cortex_grow import __version__, pack
from cortex_grow.growth.sources import sources
from tests.cli.conftest import Shell, until


def test_the_demo_needs_nothing(shell: Shell) -> None:
    (shell.folder / "cortex-grow.toml").write_text("this is no TOML\n")
    done = shell("demo", https_proxy="http://127.0.0.1:9", CORTEX_GROW_VIRUSTOTAL_PIVOT_KEY="a-real-key-of-the-user")
    assert done.code == 0, done.err
    (folder,) = (shell.folder / "runs").iterdir()
    assert folder.name.startswith("demo-") and done.out.rstrip().endswith(f"runs/{folder.name}/report.html")
    graph = json.loads((folder / "graph.json").read_bytes())
    assert {entry["source"] for entry in graph["provenance"]} == {declaration.name for declaration in sources()}
    answered = {entry["source"] for entry in graph["provenance"] if entry["status"] == "found"}
    assert answered == {declaration.name for declaration in sources()}
    assert {node["pyramid"] for node in graph["nodes"]} == {"hash", "ip", "domain", "artifact", "tool", "ttp"}
    assert not (shell.folder / "state").exists(), "the user's state is left alone"
    assert shell("demo", "--out", "x", "-q").out == "x/report.html\n"


def test_the_lab_prints_the_configuration_that_asks_it(shell: Shell) -> None:
    process = shell.start("lab")
    assert process.stdout is not None
    lines: list[str] = []
    wanted = {declaration.name for declaration in sources()}
    while set(tomllib.loads("".join(lines)).get("sources", {})) < wanted or lines[-1].strip():
        lines.append(process.stdout.readline())
        if len(lines) > 100:
            break
        if set(tomllib.loads("".join(lines)).get("sources", {})) >= wanted:
            time.sleep(0.2)
            break
    os.set_blocking(process.stdout.fileno(), False)
    lines += process.stdout.readlines()
    (shell.folder / "lab.toml").write_text("".join(lines))
    done = shell("grow", "203.0.113.66", "--config", "lab.toml", "--out", "out", "--calls", "3")
    assert done.code == 0, done.err
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    _, err = process.communicate()
    assert "serving" in err and "asked: virustotal" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--misbehave", "politely"], "politely"),
        (["--port", "0"], "--port is a port"),
        (["--port", "nobody=8000"], "the services are"),
        (["--replay", "nowhere"], "nowhere is not a folder"),
    ],
)
def test_a_lab_that_cannot_be(shell: Shell, arguments: list[str], says: str) -> None:
    done = shell("lab", *arguments)
    assert (done.code, done.out) == (2, "") and says in done.err


def test_a_port_that_is_taken_is_told(shell: Shell) -> None:
    first = shell.start("lab")
    assert first.stdout is not None
    until(lambda: first.stdout.readline().startswith("url"))  # type: ignore[union-attr]
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=20)
    assert first.returncode == 0


def test_sources(shell: Shell) -> None:
    done = shell("sources")
    assert done.code == 0 and "missing (key)" in done.out and "4/minute" in done.out
    rows = shell("sources", "--json").json
    assert {row["name"] for row in rows} == {declaration.name for declaration in sources()}
    dns = next(row for row in rows if row["name"] == "DNS_Resolve")
    assert dns["exposure"]["records"] == "active" and dns["key"]["optional"] and dns["calls"]["ip"] >= 1


def test_hygiene(shell: Shell) -> None:
    done = shell("hygiene", "8[.]8[.]8[.]8", "203.0.113.66")
    assert done.code == 0, done.err
    assert "8.8.8.8 (ip)" in done.out and "It is suppressed" in done.out and "Warning lists" in done.out
    own = shell("hygiene", "intranet.example.org", CORTEX_GROW_OWN_ASSETS="example.org")
    assert "among your own assets" in own.out.lower() and own.code == 0
    done = shell("hygiene", "what is this", "203.0.113.66")
    assert done.code == 2 and "203.0.113.66" in done.out and "'what is this'" in done.err


def test_templates_are_a_reproducible_archive(shell: Shell) -> None:
    assert shell("templates", "one.zip").code == 0
    time.sleep(2.1)  # a ZIP file counts time in steps of two seconds
    assert shell("templates", "two.zip").code == 0
    one, two = (hashlib.sha256((shell.folder / name).read_bytes()).hexdigest() for name in ("one.zip", "two.zip"))
    assert one == two
    with zipfile.ZipFile(shell.folder / "one.zip") as archive:
        names = archive.namelist()
        assert names == sorted(f"{path.parent.name}/{path.name}" for path in pack.templates().glob("*/*.html"))
        assert "Grow_1_0/long.html" in names and "Grow_1_0/short.html" in names
        assert archive.read("Grow_1_0/long.html") == (pack.templates() / "Grow_1_0" / "long.html").read_bytes()
    done = shell("templates", "nowhere/x.zip")
    assert done.code == 1 and "nowhere" in done.err


def test_install_and_uninstall(shell: Shell) -> None:
    folder = shell.folder / "pack"
    # The interpreter is tried as Cortex's user would have it, without this environment: an installed package is needed.
    done = shell("install", folder, "--python", "/bin/false")
    assert done.code == 1 and "does not find the pack" in done.err
    done = shell("uninstall", shell.folder)
    assert done.code == 1 and "nothing of cortex-grow is installed there" in done.err


def test_version_and_help(shell: Shell) -> None:
    assert shell("version").out == shell("--version").out == f"{__version__}\n"
    done = shell("--help")
    assert done.code == 0
    for name in ("run", "grow", "sources", "hygiene", "config", "demo", "lab", "install", "uninstall", "templates"):
        assert f"│ {name} " in done.out and shell(name, "-h").code == 0
    assert shell("nonsense").code == 2


def test_help_imports_nothing_that_takes_long(tmp_path: Path) -> None:
    import subprocess

    script = (
        "import sys; from cortex_grow.cli import main; sys.argv = ['cortex-grow', '--version']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = ('requests', 'vt', 'dns', 'whois', 'sqlite3', 'cortex_grow.growth.engine', 'cortex_grow.lab')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [__version__, "[]"]
