import subprocess
import sys
from pathlib import Path

import dagster as dg

from lakehouse_assets import definitions
from lakehouse_assets.defs import artifacts, columns
from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.operations.checks import check_names
from lakehouse_assets.statements import schema

SNAPSHOT = Path(__file__).parent / "graph.txt"
ROOT = Path(__file__).parents[2]

HEAVY = ("followthemoney", "polars", "duckdb", "deltalake", "pyarrow", "s3fs", "dagster_aws")


def describe(defs: dg.Definitions) -> str:
    """Everything the code location offers, a line each."""
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    lines = []
    for node in sorted(graph.asset_nodes, key=lambda node: node.key):
        deps = ", ".join(sorted(key.to_user_string() for key in node.parent_keys))
        partitions = node.partitions_def.name if node.partitions_def else "-"
        lines.append(
            f"asset {node.key.to_user_string()} | {node.group_name} | {partitions} | <- {deps or '-'}"
        )
    checks = sorted((key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys)
    lines += [f"check {asset} | {name}" for asset, name in checks]
    for job in sorted(repository.get_all_jobs(), key=lambda job: job.name):
        nodes = ", ".join(sorted(node.name for node in job.nodes))
        lines.append(f"job {job.name} | {nodes}")
    for schedule in repository.schedule_defs:
        lines.append(f"schedule {schedule.name} | {schedule.cron_schedule} | {schedule.default_status.value}")
    for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name):
        lines.append(
            f"sensor {sensor.name} | {sensor.minimum_interval_seconds} s | {sensor.default_status.value}"
        )
    return "\n".join(lines) + "\n"


def test_the_graph_is_the_one_that_was_agreed_on() -> None:
    assert describe(definitions.defs) == SNAPSHOT.read_text()


def test_definitions_are_loadable() -> None:
    dg.Definitions.validate_loadable(definitions.defs)


def test_loading_the_code_location_takes_less_than_three_seconds_and_no_heavy_package() -> None:
    code = (
        "import sys, time; start = time.process_time(); import lakehouse_assets.definitions;"
        "print(time.process_time() - start, *sorted(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    seconds, *modules = ran.stdout.split()
    assert float(seconds) < 3
    assert not set(HEAVY) & set(modules)


def test_every_export_of_the_lake_is_an_asset_that_knows_its_path_and_name() -> None:
    offered = {artifact.asset: (artifact.name, artifact.path) for artifact in artifacts.FILES}
    assert offered == {export.asset: (export.name, export.target) for export in EXPORTS.values()}


def test_every_check_of_the_lake_is_an_asset_check() -> None:
    keys = definitions.defs.resolve_asset_graph().asset_check_keys
    offered = {(key.asset_key.to_user_string(), key.name) for key in keys}
    assert offered == {
        *check_names(),
        ("catalog_index", "is_latest"),
        ("gc_sweep", "no_dangling_references"),
    }


def test_columns_are_described_before_anything_was_made() -> None:
    described = [column.name for column in columns.STATEMENTS.columns]
    assert described == schema.COLUMNS
    graph = definitions.defs.resolve_asset_graph()
    for artifact in (*artifacts.MADE, artifacts.LAKE_CATALOG):
        shown = graph.get(dg.AssetKey(artifact.asset)).metadata["dagster/column_schema"]
        assert isinstance(shown, dg.TableSchema)
        assert all(column.description for column in shown.columns)


def test_every_asset_says_what_it_is_for_where_it_lies_and_whose_it_is() -> None:
    graph = definitions.defs.resolve_asset_graph()
    for node in graph.asset_nodes:
        assert "Lies at `" in (node.description or "")
        assert node.kinds
        assert node.is_external or node.owners == ["team:data"]
        assert node.is_external or node.code_version


def test_two_lakes_in_one_project_share_nothing() -> None:
    both = dg.Definitions.merge(
        build_definitions("one", key_prefix=["one"]), build_definitions("two", key_prefix=["two"])
    )
    dg.Definitions.validate_loadable(both)
    graph = both.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["one", "index_json"])).partitions_def.name == "one_dataset"
    assert both.resolve_job_def("two_make").name == "two_make"


def test_a_lake_that_the_environment_names_is_shown_by_the_variable(monkeypatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_URI", "somewhere")
    shown = build_definitions().resources["lake"]
    assert shown.model_dump()["uri"] == dg.EnvVar("LAKEHOUSE_URI")


def test_without_a_variable_the_lake_is_the_folder_data() -> None:
    assert build_definitions().resources["lake"].uri == "data"
