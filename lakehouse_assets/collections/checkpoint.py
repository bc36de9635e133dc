"""The checkpoints of a Delta table's log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

from lakehouse_assets.storage.location import Location

_STATE = ("add", "metaData", "protocol")


def read_checkpoint(file: BinaryIO, kinds: Sequence[str] = _STATE) -> list[dict[str, dict[str, object]]]:
    """The actions of a checkpoint, by default the files that the version has, and what it needs of its readers."""
    import pyarrow.parquet as pq

    opened = pq.ParquetFile(file)
    names = [name for name in kinds if name in opened.schema_arrow.names]
    found = []
    for batch in opened.iter_batches(columns=names):
        for row in batch.to_pylist(maps_as_pydicts="lossy"):
            action = {name: told for name, told in row.items() if told}
            if action:
                found.append(cast("dict[str, dict[str, object]]", action))
    return found


def checkpoint_elsewhere(table: Location, folder: str, version: int | None) -> None:
    """Write the checkpoint of a table that delta-rs cannot reach: it makes it of a copy of the log on local disk."""
    with _made(table, folder, version) as logs:
        before = set(table.names(folder))
        for made in sorted(logs.iterdir()):
            if made.name not in before or made.name == "_last_checkpoint":
                table.write(f"{folder}/{made.name}", made.read_bytes())


def checkpoint_to(target: Location, table: Location, folder: str, version: int) -> None:
    """Write the checkpoint of a version into the log of another table."""
    name = f"{version:020}.checkpoint.parquet"
    with _made(table, folder, version) as logs:
        target.write(f"{folder}/{name}", (logs / name).read_bytes())


@contextmanager
def _made(table: Location, folder: str, version: int | None) -> Iterator[Path]:
    """A copy of a table's log on local disk, with a checkpoint of this version."""
    import deltalake

    with TemporaryDirectory() as place:
        logs = Path(place, folder)
        logs.mkdir()
        for name in table.names(folder):
            (logs / name).write_bytes(table.read(f"{folder}/{name}"))
        deltalake.DeltaTable(place, version=version).create_checkpoint()
        yield logs
