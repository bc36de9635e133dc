"""Entities made of whole columns are those that followthemoney's own mapping makes of one row after the other."""

import csv
import tempfile
from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
from followthemoney import model
from followthemoney.mapping.csv import CSVSource
from followthemoney.types import registry
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.mapping import exact
from lakehouse_assets.mapping.config import DatasetMapping, TableQuery
from lakehouse_assets.mapping.problems import build_query, find_problems
from lakehouse_assets.mapping.run import Tally, run_mapping

HASH = "5a" * 32
INTERNATIONAL = phonenumbers.PhoneNumberFormat.INTERNATIONAL
COLUMNS = ["a", "b", "c", "d"]

# what is odd for one type or another, beside any text
TELLING = [
    "", " ", "Jane Doe", "  Jane  Doe ", '"Jane"', "'quoted'", "Zoe\u0308", "no\u00a0break", "\u00a0", "a\tb", "a\nb",
    "a\u200bb", "\x00", "\x85x", "{b}", "{{b}}", "a,b;c", ",", ";;", "de", "Germany", "France", "xx", "2024",
    "2024-02-30", "2024-1-5", "31.12.2024", "+49 30 7368886", "030 7368886", "jane@example.org", "Jane@EXAMPLE.org",
    "no mail", "http://example.org", "www.example.org/x", "529900T8BM49AURSDO55", "not a lei", "male", "m", "12 %",
    "1,5", "deu", "1.2.3.4",
]  # fmt: skip

cells = st.sampled_from(TELLING) | st.text(st.characters(codec="utf-8"), max_size=12)
rows = st.lists(
    st.tuples(st.sampled_from(["1", "2", "x y", ""]), cells, cells, cells).map(list), min_size=2, max_size=6
)

TEMPLATES = ["{{a}} {{b}}", " {{a}} x", "fixed", "{{a}}{{gone}}", "{{{a}}}", "{{b}}{{c}}"]

PROPS = {
    "Company": ["name", "alias", "country", "jurisdiction", "address", "incorporationDate", "website", "email", "phone",
                "registrationNumber", "leiCode", "description", "legalForm", "topics", "parent"],
    "Person": ["name", "birthDate", "gender", "nationality", "phone", "notes", "passportNumber"],
    "Document": ["title", "fileName", "namesMentioned", "language", "date", "detectedCountry"],
}  # fmt: skip
LINKS = {"Directorship": ("director", "organization"), "Ownership": ("owner", "asset")}
FORMATS = {"date": ["%d.%m.%Y", "%Y"], "phone": ["de", "fr"], "identifier": ["lei", "inn"]}


@st.composite
def sources(draw: st.DrawFn, schema: str, name: str) -> dict[str, object]:
    """Where the values of a property come from."""
    kind = model[schema].properties[name].type.name
    source: dict[str, object] = draw(
        st.fixed_dictionaries({"column": st.sampled_from([*COLUMNS, "gone"])})
        | st.fixed_dictionaries({"columns": st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3)})
        | st.fixed_dictionaries({"template": st.sampled_from(TEMPLATES)})
        | st.fixed_dictionaries({"literal": cells.filter(bool)})
        | st.fixed_dictionaries(
            {"literals": st.lists(cells.filter(bool), min_size=1, max_size=2), "column": st.sampled_from(COLUMNS)}
        )
    )  # fmt: skip
    options = {
        "join": st.sampled_from([", ", "", " "]),
        "split": st.sampled_from([",", ";", " "]),
        "fuzzy": st.booleans(),
        "required": st.booleans(),
    }
    if kind in FORMATS:
        options["format"] = st.sampled_from(FORMATS[kind])
    for option in draw(st.sets(st.sampled_from(sorted(options)), max_size=2)):
        source[option] = draw(options[option])
    return source


@st.composite
def things(draw: st.DrawFn, schemata: list[str]) -> dict[str, object]:
    schema = draw(st.sampled_from(schemata))
    names = draw(st.sets(st.sampled_from(PROPS[schema]), min_size=1, max_size=4))
    keys = draw(
        st.just({"keys": ["a"]})
        | st.fixed_dictionaries(
            {"keys": st.lists(st.sampled_from([*COLUMNS, "gone"]), min_size=2, max_size=3)}
        )
        | st.fixed_dictionaries(
            {"key": st.sampled_from(COLUMNS), "key_literal": st.sampled_from(["x", " y "])}
        )
        | st.fixed_dictionaries({"id_column": st.sampled_from(COLUMNS)})
    )
    return {
        "schema": schema,
        **keys,
        "properties": {name: draw(sources(schema, name)) for name in sorted(names)},
    }


