"""Time what keeping a difference costs beside its export: `python difference.py LAKE DATASET`.

Exports the entities of a dataset whose statements changed since they were exported last, then compares the two
versions and writes what changed. Prints the CPU and wall seconds of the comparison alone, as JSON.
"""

import json
import sys
import time


def main() -> None:
    """Export, then compare."""
    from lakehouse_assets import Lake

    uri, name = sys.argv[1:]
    dataset = Lake(uri).dataset(name)
    dataset.export("entities", defer_diff=True, update_index=False)
    before = time.perf_counter(), time.process_time()
    job = dataset.differences.make("entities", update_index=False)
    wall, cpu = time.perf_counter() - before[0], time.process_time() - before[1]
    changed = job.diffs["entities"]
    print(json.dumps({"cpu": cpu, "wall": wall, "changed": job.rows, "bytes": changed.get("bytes", 0)}))


if __name__ == "__main__":
    main()
