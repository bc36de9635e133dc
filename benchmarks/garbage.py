"""
Measure the collection of garbage: python benchmarks/garbage.py [--files N] [--entities N] [--lakota PYTHON].

An archive with as many contents that nobody needs as contents with a path, beside statements that might name each of
them: what is needless is marked, then it is deleted. Beside it, if a Python is named that has lakota 0.7.1, as many
files that nobody needs are marked and deleted by that, and as many of a collection by us. Each in a process of its own,
without its start; a tenth as many, too, to see what the memory does.
"""

import argparse
import hashlib
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


def prepare(folder: Path, files: int, entities: int) -> None:
    """A lake with garbage."""
    from lakehouse_assets import Lake, layout
    from lakehouse_assets.archive.files import ArchivedFile
    from lakehouse_assets.model.times import now_utc

    made = folder / "entities.ftm.json"
    command = [sys.executable, str(HERE / "generate.py"), "--entities", str(entities), "--out", str(made)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    acme = Lake(folder / "lake").create_dataset("acme")
    acme.import_files([made], trusted=True)
    place = Path(acme.location.path)
    at = now_utc()
    for number in range(2 * files):
        data = f"content {number}".encode()
        checksum = hashlib.sha256(data).hexdigest()
        blob = place / layout.blob(checksum)
        blob.parent.mkdir(parents=True)
        blob.write_bytes(data)
        os.utime(blob, (0, 0))
        if number % 2:
            key = f"{number}.txt"
            known = ArchivedFile(
                id=f"file-{number}",
                name=key,
                key=key,
                checksum=checksum,
                size=len(data),
                mimetype="text/plain",
                dataset="acme",
                origin="crawl",
                created_at=at,
                updated_at=at,
            )
            (place / layout.file_meta(checksum, known.id)).write_bytes(known.to_json())


def work(folder: Path, step: str) -> list[int]:
    """One step; gives how many files were marked and deleted."""
    from lakehouse_assets import Lake

    lake = Lake(folder / "lake")
    if step == "mark":
        return [len(lake.gc_mark().marked), 0]
    return [0, len(lake.gc_sweep(0).deleted)]


def one(step: str, folder: Path, files: int, entities: int) -> None:
    """Do one thing in this process, and print what it took."""
    if step == "prepare":
        prepare(folder, files, entities)
        return
    # loads what is loaded once
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401

    from lakehouse_assets import Lake

    Lake(folder / "none").gc()
    started, cpu = time.perf_counter(), os.times()
    found = work(folder, step)
    seconds, after = time.perf_counter() - started, os.times()
    used = after.user + after.system - cpu.user - cpu.system
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"seconds": seconds, "cpu": used, "memory": memory, "found": found}))


def run(command: list[str]) -> dict[str, float]:
    """What another process printed."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    if command[0] != sys.executable:
        environment.pop("PYTHONPATH")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout else {}


def measure(folder: Path, files: int, entities: int, lakota: str | None) -> dict[str, dict[str, float]]:
    """All of it, with so many files."""
    folder.mkdir()
    mine = [sys.executable, str(HERE / "garbage.py"), "--files", str(files), "--entities", str(entities)]
    found = {}
    for step in ("prepare", "mark", "sweep"):
        found[f"{step}, archive"] = run([*mine, "--one", step, "--work", str(folder)])
    del found["prepare, archive"]
    others = {"ours": sys.executable} | ({"lakota": lakota} if lakota else {})
    for name, python in others.items():
        script = str(HERE / "collections_work.py")
        found[f"both, collection of {name}"] = run(
            [python, script, name, "gc", str(folder / name), str(files)]
        )
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--lakota", metavar="PYTHON", help="a Python that has lakota 0.7.1")
    parser.add_argument("--work", type=Path, help="where the files go")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one, options.work, options.files, options.entities)
        return
    place = Path(tempfile.mkdtemp(dir=options.work))
    lines = []
    try:
        for files in (options.files // 10, options.files):
            found = measure(place / str(files), files, options.entities, options.lakota)
            for name, took in found.items():
                numbers = [f"{took['cpu']:.2f} s", f"{took['seconds']:.2f} s", f"{took['memory']:.0f} MB"]
                lines.append([name, f"{files:,}", *numbers, str(took["found"])])
    finally:
        shutil.rmtree(place)
    print(table(["work", "files", "CPU", "wall", "memory", "marked, deleted"], lines))


if __name__ == "__main__":
    main()
