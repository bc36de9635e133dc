"""Where a value comes from, and what became of what does not count any more."""

from datetime import UTC, datetime, timedelta

import deltalake
import pytest

from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.lake import Lake
from lakehouse_assets.statements import schema as s
from tests.factories import company, make_dataset, person, write_lines

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def acme(tmp_path):
    return make_dataset(tmp_path / "lake")


def import_lines(dataset, *entities, **options):
    folder = dataset.lake.location.path.parent
    dataset.import_files([write_lines(folder / "in.json", entities)], **options)


def claims(dataset, value, entity_id="c1"):
    """The claims about one value."""
    [found] = [found for found in dataset.explain(entity_id).values if found.value == value]
    return found.claims


def claim(dataset, value, entity_id="c1"):
    [found] = claims(dataset, value, entity_id)
    return found


def test_each_origin_and_role_that_says_a_value_is_named_with_its_times(acme):
    import_lines(acme, company(), origin="register", last_seen=JANUARY)
    import_lines(acme, company(), origin="register", last_seen=MARCH)
    import_lines(acme, company(), origin="leak", role="court", last_seen=FEBRUARY)
    explained = acme.explain("c1")
    assert (explained.dataset, explained.id, explained.schemata) == ("acme", "c1", ["Company"])
    assert not explained.deleted
    [value] = explained.values
    assert (value.prop, value.prop_type, value.value, value.counts) == ("name", "name", "Acme Inc.", True)
    assert [(of.origin, of.role, of.first_seen, of.last_seen) for of in value.claims] == [
        ("leak", "court", FEBRUARY, FEBRUARY),
        ("register", None, JANUARY, MARCH),
    ]
    assert [(of.rows, of.said) for of in value.claims] == [(1, [FEBRUARY]), (2, [JANUARY, MARCH])]


def test_what_a_value_was_before_it_was_cleaned_is_told_where_cleaning_changed_it(acme):
    import_lines(acme, company(name=["Acme"], jurisdiction=["Germany"]))
    assert claim(acme, "de").original_value == "Germany"
    assert claim(acme, "Acme").original_value is None


def test_mappings_and_crawls_are_named_as_such(acme):
    for origin in ("mapping:5a6a", "crawl", "leak"):
        import_lines(acme, company(), origin=origin)
    assert [(of.origin, of.made_by, of.content_hash) for of in claims(acme, "Acme Inc.")] == [
        ("crawl", "crawl", None),
        ("leak", None, None),
        ("mapping:5a6a", "mapping", "5a6a"),
    ]


@pytest.mark.parametrize("merged", [False, True], ids=["unmerged", "merged"])
def test_what_a_newer_emission_of_a_fragment_left_out_is_superseded(acme, merged):
    import_lines(acme, company(name=["Old"]) | {"fragment": "f"}, last_seen=JANUARY)
    import_lines(acme, company(name=["New"]) | {"fragment": "f"}, last_seen=FEBRUARY)
    import_lines(acme, company(name=["Newest"]) | {"fragment": "f"}, last_seen=MARCH)
    if merged:
        acme.merge()
    old = claim(acme, "Old")
    assert (old.state, old.ended_at, old.ended_by) == ("superseded", FEBRUARY, "fragment f")
    assert (old.fragment, old.first_seen, old.last_seen) == ("f", JANUARY, JANUARY)
    assert old.rows == (0 if merged else 1)
    assert claim(acme, "Newest").state == "counts"
    assert [value.value for value in acme.explain("c1").values] == ["Newest", "New", "Old"]


@pytest.mark.parametrize("merged", [False, True], ids=["unmerged", "merged"])
def test_a_deleted_entity_is_explained_with_the_time_of_its_tombstones(acme, merged):
    import_lines(acme, company(), last_seen=JANUARY)
    before = datetime.now(UTC)
    acme.delete(["c1"])
    if merged:
        acme.merge()
    explained = acme.explain("c1")
    assert explained.deleted
    assert [value.counts for value in explained.values] == [False]
    gone = claim(acme, "Acme Inc.")
    [stone] = gone.tombstones
    assert stone.hides
    assert before <= stone.deleted_at == gone.ended_at <= datetime.now(UTC)
    assert (gone.state, gone.ended_by, gone.last_seen, gone.said) == (
        "deleted",
        "tombstone",
        JANUARY,
        [JANUARY],
    )


def test_a_tombstone_that_a_later_import_overcame_hides_nothing(acme):
    import_lines(acme, company())
    acme.delete(["c1"])
    import_lines(acme, company())
    back = claim(acme, "Acme Inc.")
    assert (back.state, back.rows) == ("counts", 3)
    assert [stone.hides for stone in back.tombstones] == [False]
    acme.delete(["c1"])
    assert [stone.hides for stone in claim(acme, "Acme Inc.").tombstones] == [False, True]


