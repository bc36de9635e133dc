"""A small lake and a Dagster instance in memory."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import StaleStatus
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._utils.test.data_versions import get_stale_status_resolver

from lakehouse_assets.defs.assets import build_assets
from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.lake import Dataset, Lake
from tests.factories import Entity, entity, person, write_lines

Tick = Callable[..., SensorExecutionData]
Stale = Callable[[], list[str]]
Meanwhile = Callable[[object, str, Callable[[], object]], None]


def people(count: int, start: int = 1) -> list[Entity]:
    """So many people."""
    return [
        person(f"person-{number}", name=[f"Jane Doe {number}"], country=["fr"])
        for number in range(start, start + count)
    ]


def document(number: int) -> Entity:
    """A file that was archived."""
    return entity(
        f"document-{number}",
        "Document",
        fileName=[f"report-{number}.pdf"],
        contentHash=[f"{number:064x}"],
        fileSize=["1024"],
    )


@pytest.fixture(autouse=True)
def _quiet_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No instance or lake of the machine, and no debug lines of Dagster."""
    for name in ("DAGSTER_HOME", "LAKEHOUSE_URI", "LAKEHOUSE_DAGSTER_URL", "LAKEHOUSE_REMOTES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.chdir(tmp_path)
    logging.getLogger("dagster").setLevel(logging.ERROR)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "lake").mkdir()
    return Lake(tmp_path / "lake")


@pytest.fixture
def acme(lake: Lake, tmp_path: Path) -> Dataset:
    """Five people and a document; nothing is exported yet."""
    dataset = lake.create_dataset("acme", title="Acme leak")
    dataset.import_files([write_lines(tmp_path / "entities.ftm.json", [*people(5), document(1)])])
    return dataset


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def defs(lake: Lake) -> dg.Definitions:
    return build_definitions(lake.uri)


@pytest.fixture
def make(defs: dg.Definitions, instance: dg.DagsterInstance) -> Callable[..., dg.ExecuteInProcessResult]:
    """Run the make job for a dataset."""

    def run(name: str = "acme", **config: object) -> dg.ExecuteInProcessResult:
        instance.add_dynamic_partitions("dataset", [name])
        run_config = {"ops": {"statements": {"config": config}}} if config else None
        return defs.resolve_job_def("make").execute_in_process(
            partition_key=name, instance=instance, run_config=run_config, raise_on_error=False
        )

    return run


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Have something done each time that a function was called, while its caller goes on."""

    def after(owner: object, function: str, then: Callable[[], object]) -> None:
        called = getattr(owner, function)

        def call(*args: object, **options: object) -> object:
            found = called(*args, **options)
            then()
            return found

        monkeypatch.setattr(owner, function, call)

    return after


@pytest.fixture
def tick(lake: Lake, instance: dg.DagsterInstance) -> Tick:
    """Evaluate a sensor, and do what it asks for, as the daemon does."""

    def run(name: str, cursor: str | None = None) -> SensorExecutionData:
        defs = build_definitions(lake.uri)
        resources = dict(defs.resources)
        # closed before the instance is: what it enters, Dagster takes back in that order only
        with (
            dg.build_sensor_context(
                instance=instance,
                cursor=cursor,
                resources=resources,
                repository_def=defs.get_repository_def(),
            ) as context,
            dg.partition_loading_context(dynamic_partitions_store=instance),
        ):
            found = defs.resolve_sensor_def(name).evaluate_tick(context)
        for request in found.dynamic_partitions_requests or []:
            name = request.partitions_def_name
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                instance.add_dynamic_partitions(name, list(request.partition_keys))
            else:
                for key in request.partition_keys:
                    instance.delete_dynamic_partition(name, key)
        for event in found.asset_events:
            instance.report_runless_asset_event(event)
        return found

    return run


@pytest.fixture
def latest(instance: dg.DagsterInstance) -> Callable[..., dg.AssetMaterialization]:
    """The newest materialization of an asset."""

    def read(asset: str, partition: str | None = "acme") -> dg.AssetMaterialization:
        filters = dg.AssetRecordsFilter(
            dg.AssetKey(asset), asset_partitions=[partition] if partition else None
        )
        found = instance.fetch_materializations(filters, limit=1).records[0].asset_materialization
        assert found is not None
        return found

    return read


@pytest.fixture
def stale(instance: dg.DagsterInstance) -> Callable[[], list[str]]:
    """The assets of acme, and the catalogue, that Dagster shows as stale or missing."""

    def look() -> list[str]:
        assets = build_assets(Naming())
        resolver = get_stale_status_resolver(instance, assets)
        found = []
        for asset in assets:
            name = asset.key.to_user_string()
            partition = None if name == "catalog_index" else "acme"
            if resolver.get_status(asset.key, partition) != StaleStatus.FRESH:
                found.append(name)
        return found

    return look
