"""Putting small files together."""

import json
from itertools import pairwise

import deltalake
import polars as pl
import pytest

from lakehouse_assets import layout
from lakehouse_assets.statements import compact, ranges, stage
from lakehouse_assets.statements import schema as s
from tests.factories import company, entity, make_dataset, rows_of


@pytest.fixture
def acme(tmp_path):
    """A dataset of two origins with three files each, which have ids in common."""
    dataset = make_dataset(tmp_path)
    for number in range(3):
        for origin in ("one", "two"):
            ids = range(number, 60, number + 1)
            dataset.entities.add_many(
                (company(f"c{id:02}", name=[f"Name {number}"]) for id in ids), origin=origin
            )
    return dataset


def raw(dataset):
    """Every row as it lies there, in one order."""
    states = dataset.statements.reader.partitions()
    frames = [
        frame for state in states for frame in dataset.statements.reader.raw_rows(state.partition, s.COLUMNS)
    ]
    return pl.concat(frames).sort(*s.COLUMNS)


def files(dataset):
    return dataset.statements.table.snapshot().files


def test_small_files_become_one_and_no_row_changes(acme):
    before, answers, version = raw(acme), rows_of(acme), acme.content_version()
    job = acme.compact()
    assert job.partitions == ["0/thing/one", "0/thing/two"]
    assert (job.files_before, job.files_after, job.rows) == (6, 2, len(before))
    assert job.bytes == sum(file.size for file in files(acme))
    assert raw(acme).equals(before)
    assert rows_of(acme).equals(answers)
    assert acme.content_version() == version


def test_what_has_rows_to_compare_is_still_to_be_merged(acme):
    answers = rows_of(acme)
    acme.compact()
    assert acme.status().dirty_partitions == ["0/thing/one", "0/thing/two"]
    acme.merge()
    assert acme.status().dirty_partitions == []
    assert rows_of(acme).equals(answers)


def test_a_second_compaction_has_nothing_to_do_until_something_is_added(acme):
    assert not acme.compact().skipped
    assert acme.compact().skipped
    acme.entities.add_many([company("new")], origin="one")
    assert acme.compact().partitions == ["0/thing/one"]


def test_a_forced_compaction_keeps_what_is_merged_as_it_is(acme):
    acme.merge()
    before = raw(acme)
    assert acme.compact().partitions == []
    assert acme.compact(force=True).partitions == ["0/thing/one", "0/thing/two"]
    assert acme.status().dirty_partitions == []
    assert raw(acme).equals(before)


def test_new_files_are_sorted_and_cut_into_row_groups_by_entity(acme, monkeypatch):
    monkeypatch.setattr(stage, "ROW_GROUP", 8)
    acme.compact()
    reader = acme.statements.reader
    for file in files(acme):
        footer = reader.footers.of(file)
        assert footer.sorted
        assert len(footer.groups) > 5
        ends = [(group.first, group.last) for group in footer.groups]
        assert all(last < first for (_, last), (first, _) in pairwise(ends))


def test_large_results_are_cut_into_files_of_disjoint_ids(acme, monkeypatch):
    monkeypatch.setattr(stage, "ROW_GROUP", 8)
    monkeypatch.setattr(ranges.plan, "__defaults__", (8,))
    before = raw(acme)
    acme.compact()
    monkeypatch.setattr(compact, "FILE_BYTES", 4000)
    job = acme.compact(force=True)
    assert 2 < job.files_after < 40
    spans = sorted((file.partition, file.first, file.last) for file in files(acme))
    for (here, _, last), (there, first, _) in pairwise(spans):
        assert here != there or last < first
    assert raw(acme).equals(before)


def test_large_files_are_left_alone(acme, monkeypatch):
    monkeypatch.setattr(compact, "SMALL", 1)
    assert acme.compact().partitions == []


def test_the_commit_says_that_no_data_changed(acme, tmp_path):
    version = acme.statements.table.snapshot().version
    acme.compact()
    log = tmp_path / "acme/statements/_delta_log" / f"{version + 1:020}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    changes = [action.get("add") or action.get("remove") for action in actions]
    assert [change["dataChange"] for change in changes if change] == [False] * 4


def test_exports_stay_fresh(acme):
    acme.make()
    acme.compact()
    assert acme.make().skipped


def test_tags_say_when_the_last_compaction_began(acme):
    acme.compact()
    tags = acme.tags
    assert tags.get(layout.TAG_STATEMENTS_COMPACTED) > tags.get(layout.TAG_STATEMENTS_UPDATED)
    # other programs merge by this one, and nothing was merged
    assert tags.get(layout.TAG_STATEMENTS_OPTIMIZED) is None


def test_a_table_of_another_program_is_compacted(tmp_path):
    dataset = make_dataset(tmp_path)
    dataset.entities.add_many([company("c1"), entity("d1", "Document", title=["One"])], origin="ours")
    rows = rows_of(dataset).with_columns(pl.lit("theirs").alias(s.ORIGIN))
    for part in (rows[::2], rows[1::2], rows[::-1]):
        deltalake.write_deltalake(
            str(tmp_path / "acme/statements"), part.select(s.COLUMNS).to_arrow(), mode="append"
        )
    before, answers = raw(dataset), rows_of(dataset)
    assert set(dataset.compact().partitions) == {"0/document/theirs", "0/thing/theirs"}
    assert raw(dataset).equals(before)
    assert rows_of(dataset).equals(answers)


def test_what_another_program_adds_in_between_is_new_content(acme, monkeypatch):
    table = acme.statements.table
    rows = rows_of(acme).head(1).with_columns(pl.lit("theirs").alias(s.ORIGIN))
    replace = table.replace

    def beside(*args, **options):
        if not beside.done:
            beside.done = True
            deltalake.write_deltalake(str(table.location.path), rows.to_arrow(), mode="append")
        return replace(*args, **options)

    beside.done = False
    monkeypatch.setattr(table, "replace", beside)
    version = acme.content_version()
    acme.compact()
    assert acme.content_version() != version
    assert len(rows_of(acme).filter(pl.col(s.ORIGIN) == "theirs")) == 1


def test_an_empty_dataset_has_nothing_to_compact(tmp_path):
    dataset = make_dataset(tmp_path)
    assert dataset.compact().skipped
    assert dataset.vacuum().files == 0
