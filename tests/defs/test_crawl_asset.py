from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets import layout
from lakehouse_assets.defs.report import report_dataset
from lakehouse_assets.lake import Dataset
from tests.crawling import FILES, paths_of, write_tree

Crawl = Callable[..., dg.ExecuteInProcessResult]
Latest = Callable[..., dg.AssetMaterialization]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "files", FILES)


@pytest.fixture
def crawl(defs: dg.Definitions, instance: dg.DagsterInstance) -> Crawl:
    """Materialise the archive, and whatever else is named, with a run's config for the archive."""

    def run(*others: str, **config: object) -> dg.ExecuteInProcessResult:
        instance.add_dynamic_partitions("dataset", ["acme"])
        job = defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            partition_key="acme",
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in ("archive", *others)],
            run_config={"ops": {"archive": {"config": config}}},
            raise_on_error=False,
        )

    return run


def numbers(event: dg.AssetMaterialization) -> dict[str, object]:
    names = ("seen", "stored", "known", "skipped", "failed")
    return {name: event.metadata[name].value for name in names if name in event.metadata}


def rows(event: dg.AssetMaterialization, name: str) -> list[dict[str, object]]:
    return [dict(record.data) for record in event.metadata[name].value.records]  # type: ignore[union-attr]


def test_a_crawl_is_started_by_a_runs_config_and_shows_what_it_saw(
    acme: Dataset, files: Path, crawl: Crawl, latest: Latest
) -> None:
    (files / "gone").symlink_to("nowhere")
    assert crawl(sources=[str(files)], exclude_glob="*.csv").success
    shown = latest("archive")
    assert numbers(shown) == {"seen": 4, "stored": 3, "known": 0, "skipped": 1, "failed": 1}
    assert [(row["source"], row["stored"]) for row in rows(shown, "crawls")] == [(str(files), 3)]
    assert rows(shown, "skipped_by") == [{"filter": "exclude_glob", "files": 1}]
    assert [(row["path"], str(row["reason"])[:9]) for row in rows(shown, "failures")] == [
        ("gone", "a link to")
    ]
    assert sorted(str(row["path"]) for row in rows(shown, "newest")) == [
        "a.txt",
        "contracts/b.pdf",
        "contracts/copy.txt",
    ]
    assert shown.tags["dagster/data_version"] == acme.archive.version()


def test_the_statements_are_said_to_have_changed(
    acme: Dataset, files: Path, crawl: Crawl, latest: Latest
) -> None:
    assert crawl(sources=[str(files)]).success
    assert latest("statements").tags["dagster/data_version"] == acme.content_version()
    assert latest("statements").metadata["entities"].value == 6 + 6


def test_a_run_that_makes_the_statements_crawls_first(
    acme: Dataset, files: Path, crawl: Crawl, latest: Latest
) -> None:
    assert crawl("statements", "documents_csv", sources=[str(files)]).success
    assert latest("statements").tags["dagster/data_version"] == acme.content_version()
    assert latest("documents_csv").metadata["dagster/row_count"].value == 1 + 4


def test_entities_modes_and_failures_can_be_asked_for(
    acme: Dataset, files: Path, crawl: Crawl, latest: Latest
) -> None:
    (files / "gone").symlink_to("nowhere")
    before = acme.content_version()
    assert crawl(sources=[str(files)], entities=False).success
    assert acme.content_version() == before
    assert crawl(sources=[str(files)], existing="overwrite").success
    assert numbers(latest("archive"))["stored"] == 4
    report = str(rows(latest("archive"), "crawls")[0]["report"])
    write_tree(files, {"nowhere": "found"})
    assert crawl(retry_failed=Path(report).stem).success
    assert numbers(latest("archive")) == {"seen": 1, "stored": 1, "known": 0, "skipped": 0, "failed": 0}


def test_the_sources_of_the_pipeline_are_crawled_when_that_is_asked_for(
    acme: Dataset, files: Path, crawl: Crawl, latest: Latest
) -> None:
    acme.location.write(layout.PIPELINE, f"crawl: [{{uri: {files}, glob: '*.txt'}}]".encode())
    assert crawl().success
    assert (paths_of(acme), numbers(latest("archive"))) == ([], {})
    assert crawl(pipeline=True).success
    assert paths_of(acme) == ["a.txt", "contracts/copy.txt"]


def test_a_source_that_is_not_there_fails_with_what_to_do(acme: Dataset, crawl: Crawl) -> None:
    result = crawl(sources=["nowhere"])
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    failed = failure.step_failure_data.user_failure_data
    assert failed is not None
    assert failed.description == "nowhere does not exist; name a folder, a file or a URL"


def test_a_crawl_outside_of_dagster_is_shown_with_its_numbers(
    acme: Dataset, files: Path, instance: dg.DagsterInstance, latest: Latest
) -> None:
    job = acme.crawl(files)
    assert "archive" in report_dataset(instance, acme, crawl=job)
    assert numbers(latest("archive")) == {"seen": 4, "stored": 4, "known": 0, "skipped": 0, "failed": 0}
    assert latest("statements").tags["dagster/data_version"] == acme.content_version()


def test_entities_may_go_into_the_journal(acme: Dataset, files: Path, crawl: Crawl) -> None:
    assert crawl(sources=[str(files)], journal=True).success
    assert acme.status().journal_rows
    assert list(acme.query(schema="Folder")) == []
    acme.flush()
    assert list(acme.query(schema="Folder"))
