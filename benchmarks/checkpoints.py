"""Measure checkpoints: python benchmarks/checkpoints.py [--rows N] [--repeat N].

`CheckpointStore.put` and `get` on local disk beside `sink_ipc` and `scan_ipc` of polars, of the same rows, in turn,
each in a process of its own, without its start. A checkpoint is synced to disk before it gets its name, so the plain
sink stands there twice, once as it is and once with `sync_on_close="all"`.

The frame that is written is scanned from a file, to where nothing is yet. What is read is summed up. Memory is what the
process holds besides files that are mapped, sampled; it stands there for a quarter of the rows, too, as it should not
grow with them.

Exit code 1 with `--strict` when one takes more than 5 % longer than the plain way, synced.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from harness.measure import run
from harness.tables import table

WANTED = 1.05
BATCH = 500_000
TITLES = {
    "sink": "sink_ipc",
    "synced": "sink_ipc, synced",
    "scan": "scan_ipc",
    "put": "put",
    "get": "get",
}
WRITES = ("sink", "synced", "put")
BESIDE = {"put": "synced", "get": "scan"}


def write_source(path: Path, rows: int) -> None:
    """Numbers, texts and times, in batches, as a program would write them."""
    import polars as pl

    def batch(start: int) -> pl.LazyFrame:
        ids = pl.int_range(start, min(start + BATCH, rows), eager=True).alias("id")
        return pl.LazyFrame({"id": ids}).with_columns(
            value=(pl.col("id") * 2654435761 % 1000003) / 7,
            name=pl.format("company-{}", pl.col("id") % 99991),
            at=pl.from_epoch(pl.col("id") + 1_700_000_000, time_unit="s"),
        )

    pl.concat([batch(start) for start in range(0, rows, BATCH)]).sink_ipc(path)


def work(what: str, source: Path, folder: Path) -> None:
    """Do one of the things that are measured; print what it took."""
    import polars as pl

    from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore

    frame = pl.scan_ipc(source)
    # loads what is loaded once, and starts the threads
    frame.head(10).sink_ipc(folder / "warm.arrow")
    store = CheckpointStore(folder)
    keys = {"run_id": "r", "correlation_id": "c"}
    memory = Memory()
    with memory:
        started, cpu = time.perf_counter(), _cpu()
        if what == "sink":
            frame.sink_ipc(folder / "plain.arrow")
        elif what == "synced":
            frame.sink_ipc(folder / "plain.arrow", sync_on_close="all")
        elif what == "put":
            store.put("x", **keys, scope=CheckpointScope.CORRELATION, data=frame)
        else:
            found = pl.scan_ipc(folder / "plain.arrow") if what == "scan" else store.get("x", **keys)
            print(
                found.select(pl.col("id", "value").sum(), pl.col("name").str.len_bytes().sum())
                .collect()
                .rows()
            )
        seconds, cpu = time.perf_counter() - started, _cpu() - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": memory.most}))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Memory:
    """The most that this process holds in a block, without mapped files: looked at every few milliseconds."""

    def __init__(self) -> None:
        self.most = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            status = Path("/proc/self/status").read_text()
            line = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
            self.most = max(self.most, int(line.split()[1]) * 1024)
            if self._done.wait(0.01):
                return


def measure(what: str, source: Path, folder: Path) -> dict[str, float]:
    """One of the things, in a process of its own."""
    if what in WRITES:
        # all begin alike: where nothing is, and with as much room in the cache
        shutil.rmtree(folder)
        folder.mkdir()
    command = [sys.executable, __file__, "--work", what, str(source), str(folder)]
    _, out = run(command, env=dict(os.environ), cwd=folder)
    return dict(json.loads(out.splitlines()[-1]))


def measured(rows: int, repeat: int, work_in: Path) -> dict[str, dict[str, float]]:
    """Everything in turn, so many times; the median of each figure, of memory the largest."""
    source, folder = work_in / f"{rows}.arrow", work_in / f"checkpoints-{rows}"
    folder.mkdir()
    write_source(source, rows)
    found: dict[str, list[dict[str, float]]] = {what: [] for what in TITLES}
    for _ in range(repeat):
        for what in TITLES:
            found[what].append(measure(what, source, folder))
    print(f"{rows:,} rows, {source.stat().st_size / 1e6:,.0f} MB", file=sys.stderr)
    return {
        what: {
            "seconds": median(each["seconds"] for each in costs),
            "cpu": median(each["cpu"] for each in costs),
            "memory": max(each["memory"] for each in costs),
        }
        for what, costs in found.items()
    }


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description="Measure checkpoints beside plain files.")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 when a figure that is wanted is missed"
    )
    parser.add_argument("--work", nargs=3, metavar=("WHAT", "SOURCE", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work[0], Path(given.work[1]), Path(given.work[2]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        all_rows = measured(given.rows, given.repeat, Path(folder))
        quarter = measured(given.rows // 4, 1, Path(folder))
    lines, missed = [], False
    for what, title in TITLES.items():
        costs, beside = all_rows[what], all_rows.get(BESIDE.get(what, ""))
        # processors count: what a disk takes depends on who else writes to it
        times = costs["cpu"] / beside["cpu"] if beside else None
        missed |= times is not None and times > WANTED
        ratio = f"{times:.2f} (wall {costs['seconds'] / beside['seconds']:.2f})" if beside else ""
        memory = f"{costs['memory'] / 1e6:.0f} ({quarter[what]['memory'] / 1e6:.0f})"
        lines.append([title, f"{costs['seconds']:.2f}", f"{costs['cpu']:.2f}", ratio, memory])
    head = [
        f"{given.rows:,} rows",
        "wall s",
        "CPU s",
        f"of plain (wanted {WANTED})",
        "peak MB (a quarter of the rows)",
    ]
    print(table(head, lines))
    return 1 if missed and given.strict else 0


if __name__ == "__main__":
    sys.exit(main())
