"""Job folders and worker processes as Cortex makes and starts them (contract 2.2, 2.3, 2.4 and 3)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from .cortex import MISSING

STOP_GRACE = 5.0  # seconds between SIGTERM and the verdict that the worker ignores it
SETTLE = 1.0  # seconds for stdout to close once the process is gone
MOUNT = Path("/job")
PREFIX = "cortex-job-AYcontract-"


@dataclass(frozen=True, slots=True)
class Job:
    """What Cortex puts into input.json (contract 2.4)."""

    data_type: str
    data: Any = MISSING  # a string for analyzers, an object for responders
    config: Mapping[str, Any] = field(default_factory=dict)
    tlp: int = 2
    pap: int = 2
    message: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    attachment: bytes | None = None
    filename: str = ""
    content_type: str = "application/octet-stream"
    secrets: frozenset[str] = frozenset()

    def input(self, file: str | None = None) -> dict[str, Any]:
        """The object written to input.json; ``file`` is the bare name of the attachment in ``input/``."""
        value: dict[str, Any] = {}
        if file is not None:
            value.update({"file": file, "filename": self.filename, "contentType": self.content_type})
        elif self.data is not MISSING:
            value["data"] = self.data
        return {
            **value,
            "dataType": self.data_type,
            "tlp": self.tlp,
            "pap": self.pap,
            "message": self.message,
            "parameters": dict(self.parameters),
            "config": dict(self.config),
        }


def make_folder(root: Path, job: Job, *, raw: bytes | None = MISSING) -> Path:
    """A job folder below ``root`` (contract 2.3).

    ``raw`` replaces the content of input.json for a job that Cortex would never make; ``None`` leaves the file out.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))  # 0700
    entrance = folder / "input"
    entrance.mkdir()
    (folder / "output").mkdir()
    file = None
    if job.attachment is not None:
        descriptor, path = tempfile.mkstemp(prefix="attachment", dir=entrance)  # 0600
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(job.attachment)
        file = Path(path).name
    content = json.dumps(job.input(file), ensure_ascii=False).encode() if raw is MISSING else raw
    if content is not None:
        (entrance / "input.json").write_bytes(content)
    cacerts = job.config.get("cacerts")
    if isinstance(cacerts, str) and cacerts.strip():
        (entrance / "cacerts").write_text(cacerts, encoding="utf-8")
    return folder


@dataclass(slots=True)
class Run:
    """What is left of a worker process for Cortex to look at."""

    way: str  # process | docker | kubernetes | stdin
    folder: Path | None
    output: bytes | None = None  # output.json as Cortex reads it; stdout when the job came on standard input
    written_by_cortex: bool = False
    printed: str = ""  # stdout and stderr, lines joined without newlines
    exit_code: int | None = None  # Cortex discards it
    start_error: str | None = None
    timed_out: bool = False
    ignored_sigterm: bool = False
    never_ended: bool = False
    held_output: bool = False
    input_changed: tuple[str, ...] = ()
    seconds: float = 0.0


def run_process(
    command: Path,
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    stop_when: Callable[[], bool] | None = None,
    patience: float = 30.0,
    grace: float = STOP_GRACE,
) -> Run:
    """Run a job as the process runner does (contract 2.2).

    ``timeout`` in seconds is the worker record's; ``stop_when`` sends the same SIGTERM as soon as it holds; after
    ``patience`` seconds, or ``grace`` seconds after SIGTERM, a job that Cortex would wait on for ever is given up.
    """
    environment = dict(os.environ if env is None else env)
    if (folder / "input" / "cacerts").exists():
        environment["REQUESTS_CA_BUNDLE"] = str(folder / "input" / "cacerts")
    run = Run("process", folder)
    stop = _Stop(patience, timeout, stop_when, grace)
    _start(run, [str(command), str(folder)], command.parent.parent, environment, stop)
    _read_output(run, folder, "log becomes the message")
    return run


@contextlib.contextmanager
def mounted(folder: Path | None) -> Iterator[None]:
    """``/job`` as the job folder (``None``: no ``/job``), for as long as the block runs; ``OSError`` where that fails.

    A link stands in for the mount; a lock keeps parallel tests from taking it from each other.
    """
    with open(Path(tempfile.gettempdir()) / f"cortex-grow-contract-{os.geteuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _left():
            MOUNT.unlink()  # left behind by a killed test
        if folder is None:
            yield
            return
        MOUNT.symlink_to(folder)
        try:
            yield
        finally:
            MOUNT.unlink()


def can_mount() -> bool:
    """Whether this user may stand ``/job`` up: root, and no other ``/job`` there."""
    return os.geteuid() == 0 and (_left() or not os.path.lexists(MOUNT))


def _left() -> bool:
    with contextlib.suppress(OSError):  # not a link, or gone meanwhile
        return MOUNT.readlink().name.startswith(PREFIX)
    return False


needs_mount = pytest.mark.skipif(
    not can_mount(), reason="a container's /job needs root and no other /job on the machine"
)


def run_docker(
    argv: Sequence[str], folder: Path, *, env: Mapping[str, str] | None = None, patience: float = 30.0
) -> Run:
    """Run an image's entry point as the Docker runner does: no argument, the folder at /job (contract 3)."""
    environment = dict(os.environ if env is None else env)
    if (folder / "input" / "cacerts").exists():
        environment["REQUESTS_CA_BUNDLE"] = str(MOUNT / "input" / "cacerts")
    else:
        environment["JAVA_TOOL_OPTIONS"] = "-Dfile.encoding=UTF8"
    run = Run("docker", folder)
    with mounted(folder):
        _start(run, list(argv), Path("/"), environment, _Stop(patience))
    _read_output(run, folder, "log becomes the message")
    return run


def run_kubernetes(
    argv: Sequence[str], folder: Path, *, env: Mapping[str, str] | None = None, patience: float = 30.0
) -> Run:
    """Run an image's entry point as the Kubernetes runner does: argument /job, read-only input (contract 3)."""
    environment = dict(os.environ if env is None else env)
    environment["CORTEX_JOB_FOLDER"] = folder.name
    if (folder / "input" / "cacerts").exists():
        environment["REQUESTS_CA_BUNDLE"] = str(MOUNT / "input" / "cacerts")
    entrance = folder / "input"
    run = Run("kubernetes", folder)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (*entrance.iterdir(), entrance)}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    try:
        with mounted(folder):
            _start(run, [*argv, str(MOUNT)], Path("/"), environment, _Stop(patience))
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    _read_output(run, folder, None)
    return run


