import json
from collections import defaultdict

from followthemoney import model
from followthemoney.types import registry

from lakehouse_assets.exports.entities_json import EntitiesJson
from lakehouse_assets.exports.statistics import StatisticsJson
from tests.unit.exports.tables import base, make_view, people, row


def statistics_of(view):
    StatisticsJson().write(view)
    return json.loads(view.location.read("exports/statistics.json"))


def counted(entities):
    """The same counts in plain Python."""
    found = {"entity_count": 0, "countries": set()}
    by_schema = {"things": defaultdict(int), "intervals": defaultdict(int)}
    by_country = {"things": defaultdict(int), "intervals": defaultdict(int)}
    dates = []
    for entity in entities:
        schema = model.get(entity["schema"])
        found["entity_count"] += 1
        properties = entity["properties"].items()
        values = [(schema.properties[name].type, value) for name, values in properties for value in values]
        countries = {value for type_, value in values if type_ == registry.country}
        found["countries"] |= countries
        dates += [value for type_, value in values if type_ == registry.date]
        for kind, root in (("things", "Thing"), ("intervals", "Interval")):
            if schema.is_a(root):
                by_schema[kind][schema.name] += 1
                for country in countries:
                    by_country[kind][country] += 1
    for kind in by_schema:
        found[kind] = {
            "total": sum(by_schema[kind].values()),
            "countries": sorted(by_country[kind].items(), key=lambda item: (-item[1], item[0])),
            "schemata": sorted(by_schema[kind].items(), key=lambda item: (-item[1], item[0])),
        }
    return {**found, "countries": sorted(found["countries"]), "start": min(dates), "end": max(dates)}


def test_without_a_table_all_counts_are_zero(tmp_path):
    assert statistics_of(make_view(tmp_path)) == {
        "things": {"total": 0, "countries": [], "schemata": []},
        "intervals": {"total": 0, "countries": [], "schemata": []},
        "entity_count": 0,
        "countries": [],
    }


def test_an_event_is_a_thing_and_an_interval(tmp_path):
    found = statistics_of(make_view(tmp_path, people()))
    event = {"name": "Event", "count": 1, "label": "Event", "plural": "Events"}
    assert event in found["things"]["schemata"]
    assert event in found["intervals"]["schemata"]
    assert found["intervals"]["countries"] == [{"code": "de", "count": 1, "label": "Germany"}]


def test_the_counts_are_those_of_the_entities(tmp_path):
    rows = [found for found in people() if not found["external"]]
    view = make_view(tmp_path, rows, rows[3:])
    EntitiesJson().write(view)
    entities = [json.loads(line) for line in view.location.read("entities.ftm.json").splitlines()]
    found = statistics_of(view)
    for kind in ("things", "intervals"):
        found[kind]["countries"] = [(item["code"], item["count"]) for item in found[kind]["countries"]]
        found[kind]["schemata"] = [(item["name"], item["count"]) for item in found[kind]["schemata"]]
    assert found == counted(entities)


def test_rows_from_outside_do_not_count(tmp_path):
    view = make_view(tmp_path, [base("a"), row("b", "country", "fr", external=True)])
    found = statistics_of(view)
    assert (found["entity_count"], found["countries"]) == (1, [])


def test_an_entity_in_two_buckets_counts_once_as_entity_and_under_each_schema(tmp_path):
    rows = [row("x", "fileName", "x", "Document"), row("x", "name", "X", "Person"), row("y", "name", "Y")]
    found = statistics_of(make_view(tmp_path, rows))
    assert found["entity_count"] == 2
    assert [(item["name"], item["count"]) for item in found["things"]["schemata"]] == [
        ("Person", 2),
        ("Document", 1),
    ]


def test_a_page_counts_as_an_entity_only(tmp_path):
    found = statistics_of(make_view(tmp_path, [base("p", "Page")]))
    assert (found["entity_count"], found["things"]["total"], found["intervals"]["total"]) == (1, 0, 0)


def test_an_unknown_country_is_called_by_its_code(tmp_path):
    found = statistics_of(make_view(tmp_path, [row("x", "country", "qq")]))
    assert found["things"]["countries"] == [{"code": "qq", "count": 1, "label": "QQ"}]


def test_a_second_run_takes_no_snapshot(tmp_path):
    view = make_view(tmp_path, people())
    first, second = StatisticsJson().write(view), StatisticsJson().write(view)
    assert first[0].digest == second[0].digest
    assert len(view.versions.list("exports/statistics.json")) == 1
