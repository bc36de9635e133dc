import json

import pytest
import yaml
from followthemoney.dataset.dataset import DatasetModel
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.dataset import DatasetConfig, Resource
from lakehouse_assets.model.statistics import Counts, Statistics


def load(text: str) -> DatasetConfig:
    return DatasetConfig.load(text.encode(), "acme/config.yml")


NEW = """\
children: []
deprecated: false
name: demo
resources: []
shards: 0
stats:
  countries: []
  entity_count: 0
  intervals:
    countries: []
    schemata: []
    total: 0
  things:
    countries: []
    schemata: []
    total: 0
tags: []
title: demo
uri: file:///data/lake/demo

"""


def test_a_new_config_looks_like_that_of_other_programs() -> None:
    config = DatasetConfig.load(b"name: demo", "config.yml", uri="file:///data/lake/demo")
    assert config.to_yaml().decode() == NEW


def test_the_address_is_where_the_file_lies_now() -> None:
    assert DatasetConfig.load(b"{name: a, uri: 'file:///old'}", "c", uri="file:///new").uri == "file:///new"


def test_unknown_keys_are_kept_at_every_depth() -> None:
    config = load("name: acme\nours: {deep: [1, 2]}\npublisher: {name: P, phone: '1'}")
    again = yaml.safe_load(config.to_yaml())
    assert again["ours"] == {"deep": [1, 2]}
    assert again["publisher"]["phone"] == "1"


def test_the_index_has_the_order_of_the_model_and_no_nulls() -> None:
    config = load("shards: 2\nname: acme\nzeta: 1\nsummary: S")
    text = config.to_index().decode()
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert [*json.loads(text)] == [
        *(
            "name",
            "title",
            "summary",
            "tags",
            "resources",
            "children",
            "deprecated",
            "stats",
            "shards",
            "zeta",
        )
    ]
    assert "null" not in text


def test_statistics_fill_the_counts() -> None:
    stats = Statistics(entity_count=344, things=Counts(total=273))
    index = json.loads(load("name: acme").with_statistics(stats).to_index())
    assert (index["entity_count"], index["thing_count"], index["stats"]["entity_count"]) == (344, 273, 344)


def test_older_words_for_children_are_folded_in() -> None:
    config = load("name: acme\nchildren: [b]\ndatasets: [a, b]\nscopes: [c]")
    assert config.children == ["a", "b", "c"]
    assert "datasets" not in yaml.safe_load(config.to_yaml())


def test_a_deprecation_makes_deprecated_and_needs_an_end() -> None:
    config = load("name: acme\ndeprecation: ' gone '\ncoverage: {end: 2024}")
    assert (config.deprecated, config.deprecation) == (True, "gone")
    with pytest.raises(InvalidData, match=r"coverage\.end"):
        load("name: acme\ndeprecated: true")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", r"acme/config.yml, line \d, column \d: not YAML"),
        ("- name", r"acme/config.yml, line 1: expected a mapping"),
        ("1: name", r"expected a mapping"),
        ("title: x", r"name: Field required"),
        ("name: Acme", r"line 1: name: 'Acme' cannot be the name"),
        ("name: acme\nshards: many", r"acme/config.yml, line 2: shards: "),
        ("name: acme\nshards: -1", r"line 2: shards"),
        ("name: acme\ncompression: rar", r"line 2: compression: Input should be 'gz' or 'zst'"),
        ("name: acme\nurl: ftp://x", r"line 2: url: not an http\(s\) address"),
        ("name: acme\ncoverage:\n  start: soon", r"line 3: coverage.start: not a date"),
        ("name: acme\ncoverage: {countries: [atlantis]}", r"not a country: 'atlantis'"),
        ("name: acme\nresources:\n- {name: a}\n- {size: 1}", r"line 4: resources.1.name: Field required"),
        ("name: acme\npublisher: {}", r"line 2: publisher.name"),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_a_bad_config_names_place_line_and_field(text: str, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        load(text)


def test_names_of_countries_become_codes() -> None:
    config = load(
        "name: acme\ncoverage: {countries: [France, gb-sct, de]}\npublisher: {name: P, country: fr}"
    )
    assert config.coverage is not None
    assert config.coverage.countries == ["fr", "gb-sct", "de"]
    assert json.loads(config.to_index())["publisher"]["country_label"] == "France"


def test_a_resource_carries_the_label_of_its_type() -> None:
    data = {"name": "a", "mime_type": "application/json+ftm", "timestamp": "2026-11-21T04:13:18", "size": 0}
    found = Resource.model_validate({**data, "mime_type_label": "stale"}).model_dump(
        mode="json", exclude_none=True
    )
    assert found == {**data, "mime_type_label": "FollowTheMoney Entities"}


def test_an_update_replaces_unites_and_merges() -> None:
    config = load("name: acme\ntags: [a]\nsummary: old\npublisher: {name: P, acronym: X}\nours: {a: 1}")
    merged = config.merge(
        tags=["b", "a"],
        summary="",
        title="New",
        publisher={"name": "Q"},
        ours={"b": 2},
        shards=4,
        license=None,
    )
    assert (merged.tags, merged.summary, merged.title, merged.shards) == (["a", "b"], "old", "New", 4)
    assert merged.publisher is not None
    assert (merged.publisher.name, merged.publisher.acronym) == ("Q", "X")
    assert yaml.safe_load(merged.to_yaml())["ours"] == {"a": 1, "b": 2}
    assert config.title == "acme"


def test_a_bad_update_names_the_field() -> None:
    with pytest.raises(InvalidData, match="config of acme: shards"):
        load("name: acme").merge(shards="many")


def test_the_public_prefix_is_the_override_the_config_s_or_the_default() -> None:
    config = load("name: acme")
    assert config.public_prefix() is None
    assert config.public_prefix(default="https://x/${dataset}/") == "https://x/acme"
    assert config.public_prefix(default="https://x/{{ dataset }}") == "https://x/acme"
    config = config.merge(public_url_prefix="https://own.org/acme")
    assert config.public_prefix(default="https://x/${dataset}") == "https://own.org/acme"
    assert config.public_prefix(override="https://job.org/") == "https://job.org"


TEXT = st.text(max_size=10)
VALUES = st.recursive(
    st.integers() | st.booleans() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)
)


@given(
    TEXT.filter(bool), st.lists(TEXT), st.integers(0, 256), st.dictionaries(TEXT.map("x-".__add__), VALUES)
)
def test_a_config_comes_back_from_yaml_as_it_was(
    title: str, tags: list[str], shards: int, extra: dict[str, object]
) -> None:
    config = DatasetConfig.make("acme", title=title, tags=tags, shards=shards, **extra)
    again = DatasetConfig.load(config.to_yaml(), "config.yml")
    assert again == config
    assert again.to_yaml() == config.to_yaml()


def test_followthemoney_reads_the_index() -> None:
    text = "name: acme\nlicense: https://x.org\ncoverage: {start: 2020-01}\npublisher: {name: P, country: fr}"
    resource = {"name": "entities.ftm.json", "mime_type": "application/json+ftm", "size": 1}
    model = DatasetModel.model_validate_json(load(text).merge(resources=[resource]).to_index())
    assert model.resources[0].name == "entities.ftm.json"
