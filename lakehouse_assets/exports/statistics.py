"""exports/statistics.json: how many entities there are, of what, and about which countries and times."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.exports.base import DatasetView, ExportResult
from lakehouse_assets.exports.grouping import entity_frames
from lakehouse_assets.exports.schemata import descendants
from lakehouse_assets.model.documents import to_json
from lakehouse_assets.model.ftm import ftm_model
from lakehouse_assets.model.statistics import CountryCount, Counts, SchemaCount, Statistics
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import polars as pl

COLUMNS = [s.ENTITY_ID, s.SCHEMA, s.PROP_TYPE, s.VALUE, s.EXTERNAL]
"""What must be read."""

THING = "Thing"
INTERVAL = "Interval"


class StatisticsJson:
    """
    Counts of entities by schema and country.

    Rows from outside the dataset (`external`) do not count. An event is a thing and an interval: it counts as
    both.
    """

    name = "statistics"
    target = layout.STATISTICS
    asset = "statistics_json"
    targets = (layout.STATISTICS,)
    version = 1
    is_compressed = False
    is_published = False
    sources: Sequence[str] = (layout.STATEMENTS_TABLE,)

    def write(self, view: DatasetView) -> list[ExportResult]:
        """Write the file, and its snapshot when it changed."""
        started = time.monotonic()
        data = to_json(count_statistics(view.reader))
        view.versions.write(self.target, data)
        seconds = time.monotonic() - started
        digest = hashlib.sha256(data).hexdigest()
        return [ExportResult(self.target, self.target, 1, len(data), digest, seconds)]


def count_statistics(reader: Reader) -> Statistics:
    """The counts of all entities that a reader gives."""
    tally = _Tally()
    for rows in entity_frames(reader, COLUMNS):
        tally.add(rows)
    return tally.statistics()


@dataclass
class _Tally:
    """What was counted so far: entities, and by schema, and by country for things and for intervals."""

    entities: int = 0
    schemata: Counter[str] = field(default_factory=Counter)
    countries: dict[str, Counter[str]] = field(
        default_factory=lambda: {THING: Counter(), INTERVAL: Counter()}
    )
    seen: set[str] = field(default_factory=set)
    start: str | None = None
    end: str | None = None

    def add(self, rows: "pl.DataFrame") -> None:
        """Count rows of entities that no other frame has rows of."""
        import polars as pl

        if rows[s.EXTERNAL].any():
            rows = rows.filter(~pl.col(s.EXTERNAL))
        if not len(rows):
            return
        kinds = _runs(rows.select(s.ENTITY_ID, s.SCHEMA)).unique()
        self.entities += kinds[s.ENTITY_ID].n_unique()
        self.schemata.update(dict(_counted(kinds[s.SCHEMA])))
        self._add_countries(rows.filter(pl.col(s.PROP_TYPE) == "country"))
        self._add_dates(rows[s.VALUE].filter(rows[s.PROP_TYPE].eq("date").fill_null(False)))

    def _add_countries(self, rows: "pl.DataFrame") -> None:
        import polars as pl

        self.seen.update(rows[s.VALUE].unique())
        for root, countries in self.countries.items():
            among = rows.filter(pl.col(s.SCHEMA).is_in(descendants(root)))
            countries.update(dict(_counted(among.select(s.ENTITY_ID, s.VALUE).unique()[s.VALUE])))

    def _add_dates(self, values: "pl.Series") -> None:
        first, last = values.min(), values.max()
        if isinstance(first, str) and isinstance(last, str):
            self.start = first if self.start is None else min(self.start, first)
            self.end = last if self.end is None else max(self.end, last)

    def statistics(self) -> Statistics:
        """The counts so far, sorted."""
        return Statistics(
            things=self._counts(THING),
            intervals=self._counts(INTERVAL),
            entity_count=self.entities,
            start=self.start,
            end=self.end,
            countries=sorted(self.seen),
        )

    def _counts(self, root: str) -> Counts:
        model = ftm_model()
        schemata = []
        for name, count in _ranked(self.schemata):
            schema = model.schemata.get(name)
            if schema is not None and name in descendants(root):
                schemata.append(SchemaCount(name=name, count=count, label=schema.label, plural=schema.plural))
        countries = [
            CountryCount(code=code, count=count, label=model.countries.get(code, code.upper()))
            for code, count in _ranked(self.countries[root])
        ]
        return Counts(total=sum(found.count for found in schemata), countries=countries, schemata=schemata)


def _runs(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The rows that differ from the one before them: far fewer, and all there are."""
    import polars as pl

    return frame.filter(pl.any_horizontal(pl.all().ne_missing(pl.all().shift(1))))


def _counted(values: "pl.Series") -> Iterator[tuple[str, int]]:
    return values.alias("value").value_counts(name="count").iter_rows()


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, those alike by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
