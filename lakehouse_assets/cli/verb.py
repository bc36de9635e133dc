"""Declaring verbs: a function that takes a `Call`, and the options that all verbs share."""

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import typer

from lakehouse_assets.cli import logs
from lakehouse_assets.cli.call import Call

P = ParamSpec("P")
Verb = Callable[Concatenate[Call, P], int | None]
"""Does the work of a verb; gives the exit code, None for 0."""

_SHARED = list(inspect.signature(Call.take).parameters.values())[1:]
SHARED_OPTIONS = frozenset(option.name for option in _SHARED)
"""The names of the options that every verb takes."""

_CONTEXT = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)


def verb(group: typer.Typer, name: str, *, example: str) -> Callable[[Verb[P]], Verb[P]]:
    """
    Register a function as a verb of a group; its docstring is the help.

    Example:
        >>> verbs = typer.Typer()
        >>> @verb(verbs, "status", example="lakehouse status -d eu_list")
        ... def status(call: Call) -> None:
        ...     '''Tell what is fresh.'''
    """

    def register(function: Verb[P]) -> Verb[P]:
        group.command(name, epilog=f"Example: {example}")(with_shared_options(function))
        return function

    return register


def verb_group(parent: typer.Typer, name: str, *, about: str, example: str) -> typer.Typer:
    """Add a group of sub-verbs, which takes the shared options, too: `lakehouse dataset --json ls`."""
    group = typer.Typer(no_args_is_help=True, epilog=f"Example: {example}")
    group.callback(help=about)(with_shared_options(_nothing))
    parent.add_typer(group, name=name)
    return group


def _nothing(call: Call) -> None:
    """Only sub-verbs do something; the group takes the shared options."""


def with_shared_options(function: Verb[P]) -> Callable[..., int | None]:
    """The function as typer calls it: with a context in place of the `Call`, and the shared options."""

    @functools.wraps(function)
    def run(ctx: typer.Context, **values: object) -> int | None:
        call = ctx.ensure_object(Call)
        call.take(**{option.name: values.pop(option.name) for option in _SHARED})  # type: ignore[arg-type]
        logs.configure(quiet=call.quiet, verbosity=call.verbosity)
        return function(call, **values)  # type: ignore[arg-type, call-arg]

    own = [
        option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for option in list(inspect.signature(function).parameters.values())[1:]
    ]
    shared = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in _SHARED]
    # typer reads which options there are from the signature
    run.__signature__ = inspect.Signature([_CONTEXT, *own, *shared])  # type: ignore[attr-defined]
    return run
