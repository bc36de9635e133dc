"""
Checkpoints as Arrow IPC files, written and read by polars.

    <name>.arrow            a frame that was put as a whole; where it is, it alone counts
    <name>.parts/*.arrow    one that was put in parts

Parts take over from a whole frame by its move among them, and a whole frame from parts by its appearance, so that a
crash at any moment leaves what was there before or what is there now.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, cast

from lakehouse_assets.errors import LakehouseError, NotFound, StorageError, WrongType
from lakehouse_assets.layout import stamp
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.options import for_polars

# polars takes half a second to import: only when a frame is read or written
if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

    import polars as pl

Compression = Literal["uncompressed", "lz4", "zstd"]

_SUFFIX = ".arrow"
# no part that is named can be called so
_FIRST = f"_first{_SUFFIX}"


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
        folder = Location(base, self._options)
        if folder.exists(_whole(name)):
            return self._scan(folder, [_whole(name)])
        parts = sorted(_parts_of(folder, name), key=lambda key: (not key.endswith(f"/{_FIRST}"), key))
        return self._scan(folder, parts) if parts else None

    def write(
        self, name: str, base: str, data: "pl.LazyFrame", *, append: bool, part: str | None = None
    ) -> None:
        """Write a frame, whole or not at all; WrongType before that when it is no LazyFrame."""
        frame = _checked(name, data)
        folder = Location(base, self._options)
        if append:
            key = f"{_parts(name)}/{part or _unnamed()}{_SUFFIX}"
            with self._written(folder, key, frame):
                _make_room(folder, name)
            return
        with self._written(folder, _whole(name), frame):
            pass
        # they do not count any more
        for key in _parts_of(folder, name):
            folder.delete(key)

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


def _make_room(folder: Location, name: str) -> None:
    """
    Make a whole frame the first of the parts, where there is one; else nothing.

    Any number of processes do this at once. Each looks for parts before it looks for the whole frame: where that is
    still there, nobody has written a part since, and those that were found are left over from before it was put.
    """
    left_over = _parts_of(folder, name)
    if not folder.exists(_whole(name)):
        return
    first = f"{_parts(name)}/{_FIRST}"
    for key in left_over:
        if key != first:
            folder.delete(key)
    try:
        folder.move(_whole(name), first)
    except NotFound:
        # somebody else was faster
        return


def _parts_of(folder: Location, name: str) -> list[str]:
    return [f"{_parts(name)}/{file}" for file in folder.names(_parts(name)) if file.endswith(_SUFFIX)]


def _whole(name: str) -> str:
    return f"{name}{_SUFFIX}"


def _parts(name: str) -> str:
    return f"{name}.parts"


def _unnamed() -> str:
    """A name for a part that nobody named: in the order of time."""
    return f"~{stamp(now_utc())}-{secrets.token_hex(4)}"
