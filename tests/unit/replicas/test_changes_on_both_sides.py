"""Statements that were changed here and there."""

import json
from datetime import timedelta

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import Diverged, Locked
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.journal import Batch
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.statements import marks
from lakehouse_assets.statements.flush import APP
from lakehouse_assets.statements.marks import TableLog
from lakehouse_assets.statements.store import StatementStore
from tests.factories import company, person, rows_of, values_of


def names(lake: Lake) -> list[tuple[str, str]]:
    return [(entity, value) for entity, prop, value in values_of(lake.dataset("acme")) if prop == "name"]


def states(here: Lake, there: Lake) -> list[str]:
    return [step.state for step in here.plan_pull(there)]


@pytest.fixture
def apart(lake: Lake, other: Lake) -> tuple[Lake, Lake]:
    """Two copies, each with an entity of its own, and without another one."""
    other.pull(lake)
    lake.dataset("acme").import_entities([person("p2", name=["Ann"])])
    lake.dataset("acme").delete(["c1"])
    other.dataset("acme").import_entities([person("p3", name=["Bob"])])
    other.dataset("acme").delete(["p1"])
    return lake, other


def test_nothing_is_changed_before_somebody_says_what_counts(apart: tuple[Lake, Lake]) -> None:
    lake, other = apart
    before = other.dataset("acme").content_version(), other.dataset("acme").config
    with pytest.raises(Diverged, match="--resolve union") as caught:
        other.pull(lake)
    assert caught.value.labels == ("acme",)
    assert (other.dataset("acme").content_version(), other.dataset("acme").config) == before
    assert states(other, lake) == states(lake, other) == ["diverged"]


def test_a_union_has_what_both_added_and_not_what_either_deleted(apart: tuple[Lake, Lake]) -> None:
    lake, other = apart
    (step,) = other.pull(lake, resolve="union").steps
    assert (step.state, names(other)) == ("diverged", [("p2", "Ann"), ("p3", "Bob")])
    assert states(lake, other) == ["behind"]
    assert lake.pull(other).steps[0].versions == 0
    assert rows_of(lake.dataset("acme")).equals(rows_of(other.dataset("acme")))
    assert states(other, lake) == states(lake, other) == ["same"]
    # exports of other versions are not taken for fresh
    other.dataset("acme").make()
    assert lake.pull(other).steps[0].exports == ()
    assert not lake.dataset("acme").freshness("entities").fresh


def test_a_union_on_both_sides_at_once_is_the_same(apart: tuple[Lake, Lake]) -> None:
    lake, other = apart
    found = [TableLog(each.dataset("acme").location) for each in apart]
    assert found[0].content_mark != found[1].content_mark
    # a copy of what lies there, as if both had looked before either wrote
    third = Lake(f"{lake.location.path}-copy")
    third.pull(lake)
    lake.pull(other, resolve="union")
    other.pull(third, resolve="union")
    assert rows_of(lake.dataset("acme")).equals(rows_of(other.dataset("acme")))
    assert states(other, lake) == states(lake, other) == ["same"]


def test_a_union_of_what_is_there_already_writes_no_rows(lake: Lake, other: Lake) -> None:
    other.pull(lake)
    at = "2026-01-01T00:00:00"
    said = {**person("p7"), "first_seen": at, "last_seen": at, "last_change": at}
    for each in (lake, other):
        each.dataset("acme").import_entities([said])
    before = lake.dataset("acme").content_version()
    assert states(lake, other) == ["diverged"]
    assert lake.pull(other, resolve="union").files == 0
    assert lake.dataset("acme").content_version() == before
    assert (states(lake, other), states(other, lake)) == (["ahead"], ["behind"])


