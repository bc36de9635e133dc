"""What somebody does who has Dagster open in the browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.collections import Schema
from lakehouse_assets.lake import Dataset, Lake
from tests.e2e.conftest import Server, eventually
from tests.factories import person, write_lines

pytestmark = pytest.mark.e2e

EXPORTS = ["statements_csv", "entities_json", "documents_csv", "statistics_json", "index_json"]

CHECKS = """
query ($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      assetChecksOrError {
        ... on AssetChecks { checks { name executionForLatestMaterialization { status } } }
      }
    }
  }
}
"""

START = """
mutation ($name: String!) {
  startSensor(
    sensorSelector: {
      repositoryName: "__repository__", repositoryLocationName: "lakehouse_assets", sensorName: $name
    }
  ) { __typename }
}
"""


@pytest.fixture(scope="module")
def acme(server: Server) -> Dataset:
    """A dataset with nothing in it that Dagster has found by itself."""
    dataset = server.lake.create_dataset("acme", title="Acme leak")
    eventually(lambda: "acme" in server.partitions(), within=60, what="the partition of a new folder")
    return dataset


@pytest.fixture(scope="module")
def made(server: Server, acme: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same dataset after the make job has imported a file, with the file in the config of its run."""
    file = write_lines(tmp_path_factory.mktemp("files") / "people.json", [person(f"p{n}") for n in range(3)])
    config: dict[str, object] = {"ops": {"statements": {"config": {"files": [str(file)], "origin": "leak"}}}}
    assert server.finish(server.launch("make", "acme", config=config)) == "SUCCESS"
    return acme


def test_make_imports_the_files_of_the_launchpad_and_shows_what_came_out(
    server: Server, made: Dataset
) -> None:
    shown = server.metadata("entities_json", "acme")
    assert shown["dagster/row_count"] == 3
    assert shown["sha256"] == made.freshness("entities").digest
    assert shown["dagster/uri"].endswith("/acme/entities.ftm.json")
    assert "Person" in server.metadata("statistics_json", "acme")["by_schema"]


def test_make_leaves_every_artifact_checked(server: Server, made: Dataset) -> None:
    def states(asset: str) -> dict[str, str | None]:
        node = server.query(CHECKS, key={"path": [asset]})["assetNodeOrError"]
        checks = node["assetChecksOrError"]["checks"]
        return {
            check["name"]: (check["executionForLatestMaterialization"] or {}).get("status")
            for check in checks
        }

    for asset in EXPORTS:
        assert set(states(asset)) == {"is_latest", "intact", "reconciles"}
        # what was checked before the run may be told after it; the next look, five minutes later, puts that right
        eventually(
            lambda asset=asset: states(asset)["is_latest"] == "SUCCEEDED",
            within=400,
            what=f"check of {asset}",
        )


def test_the_statements_alone_take_files_from_run_config(
    server: Server, made: Dataset, tmp_path: Path
) -> None:
    before = made.content_version()
    file = write_lines(tmp_path / "more.json", [person("p9")])
    config: dict[str, object] = {"ops": {"statements": {"config": {"files": [str(file)]}}}}
    run = server.launch("__ASSET_JOB", "acme", assets=["statements"], config=config)
    assert server.finish(run) == "SUCCESS"
    assert server.metadata("statements", "acme")["content_version"] == made.content_version() != before


def test_files_that_are_not_there_fail_the_run(server: Server, made: Dataset) -> None:
    config: dict[str, object] = {"ops": {"statements": {"config": {"files": ["nowhere.json"]}}}}
    run = server.launch("__ASSET_JOB", "acme", assets=["statements"], config=config)
    assert server.finish(run) == "FAILURE"


def test_what_an_import_made_stale_is_made_again_by_itself(
    server: Server, made: Dataset, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "late.json", [person("late")])
    config: dict[str, object] = {"ops": {"statements": {"config": {"files": [str(file)]}}}}
    run = server.launch("__ASSET_JOB", "acme", assets=["statements"], config=config)
    assert server.finish(run) == "SUCCESS"
    eventually(
        lambda: all(made.freshness(name).fresh for name in ("entities", "statistics", "index")),
        within=120,
        what="exports made by automation",
    )
    assert b'"id":"late"' in made.location.read("entities.ftm.json")


def test_the_graph_shows_every_asset_and_no_error(
    server: Server, made: Dataset, page: Callable[[str], str]
) -> None:
    shown = page(f"{server.url}/locations/lakehouse_assets/asset-groups/exports/lineage")
    text = re.sub(r"<[^>]+>", " ", shown)
    for asset in ("statements", "dataset_config", *EXPORTS, "catalog_index"):
        assert asset in text
    assert "Partitions" in text
    assert "Python Error" not in text


def test_the_page_of_an_asset_shows_what_it_is_for_and_what_its_columns_mean(
    server: Server, made: Dataset, page: Callable[[str], str]
) -> None:
    text = re.sub(r"<[^>]+>", " ", page(f"{server.url}/assets/statements?view=overview"))
    assert "Every claim of every source" in text
    assert "original_value" in text
    assert "the value as it came" in text
    assert "keep_present" in text


def test_another_lake_is_pulled_when_the_sensor_is_on_and_what_went_apart_fails_until_it_is_resolved(
    server: Server,
) -> None:
    theirs = Lake(server.folder / "office").collections.create_collection(
        Schema(day="int*", rate="float"), "rates"
    )
    (theirs / "CZK").write({"day": [1], "rate": [0.0411]})
    server.query(START, name="pull_remotes")
    eventually(lambda: server.lake.collections.ls(), within=120, what="the table of the other lake")
    ours = server.lake.collections.get("rates")
    (ours / "CZK").write({"day": [2], "rate": [0.0412]})
    (theirs / "CZK").write({"day": [3], "rate": [0.0413]})
    assert server.finish(server.launch("pull", "office/rates")) == "FAILURE"
    config: dict[str, object] = {"ops": {"sync_pull": {"config": {"resolve": "ours"}}}}
    assert server.finish(server.launch("pull", "office/rates", config=config)) == "SUCCESS"
    found = server.lake.collections.get("rates") / "CZK"
    assert found.frame()["day"].to_list() == [1, 2, 3]
    assert server.metadata("sync_pull", "office/rates")["state"] == "merged"
