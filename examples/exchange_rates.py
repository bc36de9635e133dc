"""
Tables of rows in two lakes: pushed, changed on both sides, found to be apart, and brought together.

Run it as `python examples/exchange_rates.py`, once the demo has made its lake or without it. It writes the folders
`demo-lake` and `demo-lake-copy`, and can be run again.
"""

import sys
from pathlib import Path

from lakehouse_assets import Lake, Repo, Schema
from lakehouse_assets.collections import Collection
from lakehouse_assets.errors import Diverged

LAKE, COPY = Path("demo-lake"), Path("demo-lake-copy")
LABEL = "exchange rates"
# euros for one unit, as published on three days
RATES = {
    "CZK": {"2026-01-05": 0.0411, "2026-01-06": 0.0412, "2026-01-07": 0.0410},
    "PLN": {"2026-01-05": 0.2370, "2026-01-06": 0.2368, "2026-01-07": 0.2375},
}


def publish(rates: Collection, currency: str, day: str, rate: float) -> None:
    """Add the rate of a day, or correct it; all other days stay."""
    (rates / currency).write({"day": [day], "rate": [rate]})


def show(title: str, repo: Repo) -> None:
    """Print all rates, and how many versions there are of them."""
    rates = repo.get(LABEL)
    print(f"{title}: {len(rates.revisions())} versions")
    for series in rates:
        told = ", ".join(f"{day:%d.%m.} {rate:.4f}" for day, rate in series.frame().rows())
        print(f"  {series.label}  {told}")


def main() -> int:
    """Make the rates, and take them through a push, a conflict and a pull."""
    here, there = Lake(LAKE).collections, Repo(COPY)
    # as if for the first time
    for repo in (here, there):
        repo.delete(LABEL)
    rates = here.create_collection(Schema(day="date*", rate="float"), LABEL)
    with rates.multi():
        for currency, days in RATES.items():
            (rates / currency).write({"day": list(days), "rate": list(days.values())})
    done = here.push(there, LABEL)
    print(f"pushed to {COPY}: {done.files} files, {done.bytes:,} bytes")

    publish(rates, "CZK", "2026-01-06", 0.0413)
    publish(there.get(LABEL), "CZK", "2026-01-08", 0.0409)
    publish(there.get(LABEL), "PLN", "2026-01-07", 0.2374)
    try:
        here.pull(there, LABEL)
    except Diverged as exc:
        print(f"a pull is refused: {exc}")
    here.pull(there, LABEL, resolve="ours")
    here.push(there, LABEL)
    show("both lakes, with the changes of both", there)
    if [s.frame().rows() for s in here.get(LABEL)] != [s.frame().rows() for s in there.get(LABEL)]:
        print("the lakes differ, which should not happen")
        return 1
    first = here.get(LABEL).revisions()[0]
    before = (here.get(LABEL) / "CZK").frame(version=first.version)["rate"].to_list()
    print(f"CZK as first published: {', '.join(f'{rate:.4f}' for rate in before)}")
    print("see for yourself: lakehouse --uri demo-lake collections log 'exchange rates'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
