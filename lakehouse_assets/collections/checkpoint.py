"""
The checkpoints of a Delta table's log: a version's whole state as one Parquet file, a row for each action.

The format is that of the Delta protocol (delta-io/delta, PROTOCOL.md, "Checkpoints"), in one file, version 1: what
every program reads. A log that would lose something in it is refused.
"""

import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.collections.commits import Action
from lakehouse_assets.errors import InvalidData, LakehouseError

if TYPE_CHECKING:
    import pyarrow as pa

STATE = ("add", "metaData", "protocol")
"""The actions that tell which files a version has, and what it needs of its readers."""

# what passes with a commit, and is no part of the state
_PASSING = {"commitInfo", "cdc", "checkpointMetadata"}
# what is said in other columns as well, or of files that nobody reads any more
_DERIVED = {"add": {"stats_parsed", "partitionValues_parsed"}, "remove": {"stats"}}


def read_checkpoint(file: BinaryIO, kinds: Sequence[str] | None = None, *, place: str) -> list[Action]:
    """The actions of some kinds, or all, in a checkpoint; InvalidData, with its `place`, when it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    try:
        opened = pq.ParquetFile(file)
        present = opened.schema_arrow.names
        names = present if kinds is None else [name for name in kinds if name in present]
        for batch in opened.iter_batches(columns=names):
            for row in batch.to_pylist(maps_as_pydicts="lossy"):
                action = {name: told for name, told in row.items() if told}
                if action:
                    found.append(cast(Action, action))
    except LakehouseError:
        # the place does not answer
        raise
    except (pa.ArrowInvalid, OSError, EOFError) as exc:
        msg = f"{place} is no checkpoint of a Delta table: {exc}"
        raise InvalidData(f"{msg}; restore it from a copy of the table") from exc
    return found


def state_of(actions: Iterable[Action]) -> list[Action]:
    """
    What is left of actions in the order in which they were taken.

    Files that were taken out stay known: as long as an earlier version needs them, nobody may delete them.
    """
    single: dict[str, Action] = {}
    programs: dict[str, Action] = {}
    added: dict[str, Action] = {}
    removed: dict[str, Action] = {}
    for action in actions:
        for kind, told in action.items():
            if not told:
                # some write the kinds down that an action is not
                continue
            path = str(told.get("path"))
            if kind == "add":
                removed.pop(path, None)
                added[path] = {kind: {**told, "dataChange": False}}
            elif kind == "remove":
                added.pop(path, None)
                removed[path] = {kind: {**told, "dataChange": False}}
            elif kind == "txn":
                programs[str(told.get("appId"))] = {kind: told}
            elif kind not in _PASSING:
                single[kind] = {kind: told}
    return [*single.values(), *programs.values(), *added.values(), *removed.values()]


def checkpoint_of(state: Sequence[Action], *, table: str) -> bytes:
    """A state as the file of a checkpoint; InvalidData when the `table` has what would be lost in it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, sink = _schema(), io.BytesIO()
    known = {
        kind.name: {field.name for field in kind.type} | _DERIVED.get(kind.name, set()) for kind in schema
    }
    for action in state:
        for kind, told in action.items():
            lost = {name for name, value in told.items() if value is not None} - known.get(kind, set())
            if lost:
                msg = f"another program wrote {kind} with {', '.join(sorted(lost))} to {table}, which is not known here"
                raise InvalidData(f"{msg}; let that program write a checkpoint")
    try:
        pq.write_table(_as_table(state, schema), sink, compression="snappy")
    except pa.ArrowInvalid as exc:
        msg = f"the log of {table} cannot be written as a checkpoint: {exc}"
        raise InvalidData(f"{msg}; restore an earlier version") from exc
    return sink.getvalue()


def _as_table(state: Sequence[Action], schema: "pa.Schema") -> "pa.Table":
    """Actions as rows; by way of JSON, as Arrow loads all of pandas, where there is one, for objects of Python."""
    import pyarrow as pa
    import pyarrow.json as pj

    row = pa.struct(list(schema))
    data = "".join(f"{json.dumps(_with_pairs(action, row))}\n" for action in state).encode()
    found = pj.read_json(
        io.BytesIO(data),
        # one line may be as long as all of them
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=pa.schema(list(_listed(row)))),
    )
    return pa.table([_mapped(found[kind.name].combine_chunks(), kind.type) for kind in schema], schema=schema)


def _with_pairs(value: object, kind: "pa.DataType") -> object:
    """A value of a kind with pairs in the place of maps, which Arrow does not read from JSON."""
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_map(kind):
        return [{"key": key, "value": told} for key, told in cast("dict[str, object]", value).items()]
    if pa.types.is_struct(kind):
        told = cast("dict[str, object]", value)
        return {field.name: _with_pairs(told.get(field.name), field.type) for field in kind}
    return value


def _listed(kind: "pa.DataType") -> "pa.DataType":
    """A kind with lists of pairs in the place of maps."""
    import pyarrow as pa

    if pa.types.is_map(kind):
        return pa.list_(pa.struct({"key": kind.key_type, "value": kind.item_type}))
    if pa.types.is_struct(kind):
        return pa.struct({field.name: _listed(field.type) for field in kind})
    return kind


def _mapped(array: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    """The same the other way round."""
    import pyarrow as pa

    if pa.types.is_map(kind):
        keys, values = array.values.field("key"), array.values.field("value")
        return pa.MapArray.from_arrays(array.offsets, keys, values, type=kind, mask=array.is_null())
    if pa.types.is_struct(kind):
        children = [_mapped(array.field(field.name), field.type) for field in kind]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=array.is_null())
    return array


def _schema() -> "pa.Schema":
    import pyarrow as pa

    text, number, flag = pa.string(), pa.int64(), pa.bool_()
    texts, pairs = pa.list_(text), pa.map_(text, text)
    kinds = {
        "txn": {"appId": text, "version": number, "lastUpdated": number},
        "add": {
            "path": text,
            "partitionValues": pairs,
            "size": number,
            "modificationTime": number,
            "dataChange": flag,
            "stats": text,
            "tags": pairs,
        },
        "remove": {
            "path": text,
            "deletionTimestamp": number,
            "dataChange": flag,
            "extendedFileMetadata": flag,
            "partitionValues": pairs,
            "size": number,
            "tags": pairs,
        },
        "metaData": {
            "id": text,
            "name": text,
            "description": text,
            "format": pa.struct({"provider": text, "options": pairs}),
            "schemaString": text,
            "partitionColumns": texts,
            "configuration": pairs,
            "createdTime": number,
        },
        "protocol": {
            "minReaderVersion": pa.int32(),
            "minWriterVersion": pa.int32(),
            "readerFeatures": texts,
            "writerFeatures": texts,
        },
    }
    return pa.schema({kind: pa.struct(fields) for kind, fields in kinds.items()})
