from pathlib import Path

import pytest

from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.lake import Lake
from lakehouse_assets.settings import Settings, get_settings, parse_size


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    import os

    monkeypatch.chdir(str(tmp_path))
    for name in [name for name in os.environ if name.startswith("LAKEHOUSE_")]:
        monkeypatch.delenv(name)


def test_nothing_needs_to_be_set() -> None:
    settings = get_settings()
    assert (settings.uri, settings.grace_period_days, settings.memory_bytes) == ("data", 30, 10**9)


def test_the_environment_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_URI", "s3://bucket/lake")
    assert get_settings().uri == "s3://bucket/lake"
    monkeypatch.setenv("LAKEHOUSE_URI", "other")
    assert get_settings().uri == "other"


def test_a_dotenv_file_is_read(tmp_path: object) -> None:
    from pathlib import Path

    Path(str(tmp_path), ".env").write_text("LAKEHOUSE_URI=from-file\nOTHER=1\n")
    assert get_settings().uri == "from-file"


def test_the_memory_limit_has_two_names_and_ours_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_DUCKDB_MEMORY_LIMIT", "8GB")
    assert get_settings().memory_bytes == 8 * 10**9
    monkeypatch.setenv("LAKEHOUSE_MEMORY_LIMIT", "2GiB")
    assert get_settings().memory_bytes == 2 * 2**30


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRACE_PERIOD_DAYS", "soon"),
        ("GRACE_PERIOD_DAYS", "-1"),
        ("MEMORY_LIMIT", "much"),
        ("LEASE_SECONDS", "0"),
    ],
)
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LAKEHOUSE_{name}", value)
    with pytest.raises(InvalidData, match=f"LAKEHOUSE_{name}='{value}'"):
        get_settings()


def test_settings_can_be_made_by_hand() -> None:
    assert Settings(memory_limit="512MB", lock_timeout=1).memory_bytes == 512 * 10**6


@pytest.mark.parametrize(
    ("text", "size"), [("1024", 1024), ("1.5 gb", 15 * 10**8), ("4KiB", 4096), ("3M", 3 * 10**6)]
)
def test_sizes_are_read_with_their_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "office=s3://bucket/lake, copy=/mnt/lake",
        '{"office": "s3://bucket/lake", "copy": "/mnt/lake"}',
    ],
)
def test_other_lakes_are_named_in_either_form(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LAKEHOUSE_REMOTES", text)
    assert get_settings().remotes == {"office": "s3://bucket/lake", "copy": "/mnt/lake"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("office", "name=uri"),
        ("office=", "has no address"),
        ("my office=/mnt", "letters, digits"),
        ("office=s3://key:hunter2@bucket/lake", "profile give keys"),
        ("office=s3://bucket/lake?secret=hunter2", "profile give keys"),
        ('{"office": ', "LAKEHOUSE_REMOTES"),
    ],
)
def test_a_bad_name_of_another_lake_is_refused_and_no_secret_told(
    monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.setenv("LAKEHOUSE_REMOTES", text)
    with pytest.raises(InvalidData, match=told) as caught:
        get_settings()
    assert "hunter2" not in str(caught.value)


def test_another_lake_is_opened_by_its_name_or_its_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAKEHOUSE_REMOTES", f"office={tmp_path / 'office'}")
    lake = Lake(tmp_path / "lake")
    assert lake.remote("office").uri == Lake(tmp_path / "office").uri
    assert lake.remote(str(tmp_path / "office")).uri == lake.remote("office").uri
    with pytest.raises(NotFound, match=r"known: office.*\./elsewhere is a folder"):
        lake.remote("elsewhere")
