"""
Two lakes that share what they have: pushed, changed on both sides, found to be apart, brought together.

The demo runs this at its end. A second office keeps a copy of the demo's lake in `demo-lake-copy`, and both write notes
about companies into the dataset `shared_notes`. Nobody's note is lost: a pull is refused until somebody says what is to
count, and `union` keeps all of them.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import exchange_rates

from lakehouse_assets import Dataset, Lake
from lakehouse_assets.errors import Diverged

if TYPE_CHECKING:
    import dagster as dg

    from lakehouse_assets.defs.runs import Made

COPY = Path("demo-lake-copy")
REMOTE = "copy"
NOTES = "shared_notes"

CONFIG = {
    "title": "Notes of two offices",
    "summary": "What investigators write down about companies, in two lakes that are brought together.",
    "category": "documents",
}

FIRST = ("note-1", "engie", "Ask for the register of its owners.")
HERE = ("note-2", "edf", "Seen in the papers about power stations.")
THERE = ("note-3", "edf", "The state has held all shares since 2023.")

Tell = Callable[["Made", str], bool]


def prepare() -> None:
    """Name the second lake, as `make ui` does."""
    os.environ["LAKEHOUSE_REMOTES"] = f"{REMOTE}={COPY}"


def note(notes: Dataset, entry: tuple[str, str, str]) -> bool:
    """Write a note down, and confirm it; False when it is there already."""
    name, company, text = entry
    if notes.entities.get(name) is not None:
        return False
    with notes.entities.writer("notes") as writer:
        writer.add({"id": name, "schema": "Note", "properties": {"entity": [company], "description": [text]}})
    notes.flush()
    return True


def share(lake: Lake, instance: "dg.DagsterInstance", tell: Tell) -> int:
    """Push everything to the second lake, change both, and bring them together; gives how many runs failed."""
    from lakehouse_assets.defs.runs import run_make, run_pull, run_push

    copy = lake.remote(REMOTE)
    partition = f"{REMOTE}/dataset/{NOTES}"
    others = [name for name in lake.datasets() if name != NOTES or NOTES not in copy.datasets()]
    failed = sum(
        tell(run_push(lake, instance, f"{REMOTE}/dataset/{name}"), f"push {name}") for name in others
    )
    if note(lake.dataset(NOTES), HERE) and note(copy.dataset(NOTES), THERE):
        try:
            lake.pull(copy, NOTES)
        except Diverged as exc:
            print(f"a pull is refused: {exc}")
    failed += tell(run_pull(lake, instance, partition, resolve="union"), "pull by union")
    for made in run_make(lake, instance, names=[NOTES]):
        failed += tell(made, made.dataset or "catalogue")
    failed += tell(run_push(lake, instance, partition), f"push {NOTES}")
    # exports come along with versions that follow on one another; of what was merged each lake makes its own
    copy.dataset(NOTES).make()
    print(f"{NOTES}: {count(lake)} notes here, {count(copy)} in {COPY}")
    if exchange_rates.LABEL not in lake.collections.ls():
        print(f"\na table of rows, {exchange_rates.LABEL}:")
        failed += exchange_rates.main()
    failed += tell(run_push(lake, instance, f"{REMOTE}/{exchange_rates.LABEL}"), "push exchange rates")
    return failed


def count(lake: Lake) -> int:
    """How many notes there are."""
    return lake.dataset(NOTES).status().entities
