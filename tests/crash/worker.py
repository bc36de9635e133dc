"""Does one thing to a dataset in a process of its own, which somebody may kill: `worker.py LAKE WHAT ARGUMENT`."""

import sys
import time
from pathlib import Path

from lakehouse_assets.lake import Lake

USAGE = "import FILE | delete FILE | merge - | export NAME | add SECONDS:NAME | merges SECONDS"


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


def main(lake, what, argument):
    dataset = Lake(lake).dataset("acme")
    # what is loaded before the start is not killed in the middle
    dataset.status()
    print("ready", flush=True)
    sys.stdin.readline()
    if what == "import":
        dataset.import_files([argument])
    elif what == "delete":
        dataset.delete(Path(argument).read_text().split())
    elif what == "merge":
        dataset.merge(force=True)
    elif what == "export":
        dataset.export(argument, force=True)
    elif what == "add":
        seconds, _, name = argument.partition(":")
        add_until(dataset, float(seconds), name)
    elif what == "merges":
        merge_until(dataset, float(argument))
    else:
        sys.exit(USAGE)
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
