"""``cortex-grow grow``: from what was typed to a run, its plan, or its going on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cortex_grow.cli.grow import Run, Wishes, new_folder, prepare, resumed, tell_inputs, tell_result
from cortex_grow.cli.inputs import STDIN, Inputs, read
from cortex_grow.cli.plan import plan, show
from cortex_grow.cli.terminal import Terminal
from cortex_grow.cli.work import UsageError, configured, number_of_calls
from cortex_grow.cli.work import pap as pap_of
from cortex_grow.cli.work import tlp as tlp_of
from cortex_grow.growth.sources import sources


def grow(
    terminal: Terminal,
    config_file: Path | None,
    values: list[str],
    files: list[str],
    wished: dict[str, Any],
    plan_only: bool,
    out: Path | None,
    resume: Path | None,
    as_json: bool,
) -> int:
    """Grow, or with ``plan_only`` say what that would cost. ``wished`` holds the options that were given."""
    if resume is not None and (values or files or out):
        raise UsageError("--resume takes up the run's own indicators: give no others, and no --out")
    if files.count(STDIN) > 1:
        raise UsageError("standard input can be read once: give -f - once")
    for name, reader in (("tlp", tlp_of), ("pap", pap_of)):
        if name in wished:
            wished[name] = reader(wished[name])
    if "calls" in wished:
        wished["calls"] = number_of_calls(wished["calls"], sources())
    config = configured(config_file, terminal)
    skipped = ""
    inputs = Inputs()
    if resume is not None:
        seeds, earlier, skipped = resumed(resume)
        known = {name: value for name, value in earlier.items() if name in Wishes.__dataclass_fields__}
        wishes = replace(Wishes(**known), **wished)
    else:
        inputs = read(values, files)
        seeds, wishes = inputs.seeds, Wishes(**wished)
        skipped = inputs.listed() if inputs.skipped_count else ""
    if not seeds:
        tell_inputs(inputs, terminal, None)
        what = (
            "no indicator was recognised" if values or files else "give indicators, or -f with a file that lists them"
        )
        raise UsageError(what)
    if plan_only:
        tell_inputs(inputs, terminal, None)
        prepared = prepare(config, terminal, wishes, len(seeds))
        planned = plan(seeds, prepared.ready, prepared.skipped, prepared.budget, prepared.job)
        if as_json:
            terminal.json(planned.to_dict())
        else:
            show(planned, terminal)
        return 0
    folder = resume or new_folder(out, seeds[0])
    tell_inputs(inputs, terminal, folder)
    run = Run(config, terminal, wishes, folder)
    report = run.grow(seeds, skipped)
    tell_result(run, report, terminal, as_json)
    return run.code
