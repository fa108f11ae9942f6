"""From process start to output.json, for each worker against the lab, beside the bare imports of its libraries.

The yardstick of a worker is the import of cortexutils and of the library that it asks with; the aim is 1.3 times that.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cortex_grow import pack
from cortex_grow.lab import Lab
from cortex_grow.source import registry
from cortex_grow.source.declaration import Declaration

ROUNDS = 15
YARDSTICKS = {
    "VirusTotal_Pivot": "import cortexutils.analyzer, vt",
    "DNS_Resolve": "import cortexutils.analyzer, dns.resolver",
    "Grow": "import cortexutils.analyzer, requests, vt, dns.resolver",
}
USUAL = "import cortexutils.analyzer, requests"


def job(folder: Path, lab: Lab, declaration: Declaration) -> Path:
    """A job folder for this worker about something that the lab knows."""
    served = declaration.name if declaration.grow.get("yields") else "VirusTotal_Pivot"  # Grow asks them all
    type_ = next(name for name in registry.named(served).data_types if name != "file")
    config = {**lab.config_for(declaration.name), "state_dir": str(folder / "state"), "cache": False, "max_pap": 2}
    config |= {"quota_minute": 0, "quota_day": 0, "quota_month": 0, "max_tlp": 2}
    place = folder / declaration.name
    (place / "input").mkdir(parents=True)
    (place / "output").mkdir()
    seed = lab.seeds_for(served, type_)
    text = json.dumps({"dataType": type_, "data": seed, "tlp": 1, "pap": 1, "config": config})
    (place / "input" / "input.json").write_text(text, encoding="utf-8")
    return place


def timed(command: list[str], cwd: Path) -> float:
    """Seconds that one process takes."""
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr.decode())
    return time.perf_counter() - began


def main() -> None:
    """Print one line a worker."""
    print(f"{'worker':28} {'job ms':>8} {'imports ms':>11} {'ratio':>6}   (median of {ROUNDS} pairs)")
    with Lab.demo() as lab, tempfile.TemporaryDirectory() as folder:
        for declaration in registry.analyzers():
            place = job(Path(folder), lab, declaration)
            worker = [sys.executable, str(declaration.worker_file), str(place)]
            yardstick = [sys.executable, "-c", YARDSTICKS.get(declaration.name, USUAL)]
            pairs = []
            for _ in range(ROUNDS):
                pairs.append((timed(worker, pack.analyzers()), timed(yardstick, pack.analyzers())))
            output = json.loads((place / "output" / "output.json").read_text(encoding="utf-8"))
            if not output["success"]:
                print(f"{declaration.name:28} failed: {output['errorMessage']}")
                continue
            job_ms, imports_ms = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
            ratio = statistics.median(mine / bare for mine, bare in pairs)
            print(f"{declaration.name:28} {job_ms:8.0f} {imports_ms:11.0f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main()
