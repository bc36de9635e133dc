"""Long exports that are killed (SIGKILL) at each step: the next try goes on after the parts that were kept."""

import pytest

from lakehouse_assets.lake import Lake
from tests.crash.processes import Worker
from tests.crash.steps import EXPORT
from tests.factories import company, make_dataset

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("long_locks")]

COUNT = 10


@pytest.mark.parametrize("name", ["entities", "statements"])
@pytest.mark.parametrize(("step", "kept"), zip(EXPORT, [0, 3, 4], strict=True))
def test_an_export_that_was_killed_is_ended_by_the_next_try(tmp_path, name, step, kept):
    dataset = make_dataset(tmp_path / "lake")
    for number in range(COUNT):
        dataset.entities.add_many([company(f"c-{number}", name=[f"Number {number}"])])
    wanted = Lake(tmp_path / "lake").dataset("acme").export(name).digest
    killed = Worker(tmp_path / "lake", f"try@{step}", name)
    killed.begin()
    killed.process.join(60)
    assert killed.process.exitcode == -9
    second = Worker(tmp_path / "lake", "try", name)
    second.begin()
    assert second.finish().split() == [str(kept), "done"]
    freshness = Lake(tmp_path / "lake").dataset("acme").freshness(name)
    assert (freshness.fresh, freshness.digest) == (True, wanted)
