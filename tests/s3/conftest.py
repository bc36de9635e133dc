"""An S3 server for all tests, a bucket for each."""

import uuid
from collections.abc import Iterator

import pytest

from tests.s3.store import Bucket, Server, fill


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials and no lake of the machine; what fails, fails soon."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "LAKEHOUSE_URI", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


@pytest.fixture
def bucket(server: Server) -> Iterator[Bucket]:
    made = server.bucket(f"lake-{uuid.uuid4().hex[:12]}")
    yield made
    made.heal()


@pytest.fixture(scope="session")
def _made(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    made = server.bucket(f"made-{uuid.uuid4().hex[:12]}")
    fill(made, tmp_path_factory.mktemp("made"))
    made.save()
    return made


@pytest.fixture
def made(_made: Bucket) -> Iterator[Bucket]:
    """A bucket with the dataset acme: two entities, exports of them."""
    yield _made
    _made.heal()
    _made.restore()


@pytest.fixture
def mortal() -> Iterator[Bucket]:
    """A bucket on a server of its own, which may die."""
    made = Server()
    yield made.bucket("mortal")
    made.stop()
