from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import people
from tests.factories import entity, write_lines

FILES = [artifact.asset for artifact in artifacts.FILES]

Check = Callable[..., dg.AssetCheckEvaluation]


@pytest.fixture
def check(lake: Lake, instance: dg.DagsterInstance) -> Check:
    """Run one check as the UI does."""

    def run(asset: str, name: str, partition: str | None = "acme") -> dg.AssetCheckEvaluation:
        defs = build_definitions(lake.uri)
        if partition:
            instance.add_dynamic_partitions("dataset", [partition])
        result = dg.materialize(
            [*defs.assets, *defs.asset_checks],
            selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(asset), name)),
            instance=instance,
            resources=defs.resources,
            # the partition of checks alone cannot be given as such
            tags={"dagster/partition": partition} if partition else None,
        )
        (evaluation,) = result.get_asset_check_evaluations()
        assert evaluation.partition == partition
        return evaluation

    return run


def test_latest_fails_as_a_warning_with_the_reason_after_an_import(
    acme: Dataset, check: Check, tmp_path: Path
) -> None:
    acme.make()
    assert all(check(asset, "is_latest").passed for asset in ("statements", *FILES))
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    found = check("entities_json", "is_latest")
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert "statements changed" in found.metadata["why"].value
    told = found.description or ""
    assert told.startswith("statements changed since it was made\n\n| source | made from | now | changed |")
    table_id, _, version = acme.content_version().partition(":")
    assert f"| statements | {table_id[:8]}…:1 | {table_id[:8]}…:{version} | yes |" in told
    assert told.endswith("**What helps:** `lakehouse make -d acme`, or materialise this partition")


def test_a_latest_artifact_is_told_in_a_sentence(acme: Dataset, check: Check) -> None:
    acme.make()
    assert check("entities_json", "is_latest").description == "made from what is there now"


def test_assertions_are_told_one_by_one_with_their_numbers(acme: Dataset, check: Check) -> None:
    assert check("statements", "assertions").passed
    acme.location.write("pipeline.yml", b"assertions: {schema: {Person: {min: 9, max: 9}}}")
    found = check("statements", "assertions")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (found.metadata["failed"].value, found.metadata["schema.Person.min"].value) == (1, 5)
    assert "| schema.Person.min | 9 | 5 | no |" in (found.description or "")
    assert "| schema.Person.max | 9 | 5 | yes |" in (found.description or "")
    assert "--no-assertions" in (found.description or "")


def test_dangling_references_are_a_warning(acme: Dataset, check: Check, tmp_path: Path) -> None:
    assert check("statements", "references").passed
    owner = entity("o1", "Ownership", owner=["person-1"], asset=["nobody"])
    acme.import_files([write_lines(tmp_path / "more.json", [owner])])
    found = check("statements", "references")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert (found.metadata["dangling"].value, found.metadata["references"].value) == (1, 2)
    assert "| Ownership.asset | 1 | 1 | o1 -> nobody |" in (found.description or "")


def test_a_file_that_was_tampered_with_is_not_intact(acme: Dataset, check: Check) -> None:
    acme.make()
    assert all(check(asset, "intact").passed for asset in FILES)
    path = acme.location.local("exports/statements.csv")
    assert path is not None
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    found = check("statements_csv", "intact")
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert found.metadata["found"].value != found.metadata["recorded"].value
    assert not check("index_json", "intact").passed


def test_a_file_with_a_row_less_does_not_reconcile(acme: Dataset, check: Check) -> None:
    acme.make()
    assert all(check(asset, "reconciles").passed for asset in FILES)
    path = acme.location.local("entities.ftm.json")
    assert path is not None
    data = path.read_bytes()
    # of the same size, so that only counting finds it
    path.write_bytes(data.replace(b"\n", b" ", 1))
    found = check("entities_json", "reconciles")
    assert not found.passed
    assert (found.metadata["in_the_file"].value, found.metadata["in_the_store"].value) == (5, 6)


def test_statements_are_canonical_with_the_numbers_that_say_so(acme: Dataset, check: Check) -> None:
    found = check("statements", "canonical")
    assert found.passed
    assert found.metadata["doubled_rows"].value == 0
    assert found.metadata["rows"].value == 19


def test_the_catalogue_is_not_the_latest_once_an_index_changed(
    acme: Dataset, lake: Lake, check: Check
) -> None:
    acme.make()
    assert check("catalog_index", "is_latest", None).passed
    acme.configure(title="Another title")
    acme.make(catalog=False)
    found = check("catalog_index", "is_latest", None)
    assert not found.passed
    assert found.metadata["datasets"].value == 1


def test_checks_of_one_dataset_say_nothing_of_another(acme: Dataset, lake: Lake, check: Check) -> None:
    acme.make()
    lake.create_dataset("bodies")
    assert check("entities_json", "is_latest", "acme").passed
    assert not check("entities_json", "is_latest", "bodies").passed
    assert check("entities_json", "is_latest", "acme").passed


def test_one_run_checks_all_datasets_and_each_result_is_kept_under_its_own(
    acme: Dataset, lake: Lake, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    acme.make()
    lake.create_dataset("bodies")
    instance.add_dynamic_partitions("dataset", ["acme", "bodies"])
    for _ in range(2):
        result = defs.resolve_job_def("check").execute_in_process(instance=instance)
        found = result.get_asset_check_evaluations()
    assert result.success
    latest = {(each.partition, each.passed) for each in found if each.check_name == "is_latest"}
    assert {("acme", True), ("bodies", False)} < latest
    assert {each.partition for each in found if each.asset_key == dg.AssetKey("catalog_index")} == {None}
    names = {"is_latest", "intact", "unfinished_state", "reconciles", "canonical", "assertions", "references"}
    assert {each.check_name for each in found} == names
