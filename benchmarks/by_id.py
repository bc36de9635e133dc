"""Time reads of single entities in one process: `python by_id.py LAKE DATASET FILE COUNT`.

Prints the median milliseconds of a read, wall and CPU, as JSON. The first read (imports, opening the table)
is not counted; the ids are spread over the file, each is read once.
"""

import json
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median


def _ids(file: Path, count: int) -> list[str]:
    """The ids of every so-many-th entity of the file, one more than asked for."""
    with file.open("rb") as lines:
        total = sum(1 for _ in lines)
        lines.seek(0)
        return [json.loads(line)["id"] for line in islice(lines, 0, None, max(1, total // (count + 1)))]


def main() -> None:
    """Read the entities and print the medians."""
    from lakehouse_assets import Lake

    uri, dataset, file, count = sys.argv[1:]
    ids = _ids(Path(file), int(count))
    entities = Lake(uri).dataset(dataset).entities
    wall, cpu = [], []
    for entity_id in ids:
        before = time.perf_counter(), time.process_time()
        entity = entities.get(entity_id)
        wall.append((time.perf_counter() - before[0]) * 1000)
        cpu.append((time.process_time() - before[1]) * 1000)
        if entity is None:
            raise SystemExit(f"{entity_id} is not in the lake")
    print(json.dumps({"reads": len(ids) - 1, "ms": median(wall[1:]), "cpu_ms": median(cpu[1:])}))


if __name__ == "__main__":
    main()