@pytest.mark.parametrize(
    ("resolve", "left"), [("ours", ["Acme Inc.", "Bob"]), ("theirs", ["Ann", "Jane Doe"])]
)
def test_one_side_alone_counts_if_it_is_said_so(
    apart: tuple[Lake, Lake], resolve: str, left: list[str]
) -> None:
    lake, other = apart
    other.pull(lake, resolve=resolve)  # type: ignore[arg-type]
    assert sorted(name for _, name in names(other)) == left
    lake.pull(other)
    assert sorted(name for _, name in names(lake)) == left
    assert states(other, lake) == states(lake, other) == ["same"]


def test_a_push_turns_whose_side_counts(apart: tuple[Lake, Lake]) -> None:
    lake, other = apart
    lake.push(other, resolve="ours")
    assert names(other) == names(lake) == [("p1", "Jane Doe"), ("p2", "Ann")]


def test_what_each_side_was_told_to_leave_behind_stays_apart(apart: tuple[Lake, Lake]) -> None:
    lake, other = apart
    third = Lake(f"{lake.location.path}-copy")
    third.pull(lake)
    lake.pull(other, resolve="ours")
    other.pull(third, resolve="ours")
    assert states(other, lake) == states(lake, other) == ["diverged"]


def test_what_was_only_rewritten_is_no_change(lake: Lake, other: Lake) -> None:
    acme, copy = lake.dataset("acme"), None
    acme.import_entities([person("p1", name=["Janet"])])
    other.pull(lake)
    copy = other.dataset("acme")
    copy.merge()
    acme.compact()
    assert states(other, lake) == states(lake, other) == ["same"]
    acme.import_entities([person("p5")])
    (step,) = other.pull(lake).steps
    assert (step.state, step.versions) == ("behind", 0)
    assert rows_of(copy).equals(rows_of(acme))
    copy.import_entities([company("c5")])
    assert lake.pull(other).steps[0].state == "behind"
    assert rows_of(copy).equals(rows_of(acme))


def test_a_third_lake_follows_whichever_way_it_is_told(apart: tuple[Lake, Lake]) -> None:
    lake, other = apart
    third = Lake(f"{lake.location.path}-copy")
    third.pull(other)
    other.pull(lake, resolve="union")
    other.dataset("acme").import_entities([person("p9")])
    lake.pull(other)
    assert states(third, lake) == ["behind"]
    third.pull(lake)
    assert states(third, other) == states(other, third) == ["same"]
    assert rows_of(third.dataset("acme")).equals(rows_of(other.dataset("acme")))


def test_deletions_are_not_undone_by_a_union(lake: Lake, other: Lake) -> None:
    other.pull(lake)
    lake.dataset("acme").delete(["p1"])
    lake.dataset("acme").merge()
    other.dataset("acme").import_entities([company("c2")])
    other.pull(lake, resolve="union")
    assert [entity for entity, _ in names(other)] == ["c1", "c2"]


def test_a_deletion_counts_after_what_a_clock_said_that_goes_fast(lake: Lake, other: Lake) -> None:
    ahead = (now_utc() + timedelta(hours=1)).isoformat()
    said = {**person("p6"), "first_seen": ahead, "last_seen": ahead, "last_change": ahead}
    lake.dataset("acme").import_entities([said])
    other.pull(lake)
    other.dataset("acme").delete(["p6"])
    lake.dataset("acme").import_entities([person("p7")])
    lake.pull(other, resolve="union")
    assert [entity for entity, _ in names(lake)] == ["c1", "p1", "p7"]
    # said again, by a clock that goes right
    other.pull(lake)
    other.dataset("acme").import_entities([person("p6")])
    lake.pull(other)
    assert [entity for entity, _ in names(lake)] == ["c1", "p1", "p6", "p7"]


