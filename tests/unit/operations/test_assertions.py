"""What pipeline.yml asserts is looked at before anything is published."""

import json
import logging

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import AssertionFailed, InvalidData
from lakehouse_assets.operations import ExportEntitiesJob, MakeJob, counting
from lakehouse_assets.operations.assertions import evaluate
from lakehouse_assets.statements.reader import Reader
from tests.factories import company, make_dataset, person, tree
from tests.unit.exports.tables import base, make_view, row

EXPORTS = ["statements", "entities", "documents", "statistics", "index"]
TWO_PEOPLE = [person("p1"), person("p2", country=["fr"])]


@pytest.fixture
def acme(tmp_path):
    """A dataset of a company and two people, one of whom has no name."""
    dataset = make_dataset(tmp_path / "lake")
    dataset.entities.add_many([company(), *TWO_PEOPLE])
    return dataset


@pytest.fixture
def scans(monkeypatch):
    """Which columns were read by the scans that counted."""
    found = []
    count = counting.count

    def counted(reader, properties=()):
        found.append(list(properties))
        return count(reader, properties)

    monkeypatch.setattr("lakehouse_assets.operations.assertions.count", counted)
    return found


def insist(dataset, text):
    """Write the assertions of a dataset."""
    dataset.location.write(layout.PIPELINE, f"assertions: {text}".encode())


def verdicts(dataset):
    """What each assertion came to."""
    return {found.name: (found.wanted, found.found, found.passed) for found in evaluate(dataset.repositories)}


def files(folder):
    """Every file but what was counted."""
    return {name: digest for name, digest in tree(folder).items() if not name.endswith(layout.ASSERTIONS)}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_refused_with_both_numbers_and_nothing_is_written(tmp_path, acme, name):
    insist(acme, "{schema: {Person: {min: 3}}, filled: {Person.name: 0.9}}")
    before = files(tmp_path)
    with pytest.raises(
        AssertionFailed, match="2 entities are of schema Person, at least 3 are wanted"
    ) as caught:
        acme.export(name)
    assert caught.value.failures == (
        "2 entities are of schema Person, at least 3 are wanted",
        "Person.name is filled in 1 of 2 entities (50.00%), at least 90.00% are wanted",
    )
    assert "--no-assertions" in str(caught.value)
    assert files(tmp_path) == before


def test_what_was_published_before_stays_when_a_make_is_refused(tmp_path, acme):
    acme.make()
    acme.entities.add_many([person("p3", country=["de"])])
    insist(acme, "{filled: {Person.name: 0.5}}")
    before = files(tmp_path)
    with pytest.raises(AssertionFailed, match="1 of 3 entities"):
        acme.make()
    assert files(tmp_path) == before
    job = acme.jobs.latest(MakeJob)
    assert "1 of 3 entities" in job.exc


def test_what_holds_is_published(acme):
    insist(acme, "{schema: {Person: {min: 2, max: 2}}, filled: {Person.name: 0.5}, max_drop_percent: 0}")
    job = acme.make()
    assert job.failed_assertions == []
    assert acme.status().artifacts["index"].fresh


def test_what_does_not_hold_is_published_when_asked_and_that_is_kept_on_record(acme, caplog):
    insist(acme, "{schema: {Person: {max: 1}}}")
    with caplog.at_level(logging.WARNING):
        job = acme.make(assertions=False)
    said = "2 entities are of schema Person, at most 1 are wanted"
    assert job.failed_assertions == [said]
    assert acme.jobs.latest(MakeJob).failed_assertions == [said]
    assert acme.jobs.latest(ExportEntitiesJob).failed_assertions == [said]
    assert f"acme: entities.ftm.json is published although {said}" in caplog.text


def test_an_index_that_an_export_writes_again_is_published_anyway_too(acme):
    acme.make()
    acme.entities.add_many([company("c2")])
    insist(acme, "{schema: {Person: {max: 1}}}")
    acme.export("entities", assertions=False)
    with pytest.raises(AssertionFailed):
        acme.export("index", force=True)


def test_a_make_counts_once_and_so_does_the_next_process(tmp_path, acme, scans):
    insist(acme, "{filled: {Person.name: 0.5}}")
    acme.make()
    again = make_again(tmp_path)
    again.make(force=True)
    assert evaluate(again.repositories)[0].passed
    assert scans == [["Person.name"]]


def test_it_is_counted_again_when_the_content_or_the_pipeline_changed(acme, scans):
    insist(acme, "{schema: {Person: {min: 1}}}")
    acme.make()
    acme.entities.add_many([person("p9")])
    acme.make()
    insist(acme, "{schema: {Person: {min: 2}}}")
    acme.make(force=True)
    acme.merge(force=True)
    acme.make(force=True)
    assert scans == [[], [], []]


