"""Collections of one place brought to another."""

from datetime import datetime
from pathlib import Path

import pytest

from lakehouse_assets.collections import Collection, Repo, Schema
from lakehouse_assets.errors import Conflict, Damaged, Diverged, InvalidData, NotFound, StorageError

SCHEMA = Schema(time="int*", value="float")


@pytest.fixture
def there(repo: Repo) -> Repo:
    made = repo.create_collection(SCHEMA, "c")
    write(made, 1, 2, 3)
    write(made, 2, value=20.0)
    return repo


@pytest.fixture
def here(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "here")


def write(collection: Collection, *times: int, value: float = 0.0, series: str = "s") -> None:
    (collection / series).write({"time": list(times), "value": [value or float(t) for t in times]})


def rows(repo: Repo, label: str = "c", series: str = "s") -> list[tuple[object, ...]]:
    return (repo.get(label) / series).frame().rows()


def test_a_pull_brings_all_versions_and_the_next_one_nothing(here: Repo, there: Repo) -> None:
    done = here.pull(there)
    assert (done.collections, done.versions, done.files) == (("c",), 3, 2)
    assert rows(here) == rows(there) == [(1, 1.0), (2, 20.0), (3, 3.0)]
    assert here.get("c").revisions() == there.get("c").revisions()
    again = here.pull(there)
    assert (again.collections, again.files, again.bytes, again.same) == ((), 0, 0, ("c",))
    write(there.get("c"), 3, value=30.0, series="t")
    some = here.pull(there)
    assert (some.versions, some.files) == (1, 1)
    assert (rows(here, series="t"), here.pull(there).files) == ([(3, 30.0)], 0)


def test_a_push_is_a_pull_from_the_other_side(here: Repo, there: Repo) -> None:
    assert there.push(here, "c").files == 2
    assert rows(here) == rows(there)
    write(here.get("c"), 9)
    assert here.push(there).versions == 1
    assert rows(there)[-1] == (9, 9.0)


def test_a_plan_tells_what_a_pull_does_and_does_nothing(here: Repo, there: Repo) -> None:
    (step,) = here.plan_pull(there)
    assert (step.state, len(step.files), step.bytes > 0, here.ls()) == ("new", 2, True, [])
    here.pull(there)
    assert [step.state for step in here.plan_pull(there)] == ["same"]
    write(here.get("c"), 9)
    assert [step.state for step in here.plan_pull(there)] == ["ahead"]
    assert [step.state for step in there.plan_pull(here)] == ["behind"]
    write(there.get("c"), 7)
    assert [step.state for step in here.plan_pull(there)] == ["diverged"]


def test_labels_and_deletions_are_brought_too(here: Repo, there: Repo) -> None:
    there.create_collection(SCHEMA, "gone")
    here.pull(there)
    there.rename("c", "c2")
    there.delete("gone")
    assert here.pull(there).files == 0
    assert (here.ls(), rows(here, "c2")) == (["c2"], rows(there, "c2"))
    here.rename("c2", "mine")
    here.pull(there)
    assert here.ls() == ["mine"]
    there.rename("c2", "theirs")
    with pytest.raises(Diverged, match="both sides renamed"):
        here.pull(there)


def test_what_was_deleted_here_stays_deleted(here: Repo, there: Repo) -> None:
    here.pull(there)
    here.delete("c")
    assert (here.pull(there).collections, here.ls()) == ((), [])
    with pytest.raises(InvalidData, match="undelete"):
        here.pull(there, "c")
    here.undelete("c")
    write(there.get("c"), 9)
    assert (here.pull(there, "c").files, rows(here)[-1]) == (1, (9, 9.0))


def test_what_is_not_there_is_told(here: Repo, there: Repo) -> None:
    with pytest.raises(NotFound, match="'nope'"):
        here.pull(there, "c", "nope")
    assert here.ls() == []


def test_collections_made_on_both_sides_are_never_mixed(here: Repo, there: Repo) -> None:
    write(here.create_collection(SCHEMA, "c"), 0)
    for resolve in (None, "ours", "theirs"):
        with pytest.raises(Diverged, match="another collection") as caught:
            here.pull(there, resolve=resolve)  # type: ignore[arg-type]
    assert caught.value.labels == ("c",)
    assert (rows(here), rows(there)) == ([(0, 0.0)], [(1, 1.0), (2, 20.0), (3, 3.0)])
    here.rename("c", "mine")
    here.pull(there)
    assert (here.ls(), rows(here)) == (["c", "mine"], rows(there))


