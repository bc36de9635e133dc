"""Machines whose clocks go wrong while garbage is collected: only the store's clock counts."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.model import times
from lakehouse_assets.storage import garbage
from tests.factories import make_dataset

HOUR = timedelta(hours=1)
DAYS = timedelta(days=2)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, timedelta(days=30)])
def test_neither_age_nor_grace_go_by_the_clock_of_who_collects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    now = datetime.now(UTC)
    for module in (garbage, times):
        monkeypatch.setattr(module, "now_utc", lambda: datetime.now(UTC) + ahead)
    acme = make_dataset(tmp_path)
    written = {"0" * 64: now, "1" * 64: now - DAYS - HOUR / 2, "2" * 64: now - DAYS + HOUR / 2}
    for checksum, at in written.items():
        acme.location.write(layout.blob(checksum), b"")
        path = acme.location.local(layout.blob(checksum))
        assert path is not None
        os.utime(path, (at.timestamp(),) * 2)
    lake = acme.lake
    # one of them is young
    assert len(lake.gc().marked) == 2
    assert lake.gc(timedelta(hours=1)).deleted == lake.gc().deleted == ()
    # a run that began two days ago, by our clock
    began = datetime.now(UTC) + ahead - DAYS
    assert lake.gc_sweep(0, before=began).deleted == (f"acme/{layout.blob('1' * 64)}",)
    assert lake.gc_sweep(0, before=began + HOUR).deleted == (f"acme/{layout.blob('2' * 64)}",)