def test_one_origin_may_have_taken_back_what_another_still_says(acme):
    for origin in ("leak", "register"):
        import_lines(acme, company(), origin=origin)
    acme.delete(["c1"], origin="leak")
    assert [(of.origin, of.state) for of in claims(acme, "Acme Inc.")] == [
        ("register", "counts"),
        ("leak", "deleted"),
    ]


def test_what_a_merge_dropped_is_found_in_older_versions_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_GRACE_PERIOD_DAYS", "0")
    acme = make_dataset(tmp_path / "lake")
    import_lines(acme, company(), last_seen=JANUARY)
    acme.delete(["c1"])
    acme.merge()
    assert acme.get(["c1"]) == {}
    gone = claim(acme, "Acme Inc.")
    assert (gone.state, gone.rows, gone.first_seen) == ("deleted", 0, JANUARY)
    assert acme.explain("c1").known_since.complete


def test_history_begins_where_files_were_vacuumed(acme):
    import_lines(acme, company(name=["Old"]) | {"fragment": "f"}, company("c3"), last_seen=JANUARY)
    import_lines(acme, company(name=["New"]) | {"fragment": "f"}, last_seen=FEBRUARY)
    acme.merge()
    merged = acme.statements.table.snapshot()
    acme.vacuum()
    explained = Lake(acme.lake.uri).dataset("acme").explain("c1")
    assert [value.value for value in explained.values] == ["New"]
    assert (explained.known_since.version, explained.known_since.complete) == (merged.version, False)
    with pytest.raises(NotFound, match=r"history is known from version 3 of 20.* on"):
        acme.explain("c2")


def test_history_goes_on_from_a_checkpoint_when_the_log_before_it_was_cleaned(acme):
    import_lines(acme, company(name=["Old"]) | {"fragment": "f"}, last_seen=JANUARY)
    import_lines(acme, company(name=["New"]) | {"fragment": "f"}, last_seen=FEBRUARY)
    folder = acme.statements.table.location.path
    deltalake.DeltaTable(folder).create_checkpoint()
    acme.merge()
    for version in range(3):
        (folder / "_delta_log" / f"{version:020}.json").unlink()
    fresh = Lake(acme.lake.uri).dataset("acme")
    assert claim(fresh, "Old").state == "superseded"
    known = fresh.explain("c1").known_since
    assert (known.version, known.complete) == (2, False)
    assert known.at is not None


def test_what_another_program_removed_is_named_with_its_operation(acme):
    import_lines(acme, company(), origin="leak", last_seen=JANUARY)
    import_lines(acme, company(), origin="register", last_seen=JANUARY)
    deltalake.DeltaTable(acme.statements.table.location.path).delete("origin = 'leak'")
    register, leak = claims(acme, "Acme Inc.")
    assert (register.origin, register.state) == ("register", "counts")
    assert (leak.state, leak.ended_by, leak.rows) == ("removed", "DELETE (version 3)", 0)
    assert datetime.now(UTC) - leak.ended_at < timedelta(minutes=5)


def test_only_files_that_can_hold_the_entity_are_opened(acme):
    import_lines(acme, company("a1"), company("a2"))
    import_lines(acme, company("z1"), company("z2"))
    [other] = [file for file in acme.statements.table.snapshot().files if file.first == "z1"]
    acme.statements.table.location.delete(other.key)
    assert not acme.explain("a1").deleted
    with pytest.raises(NotFound, match="is gone"):
        acme.explain("z1")


def test_one_property_may_be_asked_for(acme):
    import_lines(acme, company(name=["Acme"], jurisdiction=["de"]))
    assert [value.value for value in acme.explain("c1", "jurisdiction").values] == ["de"]
    assert acme.explain("c1", "alias").values == []
    with pytest.raises(InvalidData, match=r"no property 'jurisdicton' .* did you mean jurisdiction"):
        acme.explain("c1", "jurisdicton")


def test_an_entity_without_values_is_explained_by_its_own_row(acme):
    import_lines(acme, {"id": "c1", "schema": "Company", "properties": {}}, company("c2"), origin="leak")
    assert [(value.prop, value.claims[0].origin) for value in acme.explain("c1").values] == [
        (s.BASE_PROP, "leak")
    ]
    assert {value.prop for value in acme.explain("c2").values} == {"name"}
    assert {value.prop for value in acme.explain("c2", s.BASE_PROP).values} == {s.BASE_PROP}


def test_an_entity_that_nobody_ever_named_is_missing(acme):
    with pytest.raises(NotFound, match="no entity p1 in acme; nothing has been imported yet"):
        acme.explain("p1")
    import_lines(acme, person("p0"), person("p2"))
    with pytest.raises(NotFound, match="no entity p1 in acme; no version of its statements ever named it"):
        acme.explain("p1")
