"""A running Dagster that has a lake: runs are launched there, and looked at."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lakehouse_assets.errors import RemoteError
from lakehouse_assets.remote import queries
from lakehouse_assets.remote.client import Answer, Client
from lakehouse_assets.remote.launch import MAKE, Launch, Names
from lakehouse_assets.settings import Settings

log = logging.getLogger(__name__)

# the job that Dagster gives to every code location for runs of single assets
_ASSETS = "__ASSET_JOB"
_PARTITION = "dagster/partition"
_WILL_RETRY = "dagster/will_retry"


@dataclass(frozen=True)
class Failed:
    """What a run, or a step of it, failed with; `error` is the class, where it was one of ours."""

    message: str
    of_step: bool
    error: str | None = None
    details: str = ""


@dataclass(frozen=True)
class Look:
    """A run as it is now, and what it said since the last look, up to `cursor`."""

    status: str
    cursor: str | None
    said: Sequence[str] = ()
    has_more: bool = False
    failed: Failed | None = None
    will_retry: bool = False


class Server:
    """
    A Dagster that has the lake of the settings.

    Example:
        >>> server = Server(Settings(dagster_url="http://localhost:3000"))
        >>> run = server.launch(Launch(job="merge"), "acme")
        >>> server.look(run).status
        'QUEUED'
    """

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings.dagster_url or "")
        self._location = settings.dagster_location
        self._names = Names(settings.dagster_prefix)

    @property
    def url(self) -> str:
        """Its address, without a password."""
        return self._client.url

    def page(self, run: str) -> str:
        """The page of a run."""
        return f"{self.url}/runs/{run}"

    @cached_property
    def repository(self) -> dict[str, str]:
        """Where in that Dagster the lake is; RemoteError when it is nowhere, or in several places."""
        found = self._client.ask(queries.LAKES)["repositoriesOrError"]
        self._insist(found, "RepositoryConnection", "lists nothing")
        job = self._names.name(MAKE)
        places = [
            {"repositoryName": node["name"], "repositoryLocationName": node["location"]["name"]}
            for node in found["nodes"]
            if job in [each["name"] for each in node["jobs"]]
            and self._location in (None, node["location"]["name"])
        ]
        if len(places) == 1:
            return places[0]
        names = ", ".join(place["repositoryLocationName"] for place in places)
        msg = (
            f"several code locations of the Dagster at {self.url} have a lake: {names}; set LAKEHOUSE_DAGSTER_LOCATION"
            if places
            else self._nowhere(job)
        )
        raise RemoteError(msg, url=self.url)

    def launch(self, launch: Launch, dataset: str | None) -> str:
        """Ask for a run, for a dataset or for the whole lake; returns its id. RemoteError when it is refused."""
        if dataset is not None:
            self._add(dataset)
        job = _ASSETS if launch.assets else self._names.name(launch.job)
        selector: dict[str, object] = {**self.repository, "jobName": job}
        if launch.assets:
            selector["assetSelection"] = [{"path": self._names.key(asset)} for asset in launch.assets]
            selector["assetCheckSelection"] = []
        tags = [{"key": _PARTITION, "value": dataset}] if dataset is not None else []
        params = {
            "selector": selector,
            "runConfigData": self._names.run_config(launch),
            "executionMetadata": {"tags": tags},
        }
        found = self._client.ask(queries.LAUNCH, params=params)["launchRun"]
        self._insist(found, "LaunchRunSuccess", f"does not run {', '.join(launch.assets) or launch.job}")
        run = str(found["run"]["runId"])
        log.info("launched %s", self.page(run))
        return run

    def look(self, run: str, after: str | None = None) -> Look:
        """A run as it is now; `after` is the cursor of the look before."""
        found = self._client.ask(queries.LOOK, run=run, after=after)
        state, logs = found["runOrError"], found["logsForRun"]
        if state["__typename"] != "Run":
            msg = f"the Dagster at {self.url} does not know the run {run} any more: {state.get('message')}"
            raise RemoteError(msg, url=self.url, run_id=run)
        events = logs.get("events", [])
        tags = {tag["key"]: tag["value"] for tag in state["tags"]}
        return Look(
            status=state["status"],
            cursor=logs.get("cursor", after),
            said=[event["message"] for event in events if event["__typename"] == "LogMessageEvent"],
            has_more=bool(logs.get("hasMore")),
            failed=_worst(events),
            will_retry=tags.get(_WILL_RETRY) == "true",
        )

    def retry_of(self, run: str) -> str | None:
        """The run that Dagster started in place of one that died, if it has by now."""
        found = self._client.ask(queries.RETRIES, run=run)["runsOrError"]
        return next((str(each["runId"]) for each in found.get("results", [])), None)

    def has_daemon(self) -> bool:
        """Whether something takes runs out of the queue."""
        found = self._client.ask(queries.DAEMON)["instance"]["daemonHealth"]["daemonStatus"]
        return bool(found["healthy"]) or not found["required"]

    def cancel(self, run: str) -> None:
        """End a run, or take it out of the queue."""
        self._client.ask(queries.CANCEL, run=run)

    def _add(self, dataset: str) -> None:
        """Make a dataset known there: its sensor may not have seen yet that it is new."""
        found = self._client.ask(
            queries.ADD_PARTITION,
            repository=self.repository,
            set=self._names.name("dataset"),
            dataset=dataset,
        )["addDynamicPartition"]
        if found["__typename"] != "DuplicateDynamicPartitionError":
            self._insist(found, "AddDynamicPartitionSuccess", f"does not take the dataset {dataset}")

    def _insist(self, found: Answer, wanted: str, refusal: str) -> None:
        if found["__typename"] == wanted:
            return
        errors = [error["message"] for error in found.get("errors", [])] or [found.get("message")]
        said = "; ".join(map(str, errors))
        if found["__typename"] == "UnauthorizedError":
            said = f"{said} (is it read-only?)"
        msg = f"the Dagster at {self.url} {refusal}: {said}; nothing was done"
        raise RemoteError(msg, url=self.url)

    def _nowhere(self, job: str) -> str:
        """Why a lake was not found."""
        found = self._client.ask(queries.BROKEN)["workspaceOrError"]
        entries = found.get("locationEntries", [])
        broken = [
            f"{entry['name']} cannot be loaded: {entry['locationOrLoadError']['message'].strip()}"
            for entry in entries
            if (entry["locationOrLoadError"] or {}).get("__typename") == "PythonError"
        ]
        names = ", ".join(entry["name"] for entry in entries) or "none"
        told = "; ".join([f"no job {job!r} in its code locations ({names})", *broken])
        wanted = f" named {self._location!r}" if self._location else ""
        return (
            f"the Dagster at {self.url} has no lake{wanted}: {told}; "
            "set LAKEHOUSE_DAGSTER_LOCATION and LAKEHOUSE_DAGSTER_PREFIX to where it is"
        )


def _worst(events: Sequence[Answer]) -> Failed | None:
    """The last failure of a step, which says more than that of the run."""
    for kind in ("ExecutionStepFailureEvent", "RunFailureEvent"):
        found = [event for event in events if event["__typename"] == kind]
        if found:
            return _failed(found[-1])
    return None


def _failed(event: Answer) -> Failed:
    explained = event.get("failureMetadata") or {}
    entries = {entry["label"]: entry for entry in explained.get("metadataEntries", [])}
    error = event.get("error") or {}
    message = explained.get("description") or error.get("message") or event["message"]
    return Failed(
        message=str(message).strip(),
        of_step=event["__typename"] == "ExecutionStepFailureEvent",
        error=entries.get("error", {}).get("text"),
        details=entries.get("failed_assertions", {}).get("mdStr", ""),
    )
