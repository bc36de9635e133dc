"""Operations as scripts know them: jobs with fields, classes with a target, and one call for each."""

import inspect
import json
from datetime import UTC, datetime, timedelta

import pytest

import lakehouse_assets
from lakehouse_assets import layout, operations
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.operations import (
    DatasetJobOperation,
    ExportDocumentsJob,
    ExportDocumentsOperation,
    ExportEntitiesJob,
    ExportIndexJob,
    ExportIndexOperation,
    ExportStatementsJob,
    ExportStatementsOperation,
    MakeJob,
    MakeOperation,
    MergeJob,
    MergeOperation,
)
from lakehouse_assets.storage.jobs import Jobs
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions
from tests.factories import company, make_dataset, person, tree

COMMON = {
    "run_id", "dataset", "started", "stopped", "last_updated", "pending", "done", "errors", "running", "exc", "took",
}  # fmt: skip

FIELDS = {
    "ExportStatementsJob": {"target": "exports/statements.csv"},
    "ExportEntitiesJob": {"target": "entities.ftm.json", "make_diff": True},
    "ExportStatisticsJob": {"target": "exports/statistics.json"},
    "ExportDocumentsJob": {"target": "exports/documents.csv", "make_diff": True, "public_url_prefix": None},
    "ExportIndexJob": {"target": "index.json"},
    "MergeJob": {},
    "MakeJob": {},
}


class CountJob(DatasetJob):
    """How many statements there are."""

    least: int = 0


