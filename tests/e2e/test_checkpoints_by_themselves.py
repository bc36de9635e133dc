"""A job whose step fails, while Dagster's daemon runs: it is tried again, and nothing of it is left."""

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.checkpoints import CheckpointScope
from lakehouse_assets.lake import Lake
from tests.e2e.checkpointing import WORK
from tests.e2e.conftest import eventually
from tests.e2e.daemon import Daemon

pytestmark = pytest.mark.e2e

WORKSPACE = """
load_from:
  - python_module:
      module_name: tests.e2e.checkpointing
"""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv(WORK, str(tmp_path))
    (tmp_path / "lake").mkdir()
    (tmp_path / "workspace.yaml").write_text(WORKSPACE)
    found = Daemon(tmp_path, Lake(tmp_path / "lake"), workspace=tmp_path / "workspace.yaml")
    found.start()
    yield found
    found.stop()


def test_a_retry_reads_what_the_first_step_made_and_its_success_deletes_it(
    daemon: Daemon, tmp_path: Path
) -> None:
    checkpoints = Lake(tmp_path / "lake").checkpoints
    ended = eventually(lambda: runs(daemon, dg.DagsterRunStatus.FAILURE), within=150, what="the failure")
    # of the run alone, too, as if its steps had kept something for themselves
    checkpoints.put("own", run_id=ended[0].run_id, scope=CheckpointScope.RUN, data=pl.LazyFrame({"id": [1]}))
    began = time.monotonic()
    eventually(lambda: runs(daemon, dg.DagsterRunStatus.SUCCESS), within=150, what="the retry")
    assert (tmp_path / "did").read_text().split() == ["load", "total", "total"]
    assert (tmp_path / "total").read_text() == "6"
    eventually(lambda: not checkpoints.trees(), within=150, what="an empty folder of checkpoints")
    print(f"from the failure to nothing left: {time.monotonic() - began:.0f} s")


def runs(daemon: Daemon, status: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
    with daemon.instance() as instance:
        return list(instance.get_runs(dg.RunsFilter(job_name="own", statuses=[status])))
