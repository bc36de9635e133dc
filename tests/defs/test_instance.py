import shutil
from pathlib import Path

import pytest
import yaml

import lakehouse_assets
from lakehouse_assets.defs.home import find_home
from lakehouse_assets.defs.instance import existing_instance, open_instance
from lakehouse_assets.defs.report import report_config
from lakehouse_assets.defs.runs import run_make
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Dataset, Lake

ROOT = Path(lakehouse_assets.__file__).parents[1]


def test_looking_for_an_instance_makes_none(lake: Lake, tmp_path: Path) -> None:
    assert existing_instance(lake) is None
    assert list(tmp_path.iterdir()) == [tmp_path / "lake"]
    assert list((tmp_path / "lake").iterdir()) == []


def test_an_instance_inside_the_lake_is_found_again(acme: Dataset, lake: Lake) -> None:
    with open_instance(lake) as made:
        report_config(made, acme)
    found = existing_instance(lake)
    assert found is not None
    with found:
        assert found.get_dynamic_partitions("dataset") == ["acme"]
        assert not found.telemetry_enabled
    assert lake.datasets() == ["acme"]


def test_the_file_of_an_instance_inside_the_lake_is_written_once(lake: Lake) -> None:
    open_instance(lake).dispose()
    home = find_home(lake)
    assert home is not None
    file = home.folder / "dagster.yaml"
    file.write_text("telemetry: {enabled: false}\n# mine\n")
    open_instance(lake).dispose()
    assert "# mine" in file.read_text()


def test_the_current_folder_wins_over_the_lake(
    acme: Dataset, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / "dagster.yaml", project)
    monkeypatch.chdir(project)
    assert existing_instance(lake) is None
    with open_instance(lake) as made:
        assert [run.success for run in run_make(lake, made)] == [True, True]
    assert sorted(path.name for path in project.iterdir()) == [".dagster", "dagster.yaml"]
    found = existing_instance(lake)
    assert found is not None
    with found:
        assert found.get_runs_count() == 2
    assert not (tmp_path / "lake" / ".lakehouse").exists()


def test_a_file_without_storage_keeps_nothing_so_there_is_nothing_to_report_to(
    lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert existing_instance(lake) is None


def test_the_variable_wins_over_everything(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert existing_instance(lake) is None
    open_instance(lake).dispose()
    found = existing_instance(lake)
    assert found is not None
    with found:
        assert found.root_directory == str(tmp_path / "home")


def test_a_lake_on_an_object_store_needs_a_folder_for_history() -> None:
    lake = Lake("memory://lake")
    assert existing_instance(lake) is None
    with pytest.raises(InvalidData, match="DAGSTER_HOME"):
        open_instance(lake)


def test_the_shipped_files_say_what_those_of_the_checkout_say() -> None:
    shipped = yaml.safe_load((ROOT / "lakehouse_assets/defs/data/dagster.yaml").read_text())
    own = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    places = {"storage", "local_artifact_storage", "compute_logs"}
    assert shipped == {key: value for key, value in own.items() if key not in places}
    (module,) = yaml.safe_load((ROOT / "lakehouse_assets/defs/data/workspace.yaml").read_text())["load_from"]
    (mine,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    del mine["python_module"]["working_directory"]
    assert module == mine
