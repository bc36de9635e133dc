"""Imports that take the place of what their origin said before."""

import json
from functools import partial

import polars as pl
import pytest

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements import ranges, replacing, stage
from tests.factories import company, entity, make_dataset, person, rows_of, tree, values_of, write_lines


@pytest.fixture
def acme(tmp_path):
    """An empty dataset."""
    return make_dataset(tmp_path / "lake")


def bring(dataset, *entities, **options):
    """Import entities from a file."""
    file = dataset.location.path.parent.parent / "in.json"
    return dataset.import_files([write_lines(file, entities)], **options)


def replace(dataset, *entities, **options):
    """The same, in the place of what was there."""
    return bring(dataset, *entities, replace=True, **options)


def said(dataset):
    """Entity, value and origin of all statements that count."""
    rows = rows_of(dataset)
    if not len(rows):
        return []
    return sorted(rows.filter(pl.col("prop") != "id").select("entity_id", "value", "origin").iter_rows())


def test_what_the_input_does_not_hold_is_gone(acme):
    bring(acme, company("c1", name=["A", "B"]), company("c2"), person("p1"))
    job = replace(acme, company("c1", name=["B", "C"]), person("p1"))
    assert said(acme) == [("c1", "B", "default"), ("c1", "C", "default"), ("p1", "Jane Doe", "default")]
    # a value, a company's own row and value, and the earlier row of the company that changed
    assert job.deleted == 4
    assert acme.get(["c2"]) == {}


def test_it_is_one_commit(acme):
    bring(acme, company("c1"), company("c2"))
    replace(acme, company("c1"))
    assert acme.statements.table.snapshot().version == 2


def test_other_origins_stay(acme):
    bring(acme, company("c1", name=["A"]), origin="one")
    bring(acme, company("c1", name=["B"]), origin="two")
    bring(acme, company("c1", name=["C"]), origin="three")
    replace(acme, company("c1", name=["D"]), company("c9", name=["E"]) | {"origin": "three"}, origin="two")
    assert said(acme) == [("c1", "A", "one"), ("c1", "D", "two"), ("c9", "E", "three")]


def test_the_origin_of_the_option_is_left_alone_when_all_lines_name_another(acme):
    bring(acme, company("c1"), origin="bulk")
    replace(acme, company("c2") | {"origin": "leak"}, origin="bulk")
    assert [entity_id for entity_id, _, _ in said(acme)] == ["c1", "c2"]


def test_the_same_again_deletes_nothing(acme):
    lines = [company("c1", name=["A", "B"]), person("p1") | {"role": "desk"}]
    bring(acme, *lines)
    before = rows_of(acme).drop("last_seen")
    assert replace(acme, *lines).deleted == 0
    assert rows_of(acme).drop("last_seen").equals(before)


def test_an_entity_that_moved_to_another_bucket_is_gone_from_the_first(acme):
    bring(acme, entity("x", "Company", name=["A"]))
    replace(acme, entity("x", "Document", fileName=["A"]))
    assert set(rows_of(acme)["bucket"]) == {"document"}


def test_the_answer_does_not_depend_on_merges(acme):
    bring(acme, company("c1", name=["A"]), company("c2"), person("p1"))
    bring(acme, company("c1", name=["B"]), company("c3"))
    replace(acme, company("c1", name=["A"]), person("p2"))
    before = rows_of(acme)
    acme.merge()
    assert rows_of(acme).equals(before)
    assert said(acme) == [("c1", "A", "default"), ("p2", "Jane Doe", "default")]


def test_what_was_deleted_comes_back_with_it_and_goes_with_the_next(acme):
    bring(acme, company("c1"), company("c2"))
    acme.delete(["c1"])
    replace(acme, company("c1") | {"last_seen": "2020-01-01"})
    assert [entity_id for entity_id, _, _ in said(acme)] == ["c1"]
    assert replace(acme, company("c2") | {"last_seen": "2020-01-01"}).deleted == 2
    assert [entity_id for entity_id, _, _ in said(acme)] == ["c2"]


def test_rows_of_the_future_are_replaced_too(acme):
    bring(acme, company("c1") | {"last_seen": "2999-01-01"})
    replace(acme, company("c2"))
    assert [entity_id for entity_id, _, _ in said(acme)] == ["c2"]


