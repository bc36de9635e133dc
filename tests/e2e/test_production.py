"""What a server with Postgres does: runs of one dataset queue up, those of different ones work side by side."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets.lake import Lake
from tests.e2e.postgres import postgres_programs
from tests.e2e.production import Production, running_production
from tests.factories import person, write_lines

pytestmark = pytest.mark.e2e

EVENTS = """
query ($run: ID!) {
  logsForRun(runId: $run) {
    ... on EventConnection { events { ... on MessageEvent { eventType timestamp } } }
  }
}
"""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no Postgres: install it with `apt-get install postgresql` (Debian)")
    with running_production(tmp_path_factory.mktemp("production"), programs) as running:
        # what automation launches would stand in the queue, too
        running.stop_sensors()
        yield running


def worked(production: Production, run: str) -> tuple[float, float]:
    """When a run was taken out of the queue, and when it ended."""
    events: list[dict[str, Any]] = production.query(EVENTS, run=run)["logsForRun"]["events"]
    times = {event["eventType"]: float(event["timestamp"]) for event in events}
    return times["RUN_STARTING"], times["RUN_SUCCESS"]


def test_runs_of_one_dataset_queue_up_and_those_of_another_work_beside_them(
    production: Production, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "people.json", [person(f"p{number}") for number in range(50)])
    for name in ("acme", "bolt"):
        production.lake.create_dataset(name).import_files([file])
    add = (
        "mutation ($name: String!) { addDynamicPartition(repositorySelector: {repositoryName: "
        '"__repository__", repositoryLocationName: "lakehouse_assets"}, partitionsDefName: "dataset", '
        "partitionKey: $name) { __typename } }"
    )
    for name in ("acme", "bolt"):
        production.query(add, name=name)
    config: dict[str, object] = {"ops": {"merge_statements": {"config": {"force": True}}}}
    launched = [production.launch("merge", name, config=config) for name in ("acme", "acme", "bolt")]
    assert [production.finish(run) for run in launched] == ["SUCCESS"] * 3
    first, second, other = (worked(production, run) for run in launched)
    assert second[0] > first[1], "two runs of one dataset worked at once"
    assert other[0] < first[1], "a run of another dataset waited"


def test_operations_are_delegated_to_it_as_to_any_other(
    production: Production, monkeypatch: pytest.MonkeyPatch
) -> None:
    production.lake.create_dataset("delegated")
    monkeypatch.setenv("LAKEHOUSE_DAGSTER_URL", production.url)
    dataset = Lake(production.lake.uri).dataset("delegated")
    assert dataset.make().artifacts["index"]["rows"] == 1
    assert dataset.freshness("index").fresh
