"""Measure the journal: python benchmarks/journal.py [--entities N] [--input FILE].

One writer in a process of its own that takes entities from a file, line by line, and confirms them, and then `lakehouse
flush`; cleaned, trusted, and as followthemoney's own objects. Four writers at once, each of a quarter. A flush with
nothing to do, and small segments, on local disk and in a bucket.

ftm-lakehouse 0.7.1 has no command that writes entities through its journal: its figure is that of 100,000 entities as
measured once in its own process, writer and flush, in CPU seconds.

A figure is the median of N runs (`--repeat`), less the same commands with one entity; the ratio with that left in
stands beside it. Exit code 1 with `--strict` when a figure that is wanted is missed.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.measure import CommandFailed, Cost, middle, run
from harness.programs import DATASET, Ours
from harness.s3 import Store
from harness.s3 import store as serving
from harness.tables import table

PEER_CPU = 116.0
"""CPU seconds of the peer for 100,000 entities, as measured once in its own process."""

ENTITIES = 100_000
WANTED = 7.0
EMPTY_MS = 50.0
WRITERS = 4
SCALING = 3.0
"""How many times the throughput of one writer four should have, where there are so many processors."""

KINDS = {"safe": "cleaned", "trusted": "trusted", "proxies": "proxies, cleaned"}
_WORK = Path(__file__).with_name("journal_work.py")
_EMPTY_FLUSHES = 200
_SEGMENTS = 50


class Bench:
    """A folder with the generated entities, and one lake at a time."""

    def __init__(self, work: Path, python: Path, file: Path) -> None:
        self.work = work
        self.file = file
        self.one = work / "one.json"
        with file.open("rb") as lines:
            self.one.write_bytes(lines.readline())
        self.python = python
        self.ours = Ours(python=python)
        self.env = self.ours.env()

    def lake(self, store: Store | None = None) -> str:
        """A new lake with an empty dataset."""
        if store is not None:
            self.env = {**self.ours.env(), **store.env}
            uri = f"s3://{store.bucket()}/lake"
        else:
            shutil.rmtree(self.work / "lake", ignore_errors=True)
            uri = str(self.work / "lake")
        run(self.ours.create(uri), env=self.env, cwd=self.work)
        return uri

    def ask(self, *args: str) -> tuple[Cost, str]:
        """One process of work."""
        return run([str(self.python), str(_WORK), *args], env=self.env, cwd=self.work)

    def flush(self, lake: str) -> Cost:
        """`lakehouse flush`."""
        head = self.ours.startup()[:-1]
        return run([*head, "--uri", lake, "flush", "-d", DATASET], env=self.env, cwd=self.work)[0]


def one_writer(bench: Bench, kind: str, file: Path) -> tuple[Cost, Cost]:
    """One writer of a whole file, and the flush."""
    lake = bench.lake()
    return bench.ask("write", lake, str(file), kind, "0:1")[0], bench.flush(lake)


def writing(bench: Bench, args: argparse.Namespace) -> tuple[str, bool]:
    """All kinds of one writer."""
    peer = PEER_CPU * args.entities / ENTITIES
    lines, good = [], True
    for kind, title in KINDS.items():
        runs = [
            (one_writer(bench, kind, bench.one), one_writer(bench, kind, bench.file))
            for _ in range(args.repeat)
        ]
        starts = [middle([start[step] for start, _ in runs]) for step in (0, 1)]
        costs = [middle([cost[step] for _, cost in runs]) for step in (0, 1)]
        own = [cost.cpu - start.cpu for cost, start in zip(costs, starts, strict=True)]
        times, with_start = peer / max(sum(own), 0.01), peer / sum(cost.cpu for cost in costs)
        figures = (f"{figure:.1f}" for figure in (*own, sum(own), peer, times, with_start, WANTED))
        wall, rss = sum(cost.wall for cost in costs), max(cost.rss for cost in costs)
        lines.append([title, *figures, f"{wall:.1f}", f"{rss / 1e6:.0f}"])
        good = good and times >= WANTED
    head = [f"{args.entities:,} entities", "write, CPU s", "flush, CPU s", "both", "peer, CPU s", "times"]
    return table([*head, "times, with start", "wanted", "s", "peak MB"], lines), good


def at_once(bench: Bench, args: argparse.Namespace) -> tuple[str, bool]:
    """Several writers, each of its part of the file, beside one of the whole."""
    seconds = {}
    for parts in (1, WRITERS):
        lake = bench.lake()
        began = time.perf_counter()
        calls = [("write", lake, str(bench.file), "safe", f"{part}:{parts}") for part in range(parts)]
        with ThreadPoolExecutor(parts) as pool:
            costs = [cost for cost, _ in pool.map(lambda call: bench.ask(*call), calls)]
        seconds[parts] = time.perf_counter() - began, sum(cost.cpu for cost in costs), bench.flush(lake).cpu
    head = ["writers at once", "s", "entities/s", "CPU s of all", "flush, CPU s"]
    lines = [
        [str(parts), f"{wall:.1f}", f"{args.entities / wall:,.0f}", f"{cpu:.1f}", f"{flush:.1f}"]
        for parts, (wall, cpu, flush) in seconds.items()
    ]
    cores = os.cpu_count() or 1
    times = seconds[1][0] / seconds[WRITERS][0]
    note = f"{times:.1f} times as fast on {cores} processors"
    return f"{table(head, lines)}\n\n{note}", times >= SCALING or cores < WRITERS


def small(bench: Bench, store: Store | None) -> list[str]:
    """Segments of one entity, the flush of them, and a flush with nothing to do."""
    lake = bench.lake(store)
    close = json.loads(bench.ask("many", lake, str(_SEGMENTS))[1])["ms"]
    began = time.perf_counter()
    cost = bench.flush(lake)
    flush = time.perf_counter() - began
    nothing = json.loads(bench.ask("empty", lake, str(_EMPTY_FLUSHES if store is None else 20))[1])["ms"]
    return [f"{close:.0f}", f"{flush:.1f}", f"{cost.cpu:.1f}", f"{nothing:.2f}"]


def trifles(bench: Bench) -> tuple[str, bool]:
    """What small things cost, on local disk and in a bucket."""
    rows = [["local disk", *small(bench, None)]]
    with serving() as store:
        rows.append(["a bucket", *small(bench, store)])
    head = [
        "",
        "close of one entity, ms",
        f"`lakehouse flush` of {_SEGMENTS}, s",
        "CPU s",
        "flush of nothing, ms",
    ]
    return table(head, rows), all(float(row[-1]) <= EMPTY_MS for row in rows)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument(
        "--entities", type=int, default=ENTITIES, metavar="N", help=f"how many (default: {ENTITIES})"
    )
    cli.add_argument(
        "--input", type=Path, metavar="FILE", help="so many generated entities that are there already"
    )
    cli.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each figure (default: 1)")
    cli.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter of ours")
    cli.add_argument("--work", type=Path, help="folder to work in (default: a temporary one)")
    cli.add_argument("--strict", action="store_true", help="exit with 1 when a figure is missed")
    return cli.parse_args(argv)


def _input(args: argparse.Namespace, work: Path) -> Path:
    if args.input is not None:
        return Path(args.input.absolute())
    file = work / "entities.ftm.json"
    generate = Path(__file__).with_name("generate.py")
    command = [str(args.python), str(generate), "--entities", str(args.entities), "--out", str(file)]
    run(command, env=Ours(python=args.python).env(), cwd=work)
    return file


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    args = _parse(argv)
    args.python = args.python.absolute()
    good = True
    with tempfile.TemporaryDirectory(prefix="lakehouse-journal-", dir=args.work) as temporary:
        work = Path(temporary)
        try:
            bench = Bench(work, args.python, _input(args, work))
            for part in (lambda: writing(bench, args), lambda: at_once(bench, args), lambda: trifles(bench)):
                text, passed = part()
                print(f"{text}\n", flush=True)
                good = good and passed
        except CommandFailed as error:
            print(error, file=sys.stderr)
            return 1
    return 1 if args.strict and not good else 0


if __name__ == "__main__":
    sys.exit(main())
