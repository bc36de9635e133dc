"""Measure `lakehouse crawl`: python benchmarks/crawling.py [--peer PREFIX] [--files N].

Ours beside ftm-lakehouse 0.7.1, in turn: a crawl of many small files into an empty dataset, the same crawl again with
both skipping known paths, and again with both overwriting. Either side keeps metadata of each file, and makes entities
of files and folders. Ours syncs each file to disk before it gets its name, the peer leaves that to the system.

Beside that one large file, next to `sha256sum` and a copy of it that is synced; and the memory of a crawl of
`--many` files.

A figure is the median of N runs (`--repeat`), less the same command on a folder of one file; the ratio with that left
in stands beside it. Exit code 1 with `--strict` when a figure that is wanted is missed.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.measure import CommandFailed, Cost, middle, run
from harness.programs import DATASET, Ours, Peer
from harness.tables import table

FIRST, AGAIN, OVERWRITE = "first crawl", "again, known paths skipped", "again, all overwritten"
WANTED = {FIRST: 5.0, AGAIN: 8.0, OVERWRITE: 8.0}
"""How many times the CPU seconds of the peer ours may be smaller at least."""

MEMORY_MB = 300.0
LARGE_TIMES = 1.2
"""How many times the seconds of sha256sum and a copy a crawl of a large file may take."""

SUFFIXES = ("pdf", "txt", "docx", "xlsx", "csv", "eml", "html", "jpg", "png", "json", "md", "zip")
SMALLEST, LARGEST = 200, 4000
IN_FOLDER, IN_BATCH = 50, 1000


def write_files(folder: Path, count: int, *, distinct: int | None = None) -> Path:
    """So many small files in folders of folders, always the same; of so many contents, by default as many."""
    chance = random.Random(1)
    contents = [chance.randbytes(chance.randint(SMALLEST, LARGEST)) for _ in range(distinct or 0)]
    for number in range(count):
        place = folder / f"batch {number // IN_BATCH}" / f"folder-{number // IN_FOLDER}"
        if number % IN_FOLDER == 0:
            place.mkdir(parents=True, exist_ok=True)
        data = (
            contents[number % distinct] if distinct else chance.randbytes(chance.randint(SMALLEST, LARGEST))
        )
        (place / f"file {number}.{SUFFIXES[number % len(SUFFIXES)]}").write_bytes(data)
    return folder


@dataclass
class Crawler:
    """The commands of one program."""

    name: str
    head: list[str]
    tail: list[str]
    env: dict[str, str]

    def crawl(self, lake: Path, source: Path, existing: str, *, work: Path) -> Cost:
        """Crawl a folder, or a file."""
        command = [*self.head, "--uri", str(lake), *self.tail, str(source), "--existing", existing]
        return run(command, env=self.env, cwd=work)[0]


def ours(python: Path) -> Crawler:
    """`lakehouse crawl`."""
    program = Ours(python=python)
    return Crawler(program.name, program.startup()[:-1], ["-d", DATASET, "crawl"], program.env())


def peer(prefix: Path, work: Path) -> Crawler:
    """`ftm-lakehouse crawl`."""
    program = Peer(prefix=prefix, work=work)
    head = [str(prefix / "bin" / "ftm-lakehouse")]
    return Crawler(program.name, head, ["-d", DATASET, "crawl"], {**program.env(), "LOG_LEVEL": "error"})


@contextmanager
def empty_lake(crawler: Crawler, python: Path, work: Path) -> Iterator[Path]:
    """A lake with an empty dataset, gone after the block."""
    lake = work / f"{crawler.name}-lake"
    shutil.rmtree(lake, ignore_errors=True)
    program = Ours(python=python)
    if crawler.name == program.name:
        run(program.create(lake), env=program.env(), cwd=work)
    try:
        yield lake
    finally:
        shutil.rmtree(lake, ignore_errors=True)


def crawls(crawler: Crawler, source: Path, python: Path, work: Path) -> dict[str, Cost]:
    """The three crawls of a folder."""
    with empty_lake(crawler, python, work) as lake:
        return {
            FIRST: crawler.crawl(lake, source, "skip-path", work=work),
            AGAIN: crawler.crawl(lake, source, "skip-path", work=work),
            OVERWRITE: crawler.crawl(lake, source, "overwrite", work=work),
        }


Figures = dict[str, dict[str, tuple[Cost, Cost]]]
"""By row and program: the crawl of many files, and that of one."""


def measure(crawlers: Sequence[Crawler], args: argparse.Namespace, work: Path) -> Figures:
    """All rows, the programs in turn."""
    many = write_files(work / "files", args.files)
    one = write_files(work / "one", 1)
    runs: dict[tuple[str, str], list[tuple[Cost, Cost]]] = {}
    for _ in range(args.repeat):
        for crawler in crawlers:
            starts = crawls(crawler, one, args.python, work)
            costs = crawls(crawler, many, args.python, work)
            for row in WANTED:
                runs.setdefault((row, crawler.name), []).append((costs[row], starts[row]))
    shutil.rmtree(many)
    figures: Figures = {row: {} for row in WANTED}
    for (row, name), pairs in runs.items():
        figures[row][name] = (middle([cost for cost, _ in pairs]), middle([start for _, start in pairs]))
    return figures


def ratios(row: dict[str, tuple[Cost, Cost]]) -> tuple[float, float] | None:
    """The peer's CPU seconds over ours: less the start, and with it."""
    if "peer" not in row:
        return None
    (our_cost, our_start), (peer_cost, peer_start) = row["ours"], row["peer"]
    return (peer_cost.cpu - peer_start.cpu) / max(
        our_cost.cpu - our_start.cpu, 0.01
    ), peer_cost.cpu / our_cost.cpu


