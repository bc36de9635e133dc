"""What the files of a Delta table's log are called, and which of them are there."""

import json
import re
from collections.abc import Sequence

from lakehouse_assets.storage.location import Location

LOG = "_delta_log"

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_LAST_CHECKPOINT = f"{LOG}/_last_checkpoint"


def commit_key(version: int) -> str:
    """Where the commit of a version lies."""
    return f"{LOG}/{version:020}.json"


def checkpoint_key(version: int) -> str:
    """Where the checkpoint of a version lies, if it has one."""
    return f"{LOG}/{version:020}.checkpoint.parquet"


def listed(table: Location) -> tuple[list[int], list[int]]:
    """The versions that have a commit, and those that have a checkpoint."""
    names = table.names(LOG)
    commits = [int(found[1]) for name in names if (found := _COMMIT.fullmatch(name))]
    checkpoints = [int(found[1]) for name in names if (found := _CHECKPOINT.fullmatch(name))]
    return sorted(commits), sorted(checkpoints)


def first_of(versions: Sequence[int], checkpoints: Sequence[int]) -> int:
    """From which version on nothing is missing: a trim or a pull that was killed leaves single commits behind."""
    if not versions:
        return checkpoints[-1] if checkpoints else 0
    start = versions[-1]
    present = set(versions)
    while start - 1 in present:
        start -= 1
    return 0 if start == 0 else min((found for found in checkpoints if found >= start - 1), default=start)


def name_newest(table: Location, version: int, size: int) -> None:
    """Have readers begin at this checkpoint, of so many actions, unless they begin at a later one already."""
    hint = table.read_or_none(_LAST_CHECKPOINT)
    if hint is None or _version_of(hint) < version:
        table.write(_LAST_CHECKPOINT, json.dumps({"version": version, "size": size}).encode())


def _version_of(hint: bytes) -> int:
    """The version that the hint names; less than any when it is not understood."""
    try:
        return int(json.loads(hint)["version"])
    except (ValueError, KeyError, TypeError):
        return -1
