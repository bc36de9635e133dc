"""What the command tells a lake's Dagster instance, and that it never makes one."""

from pathlib import Path

import pytest

from tests.cli.calling import Lakehouse


@pytest.fixture
def instance_folder(acme: Lakehouse, folder: Path) -> Path:
    """An instance inside the lake, as `lakehouse up` leaves it."""
    from lakehouse_assets.defs.instance import open_instance
    from lakehouse_assets.lake import Lake

    with open_instance(Lake(folder / "data")):
        pass
    return folder / "data" / ".lakehouse" / "dagster"


def _made(folder: Path, asset: str) -> int:
    """How often Dagster heard that an asset of acme was made."""
    from dagster import AssetKey, AssetRecordsFilter

    from lakehouse_assets.defs.instance import existing_instance
    from lakehouse_assets.lake import Lake

    instance = existing_instance(Lake(folder / "data"))
    assert instance is not None
    with instance:
        filters = AssetRecordsFilter(AssetKey(asset))
        return len(instance.fetch_materializations(filters, limit=100).records)


def test_an_existing_instance_hears_of_each_change_once(
    acme: Lakehouse, instance_folder: Path, folder: Path
) -> None:
    assert acme("make", "-d", "acme").err == ""
    assert (_made(folder, "statements"), _made(folder, "entities_json")) == (1, 1)
    assert _made(folder, "catalog_index") == 1
    acme("make", "-d", "acme")
    assert (_made(folder, "statements"), _made(folder, "entities_json")) == (1, 1)
    acme("delete", "-d", "acme", "c1")
    assert (_made(folder, "statements"), _made(folder, "entities_json")) == (2, 1)
    assert acme("merge", "-d", "acme", "--force").err == ""
    assert (_made(folder, "statements"), _made(folder, "entities_json")) == (2, 1)


def test_a_new_dataset_becomes_a_partition(acme: Lakehouse, instance_folder: Path, folder: Path) -> None:
    from lakehouse_assets.defs.instance import existing_instance
    from lakehouse_assets.lake import Lake

    acme("dataset", "create", "beta")
    instance = existing_instance(Lake(folder / "data"))
    assert instance is not None
    with instance:
        assert instance.has_dynamic_partition("dataset", "beta")


def test_no_instance_is_made(acme: Lakehouse, folder: Path) -> None:
    (folder / "dagster.yaml").write_text("storage:\n  sqlite:\n    base_dir: .dagster/storage\n")
    for args in (("make",), ("merge",), ("delete", "c1"), ("export",)):
        assert acme(*args, "-d", "acme").code == 0
    assert not (folder / ".dagster").exists()
    assert not (folder / "data" / ".lakehouse").exists()


def test_a_home_that_is_not_there_is_not_made(
    acme: Lakehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
    assert acme("delete", "-d", "acme", "c1").code == 0
    assert not (folder / "home").exists()


def test_an_instance_that_cannot_be_told_is_a_warning(
    acme: Lakehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("storage: {mongodb: {}}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    result = acme("delete", "-d", "acme", "c1")
    assert result.code == 0
    assert result.out.startswith("deleted 1 entity")
    assert result.err.startswith("warning: Dagster was not told: ")
    assert result.err.count("\n") == 1
