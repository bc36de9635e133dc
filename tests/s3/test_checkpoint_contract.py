"""What a store of checkpoints promises, on local disk, in memory and on S3 alike."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore, FolderCleaner, PolarsBackend
from lakehouse_assets.errors import NotFound, StorageError
from lakehouse_assets.storage.location import Location
from tests.s3.store import Bucket

RUN, CORRELATION = CheckpointScope.RUN, CheckpointScope.CORRELATION
Store = CheckpointStore[pl.LazyFrame]


@pytest.fixture(params=["local", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location(tmp_path / "check points=[1]")
    if request.param == "memory":
        return Location(f"memory://{tmp_path.name}/{time.monotonic_ns()}")
    return request.getfixturevalue("bucket").location


@pytest.fixture
def store(root: Location) -> Store:
    return CheckpointStore(root)


def ids(*values: int) -> pl.LazyFrame:
    return pl.LazyFrame({"id": values})


def put(store: Store, frame: pl.LazyFrame, *, append: bool = False, part: str | None = None) -> None:
    store.put("x", run_id="r", scope=RUN, data=frame, append=append, part=part)


def got(store: Store, name: str = "x") -> list[int]:
    return store.get(name, run_id="r").collect()["id"].to_list()


def failing(after: int = 0) -> pl.LazyFrame:
    """So many rows, and then an error."""

    def fail(frame: pl.DataFrame) -> pl.DataFrame:
        raise ZeroDivisionError("on purpose")

    rows = pl.LazyFrame({"id": range(after)})
    return pl.concat([rows, ids(1).map_batches(fail, schema={"id": pl.Int64})])


def test_what_was_put_is_got_by_the_same_run(store: Store, root: Location) -> None:
    put(store, ids(1, 2, 3))
    assert (got(store), list(root.keys())) == ([1, 2, 3], ["runs/r/x.arrow"])
    with pytest.raises(NotFound):
        store.get("x", run_id="other")


def test_what_is_put_for_a_correlation_is_got_by_all_its_runs(store: Store, root: Location) -> None:
    store.put("x", run_id="r", correlation_id="c", scope=CORRELATION, data=ids(1))
    assert list(root.keys()) == ["correlations/c/x.arrow"]
    assert store.get("x", run_id="r2", correlation_id="c").collect()["id"].to_list() == [1]
    for correlation_id in (None, "", "other"):
        with pytest.raises(FileNotFoundError):
            store.get("x", run_id="r", correlation_id=correlation_id)


def test_what_the_run_put_counts_before_what_its_correlation_has(store: Store) -> None:
    store.put("x", run_id="r", correlation_id="c", scope=CORRELATION, data=ids(1))
    put(store, ids(2))
    assert store.get("x", run_id="r", correlation_id="c").collect()["id"].to_list() == [2]
    assert store.get("x", run_id="r2", correlation_id="c").collect()["id"].to_list() == [1]


def test_what_is_missing_is_named_with_the_places_and_what_to_do(store: Store, root: Location) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        store.get("orders", run_id="r1", correlation_id="c1")
    told = str(caught.value)
    for part in (f"{root.uri}/runs/r1/orders", f"{root.uri}/correlations/c1/orders", "step", "expired"):
        assert part in told
    with pytest.raises(FileNotFoundError, match="pass the correlation_id"):
        store.get("orders", run_id="r1")


def test_a_second_put_takes_the_place_of_the_first(store: Store, root: Location) -> None:
    put(store, ids(1, 2))
    put(store, pl.LazyFrame({"id": [3], "name": ["c"]}))
    assert store.get("x", run_id="r").collect().rows() == [(3, "c")]
    assert list(root.keys()) == ["runs/r/x.arrow"]


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_a_frame_without_rows_keeps_its_schema(root: Location, compression: str) -> None:
    schema = {
        "id": pl.Int8,
        "at": pl.Datetime("us", "UTC"),
        "tags": pl.List(pl.String),
        "kind": pl.Categorical,
    }
    store = CheckpointStore(root, PolarsBackend(root.storage_options, compression=compression))
    put(store, pl.LazyFrame(schema=schema))
    found = store.get("x", run_id="r").collect()
    assert (found.height, dict(found.schema)) == (0, schema)
    put(store, pl.LazyFrame({"id": range(10_000)}))
    assert (
        CheckpointStore(root).get("x", run_id="r").select(pl.col("id").sum()).collect().item() == 49_995_000
    )


def test_other_frames_are_refused_before_anything_is_written(store: Store, root: Location) -> None:
    for frame, named in (
        (pl.DataFrame({"id": [1]}), r"DataFrame; call \.lazy\(\)"),
        ([1], "list"),
        (None, "None"),
    ):
        with pytest.raises(TypeError, match=rf"'x' takes a polars\.LazyFrame, not a .*{named}"):
            put(store, frame)  # type: ignore[arg-type]
    assert list(root.keys()) == []


def test_parts_are_read_as_one_in_the_order_of_their_names(store: Store, root: Location) -> None:
    for part in ("b", "c", "a"):
        put(store, ids(ord(part)), append=True, part=part)
    assert got(store) == [ord("a"), ord("b"), ord("c")]
    put(store, ids(0), append=True, part="b")
    assert got(store) == [ord("a"), 0, ord("c")]
    assert list(root.keys()) == [f"runs/r/x.parts/{part}.arrow" for part in "abc"]


def test_parts_without_names_are_all_kept_in_the_order_of_time(store: Store) -> None:
    for number in range(5):
        put(store, ids(number), append=True)
    assert got(store) == [0, 1, 2, 3, 4]


def test_a_whole_frame_becomes_the_first_part(store: Store, root: Location) -> None:
    put(store, ids(1))
    put(store, ids(3), append=True, part="Z")
    put(store, ids(2), append=True, part="0")
    assert got(store) == [1, 2, 3]
    assert not root.exists("runs/r/x.arrow")


def test_a_whole_frame_replaces_all_parts(store: Store, root: Location) -> None:
    put(store, ids(1))
    put(store, ids(2), append=True)
    put(store, ids(3))
    assert (got(store), list(root.keys())) == ([3], ["runs/r/x.arrow"])
    put(store, ids(4), append=True)
    assert got(store) == [3, 4]


def test_parts_that_a_crash_left_behind_a_whole_frame_do_not_count(store: Store, root: Location) -> None:
    put(store, ids(1), append=True, part="a")
    put(store, ids(2), append=True, part="b")
    old = {key: root.read(key) for key in list(root.keys())}
    put(store, ids(3))
    for key, data in old.items():
        root.write(key, data)
    assert got(store) == [3]
    put(store, ids(4), append=True, part="c")
    assert got(store) == [3, 4]


def test_a_crash_between_the_move_of_a_whole_frame_and_the_part_changes_nothing(
    store: Store, root: Location
) -> None:
    put(store, ids(1))
    root.copy("runs/r/x.arrow", "runs/r/x.parts/_first.arrow", folder=root)
    assert got(store) == [1]
    root.delete("runs/r/x.arrow")
    assert got(store) == [1]
    put(store, ids(2), append=True)
    assert got(store) == [1, 2]


@pytest.mark.parametrize("whole", [True, False])
def test_processes_that_append_at_once_lose_no_part(store: Store, whole: bool) -> None:
    if whole:
        put(store, ids(-1))
    gate = threading.Barrier(8)

    def append(number: int) -> None:
        gate.wait()
        put(store, ids(number), append=True, part=f"p{number}")

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got(store) == [-1] * whole + list(range(8))


def test_parts_of_different_kinds_are_told_when_they_are_read(store: Store) -> None:
    put(store, ids(1), append=True)
    put(store, pl.LazyFrame({"id": ["text"]}), append=True)
    with pytest.raises(pl.exceptions.SchemaError, match="id"):
        store.get("x", run_id="r").collect()


def test_a_frame_that_fails_half_way_leaves_what_was_there(store: Store, root: Location) -> None:
    for frame in (failing(), failing(3_000_000)):
        with pytest.raises(ZeroDivisionError):
            put(store, frame)
        assert list(root.keys()) == []
        with pytest.raises(NotFound):
            store.get("x", run_id="r")
    put(store, ids(1))
    put(store, ids(2), append=True, part="a")
    before = list(root.keys())
    for append in (False, True):
        with pytest.raises(ZeroDivisionError):
            put(store, failing(3_000_000), append=append, part="a" if append else None)
        assert (got(store), list(root.keys())) == ([1, 2], before)


def test_a_frame_made_from_itself_can_take_its_own_place(store: Store) -> None:
    put(store, ids(1, 2))
    put(store, store.get("x", run_id="r").with_columns(pl.col("id") * 10))
    assert got(store) == [10, 20]
    put(store, store.get("x", run_id="r").with_columns(pl.col("id") + 1), append=True)
    assert got(store) == [10, 20, 11, 21]
    put(store, store.get("x", run_id="r").filter(pl.col("id") > 11))
    assert got(store) == [20, 21]


def test_a_clean_up_deletes_that_run_or_correlation_only_and_may_be_repeated(store: Store) -> None:
    for run in ("r", "r2"):
        store.put("x", run_id=run, scope=RUN, data=ids(1))
        store.put("y", run_id=run, correlation_id=f"c-{run}", scope=CORRELATION, data=ids(1))
    for _ in range(2):
        store.cleanup_run("r")
        store.cleanup_correlation("c-r2")
    assert [(tree.scope, tree.id) for tree in store.trees()] == [(RUN, "r2"), (CORRELATION, "c-r")]


def test_what_is_there_is_listed_with_its_size(store: Store, root: Location) -> None:
    assert store.trees() == []
    put(store, ids(1))
    put(store, ids(2), append=True)
    tree = store.trees()[0]
    assert (tree.scope, tree.id, tree.files) == (RUN, "r", 2)
    assert tree.bytes == sum(root.size(key) or 0 for key in list(root.keys()))
    assert abs(tree.newest - datetime.now(UTC)) < timedelta(seconds=10)


def test_a_sweep_deletes_what_is_old_and_not_needed(store: Store) -> None:
    for run in ("a", "b"):
        store.put("x", run_id=run, scope=RUN, data=ids(1))
    assert store.sweep(older=timedelta(hours=1)).trees == []
    now = timedelta(seconds=-5)
    assert [tree.id for tree in store.sweep(older=now, dry_run=True).trees] == ["a", "b"]
    swept = store.sweep(older=now, is_needed=lambda tree: tree.id == "b")
    assert ([tree.id for tree in swept.trees], swept.bytes > 0) == (["a"], True)
    assert [tree.id for tree in store.trees()] == ["b"]


def test_backend_and_cleaner_can_be_given(root: Location) -> None:
    class Remembering(FolderCleaner):
        def __init__(self) -> None:
            super().__init__(root.storage_options)
            self.deleted: list[str] = []

        def delete_tree(self, path: str) -> None:
            self.deleted.append(path)
            super().delete_tree(path)

    cleaner = Remembering()
    store = CheckpointStore(f"{root.uri}/", PolarsBackend(storage_options=root.storage_options), cleaner)
    put(store, ids(1))
    store.cleanup_run("r")
    assert (cleaner.deleted, store.trees()) == ([f"{root.uri}/runs/r"], [])


# local disk


def test_what_a_killed_writer_left_is_swept_after_a_day(tmp_path: Path) -> None:
    store: Store = CheckpointStore(tmp_path)
    put(store, ids(1))
    old, new = (tmp_path / "runs" / "r" / f".tmp-{name}" for name in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b"torn")
    os.utime(old, (0, 0))
    assert store.sweep(older=timedelta(days=7)).left_behind == ["runs/r/.tmp-old"]
    assert (new.exists(), got(store)) == (True, [1])


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StorageError, match=str(tmp_path)):
        put(CheckpointStore(tmp_path), ids(1))


# S3


@pytest.fixture
def on_s3(bucket: Bucket) -> tuple[Store, Bucket]:
    return CheckpointStore(bucket.location), bucket


def test_a_frame_that_fails_leaves_no_open_upload(on_s3: tuple[Store, Bucket]) -> None:
    store, bucket = on_s3
    begun: list[str] = []

    def fail(frame: pl.DataFrame) -> pl.DataFrame:
        until = time.monotonic() + 10
        while not begun and time.monotonic() < until:
            begun.extend(bucket.uploads())
            time.sleep(0.05)
        raise ZeroDivisionError("on purpose")

    rows = pl.LazyFrame({"id": range(6_000_000)})
    with pytest.raises(ZeroDivisionError):
        put(store, pl.concat([rows, ids(1).map_batches(fail, schema={"id": pl.Int64})]))
    assert (begun, bucket.uploads(), bucket.keys()) == (["lake/runs/r/x.arrow"], [], [])


def test_a_missing_bucket_is_no_missing_checkpoint(bucket: Bucket) -> None:
    store: Store = CheckpointStore("s3://no-such-bucket/lake", storage_options=bucket.options)
    for act in (
        lambda: store.get("x", run_id="r"),
        lambda: put(store, ids(1)),
        lambda: store.cleanup_run("r"),
        store.trees,
    ):
        with pytest.raises(StorageError, match=r"no-such-bucket.*make the bucket"):
            act()


def test_an_upload_that_a_killed_writer_left_open_is_swept(on_s3: tuple[Store, Bucket]) -> None:
    store, bucket = on_s3
    for key in ("lake/runs/r/x.arrow", "elsewhere/x.arrow"):
        bucket.server.ask("POST", f"{bucket.name}/{key}?uploads", b"")
    # the server of the tests says of every upload that it began long ago
    assert store.sweep(older=timedelta(days=7)).left_behind == ["runs/r/x.arrow"]
    assert bucket.uploads() == ["elsewhere/x.arrow"]


def test_a_store_that_refuses_is_named(on_s3: tuple[Store, Bucket]) -> None:
    store, bucket = on_s3
    put(store, ids(1))
    bucket.rule(methods=["PUT", "POST"], status=503, code="SlowDown")
    with pytest.raises(StorageError, match=r"s3://.*x\.arrow"):
        put(store, ids(2))
    bucket.heal()
    assert got(store) == [1]
