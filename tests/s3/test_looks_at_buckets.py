"""What shows from outside that something in a bucket changed."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import LakeResource
from lakehouse_assets.defs.watching import watch_sensor
from lakehouse_assets.errors import StorageError
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.pipeline import CrawlSource
from tests.factories import person
from tests.s3.store import Bucket


@pytest.fixture
def lake(made: Bucket) -> Lake:
    return made.lake


def test_a_dataset_looks_the_same_as_long_as_nothing_happens(lake: Lake) -> None:
    assert lake.signs() == lake.signs() != {}


@pytest.mark.parametrize(
    "change",
    [
        "import",
        "delete",
        "export",
        "config",
        "pipeline",
        "removed export",
        "removed index",
        "archive",
        "merge",
    ],
)
def test_whatever_happens_to_a_dataset_shows(lake: Lake, change: str) -> None:
    acme = lake.dataset("acme")
    before = lake.signs()
    if change == "import":
        acme.import_entities([person("new")])
    elif change == "delete":
        acme.delete(["p1", "c1"])
    elif change == "export":
        acme.export("entities", force=True)
    elif change == "config":
        acme.configure(title="Another title")
    elif change == "pipeline":
        acme.location.write("pipeline.yml", b"schedules: {make: off}")
    elif change == "removed export":
        assert acme.location.delete("exports/statements.csv")
    elif change == "removed index":
        assert acme.location.delete("index.json")
    elif change == "archive":
        acme.archive.touch()
    else:
        acme.merge(force=True)
    assert lake.signs() != before


def test_what_changes_in_one_dataset_shows_in_no_other(lake: Lake) -> None:
    lake.create_dataset("bodies")
    before = lake.signs()
    lake.dataset("bodies").import_entities([person("new")])
    after = lake.signs()
    assert {name for name in after if after[name] != before[name]} == {"bodies"}


def test_a_commit_that_comes_after_its_tag_shows_by_itself(lake: Lake) -> None:
    acme = lake.dataset("acme")
    tag = acme.tags.text("statements/last_updated")
    acme.import_entities([person("new")])
    between = lake.signs()
    acme.tags.set_text("statements/last_updated", str(tag))
    log = sorted(acme.location.names("statements/_delta_log"))
    data = acme.location.read(f"statements/_delta_log/{log[-1]}")
    acme.location.write(f"statements/_delta_log/{int(log[-1].split('.')[0]) + 1:020}.json", data)
    assert lake.signs() != between


@pytest.mark.parametrize("change", ["new", "replaced", "removed"])
def test_an_object_that_changes_in_a_source_shows_without_being_read(bucket: Bucket, change: str) -> None:
    acme = bucket.lake.create_dataset("acme")
    files = acme.lake.location / "files"
    for name in ("a.txt", "b/c.txt"):
        files.write(name, b"one")
    source = CrawlSource(uri=files.uri)
    before = acme.sources.look_at(source)
    assert before.sure
    assert before.newest is None
    assert acme.sources.look_at(source).sign == before.sign
    if change == "new":
        files.write("d.txt", b"new")
    elif change == "replaced":
        files.write("a.txt", b"two")
    else:
        files.delete("b/c.txt")
    assert acme.sources.look_at(source).sign != before.sign


def test_an_object_that_a_filter_keeps_out_does_not_show(bucket: Bucket) -> None:
    acme = bucket.lake.create_dataset("acme")
    files = acme.lake.location / "files"
    files.write("a.pdf", b"one")
    source = CrawlSource(uri=files.uri, glob="*.pdf")
    before = acme.sources.look_at(source)
    files.write("a.txt", b"new")
    assert acme.sources.look_at(source).sign == before.sign


class BucketResource(LakeResource):
    """A lake in a bucket of the tests."""

    options: dict[str, str]

    def storage_options(self) -> dict[str, str]:
        return self.options


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def test_a_store_that_refuses_fails_the_look_and_what_was_seen_before_counts_still(
    made: Bucket, instance: dg.DagsterInstance
) -> None:
    naming = Naming()
    sensor = watch_sensor(naming, seconds=120)
    resources = {"lake": BucketResource(uri=made.uri, options=made.options)}

    def tick(cursor: str | None) -> SensorExecutionData:
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
            return sensor.evaluate_tick(context)

    first = tick(None)
    assert [list(request.partition_keys) for request in first.dynamic_partitions_requests or []] == [["acme"]]
    instance.add_dynamic_partitions("dataset", ["acme"])
    told = len(instance.fetch_materializations(dg.AssetKey("statements"), limit=10).records)
    assert told == 1
    made.rule(status=403)
    with pytest.raises(StorageError):
        tick(first.cursor)
    made.heal()
    again = tick(first.cursor)
    assert "nothing changed in 1 datasets" in (again.skip_message or "")
    assert len(instance.fetch_materializations(dg.AssetKey("statements"), limit=10).records) == told
