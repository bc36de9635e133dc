"""Parts of a long export that an earlier try kept, and that the next one goes on after."""

import pytest

from lakehouse_assets.checkpoints import CheckpointStore
from lakehouse_assets.exports import keeping
from lakehouse_assets.exports.entities import COLUMNS, KeptLines, render_entities
from lakehouse_assets.exports.keeping import KeptParts
from lakehouse_assets.statements import ranges, reader
from tests.factories import company, entity, make_dataset

COUNT = 20


class Died(Exception):
    """What ends a try."""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Each import is a range of the table, and two of them are a part."""
    monkeypatch.setattr(reader, "plan", lambda parts, rows=1: ranges.plan(parts, rows))
    monkeypatch.setattr(reader, "RANGE_ROWS", 1)
    monkeypatch.setattr(keeping, "RANGES", 2)


@pytest.fixture
def dataset(tmp_path):
    """Companies, each in a file of its own, the last of them a document, too."""
    made = make_dataset(tmp_path / "lake")
    for number in range(COUNT):
        made.entities.add_many([company(f"c-{number:02}", name=[f"Number {number}"])], origin="one")
    made.entities.add_many([entity(f"c-{COUNT - 1:02}", "Document", title=["Paper"])], origin="two")
    return made


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "checkpoints")


def kept(store, *, run="r1", least_rows=0):
    return KeptParts(store, run_id=run, correlation_id="c1", least_rows=least_rows)


def names_in(rows):
    return rows.select("entity_id").unique(maintain_order=True)


def tried(dataset, parts, *, dies_after=COUNT + 1):
    """The ids that come of a try, and those that had to be rendered for it."""
    rendered = []

    def render(rows):
        if len(rendered) >= dies_after:
            raise Died
        rendered.append(rows["entity_id"][0])
        return names_in(rows)

    statements = dataset.statements.reader
    found = []
    try:
        for frame in parts.frames("ids", statements, lambda pace: statements.scan(pace=pace), render):
            found += frame["entity_id"].to_list()
    except Died:
        found.append("died")
    return found, rendered


def test_the_next_try_renders_what_no_part_has(dataset, store):
    everything, _ = tried(dataset, kept(store, least_rows=10**9))
    first, _ = tried(dataset, kept(store), dies_after=9)
    assert first == [*everything[:9], "died"]
    again, rendered = tried(dataset, kept(store, run="r2"))
    assert again == everything
    # four parts of two ranges were whole
    assert rendered == everything[8:]


def test_what_was_ended_by_a_third_try_is_whole(dataset, store):
    everything, _ = tried(dataset, kept(store, least_rows=10**9))
    tried(dataset, kept(store), dies_after=5)
    tried(dataset, kept(store, run="r2"), dies_after=5)
    again, rendered = tried(dataset, kept(store, run="r3"))
    assert again == everything
    assert rendered == everything[8:]


def test_parts_of_another_version_of_the_table_are_not_used(dataset, store):
    tried(dataset, kept(store), dies_after=9)
    dataset.entities.add_many([company("c-00", name=["Another name"])])
    found, rendered = tried(dataset, kept(store, run="r2"))
    assert len(rendered) == len(found) == COUNT + 1


def test_ranges_of_which_nothing_counts_do_not_hide_the_parts_after_them(dataset, store):
    dataset.delete([f"c-{number:02}" for number in range(3, 9)])
    everything, _ = tried(dataset, kept(store, least_rows=10**9))
    assert len(everything) == COUNT - 6 + 1
    tried(dataset, kept(store), dies_after=7)
    again, rendered = tried(dataset, kept(store, run="r2"))
    assert again == everything
    # the last company is the first document, too
    assert set(everything[1:6]).isdisjoint(rendered)


def test_nothing_is_kept_of_a_small_table(dataset, store):
    tried(dataset, kept(store, least_rows=1000), dies_after=9)
    assert store.trees() == []


@pytest.mark.parametrize("name", ["entities", "statements"])
def test_an_export_of_kept_parts_is_the_same_as_another(dataset, store, name):
    wanted = dataset.export(name)
    # the first keeps the parts, the second takes them
    for _ in range(2):
        found = dataset.export(name, force=True, kept=kept(store))
        assert (found.digest, found.rows, found.notes) == (wanted.digest, wanted.rows, wanted.notes)
    (tree,) = store.trees()
    assert tree.id == "c1"


def test_lines_that_were_kept_are_the_lines(dataset):
    for rows in dataset.statements.reader.scan(COLUMNS):
        made = render_entities(rows, "acme")
        found = KeptLines(made.frame())
        assert found.data == bytes(made.data)
        assert found.sizes.tolist() == made.sizes.tolist()
        assert found.digests.to_list() == made.digests.to_list()
        assert found.ids.to_list() == made.ids.to_list()
        assert found.incompatible == made.incompatible
