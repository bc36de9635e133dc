"""Checks that read the lake, and say what they found with numbers."""

import csv
import io
import json
from collections.abc import Callable

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.operations import archive_checks, diff_checks, journal_checks, mapping_checks
from lakehouse_assets.operations.archive_checks import ARCHIVE
from lakehouse_assets.operations.assertions import evaluate
from lakehouse_assets.operations.findings import CheckResult, Finding, Row, Severity
from lakehouse_assets.operations.freshness import Freshness, freshness_of, path_of
from lakehouse_assets.operations.journal_checks import JOURNAL
from lakehouse_assets.operations.mapping_checks import MAPPINGS
from lakehouse_assets.operations.references import check_references
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import Partition
from lakehouse_assets.storage.compression import decompressing
from lakehouse_assets.storage.digest import digest_of

STATEMENTS = "statements"
_BLOCK = 4 << 20


def check_names() -> list[tuple[str, str]]:
    """Every (asset, check) there is, in the order of the assets."""
    names = [(ARCHIVE, check) for check in archive_checks.CHECKS]
    names += [(MAPPINGS, check) for check in mapping_checks.CHECKS]
    names += [(JOURNAL, check) for check in journal_checks.CHECKS]
    names += [(STATEMENTS, check) for check in _STATEMENT_CHECKS]
    for export in EXPORTS.values():
        names += [(export.asset, check) for check in _EXPORT_CHECKS]
    names += [(asset, check) for asset in diff_checks.ASSETS for check in diff_checks.CHECKS]
    return names


def run_check(parts: Repositories, asset: str, check: str) -> CheckResult:
    """Run one check; InvalidData when there is none of that name."""
    if (asset, check) not in check_names():
        msg = f"no check {check!r} on {asset!r}; there are " + ", ".join(
            "/".join(pair) for pair in check_names()
        )
        raise InvalidData(msg)
    if asset == ARCHIVE:
        name, found = ARCHIVE, archive_checks.CHECKS[check](parts)
    elif asset == MAPPINGS:
        name, found = MAPPINGS, mapping_checks.CHECKS[check](parts)
    elif asset == JOURNAL:
        name, found = JOURNAL, journal_checks.CHECKS[check](parts)
    elif asset == STATEMENTS:
        name, found = STATEMENTS, _STATEMENT_CHECKS[check](parts)
    elif asset in diff_checks.ASSETS:
        name = diff_checks.ASSETS[asset]
        found = diff_checks.CHECKS[check](parts, name)
    else:
        name = next(export.name for export in EXPORTS.values() if export.asset == asset)
        found = _EXPORT_CHECKS[check](parts, name)
    severity: Severity = "WARN" if check in _WARNINGS else "ERROR"
    mend = "" if found.passed else _mend(asset, check).format(dataset=parts.name, name=name)
    return CheckResult(asset, check, found.passed, severity, found.metadata, found.table, mend)


def _mend(asset: str, check: str) -> str:
    """What helps, once it names the dataset and the export."""
    if asset == ARCHIVE:
        return archive_checks.MENDS[check]
    if asset == MAPPINGS:
        return mapping_checks.MENDS[check]
    if asset == JOURNAL:
        return journal_checks.MENDS[check]
    if asset in diff_checks.ASSETS:
        return diff_checks.MENDS[check]
    if asset == STATEMENTS and check == "is_latest":
        return (
            "`lakehouse flush -d {dataset}`, or `ftm-lakehouse -d {dataset} maintenance flush` if that wrote"
        )
    return _MENDS.get(check, "")


def _statements_are_latest(parts: Repositories) -> Finding:
    """Whether everything that was written into a journal, ours or that of ftm-lakehouse, has reached the store."""
    waiting = parts.store.journal.waiting()
    written, flushed = parts.tags.get(layout.TAG_JOURNAL_UPDATED), parts.tags.get(layout.TAG_JOURNAL_FLUSHED)
    ours = parts.store.journal.slot().batch.newest if not waiting else None
    is_done = written is None or any(at is not None and at >= written for at in (flushed, ours))
    metadata: dict[str, int | float | str] = {
        "content_version": parts.store.content_version(),
        "journal_rows": sum(segment.rows for segment in waiting),
        "journal_written": written.isoformat() if written else "never",
        "journal_flushed": flushed.isoformat() if flushed else "never",
    }
    return Finding(is_done and not waiting, metadata)


def _statements_are_canonical(parts: Repositories) -> Finding:
    """Whether no partition that counts as merged has two live rows of one origin, id, role and fragment."""
    states = parts.store.reader.partitions()
    doubled = sum(_doubled(parts, state.partition) for state in states if state.canonical)
    metadata = {
        "partitions": len(states),
        "dirty_partitions": sum(parts.store.is_dirty(state) for state in states),
        "rows": sum(state.rows for state in states),
        "doubled_rows": doubled,
    }
    return Finding(doubled == 0, metadata)


def _assertions_hold(parts: Repositories) -> Finding:
    """Whether everything holds that pipeline.yml asserts, which is what an export insists on."""
    verdicts = evaluate(parts)
    failures = [verdict.text for verdict in verdicts if not verdict.passed]
    metadata: dict[str, int | float | str] = {"assertions": len(verdicts), "failed": len(failures)}
    if failures:
        metadata["why"] = "; ".join(failures)
    metadata.update({verdict.name: verdict.found for verdict in verdicts})
    table: list[Row] = [
        {
            "assertion": verdict.name,
            "wanted": verdict.wanted,
            "found": verdict.found,
            "holds": "yes" if verdict.passed else "no",
            "in words": verdict.text,
        }
        for verdict in verdicts
    ]
    return Finding(not failures, metadata, table)


