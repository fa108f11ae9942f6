"""The commands: what they take and what they do. What they work with is imported when one of them runs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from cortex_grow import __version__

if TYPE_CHECKING:
    from cortex_grow.cli.terminal import Terminal

Command = TypeVar("Command", bound=Callable[..., int])

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Grow indicators of compromise into related ones of higher value.",
)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file (see cortex-grow config --path).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Tlp = Annotated[str, typer.Option(help="TLP of the indicators: clear, green, amber, amber+strict, red.")]
Pap = Annotated[str, typer.Option(help="PAP of the indicators: clear, green, amber, red.")]
_given: dict[str, Path | None] = {"config": None}


def run() -> NoReturn:
    """Run the program. Threads that still wait for a service must not keep a program that has its result."""
    code: Any = 0
    try:
        app()
    except SystemExit as end:
        code = end.code
    if not isinstance(code, int):
        code = 0 if code is None else 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # whoever read it has gone
        code = code or 1
        os._exit(code)
    if any(thread.name.startswith("grow") for thread in threading.enumerate()):
        os._exit(code)
    sys.exit(code)


def command(name: str) -> Callable[[Command], Command]:
    """A command whose function returns its exit code; what goes wrong is told in one sentence."""

    def register(function: Command) -> Command:
        @wraps(function)
        def told(*args: Any, **kwargs: Any) -> None:
            try:
                code = function(*args, **kwargs)
            except (typer.Exit, typer.Abort, BrokenPipeError):
                raise
            except KeyboardInterrupt:
                code = 130
            except Exception as error:
                code = _tell(error)
            raise typer.Exit(code)

        app.command(name)(told)
        return function

    return register


def _tell(error: Exception) -> int:
    """Say what went wrong; the exit code: 2 for what was asked wrongly, else 1."""
    from cortex_grow.cli.config import ConfigError
    from cortex_grow.cli.inputs import InputError
    from cortex_grow.cli.install import InstallError
    from cortex_grow.cli.terminal import Terminal
    from cortex_grow.cli.work import UsageError
    from cortex_grow.growth.journal import JournalError
    from cortex_grow.hygiene.errors import HygieneError
    from cortex_grow.lab.samples import TableError
    from cortex_grow.model.indicator import InvalidIndicator
    from cortex_grow.net.errors import SourceError
    from cortex_grow.pack import PackNotFoundError
    from cortex_grow.source.declaration import DeclarationError
    from cortex_grow.source.registry import UnknownWorkerError
    from cortex_grow.source.settings import SettingError

    terminal = _spoken.get("terminal") or Terminal()
    usage = (ConfigError, InputError, UsageError, InvalidIndicator, UnknownWorkerError, SettingError)
    known = (InstallError, JournalError, HygieneError, TableError, SourceError, PackNotFoundError, DeclarationError)
    if isinstance(error, (*usage, *known)):
        terminal.error(str(error.args[0]) if isinstance(error, UnknownWorkerError) else str(error))
    elif isinstance(error, OSError):
        terminal.error(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    else:
        if os.environ.get("CORTEX_GROW_DEBUG"):
            import traceback

            terminal.err.print(terminal.redact(traceback.format_exc()))
        terminal.error(f"failed: {type(error).__name__}: {error} (CORTEX_GROW_DEBUG=1 shows where)")
    return 2 if isinstance(error, usage) else 1


_spoken: dict[str, Terminal] = {}


def _terminal(quiet: bool = False) -> Terminal:
    from cortex_grow.cli.terminal import Terminal, log_to

    terminal = _spoken["terminal"] = Terminal(quiet)
    log_to(terminal, bool(os.environ.get("CORTEX_GROW_DEBUG")))
    return terminal


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit()


@app.callback()
def _main(
    config: ConfigFile = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    _given["config"] = config


@command("run")
def _run(
    name: Annotated[
        str, typer.Argument(help="A source (see cortex-grow sources); the beginning of its name is enough.")
    ],
    value: Annotated[str | None, typer.Argument(help="An indicator, defanged or not.", show_default=False)] = None,
    file: Annotated[Path | None, typer.Option(help="A file, hashed here and asked about by its hash.")] = None,
    type: Annotated[
        str | None, typer.Option("--type", "-t", help="The indicator's type, where it cannot be told.")
    ] = None,
    tlp: Tlp = "amber",
    pap: Pap = "amber",
    json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Ask one source about one indicator."""
    from cortex_grow.cli.single import ask

    return ask(_terminal(), config or _given["config"], name, value, file, type, tlp, pap, json)


