"""
Measure collections: python benchmarks/tables_of_rows.py [--rows N] [--files N] [--lakota PYTHON].

Beside lakota 0.7.1, if a Python is named that has it (an environment of its own), on the same work: rows in a hundred
revisions and in one, a hundredth of them read, as they are and as they were, all of them read; a pull of a thousand
files, of one more, and of none; garbage collected, marked and deleted. Each in a process of its own, without its start.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.tables import table

HERE = Path(__file__).parent
TITLES = {
    "write": "write {rows:,} rows in 100 revisions",
    "read": "read 1 % of them, 20 times",
    "past": "the same as of 10 revisions ago",
    "full": "read all of them",
    "multi": "write {rows:,} rows in one revision",
    "sync": "pull {pulled:,} files",
    "sync_one": "pull one more write",
    "sync_none": "pull nothing",
    "gc": "mark and delete {files:,} files",
}
PULLED = 1000


def run(python: str, program: str, work: str, folder: Path, count: int) -> dict[str, float]:
    """What a piece of work took."""
    command = [python, str(HERE / "collections_work.py"), program, work, str(folder), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)} if program == "ours" else dict(os.environ)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{program} {work}: {done.stderr}")
    return json.loads(done.stdout)


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measure(python: str, program: str, work: Path, rows: int, files: int) -> dict[str, dict[str, float]]:
    """All work of one program."""
    found = {}
    for name in ("write", "read", "past", "full", "multi"):
        found[name] = run(python, program, name, work / "rows", rows)
    found["write"]["size"] = size_of(work / "rows" / program)
    # a write of 2,000 rows is more than lakota keeps in its log
    small = work / "files"
    run(python, program, "write_files", small, PULLED)
    before = size_of(small)
    for name in ("sync", "sync_one", "sync_none"):
        found[name] = run(python, program, name, small, PULLED * 2000)
        found[name]["size"], before = size_of(small) - before, size_of(small)
    found["gc"] = run(python, program, "gc", work / "garbage", files)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--lakota", metavar="PYTHON", help="a Python that has lakota 0.7.1")
    parser.add_argument("--work", type=Path, help="where the files go")
    options = parser.parse_args()
    programs = {"ours": sys.executable} | ({"lakota": options.lakota} if options.lakota else {})
    place = Path(tempfile.mkdtemp(dir=options.work))
    try:
        found = {
            name: measure(python, name, place / name, options.rows, options.files)
            for name, python in programs.items()
        }
    finally:
        shutil.rmtree(place)
    numbers = {"rows": options.rows, "files": options.files, "pulled": PULLED}
    lines = []
    for name, title in TITLES.items():
        cells = [f"{each[name]['cpu']:.2f} s" for each in found.values()]
        cells += [f"{each[name]['seconds']:.2f} s" for each in found.values()]
        cells += [f"{each[name]['memory']:.0f} MB" for each in found.values()]
        lines.append([title.format(**numbers), *cells])
        answers = {json.dumps(each[name]["found"]) for each in found.values()}
        if len(answers) > 1:
            print(f"{name}: they disagree: {answers}", file=sys.stderr)
    heads = [f"{what}, {name}" for what in ("CPU", "wall", "memory") for name in found]
    print(table(["work", *heads], lines))
    for name, each in found.items():
        size, moved = each["write"]["size"] / 1e6, each["sync_one"]["size"] / 1e6
        print(f"{name}: {size:.1f} MB on disk, {moved:.3f} MB by the last write and its pull")


if __name__ == "__main__":
    main()
