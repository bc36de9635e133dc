"""What a call of the command gives."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lakehouse_assets


@dataclass(frozen=True)
class Result:
    """How a call ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.split("\n") if line]


Lakehouse = Callable[..., Result]


def run_process(*args: str, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Python in a process of its own, which finds the package wherever it is called."""
    return subprocess.run([sys.executable, *args], input=stdin, capture_output=True, env=environment(**env))


def environment(**env: str) -> dict[str, str]:
    """The environment of such a process."""
    return {**os.environ, "PYTHONPATH": str(Path(lakehouse_assets.__file__).parents[1]), **env}
