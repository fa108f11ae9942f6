"""``cortex-grow demo`` and ``lab``: the stand-ins of the outside services."""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path
from typing import Any

from cortex_grow import pack
from cortex_grow.cli.config import Config, Value
from cortex_grow.cli.grow import Run, Wishes, new_folder, tell_inputs, tell_result
from cortex_grow.cli.inputs import read
from cortex_grow.cli.progress import Stop
from cortex_grow.cli.terminal import Terminal
from cortex_grow.cli.work import UsageError
from cortex_grow.growth.sources import sources
from cortex_grow.lab import Lab
from cortex_grow.lab.lab import DEMO, SERVICES
from cortex_grow.lab.samples import TableError

IOCS = "iocs.txt"
NOISE = "noise.txt"
DEPTH = 2
# The lab's keys have no quota: a demo that keeps to the real ones would take minutes.
_UNBOUND = {"quota_minute": 0, "quota_day": 0, "quota_month": 0}
GREEN = 1


def demo(terminal: Terminal, out: Path | None) -> int:
    """Grow the examples against the lab. Neither configuration nor environment nor state of the user is used."""
    inputs = read([], [str(pack.examples() / IOCS)])
    folder = new_folder(out, inputs.seeds[0], "demo-")
    with tempfile.TemporaryDirectory(prefix="cortex-grow-demo-") as state, Lab.demo() as lab:
        common = {"state_dir": state, "allow_list": [str(DEMO / NOISE)], **_UNBOUND}
        config = Config(
            common={name: Value(value, "demo") for name, value in common.items()},
            sources={
                declaration.name: {
                    name: Value(value, "demo") for name, value in lab.config_for(declaration.name).items()
                }
                for declaration in sources()
                if declaration.name in lab.definitions()
            },
        )
        tell_inputs(inputs, terminal, folder)
        # The name servers are the lab's own, so nobody's machines are touched.
        active = [name for name in config.sources if name in _active()]
        run = Run(config, terminal, Wishes(depth=DEPTH, seconds=300, include=active, pap=GREEN), folder)
        report = run.grow(inputs.seeds, inputs.listed() if inputs.skipped_count else "")
        tell_result(run, report, terminal, False)
    return run.code


def _active() -> set[str]:
    return {declaration.name for declaration in sources() if "active" in declaration.exposures()}


def lab(terminal: Terminal, replay: Path | None, misbehave: str | None, ports: list[str]) -> int:
    """Serve until a signal comes; the configuration goes to standard output."""
    if replay is not None and not replay.is_dir():
        raise UsageError(f"{replay} is not a folder")
    how: dict[str, Any] = {"misbehave": misbehave, "ports": _ports(ports, [kind.name for kind in SERVICES])}
    try:
        served = Lab.replay(replay, **how) if replay else Lab.demo(**how)
    except TableError:
        raise
    except ValueError as error:  # a misbehaviour that there is not
        raise UsageError(str(error)) from None
    stop = Stop()
    with stop.listening(), served:
        terminal.out.file.write(toml(served))
        terminal.out.file.flush()
        where = ", ".join(f"{name} on {served.where(name)}" for name in served.services)
        terminal.tell(f"serving {served.folder}: {where}; Ctrl-C ends it")
        waiting = threading.Event()
        while not stop.number:
            waiting.wait(0.2)
        asked = ", ".join(f"{name} {count}" for name, count in served.counts().items() if count)
        terminal.tell(f"asked: {asked or 'nothing'}")
    return 0


def toml(served: Lab) -> str:
    """The configuration that makes every source of the pack ask this lab. Its keys are the lab's own."""
    lines = ["# Asks the lab instead of the services: cortex-grow grow --config FILE …"]
    for name in served.definitions():
        lines += ["", f"[sources.{name}]"]
        # A JSON text, number, boolean or list of them is TOML as well.
        lines += [f"{item} = {json.dumps(value)}" for item, value in served.config_for(name).items()]
    return "\n".join(lines) + "\n"


def _ports(texts: list[str], services: list[str]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for text in texts:
        service, equals, number = text.rpartition("=")
        if not (number.isascii() and number.isdecimal()) or not 0 < int(number[:6]) < 65536:
            raise UsageError(f"--port is a port or service=port, not {text[:40]!r}")
        if equals and service not in services:
            raise UsageError(f"--port {text[:40]}: the services are {', '.join(services)}")
        if equals:
            ports[service] = int(number)
        else:
            ports.update({name: int(number) + place for place, name in enumerate(services) if name not in ports})
    return ports
