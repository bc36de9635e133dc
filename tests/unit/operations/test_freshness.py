"""What is fresh is not made again, and what is stale says why."""

import json
import os
import threading
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.operations import (
    DatasetJobOperation,
    ExportStatementsJob,
    ExportStatementsOperation,
    MakeJob,
)
from lakehouse_assets.operations.exports import OPERATIONS
from tests.factories import company, make_dataset, person, tree

NAMES = ["statements", "entities", "documents", "statistics", "index"]
DOCUMENT = {
    "id": "d1",
    "schema": "Document",
    "properties": {"fileName": ["a.txt"], "contentHash": ["0" * 64]},
}


@pytest.fixture
def acme(tmp_path):
    """A dataset with a company, a person and a document, all of it made."""
    dataset = make_dataset(tmp_path / "lake")
    dataset.entities.add_many([company(), person(), DOCUMENT])
    dataset.make()
    return dataset


def fresh(dataset):
    """The names of the exports that are fresh."""
    return [name for name in NAMES if dataset.freshness(name).fresh]


def test_after_make_everything_is_fresh(acme):
    assert fresh(acme) == NAMES
    assert list(acme.status().artifacts) == NAMES


def test_a_make_of_a_fresh_dataset_touches_nothing_and_says_so(tmp_path, acme, caplog):
    caplog.set_level("INFO")
    before = tree(tmp_path, reports=True)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    job = acme.make()
    assert (job.skipped, job.done, job.running) == (True, 0, False)
    assert job.stopped is not None
    assert [step["skipped"] for step in job.artifacts.values()] == [True] * 5
    assert tree(tmp_path, reports=True) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times
    assert "acme: operations/make/last_run is fresh" in caplog.text


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_export_is_not_written_and_its_job_tells_what_lies_there(tmp_path, acme, caplog, name):
    caplog.set_level("INFO")
    before = tree(tmp_path, reports=True)
    job = acme.export(name)
    assert (job.skipped, job.done, job.running) == (True, 0, False)
    assert f"acme: {EXPORTS[name].target} is fresh" in caplog.text
    record = acme.records.get(EXPORTS[name].target)
    assert (job.rows, job.bytes, job.digest, job.path) == (
        record.rows,
        record.size,
        record.digest,
        record.path,
    )
    assert tree(tmp_path, reports=True) == before


@pytest.mark.parametrize("name", NAMES)
def test_forced_it_is_written_all_the_same_with_the_same_bytes(acme, name):
    first = acme.export(name)
    again = acme.export(name, force=True)
    assert not again.skipped
    assert (again.digest, again.bytes, again.rows) == (first.digest, first.bytes, first.rows)
    assert acme.jobs.latest(OPERATIONS[name][0]).run_id == again.run_id


def test_a_forced_make_passes_it_on_to_every_step(acme):
    job = acme.make(force=True)
    assert [step["skipped"] for step in job.artifacts.values()] == [False] * 5
    assert (job.skipped, job.done) == (False, 5)


@pytest.mark.parametrize("change", ["import", "delete"])
def test_new_content_makes_every_export_stale_and_nothing_else_does_so_twice(acme, change):
    if change == "import":
        acme.entities.add_many([company("c2")])
    else:
        acme.delete(["c1"])
    assert fresh(acme) == ["index"]
    state = acme.freshness("statements")
    assert state.why == "statements changed since it was made"
    assert state.made_from["statements"] != state.current["statements"] == acme.content_version()
    assert not acme.make().skipped
    assert fresh(acme) == NAMES
    assert acme.make().skipped


def test_a_delete_that_finds_nothing_leaves_all_fresh(acme):
    acme.delete(["nobody"])
    assert fresh(acme) == NAMES


def test_a_merge_makes_nothing_stale_and_tags_move_along(tmp_path, acme):
    before = {name: acme.freshness(name).written_at for name in NAMES}
    assert acme.merge(force=True).partitions == ["0/document/default", "0/thing/default"]
    assert fresh(acme) == NAMES
    merged = acme.tags.get("statements/last_optimized")
    assert acme.tags.get("exports/statements.csv") < merged
    files = {key: digest for key, digest in tree(tmp_path).items() if "exports/" in key and "tags" not in key}
    assert acme.make().skipped
    # for programs that go by tags the exports are newer than the merge now, though no file was written
    for name in NAMES[:4]:
        assert acme.tags.get(EXPORTS[name].target) > merged
        assert acme.freshness(name).written_at == before[name]
    assert acme.tags.is_latest("index.json", [EXPORTS[name].target for name in NAMES[:4]])
    assert {key: tree(tmp_path)[key] for key in files} == files


