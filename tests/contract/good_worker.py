#!/usr/bin/env python3
"""A worker that keeps every rule, with the standard library alone: the proof that runner and judge let a good one pass.

It asks ``config.url`` for the seed and reads ``{"related": [addresses]}``; without a URL it answers by itself. Where
it stands beside a file ``unruly``, it breaks the habit that the file names, which the scenarios must notice.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

ERRORS = {401: "check the item key", 403: "check the item key", 429: "quota spent, try again later"}


class Stopped(BaseException):
    """SIGTERM."""


class Failed(Exception):
    """The sentence for errorMessage."""


def main() -> None:
    signal.signal(signal.SIGTERM, _stop)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("/job")
    from_file = len(sys.argv) > 1 or folder.is_dir()
    habit = Path(__file__).with_name("unruly")
    unruly = habit.read_text().strip() if habit.exists() else ""
    try:
        body = (folder / "input" / "input.json").read_bytes() if from_file else sys.stdin.buffer.read()
        result = run(json.loads(body), unruly)
    except Failed as error:
        result = {"success": False, "errorMessage": f"Planted: {error}"}
    except (OSError, ValueError, RecursionError) as error:
        result = {"success": False, "errorMessage": f"Planted: cannot read the job ({error})"}
    except Stopped:
        result = {"success": False, "errorMessage": "Planted: stopped by SIGTERM before the answer came"}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    text = json.dumps(result, allow_nan=False)
    if not from_file:
        sys.stdout.write(text)
        return
    beside = folder / "output" / ".output.json"
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, folder / "output" / "output.json")


def _stop(*_: Any) -> NoReturn:
    raise Stopped


def run(job: Any, unruly: str) -> dict[str, Any]:
    if not isinstance(job, dict) or not isinstance(job.get("config"), dict):
        raise Failed("the job is not an object with a config")
    config, seed = job["config"], job.get("data")
    if job.get("dataType") not in ("domain", "ip") or not isinstance(seed, str) or not seed:
        raise Failed("the job has no dataType domain or ip with data")
    if not seed.isprintable():
        raise Failed("the data holds what no domain or address does")
    for name in ("tlp", "pap"):
        level, check, limit = job.get(name), config.get(f"check_{name}"), config.get(f"max_{name}")
        if not isinstance(level, int):
            raise Failed(f"{name.upper()} is not a number")
        if (check is True or (check is None and unruly != "fails-open")) and level > (2 if limit is None else limit):
            raise Failed(f"{name.upper()} {level} of the job is higher than allowed")
    related = ask(config, seed, unruly) if config.get("url") else ["192.0.2.7"]
    level = "suspicious" if related else "safe" if unruly == "unknown-is-safe" else "info"
    artifacts = [
        {
            "dataType": "ip",
            "data": address,
            "tlp": job["tlp"],
            "tags": ["relation:resolves-to", "pyramid:ip", "source:planted"],
            "message": f"{seed} resolves to {address}",
        }
        for address in related
    ]
    return {
        "success": True,
        "summary": {
            "taxonomies": [{"level": level, "namespace": "Planted", "predicate": "Related", "value": len(related)}]
        },
        "artifacts": artifacts,
        "operations": [],
        "full": {"verdict": {"level": level, "score": 0}, "nodes": [{"id": f"ip:{address}"} for address in related]},
    }


def ask(config: dict[str, Any], seed: str, unruly: str) -> list[str]:
    url = f"{config['url']}/{urllib.parse.quote(seed, safe='')}"
    host = urllib.parse.urlsplit(url).netloc
    request = urllib.request.Request(url, headers={"Key": config.get("key") or ""})
    try:
        with urllib.request.urlopen(request, timeout=config.get("deadline") or 60) as reply:
            answer = json.loads(reply.read(1_000_000))
            return list(answer["related"])
    except urllib.error.HTTPError as error:
        if error.code == 404 or unruly == "hides-errors":
            return []
        key = f" {config.get('key')}" if unruly == "tells-the-key" else ""
        raise Failed(
            f"{host} refused the question{key} ({error.code}): {ERRORS.get(error.code, 'try later')}"
        ) from None
    except OSError as error:
        raise Failed(f"{host} did not answer in time ({error}): check the network, try again later") from None
    except (ValueError, LookupError, TypeError):
        raise Failed(f"{host} sent something that is not an answer in JSON: check the item url") from None


if __name__ == "__main__":
    main()
