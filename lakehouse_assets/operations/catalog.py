"""The catalogue of a lake, made from the indexes of its datasets."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lakehouse_assets import layout
from lakehouse_assets.exports.catalog import make_catalog, write_catalog
from lakehouse_assets.operations.findings import CheckResult
from lakehouse_assets.operations.freshness import Freshness
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

CATALOG = "catalog"


@dataclass(frozen=True)
class CatalogResult:
    """The catalogue as it lies there now: `rows` is how many datasets it lists, `left_out` those without an index."""

    rows: int
    bytes: int
    digest: str
    seconds: float
    skipped: bool
    path: str = layout.LAKE_INDEX
    left_out: Sequence[str] = ()


def export_catalog(lake: Location, datasets: Sequence[str], *, force: bool = False) -> CatalogResult:
    """Write the lake's index.json, unless it says already what the datasets' indexes say."""
    before = lake.read_or_none(layout.LAKE_INDEX)
    data, rows, left_out = make_catalog(lake, datasets)
    digest = hashlib.sha256(data).hexdigest()
    if before == data and not force:
        return CatalogResult(rows, len(data), digest, 0.0, skipped=True, left_out=left_out)
    written = write_catalog(lake, datasets)
    log.info("wrote %s, %s datasets", lake.url(layout.LAKE_INDEX), written.rows)
    return CatalogResult(
        written.rows, written.bytes, written.digest, written.seconds, skipped=False, left_out=left_out
    )


def catalog_freshness(lake: Location, datasets: Sequence[str]) -> Freshness:
    """The state of the lake's index.json: it is compared with what it would be now."""
    before = lake.read_or_none(layout.LAKE_INDEX)
    data, rows, _ = make_catalog(lake, datasets)
    current = hashlib.sha256(data).hexdigest()
    found = hashlib.sha256(before).hexdigest() if before is not None else ""
    why = "it was never made" if before is None else "the indexes of the datasets changed since it was made"
    return Freshness(
        artifact=CATALOG,
        fresh=found == current,
        why="it says what the datasets' indexes say" if found == current else why,
        made_from={"content": found} if found else {},
        current={"content": current},
        path=layout.LAKE_INDEX,
        written_at=lake.modified(layout.LAKE_INDEX),
        rows=rows if found == current else None,
        bytes=len(before) if before is not None else None,
        digest=found or None,
    )


def check_catalog(lake: Location, datasets: Sequence[str]) -> CheckResult:
    """Whether the lake's index.json was made from the indexes that are there now."""
    state = catalog_freshness(lake, datasets)
    metadata: dict[str, int | float | str] = {
        "why": state.why,
        "datasets": len(datasets),
        "listed": state.rows or 0,
        "written_at": state.written_at.isoformat() if state.written_at else "never",
    }
    mend = "" if state.fresh else "`lakehouse make --all`"
    return CheckResult("catalog_index", "is_latest", state.fresh, "WARN", metadata, state.compared(), mend)
