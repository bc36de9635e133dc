"""`status` and `check`: how a dataset is, and whether all is as it should be."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.codes import DONE, FAILED
from lakehouse_assets.cli.maintenance import describe, holder_document
from lakehouse_assets.cli.verb import verb

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset
    from lakehouse_assets.operations.findings import CheckResult
    from lakehouse_assets.operations.freshness import Freshness
    from lakehouse_assets.operations.status import DatasetStatus

verbs = typer.Typer()


@verb(verbs, "status", example="lakehouse status -d eu_list")
def status(
    call: Call,
    why: Annotated[bool, typer.Option("--why", help="Show what each stale export was made from.")] = False,
) -> None:
    """Show counts, what is fresh, and locks; of all without -d."""
    found = (dataset.status() for dataset in _datasets(call))
    if not call.as_json:
        for state in found:
            print_status(state)
            if why:
                print_reasons(state)
    elif len(call.datasets) == 1:
        output.document(status_document(next(found)))
    else:
        output.document({"datasets": [status_document(state) for state in found]})


@verb(verbs, "check", example="lakehouse check -d eu_list")
def check(
    call: Call,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings, too.")] = False,
) -> int:
    """Run every check, without -d of all datasets and the catalogue; exit code 1 when one fails."""
    found = [(dataset.name, result) for dataset in _datasets(call) for result in dataset.checks()]
    if not call.datasets:
        found.append(("", call.lake().check_catalog()))
    if call.as_json:
        output.document({"checks": [{"dataset": name, **_check_document(result)} for name, result in found]})
    else:
        columns = ["dataset", "asset", "check", "result", "details"]
        output.table(columns, ([name, *_check_row(result)] for name, result in found))
        _print_found(found)
    failing = ("ERROR", "WARN") if strict else ("ERROR",)
    failed = any(not result.passed and result.severity in failing for _, result in found)
    return FAILED if failed else DONE


def status_document(state: "DatasetStatus") -> dict[str, object]:
    """A dataset's state for machines; `lease` is the holder whom others have to wait for, if there is one."""
    holders = [holder_document(holder) for holder in state.lease]
    return {
        "dataset": state.dataset,
        "entities": state.entities,
        "statements": state.statements,
        "content_version": state.content_version,
        "dirty_partitions": len(state.dirty_partitions),
        "dirty": state.dirty_partitions,
        "journal_rows": state.journal_rows,
        "artifacts": {name: _artifact(freshness) for name, freshness in state.artifacts.items()},
        "lease": holders[0] if holders else None,
        "holders": holders,
    }


def print_status(state: "DatasetStatus") -> None:
    """A dataset's state for people."""
    output.line(
        f"{state.dataset}: {humane.count(state.entities, 'entity', 'entities')}, "
        f"{humane.count(state.statements, 'statement')}, "
        f"{humane.count(len(state.dirty_partitions), 'partition')} to merge, "
        f"{humane.count(state.journal_rows, 'row')} in the journal"
    )
    columns = ["artifact", "state", "rows", "size", "written", "why"]
    output.table(columns, map(_artifact_row, state.artifacts.values()), numbers=("rows", "size"))
    for holder in state.lease:
        output.line(f"locked: {describe(holder)}")


def print_reasons(state: "DatasetStatus") -> None:
    """For each stale artifact, what it was made from beside what is there now, and what helps."""
    stale = [artifact for artifact in state.artifacts.values() if not artifact.fresh]
    for artifact in stale:
        output.line(f"\n{artifact.artifact} is stale: {artifact.why}")
        rows = artifact.compared()
        output.table(list(rows[0]), ([str(cell) for cell in row.values()] for row in rows))
    if stale:
        output.line(f"\nwhat helps: `lakehouse make -d {state.dataset}`")


def _datasets(call: Call) -> "list[Dataset]":
    lake = call.lake()
    return [lake.dataset(name) for name in call.datasets or lake.datasets()]


def _artifact(state: "Freshness") -> dict[str, object]:
    fields = (
        "fresh", "why", "made_from", "current", "written_at", "rows", "bytes", "digest", "path",
    )  # fmt: skip
    return {field: getattr(state, field) for field in fields}


def _artifact_row(state: "Freshness") -> list[str]:
    rows = "" if state.rows is None else humane.count(state.rows)
    size = "" if state.bytes is None else humane.size(state.bytes)
    written = "" if state.written_at is None else f"{state.written_at:%Y-%m-%d %H:%M}"
    return [state.artifact, "fresh" if state.fresh else "stale", rows, size, written, state.why]


def _print_found(found: Sequence[tuple[str, "CheckResult"]]) -> None:
    """What stands behind the checks that did not pass, and what helps; `status --why` tells of what is stale."""
    wrong = [(name, result) for name, result in found if not result.passed]
    for name, result in wrong:
        if result.table and result.check != "is_latest":
            output.line(f"\n{name}: {result.asset} {result.check}")
            cells = ([humane.cell(cell) for cell in row.values()] for row in result.table)
            output.table(list(result.table[0]), cells)
    for mend in dict.fromkeys(result.mend for _, result in wrong if result.mend):
        output.line(f"what helps: {mend}")


def _check_document(result: "CheckResult") -> dict[str, object]:
    fields = ("asset", "check", "passed", "severity", "metadata", "table", "mend")
    return {field: getattr(result, field) for field in fields}


def _check_row(result: "CheckResult") -> list[str]:
    told = "passed" if result.passed else "failed" if result.severity == "ERROR" else "warning"
    return [result.asset, result.check, told, _details(result)]


def _details(result: "CheckResult") -> str:
    """What a check found: its reason if it gives one, else its numbers, and all if it failed."""
    if "why" in result.metadata:
        return str(result.metadata["why"])
    # digests and lists of sources are for comparing; where all is well, nobody does
    shown = {
        name: value
        for name, value in result.metadata.items()
        if not result.passed or isinstance(value, int | float)
    }
    return ", ".join(f"{name} {value}" for name, value in shown.items())
