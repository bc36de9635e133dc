"""Writing a difference: the changed lines with what was done to them, and a table that says where each stands."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from lakehouse_assets import layout
from lakehouse_assets.diffs.kinds import ADD, DEL, MOD, OP, DiffKind
from lakehouse_assets.diffs.lines import Lines, open_lines, portions
from lakehouse_assets.errors import Conflict
from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.exports.digests import DIGEST, OFFSET, SIZE, WAS, sizes_of, write_table
from lakehouse_assets.exports.text import buffers
from lakehouse_assets.storage.compression import compressing

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Draft:
    """A difference that is written and not yet in its place."""

    added: int
    modified: int
    deleted: int
    size: int
    checksum: str


def write_draft(
    view: DatasetView, kind: DiffKind, changes: "Iterator[pl.DataFrame]", *, path: str, at: datetime
) -> Draft | None:
    """Write changes with their lines, which are read from the export at `path`; None when there are no changes."""
    first = next(changes, None)
    if first is None:
        return None
    compression = view.config.compression if kind.is_compressed else None
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        target = stack.enter_context(view.location.writer(layout.diff_draft(kind.target, at)))
        out = stack.enter_context(compressing(target, compression))
        table = stack.enter_context(view.location.writer(layout.diff_changes(kind.target, at)))
        lines = stack.enter_context(open_lines(view.location, path, temp_directory=view.temp_directory))
        places = write_changes(kind, chain([first], changes), lines, out, counts)
        write_table(places, table, [*kind.keys, WAS, DIGEST, OFFSET, SIZE])
    return Draft(counts[ADD], counts[MOD], counts[DEL], target.size, target.digest)


def write_changes(
    kind: DiffKind, changes: "Iterator[pl.DataFrame]", lines: Lines, out: BinaryIO, counts: Counter[str]
) -> "Iterator[pl.DataFrame]":
    """Write changes, count them by what is done, and tell of each where its line stands now."""
    import numpy as np
    import polars as pl

    out.write(kind.form.header)
    written = len(kind.form.header)
    for changed in chain.from_iterable(map(portions, changes)):
        bare = _bare(kind, changed, lines.at(changed[OFFSET], changed[SIZE]))
        rendered = kind.form.render(changed, bare)
        for buffer in buffers(rendered):
            out.write(buffer)
        sizes = sizes_of(rendered)
        starts = pl.Series(OFFSET, written + np.cumsum(sizes) - sizes + kind.form.lead)
        written += int(sizes.sum())
        counts.update(dict(changed[OP].value_counts(name="count").iter_rows()))
        yield changed.with_columns(
            pl.when(bare.is_not_null()).then(starts).alias(OFFSET),
            bare.str.len_bytes().cast(pl.Int64).alias(SIZE),
        )


def _bare(kind: DiffKind, changed: "pl.DataFrame", lines: "pl.Series") -> "pl.Series":
    """The lines as texts without their ends; Conflict when they are not those of the entries that they stand for."""
    import polars as pl

    end = kind.form.end.decode()
    frame = pl.DataFrame(
        [lines.cast(pl.String, strict=False).alias("line"), kind.form.begins(changed).alias("begins")]
    )
    good = pl.col("line").str.starts_with(pl.col("begins")) & pl.col("line").str.ends_with(end)
    if not frame.select((good.fill_null(False) | pl.lit(lines.is_null())).all()).item():
        msg = (
            f"another program replaced {kind.export} while it was compared with the one before; run it again"
        )
        raise Conflict(msg)
    return frame["line"].str.strip_suffix(end)
