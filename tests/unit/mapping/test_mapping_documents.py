from pathlib import Path

import pytest

from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.mapping.loading import load_mapping
from lakehouse_assets.model.ftm import ftm_model
from tests.factories import make_dataset
from tests.unit.mapping.tables import HASH, MAPPING, mapping


def problems(text: str) -> list[str]:
    """What is wrong with a mapping, a line each."""
    with pytest.raises(InvalidData) as caught:
        load_mapping(text.encode(), "m.yml", dataset="acme", content_hash=HASH)
    return str(caught.value).splitlines()


def with_properties(*lines: str) -> str:
    return MAPPING.partition("            name:")[0] + "".join(f"            {line}\n" for line in lines)


def test_an_unknown_property_among_a_hundred_columns_is_told_with_its_line_and_the_nearest_name() -> None:
    lines = [f"{name}: {{column: c{number}}}" for number, name in enumerate(texts_of("Company"))]
    person = [
        f"            {name}: {{column: p{number}}}" for number, name in enumerate(texts_of("Person")[:20])
    ]
    lines.insert(60, "registrationNumbr: {column: c}")
    text = with_properties(*lines, "").rstrip() + "\n"
    text += "\n".join(
        ["        person:", "          schema: Person", "          key: c1", "          properties:", *person]
    )
    assert text.count("column: ") > 100
    assert problems(text) == [
        "m.yml, line 69: acme.queries.0.entities.company.properties.registrationNumbr: "
        "no property of Company is called 'registrationNumbr'; did you mean registrationNumber?"
    ]


def texts_of(schema: str) -> list[str]:
    """The properties of a schema that hold texts."""
    return [prop.name for prop in ftm_model().schemata[schema].properties if prop.type != "entity"]


def test_an_unknown_schema_is_told_with_its_line_and_the_nearest_name() -> None:
    assert problems(MAPPING.replace("Company", "Compny")) == [
        "m.yml, line 6: acme.queries.0.entities.company.schema: no schema is called 'Compny'; did you mean Company?"
    ]


def test_a_schema_that_no_entity_has_is_refused() -> None:
    assert "no entity is just a Thing" in problems(MAPPING.replace("Company", "Thing"))[0]


def test_all_problems_are_told_at_once() -> None:
    text = with_properties("nme: {column: name}", "alias: {colum: x}", "name: {}").replace(
        "keys: [id]", "kes: [id]"
    )
    told = [line.removeprefix("m.yml, line ").partition(":") for line in problems(text)]
    assert [int(line) for line, _, _ in told] == [5, 7, 9, 10, 10, 11]
    reasons = [reason for _, _, reason in told]
    assert "nothing to make its id from" in reasons[0]
    assert "kes: means nothing here; did you mean keys?" in reasons[1]
    assert "did you mean name?" in reasons[2]
    assert "did you mean column?" in reasons[3]
    assert "has no value" in reasons[4]
    assert "has no value" in reasons[5]


def test_a_property_that_stands_there_twice_is_refused() -> None:
    told = problems(with_properties("name: {column: a}", "name: {column: b}"))
    assert told == [
        "m.yml, line 9: acme.queries.0.entities.company.properties.name: "
        "stands here and again in line 10; leave one out"
    ]


def test_a_property_that_is_the_other_end_of_another_names_that_one() -> None:
    told = problems(with_properties("directorshipOrganization: {column: a}"))
    assert "give them to Directorship:organization" in told[0]


def test_references_must_lead_to_an_entity_of_the_query_that_fits() -> None:
    link = """\
        link:
          schema: Directorship
          key: id
          properties:
            director: {entity: compny}
            organization: {entity: company}
"""
    assert "no entity of this query is called 'compny'; did you mean company?" in problems(MAPPING + link)[0]
    person = MAPPING.replace("Company", "Person") + link.replace("compny", "company")
    assert "leads to a Organization, and 'company' is a Person" in problems(person)[0]
    texts = MAPPING + link.replace("director: {entity: compny}", "role: {entity: company}")
    assert "holds texts and no entities" in problems(texts)[0]


def test_a_format_that_none_of_its_values_could_have_is_refused() -> None:
    told = problems(with_properties("phone: {column: phone, format: atlantis}"))
    assert told[0].startswith(
        "m.yml, line 9: acme.queries.0.entities.company.properties.phone: cannot use the format"
    )


def test_scalars_are_taken_as_they_are_written() -> None:
    found = load_mapping(
        with_properties("country: {literal: no}", "incorporationDate: {literal: 2020-01-01}").encode(),
        "m.yml",
        dataset="acme",
        content_hash=HASH,
    )
    properties = found.queries[0].entities["company"].properties
    assert [prop.literal for prop in properties.values()] == ["no", "2020-01-01"]
    assert load_mapping(found.to_yaml(), "again") == found


