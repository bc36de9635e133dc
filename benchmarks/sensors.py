"""Time the sensors over many datasets: `python sensors.py [--datasets 1000] [--changed 10] [--work DIR]`.

Each dataset has statements, all exports, a crawl source of some files and times of its own. Of each sensor the median
look is told when nothing changed, the one when somebody imported into some datasets and dropped a file into the
source of each, and the first one: for `watch_lake` these datasets are new then, for the others all are. Nothing is
launched: it is the look alone, without what Dagster's daemon adds to it.
"""

import argparse
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

SENSORS = (
    "watch_lake",
    "watch_sources",
    "resume_crawls",
    "keep_timetables",
    "flush_journal",
    "refresh_checks",
)
PEOPLE = 20
FILES = 5
LOOKS = 5


class Sensors:
    """The sensors of a lake, on an instance in a folder as `lakehouse up` makes one."""

    def __init__(self, lake, home: Path) -> None:
        import dagster as dg

        from lakehouse_assets.defs.build import build_definitions

        home.mkdir()
        self.instance = dg.DagsterInstance.from_config(str(home))
        self._defs = build_definitions(lake.uri)
        self._repository = self._defs.get_repository_def()
        self._cursors: dict[str, object] = {}
        self._graph = self._defs.resolve_asset_graph()

    def look(self, name: str) -> tuple[float, float, str]:
        """One look: seconds and CPU seconds, and what it came to; what it asks for is done, but for runs."""
        import dagster as dg

        began = time.perf_counter(), time.process_time()
        if name == "keep_fresh":
            asked = self._automate()
            return time.perf_counter() - began[0], time.process_time() - began[1], f"{asked} runs asked for"
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursors.get(name),
            resources=dict(self._defs.resources),
            repository_def=self._repository,
        )
        with context, dg.partition_loading_context(dynamic_partitions_store=self.instance):
            found = self._defs.resolve_sensor_def(name).evaluate_tick(context)
        spent = time.perf_counter() - began[0], time.process_time() - began[1]
        self._cursors[name] = found.cursor
        for request in found.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions("dataset", list(request.partition_keys))
        return *spent, found.skip_message or f"{len(found.run_requests or [])} runs asked for"

    def _automate(self) -> int:
        """What the daemon does for automation: how many runs it asks for."""
        import dagster as dg
        from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
        from dagster._core.definitions.automation_tick_evaluation_context import (
            AutomationTickEvaluationContext,
        )

        cursor = self._cursors.get("keep_fresh") or AssetDaemonCursor.empty()
        requests, self._cursors["keep_fresh"], _ = AutomationTickEvaluationContext(
            evaluation_id=cursor.evaluation_id + 1,
            instance=self.instance,
            asset_graph=self._graph,
            cursor=cursor,
            materialize_run_tags={},
            observe_run_tags={},
            emit_backfills=False,
            auto_observe_asset_keys=set(),
            asset_selection=dg.AssetSelection.all(),
            logger=logging.getLogger("automation"),
        ).evaluate()
        return len(requests)

    def size(self, name: str) -> int:
        """The characters of a cursor."""
        return len(str(self._cursors.get(name) or "")) if name != "keep_fresh" else 0

    def seed(self, lake, names: list[str]) -> None:
        """Let datasets be known, as after the first looks: to tell of each takes Dagster most of a second."""
        from lakehouse_assets.defs.cursors import write_cursor

        signs = lake.signs()
        self.instance.add_dynamic_partitions("dataset", names)
        self._cursors["watch_lake"] = write_cursor({name: signs[name] for name in names})