@st.composite
def queries(draw: st.DrawFn) -> dict[str, object]:
    link = draw(st.sampled_from([None, *sorted(LINKS)]))
    schemata = ["Company"] if link else sorted(PROPS)
    entities = {"e0": draw(things(schemata)), "e1": draw(things([*schemata, "Company", "Person"]))}
    if link is not None:
        one, other = LINKS[link]
        ends = {one: {"entity": draw(st.sampled_from(["e0", "e1"]))}, other: {"entity": "e0"}}
        role = {"role": {"column": draw(st.sampled_from(COLUMNS)), "required": draw(st.booleans())}}
        named = draw(st.sampled_from([{}, {"namesMentioned": {"column": "b"}}]))
        properties = {**ends, **role, **named}
        entities["link"] = {
            "schema": link,
            "keys": ["a", "b"],
            "key_literal": "link",
            "properties": properties,
        }
    some = st.dictionaries(
        st.sampled_from([*COLUMNS, "gone"]), cells.map(lambda cell: [cell, None]), max_size=1
    )
    filters = {
        name: draw(some) for name in draw(st.sets(st.sampled_from(["filters", "filters_not"]), max_size=1))
    }
    return {"entities": entities, **filters}


def mapping_of(query: dict[str, object]) -> DatasetMapping | None:
    mapping = DatasetMapping.model_validate({"dataset": "acme", "content_hash": HASH, "queries": [query]})
    return None if find_problems(mapping) else mapping


def ours(mapping: DatasetMapping, path: Path) -> Counter[object]:
    made = run_mapping(mapping, path, name="x", tally=Tally(), on_bad=pytest.fail)
    found: Counter[object] = Counter()
    for part in made:
        values: list[set[tuple[str, str]]] = [set() for _ in part.ids]
        for entity, prop, value, _ in part.values.iter_rows():
            values[entity].add((part.props[prop], value))
        for number, id, of_entity in zip(part.numbers, part.ids, values, strict=True):
            found[number, part.name, part.schema, id, frozenset(of_entity)] += 1
    return found


def theirs(query: TableQuery, path: Path) -> Counter[object]:
    """What followthemoney makes of the file, and an import of that."""
    mapping = build_query(query, "acme")
    found: Counter[object] = Counter()
    with open(path, encoding="utf-8") as file:
        for number, record in enumerate(CSVSource.read_csv(file), start=2):
            if not mapping.source.check_filters(record):
                continue
            for name, entity in mapping.map(record).items():
                values = {(prop.name, imported(prop.type.name, value)) for prop, value in entity.itervalues()}
                if "proof" in entity.schema.properties:
                    values.add(("proof", HASH))
                filled = frozenset((prop, value) for prop, value in values if value)
                found[number, name, entity.schema.name, entity.id, filled] += 1
    return found


def imported(kind: str, value: str) -> str | None:
    return value if kind == "entity" else registry.get(kind).clean(value)


def write(folder: str, table: list[list[str]]) -> Path:
    path = Path(folder) / "table.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        # a row of nothing would not be one
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *table])
    return path


COMPANY = {"schema": "Company", "keys": ["a"], "properties": {"name": {"column": "b"}}}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=queries(), table=rows)
@example({"entities": {"e": COMPANY}, "filters": {"c": [None]}}, [["1", "Acme", "", ""], ["2", "B", "x", ""]])
@example({"entities": {"e": {**COMPANY, "id_column": "d", "keys": []}}}, [["1", "Acme", "", " id 1 "]])
def test_a_table_becomes_the_same_entities(query, table):
    mapping = mapping_of(query)
    if mapping is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, table)
        assert ours(mapping, path) == theirs(mapping.queries[0], path)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=queries(), table=rows)
def test_rows_that_are_left_to_followthemoney_become_the_same_entities(query, table):
    mapping = mapping_of(query)
    if mapping is None:
        return
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(exact, "_LARGE", -1)
        path = write(folder, table)
        assert ours(mapping, path) == theirs(mapping.queries[0], path)


def test_a_phone_number_that_was_cleaned_is_clean():
    numbers = [
        phonenumbers.example_number_for_type(region, kind)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    ]
    texts = [phonenumbers.format_number(number, INTERNATIONAL) for number in numbers if number is not None]
    cleaned = [registry.phone.clean(text) for text in texts]
    assert len(cleaned) > 400
    assert [registry.phone.clean(text) for text in cleaned if text] == [text for text in cleaned if text]
