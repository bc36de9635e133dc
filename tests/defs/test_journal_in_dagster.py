"""The journal in the graph: shown as it is, flushed when it has grown or is old, never twice for the same."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.operations import FlushJob
from lakehouse_assets.operations.delegating import document_of
from tests.defs.conftest import Stale, people
from tests.factories import values_of

Latest = Callable[..., dg.AssetMaterialization]
VERSION = "dagster/data_version"


def write(dataset: Dataset, number: int, count: int = 1) -> None:
    with dataset.entities.writer("scraper") as writer:
        writer.add_many(people(count, start=1000 * number))


def age(dataset: Dataset, seconds: float) -> None:
    """Make what waits older than it is."""
    for segment in dataset.statements.journal.waiting():
        at = datetime.now(UTC) - timedelta(seconds=seconds)
        key = f"journal/{at:%Y%m%dT%H%M%S%f}Z-{segment.rows}-{segment.token}.json"
        dataset.location.move(f"journal/{segment.name}.json", key)


@pytest.fixture
def known(instance: dg.DagsterInstance, acme: Dataset) -> Dataset:
    """A dataset that Dagster knows."""
    instance.add_dynamic_partitions("dataset", ["acme"])
    return acme


def asked(found: Any) -> list[str | None]:
    return [request.partition_key for request in found.run_requests or []]


def test_a_run_of_the_statements_flushes_the_journal(
    make: Any, acme: Dataset, latest: Latest, instance: dg.DagsterInstance
) -> None:
    write(acme, 1)
    assert make().success
    assert latest("statements").metadata["flushed_segments"].value == 1
    assert "person-1000" in {entity for entity, _, _ in values_of(acme)}
    assert latest("entities_json").metadata["dagster/row_count"].value == 7


def test_the_journal_shows_what_waits(make: Any, acme: Dataset, latest: Latest) -> None:
    write(acme, 1, count=3)
    assert make().success
    shown = latest("journal").metadata
    assert (shown["waiting_segments"].value, shown["dagster/row_count"].value) == (1, 9)
    assert latest("journal").tags is not None
    assert latest("journal").tags[VERSION] == "1"


def test_an_export_that_is_made_alone_flushes_and_says_that_the_statements_changed(
    make: Any, acme: Dataset, latest: Latest, instance: dg.DagsterInstance, lake: Lake
) -> None:
    assert make().success
    write(acme, 1)
    job = (
        build_definitions(lake.uri)
        .get_repository_def()
        .get_implicit_job_def_for_assets([dg.AssetKey("entities_json")])
    )
    assert job is not None
    ran = job.get_subset(asset_selection={dg.AssetKey("entities_json")}).execute_in_process(
        partition_key="acme", instance=instance
    )
    assert ran.success
    assert latest("entities_json").metadata["dagster/row_count"].value == 7
    assert latest("statements").description == "flushed from the journal"


def test_what_a_program_wrote_shows_as_stale_statements_and_a_flush_as_fresh_ones(
    make: Any, acme: Dataset, latest: Latest, instance: dg.DagsterInstance, tick: Any, stale: Stale
) -> None:
    def behind() -> list[str]:
        return [asset for asset in stale() if asset != "catalog_index"]

    assert make().success
    tick("watch_lake")
    assert behind() == []
    write(acme, 1)
    tick("watch_lake")
    assert behind() == ["statements"]
    version = (latest("journal").tags or {})[VERSION]
    acme.flush()
    tick("watch_lake")
    assert (latest("journal").tags or {})[VERSION] == version
    assert behind() == ["statements_csv", "entities_json", "documents_csv", "statistics_json"]
    assert make().success
    tick("watch_lake")
    assert behind() == []


def test_nothing_is_asked_for_while_nothing_waits(known: Dataset, tick: Any) -> None:
    found = tick("flush_journal")
    assert asked(found) == []
    assert found.skip_message == "0 statements wait in 0 journals, 0 of them are being flushed"


def test_what_has_waited_for_some_time_is_flushed(known: Dataset, tick: Any) -> None:
    write(known, 1)
    assert asked(tick("flush_journal")) == []
    age(known, 61)
    assert asked(tick("flush_journal")) == ["acme"]


def test_what_has_grown_is_flushed_at_once(
    known: Dataset, tick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_JOURNAL_ROWS", "9")
    write(known, 1, count=2)
    assert asked(tick("flush_journal")) == []
    write(known, 2)
    assert asked(tick("flush_journal")) == ["acme"]


def test_a_daemon_that_starts_again_asks_for_the_same_run_and_for_another_one_when_more_was_written(
    known: Dataset, tick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_JOURNAL_SECONDS", "0")

    def key() -> str | None:
        return str(tick("flush_journal").run_requests[0].run_key)

    write(known, 1)
    first = key()
    assert key() == first
    write(known, 2)
    assert key() != first


def test_a_flush_that_never_came_is_asked_for_again_after_an_hour(known: Dataset, tick: Any) -> None:
    write(known, 1)
    age(known, 61)
    first = tick("flush_journal").run_requests[0].run_key
    age(known, 3700)
    assert tick("flush_journal").run_requests[0].run_key.rpartition(":")[2] == "1"
    assert first.endswith(":0")


def test_what_a_run_is_about_to_flush_is_not_asked_for_again(
    known: Dataset, tick: Any, instance: dg.DagsterInstance, lake: Lake
) -> None:
    write(known, 1)
    age(known, 61)
    job = build_definitions(lake.uri).resolve_job_def("flush")
    instance.create_run_for_job(job, tags={"dagster/partition": "acme"}, status=dg.DagsterRunStatus.STARTED)
    found = tick("flush_journal")
    assert asked(found) == []
    assert found.skip_message == "3 statements wait in 1 journals, 1 of them are being flushed"


def test_a_dataset_that_dagster_does_not_know_yet_waits_until_it_does(acme: Dataset, tick: Any) -> None:
    write(acme, 1)
    age(acme, 61)
    assert asked(tick("flush_journal")) == []


def test_a_lake_that_cannot_be_read_leaves_the_tick_failed(
    known: Dataset, tick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_JOURNAL_ROWS", "many")
    with pytest.raises(Exception, match="LAKEHOUSE_JOURNAL_ROWS"):
        tick("flush_journal")


def test_the_flush_job_makes_the_statements_and_nothing_else(
    known: Dataset, instance: dg.DagsterInstance, lake: Lake, latest: Latest
) -> None:
    write(known, 1)
    job = build_definitions(lake.uri).resolve_job_def("flush")
    assert job.execute_in_process(partition_key="acme", instance=instance).success
    assert latest("statements").metadata["flushed_statements"].value == 3
    assert not known.location.exists("entities.ftm.json")
    assert known.statements.journal.waiting() == []


def test_the_checks_of_the_journal_see_what_waits_too_long_and_what_is_gone(acme: Dataset) -> None:
    assert acme.check("journal", "is_latest").passed
    write(acme, 1)
    assert acme.check("journal", "is_latest").passed
    assert not acme.check("statements", "is_latest").passed
    age(acme, 1000)
    late = acme.check("journal", "is_latest")
    assert (late.passed, late.mend) == (False, "`lakehouse flush -d acme`")
    assert acme.check("journal", "intact").passed
    (path,) = (acme.location.path or acme.location).glob("journal/rows/**/*.parquet")  # type: ignore[union-attr]
    path.unlink()
    broken = acme.check("journal", "intact")
    assert (broken.passed, broken.metadata["bad"]) == (False, 1)


def test_statements_are_the_latest_once_the_journal_is_flushed(acme: Dataset) -> None:
    write(acme, 1)
    acme.flush()
    assert acme.check("statements", "is_latest").passed
    acme.tags.set("journal/last_updated", datetime.now(UTC))
    assert not acme.check("statements", "is_latest").passed


def test_a_flush_that_another_program_asks_for_leaves_its_record(make: Any, acme: Dataset) -> None:
    write(acme, 1)
    job = FlushJob.make(dataset="acme")
    assert make(job=document_of(job)).success
    found = acme.jobs.get(FlushJob, job.run_id)
    assert found is not None
    assert (found.segments, found.rows) == (1, 3)
