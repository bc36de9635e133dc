"""What programs write into the journal: confirmed by close, visible after a flush, exactly once."""

import json
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Lake
from lakehouse_assets.mapping.config import DatasetMapping
from lakehouse_assets.operations import FlushJob, FlushOperation
from lakehouse_assets.statements.flush import APP
from tests.factories import company, entity, make_dataset, rows_of, tree, values_of


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path)


def write(dataset, *entities, origin="scraper", **options):
    """Write entities and confirm them."""
    with dataset.entities.writer(origin, **options) as writer:
        writer.add_many(entities)
    return writer.job


def names(dataset):
    return {value for _, prop, value in values_of(dataset) if prop == "name"}


def journal_files(dataset):
    return sorted(key for key in dataset.location.keys(layout.JOURNAL))


def test_what_was_written_is_visible_after_a_flush_and_not_before(dataset):
    job = write(dataset, company("c1", name=["One"]))
    assert (job.entities, job.rows, dataset.status().journal_rows) == (1, 2, 2)
    assert names(dataset) == set()
    flushed = dataset.flush()
    assert (flushed.segments, flushed.rows, flushed.skipped) == (1, 2, False)
    assert names(dataset) == {"One"}
    assert dataset.status().journal_rows == 0


def test_a_flushed_journal_says_what_an_import_says(tmp_path):
    when = "2026-01-02T03:04:05"
    lines = [{**company(f"c{number % 7}", name=[f"N{number}"]), "last_seen": when} for number in range(20)]
    lines += [{**entity("d1", "Document", title=["T"]), "last_seen": when, "fragment": "f", "role": "r"}]
    direct, written = make_dataset(tmp_path / "a"), make_dataset(tmp_path / "b")
    direct.import_entities(lines, origin="o")
    write(written, *lines, origin="o")
    written.flush()
    columns = [name for name in rows_of(direct).columns if name != "first_seen"]
    assert rows_of(written).select(columns).equals(rows_of(direct).select(columns))


def test_several_segments_of_a_partition_become_one_sorted_file_that_is_known_to_be_canonical(dataset):
    for number in range(5):
        write(dataset, company("same"), company(f"c{9 - number}", name=[f"N{number}"]))
    assert dataset.flush().segments == 5
    (state,) = dataset.statements.reader.partitions()
    assert (state.files, state.canonical) == (1, True)
    assert names(dataset) == {"Acme Inc.", "N0", "N1", "N2", "N3", "N4"}
    assert dataset.content_version().endswith(":1")


def test_a_single_segment_is_only_given_another_name(dataset):
    write(dataset, company("c1"))
    (key,) = [key for key in journal_files(dataset) if key.endswith(".parquet")]
    number = dataset.location.local(key).stat().st_ino
    dataset.flush()
    (file,) = dataset.location.path.glob("statements/shard=*/**/*.parquet")
    assert file.stat().st_ino == number


