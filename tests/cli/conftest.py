"""Calling the command in this process, in a folder of its own."""

import io
from pathlib import Path

import pytest

from lakehouse_assets.cli import main
from tests.cli.calling import Lakehouse, Result
from tests.factories import company, person, write_lines


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, where nothing is set."""
    for name in ("DAGSTER_HOME", "LAKEHOUSE_URI", "LAKEHOUSE_DAGSTER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lakehouse(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """Calls `lakehouse`: its words, and what it reads from stdin."""

    def call(*args: str | Path, stdin: bytes = b"") -> Result:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main([str(arg) for arg in args])
        captured = capsysbinary.readouterr()
        return Result(code, captured.out.decode(), captured.err.decode())

    return call


@pytest.fixture
def entities(folder: Path) -> Path:
    """A file of a company and two people."""
    people = [
        person("p1", name=["Jane Doe"], country=["fr"]),
        person("p2", name=["John Doe"], country=["de"]),
    ]
    return write_lines(folder / "entities.ftm.json", [company("c1"), *people])


@pytest.fixture
def acme(lakehouse: Lakehouse, entities: Path) -> Lakehouse:
    """The command beside a lake with the dataset acme, which has three entities."""
    assert lakehouse("dataset", "create", "acme", "--title", "Acme leak").code == 0
    assert lakehouse("import", "-d", "acme", entities).code == 0
    return lakehouse