@command("grow")
def _grow(
    values: Annotated[list[str] | None, typer.Argument(help="Indicators, defanged or not.", show_default=False)] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file", "-f", help="A text or CSV with indicators, of any shape; - is standard input. Repeatable."
        ),
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, max=10, help="Hops from a seed: 1 asks about the seeds. [1]")
    ] = None,
    max_indicators: Annotated[
        int | None, typer.Option(min=1, help="Indicators that are asked about at most. [500, or all that are given]")
    ] = None,
    calls: Annotated[
        list[str] | None, typer.Option(help="Calls at most: of every source (100), or of one (VirusTotal_Pivot=100).")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Seconds that the run may take. [3600]")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, max=128, help="Questions at once. [8]")] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="Ask this source only. Repeatable.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this source out. Repeatable.")] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Allow this source to touch the target's own machines. Repeatable.")
    ] = None,
    tlp: Annotated[str | None, typer.Option(help="TLP of the indicators. [amber]")] = None,
    pap: Annotated[str | None, typer.Option(help="PAP of the indicators. [amber]")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would cost; ask nothing.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the results. [runs/<UTC time>-<first seed>]")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    json: AsJson = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no tree, only where the report lies.")
    ] = False,
    config: ConfigFile = None,
) -> int:
    """Grow indicators: ask every source that has what it needs, best first, within a budget."""
    from cortex_grow.cli.bulk import grow

    wished = {
        "depth": depth,
        "indicators": max_indicators,
        "calls": calls,
        "seconds": seconds,
        "concurrency": concurrency,
        "only": source,
        "exclude": exclude,
        "include": include,
        "tlp": tlp,
        "pap": pap,
    }
    wished = {name: value for name, value in wished.items() if value not in (None, [])}
    return grow(
        _terminal(quiet), config or _given["config"], values or [], files or [], wished, plan, out, resume, json
    )


@command("sources")
def _sources(json: AsJson = False, config: ConfigFile = None) -> int:
    """List the sources: what they take, disclose and cost, and whether their key is there."""
    from cortex_grow.cli.lists import sources

    return sources(_terminal(), config or _given["config"], json)


@command("hygiene")
def _hygiene(
    values: Annotated[list[str], typer.Argument(help="Indicators, defanged or not.")],
    config: ConfigFile = None,
) -> int:
    """Say whether an indicator is noise, by which list, and what the pack makes of it."""
    from cortex_grow.cli.lists import hygiene

    return hygiene(_terminal(), config or _given["config"], values)


@command("config")
def _config(
    path: Annotated[
        bool, typer.Option("--path", help="Only say which file is read, and where one is looked for.")
    ] = False,
    json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Show the configuration: each value and where it comes from, secrets masked."""
    from cortex_grow.cli.lists import configuration

    return configuration(_terminal(), config or _given["config"], path, json)


@command("demo")
def _demo(
    out: Annotated[Path | None, typer.Option(help="Folder of the results. [runs/demo-<UTC time>-<first seed>]")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only say where the report lies.")] = False,
) -> int:
    """Grow the example indicators on made-up answers: no key and no network needed."""
    from cortex_grow.cli.laboratory import demo

    return demo(_terminal(quiet), out)


@command("lab")
def _lab(
    replay: Annotated[Path | None, typer.Option(help="Folder of recorded answers. [the demo's own]")] = None,
    misbehave: Annotated[
        str | None, typer.Option(help="Make every service misbehave: latency, 429, 500, html …")
    ] = None,
    port: Annotated[
        list[str] | None, typer.Option(help="First of the ports to use (8000), or the port of one service (dns=5353).")
    ] = None,
) -> int:
    """Serve stand-ins for the outside services on loopback, and print the configuration that asks them."""
    from cortex_grow.cli.laboratory import lab

    return lab(_terminal(), replay, misbehave, port or [])


@command("install")
def _install(
    folder: Annotated[Path, typer.Argument(help="Folder that Cortex will read; made where it is absent.")],
    python: Annotated[str, typer.Option(help="Interpreter that runs the workers.")] = sys.executable,
) -> int:
    """Lay out analyzers, responders and report templates for Cortex's process runner."""
    from cortex_grow.cli.folders import lay_out

    return lay_out(_terminal(), folder, python)


@command("uninstall")
def _uninstall(folder: Annotated[Path, typer.Argument(help="A folder that install laid out.")]) -> int:
    """Take away what install laid out; files that someone edited stay."""
    from cortex_grow.cli.folders import take_away

    return take_away(_terminal(), folder)


@command("templates")
def _templates(out: Annotated[Path, typer.Argument(help="The ZIP file to write.")]) -> int:
    """Write the report templates as the ZIP file that TheHive imports."""
    from cortex_grow.cli.folders import zipped

    return zipped(_terminal(), out)


@command("version")
def _version() -> int:
    """Print the version."""
    print(__version__)
    return 0
