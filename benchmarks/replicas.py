"""
Measure copies of datasets: python benchmarks/replicas.py [--files N] [--entities N] [--lakota PYTHON].

A dataset with archived files of 50 kB and entities is pulled to a new lake, again after one more file, after one more
import, and when nothing is new; `cp -r` of its folder is the floor. Beside it, if a Python is named that has lakota
0.7.1, the same number of its files (writes of 2,000 rows) is pulled, one more, and none. Each in a process of its own,
without its start.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.tables import table

HERE = Path(__file__).parent
SIZE = 50_000
TITLES = {
    "new": "pull a dataset of {files:,} files ({size:.0f} MB) and {entities:,} entities",
    "file": "pull one more file",
    "import": "pull one more import",
    "none": "pull nothing",
    "union": "union after an import on both sides",
}


def prepare(folder: Path, files: int, entities: int) -> None:
    """A lake with a dataset, made."""
    from lakehouse_assets import Lake

    made = folder / "entities.ftm.json"
    command = [sys.executable, str(HERE / "generate.py"), "--entities", str(entities), "--out", str(made)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    acme = Lake(folder / "lake").create_dataset("acme")
    acme.import_files([made], trusted=True)
    for number in range(files):
        store(acme, number)
    acme.archive.touch()
    acme.make()


def store(dataset, number: int) -> None:
    """Archive one file that is like no other."""
    from io import BytesIO
    from random import Random

    dataset.archive.put(BytesIO(Random(number).randbytes(SIZE)), key=f"{number % 100}/{number}.bin")


def company(name: str) -> dict[str, object]:
    """One more entity."""
    return {"id": name, "schema": "Company", "properties": {"name": [name]}}


def work(folder: Path, what: str) -> None:
    """Get ready for one pull, and measure it: seconds, CPU seconds, memory in MB, bytes that were brought."""
    from lakehouse_assets import Lake

    lake, other = Lake(folder / "lake"), Lake(folder / "other")
    acme = lake.dataset("acme")
    if what == "file":
        store(acme, 10_000_000)
        acme.archive.touch()
    if what in ("import", "union"):
        acme.import_entities([company(what)])
    if what == "union":
        other.dataset("acme").import_entities([company("ours")])
    # what both sides load once
    lake.plan_pull(other) if other.datasets() else Lake(folder / "once").plan_pull(lake)
    began, cpu = time.monotonic(), _cpu()
    done = other.pull(lake, resolve="union" if what == "union" else None)
    found = {"seconds": time.monotonic() - began, "cpu": _cpu() - cpu, "bytes": done.bytes}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "memory": memory}))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def ask(command: list[str], *, ours: bool = True) -> dict[str, float]:
    """What a piece of work in a process of its own took."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)} if ours else dict(os.environ)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout or "{}")


def copied(source: Path, target: Path) -> dict[str, float]:
    """What `cp -r` took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.monotonic() - began, "cpu": cpu, "memory": 0, "bytes": 0}


def measure(place: Path, files: int, entities: int, lakota: str | None) -> list[tuple[str, dict[str, float]]]:
    """All work, each with what it is called."""
    me = [sys.executable, str(Path(__file__))]
    ask([*me, "--prepare", str(place), "--files", str(files), "--entities", str(entities)])
    size = sum(file.stat().st_size for file in (place / "lake").rglob("*") if file.is_file()) / 1e6
    numbers = {"files": files, "entities": entities, "size": size}
    found = [
        (title.format(**numbers), ask([*me, "--do", what, str(place)])) for what, title in TITLES.items()
    ]
    found.append(("`cp -r` of the dataset", copied(place / "lake", place / "copied")))
    if lakota:
        names = {"sync": f"lakota: pull {files:,} files", "sync_one": "one more", "sync_none": "none"}
        command = [lakota, str(HERE / "collections_work.py"), "lakota"]
        ask([*command, "write_files", str(place), str(files)], ours=False)
        for name, title in names.items():
            done = ask([*command, name, str(place), str(files * 2000)], ours=False)
            found.append((title, {**done, "bytes": 0}))
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--lakota", metavar="PYTHON", help="a Python that has lakota 0.7.1")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--do", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, options.files, options.entities)
        return
    if options.do:
        work(Path(options.do[1]), options.do[0])
        return
    place = Path(tempfile.mkdtemp())
    try:
        found = measure(place, options.files, options.entities, options.lakota)
    finally:
        shutil.rmtree(place)
    lines = [
        [
            title,
            f"{each['cpu']:.3f} s",
            f"{each['seconds']:.3f} s",
            f"{each['memory']:.0f} MB",
            f"{each['bytes'] / 1e6:.2f} MB",
        ]
        for title, each in found
    ]
    print(table(["work", "CPU", "wall", "memory", "brought"], lines))


if __name__ == "__main__":
    main()
