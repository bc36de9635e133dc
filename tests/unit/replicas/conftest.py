"""Two lakes, one with a dataset."""

from pathlib import Path

import pytest

from lakehouse_assets.lake import Lake
from tests.factories import company, person


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with the dataset acme: two entities, an archived file, exports."""
    made = Lake(tmp_path / "one")
    acme = made.create_dataset("acme", title="Acme leak")
    acme.import_entities([company("c1"), person("p1")])
    (tmp_path / "a.pdf").write_bytes(b"%PDF a")
    acme.archive.store(tmp_path / "a.pdf", key="papers/a.pdf")
    acme.make()
    return made


@pytest.fixture
def other(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path / "two")
