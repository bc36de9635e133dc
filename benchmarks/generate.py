"""Write FollowTheMoney entities for the benchmarks, as many as wanted.

    python benchmarks/generate.py --entities 100000 --out entities.ftm.json

The mix resembles OpenSanctions: people, companies, addresses, ownerships, sanctions, passports, documents
... about 16.5 statements an entity, the `id` row included (100k entities: 1.65M statements, 84 MB), names in
a dozen scripts, ids in no order. The same arguments give the same bytes on every machine, and the first
lines of a long file are those of a short one.

Values are written as followthemoney's cleaning leaves them; `--check N` proves it on N entities (and needs
followthemoney). `--dirty P` writes a share P of the values sloppily instead. `--revision R` changes a share
of the entities (`--changed`, 5 % by default), as the next delivery of a source does. `--undated` leaves the
times of each entity out, so that an import's `--last-seen` decides.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from generator.dice import Dice
from generator.entities import EntityMaker
from generator.maker import Entity, Props

CAPTIONS = ("name", "full", "fileName", "number", "role", "program", "relationship")
UPPER = frozenset({"country", "nationality", "jurisdiction", "flag", "pastFlags", "gender", "email"})
SPACED = frozenset({"name", "alias", "previousName", "full", "address", "birthPlace", "fileName", "notes"})


@dataclass(frozen=True)
class Options:
    """Which entities to make."""

    seed: int = 0
    dataset: str = "benchmark"
    revision: int = 0
    changed: float = 0.05
    dirty: float = 0.0
    undated: bool = False


def _month(revision: int) -> str:
    """The month in which a revision was delivered, the first one in February 2025."""
    return f"{2025 + revision // 12}-{revision % 12 + 1:02d}"


def revise(props: Props, dice: Dice, revision: int) -> None:
    """Change what a new delivery of a source would change."""
    if "name" in props and dice.chance(0.6):
        props.setdefault("alias", []).append(f"{props['name'][0]} {revision}-{dice.below(1000)}")
    if "notes" in props and dice.chance(0.5):
        props["notes"][0] = f"{props['notes'][0]}, revision {revision}"
    if len(props.get("sourceUrl", ())) > 1:
        props["sourceUrl"].pop()
    props["modifiedAt"] = [f"{_month(revision)}-{dice.between(1, 28):02d}"]


def soil(props: Props, dice: Dice, share: float) -> None:
    """Write a share of the values as people type them: padded, in capitals, with times, broken."""
    for prop, values in props.items():
        for index, value in enumerate(values):
            if not dice.chance(share):
                continue
            if prop in UPPER:
                values[index] = value.upper()
            elif prop in SPACED:
                values[index] = f"  {value.replace(' ', '   ', 1)}\t"
            elif prop.endswith(("Date", "At")):
                values[index] = dice.pick(
                    (f"{value} 00:00", f"{value}-00", value.replace("-", "/"), "unknown")
                )
            elif prop == "sourceUrl":
                values[index] = value.removeprefix("https://")
            elif prop == "phone":
                values[index] = f"{value[:3]} ({value[3:5]}) {value[5:]}"


def iter_entities(count: int, *, start: int = 0, options: Options | None = None) -> Iterator[Entity]:
    """The entities with the numbers start ... start + count - 1 of an endless sequence."""
    options = options or Options()
    maker, dice = EntityMaker(seed=options.seed), Dice()
    for number in range(start, start + count):
        schema, props = maker.make(number)
        dice.reset(options.seed, number, 1)
        times = {
            "first_seen": f"2023-{dice.between(1, 12):02d}-{dice.between(1, 28):02d}T06:21:07",
            "last_seen": "2024-12-20T06:21:07",
            "last_change": f"2024-{dice.between(1, 12):02d}-{dice.between(1, 28):02d}T06:21:07",
        }
        if options.revision:
            dice.reset(options.seed, number, 2 + options.revision)
            if dice.chance(options.changed):
                revise(props, dice, options.revision)
                times["last_change"] = times["last_seen"] = f"{_month(options.revision)}-01T06:21:07"
        if options.dirty:
            dice.reset(options.seed, number, 2)
            soil(props, dice, options.dirty)
        yield {
            "id": maker.identify(number),
            "caption": next((props[prop][0] for prop in CAPTIONS if prop in props), schema),
            "schema": schema,
            "properties": props,
            "referents": [],
            "datasets": [options.dataset],
            **({} if options.undated else times),
        }


def write_entities(
    out: Path | None, count: int, *, start: int = 0, options: Options | None = None
) -> tuple[int, int]:
    """Write entities as JSON lines, to stdout when `out` is None; return statements and bytes."""
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    statements = size = 0
    with nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as sink:
        for entity in iter_entities(count, start=start, options=options):
            line = encode(entity).encode() + b"\n"
            sink.write(line)
            size += len(line)
            statements += 1 + sum(map(len, entity["properties"].values()))
    return statements, size


def unclean_values(
    count: int, *, options: Options | None = None
) -> Iterator[tuple[str, str, str, str | None]]:
    """Schema, property, value and cleaned value of everything that followthemoney would change or refuse."""
    from followthemoney import model

    for entity in iter_entities(count, options=options):
        schema = model[entity["schema"]]
        missing = [prop for prop in schema.required if prop not in entity["properties"]]
        yield from ((schema.name, prop, "", None) for prop in missing)
        for name, values in entity["properties"].items():
            prop = schema.properties.get(name)
            for value in values:
                cleaned = prop.type.clean(value, format=prop.format) if prop and not prop.stub else None
                if cleaned != value or value == entity["id"]:
                    yield schema.name, name, value, cleaned


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--entities", type=int, default=1000, help="how many (default: 1000)")
    cli.add_argument("--start", type=int, default=0, help="number of the first one")
    cli.add_argument("--out", type=Path, help="file to write (default: stdout)")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--dataset", default="benchmark", help="name in `datasets`")
    cli.add_argument("--revision", type=int, default=0, help="above 0: a later delivery with changes")
    cli.add_argument("--changed", type=float, default=0.05, help="share of entities a revision changes")
    cli.add_argument("--dirty", type=float, default=0.0, help="share of values written sloppily")
    cli.add_argument("--undated", action="store_true", help="without first_seen, last_seen, last_change")
    cli.add_argument(
        "--check", type=int, metavar="N", help="only compare N entities with followthemoney's cleaning"
    )
    args = cli.parse_args(argv)
    options = Options(
        seed=args.seed,
        dataset=args.dataset,
        revision=args.revision,
        changed=args.changed,
        dirty=args.dirty,
        undated=args.undated,
    )
    if args.check is not None:
        found = list(unclean_values(args.check, options=options))
        for row in found:
            print(*row, sep="\t")
        return 1 if found else 0
    statements, size = write_entities(args.out, args.entities, start=args.start, options=options)
    mean = statements / max(args.entities, 1)
    print(
        f"{args.entities} entities, {statements} statements ({mean:.2f} each), {size / 1e6:.1f} MB",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