def _doubled(parts: Repositories, partition: Partition) -> int:
    import polars as pl

    key = [s.ID, s.ROLE, s.FRAGMENT]
    found = 0
    for rows in parts.store.reader.raw_rows(partition, [*key, s.DELETED_AT]):
        live = rows.filter(pl.col(s.DELETED_AT).is_null())
        found += len(live) - len(live.unique(key))
    return found


def _is_latest(parts: Repositories, name: str) -> Finding:
    state = freshness_of(EXPORTS[name], parts)
    metadata = {
        "why": state.why,
        "made_from": json.dumps(dict(state.made_from)),
        "current": json.dumps(dict(state.current)),
        "written_at": state.written_at.isoformat() if state.written_at else "never",
    }
    return Finding(state.fresh, metadata, state.compared())


def _is_intact(parts: Repositories, name: str) -> Finding:
    """Whether the bytes on disk are those that were written, and those that an index lists."""
    export = EXPORTS[name]
    record, path = parts.records.get(export.target), path_of(export, parts)
    if not parts.location.exists(path):
        nothing = {"path": path, "found": "no file", "recorded": record.digest if record else "nothing"}
        return Finding(record is None, nothing)
    found, size = _digest(parts, path)
    passed = record is None or (record.digest == found and record.path == path)
    metadata: dict[str, int | float | str] = {
        "path": path,
        "bytes": size,
        "found": found,
        "recorded": record.digest if record else "nothing",
    }
    if name == "index":
        wrong = _wrong_resources(parts, path)
        metadata["wrong_resources"] = ", ".join(wrong) or "none"
        passed = passed and not wrong
    return Finding(passed, metadata)


def _wrong_resources(parts: Repositories, path: str) -> list[str]:
    """The resources that an index lists and that are absent, or have another checksum."""
    files = {}
    for target in (target for export in EXPORTS.values() for target in export.targets):
        files.update({file.rpartition("/")[2]: file for file in layout.forms(target)})
    files[layout.DELTA_INDEX.rpartition("/")[2]] = layout.DELTA_INDEX
    wrong = []
    for resource in json.loads(parts.location.read(path)).get("resources", []):
        file = files.get(resource["name"], resource["name"])
        if not parts.location.exists(file) or _digest(parts, file)[0] != resource.get("checksum"):
            wrong.append(resource["name"])
    return wrong


def _digest(parts: Repositories, path: str) -> tuple[str, int]:
    with parts.location.open(path) as file:
        return digest_of(file)


def _reconciles(parts: Repositories, name: str) -> Finding:
    """Whether the store, the file and the index count the same; what is stale is not compared."""
    state = freshness_of(EXPORTS[name], parts)
    # an index is fresh when it lists the files that are there, which may be stale themselves
    counted = freshness_of(EXPORTS["statistics"], parts) if name == "index" else state
    if not (state.fresh and counted.fresh and parts.location.exists(state.path)):
        return Finding(True, {"compared": "no", "why": counted.why if state.fresh else state.why})
    if name == "documents" and parts.records.get(EXPORTS[name].target) is None:
        return Finding(True, {"compared": "no", "why": "another program made it, and left no count"})
    counts = {"in_the_file": _counted(parts, name, state), "in_the_store": _expected(parts, name)}
    return Finding(len(set(counts.values())) == 1, {"compared": "yes", **counts})


def _counted(parts: Repositories, name: str, state: Freshness) -> int:
    """How many rows, entities or documents a file has, counted in the file."""
    if name in ("statistics", "index"):
        return int(json.loads(parts.location.read(state.path)).get("entity_count") or 0)
    with parts.location.open(state.path) as raw:
        file = decompressing(raw, state.path)
        if name == "entities":
            lines = 0
            while block := file.read(_BLOCK):
                lines += block.count(b"\n")
            return lines
        return sum(1 for _ in csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))) - 1


def _expected(parts: Repositories, name: str) -> int:
    reader = parts.store.reader
    if name == "statements":
        return sum(len(rows) for rows in reader.scan([s.ENTITY_ID]))
    if name == "documents":
        return parts.records.get(EXPORTS[name].target).rows  # type: ignore[union-attr]
    return count_entities(parts, external=name == "entities")


def count_entities(parts: Repositories, *, external: bool = True) -> int:
    """How many entities there are, with or without those of which all rows are external."""
    import polars as pl

    reader = parts.store.reader
    shared = reader.shared_ids()
    seen: set[str] = set()
    count = 0
    for rows in reader.scan([s.ENTITY_ID, s.EXTERNAL]):
        if not external:
            rows = rows.filter(~pl.col(s.EXTERNAL))
        ids = rows[s.ENTITY_ID].unique()
        count += len(ids)
        if shared:
            again = set(ids.filter(ids.is_in(shared)))
            count -= len(again & seen)
            seen |= again
    return count


_STATEMENT_CHECKS: dict[str, Callable[[Repositories], Finding]] = {
    "is_latest": _statements_are_latest,
    "canonical": _statements_are_canonical,
    "assertions": _assertions_hold,
    "references": check_references,
}
_EXPORT_CHECKS: dict[str, Callable[[Repositories, str], Finding]] = {
    "is_latest": _is_latest,
    "intact": _is_intact,
    "reconciles": _reconciles,
}
_WARNINGS = {"is_latest", "references", "unfinished_state"}
_MENDS = {
    "is_latest": "`lakehouse make -d {dataset}`",
    "intact": "`lakehouse export -d {dataset} {name} --force`",
    "reconciles": "`lakehouse export -d {dataset} {name} --force`",
    "canonical": "`lakehouse merge -d {dataset} --force`",
    "assertions": "mend the data or pipeline.yml; `lakehouse make -d {dataset} --no-assertions` publishes all the same",
    "references": "import what they lead to, into this dataset or another one of the lake",
}
