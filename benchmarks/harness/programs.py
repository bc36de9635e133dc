"""The programs compared: the commands each of them needs for the same work."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.measure import NOTHING, Cost, run

DATASET = "benchmark"


@dataclass(frozen=True)
class Import:
    """
    Import the generated file; `undated` takes the one whose entities carry no times, `revised` a later delivery of
    that, `documents` the files in folders.
    """

    trusted: bool = False
    undated: bool = False
    revised: bool = False
    documents: bool = False
    last_seen: str | None = None


@dataclass(frozen=True)
class Merge:
    """Leave one row per statement in the table."""


@dataclass(frozen=True)
class Export:
    """Write one artifact although it may be fresh."""

    name: str


@dataclass(frozen=True)
class Make:
    """Bring every artifact up to date."""


Step = Import | Merge | Export | Make


@dataclass(frozen=True)
class Inputs:
    """The generated files."""

    dated: Path
    undated: Path
    revised: Path
    documents: Path

    def of(self, step: Import) -> str:
        """The file an import reads."""
        if step.revised:
            return str(self.revised)
        if step.documents:
            return str(self.documents)
        return str(self.undated if step.undated else self.dated)


class Program(Protocol):
    """What can be measured."""

    name: str
    keeps_lakes: bool
    """Prepared lakes of an earlier run in the same work folder may be used."""

    def create(self, lake: Path) -> list[str] | None:
        """The command that makes an empty dataset, if it needs one."""

    def command(self, step: Step, lake: Path, inputs: Inputs) -> list[str]:
        """The command of a step."""

    def env(self) -> dict[str, str]:
        """The environment of all of these."""


def _plain_env() -> dict[str, str]:
    """This process's environment without settings of either program."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("LAKEHOUSE_", "DAGSTER_")) and key not in ("PYTHONPATH", "DEBUG", "LOG_LEVEL")
    }


def execute(program: Program, steps: tuple[Step, ...], *, lake: Path, inputs: Inputs, work: Path) -> Cost:
    """Run the steps one after the other, each as a process of its own; return the sum of their costs."""
    total = NOTHING
    for step in steps:
        total += run(program.command(step, lake, inputs), env=program.env(), cwd=work)[0]
    return total


@dataclass
class Ours:
    """`lakehouse`, as installed beside a Python interpreter, or else from this checkout."""

    python: Path = field(default_factory=lambda: Path(sys.executable))
    name: str = "ours"
    keeps_lakes: bool = False

    def _cli(self) -> list[str]:
        installed = self.python.with_name("lakehouse")
        return [str(installed)] if installed.exists() else [str(self.python), "-m", "lakehouse_assets.cli"]

    def env(self) -> dict[str, str]:
        """Everything at its default, the checkout importable."""
        return {**_plain_env(), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}

    def startup(self) -> list[str]:
        """The command that does nothing but start."""
        return [*self._cli(), "--help"]

    def status(self, lake: Path) -> list[str]:
        """The status of every dataset of a lake."""
        return [*self._cli(), "--uri", str(lake), "status", "--json"]

    def create(self, lake: Path | str) -> list[str]:
        """An import does not make a dataset."""
        return [*self._cli(), "--uri", str(lake), "dataset", "create", DATASET]

    def command(self, step: Step, lake: Path | str, inputs: Inputs) -> list[str]:
        """`lakehouse --uri LAKE VERB -d benchmark ...`."""
        head = [*self._cli(), "--uri", str(lake)]
        match step:
            case Import():
                options = ["--trusted"] * step.trusted
                options += ["--last-seen", step.last_seen] if step.last_seen else []
                return [*head, "import", "-d", DATASET, *options, inputs.of(step)]
            case Merge():
                return [*head, "merge", "-d", DATASET]
            case Export():
                return [*head, "export", "-d", DATASET, step.name, "--force"]
            case Make():
                return [*head, "make", "-d", DATASET]


@dataclass
class Peer:
    """ftm-lakehouse 0.7.1 in an environment of its own, only ever run as a command."""

    prefix: Path
    work: Path
    name: str = "peer"
    keeps_lakes: bool = True

    def env(self) -> dict[str, str]:
        """Defaults, without a search for DuckDB's extension on the network."""
        return {
            **_plain_env(),
            "LAKEHOUSE_JOURNAL_URI": "sqlite:///:memory:",
            "LAKEHOUSE_DUCKDB_EXTENSION_DIRECTORY": str(self._extensions()),
        }

    def _extensions(self) -> Path:
        """The `delta` extension that the environment brings as a package, where DuckDB looks for it."""
        found = sorted(self.prefix.glob("lib/python*/site-packages/duckdb_extension_delta/extensions/*/*"))
        target = self.work / "extensions"
        for file in found:
            code = "import duckdb; print(duckdb.sql('PRAGMA platform').fetchone()[0])"
            link = target / file.parent.name
            if not link.exists():
                command = [str(self.prefix / "bin" / "python"), "-c", code]
                platform = run(command, env=_plain_env(), cwd=self.work)[1].strip()
                (link / platform).mkdir(parents=True)
                (link / platform / file.name).symlink_to(file)
        return target

    def create(self, lake: Path) -> list[str] | None:
        """An import makes the dataset."""
        return None

    def command(self, step: Step, lake: Path, inputs: Inputs) -> list[str]:
        """`ftm-lakehouse --uri LAKE -d benchmark VERB ...`."""
        head = [str(self.prefix / "bin" / "ftm-lakehouse"), "--uri", str(lake), "-d", DATASET]
        match step:
            case Import():
                options = ["--unsafe"] * step.trusted
                options += ["--last-seen", step.last_seen] if step.last_seen else []
                return [*head, "entities", "import", *options, "-i", inputs.of(step)]
            case Merge():
                # Merge, compact and vacuum in one; after a merge the latter two are about 1 % of it.
                return [*head, "maintenance", "optimize"]
            case Export():
                return [*head, "export", step.name, "--force"]
            case Make():
                return [*head, "make"]


@dataclass
class Floor:
    """The least work an import can be: parse, hash, write. Whatever the step, it does just that."""

    python: Path = field(default_factory=lambda: Path(sys.executable))
    name: str = "floor"
    keeps_lakes: bool = False

    def _script(self) -> list[str]:
        return [str(self.python), str(Path(__file__).resolve().parents[1] / "floor.py")]

    def env(self) -> dict[str, str]:
        """Nothing of its own."""
        return _plain_env()

    def create(self, lake: Path) -> list[str] | None:
        """It has no datasets."""
        return None

    def command(self, step: Step, lake: Path, inputs: Inputs) -> list[str]:
        """`python floor.py IN OUT`, the same for every step."""
        return [*self._script(), str(inputs.dated), str(lake / "floor.parquet")]
