"""exports/statements.csv: every statement that counts, one per line."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.exports.base import DatasetView, ExportResult, output
from lakehouse_assets.exports.text import CSV_TIME, concat, csv_field, times
from lakehouse_assets.statements import schema as s

if TYPE_CHECKING:
    import polars as pl

CANONICAL_ID = "canonical_id"
"""The column that the table does not have."""

FIELDS = [
    s.ID, s.ENTITY_ID, CANONICAL_ID, s.PROP, s.PROP_TYPE, s.SCHEMA, s.VALUE, s.ORIGINAL_VALUE, s.DATASET,
    s.ORIGIN, s.LANG, s.EXTERNAL, s.FIRST_SEEN, s.LAST_SEEN, s.FRAGMENT, s.ROLE,
]  # fmt: skip
"""The header. Entities are not merged here, so the canonical id is the entity's own."""

COLUMNS = [name for name in FIELDS if name != CANONICAL_ID]
"""What must be read."""

HEADER = (",".join(f'"{name}"' for name in FIELDS) + "\n").encode()


class StatementsCsv:
    """All statements as CSV, in the order of the table."""

    name = "statements"
    target = layout.EXPORT_STATEMENTS
    asset = "statements_csv"
    targets = (layout.EXPORT_STATEMENTS,)
    version = 1
    is_compressed = True
    is_published = False
    sources: Sequence[str] = (layout.STATEMENTS_TABLE,)

    def write(self, view: DatasetView) -> list[ExportResult]:
        """Write the file; without statements it is the header alone."""
        with output(view, self.target, compression=view.config.compression) as file:
            file.write(HEADER)
            for lines in self._rendered(view):
                file.write_lines(lines)
        return [file.result()]

    def _rendered(self, view: DatasetView) -> "Iterator[pl.Series]":
        if view.kept is None:
            yield from map(render_statements, view.reader.scan(COLUMNS))
            return
        frames = view.kept.frames(
            f"{view.dataset}-{self.asset}-{self.version}",
            view.reader,
            lambda pace: view.reader.scan(COLUMNS, pace=pace),
            lambda rows: render_statements(rows).to_frame(),
        )
        for frame in frames:
            yield frame.to_series()


def render_statements(rows: "pl.DataFrame") -> "pl.Series":
    """Rows of the table as lines of CSV, each with its end."""
    import polars as pl

    pieces: list[str | pl.Expr] = []
    entity_id = csv_field(rows[s.ENTITY_ID])
    for name in FIELDS:
        pieces.append("," if pieces else "")
        if name in (s.FIRST_SEEN, s.LAST_SEEN):
            pieces.append(pl.lit(times(rows[name], CSV_TIME)))
        elif name == s.EXTERNAL:
            pieces.append(_boolean(rows[name]))
        else:
            pieces += entity_id if name in (s.ENTITY_ID, CANONICAL_ID) else csv_field(rows[name])
    return rows.select(concat([*pieces, "\n"]).alias("line")).to_series()


def _boolean(column: "pl.Series") -> "str | pl.Expr":
    import polars as pl

    if not column.any():
        return "false"
    return pl.when(pl.col(column.name)).then(pl.lit("true")).otherwise(pl.lit("false"))
