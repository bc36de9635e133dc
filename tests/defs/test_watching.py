"""What is shown of a lake that others write to."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import StaleStatus
from dagster._utils.test.data_versions import get_stale_status_resolver

from lakehouse_assets.defs import watching
from lakehouse_assets.defs.assets import build_assets
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.report import report_config, report_dataset
from lakehouse_assets.defs.runs import run_make
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import Meanwhile, Stale, Tick, people
from tests.factories import write_lines

EXPORTS = ["statements_csv", "entities_json", "documents_csv", "statistics_json"]
DIFFS = ["entities_diff", "documents_diff"]

Observed = Callable[[], list[tuple[str | None, str]]]


@pytest.fixture
def observed(instance: dg.DagsterInstance) -> Observed:
    """Each config.yml that was observed: its dataset and its digest, the first one first."""

    def look() -> list[tuple[str | None, str]]:
        found = instance.fetch_observations(dg.AssetKey("dataset_config"), limit=20, ascending=True).records
        events = [record.asset_observation for record in found]
        return [(event.partition, event.tags["dagster/data_version"]) for event in events if event]

    return look


@pytest.fixture
def events(instance: dg.DagsterInstance) -> Callable[[], int]:
    """How many events of assets there are."""

    def count() -> int:
        keys = [
            asset.key for asset in build_assets(Naming()) if asset.key.to_user_string() != "dataset_config"
        ]
        return sum(len(instance.fetch_materializations(key, limit=1000).records) for key in keys)

    return count


Events = Callable[[], int]


def test_new_datasets_become_partitions_and_their_config_is_observed(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, observed: Observed
) -> None:
    lake.create_dataset("bodies")
    tick("watch_lake")
    assert instance.get_dynamic_partitions("dataset") == ["acme", "bodies"]
    assert observed() == [(name, lake.dataset(name).config_digest()) for name in ("acme", "bodies")]


def test_nothing_happens_while_nothing_changes(acme: Dataset, tick: Tick, events: Events) -> None:
    first = tick("watch_lake")
    before = events()
    second = tick("watch_lake", first.cursor)
    assert "nothing changed in 1 datasets" in (second.skip_message or "")
    assert second.cursor == first.cursor
    assert events() == before


def test_only_the_config_that_changed_is_observed(
    acme: Dataset, lake: Lake, tick: Tick, observed: Observed
) -> None:
    lake.create_dataset("bodies")
    first = tick("watch_lake")
    acme.configure(title="Another title")
    second = tick("watch_lake", first.cursor)
    assert [name for name, _ in observed()] == ["acme", "bodies", "acme"]
    assert not second.dynamic_partitions_requests


def test_a_dataset_that_is_gone_is_no_partition_any_more(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    lake.create_dataset("bodies")
    first = tick("watch_lake")
    lake.location.delete_tree("acme")
    tick("watch_lake", first.cursor)
    assert instance.get_dynamic_partitions("dataset") == ["bodies"]


def test_a_dataset_that_comes_while_others_are_looked_at_stays_a_partition(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, meanwhile: Meanwhile
) -> None:
    tick("watch_lake")
    meanwhile(Lake, "signs", lambda: report_config(instance, lake.create_dataset("bodies")))
    tick("watch_lake")
    assert instance.get_dynamic_partitions("dataset") == ["acme", "bodies"]


def test_a_dataset_that_comes_back_while_others_are_looked_at_stays_a_partition(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, meanwhile: Meanwhile
) -> None:
    instance.add_dynamic_partitions("dataset", ["bodies"])
    meanwhile(Lake, "signs", lambda: lake.create_dataset("bodies"))
    tick("watch_lake")
    assert instance.get_dynamic_partitions("dataset") == ["bodies", "acme"]


@pytest.mark.parametrize("name", ["Bad Name", "a,b", "a...b", "ü", "catalog"])
def test_a_folder_with_a_name_that_no_dataset_may_have_is_left_alone(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, name: str
) -> None:
    assert lake.location.path is not None
    folder = lake.location.path / name
    folder.mkdir()
    (folder / "config.yml").write_text("name: acme\n")
    tick("watch_lake")
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def test_a_disk_that_is_not_mounted_removes_no_partition(
    lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    instance.add_dynamic_partitions("dataset", ["acme"])
    assert lake.location.path is not None
    lake.location.path.rmdir()
    assert "no folder" in (tick("watch_lake").skip_message or "")
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def test_a_partition_that_somebody_deleted_by_hand_comes_back(
    acme: Dataset, instance: dg.DagsterInstance, tick: Tick
) -> None:
    first = tick("watch_lake")
    instance.delete_dynamic_partition("dataset", "acme")
    tick("watch_lake", first.cursor)
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def test_a_lake_that_was_made_without_dagster_shows_nothing_stale(
    acme: Dataset, tick: Tick, stale: Stale
) -> None:
    acme.make()
    tick("watch_lake")
    assert stale() == []


def test_a_lake_that_dagster_made_shows_nothing_stale_and_nothing_is_told_again(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, stale: Stale, events: Events
) -> None:
    assert all(made.success for made in run_make(lake, instance))
    before = events()
    tick("watch_lake")
    assert stale() == []
    assert events() == before


def test_what_was_never_made_is_missing_and_not_reported(acme: Dataset, tick: Tick, stale: Stale) -> None:
    tick("watch_lake")
    assert stale() == [*EXPORTS, "index_json", *DIFFS, "catalog_index"]


def test_an_import_of_another_program_makes_the_exports_stale(
    acme: Dataset, tick: Tick, stale: Stale, tmp_path: Path
) -> None:
    acme.make()
    first = tick("watch_lake")
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    second = tick("watch_lake", first.cursor)
    assert second.skip_message == "acme: statements"
    assert stale() == EXPORTS
    acme.make()
    tick("watch_lake", second.cursor)
    assert stale() == []


def test_a_lake_that_was_stale_before_the_first_look_shows_it(
    acme: Dataset, tick: Tick, stale: Stale, tmp_path: Path
) -> None:
    acme.make()
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    tick("watch_lake")
    assert stale() == EXPORTS


@pytest.mark.parametrize(
    ("path", "asset"),
    [
        ("entities.ftm.json", "entities_json"),
        ("exports/statements.csv", "statements_csv"),
        ("index.json", "index_json"),
    ],
)
def test_a_file_that_somebody_deleted_is_stale_until_it_is_made_again(
    acme: Dataset, tick: Tick, stale: Stale, path: str, asset: str
) -> None:
    acme.make()
    first = tick("watch_lake")
    acme.location.delete(path)
    second = tick("watch_lake", first.cursor)
    assert asset in stale()
    assert not {"archive", "mappings", "statements", *EXPORTS}.intersection(stale()) - {asset}
    acme.make()
    tick("watch_lake", second.cursor)
    assert stale() == []


def test_a_file_that_somebody_wrote_to_is_stale_and_so_is_the_index(
    acme: Dataset, tick: Tick, stale: Stale
) -> None:
    acme.make()
    first = tick("watch_lake")
    path = acme.location.local("exports/statistics.json")
    assert path is not None
    with path.open("ab") as file:
        file.write(b" ")
    tick("watch_lake", first.cursor)
    assert stale() == ["statistics_json", "index_json"]


def test_another_title_makes_the_index_stale(acme: Dataset, tick: Tick, stale: Stale) -> None:
    acme.make()
    first = tick("watch_lake")
    acme.configure(title="Another title")
    tick("watch_lake", first.cursor)
    assert stale() == ["index_json"]


def test_a_merge_and_a_compaction_make_nothing_stale(
    acme: Dataset, tick: Tick, stale: Stale, events: Events, tmp_path: Path
) -> None:
    acme.import_files([write_lines(tmp_path / "again.json", people(3))])
    acme.make()
    first = tick("watch_lake")
    before = events()
    acme.merge()
    acme.compact(force=True)
    acme.vacuum()
    second = tick("watch_lake", first.cursor)
    assert second.cursor != first.cursor
    assert events() == before
    assert stale() == []


def test_a_file_of_the_archive_makes_the_mappings_stale_only_when_one_has_another_file(
    acme: Dataset, tick: Tick, stale: Stale, tmp_path: Path
) -> None:
    acme.make()
    first = tick("watch_lake")
    file = tmp_path / "note.txt"
    file.write_text("hello")
    acme.archive.store(str(file))
    second = tick("watch_lake", first.cursor)
    assert second.skip_message == "acme: archive, mappings"
    assert stale() == []


def test_the_catalogue_is_stale_when_somebody_changed_it(
    acme: Dataset, lake: Lake, tick: Tick, stale: Stale
) -> None:
    acme.make()
    first = tick("watch_lake")
    lake.location.write("index.json", b"{}")
    tick("watch_lake", first.cursor)
    assert stale() == ["catalog_index"]


def test_what_a_command_told_is_not_told_again(
    acme: Dataset, instance: dg.DagsterInstance, tick: Tick, events: Events
) -> None:
    acme.make()
    report_dataset(instance, acme)
    before = events()
    tick("watch_lake")
    assert events() == before


def test_a_dataset_that_cannot_be_read_holds_up_no_other_and_is_looked_at_again(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    broken = lake.create_dataset("broken")
    whole = broken.location.read("config.yml")
    broken.location.write("config.yml", b"name: [")
    first = tick("watch_lake")
    assert instance.get_dynamic_partitions("dataset") == ["acme"]
    broken.location.write("config.yml", whole)
    tick("watch_lake", first.cursor)
    assert instance.get_dynamic_partitions("dataset") == ["acme", "broken"]


def test_a_dataset_that_becomes_unreadable_stays_a_partition(
    acme: Dataset, instance: dg.DagsterInstance, tick: Tick
) -> None:
    first = tick("watch_lake")
    acme.location.write("config.yml", b"name: [")
    tick("watch_lake", first.cursor)
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def test_what_a_run_is_at_work_on_is_left_to_the_run(
    acme: Dataset,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    tick: Tick,
    events: Events,
    tmp_path: Path,
) -> None:
    acme.make()
    first = tick("watch_lake")
    before = events()
    run = instance.create_run_for_job(
        defs.resolve_job_def("make"), tags={"dagster/partition": "acme"}, status=dg.DagsterRunStatus.STARTED
    )
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    second = tick("watch_lake", first.cursor)
    assert events() == before
    instance.report_run_canceled(run)
    assert tick("watch_lake", second.cursor).skip_message == "acme: statements"


def test_a_dataset_that_comes_with_a_run_while_the_look_begins_is_left_to_the_run(
    acme: Dataset,
    lake: Lake,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    tick: Tick,
    observed: Observed,
    meanwhile: Meanwhile,
) -> None:
    def come() -> None:
        lake.create_dataset("bodies")
        instance.add_dynamic_partitions("dataset", ["bodies"])
        tags = {"dagster/partition": "bodies"}
        instance.create_run_for_job(
            defs.resolve_job_def("make"), tags=tags, status=dg.DagsterRunStatus.STARTED
        )

    meanwhile(watching, "known_partitions", come)
    assert "bodies" not in (tick("watch_lake").skip_message or "")
    assert [name for name, _ in observed()] == ["acme"]
    assert sorted(instance.get_dynamic_partitions("dataset")) == ["acme", "bodies"]


def test_what_there_was_no_time_for_is_told_at_the_next_look(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.create_dataset("bodies")
    with monkeypatch.context() as patch:
        patch.setattr(watching, "_SECONDS", -1.0)
        first = tick("watch_lake")
        assert instance.get_dynamic_partitions("dataset") == []
    tick("watch_lake", first.cursor)
    assert instance.get_dynamic_partitions("dataset") == ["acme", "bodies"]


def test_a_cursor_that_somebody_wrote_is_no_cursor(
    acme: Dataset, instance: dg.DagsterInstance, tick: Tick
) -> None:
    for cursor in ("nonsense", "[]", "z:nonsense"):
        tick("watch_lake", cursor)
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def test_a_lake_with_a_prefix_shows_nothing_stale_but_what_is(
    acme: Dataset, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    naming = Naming(("other",))

    def look() -> list[str]:
        assets = build_assets(naming)
        resolver = get_stale_status_resolver(instance, assets)
        partitions = {
            asset.key: None if asset.key.path[-1] == "catalog_index" else "acme" for asset in assets
        }
        return [
            key.path[-1]
            for key, name in partitions.items()
            if resolver.get_status(key, name) != StaleStatus.FRESH
        ]

    acme.make()
    report_dataset(instance, acme, naming=naming)
    assert look() == []
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    report_dataset(instance, acme, naming=naming)
    assert look() == EXPORTS
