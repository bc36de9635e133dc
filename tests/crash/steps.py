"""Ending or stopping this very process at a named step of its work."""

import os
import signal
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from lakehouse_assets.exports.keeping import KeptParts
from lakehouse_assets.jobs import FileQueue
from lakehouse_assets.jobs.collecting import Writes
from lakehouse_assets.jobs.dead_files import DeadFiles
from lakehouse_assets.jobs.done import DoneCounts
from lakehouse_assets.jobs.file_claim import FileClaim
from lakehouse_assets.jobs.writer import JobWriter
from lakehouse_assets.state import StateStore
from lakehouse_assets.statements.journal import Journal
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.file_leases import FileLeases
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records
from lakehouse_assets.storage.tags import Tags
from tests.crash import job_stages

WRITER = {
    "before its rows are written": (Staging, "write", 1, "before"),
    "its rows are written": (Staging, "finish", 4, "after"),
    "before it is visible": (Journal, "publish", 1, "before"),
    "it is visible": (Journal, "publish", 1, "after"),
    "its tag is set": (Tags, "set", 1, "after"),
}
"""Steps of a writer that is closed, each by a call: which one, and whether before or after it."""

FLUSH = {
    "before the batch": (Journal, "exchange", 1, "before"),
    "the batch is written": (Journal, "exchange", 1, "after"),
    "a file is taken": (Staging, "adopt", 1, "after"),
    "all files are there": (Staging, "finish", 3, "after"),
    "before the commit": (StatementTable, "append", 1, "before"),
    "committed": (StatementTable, "append", 1, "after"),
    "the rows of a segment are removed": (Location, "delete_tree", 1, "after"),
    "a segment is removed": (Location, "delete_tree", 2, "before"),
    "all segments are removed": (Journal, "remove", 1, "after"),
    "the batch is done": (Journal, "exchange", 2, "after"),
}
"""Steps of a flush."""

EXPORT = {
    "the first part is about to be kept": (KeptParts, "put", 1, "before"),
    "a part is kept": (KeptParts, "put", 3, "after"),
    "the export is in its place": (Records, "put", 1, "before"),
}
"""Steps of an export that keeps its parts."""

JOBS = {
    "in a stage": (job_stages, "begun", 13, "after"),
    "in the writer of a stage": (JobWriter, "put", 13, "after"),
    "a batch is claimed": (FileLeases, "attempt", 2, "after"),
    "what stages wrote is in the journal": (Journal, "publish", 1, "after"),
    "what stages wrote is in the table": (StatementTable, "append", 1, "after"),
    "what stages wrote is flushed": (Writes, "commit", 1, "after"),
    "what stages returned is about to be queued": (FileQueue, "defer", 1, "before"),
    "what stages returned is queued": (FileQueue, "defer", 1, "after"),
    "what failed is queued again": (FileQueue, "defer", 2, "after"),
    "what failed for good is kept": (DeadFiles, "add", 3, "after"),
    "before the bookmark": (StateStore, "update", 1, "before"),
    "the bookmark is written": (StateStore, "update", 1, "after"),
    "a batch is about to be counted": (DoneCounts, "add", 1, "before"),
    "a batch is counted": (DoneCounts, "add", 1, "after"),
    "the bookmark is gone": (StateStore, "reset", 1, "after"),
    "a batch is let go of": (FileClaim, "release", 1, "before"),
}
"""Steps of a worker of jobs."""

STEPS = {**WRITER, **FLUSH, **EXPORT, **JOBS}
STOP = "stop "


@contextmanager
def at_step(name):
    """Die at a step while the block runs, or stand still there if the name says `stop STEP`; nothing without one."""
    with ExitStack() as stack:
        if name:
            step = STEPS[name.removeprefix(STOP)]
            sign = signal.SIGSTOP if name.startswith(STOP) else signal.SIGKILL
            stack.enter_context(_interrupted(*step, sign))
        yield


def _interrupted(owner, call, turn, when, sign):
    plain = getattr(owner, call)
    calls = 0

    def run(*args, **kwargs):
        nonlocal calls
        calls += 1
        mine = calls == turn
        if mine and when == "before":
            os.kill(os.getpid(), sign)
        found = plain(*args, **kwargs)
        if mine and when == "after":
            os.kill(os.getpid(), sign)
        return found

    return patch.object(owner, call, run)