def test_a_change_of_the_config_makes_only_the_index_stale(acme):
    acme.configure(title="Another title")
    assert fresh(acme) == NAMES[:4]
    assert acme.freshness("index").why == "config changed since it was made"
    job = acme.make()
    assert [name for name, step in job.artifacts.items() if not step["skipped"]] == ["index"]
    assert json.loads(acme.location.read("index.json"))["title"] == "Another title"


def test_a_change_of_the_public_address_makes_stale_what_holds_it(acme):
    acme.configure(public_url_prefix="https://example.org/${dataset}")
    assert fresh(acme) == ["statements", "entities", "statistics"]
    acme.make()
    assert fresh(acme) == NAMES
    assert json.loads(acme.location.read("index.json"))["resources"][0]["url"].startswith(
        "https://example.org/acme/"
    )


def test_a_change_of_the_compression_makes_stale_what_follows_it(acme):
    acme.configure(compression="gz")
    assert fresh(acme) == ["documents", "statistics"]
    assert "is wanted as exports/statements.csv.gz" in acme.freshness("statements").why
    acme.make()
    assert fresh(acme) == NAMES


def test_only_the_file_in_the_wanted_compression_stays(acme):
    def files():
        return [name for name in os.listdir(acme.location.path / "exports") if "statements" in name]

    assert files() == ["statements.csv"]
    for compression in ("gz", "zst", "gz"):
        acme.configure(compression=compression)
        acme.make()
        name = f"statements.csv.{compression}"
        assert files() == [name]
        assert name in [
            resource["name"] for resource in json.loads(acme.location.read("index.json"))["resources"]
        ]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_gone_is_made_again(acme, name):
    path = acme.freshness(name).path
    digest = acme.freshness(name).digest
    acme.location.delete(path)
    assert acme.freshness(name).why == f"the file {path} is gone"
    acme.make()
    assert fresh(acme) == NAMES
    assert acme.freshness(name).digest == digest


def test_a_file_of_another_size_is_made_again(acme):
    place = acme.location.local("entities.ftm.json")
    os.truncate(place, 10)
    assert "the file has 10 bytes" in acme.freshness("entities").why
    acme.make()
    assert acme.check("entities_json", "intact").passed


def test_another_format_version_makes_stale(acme):
    record = acme.records.get("entities.ftm.json")
    older = record.source | {"format": "0"}
    acme.records.put("entities.ftm.json", type(record)(**{**vars(record), "source": older}))
    assert acme.freshness("entities").why == "format changed since it was made"


class TestWithoutARecord:
    """Another program made the export: then tags decide."""

    @pytest.fixture
    def theirs(self, acme):
        for export in EXPORTS.values():
            acme.records.delete(export.target)
        return acme

    def test_a_tag_that_is_newer_than_the_statements_is_believed(self, theirs):
        later = datetime.now(UTC) + timedelta(seconds=1)
        theirs.tags.set("exports/statements.csv", later)
        state = theirs.freshness("statements")
        assert (state.fresh, state.rows, state.digest) == (True, None, None)
        assert theirs.export("statements").skipped

    @pytest.mark.parametrize(
        "tag", ["statements/last_updated", "statements/last_optimized", "journal/last_updated"]
    )
    def test_a_tag_that_is_older_is_not(self, theirs, tag):
        theirs.tags.set(tag, datetime.now(UTC) + timedelta(seconds=1))
        assert not theirs.freshness("statements").fresh
        assert not theirs.export("statements").skipped

    def test_no_tag_at_all_is_stale(self, theirs):
        theirs.tags.delete("exports/statements.csv")
        assert not theirs.freshness("statements").fresh

    def test_none_of_the_dependencies_with_a_tag_is_stale(self, theirs):
        for key in ("statements/last_updated", "statements/last_optimized", "journal/last_updated"):
            theirs.tags.delete(key)
        assert not theirs.freshness("statements").fresh

    def test_a_tag_without_the_file_is_no_proof(self, theirs):
        theirs.tags.set("exports/statements.csv", datetime.now(UTC) + timedelta(seconds=1))
        theirs.location.delete("exports/statements.csv")
        assert theirs.freshness("statements").why == "it was never made"

    def test_a_record_that_cannot_be_read_counts_as_none(self, acme):
        acme.location.write(layout.record("exports/statements.csv"), b"{broken")
        assert acme.freshness("statements").made_from == {}

    def test_a_file_that_another_program_replaced_makes_the_index_stale(self, acme):
        acme.location.write("exports/statistics.json", b'{"entity_count":0}')
        assert not acme.freshness("statistics").fresh
        acme.make()
        assert fresh(acme) == NAMES


