"""Versions of series, and what collections do with all of theirs."""

from datetime import UTC, datetime

import polars as pl
import pytest

from lakehouse_assets.collections import Collection, Repo, Schema, Series
from lakehouse_assets.errors import InvalidData, NotFound
from tests.unit.collections.rows import NUMBERS, SCHEMA, times, values, write


def test_earlier_versions_are_read_by_time_and_by_revision(series: Series, collection: Collection) -> None:
    for value in (10.0, 20.0, 30.0):
        write(series, 1, 2, value=value)
    revisions = series.revisions()
    for moments in (revisions, [revision.at for revision in revisions]):
        assert [values(series, before=moment) for moment in moments] == [[], [10.0, 10.0], [20.0, 20.0]]
    assert values(series, before=datetime(2000, 1, 1)) == []
    assert (
        values(series, before=datetime.now(UTC))
        == values(series, before=datetime(2999, 1, 1))
        == [30.0, 30.0]
    )
    assert values(series, version=revisions[0].version) == [10.0, 10.0]
    collection.delete("s")
    assert (collection.ls(), times(series), collection.ls(before=series.revisions()[-1])) == ([], [], ["s"])
    assert values(series, before=series.revisions()[-1]) == [30.0, 30.0]


def test_a_collection_goes_back_to_an_earlier_version(numbers: Series, collection: Collection) -> None:
    first = numbers.revisions()[0]
    write(numbers, 3, value=9.0)
    (collection / "more").write(NUMBERS)
    assert len(collection.restore(version=first.version)) == 1
    assert (values(numbers), collection.ls()) == ([1.0, 2.0, 3.0, 4.0, 5.0], ["s"])
    assert collection.restore(version=first.version) == []
    collection.restore(before=collection.revisions()[-1])
    assert collection.ls() == ["more", "s"]
    for named in ({}, {"version": 99}, {"version": 1, "before": first}):
        with pytest.raises((InvalidData, NotFound)):
            collection.restore(**named)


def test_revisions_tell_what_was_done(collection: Collection) -> None:
    with collection.multi():
        for name in "ab":
            write(collection / name, 1)
    (collection / "a").delete()
    told = [(one.operation, one.series, one.rows) for one in collection.revisions()]
    assert told == [("WRITE", ("a", "b"), 2), ("WRITE", ("a",), 0)]
    assert [one.version for one in (collection / "b").revisions()] == [1]


def test_a_trimmed_collection_forgets_its_early_versions(series: Series, collection: Collection) -> None:
    assert collection.trim() == 0
    for value in (1.0, 2.0, 3.0, 4.0):
        write(series, 1, value=value)
    revisions = series.revisions()
    assert collection.trim() == 0
    assert collection.trim(revisions[1].at) == 2
    assert (series.revisions(), values(series)) == (revisions[2:], [4.0])
    assert (values(series, before=revisions[1]), values(series, before=revisions[3])) == ([], [3.0])
    assert collection.trim(datetime(2999, 1, 1)) == 1
    assert (len(series.revisions()), values(series)) == (1, [4.0])
    assert values(Repo(series.collection.location.uri.rsplit("/.lakehouse")[0]).get("c") / "s") == [4.0]
    write(series, 2)
    assert values(series) == [4.0, 2.0]


def test_a_collection_is_defragmented_without_any_change(series: Series, collection: Collection) -> None:
    for number in range(6):
        write(series, *range(number * 10, number * 10 + 10))
    at = series.revisions()[2]
    assert collection.defrag(max_chunk=6) == collection.defrag(max_chunk=0) == []
    (done,) = collection.defrag(max_chunk=4)
    assert (done.operation, done.removed, done.added < 6) == ("OPTIMIZE", 6, True)
    assert times(series) == list(range(60))
    collection.defrag()
    assert (times(series), times(series, before=at), collection.defrag()) == (
        list(range(60)),
        list(range(20)),
        [],
    )
    assert len(collection.table.log.snapshot().files) == 1


def test_large_series_have_files_of_a_million_rows_at_most(series: Series, collection: Collection) -> None:
    for number in range(3):
        span = pl.int_range(number * 700_000, (number + 1) * 700_000, eager=True)
        series.write({"time": span, "value": span.cast(pl.Float64)})
    collection.defrag(max_chunk=1)
    sizes = [file.rows for file in collection.table.log.snapshot().files.values()]
    assert (sum(sizes), max(sizes) <= 1_000_000) == (2_100_000, True)
    assert series.frame()["time"].is_sorted()