def test_another_schema_under_the_same_label_is_refused_before_anything_changes(
    here: Repo, there: Repo
) -> None:
    there.create_collection(SCHEMA, "a")
    here.create_collection(Schema(time="int*", value="float", more="int"), "c")
    with pytest.raises(ValueError, match="another schema"):
        here.pull(there)
    assert here.ls() == ["c"]


def test_rows_that_were_written_again_at_the_source_are_brought_again(here: Repo, there: Repo) -> None:
    there.create_collection(SCHEMA, "ab")
    for value in (1.0, 2.0):
        write(there.get("ab"), 1, value=value)
    here.pull(there)
    for value in (1.0, 2.0):
        write(there.get("ab"), 1, value=value)
    here.pull(there)
    assert rows(here, "ab") == [(1, 2.0)]


def test_a_shallow_pull_brings_one_version_and_a_full_one_the_rest(here: Repo, there: Repo) -> None:
    assert here.pull(there, shallow=True).versions == 1
    assert (rows(here), len(here.get("c").revisions())) == (rows(there), 1)
    write(there.get("c"), 4)
    assert here.pull(there, shallow=True).files == 1
    assert (rows(here), len(here.get("c").revisions())) == (rows(there), 2)
    assert here.gc(0) == here.gc(0) == (0, 0)
    here.pull(there)
    assert (rows(here), here.get("c").revisions()) == (rows(there), there.get("c").revisions())
    assert here.pull(there).versions == 0
    assert (here.get("c") / "s").frame(version=1)["value"].to_list() == [1.0, 2.0, 3.0]


def test_a_trimmed_and_defragmented_source_is_pulled(here: Repo, there: Repo) -> None:
    source = there.get("c")
    for number in range(4, 9):
        write(source, number)
    source.defrag(1)
    source.trim(source.revisions()[-2].at)
    there.gc(0)
    there.gc(0)
    here.pull(there)
    assert (rows(here), here.get("c").revisions()) == (rows(there), source.revisions())
    write(source, 99)
    here.pull(there)
    assert rows(here)[-1] == (99, 99.0)


def test_changes_on_both_sides_stop_a_pull_of_all(here: Repo, there: Repo) -> None:
    write(there.create_collection(SCHEMA, "other"), 1)
    here.pull(there)
    write(there.get("c"), 4)
    write(there.get("other"), 5)
    write(here.get("c"), 5)
    with pytest.raises(Diverged, match="--resolve") as caught:
        here.pull(there)
    assert caught.value.labels == ("c",)
    assert (rows(here, "other"), rows(here)[-1]) == ([(1, 1.0)], (5, 5.0))
    here.pull(there, "other")
    assert rows(here, "other") == [(1, 1.0), (5, 5.0)]


@pytest.mark.parametrize(("resolve", "wins"), [("ours", 111.0), ("theirs", 222.0)])
def test_both_sides_changes_are_kept_when_they_are_resolved(
    here: Repo, there: Repo, resolve: str, wins: float
) -> None:
    for series in ("only ours", "only theirs", "ours deletes"):
        write(there.get("c"), 1, series=series)
    here.pull(there)
    ours, theirs = here.get("c"), there.get("c")
    write(ours, 1, value=111.0)
    write(theirs, 1, value=222.0)
    write(ours, 4)
    write(theirs, 5)
    (ours / "s").delete(3, 3)
    write(ours, 2, series="only ours")
    write(theirs, 2, series="only theirs")
    ours.delete("ours deletes")
    here.pull(there, resolve=resolve)  # type: ignore[arg-type]
    assert rows(here) == [(1, wins), (2, 20.0), (4, 4.0), (5, 5.0)]
    assert rows(here, series="only ours") == rows(here, series="only theirs") == [(1, 1.0), (2, 2.0)]
    assert here.get("c").ls() == ["only ours", "only theirs", "s"]
    # and now the other side can be brought to it, and all is the same
    assert [step.state for step in there.plan_pull(here)] == ["behind"]
    here.push(there)
    assert rows(there) == rows(here)
    assert (here.pull(there).collections, there.pull(here).collections) == ((), ())
    with pytest.raises(Conflict, match="open the collection"):
        write(ours, 99)
    assert here.gc()[0] == 0
    assert rows(here)[0] == (1, wins)


def test_a_resolved_push_says_ours_of_this_side(here: Repo, there: Repo) -> None:
    here.pull(there)
    write(here.get("c"), 1, value=111.0)
    write(there.get("c"), 1, value=222.0)
    here.push(there, resolve="ours")
    assert rows(there)[0] == (1, 111.0)
    here.pull(there)
    assert rows(here) == rows(there)


