"""Dagster's web server and daemon on a copy of the checkout, and a browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lakehouse_assets
from lakehouse_assets.lake import Lake

ROOT = Path(lakehouse_assets.__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOCATION = "lakehouse_assets"

STARTS_WITHIN = 120.0
ENDS_WITHIN = 30.0


def eventually(look: Callable[[], Any], *, within: float, what: str) -> Any:
    """What the look gives as soon as it gives something; fails when that takes too long."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.5)
    return pytest.fail(f"{what}: not within {within:.0f} s")


@dataclass(frozen=True)
class Server:
    """A running Dagster, its folder and its lake."""

    url: str
    folder: Path
    lake: Lake

    def query(self, text: str, **variables: object) -> Any:
        """The data that a GraphQL query gives."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def launch(
        self,
        job: str,
        partition: str,
        *,
        assets: list[str] | None = None,
        config: dict[str, object] | None = None,
    ) -> str:
        """Launch a job, or only some of its assets, for a dataset, as the launchpad does; returns the run's id."""
        selector: dict[str, object] = {
            "repositoryName": "__repository__",
            "repositoryLocationName": LOCATION,
            "jobName": job,
        }
        if assets is not None:
            selector |= {"assetSelection": [{"path": [asset]} for asset in assets], "assetCheckSelection": []}
        params = {
            "selector": selector,
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
        }
        found = self.query(LAUNCH, params=params)["launchRun"]
        assert found["__typename"] == "LaunchRunSuccess", found
        return str(found["run"]["runId"])

    def finish(self, run_id: str) -> str:
        """The status of a run when it has ended."""

        def look() -> str | None:
            status: str = self.query(RUN, id=run_id)["runOrError"]["status"]
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return str(eventually(look, within=90, what=f"the end of run {run_id}"))

    def metadata(self, asset: str, partition: str) -> dict[str, Any]:
        """The metadata of an asset's newest materialization, as its page shows it; empty when there is none."""
        found = self.query(MATERIALIZATION, key={"path": [asset]}, partition=partition)["assetOrError"]
        for event in found.get("assetMaterializations", []):
            return {entry["label"]: _value(entry) for entry in event["metadataEntries"]}
        return {}

    def partitions(self) -> list[str]:
        """The datasets that Dagster knows."""
        found = self.query(PARTITIONS, key={"path": ["statements"]})
        return list(found["assetNodeOrError"]["partitionKeys"])


LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on InvalidSubsetError { message }
  }
}
"""
RUN = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
MATERIALIZATION = """
query ($key: AssetKeyInput!, $partition: String!) {
  assetOrError(assetKey: $key) {
    ... on Asset {
      assetMaterializations(partitions: [$partition], limit: 1) {
        metadataEntries {
          label
          ... on IntMetadataEntry { intValue }
          ... on TextMetadataEntry { text }
          ... on BoolMetadataEntry { boolValue }
          ... on MarkdownMetadataEntry { mdStr }
        }
      }
    }
  }
}
"""
PARTITIONS = (
    "query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { partitionKeys } } }"
)
LOADED = """
query {
  workspaceOrError {
    ... on Workspace {
      locationEntries { name loadStatus locationOrLoadError { __typename ... on PythonError { message } } }
    }
  }
}
"""


def _value(entry: dict[str, Any]) -> Any:
    return next((value for name, value in entry.items() if name != "label"), None)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`dagster dev` in a copy of the checkout, as somebody has it who starts it there for the first time."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("workspace.yaml", "dagster.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "lakehouse_assets", folder / "lakehouse_assets")
    lake = Lake(folder / "lake")
    (folder / "lake").mkdir()
    port = _free_port()
    log = folder / "dagster.log"
    named = {"LAKEHOUSE_URI": "lake", "LAKEHOUSE_REMOTES": "office=office"}
    environment = {**os.environ, **named, "DAGSTER_DISABLE_TELEMETRY": "1"}
    environment.pop("DAGSTER_HOME", None)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-p", str(port)],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            # a group of its own: its children are stopped with it
            start_new_session=True,
        )
    try:
        found = Server(f"http://127.0.0.1:{port}", folder, lake)
        eventually(lambda: _is_loaded(found, process, log), within=STARTS_WITHIN, what="the code location")
        yield found
    finally:
        _stop(process)


def _is_loaded(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"dagster dev ended:\n{log.read_text()[-5000:]}")
    try:
        (entry,) = server.query(LOADED)["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    loaded = entry["locationOrLoadError"] or {}
    if loaded.get("__typename") == "PythonError":
        pytest.fail(loaded["message"])
    return bool(entry["loadStatus"] == "LOADED")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=ENDS_WITHIN)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def browser() -> str:
    """The path of Chromium. On CI it has to be there."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        hint = "no Chromium: install it with `apt-get install chromium` (Debian) or `dnf install chromium` (Fedora)"
        if os.environ.get("CI"):
            pytest.fail(hint)
        pytest.skip(hint)
    return found


@pytest.fixture
def page(browser: str, tmp_path: Path) -> Callable[[str], str]:
    """The document of a page after its scripts have run."""

    def load(url: str) -> str:
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=2000,1400", "--virtual-time-budget=20000",
            "--dump-dom", url,
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return ran.stdout

    return load