def test_rows_that_come_together_stay_together_until_some_of_them_change(
    series: Series, collection: Collection
) -> None:
    def sizes() -> list[int | None]:
        files = collection.table.log.snapshot().files.values()
        return [file.rows for file in sorted(files, key=lambda file: file.lower or 0)]

    for start in (0, 100_000):
        span = pl.int_range(start, start + 100_000, eager=True)
        series.write({"time": span, "value": span.cast(pl.Float64)})
    assert sizes() == [100_000, 100_000]
    write(series, 100_500, value=1.0)
    assert sizes() == [100_000, *[20_000] * 5]
    write(series, 100_600, value=1.0)
    assert (series.revisions()[-1].added, series.revisions()[-1].rows) == (1, 20_000)
    assert times(series) == list(range(200_000))


def test_a_defragmentation_keeps_rows_of_the_same_index_together(repo: Repo) -> None:
    series = repo.create_collection(SCHEMA, "same") / "s"
    span = [*range(9_996), *[9_996] * 8, *range(9_997, 20_000)]
    write(series, *span)
    assert times(series) == span
    series.collection.defrag(max_chunk=1)
    assert times(series) == span


def test_series_are_listed_deleted_and_renamed(collection: Collection) -> None:
    write(collection / "b", 1, 2, 3)
    write(collection / "a", 7)
    assert ([each.label for each in collection], collection.ls()) == (["a", "b"], ["a", "b"])
    collection.delete("a", "nope")
    assert (collection.ls(), times(collection / "a"), collection.delete("nope")) == (["b"], [], [])
    collection.rename("b", "n")
    assert (collection.ls(), times(collection / "n")) == (["n"], [1, 2, 3])
    write(collection / "m", 10, 11, 12)
    collection.rename("m", "n")
    assert (collection.ls(), times(collection / "n")) == (["n"], [1, 2, 3, 10, 11, 12])
    assert collection.rename("nope", "x") == []
    with pytest.raises(InvalidData):
        collection.rename("n", "..")


def test_writes_in_a_block_are_one_revision(collection: Collection) -> None:
    with collection.multi():
        for name in ("a", "b", "c"):
            write(collection / name, 1)
        assert (collection.ls(), times(collection / "a")) == ([], [])
    assert (collection.ls(), len(collection.revisions())) == (["a", "b", "c"], 1)
    with collection.multi():
        write(collection / "s", *range(5))
        write(collection / "s", *range(3, 8), value=100.0)
    assert values(collection / "s") == [0.0, 1.0, 2.0, *[100.0] * 5]


def test_a_block_that_fails_writes_nothing_and_the_collection_goes_on(collection: Collection) -> None:
    def fail() -> None:
        with collection.multi():
            write(collection / "a", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (collection.ls(), collection.revisions()) == ([], [])
    assert write(collection / "a", 2) == 1
    with collection.multi():
        write(collection / "a", 3)
        with pytest.raises(InvalidData), collection.multi():
            pass
    assert times(collection / "a") == [2, 3]


def test_a_deletion_in_a_block_counts_in_its_turn(collection: Collection) -> None:
    write(collection / "s", 1, 2, 3)
    with collection.multi():
        (collection / "s").delete()
        write(collection / "s", 2, value=9.0)
    assert (times(collection / "s"), values(collection / "s")) == ([2], [9.0])


def test_a_clone_renames_and_fills_columns(repo: Repo, numbers: Series, collection: Collection) -> None:
    other = repo.create_collection(Schema(time="int*", val="float", tag="str"), "other")
    collection.clone(other, rename={"value": "val"}, defaults={"tag": "k"})
    assert (other / "s").frame()["val"].to_list() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert set((other / "s").frame()["tag"]) == {"k"}
    with pytest.raises(ValueError, match="not empty"):
        collection.clone(other)
    whole = repo.create_collection(Schema(time="int*", value="int"), "whole")
    collection.clone(whole)
    assert (whole / "s").frame()["value"].to_list() == [1, 2, 3, 4, 5]
    write(numbers, 6, value=0.5)
    with pytest.raises(InvalidData, match="would change"):
        collection.clone(repo.create_collection(Schema(time="int*", value="int"), "not whole"))


def test_there_is_nothing_to_merge(numbers: Series, collection: Collection) -> None:
    assert (collection.merge(), collection.refresh(), times(numbers)) == ([], None, [1, 2, 3, 4, 5])
