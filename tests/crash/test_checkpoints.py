"""Checkpoints whose writers are killed: what was there before stays readable, or what is new is there whole."""

import multiprocessing
import os
import random
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore
from tests.s3.store import Bucket, Server

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
ROWS = 1_500_000

# forked from a process that has loaded what is slow to load and starts no threads, so that a kill is cheap
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["polars", "s3fs", "tests.crash.test_checkpoints"])


def frame(number: int) -> pl.LazyFrame:
    """Rows that all say the same, and how many there are, so that half of them would show."""
    return pl.LazyFrame({"row": pl.int_range(ROWS, eager=True)}).with_columns(number=number)


def put_for_ever(root: str, options: dict[str, str], begun: str, append: bool) -> None:
    import logging

    logging.disable()
    store = CheckpointStore(root, storage_options=options)
    for number in range(100_000):
        # by turns whole and in parts
        part = append and number % 3 > 0
        store.put("x", run_id="r", scope=CheckpointScope.RUN, data=frame(number), append=part)
        Path(begun).touch()


def look(store: CheckpointStore[pl.LazyFrame]) -> list[int]:
    """The numbers of what is there; an assertion when something of it is not whole."""
    rows = store.get("x", run_id="r").group_by("number").agg(pl.len(), pl.col("row").sum()).collect()
    assert set(rows["len"]) == {ROWS}
    assert set(rows["row"]) == {ROWS * (ROWS - 1) // 2}
    return sorted(rows["number"])


def kill_once(root: str, options: dict[str, str], begun: Path, seconds: float, append: bool) -> None:
    begun.unlink(missing_ok=True)
    child = processes.Process(target=put_for_ever, args=(root, options, str(begun), append))
    child.start()
    while not begun.exists():
        time.sleep(0.005)
    time.sleep(seconds)
    child.kill()
    child.join()


@pytest.mark.parametrize("append", [False, True], ids=["whole", "parts"])
def test_a_kill_at_any_moment_of_a_put_leaves_no_half_checkpoint(tmp_path: Path, append: bool) -> None:
    chance, seen = random.Random(), Counter[str]()
    store: CheckpointStore[pl.LazyFrame] = CheckpointStore(tmp_path / "checkpoints")
    for _ in range(ROUNDS * 3):
        kill_once(str(tmp_path / "checkpoints"), {}, tmp_path / "begun", chance.uniform(0, 0.15), append)
        found = look(store)
        # the last whole frame, and all parts that were put after it, one after the other
        assert found == list(range(found[0], found[0] + len(found)))
        assert not append or found[0] % 3 == 0
        seen[f"{len(found)} found"] += 1
    torn = list((tmp_path / "checkpoints").rglob(".tmp-*"))
    print(f"{sum(seen.values())} kills: {dict(seen)}, {len(torn)} of them in the middle of a file")
    assert sum(seen.values()) == ROUNDS * 3


def settle(bucket: Bucket) -> None:
    """Wait until the server has done what it was asked before the kill."""
    before = None
    while (now := list(bucket.location.entries())) != before:
        before = now
        time.sleep(1.5)


def test_a_kill_in_an_upload_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    server = Server()
    try:
        bucket = server.bucket("checkpoints")
        store = CheckpointStore(bucket.location)
        chance, found = random.Random(), []
        for _ in range(ROUNDS):
            kill_once(bucket.uri, bucket.options, tmp_path / "begun", chance.uniform(0, 0.5), False)
            settle(bucket)
            found.append(len(look(store)))
        print(f"{len(found)} kills, {len(bucket.uploads())} of them in the middle of an upload")
        assert set(found) == {1}
    finally:
        server.stop()
