"""A project of one's own, made by Dagster's scaffolder, with two lakes in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse_assets.lake import Lake
from tests.factories import person, write_lines

pytestmark = pytest.mark.e2e

DEFS = """\
type: lakehouse_assets.LakehouseComponent
attributes:
  uri: {uri}
  key_prefix: [{prefix}]
"""

OWN = """\
import dagster as dg

@dg.asset(deps=[dg.AssetKey(["leaks", "catalog_index"])])
def newsletter() -> None: ...
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project, as `create-dagster project` makes it today."""
    folder = tmp_path_factory.mktemp("scaffolded")
    run("create-dagster", "project", "scratch", "--no-uv-sync", folder=folder)
    return folder / "scratch"


def run(program: str, *args: str, folder: Path, **environment: str) -> str:
    """Run a program of this environment; returns what it said."""
    told = {
        **os.environ,
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join([str(folder / "src"), *sys.path]),
        **environment,
    }
    command = [str(Path(sys.executable).parent / program), *args]
    ran = subprocess.run(
        command, cwd=folder, env=told, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout + ran.stderr


def test_lakes_are_scaffolded_checked_and_made_in_a_project_of_ones_own(
    project: Path, tmp_path: Path
) -> None:
    # what the scaffolder writes is loadable as it is
    run("dg", "scaffold", "defs", "lakehouse_assets.LakehouseComponent", "leaks", folder=project)
    defs = project / "src" / "scratch" / "defs"
    (defs / "leaks" / "defs.yaml").write_text(DEFS.format(uri="leaks", prefix="leaks"))
    (defs / "firms").mkdir()
    (defs / "firms" / "defs.yaml").write_text(DEFS.format(uri='"{{ env.FIRMS }}"', prefix="firms, raw"))
    (defs / "newsletter.py").write_text(OWN)
    lake = Lake(project / "leaks")
    acme = lake.create_dataset("acme")
    file = write_lines(tmp_path / "people.json", [person("p1"), person("p2")])
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").touch()
    environment = {"DAGSTER_HOME": str(home), "FIRMS": str(tmp_path / "firms")}
    assert "loaded successfully" in run("dg", "check", "defs", folder=project, **environment)

    # the command line tells the project's instance of the dataset, under the name that it has there
    run(
        "lakehouse", "--uri", "leaks", "import", "-d", "acme", str(file),
        folder=project, LAKEHOUSE_DAGSTER_PREFIX="leaks", **environment,
    )  # fmt: skip
    run("dg", "launch", "--job", "leaks_make", "--partition", "acme", folder=project, **environment)
    assert acme.freshness("index").fresh
    assert acme.freshness("entities").rows == 2
