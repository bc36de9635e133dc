"""A lake is found by an AWS profile, too: its keys, its region, its endpoint."""

from pathlib import Path

import pytest

from lakehouse_assets.errors import StorageError
from lakehouse_assets.lake import Lake
from lakehouse_assets.storage.profiles import of_profile
from tests.factories import company, values_of, write_lines
from tests.s3.keys import KEY, SECRET, TOKEN, WRONG
from tests.s3.store import Bucket


@pytest.fixture
def profile(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket that only a profile has the keys of."""
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text(
        f"[team]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n"
        f"[default]\naws_access_key_id = {WRONG}\naws_secret_access_key = x\n"
    )
    config.write_text(
        f"[profile team]\nregion = eu-north-1\nendpoint_url = {bucket.server.url}\n"
        f"[profile by-service]\nservices = here\nendpoint_url = http://other\n"
        f"[services here]\ns3 =\n  endpoint_url = {bucket.server.url}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "team")
    return bucket


def test_a_lake_is_made_and_read_by_a_profile_alone(profile: Bucket, tmp_path: Path) -> None:
    dataset = Lake(profile.uri).create_dataset("acme")
    dataset.import_files([write_lines(tmp_path / "a.json", [company("c1")])])
    dataset.make()
    assert values_of(dataset) == [("c1", "name", "Acme Inc.")]
    assert "lake/acme/index.json" in set(profile.keys())


def test_delta_is_told_what_the_profile_says_and_nothing_else(
    profile: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    place = {"AWS_REGION": "eu-north-1", "AWS_ENDPOINT_URL": profile.server.url}
    assert of_profile(()) == keys | place
    assert of_profile(["AWS_ACCESS_KEY_ID"]) == place
    assert of_profile(["AWS_REGION", "AWS_ENDPOINT_URL"]) == keys
    for name in ("AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "of-the-environment")
    assert of_profile(()) == {}


def test_the_endpoint_of_a_service_wins_over_that_of_a_profile(
    profile: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "by-service")
    assert of_profile(()) == {"AWS_ENDPOINT_URL": profile.server.url}


def test_without_files_of_profiles_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "team")
    assert of_profile(()) == {}


def test_a_profile_that_is_not_there_is_told(profile: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StorageError, match=r"\(nobody\) could not be found; mend AWS_PROFILE"):
        of_profile(())
