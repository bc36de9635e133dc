"""The examples are what their tables say, and the demo makes a lake of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import lakehouse_assets
from lakehouse_assets.lake import Lake

EXAMPLES = Path(lakehouse_assets.__file__).parents[1] / "examples"


def run(folder: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the demo ran, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, run(folder, str(EXAMPLES / "demo.py"))


def test_the_entities_are_those_of_the_tables() -> None:
    run(EXAMPLES, "build.py", "--check")


def test_the_demo_makes_every_export_and_says_where(demo: tuple[Path, str]) -> None:
    folder, said = demo
    lake = Lake(folder / "demo-lake")
    assert lake.datasets() == ["energy_owners", "eu_bodies"]
    for name in lake.datasets():
        lines = (EXAMPLES / f"{name}.ftm.json").read_text().splitlines()
        status = lake.dataset(name).status()
        assert status.entities == len({json.loads(line)["id"] for line in lines})
        assert all(artifact.fresh for artifact in status.artifacts.values())
        for artifact in status.artifacts.values():
            assert f"demo-lake/{name}/{artifact.path}" in said
        assert all(check.passed for check in lake.dataset(name).checks())
    assert lake.catalog_freshness().fresh
    assert "make ui" in said


def test_the_demo_again_changes_no_byte(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    exports = [*folder.glob("demo-lake/*/exports/*"), *folder.glob("demo-lake/*/*.json")]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in exports}
    said = run(folder, str(EXAMPLES / "demo.py"))
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in exports} == before
    assert "failed" not in said
