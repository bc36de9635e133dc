"""Does one thing to a dataset in a process of its own, which somebody may kill."""

import os
import sys
import time
import traceback
from pathlib import Path

from lakehouse_assets.exports import keeping
from lakehouse_assets.jobs import FileQueue, work_queue
from lakehouse_assets.lake import Lake
from lakehouse_assets.statements import ranges, reader
from lakehouse_assets.storage.parallel import in_parallel
from tests.crash import job_stages
from tests.crash.steps import at_step

USAGE = (
    "import FILE | delete FILE | merge - | compact - | vacuum - | export NAME | add SECONDS:NAME | "
    "try NAME | try@STEP NAME | merges SECONDS | compacts SECONDS | vacuums SECONDS | exports SECONDS | "
    "reads SECONDS | store FOLDER | download FOLDER | write COUNT:NAME | flush - | writes SECONDS:NAME | "
    "flushes SECONDS | write@STEP COUNT:NAME | flush@STEP - | jobs EVERY:LOG | jobs@STEP EVERY:LOG"
)


def add_until(dataset, seconds, name):
    """Import small batches of new entities one after the other; print each id that was confirmed."""
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        ids = [f"{name}-{number}-{part}" for part in range(20)]
        number += 1
        dataset.entities.add_many(
            ({"id": id, "schema": "Company", "properties": {"name": [id]}} for id in ids), origin=name[:4]
        )
        print("\n".join(ids), flush=True)


def merge_until(dataset, seconds):
    """Merge again and again; print how often."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        count += bool(dataset.merge(force=True).partitions)
    print(count, flush=True)


def compact_until(dataset, seconds):
    """Compact again and again; print how often there was something to do."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        count += bool(dataset.compact(force=True).partitions)
    print(count, flush=True)


def vacuum_until(dataset, seconds):
    """Vacuum again and again; print how many files were deleted."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        count += dataset.vacuum(force=True).files
    print(count, flush=True)


def export_until(dataset, seconds):
    """Export entities again and again; print how often something had changed."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        count += bool(dataset.export("entities").diffs)
    print(count, flush=True)


def try_export(dataset, name):
    """Write an export, and keep its parts for the next try; print how many there were from the one before."""
    reader.RANGE_ROWS, reader.plan = 1, lambda parts, rows=1: ranges.plan(parts, rows)
    keeping.RANGES = 2
    lake = Lake(dataset.lake.uri)
    lake.settings = lake.settings.model_copy(update={"checkpoint_rows": 0})
    print(sum(tree.files for tree in lake.checkpoints.trees()), flush=True)
    dataset.export(name, force=True, kept=lake.kept_parts(run_id="run", correlation_id="tries"))


def make_until(dataset, seconds):
    """Make all exports again and again; print how often there was something to do."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        count += not dataset.make().skipped
    print(count, flush=True)


def read_until(dataset, seconds):
    """Read everything slowly, again and again; print how often."""
    # each read counts as long
    reader.RANGE_ROWS = 1
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        found = set()
        for rows in dataset.statements.reader.scan(["entity_id"]):
            found |= {id for id in rows["entity_id"] if id.startswith("base-")}
            time.sleep(0.2)
        assert len(found) == 500, len(found)
        count += 1
    print(count, flush=True)


def store(dataset, folder):
    """Archive all files of a folder, several at a time; print each that was confirmed."""

    def put(path):
        with path.open("rb") as stream:
            return dataset.archive.put(stream, key=path.name).file.key

    paths = sorted(Path(folder).iterdir())
    for key in in_parallel(put, paths):
        print(key, flush=True)


def write(dataset, count, name):
    """Write entities into the journal; print each id that was confirmed."""
    ids = [f"{name}-0-{number}" for number in range(count)]
    with dataset.entities.writer(name[:4]) as writer:
        for id in ids:
            writer.add({"id": id, "schema": "Company", "properties": {"name": [id]}})
    print("\n".join(ids), flush=True)


def write_until(dataset, seconds, name):
    """Write small batches of new entities into the journal; print each id that was confirmed."""
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        write(dataset, 20, f"{name}{number}")
        number += 1


def flush_until(dataset, seconds):
    """Flush again and again; print how many segments were moved."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        count += dataset.flush().segments
    print(count, flush=True)


def work_jobs(dataset, every, log):
    """Work all jobs of the lake that are due; a log gets a line for each that is begun."""
    job_stages.LOG = log
    worked = work_queue(FileQueue(dataset.lake), job_stages.QUEUE, lake=dataset.lake, every=every)
    print(worked.jobs, flush=True)


UNTIL = {
    "flushes": flush_until,
    "merges": merge_until,
    "compacts": compact_until,
    "vacuums": vacuum_until,
    "exports": export_until,
    "makes": make_until,
    "reads": read_until,
}


def serve(connection, env, lake, what, argument):
    """Do it in this process with this environment; what is printed goes to whoever holds the other end."""
    os.environ.clear()
    os.environ.update(env)
    sys.stdout = open(connection.fileno(), "w", closefd=False)  # noqa: SIM115
    try:
        work(connection, lake, what, argument)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        # no farewell: the process that it was forked from has all that there is to tidy up
        os._exit(1)


def work(connection, lake, what, argument):
    dataset = Lake(lake).dataset("acme")
    # what is loaded before the start is not killed in the middle
    dataset.status()
    print("ready", flush=True)
    connection.recv_bytes()
    what, _, step = what.partition("@")
    with at_step(step):
        do(dataset, what, argument)
    print("done", flush=True)


def do(dataset, what, argument):
    seconds, _, name = argument.partition(":")
    if what == "import":
        dataset.import_files([argument])
    elif what == "delete":
        dataset.delete(Path(argument).read_text().split())
    elif what == "merge":
        dataset.merge(force=True)
    elif what == "export":
        dataset.export(argument, force=True)
    elif what == "try":
        try_export(dataset, argument)
    elif what == "add":
        add_until(dataset, float(seconds), name)
    elif what == "write":
        write(dataset, int(seconds), name)
    elif what == "writes":
        write_until(dataset, float(seconds), name)
    elif what == "flush":
        dataset.flush()
    elif what == "compact":
        dataset.compact(force=True)
    elif what == "vacuum":
        dataset.vacuum(force=True)
    elif what == "store":
        store(dataset, argument)
    elif what == "download":
        dataset.download(argument)
    elif what == "jobs":
        work_jobs(dataset, int(seconds), name)
    elif what in UNTIL:
        UNTIL[what](dataset, float(argument))
    else:
        raise ValueError(USAGE)
