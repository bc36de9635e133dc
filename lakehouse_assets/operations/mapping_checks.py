"""Checks of mappings: whether they ran as they are now, and whether they can."""

from collections.abc import Callable, Mapping

from lakehouse_assets.operations.findings import Finding, Row
from lakehouse_assets.operations.mapping_files import MappingFiles
from lakehouse_assets.operations.mapping_states import MappingState
from lakehouse_assets.operations.repositories import Repositories

MAPPINGS = "mappings"
"""The name of the asset."""

_DIGITS = 12


def _is_latest(parts: Repositories) -> Finding:
    """Whether each mapping ran as it is now; those that others replaced need not."""
    states = MappingFiles(parts).states()
    wanted = [state for state in states if state.replaced_by is None]
    stale = [state for state in wanted if not state.fresh or state.problem is not None]
    metadata: dict[str, int | float | str] = {
        "why": f"{len(stale)} of {len(wanted)} mappings did not run as they are now" if stale else "all ran",
        "mappings": len(wanted),
        "stale": len(stale),
        "replaced": len(states) - len(wanted),
    }
    return Finding(not stale, metadata, [_row(state) for state in states])


def _is_intact(parts: Repositories) -> Finding:
    """Whether each mapping can be read, and has its file."""
    states = [state for state in MappingFiles(parts).states() if state.replaced_by is None]
    broken = {state.content_hash: state.problem for state in states if state.problem is not None}
    for state in states:
        if not parts.archive.exists(state.content_hash):
            broken.setdefault(state.content_hash, "its file is not archived")
    table: list[Row] = [
        {"file": content_hash[:_DIGITS], "problem": problem}
        for content_hash, problem in sorted(broken.items())
    ]
    return Finding(not broken, {"mappings": len(states), "broken": len(broken)}, table)


def _row(state: MappingState) -> Row:
    return {
        "file": state.content_hash[:_DIGITS],
        "path": ", ".join(state.files) or "not archived",
        "state": "fresh" if state.fresh else "stale",
        "why": state.problem or state.why,
    }


CHECKS: Mapping[str, Callable[[Repositories], Finding]] = {"is_latest": _is_latest, "intact": _is_intact}
"""The checks of mappings, by name."""

MENDS = {
    "is_latest": "`lakehouse map run -d {dataset}`",
    "intact": "`lakehouse map add -d {dataset} MAPPING.yml` with the file or its checksum",
}
"""What helps when one fails."""
