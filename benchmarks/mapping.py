"""Measure `lakehouse map run` beside `ftm map-csv`: python benchmarks/mapping.py [--rows N] [--ftm PATH].

Both make the same three entities of each row of a register of companies: a company, its director, and the directorship
between them; once without the companies' phone numbers and once with them. A number is checked by followthemoney in any
case, and when no two are the same, each of them. `ftm map-csv` writes the entities as JSON lines. `lakehouse map run`
ends with sorted, committed statements; what brings those lines as far, `lakehouse import`, is measured beside.

A figure is the median of N runs (`--repeat`), in turn, less the same command on a table of one row; the ratio with
that left in stands beside it. Exit code 1 with `--strict` when the figure that is wanted is missed.
"""

import argparse
import csv
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.measure import CommandFailed, Cost, middle, run
from harness.programs import DATASET, Ours
from harness.tables import table

WANTED = 3.0
"""How many times the CPU seconds of `ftm map-csv` ours may be smaller at least."""

COLUMNS = "company_id,company,legal_form,country,street,city,founded,website,email,phone,vat,director,born,role,since"
MAPPING = f"""\
{DATASET}:
  queries:
    - csv_url: /dev/null
      entities:
        company:
          schema: Company
          keys: [company_id]
          key_literal: company
          properties:
            name: {{column: company}}
            legalForm: {{column: legal_form}}
            country: {{column: country}}
            address: {{columns: [street, city], join: ", "}}
            incorporationDate: {{column: founded}}
            website: {{column: website}}
            email: {{column: email}}
            registrationNumber: {{column: company_id}}
            vatCode: {{column: vat}}
        director:
          schema: Person
          keys: [director, born]
          key_literal: person
          properties:
            name: {{column: director}}
            birthDate: {{column: born}}
        directorship:
          schema: Directorship
          keys: [company_id, director, born]
          key_literal: directorship
          properties:
            director: {{entity: director}}
            organization: {{entity: company}}
            role: {{column: role}}
            startDate: {{column: since}}
"""

PHONE = "            phone: {column: phone}\n"
"""One more property of a company."""

_FIRST = ("Anna", "Jan", "Petra", "Olaf", "Maria", "Jürgen", "Zoë", "Łukasz", "Иван", "François")
_LAST = (
    "Müller",
    "Novák",
    "Smith",
    "García",
    "Østergaard",
    "Kowalski",
    "Петров",
    "Dubois",
    "Rossi",
    "Yılmaz",
)
_CITIES = {"Berlin": "de", "Paris": "fr", "Praha": "cz", "Warszawa": "pl", "London": "gb", "Roma": "it"}


def write_table(path: Path, rows: int) -> Path:
    """A register of so many companies; the same number gives the same bytes."""
    dice = random.Random(1)

    def day(first: int, last: int) -> str:
        return f"{dice.randint(first, last)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.split(","))
        for number in range(rows):
            city = dice.choice(sorted(_CITIES))
            writer.writerow(
                [
                    f"HRB {100_000 + number}",
                    f"{dice.choice(_LAST)} {city} {number % 977} GmbH",
                    dice.choice(("GmbH", "AG", "KG")),
                    _CITIES[city],
                    f"{dice.choice(_LAST)}straße {dice.randint(1, 200)}",
                    city,
                    day(1900, 2023),
                    f"https://www.company{number}.example.com/",
                    f"info@company{number}.example.com",
                    f"+49 30 {dice.randint(1_000_000, 9_999_999)}",
                    f"DE{dice.randint(100_000_000, 999_999_999)}" if dice.random() < 0.7 else "",
                    f"{dice.choice(_FIRST)} {dice.choice(_LAST)}",
                    day(1940, 2002),
                    dice.choice(("Geschäftsführer", "Vorstand", "Prokurist")),
                    str(dice.randint(1990, 2023)),
                ]
            )
    return path


