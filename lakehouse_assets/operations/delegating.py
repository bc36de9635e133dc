"""Delegating: an operation is done by a running Dagster, and leaves its job's record in the lake."""

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakehouse_assets.errors import LakehouseError, NotFound
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.operations.catalog import CatalogResult, catalog_freshness
from lakehouse_assets.remote.following import follow
from lakehouse_assets.remote.launch import MAKE_CATALOG, Launch
from lakehouse_assets.remote.server import Server
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    from lakehouse_assets.operations.base import DJ, DatasetJobOperation

log = logging.getLogger(__name__)

# a job writes its record every ten seconds
_GLANCE = 2.0


def document_of(job: DatasetJob) -> dict[str, object]:
    """A job as run config takes it: what was asked for, without nulls, and the name of its class."""
    asked = job.model_dump(mode="json", exclude_defaults=True, exclude_none=True, exclude={"name"})
    return {**asked, "name": job.name, "run_id": job.run_id}


def delegate(operation: "DatasetJobOperation[DJ]", *, force: bool) -> None:
    """
    Let Dagster do an operation unless it is fresh, and take over what the record of its job says then.

    RemoteError when Dagster is out of reach or refuses; otherwise what the operation failed with there.
    """
    job = operation.job
    launch = operation.launch(force)
    server = Server(operation.parts.settings)
    # first of all: that nothing is to be done is no reason to keep silent of a Dagster that is not there
    where = server.repository["repositoryLocationName"]
    if not force and not operation.waits() and operation.is_fresh():
        log.info("%s: %r is fresh", job.dataset, operation)
        operation.skip()
        job.stop()
        return
    log.info("%s: %r is delegated to %s at %s", job.dataset, operation, where, server.url)
    try:
        run = follow(server, server.launch(launch, job.dataset), each_look=_Watch(operation))
    except LakehouseError as exc:
        record = operation.jobs.get(type(job), job.run_id)
        if record is not None:
            take_over(job, record)
        else:
            job.stop(exc)
        raise
    if not operation.collect():
        place = operation.parts.location.uri
        msg = (
            f"the run {run} succeeded in the Dagster at {server.url}, but left no record in {place}; "
            "name the lake that this Dagster has by LAKEHOUSE_URI or --uri"
        )
        raise NotFound(msg)


def delegate_catalog(settings: Settings, lake: Location, names: list[str], *, force: bool) -> CatalogResult:
    """Let Dagster write the lake's catalogue unless it is fresh."""
    server = Server(settings)
    skipped = bool(server.repository) and not force and catalog_freshness(lake, names).fresh
    if not skipped:
        config = {"catalog_index": {"force": force}}
        follow(server, server.launch(Launch(job=MAKE_CATALOG, config=config), None))
    state = catalog_freshness(lake, names)
    return CatalogResult(state.rows or 0, state.bytes or 0, state.digest or "", 0.0, skipped=skipped)


def take_over(job: DatasetJob, found: DatasetJob) -> None:
    """Make a job say what its record does."""
    for name in type(job).model_fields:
        setattr(job, name, getattr(found, name))


class _Watch:
    """Reports how far an operation is by the record that its job leaves meanwhile."""

    def __init__(self, operation: "DatasetJobOperation[DJ]") -> None:
        self._operation = operation
        self._next = 0.0

    def __call__(self) -> None:
        operation = self._operation
        if operation.progress is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _GLANCE
        found = operation.jobs.get(type(operation.job), operation.job.run_id)
        if found is not None and found.done + found.pending:
            operation.report(found.done, found.pending, "tasks")


def asset_config(job: DatasetJob, **config: object) -> Mapping[str, object]:
    """The config of an asset or op that does a job."""
    return {"job": document_of(job), **config}
