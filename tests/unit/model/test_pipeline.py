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
        ("assertions: {max_drop_percent: 101}", "less than or equal to 100"),
        ("crawl: {", "not YAML"),
    ],
)
def test_a_bad_pipeline_names_place_and_field(text: str, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        PipelineConfig.load(text.encode(), "acme/pipeline.yml")


@pytest.mark.parametrize("text", ["skip-path", "skip_path"])
def test_both_spellings_of_a_mode_are_read(text: str) -> None:
    assert HandleExistingMode(text) is HandleExistingMode.skip_path
