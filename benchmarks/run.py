"""Measure `lakehouse`: CPU seconds beside a peer or a floor, memory, and start-up.

    python benchmarks/run.py                          ours against the floor under an import
    python benchmarks/run.py --peer PREFIX            ours beside ftm-lakehouse 0.7.1 (see README.md)
    python benchmarks/run.py --growth --startup       memory and time at two sizes, time to start
    python benchmarks/run.py --s3 --repeat 1          a lake in a bucket beside one on local disk (needs moto[server])
    python benchmarks/run.py --rows csv --repeat 1    only rows whose title has `csv`

Run it with the interpreter beside which `lakehouse` is installed, or name one by `--python`. A figure is
the median of N runs (`--repeat`), in turn with the other program's; what each row runs stands in
`harness/rows.py`. Exit code 1 with `--strict` when a figure is missed, 0 otherwise.
"""

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from generate import Options, write_entities
from generator.documents import write_documents
from harness import compare, s3, tables
from harness.lakes import Lakes
from harness.measure import CommandFailed
from harness.programs import Floor, Inputs, Ours, Peer, Program
from harness.rows import MEMORY_ROWS, ROWS

DOCUMENTS = 20_000
"""How many files are listed, unless there are fewer entities."""


def make_inputs(work: Path, entities: int) -> Inputs:
    """The generated files of this size; those of an earlier run are used again."""
    names = (f"{entities}{suffix}.ftm.json" for suffix in ("", "-undated", "-revised", "-documents"))
    inputs = Inputs(*(work / name for name in names))
    made = {
        inputs.dated: Options(),
        inputs.undated: Options(undated=True),
        inputs.revised: Options(undated=True, revision=1),
        inputs.documents: None,
    }
    for path, options in made.items():
        if path.exists():
            continue
        draft = path.with_suffix(".draft")
        if options is None:
            write_documents(draft, min(entities, DOCUMENTS))
        else:
            write_entities(draft, entities, options=options)
        draft.rename(path)
    return inputs


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--entities", type=int, default=100_000, help="size of the file (default: 100000)")
    cli.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each figure (default: 3)")
    cli.add_argument("--rows", default="", metavar="TEXT", help="only rows whose title has this text")
    cli.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter of ours")
    cli.add_argument("--peer", type=Path, metavar="PREFIX", help="environment with ftm-lakehouse 0.7.1")
    cli.add_argument("--peer-only", action="store_true", help="measure the peer alone")
    cli.add_argument(
        "--growth", action="store_true", help="instead: memory and time at --entities and --larger times it"
    )
    cli.add_argument("--larger", type=int, default=5, metavar="N", help="for --growth (default: 5)")
    cli.add_argument("--datasets", type=int, default=1000, metavar="N", help="for --startup (default: 1000)")
    cli.add_argument("--startup", action="store_true", help="instead: time to start")
    cli.add_argument("--s3", action="store_true", help="instead: a lake in a bucket beside a local one")
    cli.add_argument("--work", type=Path, help="folder for lakes, kept (default: a temporary one)")
    cli.add_argument("--json", type=Path, metavar="FILE", help="write every run's figures there, too")
    cli.add_argument("--strict", action="store_true", help="exit with 1 when a figure is missed")
    cli.add_argument("-v", "--verbose", action="store_true", help="log every run")
    args = cli.parse_args(argv)
    if args.peer_only and not args.peer:
        cli.error("--peer-only needs --peer")
    return args


def _programs(args: argparse.Namespace, work: Path) -> list[Program]:
    ours = Ours(python=args.python.absolute())
    if args.peer is None:
        return [ours, Floor(python=ours.python)]
    peer = Peer(prefix=args.peer.absolute(), work=work)
    return [peer] if args.peer_only else [ours, peer]


