"""
The demo: a lake of four datasets, made by Dagster from what lies in this folder, and a second one that shares them.

Two are imported from entities. The third is written in both lakes, which are brought together at the end. The fourth
is crawled from a folder of papers; mappings make entities of its tables, and a chain of jobs reads the papers and finds
what they mention.

Run it as `make demo`. It can be run again at any time: what is there already is fresh, and is left alone.
"""

import os
import sys
import warnings
from pathlib import Path

import two_lakes

from lakehouse_assets import Dataset, Lake
from lakehouse_assets.jobs import DatasetJob
from lakehouse_assets.model.pipeline import CrawlSource, PipelineConfig

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
    two_lakes.NOTES: two_lakes.CONFIG,
    "power_papers": {
        "title": "Papers about power stations",
        "summary": "A folder as a source might hand it over: registers, a letter, figures, an older archive.",
        "category": "documents",
        "content_type": "mixed",
    },
}

ENTITIES = ("eu_bodies", "energy_owners")
"""Datasets that are there as entities."""

PAPERS = "power_papers"
"""The dataset that is there as files."""

FIRST = ("stations.yml", "registers/stations.csv")
SECOND = ("grid_operators.yml", "registers/grid operators.xlsx")
"""Mappings, and which of its tables they make entities of."""

QUEUE = "papertrail"
STAGES = "papertrail.stages"
"""The queue of the jobs that read the papers, and the module that works them."""


def main() -> int:
    """Make the demo's lake, and say where everything lies."""
    # Dagster says of itself which of its parts are new
    warnings.simplefilter("ignore")
    os.environ["LAKEHOUSE_STAGES"] = STAGES
    two_lakes.prepare()
    from lakehouse_assets.defs.instance import open_instance
    from lakehouse_assets.defs.queue_events import EventLogQueue
    from lakehouse_assets.defs.runs import Made, run_checks, run_jobs, run_make

    def tell(run: Made, what: str) -> bool:
        print(f"run {run.run_id[:8]}  {what:<19} {run.error or 'ok'}")
        return not run.success

    lake = Lake(LAKE)
    for name, config in DATASETS.items():
        if name not in lake.datasets():
            lake.create_dataset(name, **config)
            if name == PAPERS:
                prepare_papers(lake.dataset(name))
            if name == two_lakes.NOTES:
                two_lakes.note(lake.dataset(name), two_lakes.FIRST)
    # imported once: the second time there would be nothing new in them
    files = {
        name: [HERE / f"{name}.ftm.json"]
        for name in ENTITIES
        if lake.dataset(name).content_version() == "none"
    }
    failed = 0
    with open_instance(lake) as instance:
        for made in run_make(lake, instance, files=files, crawl=[PAPERS]):
            failed += tell(made, made.dataset or "catalogue")
        # read what was not read yet, and look for what it mentions
        queue = EventLogQueue(lake, instance.report_runless_asset_event)
        queue.defer(DatasetJob(dataset=PAPERS, queue=QUEUE, task="files"))
        failed += tell(run_jobs(lake, instance, QUEUE, dataset=PAPERS), QUEUE)
        failed += sum(1 for _ in queue.dead(QUEUE))
        # what a later make changes is kept as a difference
        if add_mapping(lake.dataset(PAPERS), *SECOND):
            for made in run_make(lake, instance, names=[PAPERS]):
                failed += tell(made, made.dataset or "catalogue")
        failed += two_lakes.share(lake, instance, tell)
        failed += tell(run_checks(lake, instance), "checks")
    for name in DATASETS:
        print(f"\n{name}")
        describe(lake, name)
    print(f"\nthe lake's index: {LAKE / 'index.json'}; the second lake: {two_lakes.COPY}")
    print(
        "\nNow open the web UI:\n\n    make ui\n\nand then http://localhost:3000/asset-groups in a browser."
    )
    return 1 if failed else 0


def prepare_papers(papers: Dataset) -> None:
    """Say where its files come from, and what becomes of its first table."""
    pipeline = PipelineConfig(crawl=[CrawlSource(uri=str(HERE / "papers"))])
    papers.location.write("pipeline.yml", pipeline.to_yaml())
    add_mapping(papers, *FIRST)


def add_mapping(papers: Dataset, mapping: str, table: str) -> bool:
    """Say what becomes of a table; False when that is known."""
    return papers.mappings.add(HERE / "mappings" / mapping, file=HERE / "papers" / table, key=table).changed


def describe(lake: Lake, name: str) -> None:
    """Print where the exports of a dataset lie, and how much is in them."""
    status = lake.dataset(name).status()
    print(f"  {status.entities:,} entities, {status.statements:,} statements")
    for artifact in status.artifacts.values():
        path = LAKE / name / artifact.path
        rows = "" if artifact.artifact in ("index", "statistics") else f"{artifact.rows:>7,} rows"
        print(f"  {path!s:<48} {rows:>12} {artifact.bytes:>10,} bytes")
    for path in sorted(LAKE.glob(f"{name}/diffs/**/*Z.delta.json")):
        print(f"  {path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
