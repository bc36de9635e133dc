"""
Runs the commands in the ```console blocks of docs/tutorial.md, and writes what they answer below them.

python docs/consoles.py            # write the answers
python docs/consoles.py --check    # fail when they are not what is written there

The commands of a page run one after the other in a scratch folder that has the examples. Times and seconds differ from
run to run, and do not count as a difference.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PAGES = (HERE / "tutorial.md",)

_BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?"), "TIME"),
    (re.compile(r"\b\d{8}T\d{12}Z\b"), "TIME"),
    (re.compile(r"\b\d+\.\d s\b"), "SECONDS"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "ID"),
    # tables are as wide as what varies in them
    (re.compile(r"  +"), "  "),
)


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with `--check` compare them; 1 when one differs."""
    parser = argparse.ArgumentParser(description="Run the commands of the tutorial.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args(arguments).check
    differing = 0
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = answered(before)
        if not check:
            page.write_text(after, encoding="utf-8")
        elif _normal(before) != _normal(after):
            differing += 1
            lines = difflib.unified_diff(_normal(before), _normal(after), str(page), "what it says now", n=1)
            print("\n".join(lines), file=sys.stderr)
    return 1 if differing else 0


def answered(page: str) -> str:
    """The page with the answers that its commands give now."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "examples").symlink_to(HERE.parent / "examples")
        return _BLOCK.sub(lambda block: _run_block(block[1], folder), page)


def _run_block(block: str, folder: Path) -> str:
    lines = []
    for command in _commands(block):
        lines.append(f"$ {command}\n")
        lines.append(_run(command, folder))
    return "".join(lines)


def _commands(block: str) -> list[str]:
    """The commands of a block; lines that end in a backslash go on, others without `$` are answers."""
    commands: list[str] = []
    open_end = False
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append(line.removeprefix("$ "))
        elif open_end:
            commands[-1] += f"\n{line}"
        else:
            continue
        open_end = line.endswith("\\")
    return commands


def _run(command: str, folder: Path) -> str:
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DAGSTER_"))
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), plain.get("PATH", "")])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=plain | {"PATH": path, "LAKEHOUSE_URI": "lake", "COLUMNS": "110", "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    answer = done.stdout.replace(str(folder), "/home/you")
    return answer if not answer or answer.endswith("\n") else f"{answer}\n"


def _normal(page: str) -> list[str]:
    for pattern, name in _VARYING:
        page = pattern.sub(name, page)
    return [line.rstrip() for line in page.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
