import hashlib

import pytest
from followthemoney import model
from followthemoney.statement import Statement

from lakehouse_assets.statements.schema import COLUMNS, PARTITION_BY, shard_of, statement_id, table_schema
from lakehouse_assets.statements.vocabulary import UNKNOWN, bucket_of, vocabulary


def test_the_table_has_nineteen_columns_and_is_partitioned_by_shard_bucket_origin():
    assert len(COLUMNS) == 19
    assert PARTITION_BY == ["shard", "bucket", "origin"]
    nullable = {field.name for field in table_schema() if field.nullable}
    assert nullable == {"source", "prop_type", "original_value", "lang", "role", "deleted_at"}


def test_statement_ids_are_those_of_the_format():
    assert statement_id("d", "e", "name", "v") == "17d427eb512f5a9a2c0fb1164414907187e8aaee"
    assert statement_id("d", "e", "name", "v", "eng", True) == "f0d4474836ead26de09db390c9e5d0b942646502"
    assert statement_id("d", "e", "name", "é") == Statement.make_key("d", "e", "name", "é", False)


@pytest.mark.parametrize(
    ("shards", "width"), [(0, 1), (1, 1), (8, 1), (16, 1), (17, 2), (32, 2), (256, 2), (257, 3)]
)
def test_shards_are_padded_to_the_width_of_the_largest(shards, width):
    shard = shard_of("some-entity", shards)
    assert len(shard) == width
    expected = int(hashlib.sha1(b"some-entity").hexdigest()[:8], 16) % shards if shards > 1 else 0
    assert int(shard, 16) == expected


@pytest.mark.parametrize(
    ("schema", "bucket"),
    [
        ("Page", "page"),
        ("Mention", "mention"),
        ("Document", "document"),
        ("Email", "document"),
        ("Folder", "document"),
        ("Ownership", "interval"),
        ("Sanction", "interval"),
        ("Event", "interval"),
        ("Person", "thing"),
        ("Address", "thing"),
    ],
)
def test_each_schema_has_its_bucket(schema, bucket):
    assert bucket_of(model.get(schema)) == bucket


def test_the_vocabulary_knows_all_properties_that_hold_values_and_no_others():
    import polars as pl

    words = vocabulary()
    pairs = [(schema, prop) for schema in model.schemata.values() for prop in schema.properties.values()]
    rows = words.field_of(
        pl.Series([schema.name for schema, _ in pairs]), pl.Series([prop.name for _, prop in pairs])
    )
    for (schema, prop), row in zip(pairs, rows, strict=True):
        if prop.stub:
            assert row == UNKNOWN
        else:
            found = words.fields.row(row, named=True)
            assert (found["schema"], found["prop"], found["prop_type"]) == (
                schema.name,
                prop.name,
                prop.type.name,
            )
            assert found["bucket"] == bucket_of(schema)
    unknown = words.field_of(pl.Series(["Person", "Nope", "Person"]), pl.Series(["nope", "name", "imo"]))
    assert unknown.to_list() == [UNKNOWN] * 3
