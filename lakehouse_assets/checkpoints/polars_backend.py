"""Checkpoints as Arrow IPC files, written and read by polars."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, cast

from lakehouse_assets.checkpoints.places import Place
from lakehouse_assets.errors import LakehouseError, StorageError, WrongType
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.options import for_polars

# polars takes half a second to import: only when a frame is read or written
if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    import polars as pl

Compression = Literal["uncompressed", "lz4", "zstd"]

_SUFFIX = ".arrow"


class PolarsBackend:
    """
    LazyFrames in Arrow IPC files: streamed in, and mapped into memory when they are read from local disk.

    Example:
        >>> import polars as pl
        >>> backend = PolarsBackend(compression="lz4")
        >>> backend.write("ids", "memory://checkpoints/runs/r1", pl.LazyFrame({"id": [1]}), append=False)
        >>> backend.probe("ids", "memory://checkpoints/runs/r1").collect().height
        1
    """

    def __init__(
        self, storage_options: Mapping[str, str] | None = None, *, compression: Compression = "uncompressed"
    ) -> None:
        """
        Frames with this compression; what is there already is read with any.

        Uncompressed is the fastest on local disk; lz4 pays where the way to the store is slow.
        """
        self._options = dict(storage_options or {})
        self._compression: Compression = compression

    @property
    def storage_options(self) -> dict[str, str]:
        """Credentials and endpoint of an object store, as given."""
        return dict(self._options)

    def probe(self, name: str, base: str) -> "pl.LazyFrame | None":
        """The frame under a name, None when there is none; it is read when it is collected."""
        place = self._place(name, base)
        keys = place.counting()
        return self._scan(place.folder, keys) if keys else None

    def write(
        self, name: str, base: str, data: "pl.LazyFrame", *, append: bool, part: str | None = None
    ) -> None:
        """Write a frame, whole or not at all; WrongType before that when it is no LazyFrame."""
        frame = _checked(name, data)
        place = self._place(name, base)
        if append:
            with self._written(place.folder, place.part(part), frame):
                place.make_room()
            return
        with self._written(place.folder, place.whole, frame):
            pass
        place.drop_parts()

    def _place(self, name: str, base: str) -> Place:
        return Place(Location(base, self._options), name, _SUFFIX)

    def _scan(self, folder: Location, keys: list[str]) -> "pl.LazyFrame":
        import polars as pl

        if folder.path is not None:
            paths = [folder.path / key for key in keys]
            return pl.scan_ipc(paths, glob=False, hive_partitioning=False)
        if folder.uri.startswith("s3://"):
            urls = [folder.url(key) for key in keys]
            options = for_polars(self._options)
            return pl.scan_ipc(urls, glob=False, hive_partitioning=False, storage_options=options)
        # polars does not know memory://
        return pl.scan_ipc([folder.read(key) for key in keys])

    @contextmanager
    def _written(self, folder: Location, key: str, frame: "pl.LazyFrame") -> Iterator[None]:
        """Write a frame; its file appears when the block ends well."""
        if folder.path is not None:
            with folder.placing(key) as path:
                self._sink(frame, path, folder.url(key))
                yield
        else:
            # not by polars itself, which leaves an open upload behind when it fails
            with folder.writer(key) as file:
                self._sink(frame, cast("IO[bytes]", file), folder.url(key))
                yield

    def _sink(self, frame: "pl.LazyFrame", to: "Path | IO[bytes]", url: str) -> None:
        try:
            frame.sink_ipc(to, compression=self._compression)
        except (LakehouseError, FileNotFoundError):
            raise
        except OSError as exc:
            # polars may name another file than the one that is in the way
            msg = f"the checkpoint {url} cannot be written: {exc}; nothing was changed, see to that and try again"
            raise StorageError(msg) from exc


def _checked(name: str, data: object) -> "pl.LazyFrame":
    import polars as pl

    if isinstance(data, pl.LazyFrame):
        return data
    found = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    hint = "; call .lazy() on it" if isinstance(data, pl.DataFrame) else ""
    msg = f"the checkpoint {name!r} takes a polars.LazyFrame, not a {found}{hint}"
    raise WrongType(msg)