@dataclass(frozen=True)
class Bench:
    """A table of some size, and a lake that has it archived with its mapping."""

    folder: Path
    ours: Ours
    ftm: Path

    @classmethod
    def prepare(cls, folder: Path, rows: int, mapping: str, ours: Ours, ftm: Path) -> "Bench":
        """Write the table and make the lake."""
        bench = cls(folder, ours, ftm)
        folder.mkdir(parents=True)
        bench.mapping.write_text(mapping)
        write_table(bench.table, rows)
        bench.run(ours.create(bench.prepared) or [])
        bench.run(
            [
                *bench.head(bench.prepared),
                "map",
                "add",
                "-d",
                DATASET,
                str(bench.mapping),
                "--file",
                str(bench.table),
            ]
        )
        return bench

    @property
    def table(self) -> Path:
        """The table."""
        return self.folder / "companies.csv"

    @property
    def mapping(self) -> Path:
        """The mapping."""
        return self.folder / "companies.yml"

    @property
    def prepared(self) -> Path:
        """The lake that is copied for each run."""
        return self.folder / "prepared"

    @property
    def lines(self) -> Path:
        """What followthemoney makes of the table."""
        return self.folder / "entities.ftm.json"

    def head(self, lake: Path) -> list[str]:
        """How a command of ours begins."""
        return self.ours.create(lake)[:-3]

    def run(self, command: Sequence[str]) -> Cost:
        """What a command costs."""
        return run(command, env=self.ours.env(), cwd=self.folder)[0]

    def map_ours(self) -> Cost:
        """`lakehouse map run` on a lake that has the table archived."""
        lake = self.folder / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        shutil.copytree(self.prepared, lake)
        return self.run([*self.head(lake), "map", "run", "-d", DATASET])

    def map_theirs(self) -> Cost:
        """`ftm map-csv`, without signatures, which ours leaves out, too."""
        options = ["--no-sign", "-i", str(self.table), "-o", str(self.lines)]
        return self.run([str(self.ftm), "map-csv", *options, str(self.mapping)])

    def import_theirs(self) -> Cost:
        """`lakehouse import` of what `ftm map-csv` wrote, as it is."""
        lake = self.folder / "imported"
        shutil.rmtree(lake, ignore_errors=True)
        self.run(self.ours.create(lake))
        return self.run([*self.head(lake), "import", "-d", DATASET, "--trusted", str(self.lines)])


TITLES = ("lakehouse map run", "ftm map-csv", "lakehouse import of its lines")


def measure(bench: Bench, repeat: int) -> list[Cost]:
    """The costs of each, in turn."""
    runs = [[bench.map_ours(), bench.map_theirs(), bench.import_theirs()] for _ in range(repeat)]
    return [middle(costs) for costs in zip(*runs, strict=True)]


def report(costs: Sequence[Cost], starts: Sequence[Cost]) -> tuple[str, float]:
    """The figures as a table, and how many times less CPU ours takes than `ftm map-csv`."""
    lines = []
    ours, start = costs[0], starts[0]
    for title, cost, begun in zip(TITLES, costs, starts, strict=True):
        ratio = (cost.cpu - begun.cpu) / max(ours.cpu - start.cpu, 0.001)
        figures = [
            f"{cost.cpu - begun.cpu:.2f}",
            f"{begun.cpu:.2f}",
            f"{cost.wall:.1f}",
            f"{cost.rss / 1e6:.0f}",
        ]
        lines.append([title, *figures, f"{ratio:.1f}", f"{cost.cpu / ours.cpu:.1f}"])
    head = ["", "CPU s", "start", "wall s", "peak MB", "times ours", "times, with start"]
    return table(head, lines), (costs[1].cpu - starts[1].cpu) / (ours.cpu - start.cpu)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--rows", type=int, default=100_000, help="size of the table (default: 100000)")
    cli.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each (default: 3)")
    cli.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter of ours")
    cli.add_argument("--ftm", type=Path, help="followthemoney's command (default: beside the interpreter)")
    cli.add_argument("--strict", action="store_true", help="exit with 1 when the figure is missed")
    args = cli.parse_args(argv)
    ours = Ours(python=args.python.absolute())
    ftm = (args.ftm or ours.python.with_name("ftm")).absolute()
    reached = True
    with tempfile.TemporaryDirectory(prefix="lakehouse-benchmark-") as work:
        for title, mapping in (("without phone numbers", MAPPING), ("with them", with_phones(MAPPING))):
            try:
                tiny = Bench.prepare(Path(work, title, "one"), 1, mapping, ours, ftm)
                full = Bench.prepare(Path(work, title, "all"), args.rows, mapping, ours, ftm)
                text, ratio = report(measure(full, args.repeat), measure(tiny, args.repeat))
            except CommandFailed as error:
                print(f"benchmark stopped: {error}", file=sys.stderr)
                return 1
            print(f"{args.rows:,} rows, three entities each, {title}\n\n{text}\n", flush=True)
            reached = reached and (mapping != MAPPING or ratio >= WANTED)
    print(
        f"wanted without phone numbers: {WANTED:g} times less CPU than ftm map-csv; "
        f"reached: {'yes' if reached else 'NO'}"
    )
    return 1 if args.strict and not reached else 0


def with_phones(mapping: str) -> str:
    """A mapping that reads the phone numbers, too."""
    before, email, after = mapping.partition("            email: ")
    return f"{before}{PHONE}{email}{after}"


if __name__ == "__main__":
    sys.exit(main())