def test_nothing_is_read_where_all_is_fresh_or_nothing_is_asserted(acme, scans, monkeypatch):
    insist(acme, "{}")
    acme.make()
    insist(acme, "{schema: {Person: {min: 99}}}")
    monkeypatch.setattr(Reader, "scan", None)
    assert acme.make().skipped
    assert scans == []


def test_a_dataset_without_assertions_gets_no_file_for_them(acme):
    acme.make()
    assert not acme.location.exists(layout.ASSERTIONS)


def test_what_was_counted_is_counted_again_when_the_file_is_torn(acme, scans):
    insist(acme, "{schema: {Person: {min: 1}}}")
    evaluate(acme.repositories)
    for torn in (b"", b"{", b"[]", b"7", b'{"format": 1}'):
        acme.location.write(layout.ASSERTIONS, torn)
        assert verdicts(acme) == {"schema.Person.min": (1, 2, True)}
    assert len(scans) == 6


def test_a_broken_pipeline_publishes_nothing(tmp_path, acme):
    acme.location.write(layout.PIPELINE, b"assertions:\n  filled: {Person.nome: 1}\n")
    before = files(tmp_path)
    with pytest.raises(InvalidData, match=r"acme/pipeline.yml, line 2: assertions.filled.Person.nome"):
        acme.make()
    assert files(tmp_path) == before


def test_the_drop_is_against_what_was_published_last(acme):
    insist(acme, "{max_drop_percent: 30}")
    assert verdicts(acme) == {"max_drop_percent": (30, 0, True)}
    acme.make()
    acme.delete(["p1"])
    with pytest.raises(
        AssertionFailed, match=r"there are 2 entities, and 3 in exports/statistics.json of .*33.33 %"
    ):
        acme.make()
    # more of them is no loss
    acme.entities.add_many([person(f"q{number}") for number in range(9)])
    acme.make()
    assert verdicts(acme) == {"max_drop_percent": (30, 0, True)}


def test_a_loss_just_as_large_as_allowed_is_allowed(acme):
    acme.entities.add_many([person(f"q{number}") for number in range(7)])
    acme.make()
    insist(acme, "{max_drop_percent: 20}")
    acme.delete(["q0", "q1"])
    assert verdicts(acme) == {"max_drop_percent": (20, 20, True)}
    acme.delete(["q2"])
    assert verdicts(acme) == {"max_drop_percent": (20, 30, False)}


def test_a_loss_that_was_published_anyway_is_what_the_next_is_compared_with(acme):
    acme.make()
    insist(acme, "{max_drop_percent: 10}")
    acme.delete(["p1", "p2"])
    acme.export("entities", assertions=False)
    acme.entities.add_many([person("p3")])
    acme.make()
    assert json.loads(acme.location.read(layout.STATISTICS))["entity_count"] == 2


def test_an_empty_dataset_has_lost_everything(acme):
    acme.make()
    insist(acme, "{max_drop_percent: 99, filled: {Person.name: 1}}")
    acme.delete(["c1", "p1", "p2"])
    assert verdicts(acme) == {"filled.Person.name": (1, 1, True), "max_drop_percent": (99, 100, False)}


def test_a_value_counts_whichever_schema_of_its_entity_it_came_with(acme):
    acme.entities.add_many(
        [
            {"id": "x1", "schema": "LegalEntity", "properties": {"name": ["X"]}},
            {"id": "x1", "schema": "Company", "properties": {"jurisdiction": ["de"]}},
        ]
    )
    insist(acme, "{schema: {Company: {max: 9}, LegalEntity: {max: 9}}, filled: {Company.name: 1}}")
    assert verdicts(acme) == {
        "schema.Company.max": (9, 2, True),
        "schema.LegalEntity.max": (9, 1, True),
        "filled.Company.name": (1, 1, True),
    }


def test_rows_from_outside_the_dataset_do_not_count(tmp_path):
    rows = [
        base("p1"),
        row("p1", "name", "Jane", external=True),
        base("p2", external=True),
        row("o1", "owner", "p1", "Ownership"),
    ]
    found = counting.count(make_view(tmp_path, rows).reader, ["Person.name"])
    assert (found.entities, found.lines) == (2, 3)
    assert found.schemata == {"Person": 1, "Ownership": 1}
    assert found.filled == {"Person.name": 0}


def make_again(folder):
    """The same dataset, as another process opens it."""
    from lakehouse_assets.lake import Lake

    return Lake(folder / "lake").dataset("acme")
