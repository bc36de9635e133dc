"""What an import writes, statement by statement, against followthemoney's own classes."""

import json

import polars as pl
from followthemoney import model
from followthemoney.dataset import Dataset as FtmDataset
from followthemoney.statement.entity import StatementEntity
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.statements.schema import shard_of
from lakehouse_assets.statements.vocabulary import bucket_of
from tests.factories import make_dataset, rows_of, write_lines

SCHEMATA = ["Person", "Company", "Ownership", "Document", "Page", "Mention", "Event", "Address"]
# whatever a JSON text can hold, but no lone surrogates
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=0, max_size=12)
IDS = st.from_regex(r"[0-9a-zA-Z]([0-9a-zA-Z\-]{0,6}[0-9a-zA-Z])?", fullmatch=True)


@st.composite
def entities(draw):
    """An entity of a random schema with random values for some of its properties."""
    schema = model.get(draw(st.sampled_from(SCHEMATA)))
    names = sorted(name for name, prop in schema.properties.items() if not prop.stub)
    chosen = draw(st.lists(st.sampled_from(names), max_size=5, unique=True))
    properties = {name: draw(st.lists(TEXT | IDS, max_size=4)) for name in chosen}
    return {"id": draw(IDS), "schema": schema.name, "properties": properties}


def expected(data, *, cleaned):
    """The statements that followthemoney makes of an entity: id, property, value."""
    trusted = {name: [value for value in values if value] for name, values in data["properties"].items()}
    dataset = FtmDataset({"name": "acme", "title": "acme"})
    if cleaned:
        # values of type entity lose the signature of a namespace, which followthemoney does elsewhere
        entity = StatementEntity(dataset, {**data, "properties": trusted})
    else:
        entity = StatementEntity(dataset, {"id": data["id"], "schema": data["schema"]})
        for name, values in trusted.items():
            for value in values:
                if entity.schema.get(name).type.name == "entity" and value.strip() == data["id"]:
                    continue
                entity.add(name, value)
    return {(row.id, row.prop, row.value) for row in entity.statements}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_entities=st.lists(entities(), min_size=1, max_size=4, unique_by=lambda data: data["id"]),
    shards=st.sampled_from([0, 4]),
)
def test_trusted_statements_base_rows_shards_and_buckets_equal_those_of_followthemoney(
    tmp_path_factory, given_entities, shards
):
    folder = tmp_path_factory.mktemp("lake")
    dataset = make_dataset(folder, shards=shards)
    usable = [without_dots_and_nul(data) for data in given_entities]
    job = dataset.import_files([write_lines(folder / "in.json", usable)], trusted=True)
    assert job.errors == 0
    wanted = set().union(*(expected(data, cleaned=True) for data in usable))
    rows = rows_of(dataset)
    assert set(rows.select("id", "prop", "value").iter_rows()) == wanted
    assert rows["id"].is_unique().all()
    for row in rows.iter_rows(named=True):
        assert row["shard"] == shard_of(row["entity_id"], shards)
        assert row["bucket"] == bucket_of(model.get(row["schema"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=entities())
def test_safe_statements_equal_those_of_followthemoney_with_cleaning(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("lake")
    dataset = make_dataset(folder)
    data = without_dots_and_nul(data)
    dataset.import_files([write_lines(folder / "in.json", [data])])
    rows = rows_of(dataset)
    assert set(rows.select("id", "prop", "value").iter_rows()) == expected(data, cleaned=False)
    changed = rows.filter(pl.col("original_value").is_not_null())
    assert (changed["original_value"] != changed["value"]).all()


def without_dots_and_nul(data):
    """The entity without what is told apart elsewhere: signatures of namespaces, and NUL, which is refused."""
    text = json.dumps(data).replace("\\u0000", "")
    clean = json.loads(text)
    schema = model.get(clean["schema"])
    for name, values in clean["properties"].items():
        if schema.get(name).type.name == "entity":
            clean["properties"][name] = [value.replace(".", "") for value in values]
    return clean
