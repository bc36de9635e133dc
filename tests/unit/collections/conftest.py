"""Collections in memory and on local disk."""

from pathlib import Path

import pytest

from lakehouse_assets.collections import Repo


@pytest.fixture(params=["memory", "disk"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Repo:
    return Repo() if request.param == "memory" else Repo(tmp_path / "lake")
