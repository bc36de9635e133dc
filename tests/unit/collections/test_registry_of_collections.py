"""Which collections there are."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakehouse_assets.collections import Repo, Schema
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.storage.location import Location

SCHEMA = Schema(time="int*", value="float")


def fill(repo: Repo, label: str, series: str = "s") -> None:
    found = repo / label
    assert found is not None
    (found / series).write({"time": [1], "value": [1.0]})


def rows(repo: Repo, label: str, series: str = "s", **named: str) -> list[tuple[object, ...]]:
    found = repo.collection(label, **named)
    assert found is not None
    return (found / series).frame().rows()


def test_a_new_place_has_no_collections(repo: Repo) -> None:
    assert (repo.ls(), list(repo), repo / "nope", repo.search("nope")) == ([], [], None, [])
    with pytest.raises(NotFound, match="nope"):
        repo.get("nope")


def test_labels_are_listed_sorted_in_whatever_order_they_were_made(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "b")
    made = repo.create_collection(SCHEMA, "a", "c")
    assert [one.label for one in made] == ["a", "c"]
    assert repo.ls() == list(repo) == Repo(repo.location).ls() == ["a", "b", "c"]


def test_a_label_that_is_there_is_refused_with_all_others_of_the_call(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "a")
    before = list(repo.location.keys())
    with pytest.raises(ValueError, match="'a' already"):
        repo.create_collection(SCHEMA, "a")
    with pytest.raises(ValueError, match="'a' already"):
        repo.create_collection(SCHEMA, "zz", "a")
    assert repo.ls() == ["a"]
    assert list(repo.location.keys()) == before


def test_an_existing_collection_is_given_if_that_is_asked_for(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "b")
    fill(repo, "b")
    found = repo.create_collection(SCHEMA, "b", "c", raise_if_exists=False)
    assert (repo.ls(), (found[0] / "s").frame().height) == (["b", "c"], 1)
    assert repo.create_collection(SCHEMA, "b", raise_if_exists=False) == found[0]


def test_another_schema_under_an_existing_label_is_refused(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "b")
    for schema in (
        Schema(time="int*"),
        Schema(time="int*", value="str"),
        Schema.kv(time="int*", value="float"),
    ):
        with pytest.raises(InvalidData, match="another schema"):
            repo.create_collection(schema, "b", raise_if_exists=False)


@pytest.mark.parametrize("label", ["", " ", "\t", "\n", "a\nb", "a\0b", "..", "a/../b", ".", "x" * 300])
def test_what_cannot_be_a_label_is_refused(repo: Repo, label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        repo.create_collection(SCHEMA, label)
    assert repo.ls() == []


def test_labels_may_be_nearly_anything_else(repo: Repo) -> None:
    labels = ["abc-1.45", "$", "é", "foo bar", "f/g", "_hidden", "Abc", "abc", "%41", "~", "a'b"]
    repo.create_collection(SCHEMA, *labels)
    for label in labels:
        fill(repo, label)
    assert repo.ls() == sorted(labels)
    assert all(rows(repo, label) == [(1, 1.0)] for label in labels)


def test_space_around_a_label_does_not_count(repo: Repo) -> None:
    assert repo.create_collection(SCHEMA, " e ").label == "e"
    assert (repo.ls(), (repo / " e ") == repo / "e") == (["e"], True)


def test_a_label_given_twice_is_refused(repo: Repo) -> None:
    with pytest.raises(InvalidData, match="of its own"):
        repo.create_collection(SCHEMA, "dd", "dd ")
    with pytest.raises(InvalidData, match="none"):
        repo.create_collection(SCHEMA)
    assert repo.ls() == []


def test_a_renamed_collection_keeps_its_rows(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "A", "B", "C")
    fill(repo, "A")
    repo.rename("A", "D")
    assert (repo.ls(), rows(repo, "D"), repo / "A") == (["B", "C", "D"], [(1, 1.0)], None)
    repo.rename("D", "a much longer label than before")
    repo.rename("a much longer label than before", "D")
    repo.create_collection(SCHEMA, "A")
    assert (rows(repo, "A"), rows(repo, "D")) == ([], [(1, 1.0)])


def test_what_cannot_be_renamed_is_refused(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "a", "b")
    for old, new in (("nope", "c"), ("a", "b"), ("a", "a"), ("a", "..")):
        with pytest.raises(ValueError, match=r"\w"):
            repo.rename(old, new)
    assert repo.ls() == ["a", "b"]


@pytest.mark.parametrize("gone", [["a"], ["d"], ["a", "c", "d"], ["nope"], ["b", "nope"], []])
def test_deleted_collections_are_not_listed(repo: Repo, gone: list[str]) -> None:
    repo.create_collection(SCHEMA, *"abcd")
    assert repo.delete(*gone) == [label for label in gone if label != "nope"]
    assert repo.ls() == [label for label in "abcd" if label not in gone]


def test_a_collection_made_after_a_deletion_has_no_rows_of_the_old_one(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "a")
    fill(repo, "a")
    repo.delete("a")
    repo.create_collection(SCHEMA, "a")
    assert rows(repo, "a") == []
    with pytest.raises(InvalidData, match="after the deletion"):
        repo.undelete("a")


def test_a_deletion_can_be_undone(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "a")
    fill(repo, "a")
    repo.delete("a")
    assert repo.undelete("a").label == "a"
    assert rows(repo, "a") == [(1, 1.0)]
    with pytest.raises(InvalidData):
        repo.undelete("nope")


def test_the_last_one_of_several_deleted_collections_comes_back(repo: Repo) -> None:
    for series in ("old", "new"):
        repo.create_collection(SCHEMA, "a")
        fill(repo, "a", series)
        repo.delete("a")
    assert repo.undelete("a").ls() == ["new"]


def test_namespaces_keep_collections_apart(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "x")
    repo.create_collection(SCHEMA, "x", namespace="n2")
    fill(repo, "x")
    assert rows(repo, "x", namespace="n2") == []
    repo.delete("x", namespace="n2")
    assert (repo.ls(), repo.ls("n2"), rows(repo, "x"), repo.namespaces()) == (
        ["x"],
        [],
        [(1, 1.0)],
        ["collection"],
    )


def test_the_archive_has_a_collection_of_the_same_label_and_schema(repo: Repo) -> None:
    made = repo.create_collection(SCHEMA, "a")
    archived = repo.archive(made)
    (archived / "s").write({"time": [5], "value": [5.0]})
    assert (archived.schema, archived.label, archived != made) == (SCHEMA, "a", True)
    assert rows(repo, "a", namespace="archive") == (repo.archive(made) / "s").frame().rows() == [(5, 5.0)]
    assert (rows(repo, "a"), repo.ls(), repo.ls("archive")) == ([], ["a"], ["a"])


def test_collections_are_found_by_label_or_pattern(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "temp-paris", "temp-rome", "rain*", "rainy")
    assert [one.label for one in repo.search("temp*")] == ["temp-paris", "temp-rome"]
    assert [one.label for one in repo.search("rain*")] == ["rain*"]
    assert [one.label for one in repo.search()] == repo.ls()


def test_another_clients_changes_are_seen_after_a_refresh(repo: Repo) -> None:
    repo.create_collection(SCHEMA, "a")
    other = Repo(repo.location)
    other.delete("a")
    assert repo.ls() == ["a"]
    repo.refresh()
    assert repo.ls() == []
    other.create_collection(SCHEMA, "b")
    assert (repo.ls(), repo.merge(), repo.ls()) == ([], [], ["b"])
    repo.create_collection(SCHEMA, "c")
    assert repo.ls() == ["b", "c"]


def test_everybody_who_makes_a_collection_at_once_gets_it(repo: Repo) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Repo(repo.location).create_collection(SCHEMA, f"c{n}"), range(8)))
    repo.refresh()
    assert repo.ls() == [f"c{n}" for n in range(8)]


def test_one_of_many_who_make_the_same_collection_at_once_gets_it(repo: Repo) -> None:
    def make(_: int) -> bool:
        try:
            Repo(repo.location).create_collection(SCHEMA, "same")
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(make, range(6))) == 1
    assert Repo(repo.location).ls() == ["same"]
    # what the others had prepared is gone
    assert len(repo.location.folders(".lakehouse/collections")) == 1


def test_datasets_of_a_lake_are_listed_and_not_renamed(tmp_path: Path) -> None:
    lake = Location(tmp_path)
    lake.write("acme/config.yml", b"name: acme")
    lake.write("no_dataset/file", b"")
    repo = Repo(lake)
    assert (repo.ls(), repo.ls("dataset")) == ([], ["acme"])
    with pytest.raises(InvalidData, match="cannot be renamed"):
        repo.rename("acme", "b", namespace="dataset")


def test_a_row_of_the_registry_can_be_made_a_collection(repo: Repo) -> None:
    made = repo.create_collection(SCHEMA, "a")
    fill(repo, "a")
    entry = repo.entries()[0]
    assert repo.reify("a", vars(entry)) == made
    assert repo.reify("a", {"schema": SCHEMA.dumps(), "path": entry.path}).ls() == ["s"]


def test_others_can_read_the_registry(tmp_path: Path) -> None:
    import polars as pl

    repo = Repo(tmp_path)
    repo.create_collection(SCHEMA, "a", "b")
    repo.delete("b")
    found = pl.read_delta(str(tmp_path / ".lakehouse" / "registry"))
    assert found.select("namespace", "label").rows() == [("collection", "a"), ("collection", "b")]
    assert found["deleted_at"].is_null().to_list() == [True, False]
