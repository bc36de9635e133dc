"""Lakes in a known state, made once and copied for each measured run."""

import shutil
from pathlib import Path

from harness.measure import run
from harness.programs import DATASET, Export, Floor, Import, Inputs, Make, Merge, Program, Step, execute

# What was done to a lake before a row is measured on it.
STATES: dict[str, tuple[Step, ...]] = {
    "empty": (),
    "once": (Import(trusted=True),),
    "merged": (Import(trusted=True), Merge()),
    "with csv": (Import(trusted=True), Merge(), Export("statements")),
    "twice": (
        Import(trusted=True, undated=True, last_seen="2024-01-01T00:00:00"),
        Import(trusted=True, undated=True, last_seen="2024-02-01T00:00:00"),
    ),
    "made": (Import(), Make()),
    "documents": (Import(trusted=True, documents=True), Merge()),
    "changed": (
        Import(trusted=True, undated=True),
        Merge(),
        Export("entities"),
        Import(trusted=True, revised=True),
        Merge(),
        Export("statements"),
    ),
}


class Lakes:
    """The prepared lakes of all programs below one work folder."""

    def __init__(self, work: Path, inputs: Inputs) -> None:
        self.work = work
        self.inputs = inputs
        self._made: set[Path] = set()

    def prepared(self, program: Program, state: str) -> Path:
        """The lake in this state, made when it is not there; not to be written to."""
        lake = self.work / program.name / self.inputs.dated.name / state
        if lake in self._made or (program.keeps_lakes and lake.exists()):
            return lake
        draft = lake.with_name(f"{state}.draft")
        for folder in (draft, lake):
            shutil.rmtree(folder, ignore_errors=True)
        draft.mkdir(parents=True)
        self._fill(program, state, draft)
        draft.rename(lake)
        self._made.add(lake)
        return lake

    def _fill(self, program: Program, state: str, lake: Path) -> None:
        if isinstance(program, Floor):
            return
        if create := program.create(lake):
            run(create, env=program.env(), cwd=self.work)
        execute(program, STATES[state], lake=lake, inputs=self.inputs, work=self.work)

    def many(self, program: Program, count: int) -> Path:
        """A lake of so many copies of one small dataset; not to be written to."""
        one = self.prepared(program, "made") / DATASET
        lake = self.work / program.name / f"{count} datasets"
        shutil.rmtree(lake, ignore_errors=True)
        for number in range(count):
            shutil.copytree(one, lake / f"{DATASET}_{number:04}")
        return lake

    def copy(self, program: Program, state: str) -> Path:
        """A fresh copy in this state to work on; it replaces the last copy."""
        prepared = self.prepared(program, state)
        target = self.work / program.name / "run"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(prepared, target)
        return target
