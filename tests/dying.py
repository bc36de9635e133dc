"""Processes that die in the middle of their work, in this process."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest


class Killed(BaseException):
    """The end of a process."""


@contextmanager
def death(changes: int) -> Iterator[None]:
    """Die at the so-manieth change of what lies on disk, and change nothing afterwards."""
    left = changes

    def mortal(change: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                raise Killed
            return change(*args, **kwargs)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "link", "unlink"):
            patch.setattr(os, name, mortal(getattr(os, name)))
        with suppress(Killed):
            yield


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """How many changes to what lies on disk the block makes."""
    changes = 0

    def counting(change: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            nonlocal changes
            changes += 1
            return change(*args, **kwargs)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "link", "unlink"):
            patch.setattr(os, name, counting(getattr(os, name)))
        yield lambda: changes
