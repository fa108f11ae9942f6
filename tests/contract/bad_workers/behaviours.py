"""Workers that break a rule by what they do, whatever they write."""

from __future__ import annotations

import json

from ..judge import Outcome
from . import SECRET, Planted, output

GOOD = json.dumps(output()).encode()
COPY = 'cp "$0.json" "$1/output/output.json"\n'
FAILURE, STUCK, FAILS = Outcome.FAILURE, Outcome.STUCK_FOREVER, Outcome.JOB_FAILS

BEHAVIOURS: list[Planted] = [
    Planted("cannot-start", "run-bit", FAILS, GOOD, "#!/bin/sh\n" + COPY, mode=0o644),
    Planted("cannot-start", "no-shebang", FAILS, GOOD, COPY),
    Planted("cannot-start", "no-interpreter", FAILS, GOOD, "#!/nowhere/python3\n" + COPY),
    Planted("no-output", "exit", FAILURE, None, "#!/bin/sh\necho it did not work\nexit 3\n"),
    Planted("no-output", "empty", FAILURE, None, '#!/bin/sh\n: > "$1/output/output.json"\n'),
    Planted("no-output", "killed", FAILURE, None, "#!/bin/sh\nexec sleep 20\n", timeout=0.2),
    Planted("never-ends", "", STUCK, GOOD, "#!/bin/sh\n" + COPY + "exec sleep 20\n"),
    Planted("ignores-sigterm", "", STUCK, GOOD, "#!/bin/sh\ntrap '' TERM\n" + COPY + "sleep 20\n", timeout=0.3),
    Planted("holds-output", "", STUCK, GOOD, "#!/bin/sh\n" + COPY + "sleep 20 &\n"),
    Planted("input-written", "added", Outcome.SUCCESS, GOOD, '#!/bin/sh\necho x > "$1/input/cache"\n' + COPY),
    Planted("input-written", "mode", Outcome.SUCCESS, GOOD, '#!/bin/sh\nchmod 600 "$1/input/input.json"\n' + COPY),
    Planted("secret-printed", "stderr", Outcome.SUCCESS, GOOD, f"#!/bin/sh\necho 'key={SECRET}' >&2\n" + COPY),
    Planted(
        "secret",
        "left-behind",
        Outcome.SUCCESS,
        GOOD,
        f"#!/bin/sh\nprintf %s '{SECRET}' > \"$1/output/debug.log\"\n" + COPY,
    ),
]
