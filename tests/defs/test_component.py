"""The component by which a project of one's own gets a lake, and the call that does the same."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException
from dagster.components.testing import create_defs_folder_sandbox

import lakehouse_assets
from lakehouse_assets.component import LakehouseComponent
from lakehouse_assets.jobs import FileQueue, Job
from lakehouse_assets.lake import Lake
from tests.defs import deferred
from tests.defs.conftest import people
from tests.factories import write_lines


@pytest.fixture
def project() -> Iterator[Any]:
    """An empty project that components can be put into."""
    with create_defs_folder_sandbox() as sandbox:
        yield sandbox


def put(project: Any, folder: str, **attributes: object) -> None:
    """Add a lake to the project, as its defs.yaml does."""
    project.scaffold_component(
        component_cls=LakehouseComponent,
        defs_path=folder,
        defs_yaml_contents={"type": "lakehouse_assets.LakehouseComponent", "attributes": attributes},
    )


def test_a_lake_in_defs_yaml_is_made_by_a_run_of_the_project(
    project: Any, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    # a path that is not absolute is looked for beside the project's own files
    acme = Lake(project.project_root / "leaks").create_dataset("acme")
    acme.import_files([write_lines(tmp_path / "people.json", people(3))])
    put(project, "leaks", uri="leaks", key_prefix=["leaks"])
    instance.add_dynamic_partitions("leaks_dataset", ["acme"])
    with project.build_all_defs() as defs:
        job = defs.resolve_job_def("leaks_make")
        assert job.execute_in_process(instance=instance, partition_key="acme").success
    assert acme.freshness("index").fresh
    key = dg.AssetKey(["leaks", "entities_json"])
    made = instance.get_latest_materialization_event(key)
    assert made is not None
    assert made.asset_materialization is not None
    assert made.asset_materialization.metadata["dagster/row_count"].value == 3


def test_stages_of_the_project_have_their_queues_worked(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv(deferred.WORK, str(tmp_path))
    (tmp_path / "leaks").mkdir()
    FileQueue(Lake(tmp_path / "leaks")).defer(Job(queue="notes", task="note"))
    put(project, "leaks", uri=str(tmp_path / "leaks"), key_prefix=["leaks"], stages=[deferred.__name__])
    with project.build_all_defs() as defs:
        keys = {node.key for node in defs.resolve_asset_graph().asset_nodes}
        job = defs.resolve_job_def("leaks_work_jobs")
        config = {"ops": {"leaks_work_queue": {"config": {"queue": "notes"}}}}
        assert job.execute_in_process(run_config=config, instance=instance).success
    assert dg.AssetKey(["leaks", "jobs", "notes"]) in keys
    assert "note" in (tmp_path / "did").read_text()


def test_two_lakes_live_in_one_project_beside_its_own_executor(project: Any, tmp_path: Path) -> None:
    put(project, "leaks", uri=str(tmp_path / "leaks"), key_prefix=["leaks"], in_process=False)
    put(project, "firms", uri=str(tmp_path / "firms"), key_prefix=["firms", "raw"], in_process=False)
    with project.build_all_defs() as defs:
        own = dg.Definitions(executor=dg.multiprocess_executor)
        both = dg.Definitions.merge(defs, own)
        dg.Definitions.validate_loadable(both)
        keys = {key.to_user_string() for key in both.resolve_all_asset_keys()}
        assert {"leaks/statements", "firms/raw/statements"} <= keys
        jobs = {job.name for job in both.resolve_all_job_defs()}
        assert {"leaks_make", "firms_raw_make", "firms_raw_compact"} <= jobs
        sets = {
            both.resolve_assets_def(dg.AssetKey(path)).partitions_def.name  # type: ignore[union-attr]
            for path in (["leaks", "statements"], ["firms", "raw", "statements"])
        }
        assert sets == {"leaks_dataset", "firms_raw_dataset"}


def test_secrets_of_a_bucket_are_shown_by_the_names_of_their_variables(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKS_SECRET", "geheim")
    access = {
        "endpoint_url": "http://127.0.0.1:9",
        "key_variable": "LEAKS_KEY",
        "secret_variable": "LEAKS_SECRET",
    }
    put(project, "leaks", uri="s3://bucket/leaks", s3=access)
    with project.build_all_defs() as defs:
        shown = str((defs.resources or {})["lake"])
    assert "LEAKS_SECRET" in shown
    assert "geheim" not in shown


@pytest.mark.parametrize(
    ("attributes", "said"), [({"url": "leaks"}, "url"), ({"key_prefix": "leaks"}, "key_prefix")]
)
def test_attributes_that_are_none_are_refused_with_their_name(
    project: Any, attributes: dict[str, object], said: str
) -> None:
    put(project, "leaks", **attributes)
    with pytest.raises(ComponentTreeException) as error, project.build_all_defs():
        pass
    reasons, cause = [], error.value.__cause__
    while cause is not None:
        reasons.append(str(cause))
        cause = cause.__cause__
    assert said in "".join(reasons)


def test_dagster_finds_the_component_where_the_package_says_it_lists_some() -> None:
    assert "LakehouseComponent" in dir(lakehouse_assets)
    assert lakehouse_assets.LakehouseComponent is LakehouseComponent
    assert lakehouse_assets.build_definitions("lake").resolve_job_def("make").name == "make"


def test_importing_the_package_loads_no_dagster() -> None:
    program = "import sys, lakehouse_assets; dir(lakehouse_assets); print('dagster' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