def test_fragments_of_both_sides_are_superseded_by_the_newest(lake: Lake, other: Lake) -> None:
    other.pull(lake)

    def said(name: str, at: str) -> dict[str, object]:
        return {**person("p4", name=[name]), "fragment": "f", "last_seen": at, "last_change": at}

    lake.dataset("acme").import_entities([said("Old", "2026-01-01T00:00:00"), person("p8")])
    other.dataset("acme").import_entities([said("New", "2026-02-01T00:00:00")])
    lake.pull(other, resolve="union")
    other.pull(lake)
    assert names(lake) == names(other)
    assert [value for entity, value in names(lake) if entity == "p4"] == ["New"]


def test_rows_that_wait_in_a_killed_flush_are_not_taken_for_committed(lake: Lake, other: Lake) -> None:
    acme = lake.dataset("acme")
    for number in range(3):
        with acme.entities.writer() as writer:
            writer.add_entity(person(f"w{number}"))
        acme.flush()
    other.pull(lake)
    copy = other.dataset("acme")
    with copy.entities.writer() as writer:
        writer.add_entity(person("mine"))
    # as a flush leaves it that is killed before its commit
    number = copy.statements.table.last_step(APP) + 1
    segments = tuple(segment.name for segment in copy.statements.journal.waiting())
    copy.location.write(layout.JOURNAL_BATCH, Batch(number=number, segments=segments).to_bytes())
    with acme.entities.writer() as writer:
        writer.add_entity(person("theirs"))
    acme.flush()
    assert acme.statements.table.last_step(APP) >= number
    other.pull(lake)
    copy = other.dataset("acme")
    copy.flush()
    assert {"mine", "theirs"} <= {entity for entity, _ in names(other)}


def test_what_waits_in_a_journal_is_told_of(lake: Lake, other: Lake) -> None:
    with lake.dataset("acme").entities.writer() as writer:
        writer.add_entity(person("w"))
    assert [step.waiting for step in other.plan_pull(lake)] == [2]
    assert other.pull(lake).steps[0].waiting == 2
    assert other.dataset("acme").statements.journal.waiting() == []


def test_a_pull_waits_for_who_changes_the_dataset(
    lake: Lake, other: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.pull(lake)
    lake.dataset("acme").import_entities([person("p2")])
    monkeypatch.setenv("LAKEHOUSE_LOCK_TIMEOUT", "0.1")
    impatient = Lake(other.location.path)
    with other.dataset("acme").leases.exclusive("merge"), pytest.raises(Locked):
        impatient.pull(lake)
    assert impatient.pull(lake).datasets == ("acme",)
    # ftm-lakehouse sees its own lock file
    assert not other.location.exists("acme/.LOCK")


def test_a_log_that_was_cleaned_up_is_still_known(
    lake: Lake, other: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "_LONG", 6)
    other.pull(lake)
    acme = lake.dataset("acme")
    for number in range(7):
        acme.import_entities([person(f"n{number}")])
    acme.statements.table.note_content_version()
    assert json.loads(acme.location.read(layout.TABLE_CONTENT))["lineage_at"] == 8
    table = acme.statements.table
    table.snapshot()
    assert table._known is not None
    table._known[0].create_checkpoint()
    for version in range(8):
        acme.location.delete(f"{layout.TABLE_LOG}/{version:020}.json")
    assert states(other, lake) == ["behind"]
    (step,) = other.pull(lake).steps
    assert step.versions == 0
    assert rows_of(other.dataset("acme")).equals(rows_of(acme))
    assert states(lake, other) == ["same"]
    third = Lake(f"{lake.location.path}-copy")
    third.pull(lake)
    assert rows_of(third.dataset("acme")).equals(rows_of(acme))
    assert states(third, other) == states(other, third) == ["same"]


def test_the_store_says_so_when_somebody_commits_in_between(lake: Lake) -> None:
    store = lake.dataset("acme").statements
    assert isinstance(store, StatementStore)
    base = store.table.snapshot()
    lake.dataset("acme").import_entities([person("p2")])
    assert base is not None
    with pytest.raises(Exception, match="somebody else changed"):
        store.table.turn_into(base, [], metadata={})