def _compare(args: argparse.Namespace, work: Path) -> tuple[str, dict[str, object], bool]:
    """The comparison of ours with the peer or the floor, and reads by id."""
    programs = _programs(args, work)
    lakes = Lakes(work, make_inputs(work, args.entities))
    tiny = Lakes(work, make_inputs(work, 1))
    rows = [
        compare.compare(row, programs, lakes, tiny, repeat=args.repeat)
        for row in ROWS
        if args.rows in row.title
    ]
    names = [program.name for program in programs]
    if len(names) == 2:
        parts = [tables.comparisons(rows, ours=names[0], rival=names[1])]
    else:
        parts = [tables.alone(rows, name=names[0])]
    parts += [f"{row.title}: {row.failed}" for row in rows if row.failed]
    found: dict[str, object] = {"rows": [compare.as_json(row) for row in rows]}
    passed = all(not row.failed for row in rows)
    if args.peer and not args.peer_only:
        passed = passed and all((row.ratio or 0) >= row.wanted for row in rows)
    if isinstance(programs[0], Ours) and args.rows in "entity by id, warm":
        by_id = compare.by_id(programs[0], lakes)
        parts += [tables.limits([by_id]), *([by_id.note] if by_id.value is None else [])]
        found["by_id"] = compare.as_json(by_id)
        passed = passed and by_id.passed
    if isinstance(programs[0], Ours) and args.rows in "difference of two versions of all entities":
        difference = compare.difference(programs[0], lakes)
        parts += [tables.limits([difference]), *([difference.note] if difference.value is None else [])]
        found["difference"] = compare.as_json(difference)
        passed = passed and difference.passed
    return "\n\n".join(parts), found, passed


def _growth(args: argparse.Namespace, work: Path) -> tuple[str, dict[str, object], bool]:
    """Memory and time of ours at two sizes."""
    ours = Ours(python=args.python.absolute())
    sizes = (args.entities, args.entities * args.larger)
    small, large = (Lakes(work, make_inputs(work, size)) for size in sizes)
    rows = [
        compare.growth(row, ours, small, large, repeat=args.repeat, factor=args.larger)
        for row in MEMORY_ROWS
        if args.rows in row.title
    ]
    parts = [tables.growths(rows, small=sizes[0], large=sizes[1])]
    parts += [f"{row.title}: {row.failed}" for row in rows if row.failed]
    return "\n\n".join(parts), {"growth": [compare.as_json(row) for row in rows]}, all(r.passed for r in rows)


def _startup(args: argparse.Namespace, work: Path) -> tuple[str, dict[str, object], bool]:
    """Wall seconds to start, and to find that nothing is to be done."""
    ours = Ours(python=args.python.absolute())
    rows = compare.startup_limits(ours, repeat=args.repeat, work=work)
    small = Lakes(work, make_inputs(work, 100))
    rows += compare.idle_limits(ours, small, repeat=args.repeat, datasets=args.datasets)
    parts = [tables.limits(rows), *(f"{row.title}: {row.note}" for row in rows if row.value is None)]
    return (
        "\n\n".join(parts),
        {"startup": [compare.as_json(row) for row in rows]},
        all(r.passed for r in rows),
    )


def _s3(args: argparse.Namespace, work: Path) -> tuple[str, dict[str, object], bool]:
    """What it costs that a lake, or what is imported, lies in a bucket."""
    lakes = Lakes(work, make_inputs(work, args.entities))
    rows = s3.beside(Ours(python=args.python.absolute()), lakes, repeat=args.repeat)
    return tables.besides(rows), {"s3": [asdict(row) for row in rows]}, True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    args = _parse(argv)
    logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING, format="%(message)s")
    asked = ((_growth, args.growth), (_startup, args.startup), (_s3, args.s3))
    chosen = [part for part, on in asked if on] or [_compare]
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    report: dict[str, object] = {"machine": machine, "entities": args.entities, "repeat": args.repeat}
    good = True
    with tempfile.TemporaryDirectory(prefix="lakehouse-benchmark-") as temporary:
        work = (args.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        for part in chosen:
            try:
                text, found, passed = part(args, work)
            except CommandFailed as error:
                print(f"benchmark stopped: {error}", file=sys.stderr)
                return 1
            print(text, flush=True)
            report |= found
            good = good and passed
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if args.strict and not good else 0


if __name__ == "__main__":
    sys.exit(main())