def test_rows_by_key_are_merged_by_key(here: Repo, there: Repo) -> None:
    made = there.create_collection(Schema.kv(k="str*", v="int"), "kv")
    (made / "s").write({"k": ["a", "b", "c"], "v": [1, 1, 1]})
    here.pull(there)
    (here.get("kv") / "s").write({"k": ["a", "d"], "v": [2, 2]})
    (made / "s").write({"k": ["b", "a"], "v": [3, 3]})
    (made / "s").delete("c")
    here.pull(there, resolve="theirs")
    assert rows(here, "kv") == [("a", 3), ("b", 3), ("d", 2)]


def test_a_damaged_file_is_not_brought(here: Repo, tmp_path: Path) -> None:
    there = Repo(tmp_path / "there")
    write(there.create_collection(SCHEMA, "c"), 1)
    (file,) = (tmp_path / "there").rglob("collections/*/*.parquet")
    good = file.read_bytes()
    file.write_bytes(good[:-9] + b"x" + good[-8:])
    with pytest.raises(InvalidData, match=file.name):
        here.pull(there)
    file.unlink()
    with pytest.raises(StorageError, match=file.name):
        here.pull(there)
    assert (here.ls(), list(here.location.keys())) == ([], [])
    file.write_bytes(good)
    here.pull(there)
    assert rows(here) == [(1, 1.0)]


def test_others_are_brought_beside_a_damaged_one(here: Repo, tmp_path: Path) -> None:
    there = Repo(tmp_path / "there")
    for label in ("a", "b", "c"):
        write(there.create_collection(SCHEMA, label), 1)
    (file,) = (there.get("b").location.path or tmp_path).rglob("*.parquet")
    good = file.read_bytes()
    file.write_bytes(good[:-9] + b"x" + good[-8:])
    with pytest.raises(Damaged, match=f"{file.name}.* 2 other collections were brought"):
        here.pull(there)
    assert (here.ls(), rows(here, "c")) == (["a", "c"], [(1, 1.0)])
    file.write_bytes(good)
    assert here.pull(there).collections == ("b",)


def test_a_pull_goes_on_where_an_earlier_one_ended(here: Repo, tmp_path: Path) -> None:
    there = Repo(tmp_path / "there")
    made = there.create_collection(SCHEMA, "c")
    for number in range(5):
        write(made, number)
    files = sorted((tmp_path / "there").rglob("collections/*/*.parquet"))
    away = files[-1].rename(tmp_path / "away")
    with pytest.raises(StorageError):
        here.pull(there)
    came = len(list((tmp_path / "here").rglob("*.parquet")))
    assert (here.ls(), came) == ([], 4)
    away.rename(files[-1])
    assert here.pull(there).files == 1
    assert rows(here) == rows(there)


def test_checkpoints_of_long_logs_do_not_matter(here: Repo, there: Repo) -> None:
    for number in range(105):
        write(there.get("c"), number % 5, value=float(number))
    here.pull(there)
    assert (rows(here), rows(Repo(here.location))) == (rows(there), rows(there))
    write(here.get("c"), 50)
    assert here.push(there).versions == 1


def test_what_is_brought_can_be_gone_back_to(here: Repo, there: Repo) -> None:
    here.pull(there)
    here.get("c").restore(version=1)
    assert (here.get("c") / "s").frame()["value"].to_list() == [1.0, 2.0, 3.0]
    assert here.get("c").trim(datetime(2999, 1, 1)) == 2
    assert [step.state for step in there.plan_pull(here)] == ["behind"]
    there.pull(here)
    assert rows(there) == rows(here)


def test_a_remote_that_forgot_what_is_here_is_followed_all_the_same(here: Repo, there: Repo) -> None:
    here.pull(there)
    for number in (7, 8, 9):
        write(there.get("c"), number)
    there.get("c").trim(datetime(2999, 1, 1))
    assert [step.state for step in here.plan_pull(there)] == ["trimmed"]
    here.pull(there)
    assert (rows(here), here.get("c").revisions()) == (rows(there), there.get("c").revisions())
    assert [step.state for step in here.plan_pull(there)] == ["same"]
    write(here.get("c"), 10)
    assert here.push(there).versions == 1
    # only with nothing of one's own
    write(here.get("c"), 11)
    for number in (12, 13):
        write(there.get("c"), number)
    there.get("c").trim(datetime(2999, 1, 1))
    with pytest.raises(Diverged):
        here.pull(there)
    here.pull(there, resolve="ours")
    assert [row[0] for row in rows(here)][-4:] == [10, 11, 12, 13]
    assert rows(there)[-1] == (13, 13.0)
