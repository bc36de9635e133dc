"""One process of `journal.py`: `python journal_work.py write LAKE FILE KIND PART:PARTS` or `... empty LAKE COUNT`.

`write` reads the entities of one part of a file, line by line, and writes them through a writer of the journal; KIND
is `safe` or `trusted` for mappings, `proxies` for followthemoney's own objects. `empty` prints the median milliseconds
of a flush with nothing to do, `many` confirms so many segments of one entity each and prints the milliseconds of one.
"""

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from harness.programs import DATASET


def _lines(file: Path, part: int, parts: int) -> Iterator[dict[str, Any]]:
    import orjson

    with file.open("rb") as lines:
        for line in islice(lines, part, None, parts):
            yield orjson.loads(line)


def write(uri: str, file: str, kind: str, share: str) -> None:
    """Write a part of the entities, and confirm them."""
    from lakehouse_assets import Lake

    part, parts = map(int, share.split(":"))
    with Lake(uri).dataset(DATASET).entities.writer(f"writer{part}", trusted=kind == "trusted") as writer:
        entities = _lines(Path(file), part, parts)
        if kind == "proxies":
            from followthemoney.proxy import EntityProxy

            writer.add_many(EntityProxy.from_dict(entity, cleaned=True) for entity in entities)
        else:
            writer.add_many(entities)


def empty(uri: str, count: str) -> None:
    """Flush when nothing waits, again and again."""
    from lakehouse_assets import Lake

    dataset = Lake(uri).dataset(DATASET)
    dataset.flush()
    times = []
    for _ in range(int(count)):
        before = time.perf_counter()
        dataset.flush()
        times.append((time.perf_counter() - before) * 1000)
    print(json.dumps({"ms": median(times)}))


def many(uri: str, count: str) -> None:
    """Confirm many small segments."""
    from lakehouse_assets import Lake

    entities = Lake(uri).dataset(DATASET).entities
    times = []
    for number in range(int(count)):
        before = time.perf_counter()
        with entities.writer("small") as writer:
            writer.add(
                {"id": f"s{number}", "schema": "Company", "properties": {"name": [f"Company {number}"]}}
            )
        times.append((time.perf_counter() - before) * 1000)
    print(json.dumps({"ms": median(times)}))


if __name__ == "__main__":
    {"write": write, "empty": empty, "many": many}[sys.argv[1]](*sys.argv[2:])
