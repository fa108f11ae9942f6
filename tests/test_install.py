"""``cortex_grow.cli.install``: a planted pack, laid out, started by the kernel as Cortex starts it, and taken away."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cortex_grow.cli.install import LAUNCHER, MANIFEST, InstallError, InstallReport, install, uninstall

WORKER = '''#!/usr/bin/env python3
"""A worker that tells how it was started."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

Path(sys.argv[1], "output.json").write_text(
    json.dumps({"argv": sys.argv, "prefix": sys.prefix, "cwd": os.getcwd(), "pid": os.getpid(), "doc": __doc__})
)
time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
'''


def definition(name: str, command: str | None) -> str:
    return json.dumps({"name": name, "version": "1.0", **({"command": command} if command else {})})


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    root = tmp_path / "a pack"  # where the pack itself lies is of no concern to Cortex
    for name, text in {
        "analyzers/First/First.json": definition("First", "First/first_worker.py"),
        "analyzers/First/first_worker.py": WORKER,
        "analyzers/First/README.md": "First\n",
        "analyzers/First/assets/logo.svg": "<svg/>",
        "analyzers/First/__pycache__/first_worker.cpython-311.pyc": "old",
        "analyzers/First/.hidden": "editor",
        "analyzers/Second/Second.json": definition("Second", "Second/second_worker.py"),
        "analyzers/Second/second_worker.py": WORKER,
        "responders/Push/Push.json": definition("Push", "Push/push_worker.py"),
        "responders/Push/push_worker.py": WORKER.replace("env python3", "env -S python3 -u"),
        "thehive-templates/First_1_0/long.html": "<p>{{content.seed.value}}</p>",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


Lay = Callable[..., InstallReport]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "opt" / "cortex-grow"


@pytest.fixture(scope="session")
def plain() -> Iterator[str]:
    """An interpreter whose path a first line can hold, wherever the tests themselves run."""
    with tempfile.TemporaryDirectory(prefix="cg") as place:
        venv.create(place, symlinks=True)
        yield str(Path(place, "bin", "python"))


@pytest.fixture
def lay(planted: Path, folder: Path, plain: str) -> Lay:
    def run(folder: Path = folder, python: str = plain) -> InstallReport:
        return install(folder, python, pack_root=planted, check=False)

    return run


def start(folder: Path, command: str, top: str = "analyzers", *more: str) -> subprocess.Popen[bytes]:
    """As Cortex's process runner: the command and the job folder, no shell, the scanned folder as working directory."""
    job = folder.parent / "job"
    job.mkdir(exist_ok=True)
    return subprocess.Popen([str(folder / top / command), str(job), *more], cwd=folder / top, env={"LANG": "C"})


def told(folder: Path, command: str, top: str = "analyzers") -> dict[str, object]:
    assert start(folder, command, top).wait(timeout=60) == 0
    answer: dict[str, object] = json.loads((folder.parent / "job" / "output.json").read_text())
    return answer


def tree(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_kernel_starts_every_worker(lay: Lay, folder: Path, plain: str) -> None:
    report = lay()
    assert report.interpreter == plain
    for top, command in (("analyzers", "First/first_worker.py"), ("responders", "Push/push_worker.py")):
        answer = told(folder, command, top)
        assert answer["prefix"] == str(Path(plain).parent.parent)
        assert answer["cwd"] == str(folder / top)
        assert answer["argv"] == [str(folder / top / command), str(folder.parent / "job")]


def test_everything_of_the_pack_and_nothing_else_is_laid_out(lay: Lay, folder: Path) -> None:
    report = lay()
    assert tree(folder) - {MANIFEST} == set(report.written)
    assert set(report.written) == {
        "analyzers/First/First.json",
        "analyzers/First/README.md",
        "analyzers/First/assets/logo.svg",
        "analyzers/First/first_worker.py",
        "analyzers/Second/Second.json",
        "analyzers/Second/second_worker.py",
        "responders/Push/Push.json",
        "responders/Push/push_worker.py",
        "thehive-templates/First_1_0/long.html",
    }


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(lay: Lay, folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        lay()
    finally:
        os.umask(before)
    for path in folder.rglob("*"):
        wanted = 0o755 if path.is_dir() or path.suffix == ".py" else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_a_virtual_environment_stays_the_virtual_environment(lay: Lay, folder: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    lay(python=str(tmp_path / "env" / "bin" / "python"))
    assert told(folder, "First/first_worker.py")["prefix"] == str(tmp_path / "env")
    assert not (folder / LAUNCHER).exists()


@pytest.mark.parametrize("name", ["an env 'quoted' $HOME", "e" * 140])
def test_an_interpreter_that_no_first_line_can_name(
    lay: Lay, folder: Path, tmp_path: Path, plain: str, name: str
) -> None:
    venv.create(tmp_path / name, symlinks=True)
    report = lay(python=str(tmp_path / name / "bin" / "python"))
    assert report.interpreter == str(folder / LAUNCHER)
    answer = told(folder, "First/first_worker.py")
    assert answer["prefix"] == str(tmp_path / name)
    assert answer["argv"] == [str(folder / "analyzers/First/first_worker.py"), str(folder.parent / "job")]
    assert answer["doc"] == "A worker that tells how it was started."

    # Back to a plain interpreter: the launcher goes, after the workers no longer need it.
    assert LAUNCHER in lay().removed
    assert told(folder, "First/first_worker.py")["prefix"] == str(Path(plain).parent.parent)


def test_sigterm_reaches_the_worker_through_the_launcher(lay: Lay, folder: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "an env", symlinks=True)
    lay(python=str(tmp_path / "an env" / "bin" / "python"))
    process = start(folder, "First/first_worker.py", "analyzers", "60")
    output = folder.parent / "job" / "output.json"
    deadline = time.monotonic() + 30
    while not (output.exists() and output.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert json.loads(output.read_text())["pid"] == process.pid
    process.terminate()
    assert process.wait(timeout=30) == -signal.SIGTERM


def test_again_changes_nothing(lay: Lay, folder: Path) -> None:
    first = lay()
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"}
    second = lay()
    assert (second.written, second.removed, second.kept) == ((), (), ())
    assert second.unchanged == first.written
    assert times == {p: p.stat().st_mtime_ns for p in times}


def test_another_interpreter_changes_the_workers_alone(lay: Lay, folder: Path, tmp_path: Path) -> None:
    lay()
    venv.create(tmp_path / "env", symlinks=True)
    report = lay(python=str(tmp_path / "env" / "bin" / "python"))
    assert report.kept == ()
    assert {name.rsplit(".", 1)[1] for name in report.written} == {"py"}


def test_what_the_operator_added_stays(lay: Lay, folder: Path, planted: Path) -> None:
    lay()
    own = folder / "analyzers" / "Own" / "Own.json"
    own.parent.mkdir()
    own.write_text("{}")
    beside = folder / "analyzers" / "Second" / "notes.txt"
    beside.write_text("ours")
    for file in (planted / "analyzers" / "Second").iterdir():
        file.unlink()
    report = lay()
    assert report.removed == ("analyzers/Second/Second.json", "analyzers/Second/second_worker.py")
    assert beside.read_text() == "ours"
    uninstall(folder)
    assert tree(folder) == {"analyzers/Own/Own.json", "analyzers/Second/notes.txt"}


def test_an_edited_file_is_saved_where_cortex_does_not_read_it(lay: Lay, folder: Path, planted: Path) -> None:
    lay()
    edited = folder / "analyzers" / "First" / "First.json"
    for n, name in enumerate(("First.json.edited", "First.json.edited2")):
        edited.write_text(f"edited {n}")
        assert lay().kept == (f"analyzers/First/{name}",)
        assert (edited.parent / name).read_text() == f"edited {n}"
        assert edited.read_text() == (planted / "analyzers/First/First.json").read_text()
    edited.write_text("edited 2")
    assert uninstall(folder).kept == ("analyzers/First/First.json.edited3",)
    assert not edited.exists()


def test_a_worker_that_is_gone_is_removed_with_its_folder(lay: Lay, folder: Path, planted: Path) -> None:
    lay()
    told(folder, "Second/second_worker.py")
    cache = folder / "analyzers" / "Second" / "__pycache__"
    cache.mkdir()
    (cache / "second_worker.cpython-311.pyc").write_bytes(b"byte code")
    for file in (planted / "analyzers" / "Second").iterdir():
        file.unlink()
    lay()
    assert not (folder / "analyzers" / "Second").exists()
    assert told(folder, "First/first_worker.py")


def test_a_strange_file_of_the_same_name_stops_everything(lay: Lay, folder: Path) -> None:
    theirs = folder / "analyzers" / "First" / "README.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("another pack")
    with pytest.raises(InstallError, match=r"analyzers/First/README\.md"):
        lay()
    assert tree(folder) == {"analyzers/First/README.md"}
    assert theirs.read_text() == "another pack"


def test_a_link_is_not_written_through(lay: Lay, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    link = folder / "analyzers" / "First" / "README.md"
    link.parent.mkdir(parents=True)
    link.symlink_to(target)
    with pytest.raises(InstallError, match="not the pack's"):
        lay()
    assert target.read_text() == "precious"


def test_an_installation_cut_short_is_finished_by_the_next(lay: Lay, folder: Path, planted: Path) -> None:
    lay()
    (planted / "analyzers/First/README.md").write_text("Second edition\n")
    blocked = folder / "analyzers" / "Second" / "second_worker.py"
    (planted / "analyzers/Second/second_worker.py").write_text(WORKER + "# changed\n")
    blocked.unlink()
    blocked.mkdir()  # stands in for a full disk: the last file cannot be written
    (blocked / "in the way").touch()
    with pytest.raises(InstallError):
        lay()
    (blocked / "in the way").unlink()
    blocked.rmdir()
    assert lay().kept == ()
    assert (folder / "analyzers/First/README.md").read_text() == "Second edition\n"


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    lay: Lay, folder: Path, planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay()
    before = (folder / "analyzers/First/first_worker.py").read_bytes()
    (planted / "analyzers/First/first_worker.py").write_text(WORKER + "# changed\n")
    real = os.replace

    def full(source: str, target: Path) -> None:
        if Path(target).suffix == ".py":
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(InstallError, match="No space left on device"):
            lay()
    assert (folder / "analyzers/First/first_worker.py").read_bytes() == before
    assert not [name for name in tree(folder) if name.endswith(".part")]
    assert lay().kept == ()  # what the first try wrote is known to be the pack's


def test_uninstall_leaves_an_empty_folder(lay: Lay, folder: Path) -> None:
    report = lay()
    assert uninstall(folder).removed == report.written
    assert list(folder.iterdir()) == []
    with pytest.raises(InstallError, match="nothing of cortex-grow"):
        uninstall(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "analyzers/../../outside", "other/file", "analyzers//x"])
def test_a_manifest_that_points_elsewhere_is_refused(lay: Lay, folder: Path, name: str) -> None:
    lay()
    outside = folder.parent / "outside"
    outside.write_text("precious")
    (folder / MANIFEST).write_text(json.dumps({"files": {name: ["0"]}}))
    for call in (lay, lambda: uninstall(folder)):
        with pytest.raises(InstallError, match="no file of the pack"):
            call()
    assert outside.read_text() == "precious"


@pytest.mark.parametrize("text", ["", "[]", '{"files": []}', '{"files": {"a": 1}}', "\xff"])
def test_a_broken_manifest_is_refused(lay: Lay, folder: Path, text: str) -> None:
    lay()
    (folder / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(InstallError, match="cannot be read"):
        lay()


def test_folders_that_cortex_cannot_use(lay: Lay, tmp_path: Path, planted: Path, plain: str) -> None:
    for folder in (
        tmp_path / "x" / ".." / "pack",
        tmp_path / "two words",
        tmp_path / "tab\tbed",
        tmp_path / "line\nbreak",
    ):
        with pytest.raises(InstallError):
            lay(folder)
        assert not os.path.lexists(folder)
    (tmp_path / "file").touch()
    with pytest.raises(InstallError, match="not a folder"):
        lay(tmp_path / "file")
    with pytest.raises(InstallError, match="the pack itself"):
        install(planted.rename(tmp_path / "pack"), plain, pack_root=tmp_path / "pack", check=False)


def test_dots_are_answered_with_the_clean_path(lay: Lay, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=f"give {tmp_path}/pack$"):
        lay(tmp_path / "x" / ".." / "pack")


def test_a_relative_folder_becomes_a_clean_absolute_one(
    lay: Lay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = lay(Path("./pack"))
    assert report.folder == tmp_path / "pack"
    assert report.configuration.splitlines()[1:] == [
        f'analyzer.urls += "{tmp_path}/pack/analyzers"',
        f'responder.urls += "{tmp_path}/pack/responders"',
    ]


def test_folders_named_in_the_configuration_exist_without_workers(lay: Lay, planted: Path, folder: Path) -> None:
    for file in (planted / "responders" / "Push").iterdir():
        file.unlink()
    lay()
    assert (folder / "responders").is_dir()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (definition("First", "First/absent.py"), r"First/absent\.py"),
        (definition("First", "First/README.md"), "not a script"),
        ("{", "not JSON"),
    ],
)
def test_a_definition_whose_command_cannot_be_started_is_refused(
    lay: Lay, planted: Path, folder: Path, text: str, says: str
) -> None:
    (planted / "analyzers/First/First.json").write_text(text)
    with pytest.raises(InstallError, match=says):
        lay()
    assert not folder.exists()


def test_a_definition_without_command_is_laid_out(lay: Lay, planted: Path, folder: Path) -> None:
    (planted / "analyzers/First/First.json").write_text(definition("First", None))
    assert "analyzers/First/First.json" in lay().written


def test_an_interpreter_that_cannot_run_is_refused(lay: Lay, planted: Path, folder: Path, tmp_path: Path) -> None:
    for python in (str(tmp_path / "absent"), str(tmp_path), "", str(planted / "analyzers/First/README.md")):
        with pytest.raises(InstallError):
            lay(python=python)
    venv.create(tmp_path / "env", symlinks=True)  # an environment without the pack
    with pytest.raises(InstallError, match="pip install cortex-grow"):
        install(folder, str(tmp_path / "env" / "bin" / "python"), pack_root=planted)
    assert not folder.exists()


def test_both_paths_too_long(lay: Lay, tmp_path: Path) -> None:
    venv.create(tmp_path / ("e" * 140), symlinks=True)
    with pytest.raises(InstallError, match="shorter folder"):
        lay(tmp_path / ("f" * 140), str(tmp_path / ("e" * 140) / "bin" / "python"))


def test_a_closed_parent_is_told(lay: Lay, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    report = lay(closed / "pack")
    assert any(w.startswith("other users cannot enter") and w.endswith(str(closed / "pack")) for w in report.warnings)
