from datetime import timedelta

import pytest

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.model.pipeline import PipelineConfig

FULL = b"""
crawl:
- {uri: /srv/files, glob: '*.pdf', exclude_prefix: tmp/, existing: skip_checksum, every: 6h}
- {uri: s3://bucket/x, existing: null, make_entities: false}
schedules: {make: '0 3 * * *', vacuum: '@weekly', gc: off}
assertions:
  schema: {Person: {min: 1, max: 10}}
  filled: {Person.name: 0.9}
  max_drop_percent: 20
"""


def test_a_full_pipeline_is_understood() -> None:
    config = PipelineConfig.load(FULL, "acme/pipeline.yml")
    first, second = config.crawl
    assert (first.existing, first.every) == (HandleExistingMode.skip_checksum, timedelta(hours=6))
    assert (second.existing, second.make_entities) == (HandleExistingMode.overwrite, False)
    assert (config.schedules.make, config.schedules.gc, config.schedules.merge) == ("0 3 * * *", "off", None)
    assert config.assertions.schemata["Person"].max == 10
    assert config.assertions.filled == {"Person.name": 0.9}


@pytest.mark.parametrize(
    ("text", "anything"),
    [
        ("", False),
        ("assertions: {}", False),
        ("assertions: {schema: {Person: {}}}", False),
        ("assertions: {schema: {Person: {max: 0}}}", True),
        ("assertions: {filled: {Person.name: 0}}", True),
        ("assertions: {max_drop_percent: 0}", True),
    ],
)
def test_it_is_known_whether_anything_is_asserted(text: str, anything: bool) -> None:
    assert bool(PipelineConfig.load(text.encode(), "acme/pipeline.yml").assertions) is anything


def test_a_pipeline_comes_back_from_yaml_as_it_was() -> None:
    config = PipelineConfig.load(FULL, "acme/pipeline.yml")
    assert PipelineConfig.load(config.to_yaml(), "again") == config


def test_nothing_is_needed() -> None:
    assert PipelineConfig.load(b"", "acme/pipeline.yml") == PipelineConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crawl:\n- uri: /srv\n  evry: 1h", r"acme/pipeline.yml, line 3: crawl.0.evry"),
        ("crawl: [{glob: x}]", "crawl.0.uri: Field required"),
        ("crawl: [{uri: x, every: soon}]", "like 6h"),
        ("crawl: [{uri: x, every: 0h}]", "greater than"),
        ("crawl: [{uri: x, existing: maybe}]", "'skip-path'"),
        ("schedules:\n  make: on", r"line 2: schedules.make: write a cron expression"),
        ("schedules: {make: at three}", "write a cron expression"),
        ("schedules: {bake: off}", "schedules.bake"),
        ("assertions: {schema: {Person: {min: 5, max: 1}}}", "min is 5"),
        ("assertions: {filled: {Person: 0.5}}", "Schema.property"),
        ("assertions: {filled: {Person.name: 2}}", "less than or equal to 1"),
        ("assertions: {filled: {Person.name: .nan}}", "finite"),
        ("assertions: {max_drop_percent: 101}", "less than or equal to 100"),
        ("assertions: {max_drop_percent: -1}", "greater than or equal to 0"),
        (
            "assertions: {schema: {Person: {min: -1}}}",
            "assertions.schema.Person.min: Input should be greater",
        ),
        ("assertions: {schema: {Person: {least: 1}}}", "assertions.schema.Person.least"),
        (
            "assertions:\n  schema:\n    Persn:\n      min: 1",
            r"acme/pipeline.yml, line 3: assertions.schema.Persn: no schema is called 'Persn'; did you mean Person",
        ),
        ("assertions: {schema: {Thing: {min: 1}}}", "no entity is just a Thing"),
        (
            "assertions:\n  filled:\n    Person.name: 1\n    Person.jurisdicton: 1",
            r"line 4: assertions.filled.Person.jurisdicton: no property of Person with values",
        ),
        ("assertions: {filled: {Ghost.name: 1}}", "no schema is called 'Ghost'"),
        # it holds no values: they stand at the ownerships
        ("assertions: {filled: {Person.ownershipOwner: 1}}", "no property of Person with values"),
    ],
)
def test_a_bad_pipeline_names_place_and_field(text: str, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        PipelineConfig.load(text.encode(), "acme/pipeline.yml")


@pytest.mark.parametrize("text", ["skip-path", "skip_path"])
def test_both_spellings_of_a_mode_are_read(text: str) -> None:
    assert HandleExistingMode(text) is HandleExistingMode.skip_path
