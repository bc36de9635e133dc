"""Following a run to its end."""

import logging
import re
import time
from collections.abc import Callable

from lakehouse_assets import errors
from lakehouse_assets.errors import AssertionFailed, LakehouseError, RemoteError, Unreachable
from lakehouse_assets.remote.server import Failed, Look, Server

log = logging.getLogger(__name__)

# of a run that takes some seconds, at most a tenth is lost by looking too late
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
# a web server that is being restarted is back within this time
_PATIENCE = 120.0
# a daemon tells every half minute that it lives
_QUEUE_PATIENCE = 60.0
# the daemon that tries again what died looks every some seconds
_RETRY_PATIENCE = 120.0

_OVER = ("SUCCESS", "FAILURE", "CANCELED")


def follow(server: Server, run: str, *, each_look: Callable[[], None] = lambda: None) -> str:
    """
    Wait until a run has succeeded; returns its id, or that of the one which Dagster started in its place.

    Raises what the run failed with: where that is an error of this package, of the same class as here. RemoteError
    when the run was cancelled, when nothing takes it out of the queue, or when Dagster is out of reach for long.
    """
    try:
        return _follow(server, run, each_look)
    except KeyboardInterrupt:
        log.warning("not following any more; the run goes on: %s", server.page(run))
        raise


def _follow(server: Server, run: str, each_look: Callable[[], None]) -> str:
    while True:
        last, failed = _until_over(server, run, each_look)
        if last.status == "SUCCESS":
            return run
        retry = _retry(server, run) if last.status == "FAILURE" and last.will_retry else None
        if retry is None:
            raise _error(server, run, last.status, failed)
        log.warning("%s died; Dagster tries again: %s", server.page(run), server.page(retry))
        run = retry


def _until_over(server: Server, run: str, each_look: Callable[[], None]) -> tuple[Look, Failed | None]:
    """The last look at a run, and what it failed with last."""
    pause, cursor, failed = _FIRST_PAUSE, None, None
    queued_until = time.monotonic() + _QUEUE_PATIENCE
    while True:
        found = _look(server, run, cursor)
        cursor = found.cursor
        if found.failed is not None and (found.failed.of_step or failed is None):
            failed = found.failed
        for line in found.said:
            log.info("%s", line)
        if found.has_more:
            continue
        each_look()
        if found.status in _OVER:
            return found, failed
        if found.status != "QUEUED":
            queued_until = float("inf")
        elif time.monotonic() > queued_until:
            _insist_on_daemon(server, run)
            queued_until = time.monotonic() + _QUEUE_PATIENCE
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)


def _look(server: Server, run: str, cursor: str | None) -> Look:
    """The next look, however long the server is away within reason."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return server.look(run, cursor)
        except Unreachable as exc:
            if time.monotonic() > until:
                msg = f"{exc}. What became of the run is to be seen at {server.page(run)} when it is back"
                raise RemoteError(msg, url=server.url, run_id=run) from exc
            log.warning("%s; trying again", exc)
            time.sleep(_LONGEST_PAUSE)


def _insist_on_daemon(server: Server, run: str) -> None:
    """Do not wait for ever for a run that nobody takes out of the queue."""
    if server.has_daemon():
        log.warning("%s waits in the queue still", server.page(run))
        return
    server.cancel(run)
    msg = (
        f"the run {run} stood in the queue of the Dagster at {server.url} for {_QUEUE_PATIENCE:.0f} s, and no daemon "
        "is at work there; it was taken out. Start `dagster-daemon run`, and try again"
    )
    raise RemoteError(msg, url=server.url, run_id=run)


def _retry(server: Server, run: str) -> str | None:
    until = time.monotonic() + _RETRY_PATIENCE
    while time.monotonic() < until:
        if found := server.retry_of(run):
            return found
        time.sleep(_LONGEST_PAUSE)
    return None


def _error(server: Server, run: str, status: str, failed: Failed | None) -> LakehouseError:
    """The error of a run that did not succeed."""
    page = server.page(run)
    if status == "CANCELED":
        msg = f"the run was cancelled in Dagster: {page}; run it again if that was a mistake"
        return RemoteError(msg, url=server.url, run_id=run)
    if failed is None:
        msg = f"the run failed in Dagster; its page says why: {page}"
        return RemoteError(msg, url=server.url, run_id=run)
    message = f"{failed.message} (in Dagster: {page})"
    if failed.error == AssertionFailed.__name__:
        return AssertionFailed(message, failures=re.findall(r"^- (.*)$", failed.details, re.MULTILINE))
    kind = _SAME.get(failed.error or "")
    return kind(message) if kind is not None else RemoteError(message, url=server.url, run_id=run)


_SAME: dict[str, type[LakehouseError]] = {
    kind.__name__: kind
    for kind in (
        errors.InvalidData,
        errors.NotFound,
        errors.Conflict,
        errors.LeaseLost,
        errors.Locked,
        errors.StorageError,
        errors.Unconfirmed,
    )
}
"""The errors that a message is enough for."""
