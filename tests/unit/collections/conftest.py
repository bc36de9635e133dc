"""Collections in memory and on local disk."""

from pathlib import Path

import pytest

from lakehouse_assets.collections import Collection, Repo, Series
from tests.unit.collections.rows import NUMBERS, SCHEMA


@pytest.fixture(params=["memory", "disk"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return Repo() if request.param == "memory" else Repo(tmp_path / "lake")


@pytest.fixture
def collection(repo: Repo) -> Collection:
    return repo.create_collection(SCHEMA, "c")


@pytest.fixture
def series(collection: Collection) -> Series:
    return collection / "s"


@pytest.fixture
def numbers(series: Series) -> Series:
    series.write(NUMBERS)
    return series
