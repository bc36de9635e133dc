"""Machines whose clocks differ by an hour."""

from datetime import UTC, datetime, timedelta

import pytest

from lakehouse_assets.collections import Repo, Schema
from lakehouse_assets.collections import log as logs

HOUR = timedelta(hours=1)


def test_versions_stay_in_their_order_whatever_the_clocks_say(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = repo.create_collection(Schema(time="int*", value="float"), "c") / "s"
    for number, ahead in enumerate([HOUR, -HOUR, HOUR * 0, -HOUR]):
        at = datetime.now(UTC) + ahead
        monkeypatch.setattr(logs, "now_utc", lambda at=at: at)
        series.write({"time": [1], "value": [float(number)]})
    monkeypatch.undo()
    revisions = series.revisions()
    times = [revision.at for revision in revisions]
    assert times == sorted(set(times))
    for number, revision in enumerate(revisions[1:]):
        assert series.frame(before=revision.at).rows() == [(1, float(number))]
    assert series.frame(before=datetime.now(UTC) + 2 * HOUR).rows() == [(1, 3.0)]


def test_a_clock_that_goes_fast_does_not_hide_what_is_written_after_it(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = repo.create_collection(Schema(time="int*", value="float"), "c")
    monkeypatch.setattr(logs, "now_utc", lambda: datetime.now(UTC) + HOUR)
    (collection / "s").write({"time": [1], "value": [1.0]})
    monkeypatch.undo()
    other = Repo()
    other.pull(repo)
    (other.get("c") / "s").write({"time": [2], "value": [2.0]})
    repo.pull(other)
    assert (repo.get("c") / "s").frame()["time"].to_list() == [1, 2]
    assert repo.gc(0) == repo.gc(0) == (0, 0)