def test_a_block_that_raised_leaves_nothing(dataset):
    writer = dataset.entities.writer("scraper")

    def fail():
        with writer:
            writer.add(company("c1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert writer.job is None
    assert journal_files(dataset) == []
    assert dataset.flush().skipped


def test_a_writer_that_got_nothing_leaves_nothing(dataset):
    before = tree(dataset.location.path, reports=True)
    with dataset.entities.writer("scraper") as writer:
        pass
    assert writer.job is None
    assert tree(dataset.location.path, reports=True) == before


def test_a_closed_writer_takes_nothing_more_and_closes_again_without_effect(dataset):
    writer = dataset.entities.writer("scraper")
    writer.add_entity(company("c1"))
    assert writer.close() is writer.close()
    with pytest.raises(InvalidData, match="closed"):
        writer.add(company("c2"))
    assert dataset.flush().segments == 1


def test_an_origin_that_cannot_be_one_is_refused_when_the_writer_is_opened(dataset):
    with pytest.raises(InvalidData):
        dataset.entities.writer("a/b\0")


def test_what_cannot_be_taken_is_counted_and_the_rest_is_confirmed(dataset):
    job = write(dataset, company("c1"), {"id": "x", "schema": "Nonsense", "properties": {}})
    assert (job.entities, job.errors) == (1, 1)
    assert json.loads(dataset.location.read(job.quarantine))["reason"] == "unknown schema 'Nonsense'"


def test_proxies_and_entities_of_statements_are_written_as_they_are(dataset):
    from followthemoney import model

    write(dataset, model.get_proxy(company("c1", name=["Proxy"])))
    dataset.flush()
    write(dataset, dataset.entities.get("c1"), company("c2", name=["Two"]), origin="other")
    dataset.flush()
    assert names(dataset) == {"Proxy", "Two"}
    assert set(rows_of(dataset).filter(rows_of(dataset)["entity_id"] == "c1")["origin"]) == {"scraper"}


def test_a_flush_with_nothing_to_do_touches_nothing(dataset):
    write(dataset, company("c1"))
    dataset.flush()
    before = tree(dataset.location.path, reports=True)
    job = dataset.flush()
    assert (job.skipped, job.done, job.running) == (True, 0, False)
    assert tree(dataset.location.path, reports=True) == before


def test_the_tags_say_when_it_was_written_and_when_the_flush_began(dataset):
    write(dataset, company("c1"))
    updated = dataset.tags.get(layout.TAG_JOURNAL_UPDATED)
    job = dataset.flush()
    flushed = dataset.tags.get(layout.TAG_JOURNAL_FLUSHED)
    assert updated < flushed <= job.stopped
    assert dataset.tags.get(layout.TAG_STATEMENTS_UPDATED) > flushed


def test_the_table_knows_the_number_of_the_last_batch(dataset):
    for number in (1, 2, 3):
        write(dataset, company(f"c{number}"))
        dataset.flush()
        assert dataset.statements.table.last_step(APP) == number


def test_the_version_of_the_journal_changes_with_what_is_written_and_not_with_flushes(dataset):
    versions = [dataset.statements.journal.version()]
    for number in range(2):
        write(dataset, company(f"c{number}"))
        versions.append(dataset.statements.journal.version())
        dataset.flush()
        assert dataset.statements.journal.version() == versions[-1]
    assert len(set(versions)) == 3


def test_exports_and_make_flush_first(dataset):
    write(dataset, company("c1", name=["One"]))
    assert dataset.export("entities").rows == 1
    write(dataset, company("c2", name=["Two"]))
    made = dataset.make()
    assert {made.artifacts[name]["rows"] for name in ("entities",)} == {2}
    assert dataset.make().skipped


def test_a_deletion_takes_what_was_confirmed_before_it(dataset):
    write(dataset, company("c1", name=["Before"]))
    assert dataset.delete(["c1"]).entities == 1
    assert names(dataset) == set()
    write(dataset, company("c1", name=["After"]))
    dataset.flush()
    assert names(dataset) == {"After"}


def test_what_is_written_after_a_deletion_comes_back_whatever_its_time(dataset):
    old = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    write(dataset, company("c1"), company("c2"))
    dataset.delete(["c1"])
    write(dataset, {**company("c1", name=["Back"]), "last_seen": old})
    dataset.flush()
    before = names(dataset)
    dataset.merge(force=True)
    assert before == names(dataset) == {"Acme Inc.", "Back"}


def test_an_import_that_replaces_takes_back_what_was_confirmed_before_it(dataset):
    write(dataset, company("c1", name=["Gone"]), origin="list")
    dataset.import_entities([company("c2", name=["Kept"])], origin="list", replace=True)
    assert names(dataset) == {"Kept"}


def test_an_import_into_the_journal_replaces_when_it_is_flushed(dataset, tmp_path):
    dataset.import_entities([company("c1", name=["Gone"])], origin="list")
    job = dataset.import_entities([company("c2", name=["Kept"])], origin="list", replace=True, journal=True)
    assert job.deleted == 2
    assert names(dataset) == {"Gone"}
    dataset.flush()
    assert names(dataset) == {"Kept"}
    dataset.merge(force=True)
    assert names(dataset) == {"Kept"}


def test_the_operation_runs_by_its_job_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_URI", str(tmp_path))
    dataset = make_dataset(tmp_path)
    write(dataset, company("c1"))
    assert FlushOperation(FlushJob.make(dataset="acme")).run().segments == 1
    assert names(Lake(tmp_path).dataset("acme")) == {"Acme Inc."}


def test_a_segment_that_cannot_be_read_stops_the_flush_and_says_which_it_is(dataset):
    write(dataset, company("c1"))
    (key,) = [key for key in journal_files(dataset) if key.endswith(".json")]
    dataset.location.write(key, b"{")
    with pytest.raises(InvalidData, match=r"journal/2.*cannot be read, so nothing was flushed"):
        dataset.flush()
    assert names(dataset) == set()


def test_a_mapping_may_write_through_the_journal(dataset, tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("id,name,alias\n1,Jane,Joan\n")
    checksum = dataset.archive.store(str(table), key="people.csv").checksum
    for number, column in enumerate(["name", "alias"]):
        entity = {"schema": "Person", "key": "id", "properties": {"name": {"column": column}}}
        found = {"dataset": "acme", "content_hash": checksum, "queries": [{"entities": {"p": entity}}]}
        dataset.mappings.put(DatasetMapping.model_validate(found))
        (ran,) = dataset.mappings.run(journal=True)
        assert (ran.job.entities, ran.job.deleted) == (1, 2 * number)
        assert len(names(dataset)) == number
        dataset.flush()
        assert names(dataset) == {["Jane", "Joan"][number]}


def test_a_crawl_may_write_its_entities_through_the_journal(dataset, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    dataset.crawl(tmp_path / "in", journal=True)
    assert dataset.status().entities == 0
    dataset.flush()
    assert dataset.status().entities == 1
    assert dataset.crawl(tmp_path / "in", journal=True).known == 1


def test_rows_that_a_dead_writer_left_are_cleared_away_and_those_of_a_segment_are_not(dataset):
    write(dataset, company("c1"))
    left = dataset.location.path / "journal/rows/dead/shard=0"
    left.mkdir(parents=True)
    (left / "part.parquet").write_bytes(b"x")
    assert dataset.vacuum(force=True).swept == 0
    long_ago = time.time() - timedelta(days=2).total_seconds()
    for path in dataset.location.path.glob("journal/rows/**/*.parquet"):
        os.utime(path, (long_ago, long_ago))
    with dataset.statements.staging("live"):
        assert dataset.vacuum(force=True).swept == 1
    assert not left.exists()
    assert dataset.flush().rows == 2


def test_rows_of_a_writer_that_is_at_work_are_left_alone(dataset):
    with dataset.statements.staging("live") as staging:
        staging.write(rows_like(dataset))
        staging.finish()
        for path in dataset.location.path.glob("journal/rows/**/*.parquet"):
            soon = time.time() + 60
            os.utime(path, (soon, soon))
        assert dataset.vacuum(force=True).swept == 0


def rows_like(dataset):
    """Rows as a writer has them."""
    other = make_dataset(dataset.location.path.parent / "other")
    other.import_entities([company("c9")])
    return rows_of(other)


def test_what_lies_in_the_folder_and_is_no_segment_is_left_alone(dataset):
    dataset.location.write("journal/README.txt", b"x")
    dataset.location.write("journal/some.json", b"{}")
    assert dataset.flush().skipped
    write(dataset, company("c1"))
    assert dataset.flush().segments == 1
    assert set(dataset.location.names("journal")) == {"README.txt", "some.json", "flush.json"}


def test_a_journal_whose_batch_was_lost_goes_on_with_the_number_of_the_table(dataset):
    for number in range(3):
        write(dataset, company(f"c{number}"))
        dataset.flush()
        dataset.location.delete(layout.JOURNAL_BATCH)
    assert dataset.statements.table.last_step(APP) == 3
    assert len(values_of(dataset)) == 3


def test_a_segment_that_somebody_removed_holds_nothing_up(dataset, caplog):
    write(dataset, company("c1"))
    write(dataset, company("c2", name=["Two"]))
    first = dataset.statements.journal.waiting()[0]
    slot = dataset.statements.journal.slot()
    batch = {"number": 1, "segments": tuple(each.name for each in dataset.statements.journal.waiting())}
    dataset.statements.journal.exchange(slot, slot.batch.model_copy(update=batch))
    dataset.location.delete(layout.journal_segment(first.name))
    dataset.flush()
    assert names(dataset) == {"Two"}
    assert "is gone, its rows are lost" in caplog.text