def compared(figures: Figures) -> tuple[str, bool]:
    """The table of the crawls, and whether each ratio is as wanted."""
    head = ["", "ours, CPU s", "peer, CPU s", "times", "times, with start", "wanted", "ours, s", "peer, s"]
    head += ["ours, peak MB", "peer, peak MB"]
    lines, good = [], True
    for name, row in figures.items():
        found = ratios(row)
        line = [name]
        line += [f"{row[who][0].cpu - row[who][1].cpu:.2f}" if who in row else "" for who in ("ours", "peer")]
        line += [f"{found[0]:.1f}", f"{found[1]:.1f}"] if found else ["", ""]
        line.append(f"{WANTED[name]:g}")
        line += [f"{row[who][0].wall:.1f}" if who in row else "" for who in ("ours", "peer")]
        line += [f"{row[who][0].rss / 1e6:.0f}" if who in row else "" for who in ("ours", "peer")]
        lines.append(line)
        good = good and (found is None or found[0] >= WANTED[name])
    return table(head, lines), good


def large(crawler: Crawler, args: argparse.Namespace, work: Path) -> tuple[str, bool]:
    """A large sparse file: crawled, and hashed and copied by the system's own programs."""
    source = work / "large" / "mails.pst"
    source.parent.mkdir(exist_ok=True)
    with source.open("wb") as file:
        file.truncate(args.gigabytes * 10**9)
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    copy = work / "copy.pst"
    floor, crawl = [], []
    for _ in range(args.repeat):
        script = f"sha256sum '{source}' && cp --sparse=never '{source}' '{copy}' && sync '{copy}'"
        floor.append(run(["sh", "-c", script], env=dict(os.environ), cwd=work)[0])
        copy.unlink()
        with empty_lake(crawler, args.python, work) as lake:
            crawl.append(crawler.crawl(lake, source, "skip-path", work=work))
    source.unlink()
    a, b = middle(crawl), middle(floor)
    head = [f"{args.gigabytes} GB file", "s", "CPU s", "peak MB"]
    lines = [
        [name, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.rss / 1e6:.0f}"]
        for name, cost in (("lakehouse crawl", a), ("sha256sum, cp, sync", b))
    ]
    return table(head, lines), a.wall <= LARGE_TIMES * b.wall


def memory(crawler: Crawler, args: argparse.Namespace, work: Path) -> tuple[str, bool]:
    """Peak memory of crawls of few and of many files."""
    lines, good = [], True
    for count in (1, args.many // 10, args.many):
        # as many paths, and fewer contents: it is paths that have to be kept
        source = write_files(work / "many", count, distinct=max(1, count // 10))
        with empty_lake(crawler, args.python, work) as lake:
            first = crawler.crawl(lake, source, "skip-path", work=work)
            again = crawler.crawl(lake, source, "skip-path", work=work)
        shutil.rmtree(source)
        lines.append([f"{count:,}", f"{first.rss / 1e6:.0f}", f"{again.rss / 1e6:.0f}"])
        good = max(first.rss, again.rss) / 1e6 <= MEMORY_MB
    return table(["files", "first crawl, peak MB", "again, peak MB"], lines), good


def _tell(text: str, good: bool) -> bool:
    """Show a part at once, as the next takes minutes."""
    print(f"{text}\n", flush=True)
    return good


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--files", type=int, default=20_000, metavar="N", help="small files (default: 20000)")
    cli.add_argument("--gigabytes", type=int, default=4, metavar="N", help="the large file; 0: none")
    cli.add_argument("--many", type=int, default=200_000, metavar="N", help="files for memory; 0: none")
    cli.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each figure (default: 1)")
    cli.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter of ours")
    cli.add_argument("--peer", type=Path, metavar="PREFIX", help="environment with ftm-lakehouse 0.7.1")
    cli.add_argument("--work", type=Path, help="folder to work in (default: a temporary one)")
    cli.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    cli.add_argument("--strict", action="store_true", help="exit with 1 when a figure is missed")
    return cli.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    args = _parse(argv)
    args.python = args.python.absolute()
    good = True
    with tempfile.TemporaryDirectory(prefix="lakehouse-crawling-", dir=args.work) as temporary:
        work = Path(temporary)
        crawlers = [ours(args.python)]
        if args.peer is not None:
            crawlers.append(peer(args.peer.absolute(), work))
        try:
            figures: Figures = measure(crawlers, args, work) if args.files else {}
            if figures:
                good = _tell(*compared(figures))
            if args.gigabytes:
                good = _tell(*large(crawlers[0], args, work)) and good
            if args.many:
                good = _tell(*memory(crawlers[0], args, work)) and good
        except CommandFailed as error:
            print(error, file=sys.stderr)
            return 1
    if args.json:
        told = {
            row: {who: [vars(cost) for cost in pair] for who, pair in found.items()}
            for row, found in figures.items()
        }
        args.json.write_text(json.dumps(told, indent=2))
    return 1 if args.strict and not good else 0


if __name__ == "__main__":
    sys.exit(main())
