"""Datasets brought to a lake that has none, and kept up to date there."""

from pathlib import Path

import deltalake
import pytest

from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.lake import Dataset, Lake
from tests.factories import company, person, rows_of, tree

EXPORTS = ("statements", "entities", "documents", "statistics", "index")


def stale(dataset: Dataset) -> list[str]:
    return [name for name in EXPORTS if not dataset.freshness(name).fresh]


def test_a_new_copy_has_everything_and_needs_nothing(lake: Lake, other: Lake) -> None:
    (plan,) = other.plan_pull(lake)
    assert (plan.state, plan.blobs, plan.versions, plan.conflicts) == ("new", 1, 2, ())
    assert other.datasets() == []
    done = other.pull(lake)
    assert (done.datasets, done.blobs_moved, done.bytes) == (("acme",), 1, plan.bytes)
    ours, theirs = other.dataset("acme"), lake.dataset("acme")
    assert rows_of(ours).equals(rows_of(theirs))
    assert ours.content_version() == theirs.content_version()
    assert [(file.key, file.size) for file in ours.archive.files()] == [("papers/a.pdf", 6)]
    assert (ours.config.title, ours.config.uri) == ("Acme leak", ours.uri)
    assert stale(ours) == []
    assert [result for result in ours.checks() if not result.passed] == []
    assert other.catalog_freshness().fresh
    before = tree(Path(str(other.location.path)))
    ours.make()
    assert {key for key in tree(Path(str(other.location.path))).items() - before.items()} == set()


def test_somebody_hears_how_far_it_is(lake: Lake, other: Lake) -> None:
    heard: list[tuple[int, int, str]] = []
    other.pull(lake, progress=lambda done, pending, unit: heard.append((done, pending, unit)))
    assert heard == [(1, 0, "archived files"), (1, 0, "data files")]


def test_nothing_is_brought_twice(lake: Lake, other: Lake) -> None:
    other.pull(lake)
    before = tree(Path(str(other.location.path)))
    done = other.pull(lake)
    assert (done.datasets, done.same, done.blobs_moved, done.blobs_skipped) == ((), ("acme",), 0, 1)
    assert tree(Path(str(other.location.path))) == before


def test_only_what_is_new_is_brought(lake: Lake, other: Lake, tmp_path: Path) -> None:
    other.pull(lake)
    acme = lake.dataset("acme")
    acme.import_entities([person("p2")])
    (tmp_path / "b.pdf").write_bytes(b"%PDF b")
    acme.archive.store(tmp_path / "b.pdf", key="papers/b.pdf")
    (step,) = other.pull(lake).steps
    assert (step.state, step.blobs, step.blobs_there, step.files, step.versions) == ("behind", 1, 1, 1, 1)
    ours = other.dataset("acme")
    assert rows_of(ours).equals(rows_of(acme))
    # what was made before is stale, and nothing pretends to be fresh
    assert set(stale(ours)) >= {"statements", "entities", "documents", "statistics"}
    acme.make()
    (step,) = other.pull(lake).steps
    assert (step.state, step.versions, len(step.exports)) == ("behind", 0, 4)
    assert stale(ours) == []
    assert ours.location.read("entities.ftm.json") == acme.location.read("entities.ftm.json")


def test_a_push_is_a_pull_from_the_other_side(lake: Lake, other: Lake) -> None:
    done = lake.push(other)
    assert (done.datasets, other.datasets()) == (("acme",), ["acme"])
    assert lake.push(str(other.location.path)).same == ("acme",)


def test_versions_are_those_of_the_source(lake: Lake, other: Lake) -> None:
    acme = lake.dataset("acme")
    acme.import_entities([person("p1", name=["Janet"])])
    acme.merge()
    other.pull(lake)
    place = Path(str(other.location.path), "acme", "statements")
    source = Path(str(lake.location.path), "acme", "statements")
    for version in range(4):
        ours = deltalake.DeltaTable(str(place), version=version)
        assert len(ours.to_pyarrow_table()) == len(
            deltalake.DeltaTable(str(source), version=version).to_pyarrow_table()
        )
    assert {key: value for key, value in tree(place).items() if "_delta_log" in key} == {
        key: value for key, value in tree(source).items() if "_delta_log" in key
    }


def test_a_shallow_copy_has_the_newest_version_alone(lake: Lake, other: Lake) -> None:
    acme = lake.dataset("acme")
    for number in range(3):
        acme.import_entities([person(f"p{number}", name=[f"Jane {number}"])])
    acme.compact()
    acme.make()
    (step,) = other.pull(lake, shallow=True).steps
    ours = other.dataset("acme")
    assert (step.versions, rows_of(ours).equals(rows_of(acme)), stale(ours)) == (1, True, [])
    assert ours.statements.table.commits()[-1][0] == acme.statements.table.commits()[0][0]
    acme.import_entities([company("c9")])
    (step,) = other.pull(lake, shallow=True).steps
    assert (step.state, step.versions, step.files) == ("behind", 1, 1)
    assert rows_of(ours).equals(rows_of(acme))
    ours.import_entities([company("c10")])
    assert lake.pull(other).steps[0].versions == 1


def test_wrong_names_and_lakes_are_refused(lake: Lake, other: Lake) -> None:
    with pytest.raises(NotFound, match="there are acme"):
        other.pull(lake, "nope")
    with pytest.raises(InvalidData, match="the same lake"):
        lake.pull(lake)
    with pytest.raises(InvalidData, match="union, ours or theirs"):
        other.pull(lake, resolve="mine")  # type: ignore[arg-type]


def test_exports_of_another_program_come_along_by_their_tags(lake: Lake, other: Lake) -> None:
    acme = lake.dataset("acme")
    acme.merge()
    acme.make()
    for key in [key for key in acme.location.keys("tags") if key.endswith("-written")]:
        acme.location.delete(key)
    other.pull(lake)
    copy = other.dataset("acme")
    assert stale(copy) == []
    assert "another program" in copy.freshness("entities").why
    assert [result for result in copy.checks() if not result.passed] == []
    assert other.pull(lake).same == ("acme",)
    acme.import_entities([person("p2")])
    other.pull(lake)
    assert stale(copy)[:1] == ["statements"]
    acme.merge()
    other.pull(lake)
    assert rows_of(copy).equals(rows_of(acme))
    assert stale(copy)[:1] == ["statements"]