class TestWhileItRuns:
    """A tag's time is when the work began: what arrives meanwhile leaves the target stale."""

    def test_an_import_during_an_export_leaves_it_stale(self, acme):
        class Slow(ExportStatementsOperation):
            def handle(self, run, *args, **kwargs):
                super().handle(run, *args, update_index=False)
                acme.entities.add_many([company("late")])

        Slow.from_job(ExportStatementsJob.make(dataset="acme"), acme).run(force=True)
        assert not acme.freshness("statements").fresh
        assert not acme.tags.is_latest("exports/statements.csv", ["statements/last_updated"])
        assert "late" in acme_csv(acme, acme.export("statements"))

    def test_the_index_written_beside_an_export_does_not_hide_a_later_import(self, acme):
        class Slow(ExportStatementsOperation):
            def _update_index(self):
                acme.entities.add_many([company("late")])
                super()._update_index()

        Slow.from_job(ExportStatementsJob.make(dataset="acme"), acme).run(force=True)
        assert not acme.freshness("statements").fresh
        # nor does it for programs that go by tags
        assert not acme.tags.is_latest("exports/statements.csv", ["statements/last_updated"])

    def test_imports_beside_exports_never_leave_a_stale_export_for_fresh(self, acme):
        done = threading.Event()

        def write():
            for number in range(12):
                acme.lake.dataset("acme").entities.add_many([company(f"n{number}")])
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            acme.make()
        writer.join()
        acme.make()
        assert fresh(acme) == NAMES
        assert (
            sum(
                line.startswith('{"id":"n')
                for line in acme.location.read("entities.ftm.json").decode().split("\n")
            )
            == 12
        )

    def test_a_custom_operation_is_stale_when_its_dependency_moved_meanwhile(self, acme):
        class Count(DatasetJobOperation[MakeJob]):
            target = "operations/count/last_run"
            dependencies = ("statements/last_updated",)

            def handle(self, run, *args, **kwargs):
                acme.entities.add_many([company("late")])

        Count.from_job(MakeJob.make(dataset="acme"), acme).run()
        assert not Count.from_job(MakeJob.make(dataset="acme"), acme).is_fresh()


class TestFailing:
    """An operation that fails leaves its tag and its file as they were."""

    @pytest.fixture
    def broken(self, acme):
        acme.entities.add_many([company("c2")])
        for path in (acme.location.path / "statements").rglob("*.parquet"):
            path.write_bytes(b"PAR1 no parquet PAR1")
        return acme.lake.dataset("acme")

    @pytest.mark.parametrize("name", NAMES[:4])
    def test_the_earlier_file_tag_and_record_stay(self, broken, name):
        target = EXPORTS[name].target
        before = tree(broken.location.path)
        with pytest.raises(Exception):  # noqa: B017, PT011
            broken.export(name)
        assert tree(broken.location.path) == before
        record = broken.jobs.latest(OPERATIONS[name][0])
        assert record.exc
        assert (record.running, record.done) == (False, 0)
        assert broken.tags.get(target) is not None

    @pytest.mark.parametrize("name", NAMES[:4])
    def test_a_damaged_table_is_named(self, broken, name):
        with pytest.raises(LakehouseError, match=r"cannot read file:///.*\.parquet"):
            broken.export(name)

    def test_make_ends_with_the_error_of_its_step(self, broken):
        before = broken.tags.get("operations/make/last_run")
        with pytest.raises(LakehouseError):
            broken.make()
        assert broken.tags.get("operations/make/last_run") == before
        assert broken.jobs.latest(MakeJob).exc


def acme_csv(dataset, job):
    return dataset.location.read(job.path).decode()
