"""
Checkpoints as folders of parquet files, written and read by Spark.

    <name>.json         which folder holds the frame, with its files and its schema; in parts <name>.parts/*.json
    <name>.<token>/     the files, in a folder that is new for each write

The small file makes the frame visible, as a folder cannot appear at once: servers of Spark delete what they overwrite
before they write, some leave no sign of success, read a folder that is missing as empty, and write none for no rows.
"""

import json
import logging
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from lakehouse_assets.checkpoints.places import Place
from lakehouse_assets.errors import InvalidData, NotFound, WrongType
from lakehouse_assets.storage.location import Location

# pyspark is an extra, and takes its time to import
if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger(__name__)

_SUFFIX = ".json"


class _Written(BaseModel):
    """What a file that makes a frame visible says: its folder, its files with their sizes, its schema as JSON."""

    directory: str
    files: dict[str, int]
    columns: str


class SparkBackend:
    """
    DataFrames of Spark, also of a session over Spark Connect, in folders of parquet files.

    This process and the server must see the same files under the same address.

    Example:
        >>> session = SparkSession.builder.remote("sc://localhost").getOrCreate()  # doctest: +SKIP
        >>> store = CheckpointStore("s3://bucket/checkpoints", SparkBackend(session))  # doctest: +SKIP
    """

    def __init__(
        self,
        session: "SparkSession",
        storage_options: Mapping[str, str] | None = None,
        *,
        s3_protocol: str = "s3a",
    ) -> None:
        """
        Frames of this session.

        `storage_options` are for this process; the server has its own. `s3_protocol` is what it calls S3.
        """
        self._session = session
        self._options = dict(storage_options or {})
        self._s3_protocol = s3_protocol

    @property
    def storage_options(self) -> dict[str, str]:
        """Credentials and endpoint of an object store, as given."""
        return dict(self._options)

    def probe(self, name: str, base: str) -> "DataFrame | None":
        """The frame under a name, None when there is none; InvalidData when files of it are gone."""
        place = self._place(name, base)
        written = [_read(place.folder, key) for key in place.counting()]
        if not written:
            return None
        for one in written:
            _verify(place.folder, name, one)
        schema = _schema(name, written)
        folders = [self._url(place.folder, one.directory) for one in written if one.files]
        if not folders:
            return self._session.createDataFrame([], schema)
        return self._session.read.schema(schema).parquet(*folders)

    def write(
        self, name: str, base: str, data: "DataFrame", *, append: bool, part: str | None = None
    ) -> None:
        """Write a frame, whole or not at all; WrongType before that when it is no DataFrame of Spark."""
        frame = _checked(name, data)
        place = self._place(name, base)
        key = place.part(part) if append else place.whole
        old = _replaced(place.folder, [key] if append else [key, *place.parts()])
        new = self._write(place, frame)
        if append:
            place.make_room()
        place.folder.write(key, new.model_dump_json().encode())
        if not append:
            place.drop_parts()
        for directory in old:
            place.folder.delete_tree(directory)

    def _place(self, name: str, base: str) -> Place:
        return Place(Location(base, self._options), name, _SUFFIX)

    def _write(self, place: Place, frame: "DataFrame") -> _Written:
        """Write the files of a frame; until something names them they are nothing."""
        directory = f"{place.name}.{secrets.token_hex(16)}"
        if place.folder.path is not None:
            # servers that run as somebody else make no folders in ours
            place.folder.path.mkdir(parents=True, exist_ok=True)
        try:
            frame.write.parquet(self._url(place.folder, directory))
        except BaseException:
            log.debug("removing what was written of %s", place.folder.url(directory))
            place.folder.delete_tree(directory)
            raise
        files = {
            entry.key.rpartition("/")[2]: entry.size
            for entry in place.folder.entries(directory)
            if entry.key.endswith(".parquet")
        }
        return _Written(directory=directory, files=files, columns=frame.schema.json())

    def _url(self, folder: Location, directory: str) -> str:
        url = folder.url(directory)
        return f"{self._s3_protocol}://{url.removeprefix('s3://')}" if url.startswith("s3://") else url


def _checked(name: str, data: object) -> "DataFrame":
    from pyspark.sql import DataFrame

    if isinstance(data, DataFrame):
        return data
    found = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    msg = f"the checkpoint {name!r} takes a pyspark.sql.DataFrame, not a {found}"
    raise WrongType(msg)


def _read(folder: Location, key: str) -> _Written:
    try:
        return _Written.model_validate_json(folder.read(key))
    except ValidationError as exc:
        msg = f"{folder.url(key)} is no file of a checkpoint: {exc.errors()[0]['msg']}; run the step that puts it again"
        raise InvalidData(msg) from exc


def _replaced(folder: Location, keys: Iterable[str]) -> list[str]:
    """The folders that these files name; what cannot be read any more names none."""
    found = []
    for key in keys:
        try:
            found.append(_read(folder, key).directory)
        except (NotFound, InvalidData):
            continue
    return found


def _verify(folder: Location, name: str, written: _Written) -> None:
    """InvalidData when the files of a frame are not those that were written."""
    found = {entry.key.rpartition("/")[2]: entry.size for entry in folder.entries(written.directory)}
    for file, size in written.files.items():
        if found.get(file) != size:
            msg = (
                f"the checkpoint {name!r} is not whole: {folder.url(written.directory)}/{file} should have {size} "
                f"bytes and has {found.get(file, 'none')}; run the step that puts it again"
            )
            raise InvalidData(msg)


def _schema(name: str, written: Iterable[_Written]) -> "object":
    """The schema that all parts have; InvalidData when they differ."""
    from pyspark.sql.types import StructType

    schemas = [json.loads(one.columns) for one in written]
    kinds = [[(field["name"], field["type"]) for field in schema["fields"]] for schema in schemas]
    for kind in kinds[1:]:
        if kind != kinds[0]:
            msg = f"the parts of the checkpoint {name!r} have different columns: {kinds[0]} and {kind}; put like ones"
            raise InvalidData(msg)
    return StructType.fromJson(schemas[0])
