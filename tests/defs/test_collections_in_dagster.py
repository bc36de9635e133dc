"""The registry and the tables of rows, as Dagster shows them."""

from collections.abc import Callable

import dagster as dg
import pytest

from lakehouse_assets.collections import Collection, Repo, Schema
from lakehouse_assets.defs import collection_assets
from lakehouse_assets.defs.shared_names import Shared, at_remote
from lakehouse_assets.lake import Lake
from tests.defs.conftest import Meanwhile, Tick

RATES = Schema(day="date*", rate="float")


@pytest.fixture
def rates(lake: Lake) -> Collection:
    made = lake.collections.create_collection(RATES, "exchange rates")
    (made / "CZK").write({"day": ["2026-01-05", "2026-01-06"], "rate": [0.0411, 0.0412]})
    return made


def partitions(instance: dg.DagsterInstance) -> list[str]:
    return sorted(instance.get_dynamic_partitions("collections"))


def version(event: dg.AssetMaterialization) -> str:
    return str((event.tags or {})["dagster/data_version"])


@pytest.mark.parametrize(
    "shared",
    [
        Shared("exchange rates"),
        Shared("p/q"),
        Shared("a|b, [c]"),
        Shared("1...9"),
        Shared("100%"),
        Shared("acme", "dataset"),
        Shared("p/q", "my/own"),
    ],
)
def test_every_label_is_the_name_of_a_partition_and_back(shared: Shared) -> None:
    name = shared.partition
    assert Shared.of(name) == shared
    assert at_remote(shared.at("office")) == ("office", shared)
    dg.StaticPartitionsDefinition([name])
    assert not set("|,[]") & set(name)


def test_a_lake_without_tables_shows_none(tick: Tick, instance: dg.DagsterInstance) -> None:
    found = tick("watch_collections")
    assert found.skip_message == "nothing changed in 0 tables"
    assert not found.asset_events
    assert partitions(instance) == []


def test_tables_become_partitions_and_are_shown_with_their_rows(
    tick: Tick,
    rates: Collection,
    latest: Callable[..., dg.AssetMaterialization],
    instance: dg.DagsterInstance,
) -> None:
    tick("watch_collections")
    assert partitions(instance) == ["exchange rates"]
    shown = latest("collections", "exchange rates").metadata
    assert (shown["dagster/row_count"].value, shown["series"].value, shown["version"].value) == (2, 1, 1)
    columns = shown["dagster/column_schema"].value
    assert isinstance(columns, dg.TableSchema)
    assert [(column.name, column.type) for column in columns.columns] == [("day", "date"), ("rate", "float")]
    assert latest("registry", None).metadata["dagster/row_count"].value == 1


def test_what_did_not_change_is_not_told_again(tick: Tick, rates: Collection) -> None:
    first = tick("watch_collections")
    assert len(first.asset_events) == 2
    again = tick("watch_collections", first.cursor)
    assert (again.skip_message, again.asset_events) == ("nothing changed in 1 tables", [])
    # a sensor whose cursor was reset knows it from the event log
    assert tick("watch_collections").asset_events == []


def test_a_new_version_of_a_table_is_told_and_the_registry_is_not(
    tick: Tick, rates: Collection, latest: Callable[..., dg.AssetMaterialization]
) -> None:
    first = tick("watch_collections")
    before = version(latest("collections", "exchange rates"))
    (rates / "CZK").write({"day": ["2026-01-07"], "rate": [0.0410]})
    found = tick("watch_collections", first.cursor)
    assert [event.asset_key.to_user_string() for event in found.asset_events] == ["collections"]
    assert version(latest("collections", "exchange rates")) != before


def test_another_label_is_another_partition_and_a_deleted_table_is_none(
    tick: Tick, rates: Collection, lake: Lake, instance: dg.DagsterInstance
) -> None:
    first = tick("watch_collections")
    lake.collections.rename("exchange rates", "p/q")
    second = tick("watch_collections", first.cursor)
    assert partitions(instance) == ["p%2Fq"]
    lake.collections.delete("p/q")
    third = tick("watch_collections", second.cursor)
    assert partitions(instance) == []
    assert [event.asset_key.to_user_string() for event in third.asset_events] == ["registry"]


@pytest.mark.parametrize("what", ["the look", "the run"])
def test_a_table_that_comes_while_others_are_looked_at_stays_a_partition(
    tick: Tick,
    rates: Collection,
    lake: Lake,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    meanwhile: Meanwhile,
    what: str,
) -> None:
    def make() -> None:
        lake.collections.create_collection(RATES, "prices")
        instance.add_dynamic_partitions("collections", ["prices"])

    if what == "the look":
        meanwhile(Repo, "signs", make)
        tick("watch_collections")
    else:
        meanwhile(collection_assets, "labels_of", make)
        job = defs.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("registry")]).success
    assert partitions(instance) == ["exchange rates", "prices"]


def test_tables_of_other_namespaces_have_partitions_of_their_own(
    tick: Tick, rates: Collection, lake: Lake, instance: dg.DagsterInstance
) -> None:
    lake.collections.archive(rates)
    tick("watch_collections")
    assert partitions(instance) == ["archive/exchange rates", "exchange rates"]


def test_an_unreadable_table_holds_up_no_other(
    tick: Tick, rates: Collection, lake: Lake, instance: dg.DagsterInstance
) -> None:
    other = lake.collections.create_collection(RATES, "broken")
    other.location.write("_delta_log/00000000000000000000.json", b"no commit")
    found = tick("watch_collections")
    assert [event.partition for event in found.asset_events] == ["exchange rates", None]


def test_materializing_the_registry_looks_at_it_now(
    defs: dg.Definitions, rates: Collection, lake: Lake, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions("collections", ["gone"])
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("registry")]
    )
    (event,) = result.asset_materializations_for_node("registry")
    assert version(event) == str(lake.collections.registry.version())
    assert partitions(instance) == ["exchange rates"]
