"""`lakehouse collections plan`, `push` and `pull` of datasets."""

from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Lake
from tests.cli.calling import Lakehouse
from tests.factories import company, person, values_of, write_lines


@pytest.fixture
def acme(lakehouse: Lakehouse, folder: Path) -> Path:
    """The dataset acme with an entity and an archived file, beside a collection."""
    file = write_lines(folder / "entities.ftm.json", [company("c1")])
    (folder / "a.txt").write_text("a")
    assert lakehouse("dataset", "create", "acme").code == 0
    assert lakehouse("-d", "acme", "import", file, "--origin", "register").code == 0
    assert lakehouse("-d", "acme", "crawl", folder / "a.txt").code == 0
    assert lakehouse("-d", "acme", "make").code == 0
    assert lakehouse("collections", "create", "prices", "-c", "day=date*", "-c", "value=float").code == 0
    return folder


def test_datasets_and_collections_are_brought_together(lakehouse: Lakehouse, acme: Path) -> None:
    planned = lakehouse("collections", "plan", "./second", "--push")
    rows = [line.split()[:3] for line in planned.out.splitlines()]
    assert rows == [
        ["label", "kind", "state"],
        ["acme", "dataset", "new"],
        ["prices", "collection", "new"],
    ]
    pushed = lakehouse("collections", "push", "./second").out.splitlines()
    assert pushed[0].startswith("pushed acme (new): 3 versions, ")
    assert "1 archived file, exports of statements, entities, documents, statistics, config.yml" in pushed[0]
    assert pushed[1].startswith("pushed prices (new): 1 version")
    assert lakehouse("collections", "push", "./second").out == "nothing to be pushed: all is the same\n"
    listed = lakehouse("--uri", "second", "collections", "ls", "--json").json
    assert ([each["label"] for each in listed["collections"]], listed["datasets"]) == (["prices"], ["acme"])
    told = lakehouse("--uri", "second", "status", "-d", "acme", "--json")
    assert told.code == 0


def test_only_what_is_named_is_brought(lakehouse: Lakehouse, acme: Path) -> None:
    lakehouse("dataset", "create", "other")
    done = lakehouse("collections", "push", "./second", "acme", "--json").json
    assert (done["datasets"], done["collections"], done["blobs_moved"]) == (["acme"], [], 1)
    done = lakehouse("collections", "push", "./second", "--namespace", "dataset", "--json").json
    assert (done["datasets"], done["same"], done["collections"]) == (["other"], ["acme"], [])
    done = lakehouse("collections", "push", "./second", "--namespace", "collection", "--json").json
    assert (done["datasets"], done["collections"]) == ([], ["prices"])
    missing = lakehouse("collections", "pull", "./second", "nope")
    assert (missing.code, "'nope'" in missing.err, missing.err.count("\n")) == (1, True, 1)
    unknown = lakehouse("collections", "pull", "office")
    assert (unknown.code, "LAKEHOUSE_REMOTES" in unknown.err) == (1, True)


def test_what_both_changed_is_refused_until_it_is_resolved(
    lakehouse: Lakehouse, acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_REMOTES", "office=./second")
    lakehouse("collections", "push", "office")
    for lake, name in (("data", "p1"), ("second", "p2")):
        file = write_lines(acme / f"{name}.ftm.json", [person(name)])
        assert lakehouse("--uri", lake, "-d", "acme", "import", file).code == 0
    refused = lakehouse("collections", "pull", "office")
    assert (refused.code, "--resolve union" in refused.err, refused.err.count("\n")) == (1, True, 1)
    assert lakehouse("collections", "plan", "office").out.splitlines()[1].split()[2] == "diverged"
    assert lakehouse("collections", "pull", "office", "--resolve", "all").code == 2
    assert lakehouse("collections", "pull", "office", "--resolve", "union").code == 0
    assert lakehouse("collections", "push", "office").code == 0
    found = [
        sorted({entity for entity, _, _ in values_of(Lake(acme / name).dataset("acme"))})
        for name in ("data", "second")
    ]
    assert found[0] == found[1]
    assert {"c1", "p1", "p2"} <= set(found[0])


def test_what_is_damaged_or_waits_is_told_of(lakehouse: Lakehouse, acme: Path) -> None:
    dataset = Lake(acme / "data").dataset("acme")
    (file,) = dataset.archive.files()
    dataset.location.write(layout.blob(file.checksum), b"b")
    with dataset.entities.writer() as writer:
        writer.add_entity(person("waits"))
    pushed = lakehouse("collections", "push", "./second")
    assert pushed.code == 1
    assert f"acme/{file.checksum} is damaged" in pushed.err
    assert "2 statements wait in the journal" in pushed.err


def test_deletions_come_along_unless_somebody_names_what_is_brought(lakehouse: Lakehouse, acme: Path) -> None:
    lakehouse("collections", "push", "./second")
    assert lakehouse("dataset", "delete", "acme").code == 0
    assert lakehouse("collections", "plan", "./second", "--push").out.splitlines()[1].split()[:3] == [
        "acme",
        "dataset",
        "deleted",
    ]
    assert lakehouse("collections", "push", "./second", "acme").code == 1
    assert lakehouse("collections", "push", "./second").out.startswith("pushed acme (deleted)")
    assert lakehouse("--uri", "second", "dataset", "ls", "--json").json["datasets"] == []
    lakehouse("dataset", "undelete", "acme")
    assert lakehouse("collections", "push", "./second").out == "nothing to be pushed: all is the same\n"
