"""Lay the pack out for Cortex's process runner, and take it away again.

Cortex starts a worker as ``<folder>/analyzers/<Source>/<worker>.py <job folder>`` with no shell and no interpreter
in between (Cortex, ``app/org/thp/cortex/services/ProcessJobRunnerSrv.scala``), so each worker needs its run bit and a
first line that names the interpreter which has the package. It drops every worker below a folder that is not named by
a clean absolute path (``WorkerSrv.scala``).

A manifest in ``<folder>/.cortex-grow`` says which files are the pack's: nothing else is ever overwritten or removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cortex_grow import __version__, pack

TOPS = ("analyzers", "responders", "thehive-templates")
OWN = ".cortex-grow"
MANIFEST = f"{OWN}/manifest.json"
LAUNCHER = f"{OWN}/python"
# What every kernel reads of a first line, "#!" included (128 bytes with the end before Linux 5.1, execve(2)).
LONGEST_FIRST_LINE = 127


class InstallError(RuntimeError):
    """Nothing was laid out or taken away; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What :func:`install` or :func:`uninstall` did; paths are relative to ``folder``."""

    folder: Path
    interpreter: str = ""
    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()  # copies of the pack's files that someone had edited
    warnings: tuple[str, ...] = ()

    @property
    def configuration(self) -> str:
        """The lines that belong into Cortex's ``application.conf``."""
        return (
            '# job.runners must hold "process": it does unless it is set\n'
            f"analyzer.urls += {json.dumps(str(self.folder / 'analyzers'), ensure_ascii=False)}\n"
            f"responder.urls += {json.dumps(str(self.folder / 'responders'), ensure_ascii=False)}\n"
        )


@dataclass(slots=True)
class _File:
    """A file of the pack as it will stand in the folder."""

    data: bytes
    mode: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(slots=True)
class _Layout:
    files: dict[str, _File] = field(default_factory=dict)
    interpreter: str = ""


def install(
    folder: Path, python: str = sys.executable, *, pack_root: Path | None = None, check: bool = True
) -> InstallReport:
    """Lay out analyzers, responders and report templates in ``folder`` (made where it is absent).

    ``python`` is the interpreter that runs the workers; ``pack_root`` holds ``analyzers`` and the others (default: the
    installed pack); without ``check`` the interpreter is not tried. A second call brings the folder up to date: files
    of the pack that are gone are removed, those that someone edited are saved beside as ``<name>.edited``.
    Raises :class:`InstallError` before the first change where the folder or the interpreter cannot serve Cortex or a
    file that is not the pack's is in the way, and with the system's reason where a file cannot be written.
    """
    folder = _clean(folder)
    source = (pack_root or pack.root()).resolve()
    if folder.resolve() == source:
        raise InstallError(f"{folder} is the pack itself: give another folder")
    python = _interpreter(python, check)
    layout = _layout(source, folder, python)
    known = _read_manifest(folder)
    _refuse_conflicts(folder, layout.files, known)
    try:
        return _apply(folder, layout, known, _warnings(folder, python))
    except OSError as e:
        raise InstallError(f"cannot write {e.filename or folder}: {e.strerror or e}") from e


def uninstall(folder: Path) -> InstallReport:
    """Remove what :func:`install` laid out in ``folder``; edited files stay as ``<name>.edited``.

    Raises :class:`InstallError` where the folder has no manifest or a file cannot be removed.
    """
    folder = _clean(folder)
    known = _read_manifest(folder)
    if not (folder / MANIFEST).is_file():
        raise InstallError(f"{folder} holds no {MANIFEST}: nothing of cortex-grow is installed there")
    kept: list[str] = []
    try:
        removed = [name for name in _removal_order(known) if _remove(folder, name, known[name], kept)]
        (folder / MANIFEST).unlink()
        _remove_empty(folder, [MANIFEST])
    except OSError as e:
        raise InstallError(f"cannot remove {e.filename or folder}: {e.strerror or e}") from e
    return InstallReport(folder, removed=tuple(sorted(removed)), kept=tuple(sorted(kept)))


def _clean(folder: Path) -> Path:
    if ".." in folder.parts:
        clean = os.path.normpath(folder.absolute())
        raise InstallError(f"{folder}: Cortex drops every worker of a folder named with '..'; give {clean}")
    folder = folder.absolute()
    if any(c.isspace() or not c.isprintable() for c in str(folder)):
        raise InstallError(f"{str(folder)!r}: the folder's path must be free of white space and control characters")
    if folder.exists() and not folder.is_dir():
        raise InstallError(f"{folder} is not a folder")
    return folder