class CountOperation(DatasetJobOperation[CountJob]):
    target = "operations/count/last_run"
    dependencies = ("statements/last_updated", "journal/last_updated")
    seen_force = None

    def handle(self, run, *args, **kwargs):
        self.seen_force = kwargs["force"]
        self.seen = (args, {key: value for key, value in kwargs.items() if key != "force"})
        run.job.pending = 1
        run.save()
        run.job.done = sum(len(frame) for frame in self.parts.store.reader.scan(["id"]))
        if run.job.done < run.job.least:
            raise ValueError(f"only {run.job.done} statements")


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A dataset in the default lake."""
    monkeypatch.setenv("LAKEHOUSE_URI", str(tmp_path / "lake"))
    dataset = make_dataset(tmp_path / "lake")
    dataset.entities.add_many([company(), person()])
    return dataset


class TestNames:
    @pytest.mark.parametrize("name", FIELDS)
    def test_each_job_has_its_fields_and_an_operation(self, name):
        job = getattr(operations, name)
        assert set(job.model_fields) >= COMMON | set(FIELDS[name])
        made = job.make(dataset="acme")
        assert {key: getattr(made, key) for key in FIELDS[name]} == FIELDS[name]
        operation = getattr(operations, name.removesuffix("Job") + "Operation")
        if "target" in FIELDS[name]:
            assert made.dependencies == list(operation.dependencies)
        assert issubclass(operation, DatasetJobOperation)
        assert getattr(lakehouse_assets, name) is job
        assert getattr(lakehouse_assets, operation.__name__) is operation

    @pytest.mark.parametrize(
        "name",
        [
            "export_statements",
            "export_entities",
            "export_documents",
            "export_statistics",
            "export_index",
            "make",
            "merge",
        ],
    )
    def test_each_factory_takes_a_dataset_and_force(self, acme, name):
        factory = getattr(operations, name)
        assert getattr(lakehouse_assets, name) is factory
        parameters = list(inspect.signature(factory).parameters.values())
        assert [parameter.name for parameter in parameters[:2]] == ["dataset", "force"]
        assert parameters[1].default is False
        first = factory(acme)
        assert (first.running, first.exc, first.name) == (False, None, type(first).__name__)
        assert factory(acme).done == 0
        assert factory(acme, force=True).run_id != first.run_id

    def test_the_constructor_takes_the_parts_in_the_known_order(self):
        names = list(inspect.signature(DatasetJobOperation.__init__).parameters)[1:]
        assert names[:8] == ["job", "archive", "entities", "documents", "jobs", "tags", "versions", "uri"]
        assert list(inspect.signature(DatasetJobOperation.from_job).parameters) == ["job", "dataset"]
        run = inspect.signature(DatasetJobOperation.run).parameters
        assert (list(run)[1], run["force"].default) == ("force", False)

    def test_targets_and_dependencies_are_those_of_the_tags(self):
        tags = {"statements/last_updated", "journal/last_updated", "statements/last_optimized"}
        for name in ("Statements", "Entities", "Statistics", "Documents"):
            assert set(getattr(operations, f"Export{name}Operation").dependencies) == tags
        assert set(ExportIndexOperation.dependencies) >= {
            "config.yml", "exports/statistics.json", "entities.ftm.json", "exports/documents.csv",
        }  # fmt: skip
        assert MakeOperation.target == "operations/make/last_run"
        assert (MergeOperation.target, tuple(MergeOperation.dependencies)) == (
            "statements/last_merged", ("statements/last_updated",),
        )  # fmt: skip

    def test_a_job_refuses_fields_that_it_does_not_have(self):
        with pytest.raises(InvalidData, match="ExportEntitiesJob has no field make_dif"):
            ExportEntitiesJob.make(dataset="acme", make_dif=False)
        with pytest.raises(InvalidData, match="cannot be the name of a dataset"):
            MergeJob.make(dataset="../acme")

    def test_the_public_prefix_of_a_job_knows_the_dataset(self):
        for text in ("https://x.org/${dataset}/", "https://x.org/{{ dataset }}"):
            job = ExportDocumentsJob.make(dataset="acme", public_url_prefix=text)
            assert job.get_public_prefix() == "https://x.org/acme"
        assert ExportDocumentsJob.make(dataset="acme").get_public_prefix() is None


class TestCustomOperation:
    def test_it_runs_on_the_default_lake_and_is_then_fresh(self, acme):
        before = datetime.now(UTC)
        job = CountOperation(CountJob.make(dataset="acme")).run()
        assert (job.done, job.running, job.exc) == (4, False, None)
        assert before <= acme.tags.get("operations/count/last_run") <= job.stopped
        assert CountOperation(CountJob.make(dataset="acme")).run().done == 0
        acme.entities.add_many([company("c2")])
        assert CountOperation(CountJob.make(dataset="acme")).run().done == 6

    def test_a_skipped_run_leaves_no_record(self, acme, tmp_path):
        CountOperation(CountJob.make(dataset="acme")).run()
        before = tree(tmp_path, reports=True)
        job = CountOperation(CountJob.make(dataset="acme")).run()
        assert (job.done, job.running, job.stopped is not None) == (0, False, True)
        assert tree(tmp_path, reports=True) == before

    def test_a_target_without_a_tag_and_dependencies_without_any_are_stale(self, acme):
        operation = CountOperation(CountJob.make(dataset="acme"))
        assert not operation.is_fresh()
        operation.run()
        assert operation.is_fresh()
        acme.tags.delete("statements/last_updated")
        assert not operation.is_fresh()

    def test_a_target_as_old_as_its_dependency_is_stale(self, acme):
        at = acme.tags.get("statements/last_updated")
        for offset, fresh in ((-1, False), (0, False), (1, True)):
            acme.tags.set("operations/count/last_run", at + timedelta(microseconds=offset))
            assert CountOperation(CountJob.make(dataset="acme")).is_fresh() is fresh

    def test_handle_hears_of_force_and_of_other_arguments(self, acme):
        operation = CountOperation(CountJob.make(dataset="acme"))
        operation.run(False, "more", extra=1)
        assert (operation.seen_force, operation.seen) == (False, (("more",), {"extra": 1}))
        operation.run(force=True)
        assert operation.seen_force is True

    def test_a_failure_leaves_the_tag_and_a_record_with_its_reason(self, acme):
        CountOperation(CountJob.make(dataset="acme")).run()
        before = acme.tags.get("operations/count/last_run")
        with pytest.raises(ValueError, match="only 4 statements"):
            CountOperation(CountJob.make(dataset="acme", least=9)).run(force=True)
        assert acme.tags.get("operations/count/last_run") == before
        record = acme.jobs.latest(CountJob)
        assert (record.exc, record.running, record.pending) == ("only 4 statements", False, 1)
        assert record.stopped is not None

    def test_the_record_lies_where_other_programs_look_for_it(self, acme):
        job = CountOperation(CountJob.make(dataset="acme")).run()
        path = acme.location.path / f"jobs/runs/CountJob/{job.run_id}.json"
        record = json.loads(path.read_text())
        assert (record["name"], record["dataset"], record["done"], record["least"]) == (
            "CountJob",
            "acme",
            4,
            0,
        )
        assert record["took"].startswith("PT")
        assert record["started"].endswith("Z")

    def test_target_and_dependencies_may_depend_on_the_job(self, acme):
        class ByJob(CountOperation):
            def get_target(self):
                return f"operations/count/{self.job.least}"

            def get_dependencies(self):
                return ["statements/last_updated"]

        ByJob(CountJob.make(dataset="acme", least=1)).run()
        assert ByJob(CountJob.make(dataset="acme", least=1)).is_fresh()
        assert not ByJob(CountJob.make(dataset="acme", least=2)).is_fresh()

    def test_without_a_target_it_always_runs(self, acme):
        class Always(CountOperation):
            target = ""

        for _ in range(2):
            assert Always(CountJob.make(dataset="acme")).run().done == 4

    def test_without_handle_it_says_what_is_missing(self, acme):
        with pytest.raises(InvalidData, match="has no handle"):
            DatasetJobOperation(CountJob.make(dataset="acme")).run()

    def test_its_repr_names_class_and_dataset(self, acme):
        assert repr(CountOperation(CountJob.make(dataset="acme"))) == "<CountOperation(acme)>"


class TestWiring:
    def test_from_job_takes_the_dataset_that_is_open(self, tmp_path, acme):
        other = make_dataset(tmp_path / "other", "acme")
        other.entities.add_many([company()])
        assert CountOperation.from_job(CountJob.make(dataset="acme"), other).run().done == 2
        assert CountOperation.from_job(CountJob.make(dataset="acme"), acme).run().done == 4
        with pytest.raises(InvalidData, match="not for 'acme'"):
            CountOperation.from_job(CountJob.make(dataset="else"), acme)

    def test_an_address_may_come_by_name_or_second(self, tmp_path, acme):
        other = make_dataset(tmp_path / "other", "acme")
        other.entities.add_many([company()])
        uri = str(tmp_path / "other")
        assert CountOperation(CountJob.make(dataset="acme"), uri).run().done == 2
        assert CountOperation(CountJob.make(dataset="acme"), uri=uri).run(force=True).done == 2
        assert CountOperation(CountJob.make(dataset="acme")).run().done == 4

    def test_a_dataset_that_is_not_there_is_named(self, acme):
        with pytest.raises(NotFound, match="nowhere"):
            CountOperation(CountJob.make(dataset="nowhere"))

    def test_parts_that_are_given_replace_those_of_the_dataset(self, tmp_path, acme):
        aside = Location(tmp_path / "aside")
        tags = Tags(aside)
        parts = {
            "tags": tags,
            "jobs": Jobs(aside),
            "versions": Versions(aside, tags),
            "archive": object(),
            "documents": object(),
        }
        other = make_dataset(tmp_path / "other", "acme").entities
        operation = CountOperation(job=CountJob.make(dataset="acme"), entities=other, **parts)
        assert operation.run().done == 0
        assert operation.entities is other
        assert [
            getattr(operation, name) is part
            for name, part in parts.items()
            if name in ("tags", "jobs", "versions")
        ] == [True] * 3
        assert tags.get("operations/count/last_run") is not None
        assert acme.tags.get("operations/count/last_run") is None
        assert acme.jobs.latest(CountJob) is None
        assert Jobs(aside).latest(CountJob) is not None


class TestExports:
    def test_a_job_comes_back_with_what_was_written(self, acme):
        job = ExportStatementsOperation.from_job(ExportStatementsJob.make(dataset="acme"), acme).run()
        data = acme.location.read("exports/statements.csv")
        assert (job.rows, job.bytes, job.done, job.path) == (4, len(data), 4, "exports/statements.csv")
        assert set(job.dependencies) == set(ExportStatementsOperation.dependencies)

    def test_an_export_moves_its_tag_to_when_it_began(self, acme):
        before = datetime.now(UTC)
        job = acme.export("entities")
        assert before <= acme.tags.get("entities.ftm.json") <= job.stopped
        assert acme.tags.is_latest("entities.ftm.json", ["statements/last_updated"])

    def test_documents_write_both_files_and_both_tags(self, acme):
        acme.export("documents")
        for key in (layout.DOCUMENTS, layout.DOCUMENTS_CRAWL):
            assert acme.location.exists(key)
            assert acme.tags.get(key) is not None
            assert acme.records.get(key).size == acme.location.size(key)

    def test_a_job_may_bring_a_public_address_for_documents(self, acme):
        acme.entities.add_many(
            [{"id": "d", "schema": "Document", "properties": {"contentHash": ["0" * 64], "fileName": ["x"]}}]
        )
        job = ExportDocumentsJob.make(dataset="acme", public_url_prefix="https://job.org/${dataset}")
        ExportDocumentsOperation.from_job(job, acme).run()
        assert b"https://job.org/acme/archive/00/00/00/" in acme.location.read("exports/documents.csv")
        # the same question again is fresh, another address is not
        again = ExportDocumentsJob.make(dataset="acme", public_url_prefix="https://job.org/${dataset}")
        assert ExportDocumentsOperation.from_job(again, acme).run().skipped
        assert not acme.freshness("documents").fresh

    def test_the_index_takes_a_model_to_patch(self, acme):
        acme.make()
        patched = acme.config.merge(title="Patched")
        ExportIndexOperation.from_job(ExportIndexJob.make(dataset="acme"), acme).run(
            force=True, dataset=patched
        )
        assert json.loads(acme.location.read("index.json"))["title"] == "Patched"
        assert acme.config.title == "acme"

    def test_a_make_of_nothing_leaves_headers_and_an_index(self, tmp_path):
        empty = make_dataset(tmp_path / "empty")
        job = empty.make()
        assert [step["rows"] for step in job.artifacts.values()][:3] == [0, 0, 0]
        assert empty.location.read("entities.ftm.json") == b""
        assert empty.location.read("exports/statements.csv").count(b"\n") == 1
        assert empty.location.read("exports/documents.csv").count(b"\r\n") == 1
        assert json.loads(empty.location.read("index.json"))["entity_count"] == 0
        assert empty.make().skipped
        assert not empty.location.exists("statements/_delta_log/00000000000000000000.json")

    def test_an_import_into_what_was_made_empty_makes_it_stale(self, tmp_path):
        empty = make_dataset(tmp_path / "empty")
        empty.make()
        empty.entities.add_many([company()])
        assert not empty.freshness("statements").fresh
        assert empty.make().artifacts["entities"]["rows"] == 1

    def test_exports_do_not_depend_on_the_order_of_imports_or_on_merges(self, tmp_path):
        lines = [company(f"c{number}") | {"last_seen": "2024", "first_seen": "2023"} for number in range(20)]
        found = []
        for number, order in enumerate((lines, lines[::-1])):
            dataset = make_dataset(tmp_path / f"lake{number}")
            for line in order:
                dataset.entities.add_many([line])
            if number:
                dataset.merge()
            dataset.make()
            found.append(
                {
                    key: dataset.records.get(export.target).digest
                    for key, export in EXPORTS.items()
                    if key != "index"
                }
            )
        assert found[0] == found[1]


class TestMerging:
    def test_nothing_to_merge_is_skipped_and_says_so(self, acme, caplog):
        caplog.set_level("INFO")
        acme.entities.add_many([company()])
        first = acme.merge()
        assert (first.partitions, first.rows_before, first.rows_after) == (["0/thing/default"], 6, 4)
        again = acme.merge()
        assert (again.skipped, again.done, again.partitions) == (True, 0, [])
        assert "statements/last_merged is fresh" in caplog.text

    def test_forced_it_rewrites_all(self, acme):
        acme.merge()
        assert acme.merge(force=True).partitions == ["0/thing/default"]

    def test_only_partitions_that_would_change_are_rewritten_in_a_commit_each(self, acme):
        acme.entities.add_many([company()], origin="once")
        acme.entities.add_many([company()])
        version = acme.statements.table.snapshot().version
        assert acme.merge().partitions == ["0/thing/default"]
        assert acme.statements.table.snapshot().version == version + 1

    def test_merging_an_empty_dataset_does_nothing(self, tmp_path):
        empty = make_dataset(tmp_path / "empty")
        assert empty.merge().partitions == []
        assert empty.merge(force=True).partitions == []

    def test_what_another_program_merged_counts_as_merged(self, acme):
        acme.merge()
        acme.tags.delete("statements/last_merged")
        assert acme.merge().skipped
        acme.tags.delete("statements/last_optimized")
        assert not acme.merge().skipped

    def test_progress_is_told(self, acme):
        told = []
        acme.entities.add_many([company()])
        acme.merge(progress=lambda done, pending, unit: told.append((done, pending, unit)))
        assert told[-1] == (6, 0, "statements")

    def test_make_tells_its_steps(self, acme):
        told = []
        acme.make(progress=lambda done, pending, unit: told.append((done, pending, unit)))
        assert told
        assert all(done >= 0 and pending >= 0 and unit for done, pending, unit in told)


def test_the_operation_finds_a_lake_by_its_address_alone(tmp_path, acme):
    job = MergeOperation(MergeJob.make(dataset="acme"), uri=Lake(tmp_path / "lake").uri).run(force=True)
    assert job.partitions == ["0/thing/default"]
    assert isinstance(MakeOperation(MakeJob.make(dataset="acme")).run(), MakeJob)
