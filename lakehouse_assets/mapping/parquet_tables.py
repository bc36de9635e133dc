"""Tables in parquet files."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData, LakehouseError
from lakehouse_assets.mapping.tables import Batch

if TYPE_CHECKING:
    import polars as pl

_BATCH_ROWS = 20_000


class ParquetTable:
    """A parquet file. Rows are counted from 1."""

    def __init__(self, path: Path, name: str) -> None:
        import pyarrow.parquet as pq

        self._path = path
        self._name = name
        with _readable(name):
            self._schema = pq.read_schema(path)
        self.columns: Sequence[str] = self._schema.names
        self.description: Mapping[str, str] = {"format": "parquet"}

    def batches(self, columns: Collection[str]) -> Iterator[Batch]:
        """The rows, with those of these columns that there are; InvalidData when one holds lists or records."""
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = [name for name in self.columns if name in columns]
        self._check(wanted)
        with pq.ParquetFile(self._path, pre_buffer=False) as file:
            total = max(file.metadata.num_rows, 1)
            batches = file.iter_batches(_BATCH_ROWS, columns=wanted)
            row = 0
            while True:
                with _readable(self._name):
                    batch = next(batches, None)
                    if batch is None:
                        return
                    frame = _texts(pl.DataFrame(pa.Table.from_batches([batch])))
                numbers = pl.int_range(row + 1, row + 1 + batch.num_rows, eager=True)
                row += batch.num_rows
                yield Batch(numbers, frame, [], row / total)

    def _check(self, wanted: Sequence[str]) -> None:
        import pyarrow.types as types

        for name in wanted:
            found = self._schema.field(name).type
            if types.is_nested(found):
                msg = f"{self._name}: the column {name} holds {found}; a mapping reads texts, write it as one there"
                raise InvalidData(msg)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    import polars as pl
    import pyarrow as pa

    try:
        yield
    except LakehouseError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as exc:
        msg = f"cannot read {name}: {exc}; write the file again"
        raise InvalidData(msg) from exc


def _texts(frame: "pl.DataFrame") -> "pl.DataFrame":
    """All columns as texts."""
    return frame.select(_text(column) for column in frame)


def _text(column: "pl.Series") -> "pl.Series":
    import polars as pl

    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        if kind.time_zone is not None:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        # days are often kept as times at midnight
        return column.dt.to_string("iso:strict").str.replace(r"(T00:00:00)?\.0+$", "")
    return column.cast(pl.String)
