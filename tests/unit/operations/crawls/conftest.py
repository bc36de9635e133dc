"""An empty dataset, and a folder to crawl."""

from pathlib import Path

import pytest

from lakehouse_assets.lake import Dataset
from tests.crawling import FILES, settle, write_tree
from tests.factories import make_dataset


@pytest.fixture
def acme(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "lake")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of four files, changed long enough ago that no clock can miss another change."""
    folder = write_tree(tmp_path / "files", FILES)
    settle()
    return folder
