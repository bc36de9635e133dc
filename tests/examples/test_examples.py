"""The examples are what their tables say, and the demo makes a lake of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import lakehouse_assets
from lakehouse_assets.lake import Lake

EXAMPLES = Path(lakehouse_assets.__file__).parents[1] / "examples"
PAPERS = [path for path in (EXAMPLES / "papers").rglob("*") if path.is_file()]


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
    assert lake.datasets() == ["energy_owners", "eu_bodies", "power_papers", "shared_notes"]
    for name in ("energy_owners", "eu_bodies"):
        lines = (EXAMPLES / f"{name}.ftm.json").read_text().splitlines()
        assert lake.dataset(name).status().entities == len({json.loads(line)["id"] for line in lines})
    for name in lake.datasets():
        status = lake.dataset(name).status()
        assert all(artifact.fresh for artifact in status.artifacts.values())
        for artifact in status.artifacts.values():
            assert f"demo-lake/{name}/{artifact.path}" in said
        assert all(check.passed for check in lake.dataset(name).checks())
    assert lake.catalog_freshness().fresh
    assert "make ui" in said


def test_the_demo_shows_the_way_from_a_file_to_what_changed(demo: tuple[Path, str]) -> None:
    folder, said = demo
    papers = Lake(folder / "demo-lake").dataset("power_papers")
    kept = {file.key: file.checksum for file in papers.archive.files()}
    assert set(kept) == {path.relative_to(EXAMPLES / "papers").as_posix() for path in PAPERS}
    stations = [json.loads(line) for line in papers.query(schema="Asset")]
    assert {station["properties"]["proof"][0] for station in stations} == {kept["registers/stations.csv"]}
    assert "Temelín" in {station["caption"] for station in stations}
    [difference] = (folder / "demo-lake/power_papers/diffs/entities.ftm.json").glob("*.delta.json")
    changes = [json.loads(line) for line in difference.read_text().splitlines()]
    added = {change["entity"]["schema"] for change in changes if change["op"] == "ADD"}
    assert added == {"Company", "Mention", "Page"}
    changed = {change["entity"]["schema"] for change in changes if change["op"] == "MOD"}
    assert changed == {"Email", "Pages", "PlainText", "Table"}
    assert difference.name in said


def test_the_demo_shows_what_a_letter_mentions(demo: tuple[Path, str]) -> None:
    folder, said = demo
    papers = Lake(folder / "demo-lake").dataset("power_papers")
    [letter] = [json.loads(line) for line in papers.query(schema="Email")]
    assert letter["properties"]["ibanMentioned"] == ["GB33BUKB20201555555555"]
    assert "The fee for copies" in letter["properties"]["bodyText"][0]
    exported = [json.loads(line) for line in papers.location.read("entities.ftm.json").splitlines()]
    mentions = [entity for entity in exported if entity["schema"] == "Mention"]
    assert {mention["properties"]["document"][0] for mention in mentions} == {letter["id"]}
    assert "Records office" in {mention["caption"] for mention in mentions}
    assert "papertrail" in said


def test_the_demo_brings_together_what_two_lakes_changed(demo: tuple[Path, str]) -> None:
    folder, said = demo
    here, there = Lake(folder / "demo-lake"), Lake(folder / "demo-lake-copy")
    assert "a pull is refused: 'shared_notes': statements were changed here and there" in said
    assert there.datasets() == here.datasets()
    for name in here.datasets():
        exported = here.dataset(name).location.read("entities.ftm.json")
        assert there.dataset(name).location.read("entities.ftm.json") == exported
        assert here.glance(there, name).state == "same"
    notes = [json.loads(line) for line in there.dataset("shared_notes").query(schema="Note")]
    assert {found["id"] for found in notes} == {"note-1", "note-2", "note-3"}
    assert there.collections.ls() == ["exchange rates"]


def test_the_papers_are_what_their_texts_say() -> None:
    run(EXAMPLES, "papers.py", "--check")


def test_the_demo_again_changes_no_byte(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    exports = [*folder.glob("demo-lake/*/exports/*"), *folder.glob("demo-lake/*/*.json")]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in exports}
    said = run(folder, str(EXAMPLES / "demo.py"))
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in exports} == before
    assert "failed" not in said


def test_exchange_rates_changed_in_two_lakes_are_brought_together(tmp_path: Path) -> None:
    for _ in range(2):
        said = run(tmp_path, str(EXAMPLES / "exchange_rates.py"))
        assert "a pull is refused" in said
        for lake in ("demo-lake", "demo-lake-copy"):
            rates = Lake(tmp_path / lake).collections.get("exchange rates")
            assert (rates / "CZK").frame()["rate"].to_list() == [0.0411, 0.0413, 0.0410, 0.0409]
            assert (rates / "PLN").frame()["rate"].to_list() == [0.2370, 0.2368, 0.2374]
