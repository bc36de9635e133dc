"""What assertions and references count, against plain Python, whatever lies in which bucket, merged or not."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.operations import references
from lakehouse_assets.operations.counting import count
from lakehouse_assets.operations.references import find_dangling
from tests.factories import make_dataset, rows_of

SCHEMATA = {
    "Company": ("name", "country", "parent"),
    "LegalEntity": ("name", "country", "parent"),
    "Person": ("name", "country", "parent"),
    "Ownership": ("role", "owner", "asset"),
    "Document": ("name", "country", "parent"),
}
REFERENCES = {"parent", "owner", "asset"}
IDS = "abcdef"
ASKED = ("Company.name", "Person.country", "Ownership.owner", "LegalEntity.name")


@st.composite
def entities(draw):
    """An entity of a small world: its id may be that of another of another schema, or deleted later."""
    entity_id, schema = draw(st.sampled_from(IDS)), draw(st.sampled_from(sorted(SCHEMATA)))
    found = {}
    for prop in draw(st.sets(st.sampled_from(SCHEMATA[schema]))):
        # a reference to itself is no value to followthemoney
        values = set("abcdefgh") - {entity_id} if prop in REFERENCES else {"de", "fr"}
        found[prop] = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=3, unique=True))
    return {"id": entity_id, "schema": schema, "properties": found}


WORLD = st.lists(entities(), max_size=12)


@given(WORLD, WORLD, st.sets(st.sampled_from(IDS)), st.booleans(), st.integers(1, 5))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_counts_are_those_of_plain_python(tmp_path_factory, ours, theirs, deleted, merged, batch):
    folder = tmp_path_factory.mktemp("lake")
    acme = make_dataset(folder)
    other = acme.lake.create_dataset("other")
    half = len(ours) // 2
    acme.entities.add_many(ours[:half], origin="one")
    acme.entities.add_many(ours[half:], origin="two")
    other.entities.add_many(theirs)
    if ours:
        acme.delete(deleted)
    if merged:
        acme.merge()
    rows = rows_of(acme).to_dicts()

    found = count(acme.statements.reader, ASKED)
    kinds = {(row["entity_id"], row["schema"]) for row in rows}
    assert found.entities == found.lines == len({entity_id for entity_id, _ in kinds})
    assert found.schemata == Counter(schema for _, schema in kinds)
    having = {(row["entity_id"], row["prop"]) for row in rows}
    for name in ASKED:
        schema, prop = name.split(".")
        assert found.filled[name] == sum(
            kind == schema and (entity_id, prop) in having for entity_id, kind in kinds
        )

    known = {row["entity_id"] for row in [*rows, *rows_of(other).to_dicts()]}
    wanted = {
        (row["entity_id"], f"{row['schema']}.{row['prop']}", row["value"])
        for row in rows
        if row["prop"] in REFERENCES
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "BATCH", batch)
        properties = find_dangling(acme.repositories).properties
    assert {each.property: each.references for each in properties} == Counter(name for _, name, _ in wanted)
    missing = Counter(name for _, name, target in wanted if target not in known)
    assert {each.property: each.dangling for each in properties if each.dangling} == missing