def run_stdin(argv: Sequence[str], job: Job, *, env: Mapping[str, str] | None = None, patience: float = 30.0) -> Run:
    """Run with the job as JSON on standard input and the result on stdout (contract 2.7, cortexutils' older way)."""
    run = Run("stdin", None)
    environment = dict(os.environ if env is None else env)
    body = json.dumps(job.input(), ensure_ascii=False).encode()
    with mounted(None):  # a worker looks there first
        stdout = _start(run, list(argv), Path(argv[0]).parent.parent, environment, _Stop(patience), body)
    run.output = stdout or None
    return run


@dataclass(frozen=True, slots=True)
class _Stop:
    """When to end a process, in seconds since its start; see :func:`run_process`."""

    patience: float
    timeout: float | None = None
    when: Callable[[], bool] | None = None
    grace: float = STOP_GRACE


def _start(
    run: Run,
    argv: list[str],
    cwd: Path,
    env: Mapping[str, str],
    stop: _Stop,
    body: bytes = b"",
) -> bytes:
    before = _snapshot(run.folder)
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that what the worker leaves behind can be ended, and nothing else
        )
    except OSError as error:
        run.start_error = f'Cannot run program "{argv[0]}": {error.strerror}'
        return b""
    lines: list[str] = []
    stdout: list[bytes] = []
    readers = [
        threading.Thread(target=_collect, args=(process.stdout, lines, stdout), daemon=True),
        threading.Thread(target=_collect, args=(process.stderr, lines, None), daemon=True),
    ]
    for reader in readers:
        reader.start()
    with contextlib.suppress(BrokenPipeError):
        assert process.stdin is not None
        process.stdin.write(body)
        process.stdin.close()
    _wait(run, process, stop)
    until = time.monotonic() + SETTLE
    for reader in readers:
        reader.join(max(0.0, until - time.monotonic()))
    run.held_output = not run.never_ended and not run.ignored_sigterm and any(reader.is_alive() for reader in readers)
    if any(reader.is_alive() for reader in readers):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for reader in readers:
        reader.join()
    run.seconds = time.monotonic() - started
    run.exit_code = process.wait()
    run.printed = "".join(lines)
    after = _snapshot(run.folder)
    run.input_changed = tuple(
        sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    )
    return b"".join(stdout)


def _wait(run: Run, process: subprocess.Popen[bytes], stop: _Stop) -> None:
    started = time.monotonic()
    while True:
        try:
            process.wait(0.02 if stop.when is not None else min(stop.patience, stop.timeout or stop.patience))
            return
        except subprocess.TimeoutExpired:
            spent = time.monotonic() - started
        if (stop.timeout is not None and spent >= stop.timeout) or (stop.when is not None and stop.when()):
            run.timed_out = True
            process.terminate()  # to this process alone
            try:
                process.wait(stop.grace)
            except subprocess.TimeoutExpired:
                run.ignored_sigterm = True
                process.kill()
            return
        if spent >= stop.patience:
            run.never_ended = True
            process.kill()
            return


def _collect(stream: IO[bytes], lines: list[str], whole: list[bytes] | None) -> None:
    for line in stream:
        if whole is not None:
            whole.append(line)
        lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))


def _snapshot(folder: Path | None) -> dict[str, str]:
    """Names, modes and digests of the input folder."""
    if folder is None:
        return {}
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted((folder / "input").rglob("*"))
        if path.is_file()
    }


def _read_output(run: Run, folder: Path, without: str | None) -> None:
    """Read output.json; where it is absent or empty, write what Cortex writes, or (Kubernetes) leave it so."""
    path = folder / "output" / "output.json"
    if run.start_error is not None:
        return
    if path.exists() and path.stat().st_size > 0:
        run.output = path.read_bytes() if path.is_file() else b""
    elif without is not None:
        run.output = json.dumps({"success": False, "errorMessage": run.printed}).encode()
        run.written_by_cortex = True
