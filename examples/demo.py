"""
The demo: a lake of two datasets, made by Dagster from the entities in this folder.

Run it as `make demo`. It can be run again at any time: what is there already is fresh, and is left alone.
"""

import sys
import warnings
from pathlib import Path

from lakehouse_assets import Lake

HERE = Path(__file__).parent
LAKE = Path("demo-lake")

DATASETS = {
    "eu_bodies": {
        "title": "Bodies of the European Union",
        "summary": "Institutions and agencies, where they sit, and who heads them.",
        "category": "government",
        "content_type": "structured",
    },
    "energy_owners": {
        "title": "Who owns Europe's energy",
        "summary": "Energy, transport and finance companies, their owners and heads, and sanctions against them.",
        "category": "companies",
        "content_type": "structured",
    },
}


def main() -> int:
    """Make the demo's lake, and say where everything lies."""
    # Dagster says of itself which of its parts are new
    warnings.simplefilter("ignore")
    from lakehouse_assets.defs.instance import open_instance
    from lakehouse_assets.defs.runs import run_checks, run_make

    lake = Lake(LAKE)
    for name, config in DATASETS.items():
        if name not in lake.datasets():
            lake.create_dataset(name, **config)
    # imported once: the second time there would be nothing new in them
    files = {
        name: [HERE / f"{name}.ftm.json"]
        for name in DATASETS
        if lake.dataset(name).content_version() == "none"
    }
    failed = 0
    with open_instance(lake) as instance:
        for made in run_make(lake, instance, files=files):
            print(f"run {made.run_id[:8]}  {made.dataset or 'catalogue':<15} {made.error or 'ok'}")
            failed += not made.success
        checked = run_checks(lake, instance)
        print(f"run {checked.run_id[:8]}  checks          {checked.error or 'ok'}")
        failed += not checked.success
    for name in DATASETS:
        print(f"\n{name}")
        describe(lake, name)
    print(f"\nthe lake's index: {LAKE / 'index.json'}")
    print(
        "\nNow open the web UI:\n\n    make ui\n\nand then http://localhost:3000/asset-groups in a browser."
    )
    return 1 if failed else 0


def describe(lake: Lake, name: str) -> None:
    """Print where the exports of a dataset lie, and how much is in them."""
    status = lake.dataset(name).status()
    print(f"  {status.entities:,} entities, {status.statements:,} statements")
    for artifact in status.artifacts.values():
        path = LAKE / name / artifact.path
        rows = "" if artifact.artifact in ("index", "statistics") else f"{artifact.rows:>7,} rows"
        print(f"  {path!s:<48} {rows:>12} {artifact.bytes:>10,} bytes")


if __name__ == "__main__":
    sys.exit(main())
