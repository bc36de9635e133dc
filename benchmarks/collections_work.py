"""
One piece of work on collections, ours or lakota's, in a process: `collections_work.py PROGRAM WORK FOLDER N`.

It prints what the work took, without loading the program: seconds, CPU seconds, memory in MB, and for reads a number
that both must agree on. Both get the same numbers: as frames of polars, or as arrays of numpy.
"""

import json
import os
import resource
import sys
import time
import uuid
from pathlib import Path

WRITES = 100
READS = 20
START = 1_600_000_000


def columns(first: int, count: int):
    """Seconds, and values that go up and down by small steps."""
    import numpy as np

    at = np.arange(first, first + count)
    return (at + START).astype("M8[s]"), np.round(np.sin(at / 1000) * 50 + (at * 2654435761 % 1009) / 100, 2)


class Ours:
    """lakehouse_assets."""

    def __init__(self, folder: Path) -> None:
        from lakehouse_assets.collections import Repo, Schema

        self.folder, self.Repo = folder, Repo
        self.schema = Schema(timestamp="timestamp*", value="float")
        self.repo = Repo(folder / "ours")

    def collection(self, label: str = "c", repo=None):
        """A collection, made when it is not there."""
        return (repo or self.repo).create_collection(self.schema, label, raise_if_exists=False)

    def frame(self, first: int, count: int):
        """Rows as both take them."""
        at, value = columns(first, count)
        return {"timestamp": at, "value": value}

    def range(self, start, stop, at=None):
        """How many rows there are between two times, and their sum; as of a revision."""
        series = self.collection() / "s"
        moment = series.revisions()[at] if at is not None else None
        frame = series.frame(start.item(), stop.item(), before=moment)
        return frame.height, round(float(frame["value"].sum()), 2)

    def other(self):
        """The place that is pulled to."""
        return self.Repo(self.folder / "ours-other")

    def litter(self, count: int) -> None:
        """Make files that nobody needs."""
        folder = Path(self.collection().location.path)
        for _ in range(count):
            (folder / f"{uuid.uuid4().hex}.parquet").write_bytes(b"x")
        for file in folder.glob("*.parquet"):
            os.utime(file, (0, 0))

    def gc(self, grace: float):
        """How many files were deleted and how many marked."""
        return self.repo.gc(grace)


class Lakota:
    """lakota 0.7.1."""

    def __init__(self, folder: Path) -> None:
        import lakota.repo
        from lakota import Repo, Schema

        self.folder, self.Repo = folder, Repo
        self.settings = lakota.repo.settings
        self.schema = Schema(timestamp="timestamp*", value="float")
        self.repo = Repo(f"{folder}/lakota")

    def collection(self, label: str = "c", repo=None):
        """A collection, made when it is not there."""
        return (repo or self.repo).create_collection(self.schema, label, raise_if_exists=False)

    def frame(self, first: int, count: int):
        """Rows as both take them."""
        at, value = columns(first, count)
        return {"timestamp": at, "value": value}

    def range(self, start, stop, at=None):
        """How many rows there are between two times, and their sum; as of a revision."""
        collection = self.collection()
        moment = sorted(each.epoch for each in collection.changelog.log())[at] if at is not None else None
        frame = (collection / "s").frame(start=start, stop=stop, before=moment)
        return len(frame), round(float(frame["value"].sum()), 2)

    def other(self):
        """The place that is pulled to."""
        return self.Repo(f"{self.folder}/lakota-other")

    def litter(self, count: int) -> None:
        """Make files that nobody needs."""
        root = self.folder / "lakota"
        for _ in range(count):
            digest = f"{uuid.uuid4().hex}{uuid.uuid4().hex[:8]}"
            path = root / digest[:2] / digest[2:4]
            path.mkdir(parents=True, exist_ok=True)
            (path / digest[4:]).write_bytes(b"x")

    def gc(self, grace: float):
        """How many files were deleted and how many marked."""
        self.settings.timeout = grace
        return self.repo.gc()


def write(program, count: int):
    """Rows in a hundred revisions."""
    series, size = program.collection() / "s", count // WRITES
    frames = [program.frame(turn * size, size) for turn in range(WRITES)]
    yield
    for frame in frames:
        series.write(frame)
    yield count


def multi(program, count: int):
    """The same in one revision."""
    collection, size = program.collection("m"), count // WRITES
    frames = [program.frame(turn * size, size) for turn in range(WRITES)]
    yield
    with collection.multi():
        for frame in frames:
            (collection / "s").write(frame)
    yield count


def write_files(program, count: int):
    """As many series of 2,000 rows, which lakota does not keep in its log."""
    collection = program.collection()
    yield
    with collection.multi():
        for turn in range(count):
            (collection / f"s{turn}").write(program.frame(turn * 2000, 2000))
    yield count


def _range(program, count: int, at):
    start, _ = columns(count // 2, 1)
    stop, _ = columns(count // 2 + count // 100, 1)
    program.range(start[0], stop[0], at)
    yield
    found = [program.range(start[0], stop[0], at) for _ in range(READS)]
    yield found[0]


def read(program, count: int):
    """A hundredth of the rows, twenty times."""
    return _range(program, count, None)


def past(program, count: int):
    """The same, as it was some revisions ago."""
    return _range(program, count, -10)


def full(program, count: int):
    """All rows."""
    start, _ = columns(0, 1)
    stop, _ = columns(count, 1)
    yield
    yield program.range(start[0], stop[0])


def sync(program, count: int):
    """A pull of as many files as there are in the collection."""
    other = program.other()
    yield
    other.pull(program.repo)
    yield len(other.ls())


def sync_one(program, count: int):
    """A pull after one more write."""
    (program.collection() / "s").write(program.frame(count * 2, 2000))
    other = program.other()
    yield
    other.pull(program.repo)
    yield len(other.ls())


def sync_none(program, count: int):
    """A pull of nothing."""
    other = program.other()
    other.pull(program.repo)
    yield
    other.pull(program.repo)
    yield len(other.ls())


def gc(program, count: int):
    """Files that nobody needs: marked, and then deleted."""
    program.collection()
    program.litter(count)
    yield
    marked = program.gc(3600)
    deleted = program.gc(0)
    yield [marked[1], deleted[0]]


def main() -> None:
    """Do it, and print what it took."""
    name, work, folder, count = sys.argv[1:]
    program = {"ours": Ours, "lakota": Lakota}[name](Path(folder))
    if name == "ours":
        # loads what is loaded once
        (program.collection("w", program.Repo()) / "s").write(program.frame(0, 10))
    doing = globals()[work](program, int(count))
    next(doing)
    started, cpu = time.perf_counter(), time.process_time()
    found = next(doing)
    told = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "found": found}
    print(json.dumps({**told, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}))


if __name__ == "__main__":
    main()
