"""Operations that a running Dagster does in place of the process that asks for them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_assets.cli import main
from lakehouse_assets.errors import AssertionFailed, NotFound
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.operations import (
    CrawlJob,
    CrawlOperation,
    DeleteJob,
    DeleteOperation,
    ExportEntitiesJob,
    ExportEntitiesOperation,
    MergeJob,
    MergeOperation,
)
from tests.e2e.conftest import Server
from tests.factories import person, write_lines

pytestmark = pytest.mark.e2e

RUNS = """
query ($dataset: String!) {
  runsOrError(filter: { tags: [{ key: "dagster/partition", value: $dataset }] }) {
    ... on Runs { results { runId status jobName } }
  }
}
"""


@pytest.fixture
def remote(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The running Dagster as the one that operations are delegated to."""
    monkeypatch.setenv("LAKEHOUSE_DAGSTER_URL", server.url)
    monkeypatch.setenv("LAKEHOUSE_URI", server.lake.uri)
    return server


@pytest.fixture(scope="module")
def afar(server: Server) -> Iterator[Dataset]:
    """A dataset that Dagster may not have seen yet."""
    return server.lake.create_dataset("afar")


def runs(server: Server, dataset: str) -> list[str]:
    found = server.query(RUNS, dataset=dataset)["runsOrError"]["results"]
    return [run["jobName"] for run in found if run["status"] == "SUCCESS"]


def test_an_import_and_what_follows_it_are_done_there_and_leave_their_records(
    remote: Server, afar: Dataset, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "people.json", [person(f"p{n}") for n in range(3)])
    dataset = Lake().dataset("afar")
    done = dataset.import_files([file], origin="leak")
    assert (done.entities, done.origin, done.running) == (3, "leak", False)
    assert done.run_id in (remote.folder / f"lake/afar/jobs/runs/ImportJob/{done.run_id}.json").read_text()
    assert runs(remote, "afar").count("__ASSET_JOB") >= 1

    made = dataset.make()
    assert made.artifacts["entities"]["rows"] == 3
    assert dataset.freshness("index").fresh
    assert "make" in runs(remote, "afar")
    assert dataset.jobs.latest(type(made)) == made

    before = len(runs(remote, "afar"))
    job = ExportEntitiesJob.make(dataset="afar")
    assert ExportEntitiesOperation(job=job).run().skipped
    assert len(runs(remote, "afar")) == before

    merged = MergeOperation(MergeJob.make(dataset="afar")).run(force=True)
    assert merged.partitions == ["0/thing/leak"]
    deleted = DeleteOperation(DeleteJob.make(dataset="afar", ids=["p1", "nobody"])).run()
    assert (deleted.entities, deleted.missing) == (1, ["nobody"])
    assert set(dataset.get(["p0", "p1"])) == {"p0"}


def test_a_crawl_runs_where_its_files_are(remote: Server, afar: Dataset, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear all")
    before = len(runs(remote, "afar"))
    job = CrawlJob.make(dataset="afar", uri=str(tmp_path), make_entities=True)
    assert CrawlOperation(job=job).run().done == 1
    assert len(runs(remote, "afar")) == before


def test_what_fails_there_fails_here_alike(remote: Server, afar: Dataset) -> None:
    dataset = Lake().dataset("afar")
    with pytest.raises(NotFound, match=r"nowhere\.json.*in Dagster: http"):
        dataset.import_files(["nowhere.json"])
    afar.location.write("pipeline.yml", b"assertions: {schema: {Company: {min: 7}}}")
    try:
        with pytest.raises(AssertionFailed) as failed:
            dataset.export("statistics", force=True)
    finally:
        afar.location.delete("pipeline.yml")
    assert failed.value.failures
    assert "Company" in failed.value.failures[0]


def test_the_command_line_delegates_and_shows_the_same(
    remote: Server, afar: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "-d", "afar", "statements", "--force", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"] > 0
    assert not shown["skipped"]