def prepare(folder: Path, count: int) -> object:
    """A lake of copies of one dataset."""
    from lakehouse_assets import Lake

    lake = Lake(folder / "lake")
    template = lake.create_dataset("template")
    template.import_entities(
        {"id": f"p{number}", "schema": "Person", "properties": {"name": [f"Jane Doe {number}"]}}
        for number in range(PEOPLE)
    )
    template.make()
    old = time.time() - 3600
    for number in range(count):
        name = f"d{number}"
        target = folder / "lake" / name
        shutil.copytree(folder / "lake" / "template", target)
        config = (target / "config.yml").read_bytes()
        renamed = config.replace(b"template", name.encode())
        (target / "config.yml").write_bytes(renamed)
        record = target / "tags" / "lakehouse" / "index.json-written"
        digests = [hashlib.sha256(data).hexdigest() for data in (config, renamed)]
        record.write_text(record.read_text().replace(*digests))
        source = folder / "sources" / name
        source.mkdir(parents=True)
        for file in range(FILES):
            (source / f"{file}.txt").write_text(str(file))
            os.utime(source / f"{file}.txt", (old, old))
        (target / "pipeline.yml").write_text(
            f"crawl: [{{uri: {source}}}]\nschedules: {{make: '30 6 * * *'}}\n"
        )
    shutil.rmtree(folder / "lake" / "template")
    return lake


def change(lake, folder: Path, names: list[str], turn: int) -> None:
    """What other programs do: import into datasets, and drop files into their sources."""
    old = time.time() - 1800
    for name in names:
        lake.dataset(name).import_entities(
            [{"id": f"new{turn}", "schema": "Person", "properties": {"name": ["New"]}}]
        )
        path = folder / "sources" / name / f"new{turn}.txt"
        path.write_text("new")
        os.utime(path, (old, old))


@contextmanager
def workplace(given: str | None) -> Iterator[Path]:
    """A folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=given) as folder:
        yield Path(folder)


def measure(
    folder: Path, datasets: int, changed: int, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """All figures, by sensor."""
    lake = prepare(folder, datasets)
    sensors = Sensors(lake, folder / "home")
    names = [f"d{number}" for number in range(0, datasets, max(1, datasets // changed))][:changed]
    sensors.seed(lake, [name for name in lake.datasets() if name not in names])
    found: dict[str, dict[str, float]] = {name: {} for name in (*SENSORS, "keep_fresh")}
    for name, figures in found.items():
        wall, cpu, said = sensors.look(name)
        figures |= {"first_ms": wall * 1000, "first_cpu_ms": cpu * 1000}
        say(f"{name}: {said[:100]}")
        while name == "refresh_checks" and "nothing changed" not in sensors.look(name)[2]:
            pass
        quiet = [sensors.look(name) for _ in range(LOOKS)]
        figures |= {
            "quiet_ms": median(each[0] for each in quiet) * 1000,
            "quiet_cpu_ms": median(each[1] for each in quiet) * 1000,
            "cursor_bytes": sensors.size(name),
        }
        say(f"{name}: {quiet[-1][2]}")
    change(lake, folder, names, 1)
    for name, figures in found.items():
        wall, cpu, said = sensors.look(name)
        figures |= {"changed_ms": wall * 1000, "changed_cpu_ms": cpu * 1000}
        say(f"{name}: {said[:100]}")
    return found


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", type=int, default=1000)
    parser.add_argument("--changed", type=int, default=10)
    parser.add_argument("--work", help="where the lake is made; some 100 kB a dataset")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    logging.getLogger("dagster").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    with workplace(given.work) as folder:
        found = measure(
            folder, given.datasets, given.changed, lambda text: None if given.json else print(text)
        )
        if given.json:
            print(json.dumps(found))
        else:
            show(found, given.datasets, given.changed)


def show(found: dict[str, dict[str, float]], datasets: int, changed: int) -> None:
    """Print a table."""
    print(f"\n{datasets:,} datasets; milliseconds of a look (CPU)")
    for name, figures in found.items():
        print(
            f"{name:16} quiet {figures['quiet_ms']:7.0f} ({figures['quiet_cpu_ms']:.0f})"
            f"   {changed} changed {figures['changed_ms']:7.0f} ({figures['changed_cpu_ms']:.0f})"
            f"   first look {figures['first_ms']:7.0f} ({figures['first_cpu_ms']:.0f})"
            f"   cursor {figures['cursor_bytes']:,} bytes",
            flush=True,
        )


if __name__ == "__main__":
    main()
