"""Checkpoints of Spark, by a real server of Spark Connect."""

import threading
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore, SparkBackend
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.storage.location import Location
from tests.s3.store import Bucket, Server

RUN = CheckpointScope.RUN


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, folder: Path, s3: Server) -> Location:
    if request.param == "local":
        return Location(folder)
    # the server's credentials count for every bucket
    return Bucket(s3, s3.bucket(f"spark-{uuid.uuid4().hex[:8]}").name).location


@pytest.fixture
def store(spark: Any, root: Location) -> CheckpointStore[Any]:
    return CheckpointStore(root, SparkBackend(spark, root.storage_options))


def ids(spark: Any, *values: int) -> Any:
    return spark.createDataFrame([(value, str(value)) for value in values], "id long, name string")


def put(store: CheckpointStore[Any], frame: Any, *, append: bool = False, part: str | None = None) -> None:
    store.put("x", run_id="r", scope=RUN, data=frame, append=append, part=part)


def got(store: CheckpointStore[Any]) -> list[int]:
    return sorted(row.id for row in store.get("x", run_id="r").collect())


def folders(root: Location) -> list[str]:
    """The folders of files, without what makes them visible."""
    return [name for name in root.folders("runs/r") if not name.endswith(".parts")]


def test_what_was_put_is_got(store: CheckpointStore[Any], spark: Any) -> None:
    with pytest.raises(NotFound):
        store.get("x", run_id="r")
    put(store, ids(spark, 1, 2, 3))
    found = store.get("x", run_id="r")
    assert ([field.name for field in found.schema], got(store)) == (["id", "name"], [1, 2, 3])


def test_a_frame_without_rows_keeps_its_schema(store: CheckpointStore[Any], spark: Any) -> None:
    put(store, ids(spark, 1).filter("id > 1"))
    found = store.get("x", run_id="r")
    assert (found.count(), [field.dataType.typeName() for field in found.schema]) == (0, ["long", "string"])


def test_a_second_put_takes_the_place_of_the_first(
    store: CheckpointStore[Any], spark: Any, root: Location
) -> None:
    put(store, ids(spark, 1))
    put(store, ids(spark, 2), append=True)
    put(store, store.get("x", run_id="r").selectExpr("id * 10 as id"))
    assert (got(store), len(folders(root)), list(root.folders("runs/r/x.parts"))) == ([10, 20], 1, [])


def test_parts_are_read_as_one_and_a_part_that_is_put_again_replaces_itself(
    store: CheckpointStore[Any], spark: Any, root: Location
) -> None:
    put(store, ids(spark, 0))
    for part in (1, 2, 1):
        put(store, ids(spark, part, part * 10), append=True, part=f"p{part}")
    put(store, ids(spark).filter("id > 0"), append=True, part="empty")
    assert (got(store), len([name for name in folders(root) if root.names(f"runs/r/{name}")])) == (
        [0, 1, 2, 10, 20],
        3,
    )


def test_parts_that_are_put_at_once_are_all_kept(store: CheckpointStore[Any], spark: Any) -> None:
    put(store, ids(spark, 0))
    threads = [
        threading.Thread(target=put, args=(store, ids(spark, number)), kwargs={"append": True})
        for number in range(1, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got(store) == [0, 1, 2, 3]


def test_parts_with_different_columns_are_told(store: CheckpointStore[Any], spark: Any) -> None:
    put(store, ids(spark, 1), append=True)
    put(store, ids(spark, 1).select("id"), append=True)
    with pytest.raises(InvalidData, match="different columns"):
        store.get("x", run_id="r")


def test_a_frame_that_fails_leaves_what_was_there(
    store: CheckpointStore[Any], spark: Any, root: Location
) -> None:
    put(store, ids(spark, 1))
    before = sorted(root.keys())
    for append in (False, True):
        with pytest.raises(Exception, match="on purpose"):
            put(store, ids(spark, 1, 2).selectExpr("raise_error('on purpose') as id"), append=append)
    assert (got(store), sorted(root.keys())) == ([1], before)


def test_files_that_nothing_names_do_not_count(
    store: CheckpointStore[Any], spark: Any, root: Location
) -> None:
    put(store, ids(spark, 1))
    name = root.names(f"runs/r/{folders(root)[0]}")[0]
    root.write(f"runs/r/x.killed/{name}", root.read(f"runs/r/{folders(root)[0]}/{name}"))
    assert got(store) == [1]
    root.delete("runs/r/x.json")
    with pytest.raises(NotFound):
        store.get("x", run_id="r")


def test_files_that_are_gone_or_cut_off_are_told(
    store: CheckpointStore[Any], spark: Any, root: Location
) -> None:
    put(store, ids(spark, 1))
    directory = folders(root)[0]
    file = f"runs/r/{directory}/{root.names(f'runs/r/{directory}')[0]}"
    root.write(file, root.read(file)[:-1])
    with pytest.raises(InvalidData, match=r"not whole.*run the step"):
        store.get("x", run_id="r")
    root.delete(file)
    with pytest.raises(InvalidData, match="has none"):
        store.get("x", run_id="r")
    put(store, ids(spark, 2))
    assert got(store) == [2]
    root.write("runs/r/x.json", b"{}")
    with pytest.raises(InvalidData, match="no file of a checkpoint"):
        store.get("x", run_id="r")
    put(store, ids(spark, 3))
    assert got(store) == [3]


def test_other_frames_are_refused_before_anything_is_written(
    store: CheckpointStore[Any], root: Location
) -> None:
    with pytest.raises(TypeError, match=r"pyspark\.sql\.DataFrame, not a polars\.LazyFrame"):
        put(store, pl.LazyFrame({"id": [1]}))
    assert list(root.keys()) == []


def test_a_clean_up_leaves_nothing(store: CheckpointStore[Any], spark: Any, root: Location) -> None:
    put(store, ids(spark, 1))
    put(store, ids(spark, 2), append=True)
    store.cleanup_run("r")
    assert list(root.keys()) == []
