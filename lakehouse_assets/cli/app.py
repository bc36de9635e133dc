"""The command as a whole: its verbs, and how a call ends."""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from lakehouse_assets import __version__
from lakehouse_assets.cli import (
    archive,
    changes,
    checkpoints,
    collections,
    crawl,
    datasets,
    differences,
    explain,
    exports,
    health,
    imports,
    jobs,
    maintenance,
    mappings,
    output,
    reads,
    server,
    state,
    versions,
)
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.codes import DONE, FAILED, INTERRUPTED
from lakehouse_assets.cli.verb import with_shared_options
from lakehouse_assets.errors import LakehouseError

_VERBS = (
    datasets,
    imports,
    crawl,
    mappings,
    reads,
    explain,
    versions,
    differences,
    changes,
    archive,
    exports,
    maintenance,
    health,
    state,
    jobs,
    checkpoints,
    collections,
    server,
)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command; returns the exit code: 0 done, 1 failed, 2 wrong usage, 3 done with errors counted.

    Example:
        >>> main(["--uri", "lake", "dataset", "ls"])
        0
    """
    call = Call()
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _command(args, call)
        output.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except output.OutputClosed:
        output.discard()
        return DONE
    except typer.TyperException as exc:
        return _wrong_usage(exc)
    except Exception as exc:
        return _failed(exc, call)
    if code == INTERRUPTED:
        output.say("interrupted")
    return code


def _command(args: list[str], call: Call) -> int:
    command = typer.main.get_command(app())
    code = command.main(args, prog_name="lakehouse", standalone_mode=False, obj=call)
    return code if isinstance(code, int) else DONE


def app() -> typer.Typer:
    """The command with all its verbs."""
    made = typer.Typer(
        help="A FollowTheMoney data lakehouse: datasets of statements, and what is published of them.",
        epilog="Example: lakehouse import -d eu_list people.ftm.json",
        no_args_is_help=True,
    )
    made.callback()(with_shared_options(_global_options))
    for module in _VERBS:
        made.add_typer(module.verbs)
    return made


def _print_version(wanted: bool) -> None:
    if wanted:
        output.line(f"lakehouse {__version__}")
        raise typer.Exit


def _global_options(
    call: Call,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """What may stand before any verb; `--version` answers by itself."""


def _wrong_usage(exc: typer.TyperException) -> int:
    context = getattr(exc, "ctx", None)
    message = exc.format_message()
    # without arguments the help has been printed already
    if message:
        output.say(f"error: {output.visible(message)}")
    if message and context is not None:
        output.say(f"{context.get_usage().strip()}; `{context.command_path} --help` tells more")
    return exc.exit_code


def _failed(exc: Exception, call: Call) -> int:
    text = str(exc) or type(exc).__name__
    if not isinstance(exc, LakehouseError | OSError):
        text = f"{type(exc).__name__}: {text} (this should not happen; -vv shows where)"
    if call.verbosity > 1:
        traceback.print_exception(exc)
    output.say(f"error: {output.visible(text)}")
    return FAILED
