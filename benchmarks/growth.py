"""Lookups a second of the engine on its local runner, beside a bare ``requests`` loop over the same answers.

Both ask the lab the same question about each of 1,000 domains; the engine reads, judges, merges and journals on top.
The aim is half the rate of the bare loop or better.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from cortex_grow.growth.budget import Budget
from cortex_grow.growth.engine import Engine
from cortex_grow.growth.journal import Journal
from cortex_grow.growth.local import LocalRunner
from cortex_grow.growth.sources import chosen
from cortex_grow.lab import Lab
from cortex_grow.model.indicator import Indicator
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.settings import Settings

SEEDS = 1000
SOURCE = "Crtsh_Certificates"
ROUNDS = 3


def bare(lab: Lab, seeds: list[Indicator]) -> float:
    """Lookups a second of a plain loop over one ``requests`` session."""
    import requests

    session = requests.Session()
    session.trust_env = False
    base = lab.config_for(SOURCE)["url"]
    began = time.perf_counter()
    for seed in seeds:
        query = urlencode({"q": seed.value, "output": "json"})
        session.get(f"{base}/?{query}", timeout=10).json()
    return len(seeds) / (time.perf_counter() - began)


def engine(lab: Lab, seeds: list[Indicator], folder: Path) -> float:
    """Lookups a second of the engine, journal and cache included."""
    config = {
        **lab.config_for(SOURCE),
        "max_downloads": 0,
        "quota_minute": 0,
        "quota_day": 0,
        "state_dir": str(folder / "state"),
    }
    ready, _ = chosen(lambda declaration: config, only=[SOURCE])
    job = open_job(Settings(config), 600)
    began = time.perf_counter()
    running = Engine(
        {name: entry.declaration for name, entry in ready.items()},
        LocalRunner(ready, job, 8),
        Budget(depth=1, indicators=SEEDS, seconds=600),
        journal=Journal(folder / "run"),
    )
    report = running.run(seeds)
    seconds = time.perf_counter() - began
    answered = sum(1 for entry in report.provenance if entry.status != "failed")
    if answered != len(seeds):
        raise SystemExit(f"{answered} of {len(seeds)} were answered: {report.partial[:3]}")
    return len(seeds) / seconds


def main() -> None:
    """Print the rates and their ratio."""
    with Lab.demo(bulk=SEEDS) as lab:
        seeds = [Indicator.parse("host", name) for name in lab.bulk]
        for round_ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                one, other = bare(lab, seeds), engine(lab, seeds, Path(folder))
            print(
                f"round {round_ + 1}: bare loop {one:6.0f}/s, engine {other:6.0f}/s, ratio {other / one:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