def test_text_that_is_no_mapping_is_refused_by_name() -> None:
    assert problems("just: words") == [
        "m.yml: no `queries` in it; write what becomes of the rows there, as for `ftm map`"
    ]
    assert problems("a: [") == ["m.yml, line 2, column 1: not YAML: did not find expected node content"]
    assert problems("other: {query: {}}\nanother: {query: {}}") == [
        "m.yml maps other, another, and not acme; leave the one that is meant"
    ]


def test_a_file_for_followthemoney_will_do_and_forgets_its_input() -> None:
    found = load_mapping(MAPPING.encode(), "m.yml", dataset="acme", content_hash=HASH)
    assert found == mapping()
    single = MAPPING.replace("queries:\n    - csv_url", "query:\n      csv_url")
    assert load_mapping(single.encode(), "m.yml", dataset="acme", content_hash=HASH) == found
    assert b"csv_url" not in found.to_yaml()


def test_what_another_program_dumped_with_all_its_nulls_is_read() -> None:
    text = f"""\
content_hash: {HASH}
dataset: acme
queries:
- entities:
    company:
      id_column: null
      key: null
      key_literal: null
      keys: [id]
      properties:
        name: {{column: name, columns: [], entity: null, format: null, fuzzy: null, join: null, literal: null,
          literals: [], required: false, split: null, template: null}}
        country: {{column: country}}
      schema: Company
  filters: {{}}
  filters_not: {{}}
"""
    assert load_mapping(text.encode(), "m.yml") == mapping()


def test_a_mapping_is_kept_with_a_snapshot_of_each_change(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    mappings = dataset.mappings
    assert mappings.put(mapping())
    assert not mappings.put(mapping())
    assert mappings.get(HASH) == mapping()
    other = mapping(file={"delimiter": ";"})
    assert mappings.put(other)
    assert mappings.put(mapping())
    assert mappings.list() == [mapping()]
    assert len(dataset.versions.list(f"mappings/{HASH}/mapping.yml")) == 3


def test_a_mapping_that_cannot_be_run_is_not_kept(tmp_path: Path) -> None:
    mappings = make_dataset(tmp_path).mappings
    company = {"schema": "Company", "keys": ["id"], "properties": {"nme": {"column": "x"}}}
    bad = mapping(queries=[{"entities": {"company": company}}])
    with pytest.raises(InvalidData, match="did you mean name"):
        mappings.put(bad)
    with pytest.raises(InvalidData, match="for the dataset 'other', not for 'acme'"):
        mappings.put(mapping(dataset="other"))
    assert mappings.list() == []


def test_a_mapping_that_is_not_there_is_told_with_what_helps(tmp_path: Path) -> None:
    mappings = make_dataset(tmp_path).mappings
    with pytest.raises(NotFound, match="`lakehouse map ls -d acme`"):
        mappings.get(HASH)
    with pytest.raises(InvalidData, match="not the checksum of a file"):
        mappings.get("../../config")


def test_a_mapping_that_was_edited_by_hand_names_its_place_on_disk(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    dataset.mappings.put(mapping())
    path = tmp_path / "acme" / "mappings" / HASH / "mapping.yml"
    path.write_text(path.read_text().replace("Company", "Compny"))
    with pytest.raises(InvalidData, match=rf"mappings/{HASH}/mapping.yml, line 13: .*did you mean Company"):
        dataset.mappings.get(HASH)


def test_options_of_a_query_win_over_those_of_the_mapping() -> None:
    query = mapping().queries[0].model_dump(by_alias=True)
    both = mapping(
        file={"sheet": "a", "delimiter": "tab"}, queries=[{**query, "file": {"sheet": "b"}}, query]
    )
    read = [both.reads(each) for each in both.queries]
    assert [(options.sheet, options.delimiter) for options in read] == [("b", "\t"), ("a", "\t")]


@pytest.mark.parametrize(
    "options", [{"encoding": "utf-9"}, {"encoding": "zlib"}, {"delimiter": ";;"}, {"header": 0}]
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="file"):
        mapping(file=options)


def test_several_values_may_stand_where_one_is_usual() -> None:
    company = {"schema": "Company", "key": ["a", "b"], "properties": {"name": {"column": ["x", "y"]}}}
    found = mapping(queries=[{"entities": {"company": company}}]).queries[0].entities["company"]
    assert found.key_columns == ["a", "b"]
    assert found.properties["name"].columns == ["x", "y"]