@pytest.mark.parametrize("then", ["2019", "2020", "2021"])
@pytest.mark.parametrize("now", ["2019", "2020", "2021"])
def test_a_fragment_is_replaced_whatever_its_times_say(acme, then, now):
    bring(acme, company("c1", name=["A", "B"]) | {"fragment": "f", "last_seen": then})
    lines = company("c1", name=["B", "C"]) | {"fragment": "f", "last_seen": now}
    replace(acme, lines)
    wanted = [("c1", "B", "default"), ("c1", "C", "default")]
    assert said(acme) == wanted
    acme.merge()
    assert said(acme) == wanted
    replace(acme, company("c2"))
    assert [entity_id for entity_id, _, _ in said(acme)] == ["c2"]


def test_statements_replace_entities(acme, tmp_path):
    bring(acme, company("c1", name=["A", "B"]), company("c2"), origin="leak")
    (tmp_path / "in.csv").write_text("entity_id,schema,prop,value,origin\nc1,Company,name,B,leak\n")
    acme.import_files([tmp_path / "in.csv"], replace=True)
    assert said(acme) == [("c1", "B", "leak")]


def test_its_own_export_replaces_a_dataset_by_itself(acme):
    bring(acme, company("c1", name=["A", "B"]), person("p1") | {"fragment": "f", "last_seen": "2020"})
    bring(acme, company("c1", name=["C"]) | {"role": "desk"}, origin="two")
    before = rows_of(acme)
    file = acme.location.path / acme.export("statements").path
    assert acme.import_files([file], replace=True).deleted == 0
    assert rows_of(acme).equals(before)


@pytest.mark.parametrize("line", ["no json", json.dumps(entity("x", "Spaceship")), '{"id": "x"}'])
def test_a_bad_line_refuses_all_of_it(acme, tmp_path, line):
    bring(acme, company("c1"), company("x"))
    before = tree(tmp_path / "lake")
    (tmp_path / "in.json").write_text(f"{json.dumps(company('c2'))}\n{line}\n")
    with pytest.raises(InvalidData, match=r"in\.json, line 2: .*Nothing was changed.*without --replace"):
        acme.import_files([tmp_path / "in.json"], replace=True)
    assert tree(tmp_path / "lake") == before


def test_an_empty_input_does_not_delete_everything(acme, tmp_path):
    bring(acme, company("c1"))
    before = tree(tmp_path / "lake")
    with pytest.raises(InvalidData, match="holds no entities"):
        replace(acme)
    assert tree(tmp_path / "lake") == before


def test_a_first_import_may_be_a_replacing_one(acme):
    assert replace(acme, company("c1")).deleted == 0
    assert len(values_of(acme)) == 1


def test_many_entities_are_compared_range_by_range(acme, monkeypatch):
    monkeypatch.setattr(stage, "ROW_GROUP", 50)
    monkeypatch.setattr(replacing, "plan", partial(ranges.plan, rows=100))
    bring(acme, *[company(f"c{number:05}", name=[str(number)]) for number in range(3000)])
    bring(acme, *[company(f"c{number:05}", name=[str(number)]) for number in range(3000, 3500)])
    kept = [company(f"c{number:05}", name=[str(number)]) for number in range(0, 4000, 3)]
    job = replace(acme, *kept)
    assert [entity_id for entity_id, _, _ in values_of(acme)] == [line["id"] for line in kept]
    assert job.deleted == 2 * (3500 - len(range(0, 3500, 3)))


def test_shards_are_compared_each_for_itself(tmp_path):
    dataset = make_dataset(tmp_path / "lake", shards=4)
    bring(dataset, *[company(f"c{number}") for number in range(40)])
    replace(dataset, *[company(f"c{number}") for number in range(20, 50)])
    assert len(values_of(dataset)) == 30


def test_the_next_delete_and_import_find_what_replacing_left(acme):
    bring(acme, company("c1"), company("c2"))
    replace(acme, company("c1"))
    assert acme.delete(["c2"]).missing == ["c2"]
    bring(acme, company("c2") | {"last_seen": "2020"})
    assert [entity_id for entity_id, _, _ in said(acme)] == ["c1", "c2"]