def _interpreter(python: str, check: bool) -> str:
    """The interpreter's absolute path. Links stay: the real path would leave the virtual environment."""
    if not python:
        raise InstallError("no interpreter is known: name one")
    path = os.path.abspath(python)
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise InstallError(f"{path} is not an interpreter that can be run")
    if any(c in path for c in "\n\r\0"):
        raise InstallError(f"{path!r}: the interpreter's path holds a line break")
    if check:
        # Isolated: what the caller's environment or home adds, Cortex's own user will not have.
        try:
            tried = subprocess.run(
                [path, "-I", "-c", "import cortex_grow.pack, cortexutils"],
                cwd="/",
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise InstallError(f"{path} could not be run: {e}") from e
        if tried.returncode:
            reason = (tried.stderr.strip().splitlines() or [f"exit {tried.returncode}"])[-1]
            raise InstallError(f"{path} does not find the pack ({reason}): {path} -m pip install cortex-grow")
    return path


def _layout(source: Path, folder: Path, python: str) -> _Layout:
    first_line, launcher = f"#!{python}\n", b""
    if " " in python or "\t" in python or len(os.fsencode(first_line)) - 1 > LONGEST_FIRST_LINE:
        # The kernel splits a first line at white space and cuts it. A shell in between that replaces itself keeps the
        # process id, so that Cortex's SIGTERM reaches the worker. (No shell trick inside the worker: its text could no
        # longer begin with a docstring and "from __future__".)
        launcher = os.fsencode(f'#!/bin/sh\nexec {shlex.quote(python)} "$@"\n')
        first_line = f"#!{folder / LAUNCHER}\n"
        if len(os.fsencode(first_line)) - 1 > LONGEST_FIRST_LINE:
            raise InstallError(
                f"the paths of {python} and {folder} are both too long for a first line: give a shorter folder"
            )
    layout = _Layout(interpreter=first_line[2:-1])
    if launcher:
        layout.files[LAUNCHER] = _File(launcher, 0o755)
    for name, path in _walk(source):
        data = path.read_bytes()
        script = data.startswith(b"#!")
        if script and b"python" in data.partition(b"\n")[0]:
            data = os.fsencode(first_line) + data.partition(b"\n")[2]
        layout.files[name] = _File(data, 0o755 if script else 0o644)
    if not any(name.startswith("analyzers/") for name in layout.files):
        raise InstallError(f"{source} holds no analyzers")
    _check_definitions(layout.files)
    return layout


def _walk(source: Path) -> Iterator[tuple[str, Path]]:
    """The files of the pack: no hidden ones and no byte code."""
    for top in TOPS:
        for path in sorted((source / top).rglob("*")):
            parts = path.relative_to(source).parts
            hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
            if path.is_file() and not hidden and path.suffix != ".pyc":
                yield "/".join(parts), path


def _check_definitions(files: Mapping[str, _File]) -> None:
    """Every definition's command must be a script: Cortex stores the job's secrets where one cannot be started."""
    for name, file in files.items():
        path = PurePosixPath(name)
        if path.parts[0] not in ("analyzers", "responders") or len(path.parts) != 3 or path.suffix != ".json":
            continue
        try:
            definition = json.loads(file.data)
            command = definition.get("command") if isinstance(definition, dict) else None
        except ValueError as e:
            raise InstallError(f"{name} of the pack is not JSON: {e}") from e
        if command is None:
            continue
        script = files.get(f"{path.parts[0]}/{command}")
        if script is None or not script.data.startswith(b"#!"):
            raise InstallError(f"{name} of the pack names the command {command}, which is not a script of the pack")


def _read_manifest(folder: Path) -> dict[str, list[str]]:
    """File name to the digests that the pack gave it (two where an installation was cut short)."""
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        known = {str(name): [str(digest) for digest in digests] for name, digests in files.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise InstallError(f"{folder / MANIFEST} cannot be read ({e}): remove the pack's files and it by hand") from e
    for name in known:
        parts = name.split("/")
        if name != LAUNCHER and (parts[0] not in TOPS or not {"", ".", ".."}.isdisjoint(parts)):
            raise InstallError(f"{folder / MANIFEST} names {name!r}, which is no file of the pack")
    return known


def _write_manifest(folder: Path, files: Mapping[str, list[str]]) -> None:
    text = json.dumps({"version": __version__, "files": files}, indent=1, sort_keys=True)
    _write(folder, MANIFEST, _File(text.encode(), 0o644))


def _refuse_conflicts(folder: Path, files: Mapping[str, _File], known: Mapping[str, list[str]]) -> None:
    strange = []
    for name, file in files.items():
        path = folder / name
        parents = [folder / parent for parent in PurePosixPath(name).parents]
        above = [p for p in parents if os.path.lexists(p) and not p.is_dir()]
        if above:
            strange.append(str(above[-1].relative_to(folder)))
        elif os.path.lexists(path) and (
            path.is_symlink() or not path.is_file() or (name not in known and _digest(path) != file.digest)
        ):
            strange.append(name)
    if strange:
        names = ", ".join(dict.fromkeys(strange[:5])) + (f" and {len(strange) - 5} more" if len(strange) > 5 else "")
        raise InstallError(f"{folder} has files of the same name that are not the pack's: {names}; give another folder")


def _apply(folder: Path, layout: _Layout, known: Mapping[str, list[str]], warnings: tuple[str, ...]) -> InstallReport:
    files = layout.files
    gone = {name: digests for name, digests in known.items() if name not in files}
    # Written first with old and new digests: an installation that is cut short leaves nothing that is not known.
    _write_manifest(folder, {**known, **{name: [*known.get(name, []), file.digest] for name, file in files.items()}})
    for top in TOPS:
        _make_folder(folder, folder / top)
    written: list[str] = []
    unchanged: list[str] = []
    kept: list[str] = []
    removed = [name for name in _removal_order(gone) if _remove(folder, name, gone[name], kept)]
    # Definitions last: Cortex, which may scan at any moment, never sees one whose command is not there yet.
    for name in sorted(files, key=lambda n: (n.endswith(".json"), n)):
        path, file = folder / name, files[name]
        if path.is_file() and _digest(path) == file.digest:
            path.chmod(file.mode)
            unchanged.append(name)
            continue
        if path.is_file() and _digest(path) not in known.get(name, []):
            kept.append(_save_edited(folder, path))
        _write(folder, name, file)
        written.append(name)
    _write_manifest(folder, {name: [file.digest] for name, file in files.items()})
    return InstallReport(
        folder,
        layout.interpreter,
        tuple(sorted(written)),
        tuple(sorted(unchanged)),
        tuple(sorted(removed)),
        tuple(sorted(kept)),
        warnings,
    )


def _removal_order(names: Mapping[str, list[str]]) -> list[str]:
    """Definitions first, the launcher last: a worker that Cortex can see must be able to start."""
    return sorted(names, key=lambda n: (n == LAUNCHER, not n.endswith(".json"), n))


def _remove(folder: Path, name: str, digests: list[str], kept: list[str]) -> bool:
    path = folder / name
    if not path.is_file():
        return False
    if path.is_symlink() or _digest(path) not in digests:
        kept.append(_save_edited(folder, path))
    path.unlink()
    _remove_empty(folder, [name])
    return True


def _remove_empty(folder: Path, names: list[str]) -> None:
    """Remove the folders above ``names`` that nothing is left in (byte code aside), but never ``folder`` itself."""
    for name in names:
        for parent in list(PurePosixPath(name).parents)[:-1]:
            path = folder / parent
            cache = path / "__pycache__"
            if path.is_dir() and not path.is_symlink() and set(path.iterdir()) <= {cache}:
                if cache.is_dir():
                    for compiled in cache.glob("*.pyc"):
                        compiled.unlink()
                    cache.rmdir()
                path.rmdir()


def _save_edited(folder: Path, path: Path) -> str:
    """Copy an edited file to a name that Cortex does not read; returns that name."""
    aside, n = path.with_name(f"{path.name}.edited"), 1
    while os.path.lexists(aside):
        n += 1
        aside = path.with_name(f"{path.name}.edited{n}")
    shutil.copy2(path, aside)
    return str(aside.relative_to(folder))


def _make_folder(folder: Path, path: Path) -> None:
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for p in reversed(missing):
        p.mkdir(exist_ok=True)
        if p == folder or folder in p.parents:
            p.chmod(0o755)  # whatever the umask: Cortex runs as a user of its own


def _write(folder: Path, name: str, file: _File) -> None:
    path = folder / name
    _make_folder(folder, path.parent)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as out:
            out.write(file.data)
        os.chmod(temporary, file.mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _warnings(folder: Path, python: str) -> tuple[str, ...]:
    """What would keep Cortex, which runs as a user of its own, from starting the workers."""
    found = []
    for path in dict.fromkeys((folder, Path(python), Path(python).resolve())):
        closed = [p for p in path.parents if p.is_dir() and not p.stat().st_mode & 0o001]
        if closed:
            found.append(f"other users cannot enter {closed[-1]}: Cortex must run as a user that can, to reach {path}")
    existing = next(p for p in (folder, *folder.parents) if p.is_dir())
    if os.statvfs(existing).f_flag & os.ST_NOEXEC:
        found.append(f"{folder} is on a file system mounted noexec: no worker can be started there")
    return tuple(found)
