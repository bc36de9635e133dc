"""A step that hands on frames by checkpoints, killed: the next run goes on from what the steps before it made."""

from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.correlation import reexecute_from_failure
from tests.defs import checkpointed

pytestmark = pytest.mark.crash


def test_a_reexecution_goes_on_where_the_process_of_a_step_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(checkpointed.WORK, str(tmp_path))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    job = dg.reconstructable(checkpointed.in_processes)
    (tmp_path / "die").touch()
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        with dg.execute_job(job, instance) as result:
            assert not result.success
        assert (tmp_path / "did").read_text().split() == ["load", "double", "total"]
        (tmp_path / "die").unlink()
        with reexecute_from_failure(job, result.run_id, instance) as again:
            assert again.success
        assert (tmp_path / "did").read_text().split() == ["load", "double", "total", "total"]
        assert (tmp_path / "total").read_text() == "12"
